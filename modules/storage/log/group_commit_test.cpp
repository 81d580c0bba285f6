// What flush.messages asks for: how often is synced, and whom a sync serves.
#include "test_batches.hpp"

namespace millrace::storage {
namespace {

// Counts the syncs of log files while it lives.
class LogSyncs {
 public:
  explicit LogSyncs(LogMachine& machine) : disk_(machine.disk) {
    disk_.before_step = [this](const SimulatedStep& step) {
      if (step.kind == IoKind::sync_data && step.path.ends_with(".log")) ++count;
    };
  }
  LogSyncs(const LogSyncs&) = delete;
  LogSyncs& operator=(const LogSyncs&) = delete;
  ~LogSyncs() { disk_.before_step = nullptr; }

  std::uint64_t count = 0;

 private:
  SimulatedDisk& disk_;
};

// The first append makes the names of the files durable, too.
void open_flushing(LogMachine& machine, std::uint64_t records) {
  machine.config.flush_records = records;
  ASSERT_TRUE(machine.open());
  for (std::uint64_t i = 0; i < records; ++i) ASSERT_TRUE(machine.append({{"first"}}));
  ASSERT_EQ(machine.log->flushed_end(), machine.log->end());
}

std::vector<Appending> start_appends(LogMachine& machine, int count) {
  std::vector<Appending> started;
  for (int i = 0; i < count; ++i) {
    started.push_back(machine.start(machine.append_task({{std::to_string(i)}})));
  }
  return started;
}

TEST(GroupCommit, one_sync_serves_all_who_ask_in_a_turn) {
  LogMachine machine(1);
  ASSERT_NO_FATAL_FAILURE(open_flushing(machine, 1));
  const LogSyncs syncs(machine);
  const auto appends = start_appends(machine, 64);
  machine.finish_started();
  for (const Appending& each : appends) EXPECT_TRUE(each->value());
  EXPECT_EQ(syncs.count, 1u);
  EXPECT_EQ(machine.log->flushed_end(), Offset(65));
  ASSERT_TRUE(machine.close());
}

TEST(GroupCommit, those_who_come_while_the_disk_is_busy_share_the_next_sync) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LogMachine machine(seed, {.completion = SimulatedCompletion::mixed, .slow = 1});
    ASSERT_NO_FATAL_FAILURE(open_flushing(machine, 1));
    const LogSyncs syncs(machine);
    const auto first = start_appends(machine, 1);
    // Its write is on the way.
    machine.executor.run_until_idle();
    ASSERT_FALSE(*first.front());
    const auto others = start_appends(machine, 63);
    machine.finish_started();
    EXPECT_TRUE(first.front()->value());
    for (const Appending& each : others) EXPECT_TRUE(each->value());
    EXPECT_EQ(syncs.count, 2u) << "seed " << seed;
    ASSERT_TRUE(machine.close());
  }
}

TEST(GroupCommit, a_sync_that_fails_is_told_to_all_whom_it_was_to_serve) {
  LogMachine machine(2);
  ASSERT_NO_FATAL_FAILURE(open_flushing(machine, 1));
  machine.disk.faults().plan({.kind = IoKind::sync_data, .path_part = ".log"});
  const auto appends = start_appends(machine, 20);
  machine.finish_started();
  for (const Appending& each : appends) {
    ASSERT_EQ(fault_of(each->value()), AppendFault::storage);
    EXPECT_EQ(each->value().error().storage, StorageFault::offline);
  }
  EXPECT_EQ(machine.disk.faults().injected(), 1u);
}

// As in Kafka.
TEST(GroupCommit, flush_messages_counts_offsets_and_not_batches) {
  LogMachine machine(3);
  ASSERT_NO_FATAL_FAILURE(open_flushing(machine, 5));
  const LogSyncs syncs(machine);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(machine.append({{"v"}}));
  EXPECT_EQ(syncs.count, 0u);
  EXPECT_EQ(machine.log->flushed_end(), Offset(5));
  ASSERT_TRUE(machine.append({{"v"}}));
  EXPECT_EQ(syncs.count, 1u);
  EXPECT_EQ(machine.log->flushed_end(), Offset(10));
  ASSERT_TRUE(machine.append({{"a", "b", "c", "d"}}));
  EXPECT_EQ(syncs.count, 1u);
  ASSERT_TRUE(machine.append({{"e", "f"}}));
  EXPECT_EQ(syncs.count, 2u);
  EXPECT_EQ(machine.log->flushed_end(), Offset(16));
  ASSERT_TRUE(machine.close());
}

TEST(GroupCommit, without_flush_messages_appends_wait_for_no_sync) {
  LogMachine machine(4);
  ASSERT_TRUE(machine.open());
  const LogSyncs syncs(machine);
  const auto appends = start_appends(machine, 100);
  machine.finish_started();
  for (const Appending& each : appends) EXPECT_TRUE(each->value());
  EXPECT_EQ(syncs.count, 0u);
  EXPECT_EQ(machine.log->flushed_end(), Offset(0));
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
