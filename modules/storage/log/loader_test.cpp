// Also proves leftovers.cpp, loader.cppm.
#include "recovery_support.hpp"

namespace millrace::storage {
namespace {

TEST(Recovery, an_empty_directory_is_an_empty_log) {
  LogMachine machine(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.log->start(), Offset(0));
  EXPECT_EQ(machine.log->end(), Offset(0));
  EXPECT_TRUE(machine.has_file(log_path(0)));
  machine.reopen();
  EXPECT_TRUE(machine.records().empty());
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  EXPECT_TRUE(machine.records().empty());
  ASSERT_TRUE(machine.close());
}

TEST(Recovery, a_torn_end_is_cut_at_the_last_whole_batch_wherever_it_is_torn) {
  LogMachine model(1);
  fill(model, 3);
  const std::string whole = model.contents(log_path(0));
  const std::size_t batch = whole.size() / 3;
  ASSERT_TRUE(model.close());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    LogMachine machine(2);
    fill(machine, 3);
    machine.kill(1);
    machine.write_file(log_path(0), whole.substr(0, length));
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(machine.log->recovery().cut_bytes, length % batch);
    expect_first(machine, length / batch);
    ASSERT_TRUE(machine.close());
  }
}

TEST(Recovery, what_is_no_batch_is_cut_off_the_end) {
  std::vector<std::string> ends = {std::string(1, '\0'), std::string(5'000, '\0'),
                                   std::string(300, 'x'), std::string(61, '\xff')};
  // Batches that cannot follow: of offsets before, of an older leader, damaged.
  const auto as_string = [](const std::vector<std::byte>& bytes) {
    return std::string(as_text(bytes));
  };
  ends.push_back(as_string(replicated(3, {"old offset"}, 1)));
  ends.push_back(as_string(replicated(10, {"old leader"}, 0)));
  ends.push_back(as_string(replicated(std::int64_t{1} << 40, {"far away"}, 1)));
  ends.push_back(as_string(replicated(std::numeric_limits<std::int64_t>::max(), {"end"}, 1)));
  ends.push_back(as_string(replicated(-5, {"negative"}, 1)));
  auto damaged = replicated(10, {"damaged"}, 1);
  damaged.back() ^= std::byte{1};
  ends.push_back(as_string(damaged));
  auto long_one = replicated(10, {"claims to be long"}, 1);
  store_big_endian(long_one.data() + 8, std::int32_t{0x7fff'fff0});
  ends.push_back(as_string(long_one));
  for (const std::string& end : ends) {
    LogMachine machine(3);
    fill(machine, 10);
    machine.kill(1);
    machine.write_file(log_path(0), machine.contents(log_path(0)) + end);
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(machine.log->recovery().cut_bytes, end.size());
    expect_first(machine, 10);
    ASSERT_TRUE(machine.close());
  }
}

TEST(Recovery, segments_behind_one_that_was_cut_go_with_it) {
  LogMachine machine(4);
  fill(machine, 30, 400);
  const Offset base = machine.log->segments()[2]->base();
  const std::size_t segments = machine.log->segments().size();
  ASSERT_GT(segments, 5u);
  // No recovery point was saved.
  machine.kill(1);
  ASSERT_TRUE(machine.disk.flip_bit(log_path(base.value()), 8 * 70));
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.log->recovery().dropped_segments, segments - 3);
  expect_first(machine, static_cast<std::size_t>(base.value()));
  machine.reopen();
  EXPECT_EQ(machine.records().size(), static_cast<std::size_t>(base.value()) + 1);
  ASSERT_TRUE(machine.close());
}

TEST(Recovery, segments_that_go_leave_no_gap_if_the_power_goes_too) {
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    LogMachine machine(seed);
    fill(machine, 40, 400);
    const Offset second = machine.log->segments()[1]->base();
    const Offset third = machine.log->segments()[2]->base();
    ASSERT_TRUE(machine.close());
    machine.restart();
    std::string bytes = machine.contents(log_path(second.value()));
    bytes.resize(bytes.size() - 10);
    machine.write_file(log_path(second.value()), bytes);
    machine.write_file("/data/recovery-point-offset-checkpoint", "0\n1\norders 0 0\n");
    machine.disk.sync_all();
    machine.disk.cut_power_at(machine.disk.steps() + 1 + seed % 40, seed);
    static_cast<void>(machine.open());
    machine.disk.cut_power_at(0, 0);
    machine.power_cut(seed);
    ASSERT_TRUE(machine.open());
    ASSERT_LT(machine.log->end(), third) << seed;
    EXPECT_EQ(machine.records().size(), static_cast<std::size_t>(machine.log->end().value()));
    ASSERT_TRUE(machine.close());
  }
}

TEST(Recovery, what_lies_before_the_recovery_point_is_not_looked_at) {
  LogMachine machine(5);
  fill(machine, 40, 400);
  machine.executor.run_until_idle();
  const Offset point = machine.log->recovery_point();
  EXPECT_EQ(point, machine.log->segments().back()->base());
  const std::uint64_t bytes = machine.log->segments().back()->bytes();
  ASSERT_TRUE(machine.wait(machine.process->keeper.save_recovery_point(*machine.log)));
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  // The segment before may lack the end of its indexes.
  EXPECT_LE(machine.log->recovery().scanned_bytes, bytes + 400);
  expect_first(machine, 40);
  ASSERT_TRUE(machine.close());
}

// No checksum covers the offset of a batch, and a power cut may take it alone.
TEST(Recovery, a_batch_whose_offset_did_not_reach_the_disk_is_cut_off) {
  // With many records, the wrong offsets hold the recovery point.
  for (const std::size_t records : {1U, 2U, 20U}) {
    LogMachine machine(5);
    machine.config.flush_records = 1'000;  // else recovery begins with the segment
    fill(machine, 10);
    ASSERT_TRUE(machine.wait(machine.log->checkpoint()));
    ASSERT_EQ(machine.log->recovery_point(), Offset(10));
    ASSERT_TRUE(machine.wait(machine.process->keeper.save_recovery_point(*machine.log)));
    const std::uint64_t torn = machine.log->segments().back()->bytes();
    const std::vector<std::string> values(records, "torn");
    ASSERT_TRUE(machine.append(from_producer(10, values), LeaderEpoch(1)));
    const auto behind = 10 + static_cast<std::int32_t>(records);
    ASSERT_TRUE(machine.append(from_producer(behind, {"behind"}), LeaderEpoch(1)));
    machine.kill(1);
    std::string bytes = machine.contents(log_path(0));
    bytes.replace(torn, sizeof(Offset), sizeof(Offset), '\0');
    machine.write_file(log_path(0), bytes);
    ASSERT_TRUE(machine.open()) << records;
    EXPECT_GT(machine.log->recovery().cut_bytes, 0U) << records;
    expect_first(machine, 10);
    ASSERT_TRUE(machine.close());
  }
}

// As a follower gets them from a leader that compacts.
TEST(Recovery, a_gap_before_the_recovery_point_is_no_damage) {
  LogMachine machine(5);
  machine.config.flush_records = 1'000;  // else recovery begins with the segment
  ASSERT_TRUE(machine.open());
  for (const std::int64_t offset : {0, 1, 2, 8, 9}) {
    ASSERT_TRUE(machine.replicate(replicated(offset, {"value"}, 1)));
  }
  ASSERT_TRUE(machine.wait(machine.log->checkpoint()));
  const std::uint64_t bytes = machine.log->segments().back()->bytes();
  for (const std::int64_t point : {3, 5, 8}) {
    machine.kill(1);
    machine.write_file("/data/recovery-point-offset-checkpoint",
                       "0\n1\norders 0 " + std::to_string(point) + "\n");
    ASSERT_TRUE(machine.open());
    EXPECT_LT(machine.log->recovery().scanned_bytes, bytes) << point;
    EXPECT_EQ(machine.records().size(), 5U);
    EXPECT_EQ(machine.log->end(), Offset(10));
  }
  ASSERT_TRUE(machine.close());
}

// The batches that are left say that it is open, and the last stable offset would stay there.
TEST(Recovery, a_transaction_whose_marker_was_cleaned_away_is_not_open_again) {
  for (const bool rolled_there : {false, true}) {
    LogMachine machine(5);
    ASSERT_TRUE(machine.open());
    TestBatch batch = from_producer(0, {"aborted"});
    batch.transactional = true;
    ASSERT_TRUE(machine.append(batch, LeaderEpoch(0)));
    const std::uint64_t bytes = machine.log->segments().back()->bytes();
    batch.marker = protocol::ControlRecordType::abort;
    batch.sequence = no_sequence;
    ASSERT_TRUE(machine.append(batch, LeaderEpoch(0)));
    ASSERT_TRUE(machine.wait(machine.log->roll()));
    ASSERT_TRUE(machine.append({.values = {"later"}}, LeaderEpoch(0)));
    const Offset end = machine.log->end();
    const Offset point = rolled_there ? machine.log->segments().back()->base() : Offset(0);
    machine.executor.run_until_idle();
    machine.kill(1);
    machine.write_file(log_path(0), machine.contents(log_path(0)).substr(0, bytes));
    machine.write_file("/data/recovery-point-offset-checkpoint",
                       "0\n1\norders 0 " + std::to_string(point.value()) + "\n");
    ASSERT_TRUE(machine.open());
    EXPECT_FALSE(machine.log->producers().first_unstable_offset()) << rolled_there;
    EXPECT_EQ(machine.log->end(), end);
    EXPECT_EQ(machine.log->recovery().scanned_bytes < bytes, rolled_there);
    ASSERT_TRUE(machine.close());
  }
}

TEST(Recovery, a_recovery_point_that_cannot_be_is_not_believed) {
  for (const std::int64_t point : {0, 1, 7, 20, 39, 40, 41, 1'000'000}) {
    for (const bool clean : {false, true}) {
      LogMachine machine(6);
      fill(machine, 40, 400);
      ASSERT_TRUE(machine.close());
      machine.restart();
      machine.write_file("/data/recovery-point-offset-checkpoint",
                         "0\n1\norders 0 " + std::to_string(point) + "\n");
      ASSERT_TRUE(machine.open(clean && point < 20));
      expect_first(machine, 40);
      EXPECT_LE(machine.log->recovery_point(), machine.log->end());
      // Records that follow are not held to be durable because of it.
      machine.kill(1);
      machine.write_file(log_path(machine.disk.contents(log_path(40)) ? 40 : 36), "");
      ASSERT_TRUE(machine.open());
      EXPECT_LE(machine.log->end(), Offset(41));
      ASSERT_TRUE(machine.close());
    }
  }
}

TEST(Recovery, a_recovery_point_in_a_segment_that_was_removed_is_none) {
  LogMachine machine(7);
  fill(machine, 40, 400);
  machine.log->set_high_watermark(Offset(40));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(30))));
  machine.kill(1);
  machine.write_file("/data/recovery-point-offset-checkpoint", "0\n1\norders 0 5\n");
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.log->start(), Offset(30));
  EXPECT_EQ(machine.records().size(), 10u);
  ASSERT_TRUE(machine.close());
}

