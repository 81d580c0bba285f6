// Also proves deletions.cpp, deletions.cppm.
#include "test_batches.hpp"

namespace millrace::storage {
namespace {

constexpr std::int64_t day = 24ll * 60 * 60 * 1'000;

// Segments of five records, of 100 bytes and one second each.
void fill(LogMachine& machine, int count) {
  machine.config.segment_bytes = 500;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < count; ++i) {
    const TestBatch batch{{std::string(32, 'v')}, Timestamp(10 * day + i * 1'000)};
    ASSERT_EQ(encode(batch).size(), 100u);
    ASSERT_TRUE(machine.append(batch));
  }
  machine.log->set_high_watermark(machine.log->end());
}

std::size_t apply(LogMachine& machine) {
  const auto applied = machine.wait(machine.log->apply_retention());
  EXPECT_TRUE(applied) << applied.error().message;
  return applied.value_or(1'000);
}

TEST(Retention, by_time_counts_from_the_youngest_record_of_a_segment) {
  LogMachine machine(1);
  machine.config.retention = Milliseconds(60'000);
  fill(machine, 20);
  const auto at = [&](std::int64_t second) {
    machine.executor.manual_clock().set_wall(Timestamp(10 * day + second * 1'000));
  };
  at(4 + 60);
  EXPECT_EQ(apply(machine), 0u);
  at(4 + 61);
  EXPECT_EQ(apply(machine), 1u);
  EXPECT_EQ(machine.log->start(), Offset(5));
  at(14 + 60);
  EXPECT_EQ(apply(machine), 1u);
  EXPECT_EQ(machine.log->start(), Offset(10));
  // All, the last one too: the log goes on behind it.
  at(1'000);
  EXPECT_EQ(apply(machine), 2u);
  EXPECT_EQ(machine.log->start(), Offset(20));
  EXPECT_EQ(machine.log->end(), Offset(20));
  EXPECT_EQ(machine.log->segments().size(), 1u);
  EXPECT_EQ(apply(machine), 0u);
  ASSERT_TRUE(machine.append({{"next"}}));
  machine.reopen();
  EXPECT_EQ(machine.log->start(), Offset(20));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"next"}));
  ASSERT_TRUE(machine.close());
}

TEST(Retention, by_size_keeps_at_least_what_was_asked_for) {
  for (const std::uint64_t bytes :
       {0u, 400u, 499u, 500u, 501u, 999u, 1'000u, 1'900u, 2'000u, 9'000u}) {
    LogMachine machine(2);
    machine.config.retention.reset();
    machine.config.retention_bytes = bytes;
    fill(machine, 20);
    ASSERT_EQ(machine.log->size_bytes(), 2'000u);
    apply(machine);
    EXPECT_GE(machine.log->size_bytes(), std::min<std::uint64_t>(bytes, 2'000)) << bytes;
    EXPECT_LT(machine.log->size_bytes(), bytes + 500) << bytes;
    ASSERT_TRUE(machine.close());
  }
}

TEST(Retention, never_touches_what_is_not_replicated) {
  LogMachine machine(3);
  machine.config.retention_bytes = 0;
  fill(machine, 20);
  machine.executor.manual_clock().set_wall(Timestamp(1'000 * day));
  LogMachine unreplicated(3);
  unreplicated.config.retention_bytes = 0;
  unreplicated.config.segment_bytes = 500;
  ASSERT_TRUE(unreplicated.open());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(unreplicated.append({{std::string(32, 'v')}}));
  EXPECT_EQ(apply(unreplicated), 0u);
  unreplicated.log->set_high_watermark(Offset(9));
  EXPECT_EQ(apply(unreplicated), 1u);
  unreplicated.log->set_high_watermark(Offset(10));
  EXPECT_EQ(apply(unreplicated), 1u);
  EXPECT_EQ(unreplicated.log->start(), Offset(10));
  ASSERT_TRUE(unreplicated.close());
  ASSERT_TRUE(machine.close());
}

TEST(Retention, of_a_compacted_topic_goes_by_the_log_start_alone) {
  LogMachine machine(4);
  machine.config.deletes = false;
  machine.config.compacts = true;
  machine.config.retention_bytes = 0;
  fill(machine, 20);
  machine.executor.manual_clock().set_wall(Timestamp(1'000 * day));
  EXPECT_EQ(apply(machine), 0u);
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(11))));
  EXPECT_EQ(machine.log->segments().size(), 2u);
  EXPECT_EQ(machine.log->segments().front()->base(), Offset(10));
  ASSERT_TRUE(machine.close());
}

TEST(Retention, delete_below_is_durable_and_bounded_by_the_high_watermark) {
  LogMachine machine(5);
  fill(machine, 20);
  machine.log->set_high_watermark(Offset(12));
  const auto above = machine.wait(machine.log->delete_below(Offset(13)));
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().fault, StorageFault::invalid);
  ASSERT_TRUE(machine.wait(machine.log->flush()));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(12))));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(3))));
  EXPECT_EQ(machine.log->start(), Offset(12));
  EXPECT_EQ(machine.records().front().offset, Offset(12));
  machine.power_cut(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.log->start(), Offset(12));
  EXPECT_EQ(machine.records().size(), 8u);
  EXPECT_EQ(machine.log->segments().front()->base(), Offset(10));
  ASSERT_TRUE(machine.close());
}

TEST(Retention, without_space_for_the_log_start_nothing_is_deleted) {
  LogMachine machine(6);
  fill(machine, 20);
  machine.disk.faults().plan({.kind = IoKind::write,
                              .fault = IoFault::no_space,
                              .path_part = "log-start-offset-checkpoint"});
  const auto refused = machine.wait(machine.log->delete_below(Offset(12)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, StorageFault::no_space);
  EXPECT_EQ(machine.log->start(), Offset(0));
  EXPECT_EQ(machine.records().size(), 20u);
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(12))));
  EXPECT_EQ(machine.records().size(), 8u);
  ASSERT_TRUE(machine.close());
}

