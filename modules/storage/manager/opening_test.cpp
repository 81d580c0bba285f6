// What a start finds, reads and recovers.
#include <algorithm>
#include <regex>

#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

using namespace std::chrono_literals;
using Values = std::vector<std::string>;

// From now on this fails, always, so that it can be seen that nobody does it.
void forbid(ManagerMachine& machine, IoKind kind, std::string path_part) {
  machine.disk.faults().plan(
      {.kind = kind, .path_part = std::move(path_part), .times = PlannedFault::always});
}

TEST(Opening, after_an_orderly_stop_reads_nothing_of_logs_and_indexes) {
  ManagerMachine machine(1, {"/one", "/two"});
  machine.config.segment_bytes = 1'000;
  ASSERT_TRUE(machine.start());
  for (int i = 0; i < 20; ++i) {
    const TopicPartition partition{"orders", PartitionIndex(i)};
    ASSERT_TRUE(machine.create(partition));
    for (int n = 0; n < i; ++n) ASSERT_TRUE(machine.append(partition, std::string(200, 'x')));
  }
  ASSERT_TRUE(machine.stop());
  // Opening one of these files comes before reading it.
  for (const char* name : {".log", ".index", ".timeindex", ".txnindex"}) {
    forbid(machine, IoKind::open, name);
    forbid(machine, IoKind::read, name);
  }
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.opened, 20u);
  EXPECT_EQ(machine.report.scanned_bytes, 0u);
  EXPECT_EQ(machine.disk.faults().injected(), 0u);
  // The locks of the directories.
  EXPECT_EQ(machine.process->files.open_files(), 2u);
  machine.disk.faults().clear();
  EXPECT_EQ(machine.values({"orders", PartitionIndex(19)}).size(), 19u);
}

TEST(Opening, after_an_orderly_stop_changes_the_disk_once_for_each_directory) {
  ManagerMachine machine(2);
  ASSERT_TRUE(machine.start());
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(machine.create({"orders", PartitionIndex(i)}));
    ASSERT_TRUE(machine.append({"orders", PartitionIndex(i)}, "a"));
  }
  ASSERT_TRUE(machine.stop());
  const std::uint64_t steps = machine.disk.steps();
  ASSERT_TRUE(machine.start());
  // The lock file, the mark of the orderly stop, and the directory that lost it.
  EXPECT_LE(machine.disk.steps() - steps, 4u);
}

TEST(Opening, a_log_that_was_cut_and_filled_again_needs_no_recovery_after_an_orderly_stop) {
  ManagerMachine machine(3);
  machine.config.flush_records = 1;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.executor.advance(61s);
  ASSERT_EQ(machine.disk.contents("/data/recovery-point-offset-checkpoint"), "0\n1\norders 0 5\n");
  {
    const auto log = machine.manager().find(orders_0);
    ASSERT_TRUE(machine.wait(machine.manager().truncate(log, Offset(2))));
  }
  EXPECT_EQ(machine.disk.contents("/data/recovery-point-offset-checkpoint"), "0\n1\norders 0 2\n");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.append(orders_0, "b"));
  ASSERT_TRUE(machine.stop());
  EXPECT_EQ(machine.disk.contents("/data/recovery-point-offset-checkpoint"), "0\n1\norders 0 5\n");
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.scanned_bytes, 0u);
  EXPECT_EQ(machine.values(orders_0), Values({"a", "a", "b", "b", "b"}));
}

TEST(Opening, that_is_refused_does_not_forget_an_orderly_stop) {
  ManagerMachine machine(4);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.stop(BrokerEpoch(33)));
  // A second directory is named, which is none.
  machine.options.directories = {"/data", "/data/orders-0/partition.metadata"};
  ASSERT_FALSE(machine.start());
  ASSERT_TRUE(machine.stop());
  machine.options.directories = {"/data"};
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.directories().stopped_epoch(), BrokerEpoch(33));
  EXPECT_EQ(machine.report.recovered, 0u);
}

TEST(Opening, that_ends_before_the_logs_are_opened_does_not_forget_it_either) {
  ManagerMachine machine(5);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.stop(BrokerEpoch(33)));
  machine.process =
      std::make_unique<TestProcess>(machine.disk, machine.executor, machine.files, machine.options,
                                    1, Logger(machine.lines, "test"));
  ASSERT_TRUE(machine.wait(machine.directories().open(machine.owner)));
  ASSERT_TRUE(machine.stop(BrokerEpoch(40)));
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.directories().stopped_epoch(), BrokerEpoch(33));
  EXPECT_EQ(machine.report.recovered, 0u);
}

class Recovering : public ::testing::Test {
 protected:
  static constexpr int partitions = 12;