TEST(Recovery, segments_below_the_log_start_are_removed) {
  LogMachine machine(8);
  fill(machine, 40, 400);
  ASSERT_TRUE(machine.close());
  machine.restart();
  machine.write_file("/data/log-start-offset-checkpoint", "0\n1\norders 0 21\n");
  ASSERT_TRUE(machine.open(true));
  EXPECT_EQ(machine.log->start(), Offset(21));
  EXPECT_LE(machine.log->segments().front()->base(), Offset(21));
  EXPECT_GT(machine.log->segments()[1]->base(), Offset(21));
  EXPECT_FALSE(machine.has_file(log_path(0)));
  EXPECT_FALSE(machine.has_file(LogMachine::path(0, SegmentFileKind::offset_index)));
  EXPECT_EQ(machine.records().size(), 19u);
  ASSERT_TRUE(machine.close());
}

// The process was killed before it made the name of a new segment durable.
TEST(Recovery, what_is_flushed_after_it_has_a_durable_name) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LogMachine machine(seed);
    ASSERT_TRUE(machine.open());
    ASSERT_TRUE(machine.append({{"first"}}));
    machine.disk.faults().plan({.kind = IoKind::write,
                                .fault = IoFault::no_space,
                                .path_part = ".snapshot",
                                .times = PlannedFault::always});
    ASSERT_TRUE(machine.wait(machine.log->roll()));
    ASSERT_TRUE(machine.append({{"second"}}));
    machine.kill(seed);
    ASSERT_TRUE(machine.open());
    ASSERT_TRUE(machine.wait(machine.log->flush()));
    machine.disk.faults().clear();
    machine.power_cut(seed);
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(machine.records().size(), 2u) << seed;
    ASSERT_TRUE(machine.close());
  }
}

