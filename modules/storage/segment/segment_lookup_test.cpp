#include "segment_machine.hpp"

namespace millrace::storage {
namespace {

struct Batch {
  Offset first;
  Offset last;
  std::uint64_t position = 0;
  std::uint64_t end = 0;
};

// A segment at 1000 with gaps between some batches, and what a plain walk knows of it.
struct Sample {
  explicit Sample(std::uint64_t seed, SegmentMachine& machine) {
    Random random(seed);
    machine.index_interval_bytes = static_cast<std::uint32_t>(random.below(600));
    segment = machine.create(1'000);
    std::int64_t base = 1'000 + static_cast<std::int64_t>(random.below(3));
    for (int i = 0; i < 80; ++i) {
      const int count = 1 + static_cast<int>(random.below(4));
      const std::uint64_t position = segment->bytes();
      machine.append(*segment, {.base = base, .count = count, .value_bytes = random.below(200)});
      batches.push_back({Offset(base), Offset(base + count - 1), position, segment->bytes()});
      base += count + static_cast<std::int64_t>(random.below(4) == 0 ? random.below(10) : 0);
      if (random.below(15) == 0) machine.good(segment->save_indexes());
    }
    end = Offset(base);
    if (random.below(2) == 0) segment = machine.sealed(std::move(segment));
  }
  std::unique_ptr<Segment> segment;
  std::vector<Batch> batches;
  Offset end;
};

TEST(SegmentLookup, finds_the_first_batch_that_ends_at_or_after_an_offset) {
  std::size_t found_now = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SegmentMachine machine(seed);
    const Sample sample(seed, machine);
    for (Offset offset(990); offset < sample.end.plus(5); offset = offset.next()) {
      for (const std::size_t limit : {sample.batches.size(), sample.batches.size() / 2}) {
        const std::uint64_t to = sample.batches[limit - 1].end;
        const auto found = machine.wait(sample.segment->find(offset, to));
        ASSERT_TRUE(found) << found.error().message;
        const auto expected = std::find_if(
            sample.batches.begin(), sample.batches.begin() + static_cast<std::ptrdiff_t>(limit),
            [&](const Batch& batch) { return batch.last >= offset; });
        const bool there = expected != sample.batches.begin() + static_cast<std::ptrdiff_t>(limit);
        ASSERT_EQ(found->has_value(), there) << seed << " at " << offset.value();
        if (there) ASSERT_EQ((*found)->position, expected->position) << seed;
        if (const auto now = sample.segment->find_now(offset, to)) {
          ASSERT_TRUE(there) << seed << " at " << offset.value();
          ASSERT_EQ(now->position, expected->position) << seed << " at " << offset.value();
          ASSERT_EQ(now->base_offset, expected->first) << seed << " at " << offset.value();
          ++found_now;
        }
      }
    }
  }
  EXPECT_GT(found_now, 1'000u);
}

// What is learned of batches beside a cut, after which others lie in their places, some of them
// with the same last offset.
TEST(SegmentLookup, what_was_known_of_batches_that_were_cut_is_not_believed) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SegmentMachine machine(seed, {.completion = SimulatedCompletion::mixed, .slow = 0.5});
    machine.index_interval_bytes = 1;
    auto segment = machine.create(0);
    Random random(seed);
    const auto append = [&](std::int64_t from) {
      for (std::int64_t end = from + 4; end <= 40; end += 4) {
        const int count = 1 + static_cast<int>(random.below(4));
        machine.append(*segment, {.base = end - count, .count = count, .value_bytes = 50});
      }
    };
    const auto find = [&](std::int64_t offset) -> Task<void> {
      static_cast<void>(co_await segment->find(Offset(offset), segment->bytes()));
    };
    append(0);
    // Known of no batch.
    segment = machine.sealed(std::move(segment));
    TaskGroup finding;
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < 4; ++i) finding.start(find(static_cast<std::int64_t>(random.below(40))));
      const auto keep = 4 * static_cast<std::int64_t>(random.below(10));
      const auto place = machine.wait(segment->find(Offset(keep), segment->bytes()));
      ASSERT_TRUE(place && *place);
      machine.good(segment->truncate((*place)->position, Offset(keep)));
      append(keep);
    }
    while (finding.running() > 0) {
      machine.executor.run_until_idle();
      if (finding.running() > 0) ASSERT_TRUE(machine.executor.advance_to_next_timer());
    }
    for (int offset = 0; offset < 40; ++offset) {
      const auto now = segment->find_now(Offset(offset), segment->bytes());
      const auto found = machine.wait(segment->find(Offset(offset), segment->bytes()));
      ASSERT_TRUE(found && *found);
      if (!now) continue;
      EXPECT_EQ(now->position, (*found)->position) << seed << " at " << offset;
      EXPECT_EQ(now->base_offset, (*found)->header.base_offset) << seed << " at " << offset;
    }
  }
}

