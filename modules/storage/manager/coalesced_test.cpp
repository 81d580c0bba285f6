// Work that is shared by those who ask for it at the same time.
#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <string>
#include <vector>

import millrace.storage.manager;

namespace millrace::storage {
namespace {

struct Desk {
  explicit Desk(Executor& e) : executor(e) {}

  Executor& executor;
  std::vector<std::string> outcomes;
  std::size_t failing = 0;
  Coalesced coalesced{[this]() -> Task<StorageResult<void>> {
    co_await yield(executor);
    if (failing > 0) {
      --failing;
      co_return storage_failure(StorageFault::no_space, "full");
    }
    co_return StorageResult<void>();
  }};
  TaskGroup tasks;

  Task<void> ask() {
    const auto done = co_await coalesced.run();
    outcomes.push_back(done ? "done" : done.error().message);
  }
  void ask(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) tasks.start(ask());
  }
};

TEST(Coalesced, those_who_ask_before_it_begins_again_share_one_time) {
  SimulatedExecutor executor;
  Desk desk(executor);
  desk.ask(100);
  executor.run_until_idle();
  EXPECT_EQ(desk.outcomes.size(), 100u);
  // The first one began at once; all others were asked for while it was done.
  EXPECT_EQ(desk.coalesced.done(), 2u);
}

TEST(Coalesced, who_asks_later_is_not_told_the_outcome_of_before) {
  SimulatedExecutor executor;
  Desk desk(executor);
  desk.failing = 1;
  desk.ask(1);
  executor.run_until_idle();
  desk.ask(1);
  executor.run_until_idle();
  EXPECT_EQ(desk.outcomes, std::vector<std::string>({"full", "done"}));
}

TEST(Coalesced, a_failure_is_told_to_all_whom_it_concerns) {
  SimulatedExecutor executor;
  Desk desk(executor);
  desk.failing = 2;
  desk.ask(3);
  executor.run_until_idle();
  EXPECT_EQ(desk.outcomes, std::vector<std::string>({"full", "full", "full"}));
}

}  // namespace
}  // namespace millrace::storage
