// A random life of a log: operations, stops of every kind, and what is left of it each time.
#pragma once

#include "checks.hpp"
#include "coverage.hpp"

namespace millrace::storage::crash {

// What else befalls a log, besides power cuts and the end of its process.
enum class Trouble : std::uint8_t {
  none,
  device,  // an operation fails: the log goes offline, and a machine without power finds the rest
  space,   // there is no space now and then
  descriptors  // nor are there descriptors
};

// What fails of a device.
inline constexpr IoKind failing_kinds[] = {IoKind::open,           IoKind::read,     IoKind::write,
                                           IoKind::sync_data,      IoKind::set_size, IoKind::rename,
                                           IoKind::sync_directory, IoKind::remove,   IoKind::status,
                                           IoKind::list,           IoKind::close};

enum class Cuts : std::uint8_t { at_random, at_one_step };

struct TrialOptions {
  std::size_t operations_min = 30;
  Trouble trouble = Trouble::none;
  Cuts cuts = Cuts::at_random;
  // Where there is one cut: at the step of this number, counted from 1; only at the end if it is 0.
  std::uint64_t cut_at = 0;
  // Prints what happens.
  bool trace = false;
};

// One sequence, replayed by its seed. A Difference says what is wrong with the log.
class Trial {
 public:
  Trial(std::uint64_t seed, const TrialOptions& options, Coverage& coverage);

  void run();
  // How many steps there were up to the end that every sequence has.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  // An append and how it ended.
  struct Ask {
    Bytes bytes;
    std::vector<Pending> batches;
    LeaderEpoch epoch;
    bool replicated = false;
    AppendOrigin origin = AppendOrigin::client;
    std::optional<AppendResult> result{};
  };
  // Something that changes nothing in the log and may run beside what does.
  struct Beside {
    std::optional<StorageResult<void>> flushed{};
    Offset flushed_to;
    std::optional<StorageResult<void>> saved{};
    std::optional<StorageResult<void>> checkpointed{};
    std::string read_problem{};
  };

  // trial.cpp
  void open_first();
  void take_turn();
  [[nodiscard]] Action next_action();
  void perform(Action action);
  void plan_one_cut();
  void maybe_plan_cut(Action action);
  void meet_planned_cut(const SimulatedStep& step);
  void make_trouble();
  void end_trouble();
  void start_beside(TaskGroup& group, Beside& beside);
  void end_beside(const Beside& beside);
  // The process is there, and may use the disk.
  [[nodiscard]] bool well() const { return machine_.alive() && !machine_.log->offline(); }
  // Something is short now and then, and there is enough of it again later.
  [[nodiscard]] bool runs_short() const {
    return options_.trouble == Trouble::space || options_.trouble == Trouble::descriptors;
  }
  [[nodiscard]] bool is_short_of(StorageFault fault) const;
  // Whether an operation ended well. If not, the process is not well, or there was no space.
  [[nodiscard]] bool fine(const StorageResult<void>& result, std::string_view what);
  // True if all is well; else what is left was looked at.
  bool survived();
  void note_durable();
  void recover(bool killed);
  // What a log is held against: the model, or what a crash or a cleaning may have made of it.
  enum class Expected : std::uint8_t { same, after_crash, cleaned, partly_cleaned };
  void compare(Expected expected, Offset required);
  void finish();
  template <class... Args>
  void trace(FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
    if (options_.trace) print(formatted(format, args...));
  }
  static void print(const std::string& line);

  // appends.cpp
  void append();
  struct Ahead;
  [[nodiscard]] Ask new_ask(Ahead& ahead);
  void plan_producer(BatchPlan& plan, const Ahead& ahead, bool may_be_wrong);
  void end_append(const Ask& ask);
  void end_refused(const AppendError& error);
  void trace_ask(const Ask& ask);
  [[nodiscard]] Task<void> run_append(Ask& ask);

  // changes.cpp
  enum class Outcome : std::uint8_t { done, refused, ended };
  [[nodiscard]] Outcome change(Task<StorageResult<void>> task);
  void require_same_ends();
  void flush();
  void roll();
  void truncate();
  void restart();
  void delete_below();
  void retention();
  void checkpoint();
  void reopen();
  void kill();

  // offline.cpp
  void end_offline();
  // What failed since then, by its kinds; empty if nothing did.
  [[nodiscard]] std::string failures_since_told();
  [[nodiscard]] bool closed_badly();
  void require_failures_told();

  // compaction.cpp
  enum class Cleaned : std::uint8_t { nothing, in_part, whole };
  void compact();
  void forget_what_a_cut_forgets();
  [[nodiscard]] CleaningBounds cleaning_bounds() const;
  [[nodiscard]] Task<StorageResult<void>> clean(Cleaned& cleaned);
  [[nodiscard]] Task<StorageResult<void>> cut(Offset end, Task<StorageResult<void>> change);

  std::uint64_t seed_;
  TrialOptions options_;
  Coverage& coverage_;
  Random random_;
  Machine machine_;
  Model model_;
  BatchMaker maker_;
  Action action_ = Action::open;
  std::size_t operations_ = 0;
  std::size_t changes_ = 0;  // rolls, truncations, cleanings
  LeaderEpoch epoch_{0};
  Offset cleaned_to_{0};
  bool was_cut_in_cleaned_ = false;
  bool ahead_was_wrong_ = false;  // about what the log knows of its producers
  std::uint64_t cut_step_ = 0;
  std::optional<IoKind> kind_to_cut_;
  std::uint64_t others_before_cut_ = 0;
  std::uint64_t steps_ = 0;
  std::array<std::uint64_t, io_kinds> failures_told_{};
  std::uint64_t closes_failed_ = 0;  // before this life
};

// Runs a sequence; what is wrong, with how to replay it.
[[nodiscard]] std::optional<std::string> problem_of_trial(std::uint64_t seed,
                                                          const TrialOptions& options,
                                                          Coverage& coverage);
// Runs a short sequence again and again, with the power cut at each of its steps in turn.
[[nodiscard]] std::optional<std::string> problem_at_any_step(std::uint64_t seed,
                                                             const TrialOptions& options,
                                                             Coverage& coverage);

}  // namespace millrace::storage::crash
