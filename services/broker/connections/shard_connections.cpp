module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.connections;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.telemetry;

namespace millrace::broker {
namespace {

// The number of a connection begins with its shard, so that no two of the process have the same.
constexpr unsigned shard_shift = 48;

}  // namespace

Result<std::unique_ptr<ShardConnections>> ShardConnections::create(const ConnectionShard& shard,
                                                                   const ConnectionOptions& options,
                                                                   telemetry::Registry& registry,
                                                                   telemetry::ShardIndex index,
                                                                   const Logger& log) {
  auto metrics = ConnectionMetrics::create(registry, index);
  if (!metrics) return failure(metrics.error());
  return std::unique_ptr<ShardConnections>(
      new ShardConnections(shard, options, std::move(*metrics), index, log));
}

ShardConnections::ShardConnections(const ConnectionShard& shard, const ConnectionOptions& options,
                                   ConnectionMetrics metrics, telemetry::ShardIndex index,
                                   const Logger& log)
    : shard_(shard),
      options_(options),
      metrics_(std::move(metrics)),
      peer_log_(log.child("connections"), shard.executor.clock()),
      slow_log_(log.child("slow"), shard.executor.clock()),
      next_id_(std::uint64_t{index.value()} << shard_shift),
      emptied_(shard.executor) {}

ShardConnections::~ShardConnections() {
  check(connections_.empty(), "the connections of a shard end before it");
}

void ShardConnections::adopt(NewConnection connection) {
  if (is_stopping_) {
    connection.ended();
    return;
  }
  const SocketAddress peer = connection.accepted->peer();
  auto stream = shard_.network.adopt(std::move(connection.accepted));
  if (!stream) {
    peer_log_.warning("{}", describe(stream.error(), peer));
    connection.ended();
    return;
  }
  const ConnectionId id(++next_id_);
  const ConnectionSurroundings around{.executor = shard_.executor,
                                      .pool = shard_.pool,
                                      .memory = shard_.memory,
                                      .files = files_,
                                      .handler = shard_.handler,
                                      .metrics = metrics_,
                                      .options = options_,
                                      .peer_log = peer_log_,
                                      .slow_log = slow_log_};
  connections_.emplace(
      id, std::make_unique<Connection>(around, id, std::move(*stream),
                                       std::move(connection.listener), connection.protocol));
  running_.start(run(id, std::move(connection.ended)));
}

Task<void> ShardConnections::run(ConnectionId id, std::function<void()> ended) {
  co_await connections_.at(id)->run();
  connections_.erase(id);
  ended();
  if (connections_.empty()) emptied_.set();
}

Task<void> ShardConnections::stop(Duration drain_max) {
  is_stopping_ = true;
  for (const auto& [id, connection] : connections_) connection->drain();
  const MonotonicTime until = shard_.executor.clock().now() + drain_max;
  while (!connections_.empty() && co_await emptied_.wait(until)) {
  }
  for (const auto& [id, connection] : connections_) {
    connection->close(CloseReason::stopped, "the broker stops");
  }
  co_await running_.wait();
  peer_log_.report_suppressed();
  slow_log_.report_suppressed();
}

}  // namespace millrace::broker
