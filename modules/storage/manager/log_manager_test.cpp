// The logs of a server through starts, stops and power cuts. Also proves keeper.cppm.
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

using Values = std::vector<std::string>;

TEST(LogManager, finds_its_logs_again_after_a_stop_and_reads_no_records) {
  ManagerMachine machine(1);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.create(orders_1));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.append(orders_0, "b"));
  ASSERT_TRUE(machine.stop());

  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.opened, 2u);
  EXPECT_EQ(machine.report.recovered, 0u);
  EXPECT_EQ(machine.report.scanned_bytes, 0u);
  EXPECT_EQ(machine.directories().stopped_epoch(), BrokerEpoch(7));
  EXPECT_EQ(machine.values(orders_0), Values({"a", "b"}));
  EXPECT_EQ(machine.values(orders_1), Values());
  ASSERT_TRUE(machine.append(orders_0, "c"));
  EXPECT_EQ(machine.values(orders_0), Values({"a", "b", "c"}));
}

TEST(LogManager, recovers_its_logs_after_the_process_was_killed) {
  ManagerMachine machine(2);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.end_of_process();

  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.recovered, 1u);
  EXPECT_GT(machine.report.scanned_bytes, 0u);
  EXPECT_EQ(machine.directories().stopped_epoch(), std::nullopt);
  EXPECT_EQ(machine.values(orders_0), Values({"a"}));
}

TEST(LogManager, finds_a_partition_of_the_same_topic_where_it_is) {
  ManagerMachine machine(3);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(1)));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(1)));
  EXPECT_EQ(machine.values(orders_0), Values({"a"}));
}

TEST(LogManager, keeps_what_belongs_to_a_topic_with_another_id_as_stray) {
  ManagerMachine machine(4);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(1)));
  ASSERT_TRUE(machine.append(orders_0, "of the old topic"));
  ASSERT_TRUE(machine.stop());
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(2)));
  EXPECT_EQ(machine.values(orders_0), Values());
  EXPECT_EQ(machine.manager().topic_id_of(orders_0), test_topic_id(2));
  ASSERT_TRUE(machine.stop());
  ASSERT_TRUE(machine.start());
  const auto directories = machine.wait(machine.directories().describe());
  ASSERT_EQ(directories.front().kept.size(), 1u);
  EXPECT_EQ(directories.front().kept.front().kind, PartitionDirectoryKind::stray);
  EXPECT_EQ(machine.manager().topic_id_of(orders_0), test_topic_id(2));
}

TEST(LogManager, removes_the_files_of_a_deleted_partition_after_the_delay) {
  ManagerMachine machine(5);
  machine.config.file_delete_delay = std::chrono::minutes(1);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.remove(orders_0));
  EXPECT_EQ(machine.manager().find(orders_0), nullptr);
  EXPECT_NE(machine.disk.dump().find("-delete"), std::string::npos);
  machine.executor.advance(std::chrono::minutes(2));
  machine.disk.sync_all();
  EXPECT_EQ(machine.disk.dump().find("-delete"), std::string::npos);
  EXPECT_EQ(machine.remove(orders_0).error().fault, StorageFault::not_found);
}

TEST(LogManager, a_partition_made_under_the_name_of_a_deleted_one_inherits_nothing) {
  ManagerMachine machine(6);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(1)));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.append(orders_0, "old"));
  {
    const auto log = machine.manager().find(orders_0);
    log->set_high_watermark(log->end());
    ASSERT_TRUE(machine.wait(log->delete_below(Offset(8))));
    ASSERT_TRUE(machine.wait(log->flush()));
  }
  ASSERT_TRUE(machine.wait(machine.manager().save(checkpoint_kinds_of_logs)));
  ASSERT_TRUE(machine.remove(orders_0));
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(2)));
  ASSERT_TRUE(machine.append(orders_0, "new"));
  machine.end_of_process();
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.values(orders_0), Values({"new"}));
}

