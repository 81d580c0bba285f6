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
#include <span>
#include <utility>

module millrace.runtime.shard;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;

namespace millrace {
namespace {

constexpr Duration until_something_happens{-1};

// The kernel may refuse epoll_pwait2, where a sandbox does not know it; epoll_wait counts in
// milliseconds, and waking early would be a busy loop.
int milliseconds_rounded_up(Duration timeout) {
  if (timeout < Duration::zero()) return -1;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return static_cast<int>(std::min<std::chrono::milliseconds::rep>(rounded, 1'000'000));
}

}  // namespace

SocketWatch::~SocketWatch() {
  if (loop_ != nullptr) loop_->unwatch(*this);
}

Result<std::unique_ptr<ShardLoop>> ShardLoop::make(const Clock& clock,
                                                   telemetry::StallMeter* meter) {
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
  std::unique_ptr<ShardLoop> loop(new ShardLoop(clock, meter, epoll, eventfd));
  // Each write is told once, so the number in it need not be read.
  auto added = loop->add_to_epoll(eventfd, EPOLLIN | EPOLLET, 0);
  if (!added) return failure(added.error());
  return loop;
}

ShardLoop::ShardLoop(const Clock& clock, telemetry::StallMeter* meter, int epoll, int eventfd)
    : clock_(clock), meter_(meter), epoll_(epoll), eventfd_(eventfd), inbox_(eventfd) {}

ShardLoop::~ShardLoop() {
  drain();
  ::close(eventfd_);
  ::close(epoll_);
}

void ShardLoop::Inbox::send(Callback& callback) {
  if (!arrivals.push(callback)) return;
  const std::uint64_t one = 1;
  const auto written = ::write(descriptor_, &one, sizeof one);
  check(written == sizeof one, "an eventfd takes a number");
}

Result<void> ShardLoop::add_to_epoll(int descriptor, std::uint32_t events, Target target) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = target;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    return failure(ErrorKind::io, formatted("a descriptor is not watched: errno {}", errno));
  }
  return {};
}

void ShardLoop::remove_from_epoll(int descriptor, Target target) {
  const int removed = ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  check(removed == 0, "a watched descriptor is open");
  // What has happened to it in this turn is told to nobody: the inbox is called whatever happened.
  for (Event& event : std::span(events_).first(events_count_)) {
    if (event.target == target) event.target = 0;
  }
}

Result<void> ShardLoop::watch(Watch& watch, int descriptor) {
  check(!watch.active(), "a watch watches one descriptor");
  auto added = add_to_epoll(descriptor, EPOLLIN, reinterpret_cast<Target>(&watch));
  if (!added) return added;
  watch.loop_ = this;
  watch.descriptor_ = descriptor;
  return {};
}

void ShardLoop::unwatch(Watch& watch) {
  check(watch.loop_ == this, "a watch is ended by the loop that watches it");
  remove_from_epoll(watch.descriptor_, reinterpret_cast<Target>(&watch));
  watch.loop_ = nullptr;
}

Result<void> ShardLoop::watch(SocketWatch& watch, int descriptor) {
  check(!watch.active(), "a watch watches one socket");
  auto added = add_to_epoll(descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                            reinterpret_cast<Target>(&watch) | socket_mark);
  if (!added) return added;
  watch.loop_ = this;
  watch.descriptor_ = descriptor;
  return {};
}

void ShardLoop::unwatch(SocketWatch& watch) {
  check(watch.loop_ == this, "a watch is ended by the loop that watches it");
  remove_from_epoll(watch.descriptor_, reinterpret_cast<Target>(&watch) | socket_mark);
  watch.loop_ = nullptr;
}

void ShardLoop::turn_until(const bool& ended) {
  while (!ended) {
    const MonotonicTime began = clock_.now();
    if (meter_ != nullptr) meter_->turn_began(began);
    ++turns_;
    inbox_.arrivals.take_into(ready_);
    call_watches();
    call_callbacks();
    call_due_timers(began);
    const MonotonicTime now = clock_.now();
    if (meter_ != nullptr) meter_->turn_ended(now);
    if (!ended) wait_for_events(idle_time(now));
  }
}

void ShardLoop::drain() {
  for (;;) {
    inbox_.arrivals.take_into(ready_);
    if (!has_callbacks()) return;
    call_callbacks();
  }
}

void ShardLoop::call_callbacks() {
  // What these post comes in a later turn, after timers and events have had theirs.
  batch_.append(ready_);
  for (std::size_t called = 0; called < callbacks_per_turn_max; ++called) {
    Callback* callback = batch_.take();
    if (callback == nullptr) return;
    callback->call();
  }
}

void ShardLoop::call_due_timers(MonotonicTime now) {
  for (std::size_t called = 0; called < timers_per_turn_max; ++called) {
    if (timers_.empty() || timers_.earliest() > now) return;
    timers_.pop().call();
  }
}

Duration ShardLoop::idle_time(MonotonicTime now) {
  if (has_callbacks()) return Duration::zero();
  if (!timers_.empty() && timers_.earliest() <= now) return Duration::zero();
  if (!inbox_.arrivals.fall_asleep()) return Duration::zero();
  if (timers_.empty()) return until_something_happens;
  return timers_.earliest() - now;
}

void ShardLoop::wait_for_events(Duration timeout) {
  std::array<epoll_event, events_per_turn_max> happened;
  const int room = static_cast<int>(happened.size());
  int count = -1;
  if (can_wait_nanoseconds_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec limit{seconds.count(), (timeout - seconds).count()};
    count = ::epoll_pwait2(epoll_, happened.data(), room,
                           timeout < Duration::zero() ? nullptr : &limit, nullptr);
    can_wait_nanoseconds_ = count >= 0 || (errno != ENOSYS && errno != EPERM);
  }
  if (!can_wait_nanoseconds_) {
    count = ::epoll_wait(epoll_, happened.data(), room, milliseconds_rounded_up(timeout));
  }
  events_count_ = 0;
  if (count < 0) {
    check(errno == EINTR, "epoll waits on descriptors that are open");
    return;
  }
  for (const epoll_event& event : std::span(happened).first(static_cast<std::size_t>(count))) {
    const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    events_[events_count_++] = {
        .target = static_cast<Target>(event.data.u64),
        .ready = {.to_read = broken || (event.events & (EPOLLIN | EPOLLRDHUP)) != 0,
                  .to_write = broken || (event.events & EPOLLOUT) != 0,
                  .is_ended = broken || (event.events & EPOLLRDHUP) != 0}};
  }
}

void ShardLoop::call_watches() {
  for (std::size_t i = 0; i < events_count_; ++i) {
    const Event event = events_[i];
    if (event.target == 0) continue;
    if ((event.target & socket_mark) != 0) {
      auto& watch = *reinterpret_cast<SocketWatch*>(event.target - socket_mark);
      watch.function_(watch, event.ready);
    } else {
      reinterpret_cast<Watch*>(event.target)->call();
    }
  }
  events_count_ = 0;
}

task_detail::Detached ShardLoop::note_end(Task<void> task, bool& ended) {
  co_await std::move(task);
  ended = true;
}

}  // namespace millrace
