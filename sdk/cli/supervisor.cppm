// Keeps the processes of a cluster on this machine running, and stops them.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli:supervisor;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.process;
import millrace.runtime.shard;
import millrace.runtime.streams;
import :child;
import :cluster_plan;
import :data_directory;
import :log_lines;

export namespace millrace::cli {

// A process that ended is started again after so long, twice as long each time.
inline constexpr Duration restart_delay_min = std::chrono::milliseconds{50};
inline constexpr Duration restart_delay_max = std::chrono::seconds{2};
// One that has run for so long is not in trouble: it begins with the shortest delay again.
inline constexpr Duration running_well_after = std::chrono::milliseconds{500};
// How long processes of one kind may take to stop before they are killed. Those of the services
// themselves are shorter.
inline constexpr Duration stop_deadline = std::chrono::seconds{40};
// Of those who sit at a terminal, while it stops, until what still runs is killed. Other signals
// change nothing then: whoever sends SIGTERM twice wants no unclean stop.
inline constexpr int interrupts_to_kill = 2;
// How often it is looked whether the cluster serves, and how often the wait is explained.
inline constexpr Duration probe_interval = std::chrono::milliseconds{10};
inline constexpr Duration explain_interval = std::chrono::seconds{10};
// Of one child, lines that are shown in one period; the others are in its log.
inline constexpr std::uint32_t shown_lines_max = 30;
inline constexpr Duration shown_lines_period = std::chrono::seconds{10};

static_assert(restart_delay_min < restart_delay_max);

// For the main thread, in a process that does nothing else. What it is given
// outlives it.
class Supervisor {
 public:
  struct Parts {
    ShardLoop& loop;
    Network& network;
    Console& console;
    const Notifier& notifier;
    const ClusterPlan& plan;
    const DataDirectory& data;
    std::string programs;  // the directory in which they are
    std::string ready_line;
    bool shows_status = false;
  };
  explicit Supervisor(const Parts& parts);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Starts all, prints the ready line when they serve, and ends when all have been stopped: after
  // SIGTERM or SIGINT with success, or because one cannot start, with its exit code.
  [[nodiscard]] Task<int> run();
  // Empty where it was stopped by a signal.
  [[nodiscard]] const std::string& why_given_up() const { return why_given_up_; }

 private:
  struct Member;
  struct SignalWatch : Watch {
    SignalWatch(Supervisor& s, Function function) : Watch(function), supervisor(s) {}
    Supervisor& supervisor;
  };

  [[nodiscard]] Result<void> watch_signals();
  void take_signal();
  void request_stop();
  // Of a cluster that cannot go on.
  void give_up(const std::string& why, int exit_code);

  [[nodiscard]] Task<void> keep_running(Member& member);
  // Says why, and ends earlier when a stop is asked for. The next pause is longer.
  [[nodiscard]] Task<void> pause_before_start(Member& member, std::string why, Duration& delay);
  // False: it must not be started again.
  [[nodiscard]] bool may_restart(const Member& member, const Ending& ending);
  void take_output(Member& member, std::string_view text);
  void take_line(Member& member, std::string_view line);
  [[nodiscard]] bool may_show(Member& member);

  [[nodiscard]] Task<void> announce_ready();
  [[nodiscard]] Task<void> show_status();
  [[nodiscard]] std::string status_line(MonotonicTime began) const;
  [[nodiscard]] Task<void> stop_role(Role role);
  void kill_all();

  Parts parts_;
  std::vector<std::unique_ptr<Member>> members_;
  TaskGroup children_;
  TaskGroup others_;
  AsyncSignal stop_asked_;
  AsyncSignal ready_changed_;
  AsyncSignal status_changed_;
  ipc::Descriptor signals_;
  SignalWatch signal_watch_{
      *this, [](Watch& self) { static_cast<SignalWatch&>(self).supervisor.take_signal(); }};
  int exit_code_ = 0;
  std::string why_given_up_;
  unsigned restarts_ = 0;
  int interrupts_ = 0;  // since it is stopping
  bool is_ready_ = false;
  bool is_stopping_ = false;
  bool is_repeat_told_ = false;
  bool is_killing_ = false;
};

}  // namespace millrace::cli
