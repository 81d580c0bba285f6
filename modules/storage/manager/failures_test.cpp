// What fails in one place leaves the others alone, and nothing is tried again on a device that
// failed.
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

using namespace std::chrono_literals;
using Values = std::vector<std::string>;

Task<void> make_log_file(FileSystem& files, std::string directory, std::string text) {
  EXPECT_TRUE(co_await files.make_directory(directory));
  const std::string path = directory + "/00000000000000000000.log";
  const auto file = co_await files.open(path, OpenMode::create_truncated);
  EXPECT_TRUE(file);
  const ByteView piece = as_bytes(text);
  EXPECT_TRUE(co_await files.write(*file, 0, std::span(&piece, 1)));
  EXPECT_TRUE(co_await files.close(*file));
}

TEST(Failures, a_directory_whose_sync_failed_is_not_touched_again) {
  ManagerMachine machine(1, {"/one", "/two"});
  machine.config.flush_records = 1;
  machine.config.segment_bytes = 1'000;
  machine.options.scrub_bytes_per_second = 1'000'000;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.create(orders_1));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(machine.append(orders_0, std::string(200, 'x')));
    ASSERT_TRUE(machine.append(orders_1, std::string(200, 'x')));
  }
  machine.disk.faults().plan({.kind = IoKind::sync_data, .path_part = "/one/orders-0"});
  EXPECT_EQ(machine.append(orders_0, "lost").error().storage, StorageFault::offline);
  EXPECT_EQ(machine.disk.faults().injected(IoKind::sync_data), 1u);
  EXPECT_EQ(machine.process->observer.failed, Values({"/one"}));

  std::vector<std::string> touched;
  machine.disk.before_step = [&](const SimulatedStep& step) {
    if (step.path.starts_with("/one")) touched.emplace_back(step.path);
  };
  machine.executor.advance(25h);
  EXPECT_EQ(machine.append(orders_0, "x").error().storage, StorageFault::offline);
  EXPECT_EQ(machine.create(orders_0).error().fault, StorageFault::offline);
  EXPECT_EQ(machine.remove(orders_0).error().fault, StorageFault::offline);
  EXPECT_TRUE(machine.append(orders_1, "goes on"));
  EXPECT_EQ(machine.stop().error().fault, StorageFault::offline);
  EXPECT_EQ(touched, Values());
  machine.disk.before_step = nullptr;
}

// Its rename is there for the next process, which could not tell that it was never made durable.
TEST(Failures, a_checkpoint_that_a_start_trusts_is_still_there_after_a_loss_of_power) {
  const std::string checkpoint = "/data/recovery-point-offset-checkpoint";
  std::size_t newer = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    ManagerMachine machine(seed);
    machine.config.flush_records = 1;
    ASSERT_TRUE(machine.start());
    ASSERT_TRUE(machine.create(orders_0));
    ASSERT_TRUE(machine.append(orders_0, "a"));
    ASSERT_TRUE(machine.stop());
    const auto older = machine.disk.contents(checkpoint);
    ASSERT_TRUE(machine.start());
    ASSERT_TRUE(machine.append(orders_0, "b"));
    // One of those that a stop does.
    machine.disk.faults().plan(
        {.kind = IoKind::sync_directory, .path_part = "/data", .after = seed % 5});
    static_cast<void>(machine.stop().has_value());
    machine.disk.faults().clear();
    const auto trusted = machine.disk.contents(checkpoint);
    if (trusted != older) ++newer;
    ASSERT_TRUE(machine.start());
    machine.power_cut(seed);
    EXPECT_EQ(machine.disk.contents(checkpoint), trusted) << "seed " << seed;
  }
  EXPECT_GT(newer, 0u);
}

TEST(Failures, a_directory_that_may_not_be_read_is_offline_and_the_others_go_on) {
  ManagerMachine machine(2, {"/one", "/two"});
  machine.disk.faults().plan({.kind = IoKind::list, .fault = IoFault::denied, .path_part = "/one"});
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.process->observer.failed, Values({"/one"}));
  ASSERT_TRUE(machine.create(orders_0));
  EXPECT_TRUE(machine.append(orders_0, "a"));
}