TEST(Retention, without_space_for_a_snapshot_a_deleted_segment_stays_until_there_is) {
  LogMachine machine(14);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(from_producer(0, {"first"})));
  machine.disk.faults().plan({.kind = IoKind::write,
                              .fault = IoFault::no_space,
                              .path_part = ".snapshot",
                              .times = PlannedFault::always});
  ASSERT_TRUE(machine.wait(machine.log->roll()));
  ASSERT_TRUE(machine.append({{"second"}}));
  machine.log->set_high_watermark(Offset(2));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(1))));
  EXPECT_EQ(machine.log->start(), Offset(1));
  EXPECT_EQ(machine.log->segments().size(), 2u);
  machine.disk.faults().clear();
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  const auto again = machine.append(from_producer(0, {"first"}));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  ASSERT_TRUE(machine.wait(machine.log->apply_retention()));
  EXPECT_EQ(machine.log->segments().size(), 1u);
  ASSERT_TRUE(machine.close());
}

TEST(Retention, a_reader_finishes_and_the_files_go_after_the_delay) {
  LogMachine machine(7);
  machine.config.file_delete_delay = Milliseconds(60'000);
  fill(machine, 20);
  auto slice = machine.wait(machine.log->read({Offset(0), Offset(20), 1'000, true}));
  ASSERT_TRUE(slice);
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(10))));
  const auto deleted = LogMachine::path(0, SegmentFileKind::log, FileStage::deleted);
  EXPECT_FALSE(machine.has_file(LogMachine::path(0, SegmentFileKind::log)));
  EXPECT_TRUE(machine.has_file(deleted));
  machine.executor.advance(std::chrono::milliseconds(59'000));
  EXPECT_TRUE(machine.has_file(deleted));
  EXPECT_EQ(machine.wait(machine.log->load_verified(*slice))->size(), 500u);
  machine.executor.advance(std::chrono::milliseconds(2'000));
  EXPECT_FALSE(machine.has_file(deleted));
  EXPECT_FALSE(
      machine.has_file(LogMachine::path(0, SegmentFileKind::offset_index, FileStage::deleted)));
  EXPECT_EQ(machine.wait(machine.log->load_verified(*slice))->size(), 500u);
  *slice = LogSlice();
  ASSERT_TRUE(machine.close());
}

TEST(Retention, a_shorter_delay_does_not_wait_for_a_longer_one) {
  LogMachine machine(12);
  machine.config.file_delete_delay = Milliseconds(60'000);
  fill(machine, 20);
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(5))));
  machine.config.file_delete_delay = Milliseconds(1'000);
  machine.log->set_config(machine.config);
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(10))));
  machine.executor.advance(std::chrono::milliseconds(1'500));
  EXPECT_FALSE(machine.has_file(LogMachine::path(5, SegmentFileKind::log, FileStage::deleted)));
  EXPECT_TRUE(machine.has_file(LogMachine::path(0, SegmentFileKind::log, FileStage::deleted)));
  machine.executor.advance(std::chrono::milliseconds(60'000));
  EXPECT_FALSE(machine.has_file(LogMachine::path(0, SegmentFileKind::log, FileStage::deleted)));
  ASSERT_TRUE(machine.close());
}

TEST(Retention, closing_removes_what_waits_to_be_removed) {
  LogMachine machine(8);
  fill(machine, 20);
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(10))));
  ASSERT_TRUE(machine.close());
  EXPECT_FALSE(machine.has_file(LogMachine::path(0, SegmentFileKind::log, FileStage::deleted)));
}

TEST(Retention, files_that_cannot_be_removed_go_with_the_next_start) {
  LogMachine machine(9);
  fill(machine, 20);
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(10))));
  machine.disk.faults().plan(
      {.kind = IoKind::remove, .fault = IoFault::invalid, .times = PlannedFault::always});
  machine.executor.advance(std::chrono::minutes(2));
  EXPECT_TRUE(machine.lines->says("remove"));
  machine.disk.faults().clear();
  const auto deleted = LogMachine::path(0, SegmentFileKind::log, FileStage::deleted);
  EXPECT_TRUE(machine.has_file(deleted));
  machine.reopen();
  EXPECT_FALSE(machine.has_file(deleted));
  ASSERT_TRUE(machine.close());
}