TEST(SegmentLookup, what_has_an_entry_and_was_found_before_is_found_without_reading) {
  SegmentMachine machine;
  machine.index_interval_bytes = 1;
  auto segment = machine.create(0);
  for (int i = 0; i < 20; ++i) machine.append(*segment, {.base = 3 * i, .count = 3});
  for (const bool opened : {false, true}) {
    if (opened) segment = machine.sealed(std::move(segment));
    EXPECT_EQ(segment->find_now(Offset(30), segment->bytes()).has_value(), !opened);
    for (std::int64_t offset = 3; offset < 60; ++offset) {
      if (opened) {
        const auto found = machine.wait(segment->find(Offset(offset), segment->bytes()));
        ASSERT_TRUE(found && *found);
      }
      const auto now = segment->find_now(Offset(offset), segment->bytes());
      ASSERT_TRUE(now) << offset;
      EXPECT_EQ(now->base_offset, Offset(offset / 3 * 3));
      // Nothing that lies behind the end is given.
      EXPECT_FALSE(segment->find_now(Offset(offset), now->position));
    }
    EXPECT_FALSE(segment->find_now(Offset(60), segment->bytes()));
  }
}

TEST(SegmentLookup, a_boundary_lies_behind_the_last_batch_that_fits) {
  std::size_t below_found = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SegmentMachine machine(seed);
    const Sample sample(seed, machine);
    const std::uint64_t to = sample.batches.back().end;
    for (std::size_t from = 0; from < sample.batches.size(); from += 7) {
      for (const std::uint64_t bytes_max : {0u, 1u, 100u, 333u, 1'000u, 5'000u, 1'000'000u}) {
        const std::uint64_t position = sample.batches[from].position;
        std::uint64_t expected = position;
        for (std::size_t i = from; i < sample.batches.size(); ++i) {
          if (sample.batches[i].end - position <= bytes_max) expected = sample.batches[i].end;
        }
        const auto found = machine.wait(sample.segment->boundary(position, bytes_max, to));
        ASSERT_TRUE(found) << found.error().message;
        ASSERT_EQ(found->position, expected) << seed;
        if (const auto by_index = sample.segment->boundary_by_index(position, bytes_max, to)) {
          ASSERT_LE(by_index->position, expected);
          ASSERT_GE(by_index->position, std::min(to, position + bytes_max / 2));
          const bool at_a_border =
              by_index->position == to ||
              std::any_of(sample.batches.begin(), sample.batches.end(),
                          [&](const Batch& batch) { return batch.position == by_index->position; });
          ASSERT_TRUE(at_a_border);
        }
        for (const Batch& hidden : {sample.batches[from], sample.batches.back()}) {
          const auto below = sample.segment->boundary_below(position, bytes_max, hidden.last);
          if (!below) continue;
          ASSERT_LE(below->position, expected);
          ASSERT_GE(below->position, position + bytes_max / 2);
          const auto behind =
              std::find_if(sample.batches.begin(), sample.batches.end(),
                           [&](const Batch& batch) { return batch.position == below->position; });
          ASSERT_NE(behind, sample.batches.end());
          if (behind != sample.batches.begin()) ASSERT_LT(std::prev(behind)->last, hidden.last);
          ++below_found;
        }
      }
    }
  }
  EXPECT_GT(below_found, 100u);
}

