// Messages that wait to be sent.
module;
#include <coroutine>
#include <cstddef>
#include <deque>

export module millrace.ipc.coordination:outbound;

import millrace.base;
import millrace.ipc.channel;
import millrace.runtime;
import :alarm;
import :messages;

export namespace millrace::coordination {

// A queue before a channel: who adds a message need not wait until there is room for it. Belongs to
// one shard; ends after run() has.
class Outbound {
 public:
  Outbound(Executor& executor, std::size_t bytes_max) : alarm_(executor), bytes_max_(bytes_max) {}

  // False, and the message is lost, when that would be more than may wait: the peer is too slow.
  [[nodiscard]] bool add(OwnedBytes message);
  // Sends what is added, in order, until close() or until the channel fails; the channel is closed
  // then.
  [[nodiscard]] Task<void> run(ipc::Channel& channel);
  void close();

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  Alarm alarm_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::deque<OwnedBytes> queue_;
  bool is_closed_ = false;
};

}  // namespace millrace::coordination
