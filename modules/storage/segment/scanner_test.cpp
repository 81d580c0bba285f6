#include <gtest/gtest.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

import millrace.storage.segment;

namespace millrace::storage {
namespace {

using protocol::BatchBuilder;
using protocol::BatchOptions;
using protocol::BatchStorage;
using protocol::Compressor;
using protocol::RecordInput;

// One batch of `count` records from an offset on, each with a value of `value_bytes`.
std::vector<std::byte> batch(std::int64_t base, int count, std::size_t value_bytes) {
  BufferPool pool;
  BatchStorage records(pool);
  BatchStorage compressed(pool);
  Compressor compressor;
  BatchBuilder builder(records, compressed, compressor);
  BatchOptions options;
  options.base_offset = Offset(base);
  options.batch_bytes_max = 8 * mebibyte;
  builder.start(options);
  const std::vector<std::byte> value(value_bytes, std::byte{0x61});
  for (int i = 0; i < count; ++i) {
    RecordInput record;
    record.value = value;
    record.timestamp = Timestamp(1000 + i);
    EXPECT_TRUE(builder.append(record).has_value());
  }
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  return {bytes->begin(), bytes->end()};
}

void append(std::vector<std::byte>& log, const std::vector<std::byte>& bytes) {
  log.insert(log.end(), bytes.begin(), bytes.end());
}

struct Walk {
  std::vector<std::uint64_t> positions;
  ScanEnd end = ScanEnd::complete;
  std::string reason;
  std::uint64_t position = 0;
};

Task<void> walk(FileSystem& files, BufferPool& pool, const std::vector<std::byte>& log,
                ScanDepth depth, std::uint64_t to, Walk& out) {
  const auto file = co_await files.open("/log", OpenMode::create_truncated);
  EXPECT_TRUE(file.has_value());
  const std::array pieces{ByteView(log)};
  EXPECT_TRUE((co_await files.write(*file, 0, pieces)).has_value());
  BatchScanner scanner(files, pool, *file, "/log", 0, to, depth);
  for (;;) {
    const auto more = co_await scanner.fill();
    EXPECT_TRUE(more.has_value());
    if (!more || !*more) break;
    while (const auto scanned = scanner.next()) out.positions.push_back(scanned->position);
  }
  out.end = scanner.end();
  out.reason = scanner.reason();
  out.position = scanner.position();
  EXPECT_TRUE((co_await files.close(*file)).has_value());
}

Walk walk_to(const std::vector<std::byte>& log, std::uint64_t to, ScanDepth depth) {
  SimulatedExecutor executor(3);
  SimulatedDisk disk(3);
  SimulatedFileSystem files(disk, executor);
  BufferPool pool;
  Walk out;
  const auto done = executor.run(walk(files, pool, log, depth, to, out));
  EXPECT_TRUE(done.has_value());
  return out;
}

Walk walk(const std::vector<std::byte>& log, ScanDepth depth = ScanDepth::crc) {
  return walk_to(log, log.size(), depth);
}

TEST(BatchScanner, gives_every_batch_and_its_position) {
  std::vector<std::byte> log;
  std::vector<std::uint64_t> expected;
  std::int64_t offset = 0;
  // Small ones, some that do not end where a block does, and one larger than a block.
  for (const std::size_t value_bytes : {10u, 0u, 700'000u, 500'000u, 3'000'000u, 5u}) {
    expected.push_back(log.size());
    append(log, batch(offset, 2, value_bytes));
    offset += 2;
  }
  const Walk result = walk(log);
  EXPECT_EQ(result.positions, expected);
  EXPECT_EQ(result.end, ScanEnd::complete) << result.reason;
  EXPECT_EQ(result.position, log.size());
}

TEST(BatchScanner, an_empty_file_is_complete) {
  const Walk result = walk({});
  EXPECT_EQ(result.end, ScanEnd::complete);
  EXPECT_EQ(result.position, 0u);
}

TEST(BatchScanner, every_cut_ends_behind_the_last_whole_batch) {
  std::vector<std::byte> log = batch(0, 1, 20);
  const std::size_t first = log.size();
  append(log, batch(1, 1, 20));
  for (std::size_t length = 0; length < log.size(); ++length) {
    const Walk result = walk({log.begin(), log.begin() + static_cast<std::ptrdiff_t>(length)});
    const bool whole = length == 0 || length == first;
    EXPECT_EQ(result.end, whole ? ScanEnd::complete : ScanEnd::cut_off) << length;
    EXPECT_EQ(result.position, length < first ? 0 : first) << length;
  }
}

TEST(BatchScanner, finds_a_flipped_bit_by_the_crc) {
  std::vector<std::byte> log = batch(0, 1, 20);
  const std::size_t first = log.size();
  append(log, batch(1, 1, 20));
  log.back() ^= std::byte{1};
  const Walk result = walk(log);
  EXPECT_EQ(result.end, ScanEnd::damaged);
  EXPECT_EQ(result.position, first);
  EXPECT_NE(result.reason.find("CRC"), std::string::npos) << result.reason;
  EXPECT_EQ(walk(log, ScanDepth::headers).end, ScanEnd::complete);
}

TEST(BatchScanner, zeros_behind_the_last_batch_are_no_batch) {
  std::vector<std::byte> log = batch(0, 1, 20);
  const std::size_t good = log.size();
  log.resize(log.size() + 10'000);
  const Walk result = walk(log);
  EXPECT_EQ(result.end, ScanEnd::damaged);
  EXPECT_EQ(result.position, good);
}

TEST(BatchScanner, offsets_that_go_back_end_the_walk) {
  std::vector<std::byte> log = batch(10, 5, 20);
  const std::size_t good = log.size();
  append(log, batch(14, 1, 20));
  const Walk result = walk(log);
  EXPECT_EQ(result.end, ScanEnd::damaged);
  EXPECT_EQ(result.position, good);
}

TEST(BatchScanner, a_claimed_length_takes_no_memory_that_the_file_does_not_back) {
  std::vector<std::byte> log = batch(0, 1, 20);
  const std::size_t good = log.size();
  std::vector<std::byte> liar = batch(1, 1, 20);
  store_big_endian(liar.data() + 8, std::int32_t{0x7000'0000});
  append(log, liar);
  SimulatedExecutor executor(3);
  SimulatedDisk disk(3);
  SimulatedFileSystem files(disk, executor);
  BufferPool pool;
  Walk result;
  ASSERT_TRUE(executor.run(walk(files, pool, log, ScanDepth::crc, log.size(), result)).has_value());
  EXPECT_EQ(result.end, ScanEnd::cut_off);
  EXPECT_EQ(result.position, good);
  EXPECT_EQ(pool.counters().oversized, 0u);
}

TEST(BatchScanner, stops_at_offsets_that_nothing_can_follow) {
  for (const std::int64_t base :
       {std::int64_t{0x7fff'ffff'ffff'ffff}, std::int64_t{0x7fff'ffff'ffff'fffd}}) {
    std::vector<std::byte> log = batch(0, 1, 20);
    const std::size_t good = log.size();
    std::vector<std::byte> hostile = batch(1, 3, 20);
    store_big_endian(hostile.data(), base);
    append(log, hostile);
    const Walk result = walk(log);
    EXPECT_EQ(result.end, ScanEnd::damaged);
    EXPECT_EQ(result.position, good);
  }
}

TEST(BatchScanner, stops_at_the_given_end) {
  std::vector<std::byte> log = batch(0, 1, 20);
  const std::size_t first = log.size();
  append(log, batch(1, 1, 20));
  const Walk result = walk_to(log, first, ScanDepth::crc);
  EXPECT_EQ(result.positions.size(), 1u);
  EXPECT_EQ(result.end, ScanEnd::complete);
}

}  // namespace
}  // namespace millrace::storage
