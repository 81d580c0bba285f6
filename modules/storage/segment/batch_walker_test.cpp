#include "segment_machine.hpp"

namespace millrace::storage {
namespace {

struct Steps {
  std::vector<std::uint64_t> positions;
  std::optional<StorageError> error;
};

Task<Steps> walk(SegmentMachine& machine, const std::vector<std::byte>& log, std::uint64_t from,
                 std::uint64_t to) {
  Steps steps;
  const auto file = co_await machine.files.open("/log/file", OpenMode::create_truncated);
  EXPECT_TRUE(file);
  const std::array pieces{ByteView(log)};
  EXPECT_TRUE(co_await machine.files.write(*file, 0, pieces));
  {
    BatchWalker walker(machine.files, machine.buffers, *file, "/log/file", from, to);
    for (;;) {
      const auto place = co_await walker.next();
      if (!place) steps.error = place.error();
      if (!place || !*place) break;
      steps.positions.push_back((*place)->position);
      EXPECT_EQ((*place)->end(), (*place)->position + (*place)->header.size_bytes());
    }
  }
  EXPECT_TRUE(co_await machine.files.close(*file));
  co_return steps;
}

Steps walk_over(const std::vector<std::byte>& log, std::uint64_t from, std::uint64_t to) {
  SegmentMachine machine;
  return machine.wait(walk(machine, log, from, to));
}

void append(std::vector<std::byte>& log, const std::vector<std::byte>& batch) {
  log.insert(log.end(), batch.begin(), batch.end());
}

TEST(BatchWalker, gives_the_place_of_every_batch_whatever_its_size) {
  std::vector<std::byte> log;
  std::vector<std::uint64_t> expected;
  std::int64_t base = 0;
  for (const std::size_t bytes : {0u, 10u, 4'000u, 4'100u, 30u, 30u, 100'000u, 400u, 2'000u, 1u}) {
    for (int i = 0; i < 5; ++i) {
      expected.push_back(log.size());
      append(log, encode({.base = base++, .value_bytes = bytes}));
    }
  }
  const Steps all = walk_over(log, 0, log.size());
  EXPECT_FALSE(all.error);
  EXPECT_EQ(all.positions, expected);
  const Steps some = walk_over(log, expected[7], expected[30]);
  EXPECT_FALSE(some.error);
  EXPECT_EQ(some.positions, std::vector(expected.begin() + 7, expected.begin() + 30));
  EXPECT_TRUE(walk_over(log, log.size(), log.size()).positions.empty());
}

TEST(BatchWalker, an_end_within_a_batch_is_damage) {
  const auto first = encode({.base = 0});
  std::vector<std::byte> log = first;
  append(log, encode({.base = 1}));
  for (std::size_t to = first.size() + 1; to < log.size(); ++to) {
    const Steps steps = walk_over(log, 0, to);
    ASSERT_TRUE(steps.error) << to;
    EXPECT_EQ(steps.error->fault, StorageFault::corrupt);
    EXPECT_EQ(steps.positions.size(), 1u);
  }
}

TEST(BatchWalker, bytes_that_are_no_batch_are_damage_and_named) {
  std::vector<std::byte> log = encode({.base = 0});
  const std::size_t good = log.size();
  log.resize(log.size() + 500);
  const Steps zeros = walk_over(log, 0, log.size());
  ASSERT_TRUE(zeros.error);
  EXPECT_EQ(zeros.error->fault, StorageFault::corrupt);
  EXPECT_NE(
      zeros.error->message.find("/log/file is damaged at position " + std::to_string(good) + ":"),
      std::string::npos)
      << zeros.error->message;
  // A length that would lead backwards or nowhere.
  for (const std::int32_t length : {-1, 0, 48, std::numeric_limits<std::int32_t>::min()}) {
    std::vector<std::byte> liar = encode({.base = 0});
    store_big_endian(liar.data() + 8, length);
    EXPECT_TRUE(walk_over(liar, 0, liar.size()).error) << length;
  }
}

TEST(BatchWalker, a_file_that_ends_before_it_should_is_damage) {
  const auto batch = encode({.base = 0});
  EXPECT_TRUE(walk_over(batch, 0, batch.size() + 100).error);
}

}  // namespace
}  // namespace millrace::storage