// Opened once more in the last moment, a file of the old log would be taken for one of the new log,
// which has the same names.
TEST(LogManager, who_reads_while_a_partition_is_removed_is_not_in_the_way_of_the_next_one) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    ManagerMachine machine(seed);
    machine.config.segment_bytes = 1'000;
    machine.config.index_interval_bytes = 200;
    ASSERT_TRUE(machine.start());
    ASSERT_TRUE(machine.create(orders_0, test_topic_id(1)));
    for (int i = 0; i < 12; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(200, 'x')));
    ASSERT_TRUE(machine.stop());
    machine.files.slow = 0.3;
    ASSERT_TRUE(machine.start());
    TaskGroup reading;
    const auto read = [](std::shared_ptr<Log> log, std::int64_t from) -> Task<void> {
      for (Offset at(from); at < log->end(); at = at.next()) {
        const auto slice = co_await log->read({at, log->end(), 300, true});
        if (!slice) break;
        static_cast<void>(co_await log->load_verified(*slice));
        static_cast<void>(co_await log->find_timestamp(Timestamp(1'000), log->end()));
      }
    };
    for (std::int64_t from = 0; from < 12; ++from) {
      reading.start(read(machine.manager().find(orders_0), from));
    }
    ASSERT_TRUE(seed % 2 == 0 ? machine.wait(machine.manager().set_aside(orders_0))
                              : machine.remove(orders_0));
    ASSERT_TRUE(machine.create(orders_0, test_topic_id(2)));
    while (reading.running() > 0) {
      machine.executor.run_until_idle();
      if (reading.running() > 0) ASSERT_TRUE(machine.executor.advance_to_next_timer());
    }
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(machine.append(orders_0, "new"));
    ASSERT_EQ(machine.values(orders_0), Values(6, "new"));
    const auto written = machine.disk.contents("/data/orders-0/00000000000000000000.log");
    ASSERT_TRUE(written);
    EXPECT_EQ(written->size(), machine.manager().find(orders_0)->size_bytes());
    ASSERT_TRUE(machine.stop());
    ASSERT_TRUE(machine.start());
    EXPECT_EQ(machine.values(orders_0), Values(6, "new"));
  }
}

TEST(LogManager, high_watermarks_survive_a_stop_and_a_crash) {
  ManagerMachine machine(7);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append(orders_0, "x"));
  machine.manager().find(orders_0)->set_high_watermark(Offset(3));
  ASSERT_TRUE(machine.stop());
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.manager().find(orders_0)->high_watermark(), Offset(3));
  machine.manager().find(orders_0)->set_high_watermark(Offset(4));
  ASSERT_TRUE(machine.wait(machine.manager().save(checkpoint_kinds_of_logs)));
  machine.power_cut(7);
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.manager().find(orders_0)->high_watermark(), Offset(4));
}

TEST(LogManager, partitions_of_all_shards_share_the_directories) {
  ManagerMachine machine(8, {"/one", "/two"}, 3);
  ASSERT_TRUE(machine.start());
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(machine.create({"orders", PartitionIndex(i)}));
    ASSERT_TRUE(machine.append({"orders", PartitionIndex(i)}, "a"));
  }
  EXPECT_EQ(machine.directories().at(DirectoryIndex(0)).partitions(), 6u);
  EXPECT_EQ(machine.directories().at(DirectoryIndex(1)).partitions(), 6u);
  ASSERT_TRUE(machine.stop());
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.opened, 12u);
  EXPECT_EQ(machine.report.recovered, 0u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(machine.manager(i).count(), 4u);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(machine.values({"orders", PartitionIndex(i)}), Values({"a"}));
  }
}

TEST(LogManager, shards_share_the_limit_of_producers) {
  for (const std::uint32_t shards : {1u, 4u}) {
    ManagerMachine machine(31, {"/data"}, shards);
    ASSERT_TRUE(machine.start());
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      const TopicPartition partition{"orders", PartitionIndex(static_cast<std::int32_t>(shard))};
      ASSERT_TRUE(machine.create(partition));
      const auto log = machine.manager(shard).find(partition);
      const ProducerBudget& budget = log->producers().budget();
      const std::size_t share = broker_producers_max_default / shards;
      EXPECT_TRUE(budget.has_room(0, share - 1));
      EXPECT_FALSE(budget.has_room(0, share));
    }
  }
}

