// How a channel comes to be: over a Unix socket between two processes.
module;
#include <chrono>
#include <memory>
#include <string>

export module millrace.ipc.channel:connecting;

import millrace.base;
import millrace.runtime;
import :channel;

export namespace millrace::ipc {

// Takes channels at a path. Belongs to one shard; ends after its accept() has, and the path goes
// with it.
class ChannelListener {
 public:
  virtual ~ChannelListener() = default;
  ChannelListener(const ChannelListener&) = delete;
  ChannelListener& operator=(const ChannelListener&) = delete;

  // The directory exists. Only processes of the same user can connect. The socket of a process that
  // died is replaced; that of a living one is ChannelFault::address_in_use. Never waits.
  [[nodiscard]] static ChannelResult<std::unique_ptr<ChannelListener>> listen(
      EventLoop& loop, const Logger& log, const std::string& path,
      const ChannelOptions& options = {});

  // One at a time. Peers that are refused, or do not end their handshake in time, are turned away
  // with a line in the log. Fails with ChannelFault::closed after close().
  [[nodiscard]] virtual Task<ChannelResult<std::unique_ptr<Channel>>> accept() = 0;
  // Nobody can connect any more; a pending accept() ends. Channels live on.
  virtual void close() = 0;

 protected:
  ChannelListener() = default;
};

// Fails with ChannelFault::unreachable at once when nobody listens: the caller tries again when it
// likes.
[[nodiscard]] Task<ChannelResult<std::unique_ptr<Channel>>> connect(EventLoop& loop,
                                                                    std::string path,
                                                                    ChannelOptions options,
                                                                    MonotonicTime deadline);
[[nodiscard]] Task<ChannelResult<std::unique_ptr<Channel>>> connect(EventLoop& loop,
                                                                    std::string path);

}  // namespace millrace::ipc
