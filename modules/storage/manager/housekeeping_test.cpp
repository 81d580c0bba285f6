// What a manager does by itself, every so often.
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

using namespace std::chrono_literals;

TEST(Housekeeping, retention_runs_at_its_interval) {
  ManagerMachine machine(1);
  machine.config.segment_bytes = 1'000;
  machine.config.retention_bytes = 2'000;
  machine.options.retention_check = 5min;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(200, 'x')));
  const auto start = [&] { return machine.manager().find(orders_0)->start(); };
  machine.manager().find(orders_0)->set_high_watermark(Offset(30));
  machine.executor.advance(29s);
  EXPECT_EQ(start(), Offset(0));
  machine.executor.advance(2s);
  const Offset first = start();
  EXPECT_GT(first, Offset(10));
  EXPECT_LT(first, Offset(30));
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(200, 'x')));
  machine.manager().find(orders_0)->set_high_watermark(Offset(60));
  machine.executor.advance(4min);
  EXPECT_EQ(start(), first);
  machine.executor.advance(2min);
  EXPECT_GT(start(), Offset(40));
}

TEST(Housekeeping, a_topic_with_flush_ms_is_synced_in_time) {
  ManagerMachine machine(2);
  ASSERT_TRUE(machine.start());
  machine.config.flush_interval = 100ms;
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.executor.advance(250ms);
  const auto log = machine.manager().find(orders_0);
  EXPECT_EQ(log->flushed_end(), Offset(1));
}

TEST(Housekeeping, without_flush_ms_nothing_is_synced_before_the_end) {
  ManagerMachine machine(3);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.executor.advance(1h);
  EXPECT_EQ(machine.manager().find(orders_0)->flushed_end(), Offset(0));
}

TEST(Housekeeping, recovery_points_of_logs_that_flush_reach_the_file) {
  ManagerMachine machine(4);
  machine.config.flush_records = 1;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.executor.advance(61s);
  EXPECT_EQ(machine.disk.contents("/data/recovery-point-offset-checkpoint"), "0\n1\norders 0 5\n");
  machine.power_cut(4);
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.scanned_bytes, 0u);
  EXPECT_EQ(machine.values(orders_0).size(), 5u);
}

TEST(Housekeeping, high_watermarks_reach_the_file) {
  ManagerMachine machine(5);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.manager().find(orders_0)->set_high_watermark(Offset(1));
  machine.executor.advance(6s);
  EXPECT_EQ(machine.disk.contents("/data/replication-offset-checkpoint"), "0\n1\norders 0 1\n");
}

TEST(Housekeeping, checkpoint_files_without_changes_are_left_alone) {
  ManagerMachine machine(6);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  machine.executor.advance(2min);
  const std::uint64_t steps = machine.disk.steps();
  machine.executor.advance(1h);
  EXPECT_EQ(machine.disk.steps(), steps);
}

TEST(Housekeeping, a_log_that_had_no_space_to_be_opened_is_tried_again) {
  ManagerMachine machine(7);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.stop());
  machine.disk.faults().plan({.kind = IoKind::open,
                              .fault = IoFault::too_many_open,
                              .path_part = "orders-0/partition.metadata"});
  ASSERT_TRUE(machine.start());
  ASSERT_EQ(machine.report.failed, 1u);
  machine.executor.advance(2min);
  EXPECT_EQ(machine.values(orders_0), std::vector<std::string>({"a"}));
  EXPECT_FALSE(machine.manager().failure_of(orders_0));
}

// A batch of an idempotent producer.
Task<bool> append_of_producer(std::shared_ptr<Log> log, Timestamp timestamp) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  protocol::BatchOptions options;
  options.producer = {ProducerId(7), ProducerEpoch(0), Sequence(0)};
  builder.start(options);
  protocol::RecordInput record;
  record.timestamp = timestamp;
  EXPECT_TRUE(builder.append(record).has_value());
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  std::vector<std::byte> batch(bytes->begin(), bytes->end());
  LeaderAppend append;
  append.batch = batch;
  append.epoch = LeaderEpoch(0);
  co_return (co_await log->append(append)).has_value();
}

