// Where Prometheus asks a process for its metrics.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

export module millrace.runtime.process:metrics_server;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.telemetry;

export namespace millrace {

inline constexpr std::string_view metrics_path = "/metrics";
// A request with all its headers.
inline constexpr std::size_t scrape_request_bytes_max = 8 * kibibyte;
// Those who ask at a time; others are turned away.
inline constexpr std::size_t scrapes_max = 8;
// From the connection to the end of the answer.
inline constexpr Duration scrape_deadline = std::chrono::seconds{10};
// What is written between others' turns.
inline constexpr std::size_t scrape_slice_bytes = 16 * kibibyte;

// What a scraper wants: the status code of the answer, 200 if it is the metrics.
[[nodiscard]] int scrape_status(std::string_view request);

// Answers `GET /metrics` over HTTP/1.1, one request for each connection. Belongs to one shard, on
// which it is made; network, executor and registry outlive it. Await stop() before it ends.
class MetricsServer {
 public:
  // `shard` is the index of this one, for the metrics of the process itself.
  MetricsServer(Executor& executor, Network& network, telemetry::Registry& registry,
                telemetry::ShardIndex shard, const Logger& log);
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  ~MetricsServer();

  // Fails when the address cannot be had, with a sentence.
  [[nodiscard]] Result<void> start(const SocketAddress& address);
  // With the port that the system chose.
  [[nodiscard]] const SocketAddress& address() const { return listener_->address(); }
  [[nodiscard]] Task<void> stop();

 private:
  struct Scrape;

  [[nodiscard]] Task<void> accept();
  [[nodiscard]] Task<void> serve(std::unique_ptr<ByteStream> stream);
  [[nodiscard]] Task<StreamResult<void>> answer(ByteStream& stream, MonotonicTime deadline);
  [[nodiscard]] Task<StreamResult<void>> send_metrics(ByteStream& stream, MonotonicTime deadline);

  Executor& executor_;
  Network& network_;
  telemetry::Registry& registry_;
  telemetry::ShardIndex shard_;
  Logger log_;
  std::optional<telemetry::ProcessMetrics> process_;
  std::unique_ptr<Listener> listener_;
  Scrape* first_ = nullptr;  // those under way
  TaskGroup tasks_;
};

}  // namespace millrace