TEST(Retention, a_device_that_cannot_remove_files_is_left_alone) {
  LogMachine machine(13);
  fill(machine, 20);
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(10))));
  machine.disk.faults().plan({.kind = IoKind::remove});
  machine.executor.advance(std::chrono::minutes(2));
  EXPECT_TRUE(machine.log->offline());
  EXPECT_EQ(machine.process->keeper.offline.size(), 1u);
  const std::uint64_t steps = machine.disk.steps();
  machine.executor.advance(std::chrono::minutes(2));
  machine.run(machine.log->abandon());
  EXPECT_EQ(machine.disk.steps(), steps);
}

// As in Kafka: what was written last is as old as its file, however often the process starts.
TEST(Retention, without_timestamps_counts_from_the_last_change_of_the_file) {
  LogMachine machine(15);
  machine.config.segment_bytes = 500;
  machine.config.retention = Milliseconds(2 * day);
  machine.executor.manual_clock().set_wall(Timestamp(10 * day));
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(machine.append({{std::string(32, 'v')}, no_timestamp}));
    if (i == 4) machine.executor.manual_clock().set_wall(Timestamp(11 * day));
  }
  machine.log->set_high_watermark(Offset(10));
  for (const auto& [time, left] :
       {std::pair(12 * day - 1'000, 3u), std::pair(12 * day + 1'000, 2u),
        std::pair(13 * day - 1'000, 2u), std::pair(13 * day + 1'000, 1u)}) {
    machine.executor.manual_clock().set_wall(Timestamp(time));
    machine.reopen();
    machine.log->set_high_watermark(Offset(10));
    apply(machine);
    EXPECT_EQ(machine.log->segments().size(), left) << time;
  }
  ASSERT_TRUE(machine.close());
}

