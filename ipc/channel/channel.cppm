// A channel: messages in both directions between two processes of one machine, or in a simulation.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.ipc.channel:channel;

import millrace.base;
import millrace.runtime;
import :limits;

export namespace millrace::ipc {

enum class ChannelFault : std::uint8_t {
  closed,          // by this side, or the peer closed it or died
  timed_out,       // the handshake did not end in time
  unreachable,     // nobody listens there
  refused,         // the peer is another user's, or speaks no version that we speak
  address_in_use,  // a living process listens there, or the path is a file that is no socket
  denied,          // permissions
  too_large,       // the message is larger than the peer takes; nothing was sent
  corrupt,         // the peer broke the rules; the channel is closed
  too_many_open,   // descriptors or memory of the process or the system
  failed,          // anything else
};

// Why something failed. Holds no memory; who reports it adds the path that it knows.
struct ChannelError {
  ChannelFault fault = ChannelFault::failed;
  int number = 0;              // errno, where there was one
  const char* operation = "";  // "send", "listen", ...
};

template <class T>
using ChannelResult = Result<T, ChannelError>;

[[nodiscard]] std::string_view name_of(ChannelFault fault);
// "listen: address in use (errno 98)".
[[nodiscard]] std::string describe(const ChannelError& error);

struct ChannelOptions {
  // Of the ring of each direction: a power of two. The listening side decides.
  std::size_t ring_bytes = ring_bytes_default;
  // The largest message that this side takes; the peer is told.
  std::size_t message_bytes_max = message_bytes_max_default;
};

// Who is at the other end, as the kernel told when the connection was made.
struct ChannelPeer {
  std::int64_t process = 0;
  std::uint32_t user = 0;
};

// Messages, each a sequence of bytes, in order and whole. Belongs to one shard. Its owner ends it
// after its operations: close(), await them, then destroy it. After a fault other than too_large
// the channel is of no more use: the owner makes a new one.
class Channel {
 public:
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Waits while there is no room; when it ends the peer may not have received the message yet.
  // Several may wait: they are sent in the order of the calls. The bytes stay in place until the
  // end.
  [[nodiscard]] virtual Task<ChannelResult<void>> send(ByteView message) = 0;
  // One at a time. What a peer sent before it closed the channel or died is still received.
  [[nodiscard]] virtual Task<ChannelResult<std::vector<std::byte>>> receive() = 0;
  // Pending operations and later ones end with ChannelFault::closed; nobody is resumed before this
  // returns.
  virtual void close() = 0;
  // By this side or the peer; messages may still be there to receive.
  [[nodiscard]] virtual bool is_closed() const = 0;

  [[nodiscard]] virtual const ChannelPeer& peer() const = 0;
  // The largest message that the peer takes.
  [[nodiscard]] virtual std::size_t send_bytes_max() const = 0;

 protected:
  Channel() = default;
};

}  // namespace millrace::ipc
