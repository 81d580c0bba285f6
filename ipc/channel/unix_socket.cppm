// Unix sockets that keep messages apart and carry descriptors. Inside this module only.
module;
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

export module millrace.ipc.channel:unix_socket;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.streams;
import :channel;

export namespace millrace::ipc {

[[nodiscard]] ChannelError channel_error(int number, const char* operation);

// Which file it is, whatever names come and go.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

struct ListeningSocket {
  Descriptor socket;
  FileIdentity file;
};

// See ChannelListener::listen().
[[nodiscard]] ChannelResult<ListeningSocket> listen_at(const std::string& path);
// Takes the path away if it is still this file.
void unlink_if(const std::string& path, const FileIdentity& file);
// ChannelFault::timed_out: too many wait there; try again.
[[nodiscard]] ChannelResult<Descriptor> connect_to(const std::string& path);
[[nodiscard]] ChannelResult<ChannelPeer> peer_of(const Descriptor& socket);

// One message, whole. It does not wait: what is said in a handshake fits any socket.
[[nodiscard]] ChannelResult<void> send_message(const Descriptor& socket, ByteView message,
                                               std::span<const int> descriptors = {});

struct ReceivedMessage {
  std::array<std::byte, 64> buffer{};
  std::size_t bytes = 0;  // 0: the peer has ended
  std::vector<Descriptor> descriptors;

  [[nodiscard]] ByteView view() const { return ByteView(buffer).first(bytes); }
};
// The next message, awaited until the deadline; `changed` is set by whoever wants the wait to end,
// which is then ChannelFault::closed.
[[nodiscard]] Task<ChannelResult<ReceivedMessage>> receive_message(EventLoop& loop,
                                                                   const Descriptor& socket,
                                                                   AsyncSignal& changed,
                                                                   const bool& is_closed,
                                                                   MonotonicTime deadline);

// Until the descriptor has something to read, or `changed` is set; false after the deadline.
[[nodiscard]] Task<ChannelResult<bool>> wait_until_readable(EventLoop& loop,
                                                            const Descriptor& descriptor,
                                                            AsyncSignal& changed,
                                                            MonotonicTime deadline);

}  // namespace millrace::ipc