TEST(Recovery, a_segment_below_the_log_start_stays_if_it_alone_tells_who_wrote) {
  LogMachine machine(19);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(from_producer(0, {"first"})));
  machine.log->set_high_watermark(Offset(1));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(1))));
  machine.disk.faults().plan({.kind = IoKind::write,
                              .fault = IoFault::no_space,
                              .path_part = ".snapshot",
                              .times = PlannedFault::always});
  ASSERT_TRUE(machine.wait(machine.log->roll()));
  ASSERT_TRUE(machine.append({{"second"}}));
  ASSERT_TRUE(machine.wait(machine.log->flush()));
  machine.disk.faults().clear();
  machine.power_cut(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"second"}));
  const auto again = machine.append(from_producer(0, {"first"}));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  ASSERT_TRUE(machine.wait(machine.log->apply_retention()));
  EXPECT_EQ(machine.log->segments().size(), 1u);
  ASSERT_TRUE(machine.close());
}

// The first producer is known by a snapshot only: what is left of the log without it would tell of
// the second alone.
TEST(Recovery, where_all_lies_below_the_log_start_producers_are_known_all_or_none) {
  for (std::uint64_t step = 1; step <= 40; ++step) {
    LogMachine machine(step);
    ASSERT_TRUE(machine.open());
    ASSERT_TRUE(machine.append(from_producer(0, {"first"})));
    ASSERT_TRUE(machine.wait(machine.log->roll()));
    TestBatch second = from_producer(0, {"second"});
    second.producer = ProducerId(8);
    ASSERT_TRUE(machine.append(second));
    ASSERT_TRUE(machine.wait(machine.log->flush()));
    machine.log->set_high_watermark(Offset(2));
    ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(1))));
    ASSERT_TRUE(machine.wait(machine.log->apply_retention()));
    machine.disk.sync_all();
    machine.kill(1);
    machine.write_file("/data/log-start-offset-checkpoint", "0\n1\norders 0 9\n");
    machine.disk.sync_all();
    machine.disk.cut_power_at(machine.disk.steps() + step, step);
    static_cast<void>(machine.open());
    machine.disk.cut_power_at(0, 0);
    machine.power_cut(step);
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(machine.log->end(), Offset(9)) << step;
    EXPECT_NE(machine.log->producers().size(), 1u) << step;
    ASSERT_TRUE(machine.close());
  }
}

