module;
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <mutex>
#include <utility>

module millrace.runtime;

namespace millrace {

Result<std::unique_ptr<ThreadExecutor>> ThreadExecutor::make(const Clock& clock) {
  const auto refused = [](const char* call) {
    return failure(ErrorKind::io,
                   formatted("an event loop cannot start: {}: errno {}", call, errno));
  };
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return refused("epoll_create1");
  const int eventfd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (eventfd < 0) {
    auto error = refused("eventfd");
    ::close(epoll);
    return error;
  }
  epoll_event event{};
  event.events = EPOLLIN;  // no watch: it is the mailbox
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd, &event) != 0) {
    auto error = refused("epoll_ctl");
    ::close(eventfd);
    ::close(epoll);
    return error;
  }
  return std::unique_ptr<ThreadExecutor>(new ThreadExecutor(clock, epoll, eventfd));
}

ThreadExecutor::ThreadExecutor(const Clock& clock, int epoll, int eventfd)
    : clock_(clock), epoll_(epoll), eventfd_(eventfd), inbox_(eventfd) {}

ThreadExecutor::~ThreadExecutor() {
  inbox_.empty_into(ready_);
  while (Callback* callback = ready_.take()) {
    callback->call();
    inbox_.empty_into(ready_);
  }
  ::close(eventfd_);
  ::close(epoll_);
}

void ThreadExecutor::Inbox::send(Callback& callback) {
  const std::lock_guard lock(mutex_);
  // The loop empties the whole inbox when it wakes, so the first arrival alone rings.
  const bool ring = callbacks_.empty();
  callbacks_.add(callback);
  if (!ring) return;
  const std::uint64_t one = 1;
  const auto written = ::write(descriptor_, &one, sizeof one);
  check(written == sizeof one || errno == EAGAIN, "an eventfd takes a number");
}

void ThreadExecutor::Inbox::empty_into(CallbackQueue& ready) {
  const std::lock_guard lock(mutex_);
  ready.append(callbacks_);
}

Result<void> ThreadExecutor::watch(Watch& watch, int descriptor) {
  check(!watch.active(), "a watch watches one descriptor");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &watch;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    return failure(ErrorKind::io, formatted("a descriptor is not watched: errno {}", errno));
  }
  watch.loop_ = this;
  watch.descriptor_ = descriptor;
  return {};
}

void ThreadExecutor::unwatch(Watch& watch) {
  check(watch.loop_ == this, "a watch is ended by the loop that watches it");
  const int removed = ::epoll_ctl(epoll_, EPOLL_CTL_DEL, watch.descriptor_, nullptr);
  check(removed == 0, "a watched descriptor is open");
  watch.loop_ = nullptr;
  std::replace(called_.begin(), called_.end(), &watch, static_cast<Watch*>(nullptr));
}

void ThreadExecutor::drive(const bool& ended) {
  while (!ended) turn(ended);
}

void ThreadExecutor::turn(const bool& ended) {
  ++turns_;
  call_ready();
  call_due_timers();
  if (!ended) wait_for_events();
}

void ThreadExecutor::call_ready() {
  // What these post comes in the next turn, after timers and events have had theirs.
  CallbackQueue now;
  now.append(ready_);
  while (Callback* callback = now.take()) callback->call();
}

void ThreadExecutor::call_due_timers() {
  if (timers_.empty()) return;
  const MonotonicTime now = clock_.now();
  while (!timers_.empty() && timers_.earliest() <= now) timers_.pop().call();
}

void ThreadExecutor::wait_for_events() {
  timespec timeout{};
  timespec* until = &timeout;
  if (!ready_.empty()) {
    // Only what has happened already.
  } else if (timers_.empty()) {
    until = nullptr;
  } else {
    const Duration left = std::max(timers_.earliest() - clock_.now(), Duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    timeout.tv_sec = seconds.count();
    timeout.tv_nsec = (left - seconds).count();
  }
  std::array<epoll_event, events_max> events{};
  const int count =
      ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), until, nullptr);
  if (count < 0) {
    check(errno == EINTR, "epoll waits on descriptors that are open");
    return;
  }
  const auto happened = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < happened; ++i) called_[i] = static_cast<Watch*>(events[i].data.ptr);
  for (std::size_t i = 0; i < happened; ++i) {
    if (events[i].data.ptr != nullptr) continue;
    std::uint64_t rings = 0;
    const auto read = ::read(eventfd_, &rings, sizeof rings);
    check(read == sizeof rings || errno == EAGAIN, "an eventfd gives its number");
    inbox_.empty_into(ready_);
  }
  for (std::size_t i = 0; i < happened; ++i) {
    if (called_[i] != nullptr) called_[i]->call();
  }
  std::fill_n(called_.begin(), happened, nullptr);
}

task_detail::Detached ThreadExecutor::note_end(Task<void> task, bool& ended) {
  co_await std::move(task);
  ended = true;
}

}  // namespace millrace
