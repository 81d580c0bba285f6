module;
#include <coroutine>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

module millrace.ipc.coordination;

import millrace.base;
import millrace.ipc.channel;
import millrace.runtime;

namespace millrace::coordination {

bool Outbound::add(OwnedBytes message) {
  // One message always fits, however large it is.
  if (!queue_.empty() && bytes_ + message.size() > bytes_max_) return false;
  bytes_ += message.size();
  queue_.push_back(std::move(message));
  alarm_.ring();
  return true;
}

Task<void> Outbound::run(ipc::Channel& channel) {
  while (!is_closed_) {
    if (queue_.empty()) {
      co_await alarm_.wait_until(std::nullopt);
      continue;
    }
    const OwnedBytes message = std::move(queue_.front());
    queue_.pop_front();
    const auto sent = co_await channel.send(message);
    bytes_ -= message.size();
    if (!sent) break;
  }
  channel.close();
}

void Outbound::close() {
  is_closed_ = true;
  alarm_.ring();
}

}  // namespace millrace::coordination