TEST(Housekeeping, producers_that_are_silent_for_long_are_forgotten) {
  ManagerMachine machine(17);
  machine.config.producer_expiration = 1h;
  machine.options.producer_check = 10min;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  const auto log = [&] { return machine.manager().find(orders_0); };
  const Timestamp now = machine.executor.clock().wall_now();
  ASSERT_TRUE(machine.wait(append_of_producer(log(), now)));
  machine.executor.advance(59min);
  EXPECT_EQ(log()->producers().size(), 1u);
  machine.executor.advance(12min);
  EXPECT_EQ(log()->producers().size(), 0u);
}

// Batches of one key each: 40 records, 4 keys.
void fill_compacted(ManagerMachine& machine, const TopicPartition& partition) {
  for (int i = 0; i < 40; ++i) {
    const std::string key = "key-" + std::to_string(i % 4);
    ASSERT_TRUE(machine.append_keyed(partition, key, std::string(200, 'x')));
  }
  const auto log = machine.manager().find(partition);
  log->set_high_watermark(log->end());
  ASSERT_TRUE(machine.wait(log->flush()));
}

TEST(Housekeeping, compacted_topics_are_cleaned_and_the_file_says_how_far) {
  ManagerMachine machine(9);
  machine.config.segment_bytes = 1'000;
  machine.config.compacts = true;
  machine.config.deletes = false;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  fill_compacted(machine, orders_0);
  machine.executor.advance(std::chrono::minutes(1));
  EXPECT_GT(machine.manager().cleaner().counters().passes, 0u);
  EXPECT_LT(machine.values(orders_0).size(), 15u);
  const auto log = machine.manager().find(orders_0);
  const Offset cleaned = machine.manager().cleaner().cleaned_end(*log);
  EXPECT_EQ(machine.disk.contents("/data/cleaner-offset-checkpoint"),
            formatted("0\n1\norders 0 {}\n", cleaned));
  // What is cut is not clean any more when it comes again.
  ASSERT_TRUE(machine.wait(machine.manager().truncate(log, cleaned.plus(-1))));
  EXPECT_LT(machine.manager().cleaner().cleaned_end(*log), cleaned);
}

TEST(Housekeeping, a_topic_is_cleaned_when_its_policy_changes_and_can_be_deleted_then) {
  ManagerMachine machine(10);
  machine.config.segment_bytes = 1'000;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  fill_compacted(machine, orders_0);
  machine.executor.advance(std::chrono::minutes(1));
  EXPECT_EQ(machine.values(orders_0).size(), 40u);
  machine.config.compacts = true;
  ASSERT_TRUE(machine.manager().set_config(orders_0, machine.config));
  machine.executor.advance(std::chrono::minutes(1));
  EXPECT_LT(machine.values(orders_0).size(), 15u);
  EXPECT_TRUE(machine.remove(orders_0));
}

TEST(Housekeeping, the_cleaners_interval_changes_while_the_server_runs) {
  ManagerMachine machine(11);
  machine.config.segment_bytes = 1'000;
  machine.config.compacts = true;
  machine.options.cleaner_backoff = 1h;
  ASSERT_TRUE(machine.start());
  machine.options.cleaner_backoff = 1s;
  machine.manager().set_options(machine.options);
  ASSERT_TRUE(machine.create(orders_0));
  fill_compacted(machine, orders_0);
  machine.executor.advance(30s);
  EXPECT_EQ(machine.manager().cleaner().counters().passes, 1u);
  const std::string text = telemetry::exposition_text(machine.process->registry);
  EXPECT_NE(text.find("millrace_cleaner_passes_total 1\n"), std::string::npos);
  EXPECT_NE(text.find("millrace_cleaner_failed_logs 0\n"), std::string::npos);
}

TEST(Housekeeping, cleans_soon_when_it_is_told_to) {
  ManagerMachine machine(12);
  machine.config.segment_bytes = 1'000;
  machine.config.compacts = true;
  machine.options.cleaner_backoff = 1h;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  fill_compacted(machine, orders_0);
  machine.executor.advance(1s);
  EXPECT_EQ(machine.manager().cleaner().counters().passes, 0u);
  machine.manager().clean_soon();
  machine.executor.advance(1s);
  EXPECT_EQ(machine.manager().cleaner().counters().passes, 1u);
}

TEST(Housekeeping, the_cleaners_memory_changes_while_the_server_runs) {
  ManagerMachine machine(13, {"/data"}, 2);
  machine.options.cleaner_buffer_bytes = 8 * mebibyte;
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.manager(0).cleaner().dedupe_buffer_bytes(), 4 * mebibyte);
  for (const std::size_t bytes : {64 * mebibyte, 2 * mebibyte}) {
    machine.options.cleaner_buffer_bytes = bytes;
    for (std::size_t shard = 0; shard < 2; ++shard) {
      machine.manager(shard).set_options(machine.options);
      EXPECT_EQ(machine.manager(shard).cleaner().dedupe_buffer_bytes(), bytes / 2);
    }
  }
}

