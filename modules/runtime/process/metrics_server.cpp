module;
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

module millrace.runtime.process;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.telemetry;

namespace millrace {
namespace {

constexpr int status_ok = 200;
constexpr int status_bad_request = 400;
constexpr int status_not_found = 404;
constexpr int status_wrong_method = 405;

[[nodiscard]] std::string_view reason_of(int status) {
  switch (status) {
    case status_ok:
      return "OK";
    case status_not_found:
      return "Not Found";
    case status_wrong_method:
      return "Method Not Allowed";
    default:
      return "Bad Request";
  }
}

[[nodiscard]] ByteView bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

[[nodiscard]] std::string head_of(int status, std::string_view content_type) {
  return "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_of(status)) +
         "\r\nContent-Type: " + std::string(content_type) + "\r\nConnection: close\r\n\r\n";
}

[[nodiscard]] Task<StreamResult<void>> write_text(ByteStream& stream, std::string_view text,
                                                  MonotonicTime deadline) {
  const ByteView piece = bytes_of(text);
  co_return co_await stream.write(std::span(&piece, 1), More::no, deadline);
}

}  // namespace

int scrape_status(std::string_view request) {
  const std::string_view line = request.substr(0, request.find("\r\n"));
  const std::size_t method_end = line.find(' ');
  if (method_end == std::string_view::npos) return status_bad_request;
  const std::size_t target_end = line.find(' ', method_end + 1);
  if (target_end == std::string_view::npos) return status_bad_request;
  if (!line.substr(target_end + 1).starts_with("HTTP/1.")) return status_bad_request;
  std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  target = target.substr(0, target.find('?'));
  if (target != metrics_path) return status_not_found;
  return line.substr(0, method_end) == "GET" ? status_ok : status_wrong_method;
}

// A connection that is served.
struct MetricsServer::Scrape {
  Scrape(MetricsServer& s, ByteStream& b) : server(s), stream(b), next(s.first_) {
    if (next != nullptr) next->previous = this;
    server.first_ = this;
  }
  Scrape(const Scrape&) = delete;
  Scrape& operator=(const Scrape&) = delete;
  ~Scrape() {
    (previous == nullptr ? server.first_ : previous->next) = next;
    if (next != nullptr) next->previous = previous;
  }

  MetricsServer& server;
  ByteStream& stream;
  Scrape* previous = nullptr;
  Scrape* next = nullptr;
};

MetricsServer::MetricsServer(Executor& executor, Network& network, telemetry::Registry& registry,
                             telemetry::ShardIndex shard, const Logger& log)
    : executor_(executor), network_(network), registry_(registry), shard_(shard), log_(log) {}

MetricsServer::~MetricsServer() = default;

Result<void> MetricsServer::start(const SocketAddress& address) {
  auto process = telemetry::ProcessMetrics::create(registry_, shard_);
  if (!process) return failure(process.error());
  process_.emplace(std::move(*process));
  auto listener = network_.listen(address);
  if (!listener) {
    return failure(Error{ErrorKind::io, "millrace.metrics.listener: cannot listen at " +
                                            to_string(address) + ": " +
                                            describe(listener.error(), address)});
  }
  listener_ = std::move(*listener);
  tasks_.start(accept());
  return {};
}

Task<void> MetricsServer::accept() {
  for (;;) {
    auto accepted = co_await listener_->accept();
    if (!accepted) co_return;  // closed
    auto stream = network_.adopt(std::move(*accepted));
    // Of those who are turned away the connection ends here.
    if (!stream || tasks_.running() > scrapes_max) continue;
    tasks_.start(serve(std::move(*stream)));
  }
}

Task<void> MetricsServer::serve(std::unique_ptr<ByteStream> stream) {
  const Scrape scrape(*this, *stream);
  const auto answered = co_await answer(*stream, executor_.clock().now() + scrape_deadline);
  if (!answered) log_.debug("metrics: {}", describe(answered.error(), stream->peer()));
  stream->close();
}

Task<StreamResult<void>> MetricsServer::answer(ByteStream& stream, MonotonicTime deadline) {
  std::string request;
  std::array<std::byte, kibibyte> buffer{};
  while (request.find("\r\n\r\n") == std::string::npos) {
    if (request.size() > scrape_request_bytes_max) {
      co_return co_await write_text(stream, head_of(status_bad_request, "text/plain"), deadline);
    }
    const auto count = co_await stream.read(buffer, deadline);
    if (!count) co_return failure(count.error());
    if (*count == 0) co_return StreamResult<void>();
    for (std::size_t i = 0; i < *count; ++i) request.push_back(static_cast<char>(buffer[i]));
  }
  const int status = scrape_status(request);
  if (status != status_ok) {
    const std::string refusal = head_of(status, "text/plain") + std::string(reason_of(status)) +
                                ": metrics are at " + std::string(metrics_path) + "\n";
    co_return co_await write_text(stream, refusal, deadline);
  }
  co_return co_await send_metrics(stream, deadline);
}

Task<StreamResult<void>> MetricsServer::send_metrics(ByteStream& stream, MonotonicTime deadline) {
  if (const auto sampled = process_->sample(); !sampled) {
    log_.warning("metrics of the process: {}", sampled.error().message);
  }
  const std::string head = head_of(status_ok, telemetry::exposition_content_type);
  const auto begun = co_await write_text(stream, head, deadline);
  if (!begun) co_return begun;
  telemetry::Exposition exposition(registry_);
  std::array<std::byte, scrape_slice_bytes> slice{};
  while (!exposition.finished()) {
    const std::size_t count = exposition.write(slice);
    if (count == 0) break;
    const ByteView piece = ByteView(slice).first(count);
    const auto written = co_await stream.write(std::span(&piece, 1), More::yes, deadline);
    if (!written) co_return written;
    co_await yield(executor_);
  }
  stream.shutdown_writes();
  co_return StreamResult<void>();
}

Task<void> MetricsServer::stop() {
  if (listener_) listener_->close();
  for (Scrape* scrape = first_; scrape != nullptr; scrape = scrape->next) scrape->stream.close();
  co_await tasks_.wait();
}

}  // namespace millrace
