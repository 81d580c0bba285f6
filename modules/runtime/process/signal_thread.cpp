module;
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

module millrace.runtime.process;

import millrace.base;
import millrace.runtime.shard;

namespace millrace {
namespace {

// Wakes the thread: it is to end, or the program itself asks for a stop.
int wake_signal() {
  return SIGRTMIN;
}

}  // namespace

SignalThread::SignalThread(const Logger& log, const Clock& clock, const Notifier& notifier,
                           Options options)
    : log_(log),
      clock_(clock),
      notifier_(notifier),
      options_(std::move(options)),
      interval_(look_interval) {
  // Twice in the time that systemd gives, so that one that is late does no harm.
  if (const auto watchdog = notifier_.watchdog_interval()) {
    interval_ = std::min(interval_, *watchdog / 2);
  }
  sigemptyset(&awaited_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, wake_signal()}) sigaddset(&awaited_, signal);
  sigset_t blocked = awaited_;
  // What writing to a closed connection, or a file that may not grow, raises besides its error.
  for (const int signal : {SIGPIPE, SIGXFSZ}) {
    sigaddset(&blocked, signal);
    check(std::signal(signal, SIG_IGN) != SIG_ERR, "a process may ignore a signal");
  }
  check(::pthread_sigmask(SIG_BLOCK, &blocked, &mask_before_) == 0, "a thread may block signals");
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    check(false, "the system has a thread for a process that starts");
  }
  ::pthread_setname_np(thread_.native_handle(), "signals");
}

SignalThread::~SignalThread() {
  ended_ = true;
  check(::pthread_kill(thread_.native_handle(), wake_signal()) == 0, "a thread takes a signal");
  thread_.join();
  check(::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr) == 0, "a thread may take signals");
}

void SignalThread::look_after(const Shards* shards) {
  const std::lock_guard lock(shards_mutex_);
  shards_ = shards;
}

void SignalThread::request_stop() {
  if (!stop_requested_.exchange(true)) stop_requested_.notify_all();
  check(::pthread_kill(thread_.native_handle(), wake_signal()) == 0, "a thread takes a signal");
}

void SignalThread::run() {
  while (!ended_) {
    const Duration wait = wait_time();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
    const timespec timeout{seconds.count(), (wait - seconds).count()};
    const int signal = ::sigtimedwait(&awaited_, nullptr, &timeout);
    if (ended_) return;
    if (signal > 0) take(signal);
    look();
  }
}

Duration SignalThread::wait_time() const {
  if (!deadline_) return interval_;
  return std::clamp(*deadline_ - clock_.now(), Duration::zero(), interval_);
}

void SignalThread::take(int signal) {
  if (signal == SIGHUP) {
    log_.info("SIGHUP: there is nothing to reload; log lines go to standard error");
    return;
  }
  const std::string_view name = signal == SIGTERM  ? "SIGTERM"
                                : signal == SIGINT ? "SIGINT"
                                                   : "the program";
  if (!deadline_) {
    begin_to_stop(name);
  } else if (signal != wake_signal()) {
    if (std::exchange(is_repeat_told_, true)) return;
    log_.info("{} again: the stop goes on; SIGKILL ends at once, and the next start recovers",
              name);
  }
}

void SignalThread::begin_to_stop(std::string_view why) {
  deadline_ = clock_.now() + options_.stop_deadline;
  log_.info("{} asks to stop; within {} s", why,
            std::chrono::duration_cast<std::chrono::seconds>(options_.stop_deadline).count());
  notifier_.stopping("stopping");
  options_.on_stop();
  if (!stop_requested_.exchange(true)) stop_requested_.notify_all();
}

RunningTurn SignalThread::longest_running_turn() const {
  const std::lock_guard lock(shards_mutex_);
  return shards_ == nullptr ? RunningTurn{} : shards_->longest_running_turn();
}

void SignalThread::look() {
  const RunningTurn longest = longest_running_turn();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(longest.running).count();
  if (deadline_ && clock_.now() >= *deadline_) {
    if (longest.running > hang_reported_after) {
      log_.error(
          "did not stop in time: shard {} hangs for {} s; ending at once; the next start "
          "recovers",
          longest.shard, seconds);
    } else {
      log_.error("did not stop in time; ending at once; the next start recovers");
    }
    end_now(ExitCode::stop_deadline);
  }
  const bool hangs = longest.running > hang_reported_after;
  if (hangs && !is_hang_reported_) {
    log_.warning("shard {} hangs: its turn has run for {} s", longest.shard, seconds);
  }
  is_hang_reported_ = hangs;
  // A process whose shard hangs is not well: systemd then starts it again.
  const auto watchdog = notifier_.watchdog_interval();
  if (watchdog && longest.running < *watchdog) notifier_.watchdog();
}

void SignalThread::end_now(ExitCode code) const {
  std::_Exit(static_cast<int>(code));
}

}  // namespace millrace
