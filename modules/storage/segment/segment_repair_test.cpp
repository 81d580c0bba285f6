#include "segment_machine.hpp"

namespace millrace::storage {
namespace {

constexpr Offset base{0};

// Younger and older records in turn: a time index cannot be guessed from the last of them.
std::unique_ptr<Segment> sample(SegmentMachine& machine) {
  auto segment = machine.create(0);
  for (int i = 0; i < 200; ++i) {
    machine.append(*segment,
                   {.base = i, .value_bytes = 432, .timestamp = i == 40 ? 9'000 : 1'000 + i});
  }
  EXPECT_GT(segment->bytes(), 100'000u);
  return machine.sealed(std::move(segment));
}

TEST(SegmentRepair, an_index_that_is_missing_or_damaged_is_made_again_when_it_is_used) {
  for (const SegmentFileKind kind : {SegmentFileKind::offset_index, SegmentFileKind::time_index}) {
    for (const char* what :
         {"missing", "empty", "short", "torn", "garbage", "zeros", "longer", "swapped"}) {
      SCOPED_TRACE(std::string(suffix_of(kind)) + " " + what);
      SegmentMachine machine;
      machine.index_interval_bytes = 4'096;
      auto segment = sample(machine);
      const std::string offsets = machine.contents(base, SegmentFileKind::offset_index);
      const std::string times = machine.contents(base, SegmentFileKind::time_index);
      const std::string text = machine.contents(base, kind);
      const std::string named = what;
      const std::size_t entry = kind == SegmentFileKind::offset_index ? 8 : 12;
      if (named == "missing") machine.remove_file(base, kind);
      if (named == "empty") machine.write_file(base, kind, "");
      if (named == "short") machine.write_file(base, kind, text.substr(0, entry));
      if (named == "torn") machine.write_file(base, kind, text.substr(0, text.size() - 1));
      if (named == "garbage") machine.write_file(base, kind, std::string(text.size(), '\x55'));
      if (named == "zeros") machine.write_file(base, kind, text + std::string(entry * 100, '\0'));
      if (named == "longer") machine.write_file(base, kind, text + text);
      if (named == "swapped") {
        machine.write_file(
            base, kind, text.substr(entry, entry) + text.substr(0, entry) + text.substr(2 * entry));
      }
      segment = machine.reopen(std::move(segment));
      // Out of order and at the same time.
      const auto largest = machine.wait(segment->largest_timestamp());
      ASSERT_TRUE(largest) << largest.error().message;
      if (named != "short" || kind == SegmentFileKind::offset_index) {
        EXPECT_EQ(largest->timestamp, Timestamp(9'000));
      }
      for (const std::int64_t offset : {0, 40, 77, 199}) {
        const auto place = machine.wait(segment->find(Offset(offset), segment->bytes()));
        ASSERT_TRUE(place && *place);
        EXPECT_EQ((*place)->header.base_offset, Offset(offset));
      }
      const auto found =
          machine.wait(segment->find_timestamp(Timestamp(1'100), Offset(41), Offset(200)));
      ASSERT_TRUE(found && *found);
      EXPECT_EQ((*found)->offset, Offset(100));
      machine.good(segment->sync_indexes());
      if (kind == SegmentFileKind::offset_index || named != "short") {
        EXPECT_EQ(machine.contents(base, SegmentFileKind::offset_index), offsets);
        EXPECT_EQ(machine.contents(base, SegmentFileKind::time_index), times);
        EXPECT_TRUE(machine.says("is made again"));
      }
      EXPECT_LE(segment->offset_index().last_part().size(), 8u) << "it does not stay in memory";
    }
  }
}

// Its base offset is not covered by the CRC.
TEST(SegmentRepair, a_batch_too_far_from_the_base_is_damage_before_anything_is_appended) {
  SegmentMachine machine;
  machine.index_interval_bytes = 1'000'000;
  auto segment = machine.create(0);
  machine.append(*segment, {.base = 0, .timestamp = 1'000});
  const std::uint64_t second = segment->bytes();
  machine.append(*segment, {.base = 1, .timestamp = 2'000});
  machine.good(segment->sync_indexes());
  std::string text = machine.contents(base, SegmentFileKind::log);
  text[second + 2] ^= 1;
  machine.write_file(base, SegmentFileKind::log, text);
  segment = machine.reopen(std::move(segment));
  const auto prepared = machine.wait(segment->prepare());
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().fault, StorageFault::corrupt);
  EXPECT_NE(prepared.error().message.find("too far"), std::string::npos)
      << prepared.error().message;
  // Nothing to add to an index.
  segment->finish();
}

TEST(SegmentRepair, sound_indexes_are_left_alone) {
  SegmentMachine machine;
  machine.index_interval_bytes = 4'096;
  auto segment = sample(machine);
  ASSERT_TRUE(machine.wait(segment->largest_timestamp()));
  ASSERT_TRUE(machine.wait(segment->find(Offset(100), segment->bytes())));
  EXPECT_TRUE(machine.lines.empty());
}

TEST(SegmentRepair, without_space_for_its_file_an_index_is_used_from_memory) {
  SegmentMachine machine;
  machine.index_interval_bytes = 4'096;
  auto segment = sample(machine);
  machine.remove_file(base, SegmentFileKind::offset_index);
  segment = machine.reopen(std::move(segment));
  machine.disk.faults().plan(
      {.kind = IoKind::write, .fault = IoFault::no_space, .times = PlannedFault::always});
  const auto place = machine.wait(segment->find(Offset(150), segment->bytes()));
  ASSERT_TRUE(place) << place.error().message;
  EXPECT_EQ((*place)->header.base_offset, Offset(150));
}

TEST(SegmentRepair, cut_at_every_batch_it_goes_on_as_if_nothing_had_been_behind) {
  for (int kept = 0; kept <= 30; ++kept) {
    for (const bool sealed : {false, true}) {
      SegmentMachine machine;
      auto segment = machine.create(0);
      std::vector<std::uint64_t> positions;
      for (int i = 0; i < 30; ++i) {
        positions.push_back(segment->bytes());
        machine.append(*segment, {.base = i, .value_bytes = 40, .timestamp = 2'000 - i * (i % 3)});
        if (i == 17) machine.good(segment->save_indexes());
      }
      positions.push_back(segment->bytes());
      if (sealed) segment = machine.sealed(std::move(segment));
      machine.good(segment->truncate(positions[static_cast<std::size_t>(kept)], Offset(kept)));
      EXPECT_EQ(segment->next_offset(), Offset(kept));
      // A plain segment of the same batches.
      SegmentMachine plain;
      auto expected = plain.create(0);
      for (int i = 0; i < kept; ++i) {
        plain.append(*expected, {.base = i, .value_bytes = 40, .timestamp = 2'000 - i * (i % 3)});
      }
      for (int i = kept; i < kept + 5; ++i) {
        machine.append(*segment, {.base = i, .value_bytes = 40, .timestamp = 3'000 + i});
        plain.append(*expected, {.base = i, .value_bytes = 40, .timestamp = 3'000 + i});
      }
      for (auto* each : {segment.get(), expected.get()}) each->finish();
      machine.good(segment->sync_indexes());
      plain.good(expected->sync_indexes());
      EXPECT_EQ(machine.contents(base, SegmentFileKind::log),
                plain.contents(base, SegmentFileKind::log));
      EXPECT_EQ(machine.contents(base, SegmentFileKind::offset_index),
                plain.contents(base, SegmentFileKind::offset_index));
      const std::string times = machine.contents(base, SegmentFileKind::time_index);
      EXPECT_TRUE(TimeIndexView(as_bytes(times), base).check_against(Offset(kept + 5)));
      const auto largest = machine.wait(segment->largest_timestamp());
      ASSERT_TRUE(largest);
      EXPECT_EQ(largest->timestamp, Timestamp(3'000 + kept + 4));
    }
  }
}

// A part of it may have reached the disk before a crash; no entry lies before that it contradicts.
TEST(SegmentRepair, a_first_entry_of_the_time_index_that_cannot_be_right_is_made_again) {
  for (const bool offset_is_lost : {false, true}) {
    for (const bool recovers : {false, true}) {
      SegmentMachine machine;
      machine.index_interval_bytes = 4'096;
      auto segment = machine.create(0);
      for (int i = 0; i < 60; ++i) {
        machine.append(*segment, {.base = i, .value_bytes = 432, .timestamp = 1'000 + i});
      }
      segment = machine.sealed(std::move(segment));
      const std::string times = machine.contents(base, SegmentFileKind::time_index);
      std::string text = times;
      if (offset_is_lost) text.replace(8, 4, 4, '\0');
      if (!offset_is_lost) text.replace(6, 2, 2, '\0');
      ASSERT_NE(text, times);
      machine.write_file(base, SegmentFileKind::time_index, text);
      segment = machine.reopen(std::move(segment));
      if (recovers) {
        EXPECT_FALSE(*machine.wait(segment->indexes_are_sane(Offset(60))));
        continue;
      }
      const auto found =
          machine.wait(segment->find_timestamp(Timestamp(1'002), Offset(0), Offset(60)));
      ASSERT_TRUE(found && *found);
      EXPECT_EQ((*found)->offset, Offset(2));
      EXPECT_TRUE(machine.says("its first entry is not what its batch says"));
      machine.good(segment->sync_indexes());
      EXPECT_EQ(machine.contents(base, SegmentFileKind::time_index), times);
    }
  }
}

// What is behind the damage is still found by the offset index.
TEST(SegmentRepair, a_sound_offset_index_stays_when_the_log_cannot_be_read_for_the_other) {
  SegmentMachine machine;
  machine.index_interval_bytes = 4'096;
  auto segment = sample(machine);
  const std::string offsets = machine.contents(base, SegmentFileKind::offset_index);
  std::string text = machine.contents(base, SegmentFileKind::log);
  text[text.size() / 10 + 16] = 9;  // no such format
  machine.write_file(base, SegmentFileKind::log, text);
  machine.write_file(base, SegmentFileKind::time_index, std::string(24, '\x55'));
  segment = machine.reopen(std::move(segment));
  const auto largest = machine.wait(segment->largest_timestamp());
  ASSERT_FALSE(largest);
  EXPECT_EQ(largest.error().fault, StorageFault::corrupt);
  EXPECT_EQ(machine.contents(base, SegmentFileKind::offset_index), offsets);
  const auto place = machine.wait(segment->find(Offset(150), segment->bytes()));
  ASSERT_TRUE(place && *place) << place.error().message;
  EXPECT_EQ((*place)->header.base_offset, Offset(150));
}

TEST(SegmentRepair, a_damaged_transaction_index_is_told_and_can_be_set_anew) {
  SegmentMachine machine;
  auto segment = machine.create(0);
  machine.append(*segment, {.base = 0, .count = 10});
  segment->add_aborted({ProducerId(1), Offset(0), Offset(5), Offset(6)});
  segment = machine.sealed(std::move(segment));
  std::vector<AbortedTransaction> found;
  ASSERT_TRUE(machine.wait(segment->collect_aborted(Offset(0), Offset(10), found)));
  ASSERT_EQ(found.size(), 1u);
  machine.write_file(base, SegmentFileKind::transaction_index, std::string(40, '\x11'));
  segment = machine.reopen(std::move(segment));
  found.clear();
  const auto damaged = machine.wait(segment->collect_aborted(Offset(0), Offset(10), found));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().fault, StorageFault::corrupt);
  machine.good(segment->prepare());
  machine.good(segment->set_aborted({{ProducerId(1), Offset(0), Offset(5), Offset(6)}}));
  ASSERT_TRUE(machine.wait(segment->collect_aborted(Offset(0), Offset(10), found)));
  EXPECT_EQ(found.size(), 1u);
}

}  // namespace
}  // namespace millrace::storage
