// Also proves text.cpp.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

PartitionOffset entry(std::string topic, std::int32_t partition, std::int64_t offset) {
  return {{std::move(topic), PartitionIndex(partition)}, Offset(offset)};
}

// What the golden file holds.
std::vector<PartitionOffset> sample() {
  return {entry("orders", 0, 0), entry("orders", 11, 1'234'567'890'123),
          entry("a.b-c_d", 2'147'483'647, std::numeric_limits<std::int64_t>::max()),
          entry("__consumer_offsets", 49, 42), entry(std::string(249, 't'), 7, 1)};
}

std::string problem_of(std::string_view text) {
  const auto parsed = parse_offset_checkpoint(text, "F");
  EXPECT_FALSE(parsed) << text;
  if (parsed) return {};
  EXPECT_EQ(parsed.error().fault, StorageFault::corrupt) << text;
  return parsed.error().message;
}

TEST(OffsetCheckpoint, is_that_of_kafka_byte_for_byte) {
  EXPECT_EQ(format_offset_checkpoint(sample()), golden("text/offset-checkpoint"));
  EXPECT_EQ(format_offset_checkpoint({}), golden("text/offset-checkpoint-no-entries"));
}

TEST(OffsetCheckpoint, reads_what_kafka_writes) {
  EXPECT_EQ(parse_offset_checkpoint(golden("text/offset-checkpoint"), "F").value(), sample());
  EXPECT_TRUE(
      parse_offset_checkpoint(golden("text/offset-checkpoint-no-entries"), "F").value().empty());
  // Kafka makes an empty file until there is something to write.
  EXPECT_EQ(golden("text/offset-checkpoint-empty"), "");
  EXPECT_TRUE(parse_offset_checkpoint("", "F").value().empty());
}

TEST(OffsetCheckpoint, looks_as_the_example_of_its_page) {
  const std::vector<PartitionOffset> entries = {entry("orders", 0, 17),
                                                entry("__consumer_offsets", 49, 1234)};
  EXPECT_EQ(format_offset_checkpoint(entries), "0\n2\norders 0 17\n__consumer_offsets 49 1234\n");
}

TEST(OffsetCheckpoint, names_the_line_that_is_wrong) {
  EXPECT_EQ(problem_of("x\n0\n"), "F, line 1: the version is not a number");
  EXPECT_EQ(problem_of("1\n0\n"), "F, line 1: version 1 is not known");
  EXPECT_EQ(problem_of("0\n-1\n"), "F, line 2: the number of entries is not a number");
  EXPECT_EQ(problem_of("0\n2147483648\n"), "F, line 2: the number of entries is not a number");
  EXPECT_EQ(problem_of("0\n2\na 0 1\n"), "F, line 4: entry 1 of 2 is cut off");
  EXPECT_EQ(problem_of("0\n1\na 0 1\nb 0 1\n"),
            "F, line 3: more follows the 1 entries that the file announces");
  for (const char* const line :
       {"a 0", "a 0 1 2", "a  0 1", " a 0 1", "a 0 1 ", "a\t0\t1", "a 0 x", "a x 1", "a -1 1",
        "a 0 -1", "a 00 1", "a 0 01", "a +1 1", "a 0 9223372036854775808", "a 2147483648 0",
        "a/b 0 1", "", "a 0 1\r", ". 0 1"}) {
    EXPECT_EQ(problem_of("0\n1\n" + std::string(line) + "\n"),
              "F, line 3: not a topic, a partition and an offset")
        << line;
  }
  EXPECT_EQ(problem_of("0\n2\na 0 1\na 0 2\n"), "F: a partition stands there twice");
}

TEST(OffsetCheckpoint, that_is_cut_off_anywhere_is_corrupt) {
  const std::string text = format_offset_checkpoint(sample());
  for (std::size_t size = 1; size < text.size(); ++size) {
    EXPECT_NE(problem_of(text.substr(0, size)), "") << size;
  }
}

TEST(OffsetCheckpoint, takes_no_room_for_entries_that_are_not_there) {
  EXPECT_EQ(problem_of("0\n2147483647\n"), "F, line 3: entry 0 of 2147483647 is cut off");
}

TEST(OffsetCheckpoint, what_is_read_from_damaged_bytes_is_what_they_say) {
  for_each_bit_flip(format_offset_checkpoint(sample()), [](const std::string& damaged) {
    const auto parsed = parse_offset_checkpoint(damaged, "F");
    if (parsed) EXPECT_EQ(format_offset_checkpoint(*parsed), damaged);
  });
}

using Offsets = std::map<std::pair<std::uint8_t, std::uint8_t>, std::uint32_t>;

RC_GTEST_PROP(OffsetCheckpoint, comes_back_whatever_it_holds, (const Offsets& offsets)) {
  std::vector<PartitionOffset> entries;
  for (const auto& [partition, offset] : offsets) {
    entries.push_back(entry("t" + std::to_string(partition.first), partition.second, offset));
  }
  const auto parsed = parse_offset_checkpoint(format_offset_checkpoint(entries), "F");
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == entries);
}

TEST(OffsetCheckpoint, is_saved_and_loaded) {
  TestDisk disk;
  const std::vector<PartitionOffset> entries = sample();
  ASSERT_TRUE(disk.run(
      save_offset_checkpoint(disk.files(), "/log", recovery_point_checkpoint_name, entries)));
  EXPECT_EQ(disk.disk.contents("/log/recovery-point-offset-checkpoint"),
            golden("text/offset-checkpoint"));
  disk.disk.power_cut(3);
  disk.start();
  EXPECT_EQ(disk.run(load_offset_checkpoint(disk.files(), "/log", recovery_point_checkpoint_name))
                .value(),
            entries);
  const auto missing =
      disk.run(load_offset_checkpoint(disk.files(), "/log", cleaner_checkpoint_name));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, StorageFault::not_found);
}

}  // namespace
}  // namespace millrace::storage