TEST(Failures, what_may_be_on_a_disk_that_failed_at_the_start_is_not_made_anew) {
  ManagerMachine machine(3, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.stop());
  machine.disk.faults().plan({.kind = IoKind::list, .path_part = "/one"});
  ASSERT_TRUE(machine.start());
  const auto refused = machine.create(orders_0, test_topic_id(1), Novelty::may_be_here);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, StorageFault::offline);
  EXPECT_NE(refused.error().message.find("may be in the log directory /one"), std::string::npos);
  // What was never here can be made all the same.
  ASSERT_TRUE(machine.create(orders_1));
  EXPECT_FALSE(machine.stop());
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(1), Novelty::may_be_here));
  EXPECT_EQ(machine.values(orders_0), Values({"a"}));
}

TEST(Failures, what_is_on_a_disk_that_failed_while_logs_were_opened_is_not_made_anew) {
  ManagerMachine machine(9, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(machine.create({"orders", PartitionIndex(i)}));
  ASSERT_TRUE(machine.stop());
  machine.disk.faults().plan({.kind = IoKind::list, .path_part = "/one/orders-0"});
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.process->observer.failed, Values({"/one"}));
  EXPECT_EQ(machine.manager().count(), 200u);
  EXPECT_EQ(machine.report.opened + machine.report.failed, 200u);
  EXPECT_GE(machine.report.opened, 100u);
  for (int i = 0; i < 200; i += 2) {
    const TopicPartition partition{"orders", PartitionIndex(i)};
    const auto made = machine.create(partition, test_topic_id(1), Novelty::may_be_here);
    ASSERT_FALSE(made) << i;
    EXPECT_EQ(made.error().fault, StorageFault::offline);
  }
}

TEST(Failures, a_device_that_fails_while_a_partition_is_made_goes_offline) {
  ManagerMachine machine(10, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  machine.disk.faults().plan({.kind = IoKind::open, .path_part = "/one/orders-0/0000"});
  EXPECT_EQ(machine.create(orders_0).error().fault, StorageFault::offline);
  EXPECT_EQ(machine.process->observer.failed, Values({"/one"}));
  ASSERT_TRUE(machine.create(orders_1));
  EXPECT_TRUE(machine.append(orders_1, "a"));
}

TEST(Failures, of_a_disk_that_has_a_partition_twice_do_not_keep_the_server_from_starting) {
  ManagerMachine machine(11, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.stop());
  const std::string log = *machine.disk.contents("/one/orders-0/00000000000000000000.log");
  {
    SimulatedFileSystem files(machine.disk, machine.executor);
    machine.run(make_log_file(files, "/two/orders-0", log));
  }
  machine.disk.faults().plan({.kind = IoKind::list, .path_part = "/two/orders-0"});
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.process->observer.failed, Values({"/two"}));
  EXPECT_EQ(machine.values(orders_0), Values({"a"}));
}

TEST(Failures, a_partition_that_could_not_be_removed_stays_as_it_was) {
  ManagerMachine machine(4);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(1)));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.disk.faults().plan(
      {.kind = IoKind::rename, .fault = IoFault::no_space, .path_part = "/data/orders-0"});
  EXPECT_EQ(machine.remove(orders_0).error().fault, StorageFault::no_space);
  ASSERT_TRUE(machine.manager().failure_of(orders_0));
  // A new topic of that name must not get the old records: the old ones are put away first.
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(1)));
  EXPECT_EQ(machine.values(orders_0), Values({"a"}));
  ASSERT_TRUE(machine.remove(orders_0));
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(2)));
  EXPECT_EQ(machine.values(orders_0), Values());
}

TEST(Failures, a_new_topic_does_not_get_the_records_of_one_that_could_not_be_removed) {
  ManagerMachine machine(5);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(1)));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.disk.faults().plan(
      {.kind = IoKind::rename, .fault = IoFault::no_space, .path_part = "/data/orders-0"});
  EXPECT_FALSE(machine.remove(orders_0));
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(2)));
  EXPECT_EQ(machine.values(orders_0), Values());
  EXPECT_EQ(machine.manager().topic_id_of(orders_0), test_topic_id(2));
}

