#include "segment_machine.hpp"

namespace millrace::storage {
namespace {

constexpr Offset base{0};
constexpr std::size_t entry_bytes = offset_index_entry_bytes;
constexpr std::size_t page_entries = 512;
static_assert(page_entries * entry_bytes == index_page_bytes_max);

std::string path_of(const SegmentMachine& machine, std::int64_t number) {
  return machine.path(Offset(number), SegmentFileKind::offset_index);
}

// So many entries, of which each says its number.
std::string entries(std::size_t count) {
  GrowingIndex index(entry_bytes);
  for (std::size_t i = 1; i <= count; ++i) {
    EXPECT_TRUE(add_offset_entry(
        index, base, {Offset(static_cast<std::int64_t>(i)), static_cast<std::uint32_t>(10 * i)}));
  }
  return std::string(as_text(index.bytes()));
}

std::vector<std::int64_t> numbers_in(ByteView bytes) {
  std::vector<std::int64_t> numbers;
  const OffsetIndexView view(bytes, base);
  for (std::size_t i = 0; i < view.entries(); ++i) numbers.push_back(view.entry(i).offset.value());
  return numbers;
}

TEST(IndexCache, knows_the_first_entry_of_each_page_and_the_pages_that_were_read) {
  SegmentMachine machine;
  IndexCache cache(machine.files, machine.open_files);
  const std::size_t count = 3 * page_entries + 5;
  machine.write_file(base, SegmentFileKind::offset_index, entries(count));
  const std::string path = path_of(machine, 0);
  {
    IndexCache::Place place;
    EXPECT_TRUE(place.firsts().empty());
    EXPECT_TRUE(place.page(0).empty());
    machine.good(cache.load_firsts(place, path, entry_bytes, count * entry_bytes));
    EXPECT_EQ(numbers_in(place.firsts()), (std::vector<std::int64_t>{1, 513, 1025, 1537}));
    EXPECT_TRUE(place.page(3).empty());
    machine.good(cache.load_page(place, path, entry_bytes, count * entry_bytes, 3));
    EXPECT_EQ(numbers_in(place.page(3)), (std::vector<std::int64_t>{1537, 1538, 1539, 1540, 1541}));
    EXPECT_TRUE(place.page(1).empty());
    EXPECT_GT(cache.bytes(), 5 * entry_bytes);
    cache.forget(place);
    EXPECT_TRUE(place.firsts().empty());
    EXPECT_EQ(cache.bytes(), 0u);
    machine.good(cache.load_page(place, path, entry_bytes, count * entry_bytes, 0));
    EXPECT_EQ(place.page(0).size(), index_page_bytes_max);
    EXPECT_EQ(numbers_in(place.firsts()), (std::vector<std::int64_t>{1}));
  }
  EXPECT_EQ(cache.bytes(), 0u) << "a place takes its pages along";
}

TEST(IndexCache, reads_on_where_a_file_has_grown) {
  SegmentMachine machine;
  IndexCache cache(machine.files, machine.open_files);
  machine.write_file(base, SegmentFileKind::offset_index, entries(2 * page_entries));
  const std::string path = path_of(machine, 0);
  IndexCache::Place place;
  for (const std::size_t count : {3ul, 4ul, page_entries, page_entries + 1, 2 * page_entries}) {
    const std::size_t last = (count - 1) / page_entries;
    machine.good(cache.load_page(place, path, entry_bytes, count * entry_bytes, last));
    EXPECT_EQ(place.page(last).size(), (count - last * page_entries) * entry_bytes);
    machine.good(cache.load_firsts(place, path, entry_bytes, count * entry_bytes));
    EXPECT_EQ(place.firsts().size(), (last + 1) * entry_bytes);
  }
  EXPECT_EQ(numbers_in(place.firsts()), (std::vector<std::int64_t>{1, 513}));
}

TEST(IndexCache, forgets_the_indexes_that_were_not_used_for_longest) {
  SegmentMachine machine;
  constexpr std::size_t limit = 3 * index_page_bytes_max + 1'000;
  IndexCache cache(machine.files, machine.open_files,
                   limit * batch_spans_part / (batch_spans_part - 1));
  std::vector<IndexCache::Place> places(5);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto number = static_cast<std::int64_t>(i);
    machine.write_file(Offset(number), SegmentFileKind::offset_index, entries(page_entries));
    machine.good(
        cache.load_page(places[i], path_of(machine, number), entry_bytes, index_page_bytes_max, 0));
    EXPECT_FALSE(places[0].firsts().empty()) << "it is used again and again";
    EXPECT_LE(cache.bytes(), limit);
  }
  EXPECT_FALSE(places[0].page(0).empty());
  EXPECT_TRUE(places[1].page(0).empty());
  EXPECT_TRUE(places[2].page(0).empty());
  EXPECT_FALSE(places[4].page(0).empty());
}

TEST(IndexCache, what_was_forgotten_while_it_was_read_does_not_count) {
  for (const bool firsts : {false, true}) {
    SegmentMachine machine(1, {.completion = SimulatedCompletion::mixed, .slow = 1});
    IndexCache cache(machine.files, machine.open_files);
    machine.write_file(base, SegmentFileKind::offset_index, entries(10));
    IndexCache::Place place;
    const auto load = [&]() -> Task<void> {
      const std::string path = path_of(machine, 0);
      const auto done = firsts ? co_await cache.load_firsts(place, path, entry_bytes, 80)
                               : co_await cache.load_page(place, path, entry_bytes, 80, 0);
      EXPECT_TRUE(done);
    };
    TaskGroup group;
    group.start(load());
    ASSERT_EQ(group.running(), 1u);
    cache.forget(place);
    while (group.running() > 0) {
      machine.executor.run_until_idle();
      if (group.running() > 0) ASSERT_TRUE(machine.executor.advance_to_next_timer());
    }
    EXPECT_TRUE(place.firsts().empty());
    EXPECT_TRUE(place.page(0).empty());
    EXPECT_EQ(cache.bytes(), 0u);
  }
}

TEST(IndexCache, a_file_that_is_cut_while_it_is_read_is_not_damaged) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    for (const bool firsts : {false, true}) {
      SegmentMachine machine(seed, {.seed = seed, .slow = 0.7});
      IndexCache cache(machine.files, machine.open_files);
      machine.write_file(base, SegmentFileKind::offset_index, entries(10));
      IndexCache::Place place;
      const auto load = [&]() -> Task<void> {
        const std::string path = path_of(machine, 0);
        const auto done = firsts ? co_await cache.load_firsts(place, path, entry_bytes, 80)
                                 : co_await cache.load_page(place, path, entry_bytes, 80, 0);
        EXPECT_TRUE(done) << done.error().message << ", seed " << seed;
      };
      TaskGroup group;
      group.start(load());
      // As keep() does it.
      if (group.running() > 0) cache.forget(place);
      machine.write_file(base, SegmentFileKind::offset_index, entries(3));
      while (group.running() > 0) {
        machine.executor.run_until_idle();
        if (group.running() > 0) ASSERT_TRUE(machine.executor.advance_to_next_timer());
      }
    }
  }
}

TEST(IndexCache, tells_what_cannot_be_read) {
  SegmentMachine machine;
  IndexCache cache(machine.files, machine.open_files);
  machine.write_file(base, SegmentFileKind::offset_index, entries(10));
  const std::string path = path_of(machine, 0);
  IndexCache::Place place;
  const auto fault = [&](Task<StorageResult<void>> task) {
    const auto done = machine.wait(std::move(task));
    EXPECT_FALSE(done);
    return done ? StorageFault::invalid : done.error().fault;
  };
  EXPECT_EQ(fault(cache.load_page(place, path, entry_bytes, 88, 0)), StorageFault::corrupt);
  EXPECT_EQ(fault(cache.load_firsts(place, path, entry_bytes, 88)), StorageFault::corrupt);
  EXPECT_EQ(fault(cache.load_page(place, "/log/none", entry_bytes, 80, 0)),
            StorageFault::not_found);
  machine.disk.faults().plan({.kind = IoKind::read, .times = PlannedFault::always});
  EXPECT_EQ(fault(cache.load_page(place, path, entry_bytes, 80, 0)), StorageFault::offline);
  EXPECT_EQ(fault(cache.load_firsts(place, path, entry_bytes, 80)), StorageFault::offline);
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace millrace::storage
