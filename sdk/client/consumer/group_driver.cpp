module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>

module millrace.client.consumer;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

Task<void> GroupDriver::rest_until(MonotonicTime time) {
  // Else who polls and this would wake one another for ever.
  if (on_event_ && (member().has_problem() || member().change())) on_event_();
  static_cast<void>(co_await signal_.wait(time));
}

std::int32_t milliseconds_on_wire(Duration duration) {
  return static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace millrace::client