  // Partitions of a server that was killed, on a slow disk.
  Recovering() : machine(6) {
    EXPECT_TRUE(machine.start());
    for (int i = 0; i < partitions; ++i) {
      EXPECT_TRUE(machine.create({"orders", PartitionIndex(i)}));
      EXPECT_TRUE(machine.append({"orders", PartitionIndex(i)}, "a"));
    }
    machine.end_of_process();
    machine.files.slow = 1;
    machine.files.slow_max = 2s;
  }
  Duration time_of_start(std::size_t threads) {
    machine.options.recovery_threads = threads;
    const MonotonicTime began = machine.executor.clock().now();
    EXPECT_TRUE(machine.start());
    EXPECT_EQ(machine.report.recovered, static_cast<std::size_t>(partitions));
    const Duration taken = machine.executor.clock().now() - began;
    machine.end_of_process();
    return taken;
  }

  ManagerMachine machine;
};

TEST_F(Recovering, goes_on_for_several_partitions_at_a_time) {
  const Duration one_by_one = time_of_start(1);
  const Duration six_at_a_time = time_of_start(6);
  EXPECT_LT(six_at_a_time * 2, one_by_one);
  EXPECT_TRUE(machine.says("12 logs are checked, 6 at a time"));
}

// num.recovery.threads.per.data.dir is for the directory, whose logs the shards recover together.
TEST(Opening, shards_share_the_number_of_logs_that_are_recovered_at_a_time) {
  ManagerMachine machine(8, {"/data"}, 3);
  ASSERT_TRUE(machine.start());
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(machine.create({"orders", PartitionIndex(i)}));
  machine.end_of_process();
  machine.options.recovery_threads = 6;
  ASSERT_TRUE(machine.start());
  EXPECT_TRUE(machine.says("4 logs are checked, 2 at a time"));
  machine.end_of_process();
  machine.options.recovery_threads = 1;
  ASSERT_TRUE(machine.start());
  EXPECT_TRUE(machine.says("4 logs are checked, 1 at a time"));
}

TEST_F(Recovering, tells_of_its_progress) {
  ASSERT_GT(time_of_start(1), 20s);
  EXPECT_TRUE(machine.says("opening logs: "));
  EXPECT_TRUE(machine.says(" left; "));
  EXPECT_TRUE(machine.says("12 logs are open, 12 of them checked"));
}

// One that takes long tells of itself, too.
TEST(Opening, tells_how_far_the_recovery_of_a_log_has_come) {
  ManagerMachine machine(9);
  machine.config.segment_bytes = 1'000;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(200, 'x')));
  const std::uint64_t bytes = machine.manager().find(orders_0)->size_bytes();
  machine.end_of_process();
  // Nothing is known to be durable.
  ASSERT_TRUE(machine.replace_file("/data/recovery-point-offset-checkpoint", "0\n0\n"));
  machine.files.slow = 1;
  machine.files.slow_max = 2s;
  ASSERT_TRUE(machine.start());
  const std::regex wanted(
      "opening logs: 0 are done and 1 left; of what has begun ([0-9]+) bytes are checked and "
      "([0-9]+) are not; .*");
  std::vector<std::uint64_t> checked;
  for (const auto& line : machine.lines->lines()) {
    std::smatch found;
    if (!std::regex_match(line.message, found, wanted)) continue;
    checked.push_back(std::stoull(found[1]));
    // Before it has begun nothing is known of it.
    if (checked.back() == 0) continue;
    EXPECT_EQ(checked.back() + std::stoull(found[2]), bytes) << line.message;
  }
  ASSERT_GE(checked.size(), 3u);
  // Where a read takes longer than an interval, nothing came further.
  std::size_t went_on = 0;
  for (std::size_t i = 0; i < checked.size(); ++i) {
    if (checked[i] != (i == 0 ? 0 : checked[i - 1])) ++went_on;
  }
  EXPECT_EQ(machine.process->shards.front()->opening_went_on, went_on);
  EXPECT_TRUE(std::ranges::is_sorted(checked));
  EXPECT_GT(checked.back(), bytes / 2);
  EXPECT_EQ(machine.report.scanned_bytes, bytes);
}

TEST(Opening, with_a_full_disk_loses_nothing_and_goes_on_when_there_is_space) {
  ManagerMachine machine(7);
  machine.config.segment_bytes = 50'000;
  machine.options.reserve_bytes = 0;
  machine.disk.set_capacity(mebibyte);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.create({"__consumer_offsets", PartitionIndex(0)}));
  Values expected;
  while (machine.append(orders_0, std::string(5'000, 'a'))) {
    expected.emplace_back(5'000, 'a');
    ASSERT_LT(expected.size(), 1'000u);
  }
  // Internal topics take what is left.
  while (machine.append({"__consumer_offsets", PartitionIndex(0)}, std::string(500, 'o'))) {
  }
  EXPECT_GT(expected.size(), 20u);
  machine.end_of_process();

  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.process->observer.all_failed, 0);
  // What recovery has removed is used up, too.
  while (machine.append({"__consumer_offsets", PartitionIndex(0)}, std::string(500, 'o'))) {
  }
  EXPECT_FALSE(machine.append(orders_0, std::string(5'000, 'b')));
  machine.disk.set_capacity(4 * mebibyte);
  machine.executor.advance(2min);
  EXPECT_TRUE(machine.values(orders_0) == expected);
  EXPECT_TRUE(machine.append(orders_0, "b"));
  ASSERT_TRUE(machine.stop());
}

}  // namespace
}  // namespace millrace::storage
