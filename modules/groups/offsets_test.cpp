#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

import millrace.base;
import millrace.groups;

namespace millrace::groups {
namespace {

CommittedOffset at(std::int64_t offset, std::string metadata = "") {
  CommittedOffset committed;
  committed.offset = Offset(offset);
  committed.metadata = std::move(metadata);
  return committed;
}

TEST(OffsetTable, keeps_the_last_offset_of_each_partition) {
  OffsetTable table;
  table.set("t", PartitionIndex(0), at(5));
  table.set("t", PartitionIndex(0), at(7));
  table.set("t", PartitionIndex(1), at(9));
  ASSERT_NE(table.find("t", PartitionIndex(0)), nullptr);
  EXPECT_EQ(table.find("t", PartitionIndex(0))->offset, Offset(7));
  EXPECT_EQ(table.find("t", PartitionIndex(2)), nullptr);
  EXPECT_EQ(table.find("u", PartitionIndex(0)), nullptr);
  EXPECT_EQ(table.size(), 2u);
}

TEST(OffsetTable, an_erased_offset_is_gone_and_an_empty_topic_too) {
  OffsetTable table;
  table.set("t", PartitionIndex(0), at(5));
  EXPECT_FALSE(table.erase("t", PartitionIndex(1)));
  EXPECT_FALSE(table.erase("u", PartitionIndex(0)));
  EXPECT_TRUE(table.erase("t", PartitionIndex(0)));
  EXPECT_TRUE(table.empty());
  EXPECT_TRUE(table.topics().empty());
}

TEST(OffsetTable, what_it_takes_is_given_back_to_the_byte) {
  OffsetTable table;
  EXPECT_EQ(table.bytes(), 0u);
  table.set("t", PartitionIndex(0), at(5, "short"));
  const std::size_t before = table.bytes();
  table.set("t", PartitionIndex(0), at(6, std::string(1'000, 'x')));
  EXPECT_EQ(table.bytes(), before + 995);
  table.set("u", PartitionIndex(0), at(6));
  table.erase("t", PartitionIndex(0));
  table.erase("u", PartitionIndex(0));
  EXPECT_EQ(table.bytes(), 0u);
}

TEST(OffsetTable, knows_what_it_takes_to_say_that_all_are_gone) {
  const std::string group(300, 'g');
  OffsetTable table;
  const auto records = [&] {
    std::size_t bytes = 0;
    for (const auto& [topic, partitions] : table.topics()) {
      for (const auto& [partition, offset] : partitions) {
        bytes += offset_tombstone(group, topic, partition).framed_bytes();
      }
    }
    return bytes;
  };
  table.set("orders", PartitionIndex(0), at(1));
  table.set("orders", PartitionIndex(0), at(2));
  table.set("orders", PartitionIndex(1), at(1));
  table.set("t", PartitionIndex(7), at(1));
  EXPECT_EQ(table.erasure_bytes(group.size()), records());
  table.erase("orders", PartitionIndex(0));
  table.erase("orders", PartitionIndex(0));
  EXPECT_EQ(table.erasure_bytes(group.size()), records());
}

}  // namespace
}  // namespace millrace::groups