// The checkpoint is older than the marker of the clean stop.
TEST(CleanStart, gives_no_offset_again_where_the_checkpoint_was_wrong) {
  LogMachine machine(17);
  fill(machine, 10);
  ASSERT_TRUE(machine.close());
  machine.restart();
  machine.write_file("/data/recovery-point-offset-checkpoint", "0\n1\norders 0 7\n");
  ASSERT_TRUE(machine.open(true));
  const auto refused = machine.append({{"again"}}, LeaderEpoch(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().storage, StorageFault::corrupt);
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  expect_first(machine, 10);
  ASSERT_TRUE(machine.close());
}

// Every read of a log file would fail.
TEST(CleanStart, reads_no_records) {
  LogMachine machine(9);
  fill(machine, 40, 400);
  ASSERT_TRUE(machine.close());
  machine.restart();
  machine.disk.faults().plan(
      {.kind = IoKind::read, .path_part = ".log", .times = PlannedFault::always});
  ASSERT_TRUE(machine.open(true));
  EXPECT_EQ(machine.disk.faults().injected(), 0u);
  EXPECT_EQ(machine.log->end(), Offset(40));
  EXPECT_EQ(machine.log->producers().size(), 1u);
  EXPECT_EQ(machine.log->epochs().entries().size(), 2u);
  machine.disk.faults().clear();
  expect_first(machine, 40);
  ASSERT_TRUE(machine.close());
}

TEST(CleanStart, nothing_is_written_by_a_log_that_nobody_used) {
  LogMachine machine(10);
  fill(machine, 40, 400);
  ASSERT_TRUE(machine.close());
  machine.restart();
  ASSERT_TRUE(machine.open(true));
  const std::uint64_t steps = machine.disk.steps();
  EXPECT_EQ(machine.records().size(), 40u);
  ASSERT_TRUE(machine.wait(machine.log->close()));
  machine.log.reset();
  EXPECT_EQ(machine.disk.steps(), steps);
}

TEST(CleanStart, a_process_that_is_killed_after_it_leaves_a_log_to_recover) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    LogMachine machine(seed);
    fill(machine, 40, 400);
    machine.reopen();
    if (seed % 2 == 0) expect_first(machine, 40);
    if (seed % 4 < 2) {
      machine.kill(seed);
    } else {
      machine.power_cut(seed);
    }
    ASSERT_TRUE(machine.open());
    EXPECT_GE(machine.records().size(), 40u);
    EXPECT_LE(machine.records().size(), 41u);
    ASSERT_TRUE(machine.close());
  }
}

