// An executor whose time stands still until it is told to pass: whole shards run in a test, in one
// thread, and a seed replays every order of events.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

export module millrace.runtime:simulated_executor;

import millrace.base;
import :executor;
import :random;
import :task;
import :timer_heap;

export namespace millrace {

// For tests. Owned by the test, outlives what runs on it; one thread. Callbacks run in the order of
// posting, as every executor promises. Given a seed, it chooses at random where no order is
// promised: whether a posted callback or a due timer comes next.
class SimulatedExecutor final : public Executor {
 public:
  explicit SimulatedExecutor(std::optional<std::uint64_t> seed = std::nullopt,
                             Timestamp wall = Timestamp{0});

  [[nodiscard]] const Clock& clock() const override { return clock_; }
  void post(Callback& callback) override;
  void arm(Timer& timer, MonotonicTime when) override { timers_.arm(timer, when, *this); }
  void cancel(Timer& timer) override { timers_.cancel(timer); }

  // For tests that set the wall clock. Time passes through advance() only.
  [[nodiscard]] ManualClock& manual_clock() { return clock_; }

  // Runs all that can run without time passing; gives the number of callbacks and timers called.
  std::size_t run_until_idle();

  // Lets time pass to the earliest timer and runs until idle; false if no timer is armed.
  bool advance_to_next_timer();

  // Lets this much time pass; timers run in their order, each at its time.
  void advance(Duration passed);

  // Starts the task and drives the executor, passing time as needed, until the task ends. An error
  // says that the task can never end because nothing is left to run, or that it did not end within
  // `steps_max` steps. The task then stays suspended: it ends and frees itself if something resumes
  // it after all.
  template <class T>
  [[nodiscard]] Result<T> run(Task<T> task) {
    auto outcome = std::make_shared<Outcome<T>>();
    store(outcome, std::move(task));
    if (auto driven = drive(outcome->ended); !driven) return failure(driven.error());
    return std::move(*outcome->value);
  }
  [[nodiscard]] Result<void> run(Task<void> task) {
    auto outcome = std::make_shared<Outcome<bool>>();
    store(outcome, std::move(task));
    return drive(outcome->ended);
  }

  // After how many callbacks and timers run() gives up.
  std::uint64_t steps_max = 100'000'000;

 private:
  template <class T>
  struct Outcome {
    bool ended = false;
    std::optional<T> value;
  };
  template <class T>
  static task_detail::Detached store(std::shared_ptr<Outcome<T>> outcome, Task<T> task) {
    outcome->value.emplace(co_await std::move(task));
    outcome->ended = true;
  }
  static task_detail::Detached store(std::shared_ptr<Outcome<bool>> outcome, Task<void> task);

  // One callback or one due timer; false if there is neither.
  bool step();
  void advance_to(MonotonicTime when);
  [[nodiscard]] Result<void> drive(const bool& ended);

  ManualClock clock_;
  TimerHeap timers_;
  std::optional<Random> random_;
  Callback* first_ = nullptr;
  Callback* last_ = nullptr;
};

}  // namespace millrace
