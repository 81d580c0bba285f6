// A connection over TCP, or over any socket of the system that carries a stream.
module;
#include <cstddef>
#include <cstdint>
#include <memory>

export module millrace.runtime.streams:tcp_stream;

import millrace.base;
import millrace.runtime;
import millrace.runtime.shard;
import :address;
import :stream;

export namespace millrace {

// Owns a descriptor; moves, does not copy. On any thread.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { close(); }

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  void close();

 private:
  [[nodiscard]] int release();

  int descriptor_;
};

// A ByteStream on a socket that does not block, watched by the loop of a shard. A system call is
// made only when the socket is not known to block; the loop tells when it no longer does.
class TcpStream final : public ByteStream {
 public:
  // Fails when the system has no room to watch it.
  [[nodiscard]] static StreamResult<std::unique_ptr<ByteStream>> make(ShardLoop& loop,
                                                                      Socket socket,
                                                                      const SocketAddress& local,
                                                                      const SocketAddress& peer);
  ~TcpStream() override { close_at_end(); }

  [[nodiscard]] bool takes_files() const override { return true; }
  void shutdown_writes() override;

 private:
  TcpStream(ShardLoop& loop, Socket socket, const SocketAddress& local, const SocketAddress& peer);

  [[nodiscard]] Progress attempt(StreamOperation& operation) override;
  void close_connection() override;

  [[nodiscard]] Progress read(StreamOperation& operation);
  [[nodiscard]] Progress write(StreamOperation& operation);
  [[nodiscard]] Progress send_file(StreamOperation& operation);
  // What an errno means for the operation; `ready` is what is known of its direction.
  [[nodiscard]] static Progress after_error(StreamOperation& operation, bool& ready,
                                            const char* name);
  void tell(SocketWatch::Ready ready);

  struct OwnWatch : SocketWatch {
    explicit OwnWatch(TcpStream& s)
        : SocketWatch([](SocketWatch& self, Ready ready) {
            static_cast<OwnWatch&>(self).stream.tell(ready);
          }),
          stream(s) {}
    TcpStream& stream;
  };

  ShardLoop& loop_;
  Socket socket_;
  OwnWatch watch_{*this};
  bool can_read_ = true;
  bool can_write_ = true;
  // The peer ended or broke the connection: no read blocks any more, and nothing new will be told.
  bool is_ended_ = false;
};

}  // namespace millrace