TEST(Retention, without_a_time_keeps_everything_for_ever) {
  LogMachine machine(16);
  machine.config.retention.reset();
  fill(machine, 20);
  machine.executor.manual_clock().set_wall(Timestamp(100'000 * day));
  EXPECT_EQ(apply(machine), 0u);
  ASSERT_TRUE(machine.close());
}

TEST(Retention, segments_with_records_of_the_far_future_stay_and_are_told_of_once) {
  LogMachine machine(17);
  machine.config.segment_bytes = 500;
  machine.config.retention = Milliseconds(60'000);
  machine.executor.manual_clock().set_wall(Timestamp(10 * day));
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 17; ++i) {
    const bool odd = i == 7;
    ASSERT_TRUE(
        machine.append({{std::string(32, 'v')},
                        odd ? Timestamp(std::numeric_limits<std::int64_t>::max()) : Timestamp(0)}));
  }
  machine.log->set_high_watermark(machine.log->end());
  EXPECT_EQ(apply(machine), 2u);
  EXPECT_EQ(apply(machine), 0u);
  EXPECT_EQ(machine.log->start(), Offset(7));
  EXPECT_EQ(std::count_if(machine.lines->lines.begin(), machine.lines->lines.end(),
                          [](const std::string& line) {
                            return line.find("in the future") != std::string::npos;
                          }),
            1);
  // By size it goes all the same, and what it kept goes with it.
  machine.config.retention_bytes = 200;
  machine.log->set_config(machine.config);
  EXPECT_EQ(apply(machine), 2u);
  ASSERT_TRUE(machine.close());
}

// The disk has no place for the file of the next segment: what can go without it goes.
TEST(Retention, older_segments_go_where_there_is_no_space_for_a_new_one) {
  for (const IoFault fault : {IoFault::no_space, IoFault::too_many_open}) {
    LogMachine machine(18);
    machine.config.retention = Milliseconds(60'000);
    fill(machine, 20);
    machine.executor.manual_clock().set_wall(Timestamp(100 * day));
    machine.disk.faults().plan({.kind = IoKind::open,
                                .fault = fault,
                                .path_part = "00000000000000000020.log",
                                .times = PlannedFault::always});
    EXPECT_EQ(apply(machine), 3u);
    EXPECT_EQ(machine.log->start(), Offset(15));
    EXPECT_EQ(machine.log->segments().size(), 1u);
    EXPECT_TRUE(machine.lines->says("00000000000000000020.log"));
    EXPECT_FALSE(machine.wait(machine.log->apply_retention()));
    machine.disk.faults().clear();
    EXPECT_EQ(apply(machine), 1u);
    EXPECT_EQ(machine.log->start(), Offset(20));
    ASSERT_TRUE(machine.close());
  }
}

// Segments that may go, and no space: not even for the files that say where logs begin.
void grow_old_on_a_full_disk(LogMachine& machine) {
  machine.config.retention = Milliseconds(60'000);
  fill(machine, 22);
  ASSERT_TRUE(machine.wait(machine.log->flush()));
  machine.executor.advance(std::chrono::seconds(10));
  machine.executor.manual_clock().set_wall(Timestamp(10 * day + 14'000 + 60'001));
  for (const IoKind kind : {IoKind::write, IoKind::open}) {
    machine.disk.faults().plan({.kind = kind,
                                .fault = IoFault::no_space,
                                .path_part = ".tmp",
                                .times = PlannedFault::always});
  }
}

TEST(Retention, makes_room_on_a_disk_that_is_full_to_the_last_byte) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LogMachine machine(seed, slowly);
    ASSERT_NO_FATAL_FAILURE(grow_old_on_a_full_disk(machine));
    EXPECT_EQ(apply(machine), 3u);
    EXPECT_EQ(machine.log->start(), Offset(15));
    EXPECT_EQ(machine.records().size(), 7u);
    machine.power_cut(seed);
    machine.disk.faults().clear();
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(machine.log->start(), Offset(15));
    EXPECT_EQ(machine.records().size(), 7u);
    ASSERT_TRUE(machine.close());
  }
}

// There the start of the log tells nothing of what was under way: a segment that is back after a
// power cut must be whole, or what was aborted in it would be read.
TEST(Retention, on_a_full_disk_no_index_goes_before_its_segment) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    LogMachine machine(seed);
    ASSERT_NO_FATAL_FAILURE(grow_old_on_a_full_disk(machine));
    machine.disk.cut_power_at(machine.disk.steps() + 1 + seed % 20, seed);
    static_cast<void>(machine.wait(machine.log->apply_retention()));
    machine.disk.cut_power_at(0, 0);
    machine.power_cut(seed);
    for (const std::int64_t base : {0, 5, 10, 15}) {
      if (!machine.has_file(LogMachine::path(base, SegmentFileKind::log))) continue;
      EXPECT_TRUE(machine.has_file(LogMachine::path(base, SegmentFileKind::time_index)))
          << base << ", seed " << seed;
    }
    machine.disk.faults().clear();
    ASSERT_TRUE(machine.open());
    ASSERT_TRUE(machine.close());
  }
}

