// The thread that waits for signals, and looks after the others: it ends a process that does not
// stop in time, and tells systemd that shards are well.
module;
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

export module millrace.runtime.process:signal_thread;

import millrace.base;
import millrace.runtime.shard;
import :command_line;
import :notifier;

export namespace millrace {

// How often shards are looked at.
inline constexpr Duration look_interval = std::chrono::seconds{1};
// A turn that has run for so long is said in the log while it runs: whoever looks for the reason of
// a hanging process finds it there.
inline constexpr Duration hang_reported_after = std::chrono::seconds{2};
static_assert(hang_reported_after > telemetry::stall_threshold_default);

// SIGTERM and SIGINT ask for a stop; those that follow change nothing. A stop that takes too long
// ends the process at once. SIGHUP is noted, SIGPIPE and SIGXFSZ are ignored. Made on the main
// thread before all others, so that those take no signals; ends after the shards. Clock and
// notifier outlive it.
class SignalThread {
 public:
  struct Options {
    Duration stop_deadline = std::chrono::seconds{30};
    // Called on this thread, before anything is stopped.
    std::function<void()> on_stop = [] {};
  };
  SignalThread(const Logger& log, const Clock& clock, const Notifier& notifier, Options options);
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

  // Whose turns it looks at; null when they are to end.
  void look_after(const Shards* shards);

  [[nodiscard]] bool is_stop_requested() const { return stop_requested_.load(); }
  // Blocks until a stop is asked for.
  void wait_for_stop() const { stop_requested_.wait(false); }
  // As SIGTERM does.
  void request_stop();

 private:
  void run();
  void take(int signal);
  void look();
  void begin_to_stop(std::string_view why);
  [[noreturn]] void end_now(ExitCode code) const;
  [[nodiscard]] Duration wait_time() const;
  [[nodiscard]] RunningTurn longest_running_turn() const;

  Logger log_;
  const Clock& clock_;
  const Notifier& notifier_;
  Options options_;
  Duration interval_;
  sigset_t awaited_{};
  sigset_t mask_before_{};
  mutable std::mutex shards_mutex_;
  const Shards* shards_ = nullptr;
  std::optional<MonotonicTime> deadline_;
  bool is_hang_reported_ = false;
  bool is_repeat_told_ = false;
  std::atomic<bool> stop_requested_ = false;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace millrace
