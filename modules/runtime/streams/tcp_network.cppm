// TCP: listening, accepting and connecting on the loop of a shard.
module;
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

export module millrace.runtime.streams:tcp_network;

import millrace.base;
import millrace.runtime;
import millrace.runtime.shard;
import :address;
import :network;
import :signal;
import :stream;
import :tcp_stream;

export namespace millrace {

// How long nothing is accepted after descriptors or memory have run out.
inline constexpr Duration accept_pause = std::chrono::milliseconds{100};
// Connections that are accepted in a row before others on the shard get their turn.
inline constexpr int accepts_at_once_max = 64;

// The network of a shard. Made and used on its thread, in which it blocks SIGPIPE: sendfile knows
// no other way not to raise it. The loop outlives it.
class TcpNetwork final : public Network {
 public:
  TcpNetwork(ShardLoop& loop, const Logger& log);

  using Network::connect;
  using Network::listen;
  [[nodiscard]] StreamResult<std::unique_ptr<Listener>> listen(
      const SocketAddress& address, const ListenOptions& options) override;
  [[nodiscard]] Task<StreamResult<std::unique_ptr<ByteStream>>> connect(
      SocketAddress address, SocketOptions options, MonotonicTime deadline) override;
  [[nodiscard]] StreamResult<std::unique_ptr<ByteStream>> adopt(
      std::unique_ptr<AcceptedStream> accepted) override;

 private:
  ShardLoop& loop_;
  Logger log_;
};

// Made by TcpNetwork::listen().
class TcpListener final : public Listener {
 public:
  TcpListener(ShardLoop& loop, const Logger& log, Socket socket, const SocketAddress& address);
  ~TcpListener() override { close(); }

  // By listen(), once. Fails when the system has no room to watch it.
  [[nodiscard]] StreamResult<void> watch();

  [[nodiscard]] Task<StreamResult<std::unique_ptr<AcceptedStream>>> accept() override;
  void close() override;
  [[nodiscard]] const SocketAddress& address() const override { return address_; }

  // How often accepting had to pause.
  [[nodiscard]] std::uint64_t pauses() const { return pauses_; }

 private:
  struct OwnWatch : SocketWatch {
    explicit OwnWatch(AsyncSignal& s)
        : SocketWatch([](SocketWatch& self, Ready) { static_cast<OwnWatch&>(self).signal.set(); }),
          signal(s) {}
    AsyncSignal& signal;
  };

  // Whether accept4's error passes by itself: then waits as long as is right.
  [[nodiscard]] Task<bool> wait_after(int error_number);

  ShardLoop& loop_;
  LimitedLogger log_;
  Socket socket_;
  SocketAddress address_;
  AsyncSignal ready_;
  OwnWatch watch_{ready_};
  int accepted_at_once_ = 0;
  std::uint64_t pauses_ = 0;
};

}  // namespace millrace
