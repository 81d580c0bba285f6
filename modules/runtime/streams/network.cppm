// Where connections come from: listening and connecting, over TCP or in a simulation.
module;
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

export module millrace.runtime.streams:network;

import millrace.base;
import millrace.runtime;
import :address;
import :stream;

export namespace millrace {

// Kafka's socket.listen.backlog.size.
inline constexpr int listen_backlog_default = 50;

// How the sockets of a listener, or of a connection that is made, are set up.
struct SocketOptions {
  // What the kernel keeps in each direction; unset: as the system decides.
  std::optional<int> send_buffer_bytes = {};
  std::optional<int> receive_buffer_bytes = {};
};

struct ListenOptions {
  int backlog = listen_backlog_default;
  // Several listeners share the address; the kernel spreads connections. So may a second process of
  // the same user, by mistake: where that must be found out, one listens and others adopt.
  bool shared = false;
  SocketOptions sockets = {};
};

// A connection that was accepted and belongs to no shard yet: it may be handed to another one.
// Closed if nobody adopts it.
class AcceptedStream {
 public:
  virtual ~AcceptedStream() = default;
  AcceptedStream(const AcceptedStream&) = delete;
  AcceptedStream& operator=(const AcceptedStream&) = delete;
  [[nodiscard]] virtual const SocketAddress& peer() const = 0;

 protected:
  AcceptedStream() = default;
};

// Takes connections. Belongs to one shard; ends after its accept() has.
class Listener {
 public:
  virtual ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // One at a time. When descriptors or memory have run out it waits and tries again: what has been
  // accepted goes on meanwhile, and new peers wait in the backlog. Fails with StreamFault::closed
  // after close().
  [[nodiscard]] virtual Task<StreamResult<std::unique_ptr<AcceptedStream>>> accept() = 0;
  // Nobody can connect any more; a pending accept() ends.
  virtual void close() = 0;
  // With the port that the system chose, where 0 was asked for.
  [[nodiscard]] virtual const SocketAddress& address() const = 0;

 protected:
  Listener() = default;
};

// The network of one shard; what it makes belongs to that shard, and ends before it.
class Network {
 public:
  virtual ~Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] virtual StreamResult<std::unique_ptr<Listener>> listen(
      const SocketAddress& address, const ListenOptions& options) = 0;
  [[nodiscard]] StreamResult<std::unique_ptr<Listener>> listen(const SocketAddress& address) {
    return listen(address, ListenOptions{});
  }
  [[nodiscard]] virtual Task<StreamResult<std::unique_ptr<ByteStream>>> connect(
      SocketAddress address, SocketOptions options, MonotonicTime deadline) = 0;
  [[nodiscard]] Task<StreamResult<std::unique_ptr<ByteStream>>> connect(SocketAddress address) {
    return connect(address, SocketOptions{}, no_deadline);
  }
  // Makes an accepted connection, of any shard's network of this kind, a stream of this shard.
  [[nodiscard]] virtual StreamResult<std::unique_ptr<ByteStream>> adopt(
      std::unique_ptr<AcceptedStream> accepted) = 0;

 protected:
  Network() = default;
};

}  // namespace millrace
