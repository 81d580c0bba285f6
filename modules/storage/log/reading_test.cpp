// Also proves position_cache.cppm.
#include "test_batches.hpp"

namespace millrace::storage {
namespace {

// What a reader gets: the offsets of the batches in the slice.
std::vector<std::int64_t> batches_in(LogMachine& machine, ReadRequest request) {
  const auto slice = machine.wait(machine.log->read(request));
  EXPECT_TRUE(slice) << slice.error().storage.message;
  if (!slice) return {-1};
  const auto bytes = machine.wait(machine.log->load_verified(*slice));
  EXPECT_TRUE(bytes) << bytes.error().storage.message;
  if (!bytes) return {-2};
  std::vector<std::int64_t> bases;
  protocol::BatchSplitter splitter(bytes->bytes());
  for (protocol::BatchView batch; splitter.next(batch);) {
    bases.push_back(batch.header().base_offset.value());
  }
  EXPECT_EQ(slice->length, bytes->size());
  if (!bases.empty()) EXPECT_EQ(slice->base_offset, Offset(bases.front()));
  return bases;
}

using Bases = std::vector<std::int64_t>;

// Batches of three records and 100 bytes: 0, 3, 6, ...
void fill(LogMachine& machine, int batches) {
  for (int i = 0; i < batches; ++i) {
    const auto bytes = encode({{"aaaaa", "bbbbb", "ccc"}});
    ASSERT_EQ(bytes.size(), 95u);
    ASSERT_TRUE(machine.append({{"aaaaa", "bbbbb", "ccc"}}));
  }
}

TEST(Reading, gives_whole_batches_within_the_limit_from_the_one_that_holds_the_offset) {
  LogMachine machine(1);
  ASSERT_TRUE(machine.open());
  fill(machine, 10);
  const Offset end = machine.log->end();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(batches_in(machine, {Offset(0), end, 95, true}), (Bases{0}));
    EXPECT_EQ(batches_in(machine, {Offset(1), end, 190, true}), (Bases{0, 3}));
    EXPECT_EQ(batches_in(machine, {Offset(3), end, 284, true}), (Bases{3, 6}));
    EXPECT_EQ(batches_in(machine, {Offset(5), end, 285, true}), (Bases{3, 6, 9}));
    EXPECT_EQ(batches_in(machine, {Offset(27), end, 1'000'000, true}), (Bases{27}));
    EXPECT_EQ(batches_in(machine, {Offset(29), end, 1'000'000, true}), (Bases{27}));
    EXPECT_EQ(batches_in(machine, {Offset(30), end, 1'000'000, true}), (Bases{}));
  }
  ASSERT_TRUE(machine.close());
}

TEST(Reading, a_first_batch_above_the_limit_is_given_only_if_that_is_wanted) {
  LogMachine machine(2);
  ASSERT_TRUE(machine.open());
  fill(machine, 3);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(batches_in(machine, {Offset(3), Offset(9), 0, true}), (Bases{3}));
    EXPECT_EQ(batches_in(machine, {Offset(3), Offset(9), 94, true}), (Bases{3}));
    EXPECT_EQ(batches_in(machine, {Offset(3), Offset(9), 94, false}), (Bases{}));
    EXPECT_EQ(batches_in(machine, {Offset(3), Offset(9), 95, false}), (Bases{3}));
  }
  ASSERT_TRUE(machine.close());
}