TEST(Housekeeping, without_the_cleaner_compacted_topics_stay_as_they_are) {
  ManagerMachine machine(14);
  machine.config.segment_bytes = 1'000;
  machine.config.compacts = true;
  machine.options.cleans = false;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  fill_compacted(machine, orders_0);
  ASSERT_TRUE(machine.manager().set_config(orders_0, machine.config));
  machine.executor.advance(1h);
  EXPECT_EQ(machine.manager().cleaner().counters().passes, 0u);
  EXPECT_EQ(machine.values(orders_0).size(), 40u);
}

TEST(Housekeeping, the_cleaners_rate_changes_while_the_server_runs) {
  ManagerMachine machine(15, {"/data"}, 2);
  machine.config.segment_bytes = mebibyte;
  machine.config.compacts = true;
  machine.options.cleaner_backoff = 1h;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(machine.append_keyed(orders_0, "key", std::string(60'000, 'x')));
  }
  const auto passes = [&] { return machine.manager().cleaner().counters().passes; };
  {
    const auto log = machine.manager().find(orders_0);
    ASSERT_GT(log->segments().size(), 2u);
    log->set_high_watermark(log->end());
    ASSERT_TRUE(machine.wait(log->flush()));
  }
  // Two mebibytes are read twice, and each of the two shards has half of the rate.
  machine.options.cleaner_bytes_per_second = 100'000;
  machine.manager().set_options(machine.options);
  machine.executor.advance(60s);
  EXPECT_EQ(passes(), 0u);
  machine.executor.advance(60s);
  EXPECT_EQ(passes(), 1u);
}

TEST(Housekeeping, neither_removal_nor_stop_waits_for_a_slow_pass_on_another_log) {
  const TopicPartition orders_2{"orders", PartitionIndex(2)};
  ManagerMachine machine(22);
  machine.config.segment_bytes = mebibyte;
  machine.config.compacts = true;
  machine.options.cleaner_backoff = 1h;
  machine.options.cleaner_bytes_per_second = 1'000;
  ASSERT_TRUE(machine.start());
  for (const auto& partition : {orders_0, orders_1, orders_2}) {
    ASSERT_TRUE(machine.create(partition));
  }
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(machine.append_keyed(orders_2, "key", std::string(60'000, 'x')));
  }
  {
    const auto log = machine.manager().find(orders_2);
    log->set_high_watermark(log->end());
    ASSERT_TRUE(machine.wait(log->flush()));
  }
  machine.manager().clean_soon();
  machine.executor.advance(1min);
  const MonotonicTime began = machine.executor.clock().now();
  EXPECT_TRUE(machine.remove(orders_0));
  EXPECT_EQ(machine.manager().cleaner().counters().bytes_read, 0u) << "the pass goes on";
  EXPECT_TRUE(machine.stop());
  EXPECT_LT(machine.executor.clock().now() - began, 10s);
  EXPECT_TRUE(machine.disk.contents("/data/.kafka_cleanshutdown"));
}

TEST(Housekeeping, a_log_start_that_was_refused_is_not_saved_with_the_one_of_another_log) {
  ManagerMachine machine(21);
  ASSERT_TRUE(machine.start());
  for (const TopicPartition& partition : {orders_0, orders_1}) {
    ASSERT_TRUE(machine.create(partition));
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.append(partition, "x"));
    machine.manager().find(partition)->set_high_watermark(Offset(10));
    ASSERT_TRUE(machine.wait(machine.manager().find(partition)->flush()));
  }
  machine.disk.faults().plan({.kind = IoKind::write,
                              .fault = IoFault::no_space,
                              .path_part = "log-start-offset-checkpoint"});
  EXPECT_FALSE(machine.wait(machine.manager().find(orders_0)->delete_below(Offset(8))));
  EXPECT_TRUE(machine.wait(machine.manager().find(orders_1)->delete_below(Offset(3))));
  machine.power_cut(21);
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.values(orders_0).size(), 10u);
  EXPECT_EQ(machine.values(orders_1).size(), 7u);
}

// For lack of a descriptor nothing goes. On a full disk segments go one after the other, which
// needs no file that says where the log begins: else there would never be room again.
TEST(Housekeeping, a_retention_that_cannot_save_the_log_start_still_makes_room_on_a_full_disk) {
  for (const IoFault fault : {IoFault::too_many_open, IoFault::no_space}) {
    ManagerMachine machine(8);
    machine.config.segment_bytes = 1'000;
    machine.config.retention_bytes = 2'000;
    ASSERT_TRUE(machine.start());
    ASSERT_TRUE(machine.create(orders_0));
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(200, 'x')));
    machine.manager().find(orders_0)->set_high_watermark(Offset(30));
    machine.disk.faults().plan(
        {.kind = IoKind::write, .fault = fault, .path_part = "log-start-offset-checkpoint"});
    machine.run(machine.manager().apply_retention());
    const std::size_t left = machine.values(orders_0).size();
    if (fault == IoFault::no_space) EXPECT_LT(left, 30u);
    if (fault != IoFault::no_space) EXPECT_EQ(left, 30u);
    machine.run(machine.manager().apply_retention());
    EXPECT_LT(machine.values(orders_0).size(), 30u);
  }
}

