// Clients and a broker's connections in one thread, for tests: a seed replays every delay.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.broker.connections;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.groups;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.telemetry;

namespace millrace::broker {

inline void append_int16(std::vector<std::byte>& to, std::int16_t value) {
  to.resize(to.size() + 2);
  store_big_endian(to.data() + to.size() - 2, value);
}
inline void append_int32(std::vector<std::byte>& to, std::int32_t value) {
  to.resize(to.size() + 4);
  store_big_endian(to.data() + to.size() - 4, value);
}

// A whole request with its length; the header is of version 1.
inline std::vector<std::byte> request_bytes(std::int16_t key, std::int16_t version,
                                            std::int32_t correlation, std::size_t body_bytes,
                                            std::string_view client = "tester") {
  std::vector<std::byte> frame;
  append_int32(frame, static_cast<std::int32_t>(10 + client.size() + body_bytes));
  append_int16(frame, key);
  append_int16(frame, version);
  append_int32(frame, correlation);
  append_int16(frame, static_cast<std::int16_t>(client.size()));
  const ByteView name = as_bytes(client);
  frame.insert(frame.end(), name.begin(), name.end());
  frame.resize(frame.size() + body_bytes, std::byte{7});
  return frame;
}
inline std::vector<std::byte> heartbeat_bytes(std::int32_t correlation,
                                              std::size_t body_bytes = 8) {
  return request_bytes(12, 1, correlation, body_bytes);
}
inline std::vector<std::byte> produce_bytes(std::int32_t correlation, std::size_t body_bytes) {
  return request_bytes(0, 3, correlation, body_bytes);
}
inline constexpr std::size_t answer_bytes = 4 + 4 + 6;  // of a heartbeat, with its length

inline Response heartbeat_response(const RequestContext& context, BufferPool& pool) {
  RequestContext as_heartbeat;
  as_heartbeat.version = 1;
  as_heartbeat.correlation_id = context.correlation_id;
  return respond(as_heartbeat, pool, protocol::HeartbeatResponse{});
}

// Notes what it is asked and answers as the test says.
class TestHandler : public RequestHandler {
 public:
  TestHandler(Executor& executor, BufferPool& pool) : executor_(executor), pool_(pool) {}

  Task<Response> handle(Request request) override {
    begun.push_back({request.context.connection, request.context.correlation_id});
    last_context = request.context;
    last_client_id = request.context.client_id;
    body_bytes += request.body.size();
    ++running;
    running_max = std::max(running_max, running);
    const Duration wait = delay ? delay(request.context) : Duration{};
    if (wait > Duration{}) {
      co_await sleep_until(executor_, executor_.clock().now() + wait);
    }
    while (is_held) {
      co_await sleep_until(executor_, executor_.clock().now() + std::chrono::milliseconds{1});
    }
    --running;
    ++ended;
    if (respond_with) co_return respond_with(request.context);
    co_return heartbeat_response(request.context, pool_);
  }
  void connection_closing(ConnectionId connection) override { closing.push_back(connection); }

  struct Begun {
    ConnectionId connection;
    CorrelationId correlation;
  };
  std::vector<Begun> begun;
  std::vector<ConnectionId> closing;
  std::size_t body_bytes = 0;
  std::size_t running = 0;
  std::size_t running_max = 0;
  std::size_t ended = 0;
  bool is_held = false;
  std::optional<RequestContext> last_context;
  std::string last_client_id;
  std::function<Duration(const RequestContext&)> delay;
  std::function<Response(const RequestContext&)> respond_with;

