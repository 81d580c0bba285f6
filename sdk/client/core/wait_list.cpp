module;
#include <coroutine>

module millrace.client.core;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

void WaitList::wake_all() {
  while (first_ != nullptr) first_->end(true);
}

void WaitList::Waiter::await_suspend(std::coroutine_handle<> handle) {
  awaiting = handle;
  before = list.last_;
  (list.last_ == nullptr ? list.first_ : list.last_->after) = this;
  list.last_ = this;
  ++list.size_;
  if (deadline != no_deadline) list.executor_.arm(late, deadline);
}

void WaitList::Waiter::end(bool woken) {
  was_woken = woken;
  (before == nullptr ? list.first_ : before->after) = after;
  (after == nullptr ? list.last_ : after->before) = before;
  --list.size_;
  if (late.armed()) list.executor_.cancel(late);
  list.executor_.post(*this);
}

}  // namespace millrace::client
