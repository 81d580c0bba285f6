// A random life of a log: operations, stops of every kind, and what is left of it each time.
#pragma once

#include "checks.hpp"

namespace millrace::storage::crash {

// What a log is asked to do, or what befalls it.
enum class Action : std::uint8_t {
  append,
  flush,
  roll,
  truncate,
  restart,
  delete_below,
  retention,
  checkpoint,
  compact,
  check,
  reopen,
  kill,
  open,  // what a new process does first
};
inline constexpr std::size_t actions = static_cast<std::size_t>(Action::open) + 1;
[[nodiscard]] std::string_view name_of(Action action);

// Where the power went away, over many sequences.
struct Coverage {
  std::uint64_t sequences = 0;
  std::uint64_t operations = 0;
  std::uint64_t opened = 0;
  std::uint64_t killed = 0;
  // By what the log was doing and the kind of the step.
  std::array<std::array<std::uint64_t, io_kinds>, actions> cuts{};
  std::array<std::uint64_t, actions> done{};

  [[nodiscard]] std::uint64_t cuts_at(IoKind kind) const;
  [[nodiscard]] std::uint64_t cuts_during(Action action) const;
  [[nodiscard]] std::string text() const;
};

struct TrialOptions {
  std::size_t operations_min = 30;
  // Prints what happens.
  bool trace = false;
};

// One sequence, replayed by its seed. A Difference says what is wrong with the log.
class Trial {
 public:
  Trial(std::uint64_t seed, const TrialOptions& options, Coverage& coverage);

  void run();

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
  void maybe_plan_cut();
  void start_beside(TaskGroup& group, Beside& beside);
  void end_beside(const Beside& beside);
  // True if the process is still alive; else what is left was looked at.
  bool survived();
  void note_durable();
  void require_fine(const StorageResult<void>& result, std::string_view what);
  void recover(bool killed);
  void compare(bool taken_over, Offset required);
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
  [[nodiscard]] Task<void> run_append(Ask& ask);

  // changes.cpp
  [[nodiscard]] bool change(Task<StorageResult<void>> task);
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

  // compaction.cpp
  void compact();
  [[nodiscard]] Task<StorageResult<void>> write_cleaned(Offset base, std::vector<BatchPtr> batches,
                                                        std::vector<AbortedTransaction> aborted);
  [[nodiscard]] Task<StorageResult<void>> replace(std::vector<std::shared_ptr<Segment>> replaced,
                                                  std::vector<BatchPtr> kept,
                                                  std::vector<AbortedTransaction> aborted);
  [[nodiscard]] Task<StorageResult<void>> write_file(std::string path, ByteView contents);

  std::uint64_t seed_;
  TrialOptions options_;
  Coverage& coverage_;
  Random random_;
  Machine machine_;
  Model model_;
  BatchMaker maker_;
  Action action_ = Action::open;
  std::size_t operations_ = 0;
  std::size_t changes_ = 0;
  LeaderEpoch epoch_{0};
  std::uint64_t cut_step_ = 0;
};

// Runs a sequence; what is wrong, with how to replay it.
[[nodiscard]] std::optional<std::string> problem_of_trial(std::uint64_t seed,
                                                          const TrialOptions& options,
                                                          Coverage& coverage);

}  // namespace millrace::storage::crash
