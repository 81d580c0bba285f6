module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

module millrace.broker.connections;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::broker {
namespace {

// What comes at once is taken at once, up to what one such time allows.
constexpr Duration burst = std::chrono::seconds{1};

}  // namespace

MonotonicTime AcceptPace::Rate::next() const {
  if (per_second_max == 0) return no_deadline;
  const Duration each = burst / per_second_max;
  return paid_until + each - burst;
}

void AcceptPace::Rate::took(MonotonicTime now) {
  if (per_second_max > 0) paid_until = std::max(paid_until, now) + burst / per_second_max;
}

void AcceptPace::set(const ListenersPlan& plan) {
  broker_.per_second_max = plan.connections_per_second_max;
  for (std::size_t i = 0; i < of_listener_.size(); ++i) {
    of_listener_[i].per_second_max = plan.listeners[i].connections_per_second_max;
  }
}

MonotonicTime AcceptPace::next(std::size_t listener) const {
  return std::max(broker_.next(), of_listener_[listener].next());
}

void AcceptPace::took(std::size_t listener, MonotonicTime now) {
  broker_.took(now);
  of_listener_[listener].took(now);
}

}  // namespace millrace::broker
