// A broker for tests that does what a script says, byte by byte where that is wanted.
#pragma once

#include <algorithm>
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

import millrace.client.core;
import millrace.protocol;
import millrace.protocol.framing;

namespace millrace::client {

using RawBytes = std::vector<std::byte>;

struct Heard {
  std::size_t connection = 0;  // counted from 0
  protocol::ApiKey api = protocol::ApiKey::api_versions;
  std::int16_t version = 0;
  CorrelationId correlation_id;
  RawBytes body;
};

struct Reaction {
  RawBytes bytes;  // written as they are; empty: it says nothing
  Duration after{};
  bool closes = false;
};

template <class Response>
RawBytes answer_bytes(const Heard& heard, const Response& response, std::int16_t version) {
  BufferPool pool;
  const auto frame = protocol::encode_response(pool, heard.correlation_id, response, version);
  check(frame.has_value(), "a test's answer can be written");
  RawBytes bytes;
  frame->for_each_piece([&](const protocol::RecordChunk& piece) {
    bytes.insert(bytes.end(), piece.memory, piece.memory + piece.size);
  });
  return bytes;
}

template <class Response>
Reaction answer(const Heard& heard, const Response& response) {
  return {.bytes = answer_bytes(heard, response, heard.version)};
}

// Says that every API is spoken in all versions that we know, but for `limits`.
inline Reaction say_versions(
    const Heard& heard, const std::vector<protocol::ApiVersionsResponse::ApiVersion>& limits = {}) {
  using Version = protocol::ApiVersionsResponse::ApiVersion;
  std::vector<Version> all;
  for (std::int16_t key = 0; key < 100; ++key) {
    const protocol::ApiInfo* api = protocol::find_api(key);
    if (api == nullptr) continue;
    Version version{key, api->version_min, protocol::advertised_version_max(*api)};
    for (const Version& limit : limits) {
      if (limit.api_key == key) version = limit;
    }
    if (version.max_version >= version.min_version) all.push_back(version);
  }
  protocol::ApiVersionsResponse response;
  response.api_keys = protocol::Array<Version>(all);
  return answer(heard, response);
}

// Listens from the start. On the thread of its executor; close() is awaited before it ends.
class ScriptedBroker {
 public:
  ScriptedBroker(Executor& executor, Network& network, const SocketAddress& address)
      : executor_(executor), network_(network) {
    auto listener = network.listen(address);
    check(listener.has_value(), "a test's broker can listen");
    listener_ = std::move(*listener);
    tasks_.start(accept());
  }
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;

  // What it does about a request; by default it answers ApiVersions and nothing else.
  std::function<Reaction(const Heard&)> react = [](const Heard& heard) {
    return heard.api == protocol::ApiKey::api_versions ? say_versions(heard) : Reaction{};
  };
  // Sees bytes as they come (of one connection, all so far); what it gives is written at once.
  std::function<RawBytes(std::size_t connection, std::size_t bytes)> on_bytes;
  std::vector<Heard> heard;

  [[nodiscard]] std::size_t connection_count() const { return streams_.size(); }
  [[nodiscard]] SocketAddress address() const { return listener_->address(); }
  [[nodiscard]] std::size_t count(protocol::ApiKey api) const {
    return static_cast<std::size_t>(std::ranges::count(heard, api, &Heard::api));
  }
  void drop_all() {
    for (const auto& stream : streams_) stream->close();
  }
  Task<void> close() {
    is_closing_ = true;
    listener_->close();
    drop_all();
    co_await tasks_.wait();
  }