TEST(LogManager, a_directory_that_fails_takes_its_logs_of_all_shards_offline_and_no_others) {
  ManagerMachine machine(9, {"/one", "/two"}, 2);
  ASSERT_TRUE(machine.start());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(machine.create({"orders", PartitionIndex(i)}));
  machine.disk.faults().plan({.kind = IoKind::write, .path_part = "/one/orders"});
  std::size_t refused = 0;
  std::size_t taken = 0;
  for (int i = 0; i < 8; ++i) {
    (machine.append({"orders", PartitionIndex(i)}, "a") ? taken : refused) += 1;
  }
  EXPECT_EQ(refused, 4u);
  EXPECT_EQ(taken, 4u);
  EXPECT_EQ(machine.disk.faults().injected(), 1u);
  EXPECT_EQ(machine.process->observer.failed, Values({"/one"}));
  EXPECT_EQ(machine.process->observer.all_failed, 0);
  machine.disk.faults().clear();
  // New partitions lie where they can be stored; the lost directory is not left in order.
  ASSERT_TRUE(machine.create({"orders", PartitionIndex(8)}));
  ASSERT_TRUE(machine.append({"orders", PartitionIndex(8)}, "a"));
  EXPECT_FALSE(machine.stop());
  EXPECT_FALSE(machine.disk.contents("/one/.kafka_cleanshutdown"));
  EXPECT_TRUE(machine.disk.contents("/two/.kafka_cleanshutdown"));
}

TEST(LogManager, tells_when_no_directory_is_left) {
  ManagerMachine machine(10);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  machine.disk.faults().plan({.kind = IoKind::write, .path_part = "/data/orders"});
  EXPECT_FALSE(machine.append(orders_0, "a"));
  EXPECT_EQ(machine.process->observer.all_failed, 1);
  EXPECT_FALSE(machine.create(orders_1));
}

TEST(LogManager, a_log_that_cannot_be_opened_leaves_the_others_alone_and_is_tried_again) {
  ManagerMachine machine(11);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.create(orders_1));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.append(orders_1, "b"));
  ASSERT_TRUE(machine.stop());
  machine.disk.faults().plan({.kind = IoKind::open,
                              .fault = IoFault::too_many_open,
                              .path_part = "orders-0/partition.metadata"});
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.failed, 1u);
  EXPECT_EQ(machine.manager().find(orders_0), nullptr);
  ASSERT_TRUE(machine.manager().failure_of(orders_0));
  EXPECT_EQ(machine.values(orders_1), Values({"b"}));
  ASSERT_TRUE(machine.create(orders_0));
  EXPECT_EQ(machine.values(orders_0), Values({"a"}));
}

TEST(LogManager, stops_when_those_who_make_and_remove_partitions_are_done) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    ManagerMachine machine(seed);
    machine.files.completion = static_cast<SimulatedCompletion>(seed % 3);
    ASSERT_TRUE(machine.start());
    ASSERT_TRUE(machine.create(orders_0));
    std::size_t ended = 0;
    const auto create = [&](TopicPartition partition) -> Task<void> {
      static_cast<void>(co_await machine.manager().create(partition, test_topic_id(1),
                                                          machine.config, Novelty::is_new));
      ++ended;
    };
    const auto remove = [&](TopicPartition partition) -> Task<void> {
      static_cast<void>(co_await machine.manager().remove(partition));
      ++ended;
    };
    TaskGroup tasks;
    tasks.start(create(orders_1));
    tasks.start(remove(orders_0));
    tasks.start(create(orders_0));
    ASSERT_TRUE(machine.stop());
    EXPECT_EQ(tasks.running(), 0u);
    EXPECT_EQ(ended, 3u);
    ASSERT_TRUE(machine.start());
    EXPECT_EQ(machine.report.failed, 0u);
    EXPECT_EQ(machine.report.recovered, 0u);
  }
}

TEST(LogManager, refuses_names_that_are_no_topics) {
  ManagerMachine machine(12);
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.create({"..", PartitionIndex(0)}).error().fault, StorageFault::invalid);
  EXPECT_EQ(machine.create({"a/b", PartitionIndex(0)}).error().fault, StorageFault::invalid);
  EXPECT_EQ(machine.create({"a", PartitionIndex(-1)}).error().fault, StorageFault::invalid);
}

}  // namespace
}  // namespace millrace::storage