TEST(Reading, gives_nothing_that_reaches_up_to_the_offset_from_which_on_nothing_may_be_seen) {
  LogMachine machine(3);
  machine.config.segment_bytes = 400;
  ASSERT_TRUE(machine.open());
  fill(machine, 10);
  ASSERT_EQ(machine.log->segments().size(), 3u);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(batches_in(machine, {Offset(0), Offset(0), 1'000, true}), (Bases{}));
    EXPECT_EQ(batches_in(machine, {Offset(0), Offset(2), 1'000, true}), (Bases{}));
    EXPECT_EQ(batches_in(machine, {Offset(0), Offset(3), 1'000, true}), (Bases{0}));
    EXPECT_EQ(batches_in(machine, {Offset(0), Offset(7), 1'000, true}), (Bases{0, 3}));
    // The batch that holds the limit, asked for by the limit itself.
    EXPECT_EQ(batches_in(machine, {Offset(7), Offset(30), 95, true}), (Bases{6}));
    // At and behind the border of two segments.
    EXPECT_EQ(batches_in(machine, {Offset(9), Offset(12), 1'000, true}), (Bases{9}));
    EXPECT_EQ(batches_in(machine, {Offset(9), Offset(13), 1'000, true}), (Bases{9}));
    EXPECT_EQ(batches_in(machine, {Offset(12), Offset(13), 1'000, true}), (Bases{}));
    EXPECT_EQ(batches_in(machine, {Offset(12), Offset(1'000), 1'000, true}),
              (Bases{12, 15, 18, 21}));
  }
  ASSERT_TRUE(machine.close());
}

TEST(Reading, gives_nothing_more_while_too_many_files_are_in_use) {
  LogMachine machine(3);
  ASSERT_TRUE(machine.open());
  fill(machine, 3);
  OpenFiles& files = machine.process->open_files;
  std::vector<OpenFiles::Lease> held;
  while (!files.crowded()) {
    auto lease =
        machine.wait(files.acquire("/other-" + std::to_string(held.size()), OpenMode::create));
    ASSERT_TRUE(lease);
    held.push_back(std::move(*lease));
  }
  EXPECT_EQ(batches_in(machine, {Offset(0), Offset(9), 1'000, false}), (Bases{}));
  EXPECT_EQ(batches_in(machine, {Offset(0), Offset(9), 1'000, true}), (Bases{0, 3, 6}));
  held.clear();
  EXPECT_EQ(batches_in(machine, {Offset(0), Offset(9), 1'000, false}), (Bases{0, 3, 6}));
  ASSERT_TRUE(machine.close());
}

TEST(Reading, passes_over_gaps_between_batches_and_segments) {
  LogMachine machine(4);
  machine.config.segment_bytes = 150;
  ASSERT_TRUE(machine.open());
  for (const std::int64_t base : {5, 20, 40}) {
    ASSERT_TRUE(machine.replicate(replicated(base, {"aaaaaaaaaa", "bbbbbbbbbb"})));
  }
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(35))));
  EXPECT_EQ(machine.log->end(), Offset(35));
  ASSERT_TRUE(machine.replicate(replicated(40, {"aaaaaaaaaa", "bbbbbbbbbb"})));
  for (int round = 0; round < 2; ++round) {
    for (const std::int64_t offset : {0, 4, 5, 6}) {
      EXPECT_EQ(batches_in(machine, {Offset(offset), Offset(42), 120, true}), (Bases{5})) << offset;
    }
    for (const std::int64_t offset : {7, 15, 20, 21}) {
      EXPECT_EQ(batches_in(machine, {Offset(offset), Offset(42), 120, true}), (Bases{20}))
          << offset;
    }
    EXPECT_EQ(batches_in(machine, {Offset(22), Offset(40), 120, true}), (Bases{}));
    EXPECT_EQ(batches_in(machine, {Offset(22), Offset(41), 120, true}), (Bases{}));
    EXPECT_EQ(batches_in(machine, {Offset(22), Offset(42), 120, true}), (Bases{40}));
    EXPECT_EQ(batches_in(machine, {Offset(8), Offset(10), 120, true}), (Bases{}));
    EXPECT_EQ(batches_in(machine, {Offset(10), Offset(22), 120, true}), (Bases{20}));
  }
  ASSERT_TRUE(machine.close());
}

TEST(Reading, refuses_offsets_that_the_log_does_not_have) {
  LogMachine machine(5);
  ASSERT_TRUE(machine.open());
  fill(machine, 4);
  machine.log->set_high_watermark(Offset(12));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(4))));
  for (const std::int64_t offset : {-1, 0, 3, 13}) {
    const auto read = machine.wait(machine.log->read({Offset(offset), Offset(12), 100, true}));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().fault, ReadFault::out_of_range);
  }
  EXPECT_EQ(batches_in(machine, {Offset(4), Offset(12), 95, true}), (Bases{3}));
  EXPECT_EQ(batches_in(machine, {Offset(12), Offset(12), 95, true}), (Bases{}));
  ASSERT_TRUE(machine.close());
}

// The reader who comes back for what follows, on every path: positions that are remembered, and the
// index.
TEST(Reading, however_little_is_read_at_once_nothing_is_left_out) {
  for (const std::uint64_t bytes_max : {1u, 95u, 96u, 200u, 1'000u, 5'000u, 100'000u}) {
    LogMachine machine(6);
    machine.config.segment_bytes = 9'000;
    machine.config.index_interval_bytes = 300;
    ASSERT_TRUE(machine.open());
    fill(machine, 300);
    EXPECT_EQ(machine.records(Offset(0), Offset(900), bytes_max).size(), 900u) << bytes_max;
    EXPECT_EQ(machine.records(Offset(0), Offset(500), bytes_max).back().offset, Offset(497));
    machine.reopen();
    EXPECT_EQ(machine.records(Offset(0), Offset(900), bytes_max).size(), 900u) << bytes_max;
    ASSERT_TRUE(machine.close());
  }
}

// Also of what nobody may see all of.
TEST(Reading, what_was_appended_or_read_before_is_found_without_the_disk) {
  LogMachine machine(9);
  machine.config.index_interval_bytes = 1;
  ASSERT_TRUE(machine.open());
  fill(machine, 20);
  const std::vector<ReadRequest> requests = {{Offset(3), Offset(60), 200, true},
                                             {Offset(32), Offset(60), 400, true},
                                             {Offset(45), Offset(60), 100'000, true},
                                             {Offset(11), Offset(30), 100'000, true},
                                             {Offset(12), Offset(31), 300, false}};
  const std::vector<Bases> expected = {
      {3, 6}, {30, 33, 36, 39}, {45, 48, 51, 54, 57}, {9, 12, 15, 18, 21, 24, 27}, {12, 15, 18}};
  for (const bool reopened : {false, true}) {
    if (reopened) {
      machine.reopen();
      for (const ReadRequest& request : requests) batches_in(machine, request);
    }
    machine.disk.faults().plan({.kind = IoKind::read, .times = PlannedFault::always});
    std::vector<LogSlice> slices;
    for (const ReadRequest& request : requests) {
      auto slice = machine.wait(machine.log->read(request));
      ASSERT_TRUE(slice) << slice.error().storage.message;
      slices.push_back(std::move(*slice));
    }
    EXPECT_EQ(machine.disk.faults().injected(), 0u);
    machine.disk.faults().clear();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(batches_in(machine, requests[i]), expected[i]);
      EXPECT_EQ(slices[i].base_offset, Offset(expected[i].front()));
      EXPECT_EQ(slices[i].length, 95 * expected[i].size());
      EXPECT_TRUE(machine.wait(machine.log->load_verified(slices[i])));
    }
  }
  ASSERT_TRUE(machine.close());
}

TEST(Reading, verified_finds_an_offset_that_has_changed_since_it_was_known) {
  LogMachine machine(10);
  machine.config.index_interval_bytes = 1;
  ASSERT_TRUE(machine.open());
  fill(machine, 10);
  ASSERT_TRUE(machine.disk.flip_bit(machine.path(0, SegmentFileKind::log), 8 * (5 * 95 + 7)));
  const auto slice = machine.wait(machine.log->read({Offset(16), Offset(30), 300, true}));
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->base_offset, Offset(15));
  const auto bytes = machine.wait(machine.log->load_verified(*slice));
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().storage.fault, StorageFault::corrupt);
  ASSERT_TRUE(machine.close());
}

TEST(Reading, verified_finds_a_flipped_bit_and_names_the_segment) {
  LogMachine machine(7);
  machine.config.segment_bytes = 400;
  ASSERT_TRUE(machine.open());
  fill(machine, 10);
  ASSERT_TRUE(machine.disk.flip_bit(machine.path(12, SegmentFileKind::log), 8 * 180));
  const auto slice = machine.wait(machine.log->read({Offset(12), Offset(30), 1'000, true}));
  ASSERT_TRUE(slice);
  EXPECT_TRUE(machine.wait(machine.log->load(*slice)));
  const auto bytes = machine.wait(machine.log->load_verified(*slice));
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().storage.fault, StorageFault::corrupt);
  EXPECT_NE(bytes.error().storage.message.find("00000000000000000012.log"), std::string::npos)
      << bytes.error().storage.message;
  EXPECT_NE(bytes.error().storage.message.find("position 95"), std::string::npos)
      << bytes.error().storage.message;
  EXPECT_FALSE(machine.log->offline());
  ASSERT_TRUE(machine.close());
}

TEST(Reading, a_device_that_fails_takes_the_log_offline) {
  for (const bool while_loading : {true, false}) {
    LogMachine machine(8);
    ASSERT_TRUE(machine.open());
    fill(machine, 3);
    const auto slice = machine.wait(machine.log->read({Offset(0), Offset(9), 1'000, true}));
    ASSERT_TRUE(slice);
    machine.disk.faults().plan({.kind = IoKind::read});
    if (while_loading) {
      EXPECT_EQ(machine.wait(machine.log->load(*slice)).error().storage.fault,
                StorageFault::offline);
    } else {
      EXPECT_EQ(
          machine.wait(machine.log->read({Offset(1), Offset(9), 95, true})).error().storage.fault,
          StorageFault::offline);
    }
    EXPECT_TRUE(machine.log->offline());
    EXPECT_EQ(machine.process->keeper.offline.size(), 1u);
    machine.disk.faults().clear();
  }
}

// Readers go on while records are cut, deleted, rolled and appended: what they get was once at its
// offset, or they are told that it is not there.
struct ReadsBesideCuts {
  LogMachine& machine;
  std::uint64_t seed;
  int generation = 0;  // counts the beginnings and the ends of cuts
  std::size_t read = 0;
  bool writing = true;

  Task<bool> reader(std::uint64_t number) {
    Random random(number);
    while (writing) {
      co_await read_once(random);
      const auto found = co_await machine.log->find_timestamp(Timestamp(500), Offset(1'000));
      EXPECT_TRUE(found) << seed << ' ' << found.error().storage.message;
      co_await sleep_until(machine.executor, machine.executor.clock().now() +
                                                 std::chrono::milliseconds(random.below(10)));
    }
    co_return true;
  }

  Task<void> read_once(Random& random) {
    const Offset from(static_cast<std::int64_t>(
        random.below(static_cast<std::uint64_t>(machine.log->end().value()) + 1)));
    const Offset end = machine.log->end();
    const int before = generation;
    const auto slice = co_await machine.log->read({from, Offset(1'000), random.below(600), true});
    if (!slice) {
      EXPECT_EQ(slice.error().fault, ReadFault::out_of_range) << slice.error().storage.message;
      co_return;
    }
    if (slice->empty()) {
      EXPECT_TRUE(from >= std::min(end, machine.log->end()) || generation != before);
      co_return;
    }
    const auto bytes = co_await machine.log->load_verified(*slice);
    if (!bytes) {
      EXPECT_EQ(bytes.error().fault, ReadFault::out_of_range)
          << seed << ' ' << bytes.error().storage.message;
      co_return;
    }
    protocol::BatchSplitter splitter(bytes->bytes());
    protocol::BatchView batch;
    EXPECT_TRUE(splitter.next(batch));
    EXPECT_GE(batch.header().last_offset(), from);
    EXPECT_EQ(batch.header().base_offset, slice->base_offset);
    ++read;
  }

  void change(Random& random) {
    const Offset start = machine.log->start();
    const auto length = static_cast<std::uint64_t>(machine.log->end().since(start));
    const Offset inside = start.plus(static_cast<std::int64_t>(random.below(length + 1)));
    switch (random.below(6)) {
      case 0:
        ++generation;
        ASSERT_TRUE(machine.wait(machine.log->truncate(inside)));
        ++generation;
        break;
      case 1:
        machine.log->set_high_watermark(machine.log->end());
        ASSERT_TRUE(machine.wait(
            machine.log->delete_below(start.plus(static_cast<std::int64_t>(length / 4)))));
        break;
      case 2:
        ASSERT_TRUE(machine.wait(machine.log->roll()));
        break;
      default:
        for (int i = 0; i < 4; ++i) {
          const std::string text(random.below(150), static_cast<char>('a' + generation % 26));
          ASSERT_TRUE(machine.append({{text, text}}));
        }
    }
  }
};

TEST(Reading, beside_cuts_gives_only_what_was_there) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    LogMachine machine(seed, slowly);
    machine.config.segment_bytes = 600;
    machine.config.index_interval_bytes = 100;
    machine.config.file_delete_delay = Milliseconds(100);
    ASSERT_TRUE(machine.open());
    Random random(seed);
    ReadsBesideCuts reads{machine, seed};
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.append({{"first"}}));
    for (std::uint64_t i = 0; i < 3; ++i) {
      static_cast<void>(machine.start(reads.reader(seed * 3 + i)));
    }
    for (int step = 0; step < 40; ++step) {
      reads.change(random);
      if (HasFatalFailure()) return;
    }
    reads.writing = false;
    machine.finish_started();
    EXPECT_GT(reads.read, 0u);
    ASSERT_TRUE(machine.close());
  }
}

TEST(PositionCache, remembers_the_last_eight_and_the_newest_place_of_each) {
  PositionCache cache;
  EXPECT_FALSE(cache.find(no_offset.plus(1)));
  for (int i = 0; i < 9; ++i) cache.add(Offset(i), {Offset(0), static_cast<std::uint64_t>(i)});
  EXPECT_FALSE(cache.find(Offset(0)));
  ASSERT_TRUE(cache.find(Offset(1)));
  cache.add(Offset(8), {Offset(5), 77});
  EXPECT_EQ(cache.find(Offset(8))->position, 77u);
  EXPECT_EQ(cache.find(Offset(8))->segment_base, Offset(5));
  EXPECT_TRUE(cache.find(Offset(1)));
  cache.clear();
  EXPECT_FALSE(cache.find(Offset(8)));
}

// What is read beside a cut is not believed, but that the device failed is.
TEST(Reading, a_device_that_fails_beside_a_cut_takes_the_log_offline) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    LogMachine machine(seed, slowly);
    ASSERT_TRUE(machine.open());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append({{std::to_string(i)}}));
    machine.disk.faults().plan({.kind = IoKind::read});
    const auto read = machine.start(machine.log->read({Offset(7), Offset(20), 100, true}));
    const auto cut = machine.start(machine.log->truncate(Offset(5)));
    machine.finish_started();
    EXPECT_EQ(machine.log->offline(), machine.disk.faults().injected() > 0) << seed;
  }
}

}  // namespace
}  // namespace millrace::storage