TEST(Failures, records_that_nobody_knows_of_are_kept_as_stray) {
  ManagerMachine machine(6);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.run(make_log_file(machine.process->files, "/data/orders-1",
                            *machine.disk.contents("/data/orders-0/00000000000000000000.log")));
  ASSERT_TRUE(machine.create(orders_1));
  EXPECT_EQ(machine.values(orders_1), Values());
  const auto described = machine.wait(machine.directories().describe());
  ASSERT_EQ(described.front().kept.size(), 1u);
  EXPECT_EQ(described.front().kept.front().kind, PartitionDirectoryKind::stray);
}

TEST(Failures, a_device_that_fails_while_a_deleted_partition_is_removed_goes_offline) {
  ManagerMachine machine(7, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.remove(orders_0));
  machine.disk.faults().plan({.kind = IoKind::remove, .path_part = "/one/"});
  machine.executor.advance(2min);
  EXPECT_EQ(machine.process->observer.failed, Values({"/one"}));
}

TEST(Failures, those_of_the_checkpoint_files_take_the_directory_offline) {
  ManagerMachine machine(8, {"/one", "/two"}, 2);
  ASSERT_TRUE(machine.start());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(machine.create({"orders", PartitionIndex(i)}));
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(machine.append({"orders", PartitionIndex(i)}, "a"));
    machine.manager_of({"orders", PartitionIndex(i)})
        .find({"orders", PartitionIndex(i)})
        ->set_high_watermark(Offset(1));
  }
  machine.disk.faults().plan(
      {.kind = IoKind::rename, .path_part = "/two/replication-offset-checkpoint"});
  machine.executor.advance(6s);
  EXPECT_EQ(machine.process->observer.failed, Values({"/two"}));
  std::size_t offline = 0;
  for (std::size_t shard = 0; shard < 2; ++shard) {
    for (const auto& log : machine.manager(shard).logs()) offline += log->offline() ? 1u : 0u;
  }
  EXPECT_EQ(offline, 2u);
}

// The one is known and told of; the other says that this stop was none.
TEST(Failures, of_a_directory_at_the_stop_are_told_though_another_one_is_offline) {
  for (const std::string offline : {"/one", "/two"}) {
    const std::string full = offline == "/one" ? "/two" : "/one";
    ManagerMachine machine(12, {"/one", "/two"});
    machine.disk.faults().plan({.kind = IoKind::list, .path_part = offline});
    ASSERT_TRUE(machine.start());
    machine.disk.faults().plan({.kind = IoKind::open,
                                .fault = IoFault::no_space,
                                .path_part = full + "/.kafka_cleanshutdown"});
    const auto stopped = machine.stop();
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().fault, StorageFault::no_space) << stopped.error().message;
    EXPECT_NE(stopped.error().message.find(full), std::string::npos) << stopped.error().message;
  }
}

TEST(Failures, of_checkpoint_files_are_told_though_another_directory_goes_offline) {
  for (const std::string offline : {"/one", "/two"}) {
    const std::string full = offline == "/one" ? "/two" : "/one";
    ManagerMachine machine(13, {"/one", "/two"});
    ASSERT_TRUE(machine.start());
    for (const TopicPartition& partition : {orders_0, orders_1}) {
      ASSERT_TRUE(machine.create(partition));
      ASSERT_TRUE(machine.append(partition, "a"));
      machine.manager().find(partition)->set_high_watermark(Offset(1));
    }
    machine.disk.faults().plan({.kind = IoKind::sync_data, .path_part = offline + "/replication"});
    machine.disk.faults().plan(
        {.kind = IoKind::write, .fault = IoFault::no_space, .path_part = full + "/replication"});
    const auto saved = machine.wait(machine.manager().save(checkpoint_kinds_of_logs));
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().fault, StorageFault::no_space) << saved.error().message;
    EXPECT_EQ(machine.process->observer.failed, Values({offline}));
  }
}

}  // namespace
}  // namespace millrace::storage