 private:
  Executor& executor_;
  BufferPool& pool_;
};

struct MachineOptions {
  std::uint64_t seed = 1;
  std::uint32_t shard_count = 1;
  double reset_chance = 0;
  std::size_t memory_bytes = request_memory_bytes_default;
  ConnectionOptions connections = {};
  std::uint32_t connections_max = 1000;
  std::uint32_t connections_per_address_max = 1000;
  std::uint32_t connections_per_second_max = unlimited_rate;
};

inline SocketAddress broker_address() {
  return address_from_string("127.0.0.1", Port(9092)).value();
}

class ConnectionMachine {
 public:
  explicit ConnectionMachine(const MachineOptions& options = {})
      : options_(options),
        executor(options.seed),
        network(executor, network_options(options)),
        registry(options.shard_count),
        shards(executor, registry, options.shard_count),
        memory_(RequestMemory::create(options.memory_bytes, options.connections.frame_bytes_max,
                                      options.shard_count)
                    .value()),
        handler(executor, pool) {
    sink->set_threshold(LogLevel::debug);
    std::vector<ShardConnections*> connections;
    for (std::uint32_t i = 0; i < options.shard_count; ++i) {
      const ShardIndex index(i);
      Shard& shard = shards.at(index);
      local_memory_.push_back(LocalRequestMemory::create(*memory_, shard.clock(),
                                                         shard.loop().mailbox(), registry, index)
                                  .value());
      connections_.push_back(ShardConnections::create({.executor = executor,
                                                       .network = network,
                                                       .pool = pool,
                                                       .memory = *local_memory_.back(),
                                                       .handler = handler},
                                                      options.connections, registry, index, log)
                                 .value());
      connections.push_back(connections_.back().get());
    }
    ListenersPlan plan;
    plan.connections_max = options.connections_max;
    plan.connections_per_address_max = options.connections_per_address_max;
    plan.connections_per_second_max = options.connections_per_second_max;
    ListenerPlan listener;
    listener.name = "PLAINTEXT";
    listener.host = "127.0.0.1";
    listener.addresses = {broker_address()};
    listener.advertised_host = "127.0.0.1";
    listener.connections_max = options.connections_max;
    plan.listeners.push_back(listener);
    listeners_ =
        Listeners::listen(shards.at(ShardIndex(0)), network, plan, connections, registry, log)
            .value();
    listeners_->accept_all();
  }
  ~ConnectionMachine() {
    stop();
    executor.run_until_idle();
    EXPECT_EQ(memory_in_use(), 0u) << "memory of requests was not given back";
    EXPECT_EQ(listeners_->limits().total(), 0u);
  }
  ConnectionMachine(const ConnectionMachine&) = delete;
  ConnectionMachine& operator=(const ConnectionMachine&) = delete;

  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    ASSERT_TRUE(ended.has_value()) << ended.error().message;
  }
  void stop(Duration drain_max = drain_duration_max_default) {
    if (std::exchange(is_stopped_, true)) return;
    run(listeners_->stop(drain_max));
  }
  [[nodiscard]] Task<void> stop_listeners(Duration drain_max) {
    is_stopped_ = true;
    co_await listeners_->stop(drain_max);
  }
  [[nodiscard]] Task<std::unique_ptr<ByteStream>> connect() {
    auto stream = co_await network.connect(broker_address());
    co_return stream ? std::move(*stream) : nullptr;
  }
  [[nodiscard]] std::size_t open_connections() const {
    std::size_t open = 0;
    for (const auto& connections : connections_) open += connections->size();
    return open;
  }
  [[nodiscard]] std::size_t memory_in_use() const {
    std::size_t used = 0;
    for (const auto& local : local_memory_) {
      for (const FrameClass each : {FrameClass::control, FrameClass::ordinary, FrameClass::large}) {
        used += local->of(each).used();
      }
    }
    return used;
  }
  [[nodiscard]] std::size_t lines_with(std::string_view text) const {
    std::size_t count = 0;
    for (const auto& line : sink->lines()) {
      if (line.message.find(text) != std::string::npos) ++count;
    }
    return count;
  }

 private:
  static SimulatedNetworkOptions network_options(const MachineOptions& options) {
    SimulatedNetworkOptions network;
    network.seed = options.seed;
    network.reset_chance = options.reset_chance;
    return network;
  }

  MachineOptions options_;

 public:
  SimulatedExecutor executor;
  SimulatedNetwork network;
  telemetry::Registry registry;
  SimulatedShards shards;
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  Logger log{sink, "broker"};
  BufferPool pool;

 private:
  std::unique_ptr<RequestMemory> memory_;
  std::vector<std::unique_ptr<LocalRequestMemory>> local_memory_;

 public:
  TestHandler handler;

 private:
  std::vector<std::unique_ptr<ShardConnections>> connections_;
  std::unique_ptr<Listeners> listeners_;
  bool is_stopped_ = false;
};

inline Task<bool> send_bytes(ByteStream& stream, ByteView bytes) {
  const std::array<ByteView, 1> pieces = {bytes};
  co_return (co_await stream.write(pieces)).has_value();
}

// The body of the next frame; none at the end of the connection.
inline Task<std::optional<std::vector<std::byte>>> receive_frame(ByteStream& stream) {
  std::vector<std::byte> bytes(frame_length_bytes);
  std::size_t done = 0;
  bool has_length = false;
  while (done < bytes.size()) {
    const auto count = co_await stream.read(MutableBytes(bytes).subspan(done));
    if (!count || *count == 0) co_return std::nullopt;
    done += *count;
    if (done == frame_length_bytes && !has_length) {
      has_length = true;
      const auto length = load_big_endian<std::int32_t>(bytes.data());
      bytes.resize(frame_length_bytes + static_cast<std::size_t>(length));
    }
  }
  co_return std::vector<std::byte>(bytes.begin() + frame_length_bytes, bytes.end());
}
inline Task<std::optional<std::int32_t>> receive_correlation(ByteStream& stream) {
  const auto frame = co_await receive_frame(stream);
  if (!frame) co_return std::nullopt;
  co_return load_big_endian<std::int32_t>(frame->data());
}

}  // namespace millrace::broker