 private:
  Task<void> accept() {
    while (true) {
      auto accepted = co_await listener_->accept();
      if (!accepted) co_return;
      auto stream = network_.adopt(std::move(*accepted));
      if (!stream || is_closing_) continue;
      streams_.push_back(std::move(*stream));
      tasks_.start(serve(streams_.size() - 1, *streams_.back()));
    }
  }
  Task<void> serve(std::size_t number, ByteStream& stream) {
    protocol::FrameSplitter splitter(pool_, 100 * mebibyte);
    std::size_t total = 0;
    while (true) {
      const auto count = co_await stream.read(splitter.receive_space());
      if (!count || *count == 0) break;
      splitter.received(*count);
      total += *count;
      if (on_bytes) {
        const RawBytes early = on_bytes(number, total);
        if (!early.empty() && !co_await write(stream, early)) break;
      }
      if (!co_await handle_frames(number, stream, splitter)) break;
    }
    stream.close();
  }
  Task<bool> handle_frames(std::size_t number, ByteStream& stream,
                           protocol::FrameSplitter& splitter) {
    while (true) {
      const auto frame = splitter.next();
      if (!frame) co_return false;
      if (!*frame) co_return true;
      const auto request = protocol::read_request_header((*frame)->bytes());
      if (!request) co_return false;
      heard.push_back({number, request->api->key, request->version, request->correlation_id,
                       RawBytes(request->body.begin(), request->body.end())});
      const Reaction reaction = react(heard.back());
      if (reaction.after > Duration::zero()) {
        co_await sleep_until(executor_, executor_.clock().now() + reaction.after);
      }
      if (!reaction.bytes.empty() && !co_await write(stream, reaction.bytes)) co_return false;
      if (reaction.closes) co_return false;
    }
  }
  static Task<bool> write(ByteStream& stream, const RawBytes& bytes) {
    const std::vector<ByteView> pieces = {bytes};
    const auto written = co_await stream.write(pieces);
    co_return written.has_value();
  }

  Executor& executor_;
  Network& network_;
  BufferPool pool_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<ByteStream>> streams_;
  TaskGroup tasks_;
  bool is_closing_ = false;
};

inline SocketAddress test_address(std::uint8_t host, std::uint16_t port) {
  SocketAddress address;
  address.host_bytes = {127, 0, 0, host};
  address.port = Port(port);
  return address;
}

// An executor, a network, a broker with id 1 at 127.0.0.1:9092, and Brokers that bootstrap there.
class BrokersMachine {
 public:
  explicit BrokersMachine(std::uint64_t seed = 1, SimulatedNetworkOptions options = {})
      : executor(seed), network(executor, with_seed(options, seed)), resolver(executor) {
    settings.client_id = "test";
    settings.bootstrap = {{"127.0.0.1", Port(9092)}};
  }
  ~BrokersMachine() {
    if (brokers) run(brokers->close());
    if (broker) run(broker->close());
    if (second) run(second->close());
    // Attempts and answers that nobody waits for any more.
    executor.advance(std::chrono::minutes{5});
  }
  BrokersMachine(const BrokersMachine&) = delete;
  BrokersMachine& operator=(const BrokersMachine&) = delete;

  void start_broker() { broker.emplace(executor, network, test_address(1, 9092)); }
  void start_second() { second.emplace(executor, network, test_address(2, 9093)); }
  Brokers& start() {
    brokers.emplace(executor, network, resolver, settings, Logger(log, "test"), Random(7));
    const std::vector<BrokerEndpoint> known = {{BrokerId(1), {"127.0.0.1", Port(9092)}}};
    brokers->update(known);
    return *brokers;
  }
  template <class T>
  T run(Task<T> task) {
    auto result = executor.run(std::move(task));
    check(result.has_value(), "a test's task ends");
    return std::move(*result);
  }
  void run(Task<void> task) {
    const auto result = executor.run(std::move(task));
    check(result.has_value(), "a test's task ends");
  }
  [[nodiscard]] MonotonicTime now() const { return executor.clock().now(); }

  SimulatedExecutor executor;
  SimulatedNetwork network;
  FixedResolver resolver;
  std::shared_ptr<MemoryLogSink> log = std::make_shared<MemoryLogSink>();
  CommonSettings settings;
  std::optional<ScriptedBroker> broker;
  std::optional<ScriptedBroker> second;
  std::optional<Brokers> brokers;

 private:
  static SimulatedNetworkOptions with_seed(SimulatedNetworkOptions options, std::uint64_t seed) {
    options.seed = seed;
    return options;
  }
};

}  // namespace millrace::client
