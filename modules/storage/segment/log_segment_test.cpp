// Also proves context.cppm, segment.cppm.
#include "segment_machine.hpp"

namespace millrace::storage {
namespace {

constexpr Offset base{100};

std::vector<OffsetPosition> offset_entries(const std::string& text) {
  std::vector<OffsetPosition> entries;
  const OffsetIndexView view(as_bytes(text), base);
  for (std::size_t i = 0; i < view.entries(); ++i) entries.push_back(view.entry(i));
  return entries;
}

std::vector<TimestampOffset> time_entries(const std::string& text) {
  std::vector<TimestampOffset> entries;
  const TimeIndexView view(as_bytes(text), base);
  for (std::size_t i = 0; i < view.entries(); ++i) entries.push_back(view.entry(i));
  return entries;
}

// An entry comes before the batch that follows more than the interval of bytes, and names that
// batch: its last offset and where it begins.
TEST(Segment, writes_the_index_entries_that_kafka_writes) {
  SegmentMachine machine;
  auto segment = machine.create(100);
  const std::size_t bytes = encode({.value_bytes = 32}).size();
  ASSERT_EQ(bytes, 100u);
  // Younger, older, equal, younger.
  const std::int64_t timestamps[] = {1'000, 900, 1'000, 1'500, 1'400, 1'300, 1'600};
  for (int i = 0; i < 7; ++i) {
    machine.append(*segment, {.base = 100 + i, .value_bytes = 32, .timestamp = timestamps[i]});
  }
  machine.good(segment->save_indexes());
  // More than 100 bytes lie before the batches 2, 4 and 6.
  EXPECT_EQ(
      offset_entries(machine.contents(base, SegmentFileKind::offset_index)),
      (std::vector<OffsetPosition>{{Offset(102), 200}, {Offset(104), 400}, {Offset(106), 600}}));
  EXPECT_EQ(time_entries(machine.contents(base, SegmentFileKind::time_index)),
            (std::vector<TimestampOffset>{{Timestamp(1'000), Offset(100)},
                                          {Timestamp(1'500), Offset(103)},
                                          {Timestamp(1'600), Offset(106)}}));
  EXPECT_FALSE(machine.disk.contents(machine.path(base, SegmentFileKind::transaction_index)));
}

TEST(Segment, the_time_index_gets_its_last_entry_when_the_segment_is_finished) {
  SegmentMachine machine;
  auto segment = machine.create(100);
  machine.append(*segment, {.base = 100, .count = 3, .timestamp = 700, .timestamp_step = 5});
  segment->finish();
  segment->finish();
  machine.good(segment->sync_indexes());
  EXPECT_EQ(machine.contents(base, SegmentFileKind::offset_index), "");
  EXPECT_EQ(time_entries(machine.contents(base, SegmentFileKind::time_index)),
            (std::vector<TimestampOffset>{{Timestamp(710), Offset(102)}}));
}

TEST(Segment, a_segment_goes_on_in_another_process_with_the_entries_of_one) {
  const auto entries = [](bool reopens) {
    SegmentMachine machine;
    auto segment = machine.create(100);
    for (int i = 0; i < 40; ++i) {
      machine.append(*segment, {.base = 100 + i, .value_bytes = 32, .timestamp = 1'000 + i % 7});
      if (!reopens || i % 9 != 0) continue;
      machine.good(segment->save_indexes());
      segment = machine.reopen(std::move(segment));
      machine.good(segment->prepare());
      EXPECT_EQ(segment->first_timestamp(), Timestamp(1'000));
    }
    segment->finish();
    machine.good(segment->sync_indexes());
    const auto times = time_entries(machine.contents(base, SegmentFileKind::time_index));
    EXPECT_EQ(times.back(), (TimestampOffset{Timestamp(1'006), Offset(106)}));
    return machine.contents(base, SegmentFileKind::offset_index);
  };
  EXPECT_EQ(entries(true), entries(false));
}

TEST(Segment, what_the_index_files_lack_stays_small) {
  SegmentMachine machine;
  machine.index_interval_bytes = 1;
  auto segment = machine.create(100);
  std::size_t largest = 0;
  for (int i = 0; i < 3'000; ++i) {
    machine.append(*segment, {.base = 100 + i, .timestamp = 1'000 + i});
    if (segment->should_save_indexes()) machine.good(segment->save_indexes());
    largest = std::max(largest, segment->offset_index().last_part().size() +
                                    segment->time_index().last_part().size());
  }
  EXPECT_LE(largest,
            unsaved_index_bytes_max + 2 * (offset_index_entry_bytes + time_index_entry_bytes));
  for (const std::int64_t offset : {100, 101, 1'500, 3'098, 3'099}) {
    const auto place = machine.wait(segment->find(Offset(offset), segment->bytes()));
    ASSERT_TRUE(place && *place) << offset;
    EXPECT_EQ((*place)->header.base_offset, Offset(offset));
  }
  segment->finish();
  machine.good(segment->sync_indexes());
  EXPECT_EQ(segment->offset_index().last_part().size(), 0u);
  EXPECT_EQ(segment->time_index().last_part().size(), 0u);
}

TEST(Segment, holds_only_what_its_format_and_limits_can_express) {
  SegmentMachine machine;
  auto segment = machine.create(100);
  const auto header = [](std::int64_t offset) { return header_of(encode({.base = offset})); };
  const SegmentLimits limits{1'000, 1'000, 100};
  EXPECT_TRUE(segment->can_hold(header(100), 0, limits));
  EXPECT_FALSE(segment->can_hold(header(99), 0, limits));
  EXPECT_TRUE(segment->can_hold(header(100 + 0x7fff'ffffll), 0, limits));
  EXPECT_FALSE(segment->can_hold(header(100 + 0x8000'0000ll), 0, limits));
  const SegmentLimits tiny{10, 0, 100};
  EXPECT_TRUE(segment->can_hold(header(100), 0, tiny)) << "a first batch may have any size";
  EXPECT_FALSE(segment->can_hold(header(101), 80, tiny));
  machine.append(*segment, {.base = 100, .value_bytes = 800});
  EXPECT_TRUE(segment->can_hold(header(101), 0, limits));
  EXPECT_FALSE(segment->can_hold(header(101), 100, limits));
  // 2^31 - 1 is the last position that an index can name.
  const SegmentLimits large{1ull << 40, 1'000, 100};
  EXPECT_FALSE(segment->can_hold(header(101), 0x7fff'ffff, large));
}

TEST(Segment, begins_empty_whatever_an_earlier_attempt_left) {
  SegmentMachine machine;
  machine.write_file(base, SegmentFileKind::log, std::string(500, 'x'));
  auto segment = machine.create(100);
  EXPECT_EQ(machine.contents(base, SegmentFileKind::log), "");
  machine.append(*segment, {.base = 100});
  EXPECT_EQ(machine.contents(base, SegmentFileKind::log).size(), encode({.base = 100}).size());
}

TEST(Segment, a_write_without_space_leaves_nothing_behind) {
  SegmentMachine machine;
  auto segment = machine.create(100);
  machine.append(*segment, {.base = 100});
  const std::string before = machine.contents(base, SegmentFileKind::log);
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space, .done = 50});
  const auto bytes = encode({.base = 101});
  const std::array pieces{ByteView(bytes)};
  const auto written = machine.wait(segment->write(pieces));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, StorageFault::no_space);
  EXPECT_EQ(machine.contents(base, SegmentFileKind::log), before);
}

TEST(Segment, where_a_failed_write_cannot_be_cut_back_the_device_counts_as_broken) {
  SegmentMachine machine;
  auto segment = machine.create(100);
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space, .done = 50});
  machine.disk.faults().plan({.kind = IoKind::set_size});
  const auto bytes = encode({.base = 100});
  const std::array pieces{ByteView(bytes)};
  const auto written = machine.wait(segment->write(pieces));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, StorageFault::offline);
}

TEST(Segment, a_removed_segment_is_not_found_and_leaves_the_names_to_others) {
  SegmentMachine machine;
  auto segment = machine.create(100);
  for (int i = 0; i < 300; ++i) machine.append(*segment, {.base = 100 + i, .value_bytes = 100});
  segment = machine.sealed(std::move(segment));
  machine.good(segment->rename_to_deleted());
  EXPECT_TRUE(segment->removed());
  // Another segment of the same name comes.
  auto next = machine.create(100);
  for (int i = 0; i < 10; ++i) machine.append(*next, {.base = 100 + i, .value_bytes = 100});
  machine.good(next->save_indexes());
  const std::string index = machine.contents(base, SegmentFileKind::offset_index);
  EXPECT_EQ(machine.wait(segment->find(Offset(150), segment->bytes())).error().fault,
            StorageFault::not_found);
  EXPECT_EQ(machine.wait(segment->largest_timestamp()).error().fault, StorageFault::not_found);
  EXPECT_EQ(machine.wait(segment->rebuild_indexes(100)).error().fault, StorageFault::not_found);
  EXPECT_EQ(machine.contents(base, SegmentFileKind::offset_index), index);
  machine.good(segment->remove_deleted());
  EXPECT_EQ(machine.contents(base, SegmentFileKind::offset_index), index);
}

TEST(Segment, on_a_full_disk_it_is_removed_at_once) {
  SegmentMachine machine;
  auto segment = machine.create(100);
  machine.append(*segment, {.base = 100});
  segment = machine.sealed(std::move(segment));
  machine.disk.faults().plan(
      {.kind = IoKind::rename, .fault = IoFault::no_space, .times = PlannedFault::always});
  machine.good(segment->rename_to_deleted());
  for (const SegmentFileKind kind :
       {SegmentFileKind::log, SegmentFileKind::offset_index, SegmentFileKind::time_index}) {
    EXPECT_FALSE(machine.disk.contents(machine.path(base, kind)));
  }
  machine.good(segment->remove_deleted());
}

TEST(Segment, one_that_cannot_be_renamed_takes_the_device_offline) {
  SegmentMachine machine;
  auto segment = machine.create(100);
  machine.append(*segment, {.base = 100});
  machine.disk.faults().plan({.kind = IoKind::rename, .fault = IoFault::invalid});
  const auto renamed = machine.wait(segment->rename_to_deleted());
  ASSERT_FALSE(renamed);
  EXPECT_EQ(renamed.error().fault, StorageFault::offline);
}

// The system tells one of them that bytes are lost, and forgets it.
TEST(Segment, of_two_syncs_at_the_same_time_both_fail_or_none) {
  const auto sync = [](Segment& segment, int& failed) -> Task<void> {
    if (!co_await segment.sync_log()) ++failed;
  };
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SegmentMachine machine(seed, {.seed = seed, .slow = 0.5});
    const auto segment = machine.create(100);
    machine.append(*segment, {.base = 100});
    machine.disk.faults().plan({.kind = IoKind::sync_data});
    int failed = 0;
    TaskGroup group;
    for (int i = 0; i < 2; ++i) group.start(sync(*segment, failed));
    while (group.running() > 0) {
      machine.executor.run_until_idle();
      if (group.running() > 0) ASSERT_TRUE(machine.executor.advance_to_next_timer());
    }
    ASSERT_EQ(failed, 2) << seed;
    EXPECT_TRUE(segment->log_dirty());
  }
}

// Looking for timestamps in a segment that nobody has appended to yet reads the same as appending.
TEST(Segment, a_reader_and_the_writer_prepare_at_the_same_time) {
  const auto append_at_once = [](Segment& segment, const std::vector<std::byte>& bytes,
                                 bool& done) -> Task<void> {
    EXPECT_TRUE(co_await segment.prepare());
    const std::array pieces{ByteView(bytes)};
    EXPECT_TRUE(co_await segment.write(pieces));
    segment.added(header_of(bytes), 100);
    done = true;
  };
  const auto ask = [](Segment& segment) -> Task<void> {
    EXPECT_TRUE(co_await segment.largest_timestamp());
  };
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    for (const bool small : {true, false}) {
      SegmentMachine machine(seed, {.seed = seed, .slow = 0.5});
      auto segment = machine.create(100);
      const int count = small ? 1 : 20;
      for (int i = 0; i < count; ++i)
        machine.append(*segment, {.base = 100 + i, .value_bytes = 90});
      machine.good(segment->sync_indexes());
      segment = machine.reopen(std::move(segment));
      const auto bytes = encode({.base = 100 + count, .value_bytes = 300, .timestamp = 9'000});
      bool done = false;
      TaskGroup group;
      if (seed % 2 == 0) group.start(ask(*segment));
      group.start(append_at_once(*segment, bytes, done));
      if (seed % 2 == 1) group.start(ask(*segment));
      while (group.running() > 0) {
        machine.executor.run_until_idle();
        if (group.running() > 0) ASSERT_TRUE(machine.executor.advance_to_next_timer());
      }
      ASSERT_TRUE(done);
      const auto largest = machine.wait(segment->largest_timestamp());
      ASSERT_TRUE(largest);
      ASSERT_EQ(largest->timestamp, Timestamp(9'000)) << seed;
      for (int i = count + 1; i < count + 30; ++i) {
        machine.append(*segment, {.base = 100 + i, .value_bytes = 90, .timestamp = 9'000 + i});
      }
      segment->finish();
      machine.good(segment->sync_indexes());
      const std::string times = machine.contents(base, SegmentFileKind::time_index);
      ASSERT_TRUE(TimeIndexView(as_bytes(times), base).check_against(Offset(200))) << seed;
      const std::string offsets = machine.contents(base, SegmentFileKind::offset_index);
      ASSERT_TRUE(OffsetIndexView(as_bytes(offsets), base).check_against(segment->bytes())) << seed;
    }
  }
}

}  // namespace
}  // namespace millrace::storage