TEST(Retention, a_segment_whose_batches_are_damaged_does_not_keep_the_others) {
  LogMachine machine(19);
  machine.config.retention = Milliseconds(60'000);
  fill(machine, 22);
  ASSERT_TRUE(machine.close());
  machine.restart();
  const std::string path = LogMachine::path(5, SegmentFileKind::log);
  std::string bytes = machine.contents(path);
  for (std::size_t i = 8; i < 16; ++i) bytes[i] = '\x7f';
  machine.executor.manual_clock().set_wall(Timestamp(10 * day));
  machine.write_file(path, bytes);
  machine.remove_file(LogMachine::path(5, SegmentFileKind::time_index));
  ASSERT_TRUE(machine.open(true));
  machine.log->set_high_watermark(machine.log->end());
  machine.executor.manual_clock().set_wall(Timestamp(10 * day + 60'000));
  EXPECT_EQ(apply(machine), 0u);
  machine.executor.manual_clock().set_wall(Timestamp(10 * day + 14'000 + 60'001));
  EXPECT_EQ(apply(machine), 3u);
  EXPECT_EQ(machine.log->start(), Offset(15));
  EXPECT_TRUE(machine.lines->says(path));
  ASSERT_TRUE(machine.close());
}

// Compaction, Kafka's too, may leave nothing of a segment.
TEST(Retention, an_empty_segment_does_not_keep_the_others) {
  LogMachine machine(24);
  machine.config.retention.reset();
  machine.config.retention_bytes = 700;
  fill(machine, 22);
  ASSERT_TRUE(machine.close());
  machine.restart();
  for (const SegmentFileKind kind :
       {SegmentFileKind::log, SegmentFileKind::offset_index, SegmentFileKind::time_index}) {
    machine.write_file(LogMachine::path(0, kind), "");
  }
  ASSERT_TRUE(machine.open(true));
  ASSERT_TRUE(machine.log->segments().front()->empty());
  machine.log->set_high_watermark(machine.log->end());
  EXPECT_EQ(apply(machine), 3u);
  EXPECT_EQ(machine.log->start(), Offset(15));
  ASSERT_TRUE(machine.close());
}

// Snapshots of producers below the first segment are worth nothing; what they say is in the next.
TEST(Retention, producers_of_deleted_records_are_remembered) {
  for (const bool killed : {false, true}) {
    LogMachine machine(10);
    machine.config.segment_bytes = 300;
    ASSERT_TRUE(machine.open());
    ASSERT_TRUE(machine.append(from_producer(0, {"first"})));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append({{std::string(32, 'v')}}));
    machine.log->set_high_watermark(machine.log->end());
    ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(18))));
    std::size_t snapshots = 0;
    for (std::int64_t offset = 0; offset < 18; ++offset) {
      snapshots += machine.has_file(LogMachine::path(offset, SegmentFileKind::producer_snapshot));
    }
    EXPECT_LE(snapshots, 1u);
    if (killed) {
      machine.kill(1);
      ASSERT_TRUE(machine.open());
    } else {
      machine.reopen();
    }
    const auto again = machine.append(from_producer(0, {"first"}));
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->duplicate);
    ASSERT_TRUE(machine.close());
  }
}

TEST(Retention, the_last_stable_offset_is_not_below_the_log_start) {
  LogMachine machine(11);
  ASSERT_TRUE(machine.open());
  TestBatch batch = from_producer(0, {"open"});
  batch.transactional = true;
  ASSERT_TRUE(machine.append(batch));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append({{"v"}}));
  machine.log->set_high_watermark(Offset(6));
  EXPECT_EQ(machine.log->last_stable_offset(), Offset(0));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(4))));
  EXPECT_EQ(machine.log->last_stable_offset(), Offset(4));
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
