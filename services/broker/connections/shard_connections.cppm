// All connections of one shard.
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

export module millrace.broker.connections:shard_connections;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.security;
import millrace.telemetry;
import :connection;
import :descriptor_files;
import :limits;
import :metrics;
import :options;
import :request;
import :request_memory;

export namespace millrace::broker {

// What a shard brings along for its connections; all of it outlives them.
struct ConnectionShard {
  Executor& executor;
  Network& network;
  BufferPool& pool;
  LocalRequestMemory& memory;
  RequestHandler& handler;
};

// What becomes a connection, from where it was accepted.
struct NewConnection {
  std::unique_ptr<AcceptedStream> accepted;
  std::string listener;
  security::SecurityProtocol protocol = security::SecurityProtocol::plaintext;
  // Called on the connection's shard when it has ended, or could not begin.
  std::function<void()> ended;
};

// Takes over accepted connections and keeps each until it has ended. Belongs to its shard; is
// destroyed after stop() has returned.
class ShardConnections {
 public:
  // Fails only when a metric cannot be registered.
  [[nodiscard]] static Result<std::unique_ptr<ShardConnections>> create(
      const ConnectionShard& shard, const ConnectionOptions& options, telemetry::Registry& registry,
      telemetry::ShardIndex index, const Logger& log);
  ~ShardConnections();
  ShardConnections(const ShardConnections&) = delete;
  ShardConnections& operator=(const ShardConnections&) = delete;

  void adopt(NewConnection connection);

  // Answers what has begun for at most this long, then closes all; resumes when every connection
  // and every request has ended.
  [[nodiscard]] Task<void> stop(Duration drain_max = drain_duration_max_default);

  [[nodiscard]] std::size_t size() const { return connections_.size(); }
  [[nodiscard]] const ConnectionMetrics& metrics() const { return metrics_; }

 private:
  ShardConnections(const ConnectionShard& shard, const ConnectionOptions& options,
                   ConnectionMetrics metrics, telemetry::ShardIndex index, const Logger& log);

  Task<void> run(ConnectionId id, std::function<void()> ended);

  ConnectionShard shard_;
  ConnectionOptions options_;
  ConnectionMetrics metrics_;
  LimitedLogger peer_log_;
  LimitedLogger slow_log_;
  DescriptorFiles files_;
  std::uint64_t next_id_;
  std::map<ConnectionId, std::unique_ptr<Connection>> connections_;
  AsyncSignal emptied_;
  TaskGroup running_;
  bool is_stopping_ = false;
};

}  // namespace millrace::broker
