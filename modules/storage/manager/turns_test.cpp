// One at a time for each partition.
#include <gtest/gtest.h>

#include <coroutine>
#include <string>
#include <vector>

import millrace.storage.manager;

namespace millrace::storage {
namespace {

struct Hall {
  explicit Hall(Executor& e) : executor(e) {}

  Task<void> enter(std::string topic, std::string name) {
    const auto turn = co_await turns.wait({topic, PartitionIndex(0)});
    events.push_back(name + " begins");
    co_await yield(executor);
    events.push_back(name + " ends");
  }

  Executor& executor;
  PartitionTurns turns;
  std::vector<std::string> events;
  TaskGroup tasks;
};

TEST(PartitionTurns, those_of_one_partition_follow_one_another) {
  SimulatedExecutor executor;
  Hall hall(executor);
  hall.tasks.start(hall.enter("a", "first"));
  hall.tasks.start(hall.enter("a", "second"));
  executor.run_until_idle();
  EXPECT_EQ(hall.events, std::vector<std::string>(
                             {"first begins", "first ends", "second begins", "second ends"}));
  EXPECT_EQ(hall.turns.partitions(), 0u);
}

TEST(PartitionTurns, those_of_others_do_not_wait) {
  SimulatedExecutor executor;
  Hall hall(executor);
  hall.tasks.start(hall.enter("a", "first"));
  hall.tasks.start(hall.enter("b", "second"));
  EXPECT_EQ(hall.events, std::vector<std::string>({"first begins", "second begins"}));
  EXPECT_EQ(hall.turns.partitions(), 2u);
  executor.run_until_idle();
  EXPECT_EQ(hall.turns.partitions(), 0u);
}

}  // namespace
}  // namespace millrace::storage
