#include "millrace/future.hpp"

#include <memory>
#include <stdexcept>
#include <utility>

#include "client_thread_mark.hpp"
#include "millrace/event_queue.hpp"

namespace millrace::inline v1::detail {

namespace {

thread_local bool is_client_thread = false;

void refuse_to_wait_on_client_thread() {
  if (is_client_thread)
    throw std::logic_error(
        "Future::get() and wait_for() on the thread of a client would wait for itself: use then() "
        "or co_await there");
}

}  // namespace

bool on_client_thread() noexcept {
  return is_client_thread;
}

ClientThreadMark::ClientThreadMark() noexcept : before_(is_client_thread) {
  is_client_thread = true;
}

ClientThreadMark::~ClientThreadMark() {
  is_client_thread = before_;
}

CompletionState::CompletionState() = default;

CompletionState::~CompletionState() = default;

void CompletionState::keep() noexcept {
  owners_.fetch_add(1, std::memory_order_relaxed);
}

void CompletionState::release() noexcept {
  if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool CompletionState::is_done() const noexcept {
  return done_.load(std::memory_order_acquire);
}

void CompletionState::wait() {
  if (is_done()) return;
  refuse_to_wait_on_client_thread();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_done(); });
}

bool CompletionState::wait_until(std::chrono::steady_clock::time_point deadline) {
  if (is_done()) return true;
  refuse_to_wait_on_client_thread();
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return is_done(); });
}

bool CompletionState::attach(Callback& continuation) {
  const std::lock_guard lock(mutex_);
  if (is_done()) return false;
  continuation_ = std::move(continuation);
  return true;
}

void CompletionState::detach() noexcept {
  const std::lock_guard lock(mutex_);
  continuation_.reset();
}

void CompletionState::complete() noexcept {
  // Whoever waits may drop all of it as soon as it is done, but for who completes it.
  const std::shared_ptr<EventQueue> queue = std::move(queue_);
  bool is_attached = false;
  {
    const std::lock_guard lock(mutex_);
    done_.store(true, std::memory_order_release);
    is_attached = static_cast<bool>(continuation_);
    changed_.notify_all();
  }
  if (!is_attached) return;
  if (queue != nullptr)
    queue->add(*this);
  else
    go_on();
}

void CompletionState::go_on() noexcept {
  Callback continuation;
  {
    const std::lock_guard lock(mutex_);
    continuation = std::move(continuation_);
  }
  if (continuation) continuation();
}

}  // namespace millrace::inline v1::detail