// --- What was going on when the process ended ---

TEST(Recovery, what_is_left_over_goes) {
  LogMachine machine(13);
  fill(machine, 40, 400);
  ASSERT_TRUE(machine.close());
  machine.restart();
  std::vector<std::string> names = {"leader-epoch-checkpoint.tmp",
                                    "00000000000000000040.snapshot.tmp"};
  for (const SegmentFileKind kind :
       {SegmentFileKind::log, SegmentFileKind::offset_index, SegmentFileKind::time_index,
        SegmentFileKind::transaction_index}) {
    for (const std::int64_t base : {0, 3, 99}) {
      names.push_back(segment_file_name(Offset(base), kind, FileStage::cleaned));
      names.push_back(segment_file_name(Offset(base), kind, FileStage::deleted));
      if (kind == SegmentFileKind::log) continue;
      names.push_back(segment_file_name(Offset(base), kind, FileStage::swap));
      // An index without its log.
      if (base != 0) names.push_back(segment_file_name(Offset(base), kind));
    }
  }
  for (const bool clean : {true, false}) {
    for (const std::string& name : names) {
      machine.write_file(path_in(test_directory, name), "left over");
    }
    machine.write_file(path_in(test_directory, "notes.txt"), "not ours");
    ASSERT_TRUE(machine.open(clean));
    for (const std::string& name : names) {
      EXPECT_FALSE(machine.has_file(path_in(test_directory, name))) << name;
    }
    EXPECT_TRUE(machine.has_file(path_in(test_directory, "notes.txt")));
    EXPECT_EQ(machine.records().size(), 40u);
    ASSERT_TRUE(machine.close());
    machine.restart();
  }
}

TEST(Recovery, a_device_that_fails_ends_it_with_an_error) {
  for (const IoKind kind :
       {IoKind::read, IoKind::open, IoKind::list, IoKind::status, IoKind::rename, IoKind::set_size,
        IoKind::sync_data, IoKind::sync_directory}) {
    for (std::uint64_t after = 0; after < 30; ++after) {
      LogMachine machine(14);
      fill(machine, 20, 400);
      machine.kill(1);
      machine.write_file(log_path(18), "torn");
      machine.disk.faults().plan({.kind = kind, .path_part = "/data/orders-0", .after = after});
      const auto opened = machine.open();
      if (opened) {
        machine.executor.run_until_idle();
      } else {
        EXPECT_EQ(opened.error().fault, StorageFault::offline) << opened.error().message;
      }
      machine.disk.faults().clear();
      machine.end_of_process();
      ASSERT_TRUE(machine.open());
      EXPECT_GE(machine.records().size(), 10u);
      ASSERT_TRUE(machine.close());
    }
  }
}

// No record can have such an offset: the files are somebody else's, and stay.
TEST(Recovery, files_named_by_an_offset_beyond_every_log_are_left_alone) {
  for (const bool clean : {false, true}) {
    for (const std::string_view text : {"", "something else"}) {
      LogMachine machine(16);
      fill(machine, 10);
      if (clean) {
        ASSERT_TRUE(machine.close());
        machine.restart();
      } else {
        machine.kill(1);
      }
      for (const SegmentFileKind kind : {SegmentFileKind::log, SegmentFileKind::time_index,
                                         SegmentFileKind::producer_snapshot}) {
        machine.write_file(LogMachine::path(std::numeric_limits<std::int64_t>::max(), kind),
                           std::string(text));
      }
      ASSERT_TRUE(machine.open(clean));
      EXPECT_EQ(machine.log->end(), Offset(10));
      ASSERT_TRUE(machine.append({{"v"}}, LeaderEpoch(1)));
      EXPECT_EQ(machine.records().size(), 11u);
      ASSERT_TRUE(machine.close());
      EXPECT_EQ(machine.contents(log_path(std::numeric_limits<std::int64_t>::max())), text);
      EXPECT_TRUE(machine.lines->says("09223372036854775807.log"));
    }
  }
}

TEST(Recovery, what_it_took_is_logged) {
  LogMachine machine(15);
  fill(machine, 10);
  machine.kill(1);
  machine.write_file(log_path(0), machine.contents(log_path(0)) + "rest");
  ASSERT_TRUE(machine.open());
  EXPECT_TRUE(machine.lines->says("is cut by 4 bytes"));
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
