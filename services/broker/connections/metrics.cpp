module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.connections;

import millrace.base;
import millrace.protocol.api;
import millrace.telemetry;

namespace millrace::broker {

using telemetry::Counter;
using telemetry::DurationHistogram;
using telemetry::Family;
using telemetry::Gauge;

std::string_view name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::peer:
      return "peer";
    case CloseReason::reset:
      return "reset";
    case CloseReason::idle:
      return "idle";
    case CloseReason::frame_timeout:
      return "frame_timeout";
    case CloseReason::send_timeout:
      return "send_timeout";
    case CloseReason::bad_input:
      return "bad_input";
    case CloseReason::handler:
      return "handler";
    case CloseReason::stopped:
      return "stopped";
  }
  return "unknown";
}

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::queue:
      return "queue";
    case Phase::handle:
      return "handle";
    case Phase::send:
      return "send";
  }
  return "unknown";
}

telemetry::Definition refused_connections_definition() {
  return {.name = refused_connections_metric,
          .help = "Connections of clients that were closed at once, by the limit that was reached.",
          .labels = {"limit"}};
}

Result<ConnectionMetrics> ConnectionMetrics::create(telemetry::Registry& registry,
                                                    telemetry::ShardIndex shard) {
  auto open_connections = registry.add<Gauge>(
      {.name = "millrace_connections", .help = "Connections of clients that are open."}, shard);
  if (!open_connections) return failure(open_connections.error());
  auto accepted_connections =
      registry.add<Counter>({.name = "millrace_connections_accepted_total",
                             .help = "Connections of clients that were taken."},
                            shard);
  if (!accepted_connections) return failure(accepted_connections.error());
  auto bytes_in = registry.add<Counter>({.name = "millrace_connections_received_bytes_total",
                                         .help = "Bytes that came from clients."},
                                        shard);
  if (!bytes_in) return failure(bytes_in.error());
  auto bytes_out = registry.add<Counter>({.name = "millrace_connections_sent_bytes_total",
                                          .help = "Bytes of answers that were sent to clients."},
                                         shard);
  if (!bytes_out) return failure(bytes_out.error());
  auto slow = registry.add<Counter>(
      {.name = "millrace_requests_slow_total",
       .help = "Requests that took more than a second, waiting by design not counted."},
      shard);
  if (!slow) return failure(slow.error());
  const auto requests = registry.add<Counter>({.name = "millrace_requests_total",
                                               .help = "Requests of clients that were begun.",
                                               .labels = {"api"}});
  if (!requests) return failure(requests.error());
  const auto durations = registry.add<DurationHistogram>(
      {.name = "millrace_request_phase_seconds",
       .help = "How long requests took: queue until they began, handle until the answer was there, "
               "send until it was given to the system.",
       .labels = {"api", "phase"}});
  if (!durations) return failure(durations.error());
  const auto closes = registry.add<Counter>({.name = "millrace_connections_closed_total",
                                             .help = "Connections of clients that ended, and why.",
                                             .labels = {"reason"}});
  if (!closes) return failure(closes.error());
  return ConnectionMetrics(std::move(*open_connections), std::move(*accepted_connections),
                           std::move(*bytes_in), std::move(*bytes_out), std::move(*slow), shard,
                           *requests, *durations, *closes);
}

ConnectionMetrics::ConnectionMetrics(Gauge open_connections, Counter accepted_connections,
                                     Counter bytes_in, Counter bytes_out, Counter slow,
                                     telemetry::ShardIndex shard, Family<Counter> requests,
                                     Family<DurationHistogram> durations, Family<Counter> closes)
    : open(std::move(open_connections)),
      accepted(std::move(accepted_connections)),
      received_bytes(std::move(bytes_in)),
      sent_bytes(std::move(bytes_out)),
      slow_requests(std::move(slow)),
      shard_(shard),
      requests_(requests),
      durations_(durations) {
  for (std::size_t i = 0; i < close_reasons; ++i) {
    closes_.push_back(closes.of(shard, {name_of(static_cast<CloseReason>(i))}));
  }
}

void ConnectionMetrics::add(const protocol::ApiInfo& api) {
  const auto key = static_cast<std::size_t>(api.key);
  if (key >= by_api_.size()) by_api_.resize(key + 1);
  const auto duration_of = [&](Phase phase) {
    return durations_.of(shard_, {api.name, name_of(phase)});
  };
  by_api_[key] = std::make_unique<OfApi>(
      OfApi{.requests = requests_.of(shard_, {api.name}),
            .durations = {duration_of(Phase::queue), duration_of(Phase::handle),
                          duration_of(Phase::send)}});
}

void ConnectionMetrics::opened() {
  accepted.add();
  open.add(1);
}

void ConnectionMetrics::closed(CloseReason reason) {
  open.add(-1);
  closes_[static_cast<std::size_t>(reason)].add();
}

}  // namespace millrace::broker
