// Brings what clients have to tell to a loop of the application.
#pragma once
#include <cstddef>
#include <memory>
#include <mutex>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

namespace detail {
class CompletionState;
}
class EventDescriptor;

// Clients that were given one (ClientOptions::events) call nothing on their own threads when an
// operation ends: functions given to then(), delivery handlers and coroutines go on in dispatch(),
// on the thread that calls it. One serves any number of clients. Futures can be waited for as
// before. Rebalance handlers and interceptors are not concerned.
//
// All but dispatch() may be called from any thread; dispatch() by one at a time.
class MILLRACE_API EventQueue {
 public:
  // Producers whose outcomes nobody takes refuse records while so many wait.
  static constexpr std::size_t waiting_max = 1'000'000;

  // Throws Failed when the process has no descriptors left.
  EventQueue();
  // What waits is not called any more.
  ~EventQueue();
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  // Readable while something waits: for poll(2), epoll, Asio. Do not read or close it.
  [[nodiscard]] int event_fd() const noexcept;
  // Calls what waits now, on this thread; gives how many there were. What they bring about waits
  // for the next call.
  std::size_t dispatch();
  [[nodiscard]] std::size_t waiting() const noexcept;

 private:
  friend class detail::CompletionState;
  void add(detail::CompletionState& ended) noexcept;

  const std::unique_ptr<EventDescriptor> descriptor_;
  mutable std::mutex mutex_;
  detail::CompletionState* first_ = nullptr;
  detail::CompletionState* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace millrace::inline v1