TEST(SegmentLookup, batches_that_are_damaged_are_told_and_others_are_found) {
  SegmentMachine machine;
  machine.index_interval_bytes = 100;
  auto segment = machine.create(0);
  for (int i = 0; i < 20; ++i) machine.append(*segment, {.base = i, .value_bytes = 32});
  ASSERT_EQ(segment->bytes(), 2'000u);
  // The magic of batch 5.
  ASSERT_TRUE(machine.disk.flip_bit(segment->log_path(), 8 * (500 + 16)));
  EXPECT_TRUE(machine.wait(segment->find(Offset(3), 2'000)));
  const auto damaged = machine.wait(segment->find(Offset(5), 2'000));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().fault, StorageFault::corrupt);
  const auto behind = machine.wait(segment->find(Offset(10), 2'000));
  ASSERT_TRUE(behind);
  EXPECT_EQ((*behind)->position, 1'000u);
}

TEST(SegmentLookup, a_whole_batch_is_read_and_a_part_of_one_is_damage) {
  SegmentMachine machine;
  auto segment = machine.create(0);
  machine.append(*segment, {.base = 0, .value_bytes = 5'000});
  const auto place = machine.wait(segment->find(Offset(0), segment->bytes()));
  ASSERT_TRUE(place && *place);
  EXPECT_EQ(machine.wait(segment->read_batch(**place))->size(), segment->bytes());
  machine.write_file(Offset(0), SegmentFileKind::log,
                     machine.contents(Offset(0), SegmentFileKind::log).substr(0, 3'000));
  EXPECT_EQ(machine.wait(segment->read_batch(**place)).error().fault, StorageFault::corrupt);
}

// A page that leaves the memory and comes back with one bit turned over: what was known of the
// batches does not make it right, and nothing is passed over.
TEST(SegmentLookup, an_index_that_goes_bad_between_two_reads_leads_nobody_past_a_batch) {
  SegmentMachine machine(1, {.completion = SimulatedCompletion::immediate});
  machine.index_interval_bytes = 1;
  // Room for one index, and for what is known of a few batches.
  IndexCache cache(machine.files, machine.open_files, kibibyte);
  SegmentContext context{machine.executor, machine.files,        machine.open_files, cache,
                         machine.buffers,  machine.decompressor, machine.context.log};
  constexpr std::int64_t batches = 48;
  const auto make = [&](std::int64_t at) {
    auto segment = machine.create(at);
    for (std::int64_t i = 0; i < batches; ++i) {
      machine.append(*segment, {.base = at + 2 * i, .count = 2, .timestamp = 1'000 + i});
    }
    static_cast<void>(machine.sealed(std::move(segment)));
    SegmentSizes sizes;
    sizes.log = machine.contents(Offset(at), SegmentFileKind::log).size();
    sizes.offset_index = machine.contents(Offset(at), SegmentFileKind::offset_index).size();
    sizes.time_index = machine.contents(Offset(at), SegmentFileKind::time_index).size();
    return std::make_unique<Segment>(context, machine.directory, Offset(at), Timestamp(0), sizes);
  };
  const auto other = make(1'000);
  const auto segment = make(0);
  const std::string path = machine.path(Offset(0), SegmentFileKind::offset_index);
  const auto place_of = [&](Segment& in, std::int64_t offset) {
    return machine.wait(in.find(Offset(offset), in.bytes()));
  };
  const std::size_t bits = machine.disk.contents(path).value().size() * 8;
  ASSERT_EQ(bits, (batches - 1) * 8 * offset_index_entry_bytes);
  std::size_t known = 0;
  for (std::size_t bit = 0; bit < bits; bit += 2 * MILLRACE_SLOWNESS - 1) {
    SCOPED_TRACE(bit);
    for (std::int64_t offset = 0; offset < 2 * batches; ++offset) {
      const auto place = place_of(*segment, offset);
      ASSERT_TRUE(place && *place && (*place)->header.base_offset == Offset(offset / 2 * 2));
      known += segment->find_now(Offset(offset), segment->bytes()) ? 1u : 0u;
    }
    ASSERT_TRUE(machine.disk.flip_bit(path, bit));
    ASSERT_TRUE(place_of(*other, 1'020)) << "its index takes the place of the other";
    for (std::int64_t offset = 2 * batches - 1; offset >= 0; --offset) {
      const Offset expected(offset / 2 * 2);
      const auto before = segment->find_now(Offset(offset), segment->bytes());
      if (before) ASSERT_EQ(before->base_offset, expected) << offset;
      const auto place = place_of(*segment, offset);
      ASSERT_TRUE(place && *place) << offset;
      ASSERT_EQ((*place)->header.base_offset, expected) << offset;
      if (before) ASSERT_EQ(before->position, (*place)->position) << offset;
      if (const auto now = segment->find_now(Offset(offset), segment->bytes())) {
        ASSERT_EQ(now->position, (*place)->position) << offset;
        ASSERT_EQ(now->base_offset, expected) << offset;
      }
      const auto found = machine.wait(
          segment->find_timestamp(Timestamp(1'000 + offset / 2), Offset(0), Offset(2 * batches)));
      ASSERT_TRUE(found && *found) << offset;
      ASSERT_EQ((*found)->offset, expected) << offset;
    }
    ASSERT_TRUE(machine.disk.flip_bit(path, bit));
    ASSERT_TRUE(place_of(*other, 1'020));
  }
  EXPECT_GT(known, 1'000u / MILLRACE_SLOWNESS);
  EXPECT_TRUE(machine.says("no batch that ends at offset"));
}

// Older versions of Kafka did so, and their cleaner too.
TEST(SegmentLookup, an_entry_with_the_last_offset_of_several_batches_is_no_contradiction) {
  for (const bool is_right : {true, false}) {
    SegmentMachine machine;
    auto segment = machine.create(0);
    std::vector<std::uint64_t> positions;
    for (std::int64_t i = 0; i < 6; ++i) {
      positions.push_back(segment->bytes());
      machine.append(*segment, {.base = 10 * i, .count = 2});
    }
    segment = machine.sealed(std::move(segment));
    GrowingIndex entries(offset_index_entry_bytes);
    const Offset last(is_right ? 41 : 39);
    ASSERT_TRUE(
        add_offset_entry(entries, Offset(0), {last, static_cast<std::uint32_t>(positions[2])}));
    machine.write_file(Offset(0), SegmentFileKind::offset_index,
                       std::string(as_text(entries.bytes())));
    segment = machine.reopen(std::move(segment));
    for (std::int64_t offset = 0; offset < 52; ++offset) {
      const auto place = machine.wait(segment->find(Offset(offset), segment->bytes()));
      ASSERT_TRUE(place && *place);
      EXPECT_EQ((*place)->header.base_offset, Offset((offset + 8) / 10 * 10)) << offset;
    }
    BatchOrder order{Offset(0)};
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const auto header =
          header_of(encode({.base = 10 * static_cast<std::int64_t>(i), .count = 2}));
      const auto misplaced = machine.wait(segment->misplaced(order, positions[i], header));
      ASSERT_TRUE(misplaced);
      EXPECT_EQ(misplaced->has_value(), i == 2 && !is_right) << i;
      if (*misplaced) break;
    }
  }
}

// Many pages of entries, in a cache that has room for few of them.
TEST(SegmentLookup, finds_every_batch_whatever_part_of_its_indexes_is_in_memory) {
  SegmentMachine machine;
  machine.index_interval_bytes = 1;
  auto segment = machine.create(0);
  constexpr std::int64_t batches = 3'000;
  for (std::int64_t i = 0; i < batches; ++i) {
    machine.append(*segment, {.base = 2 * i, .count = 2, .timestamp = 1'000 + i});
    if (i % 400 == 399) machine.good(segment->save_indexes());
    if (i % 400 != 399) continue;
    const auto place = machine.wait(segment->find(Offset(i), segment->bytes()));
    ASSERT_TRUE(place && *place);
    EXPECT_EQ((*place)->header.base_offset, Offset(i / 2 * 2));
  }
  for (const bool sealed : {false, true}) {
    if (sealed) segment = machine.sealed(std::move(segment));
    for (std::int64_t i = 0; i < batches; i += 13) {
      const auto place = machine.wait(segment->find(Offset(2 * i + 1), segment->bytes()));
      ASSERT_TRUE(place && *place) << i;
      ASSERT_EQ((*place)->header.base_offset, Offset(2 * i));
      const auto found = machine.wait(
          segment->find_timestamp(Timestamp(1'000 + i), Offset(0), Offset(2 * batches)));
      ASSERT_TRUE(found && *found) << i;
      ASSERT_EQ((*found)->offset, Offset(2 * i));
      const auto end = machine.wait(segment->boundary((*place)->position, 1'000, segment->bytes()));
      ASSERT_TRUE(end);
      ASSERT_LE(end->position, (*place)->position + 1'000);
      ASSERT_GT(end->position, (*place)->position);
    }
  }
}

// A device that cannot read a page of an index is an error, and not the end of the process.
TEST(SegmentLookup, of_an_index_that_cannot_be_read_takes_the_directory_offline) {
  for (const SegmentFileKind kind : {SegmentFileKind::offset_index, SegmentFileKind::time_index}) {
    SegmentMachine machine;
    machine.index_interval_bytes = 1;
    auto segment = machine.create(0);
    for (std::int64_t i = 0; i < 2'000; ++i) {
      machine.append(*segment, {.base = i, .timestamp = 1'000 + i});
    }
    segment = machine.sealed(std::move(segment));
    ASSERT_TRUE(machine.wait(segment->find(Offset(1'999), segment->bytes())));
    ASSERT_TRUE(machine.wait(segment->find_timestamp(Timestamp(2'500), Offset(0), Offset(2'000))));
    machine.disk.faults().plan({.kind = IoKind::read,
                                .path_part = std::string(suffix_of(kind)),
                                .times = PlannedFault::always});
    if (kind == SegmentFileKind::offset_index) {
      const auto place = machine.wait(segment->find(Offset(700), segment->bytes()));
      ASSERT_FALSE(place);
      EXPECT_EQ(place.error().fault, StorageFault::offline);
    }
    const auto found =
        machine.wait(segment->find_timestamp(Timestamp(1'700), Offset(0), Offset(2'000)));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().fault, StorageFault::offline);
  }
}

}  // namespace
}  // namespace millrace::storage
