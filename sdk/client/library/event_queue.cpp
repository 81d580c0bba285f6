#include "millrace/event_queue.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "event_descriptor.hpp"
#include "millrace/future.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

EventQueue::EventQueue() : descriptor_(std::make_unique<EventDescriptor>()) {
  if (const auto problem = descriptor_->open())
    throw Failed(Error({.origin = Origin::client}, "no descriptor for events: " + *problem));
}

EventQueue::~EventQueue() {
  while (detail::CompletionState* ended = first_) {
    first_ = ended->next_;
    ended->detach();
    ended->release();
  }
}

int EventQueue::event_fd() const noexcept {
  return descriptor_->number();
}

void EventQueue::add(detail::CompletionState& ended) noexcept {
  ended.keep();
  const std::lock_guard lock(mutex_);
  ended.next_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_) = &ended;
  last_ = &ended;
  ++size_;
  descriptor_->set_readable(true);
}

std::size_t EventQueue::dispatch() {
  detail::CompletionState* ended = nullptr;
  std::size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    ended = std::exchange(first_, nullptr);
    last_ = nullptr;
    count = std::exchange(size_, 0);
    descriptor_->set_readable(false);
  }
  while (ended != nullptr) {
    detail::CompletionState* const next = ended->next_;
    ended->go_on();
    ended->release();
    ended = next;
  }
  return count;
}

std::size_t EventQueue::waiting() const noexcept {
  const std::lock_guard lock(mutex_);
  return size_;
}

}  // namespace millrace::inline v1