// Its segments went one by one, without a file that says where the log begins.
TEST(Housekeeping, a_log_start_that_had_no_space_reaches_the_file_later) {
  ManagerMachine machine(16);
  machine.config.segment_bytes = 1'000;
  machine.config.retention_bytes = 2'000;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(200, 'x')));
  machine.manager().find(orders_0)->set_high_watermark(Offset(30));
  machine.disk.faults().plan({.kind = IoKind::write,
                              .fault = IoFault::no_space,
                              .path_part = "log-start-offset-checkpoint"});
  machine.run(machine.manager().apply_retention());
  const Offset start = machine.manager().find(orders_0)->start();
  ASSERT_GT(start, Offset(0));
  const auto in_file = [&] { return machine.disk.contents("/data/log-start-offset-checkpoint"); };
  const std::string line = formatted("orders 0 {}\n", start);
  ASSERT_EQ(in_file().value_or("").find(line), std::string::npos);
  machine.executor.advance(61s);
  EXPECT_NE(in_file().value_or("").find(line), std::string::npos) << in_file().value_or("");
}

// Each at its own time, whatever the others have.
TEST(Housekeeping, topics_with_several_flush_ms_are_synced_when_they_are_due) {
  ManagerMachine machine(12);
  machine.config.flush_records.reset();
  ASSERT_TRUE(machine.start());
  constexpr std::int32_t count = 200;
  const auto partition = [](std::int32_t number) {
    return TopicPartition{"orders", PartitionIndex(number)};
  };
  const auto interval = [](std::int32_t number) { return Milliseconds(50 * (1 + number % 4)); };
  for (std::int32_t i = 0; i < count; ++i) {
    machine.config.flush_interval = interval(i);
    ASSERT_TRUE(machine.create(partition(i)));
  }
  for (int round = 0; round < 3; ++round) {
    for (std::int32_t i = 0; i < count; ++i) ASSERT_TRUE(machine.append(partition(i), "a"));
    machine.executor.advance(450ms);
    for (std::int32_t i = 0; i < count; ++i) {
      const auto log = machine.manager().find(partition(i));
      EXPECT_EQ(log->flushed_end(), log->end()) << i;
    }
  }
  // A shorter one holds at once, and without one nothing is synced any more.
  machine.config.flush_interval = 1h;
  for (std::int32_t i = 0; i < count; ++i) {
    ASSERT_TRUE(machine.manager().set_config(partition(i), machine.config));
    ASSERT_TRUE(machine.append(partition(i), "a"));
  }
  machine.executor.advance(1s);
  for (std::int32_t i = 0; i < count; ++i) {
    const auto log = machine.manager().find(partition(i));
    EXPECT_LT(log->flushed_end(), log->end()) << i;
    machine.config.flush_interval = i % 2 == 0 ? std::optional(Milliseconds(0)) : std::nullopt;
    ASSERT_TRUE(machine.manager().set_config(partition(i), machine.config));
  }
  machine.executor.advance(1s);
  for (std::int32_t i = 0; i < count; ++i) {
    const auto log = machine.manager().find(partition(i));
    EXPECT_EQ(log->flushed_end() == log->end(), i % 2 == 0) << i;
  }
}

}  // namespace
}  // namespace millrace::storage
