// What a shard counts and measures about its connections and their requests.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

export module millrace.broker.connections:metrics;

import millrace.base;
import millrace.protocol.api;
import millrace.telemetry;

export namespace millrace::broker {

// Why a connection ended.
enum class CloseReason : std::uint8_t {
  peer,           // the client closed it
  reset,          // the client broke it, or the network did
  idle,           // connections.max.idle.ms
  frame_timeout,  // a frame began and did not end in time
  send_timeout,   // the client does not read what is sent to it
  bad_input,      // what came is no request
  handler,        // an answer cannot be given
  stopped,        // the broker stops
};
inline constexpr std::size_t close_reasons = static_cast<std::size_t>(CloseReason::stopped) + 1;

[[nodiscard]] std::string_view name_of(CloseReason reason);

// The parts of the time that a request takes.
enum class Phase : std::uint8_t {
  queue,   // from its last byte until it begins
  handle,  // until its answer is there
  send,    // until that is given to the system, answers before it included
};
inline constexpr std::size_t phases = static_cast<std::size_t>(Phase::send) + 1;

[[nodiscard]] std::string_view name_of(Phase phase);

// Belongs to one shard. The registry outlives it.
class ConnectionMetrics {
 public:
  struct OfApi {
    telemetry::Counter requests;
    std::array<telemetry::DurationHistogram, phases> durations;

    inline void record(Phase phase, Duration duration) {
      durations[static_cast<std::size_t>(phase)].record(duration);
    }
  };

  [[nodiscard]] static Result<ConnectionMetrics> create(telemetry::Registry& registry,
                                                        telemetry::ShardIndex shard);

  // Made when an API is first used: a histogram takes 9 KiB.
  [[nodiscard]] inline OfApi& of(const protocol::ApiInfo& api) {
    const auto key = static_cast<std::size_t>(api.key);
    if (key >= by_api_.size() || by_api_[key] == nullptr) [[unlikely]] {
      add(api);
    }
    return *by_api_[key];
  }
  void opened();
  void closed(CloseReason reason);

  telemetry::Gauge open;
  telemetry::Counter accepted;
  telemetry::Counter received_bytes;
  telemetry::Counter sent_bytes;
  telemetry::Counter slow_requests;

 private:
  ConnectionMetrics(telemetry::Gauge open_connections, telemetry::Counter accepted_connections,
                    telemetry::Counter bytes_in, telemetry::Counter bytes_out,
                    telemetry::Counter slow, telemetry::ShardIndex shard,
                    telemetry::Family<telemetry::Counter> requests,
                    telemetry::Family<telemetry::DurationHistogram> durations,
                    telemetry::Family<telemetry::Counter> closes);
  void add(const protocol::ApiInfo& api);

  telemetry::ShardIndex shard_;
  telemetry::Family<telemetry::Counter> requests_;
  telemetry::Family<telemetry::DurationHistogram> durations_;
  std::vector<telemetry::Counter> closes_;  // by CloseReason
  std::vector<std::unique_ptr<OfApi>> by_api_;
};

// Connections that were turned away; counted where they are accepted.
inline constexpr std::string_view refused_connections_metric = "millrace_connections_refused_total";
[[nodiscard]] telemetry::Definition refused_connections_definition();

}  // namespace millrace::broker
