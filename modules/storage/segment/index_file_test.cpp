#include "segment_machine.hpp"

namespace millrace::storage {
namespace {

constexpr Offset base{0};
constexpr SegmentFileKind kind = SegmentFileKind::offset_index;

void add(IndexFile& index, std::int64_t number) {
  ASSERT_TRUE(add_offset_entry(index.growing(), base,
                               {Offset(number), static_cast<std::uint32_t>(number * 10)}));
}

std::vector<std::int64_t> offsets_in(ByteView bytes) {
  std::vector<std::int64_t> offsets;
  const OffsetIndexView view(bytes, base);
  for (std::size_t i = 0; i < view.entries(); ++i) offsets.push_back(view.entry(i).offset.value());
  return offsets;
}

using Numbers = std::vector<std::int64_t>;

// The entries that are in the file only, around a number.
std::optional<IndexPart> part_around(IndexFile& index, std::int64_t number) {
  return index.part(
      [&](ByteView bytes) { return OffsetIndexView(bytes, base).entries_up_to(Offset(number)); });
}

TEST(IndexFile, is_in_the_file_in_memory_or_in_both_and_searched_as_one) {
  SegmentMachine machine;
  const std::string path = machine.path(base, kind);
  IndexFile index(kind, offset_index_entry_bytes);
  for (std::int64_t i = 1; i <= 5; ++i) add(index, i);
  EXPECT_EQ(index.parts(), 0u);
  EXPECT_EQ(part_around(index, 3)->bytes.size(), 0u);
  machine.good(index.save(machine.context, path));
  EXPECT_TRUE(index.dirty());
  machine.good(index.sync(machine.context, path));
  EXPECT_FALSE(index.dirty());
  index.growing().drop_saved();
  add(index, 6);
  EXPECT_EQ(index.entries(), 6u);
  EXPECT_EQ(offsets_in(index.last_part()), (Numbers{5, 6}));
  EXPECT_FALSE(part_around(index, 3)) << "it must be read first";
  machine.good(index.load(machine.context, path));
  EXPECT_EQ(offsets_in(part_around(index, 3)->bytes), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(offsets_in(*machine.wait(index.read_all(machine.context, path))),
            (Numbers{1, 2, 3, 4}));
  machine.good(index.save(machine.context, path));
  EXPECT_EQ(offsets_in(as_bytes(machine.contents(base, kind))), (Numbers{1, 2, 3, 4, 5, 6}));
}

TEST(IndexFile, is_cut_in_memory_and_in_the_file) {
  for (std::size_t kept = 0; kept <= 6; ++kept) {
    SegmentMachine machine;
    const std::string path = machine.path(base, kind);
    IndexFile index(kind, offset_index_entry_bytes);
    for (std::int64_t i = 1; i <= 4; ++i) add(index, i);
    machine.good(index.save(machine.context, path));
    index.growing().drop_saved();
    for (std::int64_t i = 5; i <= 6; ++i) add(index, i);
    EXPECT_FALSE(part_around(index, 1));
    machine.good(index.load(machine.context, path));
    EXPECT_TRUE(part_around(index, 1));
    machine.good(index.keep(machine.context, path, kept));
    EXPECT_EQ(machine.index_cache.bytes(), 0u);
    EXPECT_EQ(index.entries(), kept);
    EXPECT_EQ(machine.contents(base, kind).size(), std::min<std::size_t>(kept, 4) * 8);
    machine.good(index.load_last(machine.context, path));
    add(index, 9);
    machine.good(index.save(machine.context, path));
    Numbers expected{1, 2, 3, 4, 5, 6};
    expected.resize(kept);
    expected.push_back(9);
    EXPECT_EQ(offsets_in(as_bytes(machine.contents(base, kind))), expected);
  }
}

// Parts of 512 entries each, of which the last one grows.
TEST(IndexFile, of_many_entries_only_the_part_that_is_looked_at_is_read) {
  SegmentMachine machine;
  const std::string path = machine.path(base, kind);
  IndexFile index(kind, offset_index_entry_bytes);
  std::int64_t last = 0;
  const auto grow = [&](std::int64_t to) {
    while (last < to) add(index, ++last);
    machine.good(index.save(machine.context, path));
    index.growing().drop_saved();
  };
  const auto look = [&](std::int64_t number) {
    auto part = part_around(index, number);
    for (int i = 0; !part && i < 3; ++i) {
      machine.good(index.load(machine.context, path));
      part = part_around(index, number);
    }
    return part.value();
  };
  for (const std::int64_t to : {512, 513, 514, 1'024, 1'500, 1'501, 2'000}) {
    grow(to);
    for (std::int64_t number = 0; number < to; number += 37) {
      const IndexPart part = look(number);
      const OffsetIndexView view(part.bytes, base);
      const std::int64_t first = number < 1 ? 0 : (number - 1) / 512 * 512;
      ASSERT_EQ(part.first, static_cast<std::size_t>(first)) << number << " of " << to;
      ASSERT_EQ(view.entry(0).offset, Offset(first + 1));
      // The last entry of all is in memory.
      const std::int64_t end = std::min(first + 512, to - 1);
      ASSERT_EQ(view.entry(view.entries() - 1).offset, Offset(end));
      ASSERT_EQ(part.next.empty(), end == to - 1);
      if (!part.next.empty()) {
        ASSERT_EQ(OffsetIndexView(part.next, base).entry(0).offset, Offset(end + 1));
      }
    }
  }
}

TEST(IndexFile, what_is_found_is_unchecked_and_a_part_of_an_entry_is_noticed) {
  SegmentMachine machine;
  const std::string path = machine.path(base, kind);
  machine.write_file(base, kind, std::string(20, 'x'));
  IndexFile index(kind, offset_index_entry_bytes);
  EXPECT_TRUE(index.checked());
  index.found(20);
  EXPECT_FALSE(index.checked());
  EXPECT_TRUE(index.torn());
  EXPECT_EQ(index.entries(), 2u);
  machine.good(index.keep(machine.context, path, 1));
  EXPECT_FALSE(index.torn());
  EXPECT_EQ(machine.contents(base, kind), std::string(8, 'x'));
}

TEST(IndexFile, without_space_what_is_not_saved_stays_in_memory) {
  SegmentMachine machine;
  const std::string path = machine.path(base, kind);
  IndexFile index(kind, offset_index_entry_bytes);
  for (std::int64_t i = 1; i <= 3; ++i) add(index, i);
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space, .done = 11});
  EXPECT_EQ(machine.wait(index.save(machine.context, path)).error().fault, StorageFault::no_space);
  EXPECT_EQ(offsets_in(index.last_part()), (Numbers{1, 2, 3}));
  machine.good(index.save(machine.context, path));
  EXPECT_EQ(offsets_in(as_bytes(machine.contents(base, kind))), (Numbers{1, 2, 3}));
}

TEST(IndexFile, an_empty_index_gets_its_file_too) {
  SegmentMachine machine;
  IndexFile index(kind, offset_index_entry_bytes);
  machine.good(index.save(machine.context, machine.path(base, kind)));
  EXPECT_EQ(machine.contents(base, kind), "");
}

// What a reader loads must not take the place of what the writer has added meanwhile.
TEST(IndexFile, loading_the_last_entry_beside_others_loses_nothing) {
  const auto load_and_add = [](SegmentMachine& machine, IndexFile& index, std::string path,
                               std::int64_t number) -> Task<void> {
    EXPECT_TRUE(co_await index.load_last(machine.context, path));
    if (number > 0) add(index, number);
  };
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SegmentMachine machine(seed, {.seed = seed, .slow = 0.5});
    const std::string path = machine.path(base, kind);
    GrowingIndex written(offset_index_entry_bytes);
    ASSERT_TRUE(add_offset_entry(written, base, {Offset(1), 10}));
    ASSERT_TRUE(add_offset_entry(written, base, {Offset(2), 20}));
    machine.write_file(base, kind, std::string(as_text(written.bytes())));
    IndexFile index(kind, offset_index_entry_bytes);
    index.found(16);
    TaskGroup group;
    group.start(load_and_add(machine, index, path, 0));
    group.start(load_and_add(machine, index, path, 7));
    group.start(load_and_add(machine, index, path, 0));
    while (group.running() > 0) {
      machine.executor.run_until_idle();
      if (group.running() > 0) ASSERT_TRUE(machine.executor.advance_to_next_timer());
    }
    EXPECT_EQ(index.entries(), 3u) << seed;
    EXPECT_EQ(offsets_in(index.last_part()), (Numbers{2, 7})) << seed;
  }
}

}  // namespace
}  // namespace millrace::storage
