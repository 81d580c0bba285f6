// A broker's connections on shards with threads, and a client with calls that block, for tests over
// TCP on this machine.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connection_machine.hpp"

namespace millrace::broker {

class TcpBroker {
 public:
  explicit TcpBroker(std::uint32_t shard_count)
      : registry(shard_count),
        shards_(Shards::start(clock, registry, options_of(shard_count)).value()),
        memory_(RequestMemory::create(request_memory_bytes_default,
                                      socket_request_bytes_max_default, shard_count)
                    .value()) {
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      parts_.push_back(shards_->run_on(ShardIndex(i), [&](Shard& shard) {
        auto parts = std::make_unique<Parts>(shard.socket_loop(), log);
        parts->memory = LocalRequestMemory::create(*memory_, clock, shard.loop().mailbox(),
                                                   registry, shard.index())
                            .value();
        parts->connections = ShardConnections::create({.executor = shard.loop(),
                                                       .network = parts->network,
                                                       .pool = parts->pool,
                                                       .memory = *parts->memory,
                                                       .handler = parts->handler},
                                                      {}, registry, shard.index(), log)
                                 .value();
        return parts;
      }));
    }
  }
  ~TcpBroker() {
    if (listeners_ != nullptr) {
      shards_->run_on(home, [&](Shard&) { return listeners_->stop(); });
      shards_->run_on(home, [&](Shard&) { listeners_.reset(); });
    }
    for (std::uint32_t i = 0; i < shards_->count(); ++i) {
      shards_->run_on(ShardIndex(i), [&](Shard&) { parts_[i].reset(); });
    }
    shards_->stop();
  }
  TcpBroker(const TcpBroker&) = delete;
  TcpBroker& operator=(const TcpBroker&) = delete;

  [[nodiscard]] Result<void> listen(std::uint16_t port) {
    return listen("127.0.0.1", {address_from_string("127.0.0.1", Port(port)).value()});
  }
  [[nodiscard]] Result<void> listen(const std::string& host,
                                    const std::vector<SocketAddress>& addresses) {
    ListenersPlan plan;
    plan.connections_max = plan.connections_per_address_max = 100;
    ListenerPlan listener;
    listener.name = "PLAINTEXT";
    listener.host = host;
    listener.advertised_host = "127.0.0.1";
    listener.addresses = addresses;
    listener.connections_max = 100;
    plan.listeners.push_back(listener);
    std::vector<ShardConnections*> connections;
    for (const auto& parts : parts_) connections.push_back(parts->connections.get());
    return shards_->run_on(home, [&](Shard& shard) -> Result<void> {
      auto listeners =
          Listeners::listen(shard, parts_[0]->network, plan, connections, registry, log);
      if (!listeners) return failure(listeners.error());
      listeners_ = std::move(*listeners);
      listeners_->accept_all();
      return {};
    });
  }
  [[nodiscard]] const ListenerEndpoint& endpoint() const { return listeners_->endpoints()[0]; }
  [[nodiscard]] std::uint16_t port() const {
    return listeners_->endpoints()[0].advertised_port.value();
  }
  // Before any request.
  template <class Setup>
  void set_up_handlers(Setup setup) {
    for (std::uint32_t i = 0; i < shards_->count(); ++i) {
      shards_->run_on(ShardIndex(i), [&](Shard&) { setup(parts_[i]->handler, parts_[i]->pool); });
    }
  }
  [[nodiscard]] std::vector<std::size_t> begun_on_each() {
    std::vector<std::size_t> begun;
    for (std::uint32_t i = 0; i < shards_->count(); ++i) {
      begun.push_back(
          shards_->run_on(ShardIndex(i), [&](Shard&) { return parts_[i]->handler.begun.size(); }));
    }
    return begun;
  }

  SystemClock clock;
  telemetry::Registry registry;
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  Logger log{sink, "broker"};

 private:
  static constexpr ShardIndex home{0};

  static ShardsOptions options_of(std::uint32_t count) {
    ShardsOptions options;
    options.count = count;
    return options;
  }

  struct Parts {
    Parts(ShardLoop& loop, const Logger& logger) : network(loop, logger), handler(loop, pool) {}
    BufferPool pool;
    TcpNetwork network;
    TestHandler handler;
    std::unique_ptr<LocalRequestMemory> memory;
    std::unique_ptr<ShardConnections> connections;
  };

  std::unique_ptr<Shards> shards_;
  std::unique_ptr<RequestMemory> memory_;
  std::vector<std::unique_ptr<Parts>> parts_;
  std::unique_ptr<Listeners> listeners_;
};

// A client with calls that block.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(ByteView bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(count, 0);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  // The next frame without its length; empty at the end.
  [[nodiscard]] std::vector<std::byte> receive() const {
    std::array<std::byte, frame_length_bytes> length{};
    if (!fill(length)) return {};
    std::vector<std::byte> frame(
        static_cast<std::size_t>(load_big_endian<std::int32_t>(length.data())));
    if (!fill(frame)) return {};
    return frame;
  }
  [[nodiscard]] std::int32_t receive_correlation() const {
    const auto frame = receive();
    return frame.empty() ? -1 : load_big_endian<std::int32_t>(frame.data());
  }
  // Ends with a reset instead of an orderly end.
  void reset() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  }

 private:
  [[nodiscard]] bool fill(MutableBytes bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
      if (count <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }

  int socket_;
};

}  // namespace millrace::broker
