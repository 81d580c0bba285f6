#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.protocol.partitioner;

namespace millrace::client {
namespace {

using Kind = PartitionerKind;

// How many bytes each of `count` partitions got of `batches` batches of 1000.
std::vector<std::size_t> shares(StickyPartition& sticky, std::int32_t count, int batches) {
  std::vector<std::size_t> bytes(static_cast<std::size_t>(count));
  for (int record = 0; record < batches * 10; ++record) {
    const PartitionIndex partition = sticky.current(count);
    bytes[static_cast<std::size_t>(partition.value())] += 100;
    sticky.wrote(partition, 100, record % 10 == 9, count);
  }
  return bytes;
}

TEST(StickyPartition, stays_until_a_batch_is_written_and_gives_equal_shares) {
  StickyPartition sticky(1000, 1);
  const PartitionIndex first = sticky.current(5);
  for (int i = 0; i < 9; ++i) {
    sticky.wrote(first, 100, false, 5);
    EXPECT_EQ(sticky.current(5), first);
  }
  const auto bytes = shares(sticky, 5, 10'000);
  for (const std::size_t share : bytes) {
    EXPECT_GT(share, 1'800'000u);
    EXPECT_LT(share, 2'200'000u);
  }
}

TEST(StickyPartition, does_not_leave_a_batch_half_full_but_no_longer_than_twice_its_share) {
  StickyPartition sticky(1000, 1);
  const PartitionIndex first = sticky.current(1000);
  sticky.wrote(first, 1500, false, 1000);
  EXPECT_EQ(sticky.current(1000), first);
  sticky.wrote(first, 500, false, 1000);
  EXPECT_NE(sticky.current(1000), first);
}

TEST(StickyPartition, what_went_elsewhere_does_not_count) {
  StickyPartition sticky(1000, 1);
  const PartitionIndex first = sticky.current(2);
  sticky.wrote(PartitionIndex(1 - first.value()), 5000, true, 2);
  EXPECT_EQ(sticky.current(2), first);
}

TEST(StickyPartition, prefers_partitions_with_less_waiting_and_leaves_out_those_not_named) {
  StickyPartition sticky(1000, 1);
  const std::vector<PartitionLoad> loads = {{PartitionIndex(0), 0}, {PartitionIndex(2), 3}};
  sticky.set_loads(loads);
  static_cast<void>(sticky.current(4));
  const PartitionIndex start = sticky.current(4);
  sticky.wrote(start, 1000, true, 4);
  const auto bytes = shares(sticky, 4, 10'000);
  EXPECT_EQ(bytes[1] + bytes[3], 0u);
  EXPECT_GT(bytes[0], 3 * bytes[2]);
  EXPECT_LT(bytes[0], 5 * bytes[2]);
}

TEST(StickyPartition, a_topic_that_shrank_in_the_loads_gets_no_partition_that_it_has_not) {
  StickyPartition sticky(1, 1);
  sticky.set_loads(std::vector<PartitionLoad>{{PartitionIndex(7), 0}});
  for (int i = 0; i < 100; ++i) {
    const PartitionIndex partition = sticky.current(3);
    EXPECT_LT(partition.value(), 3);
    sticky.wrote(partition, 10, true, 3);
  }
}

TEST(PartitionOfKey, is_that_of_java_by_default) {
  const ByteView key = as_bytes("alice");
  EXPECT_EQ(partition_of_key(Kind::uniform_sticky, key, false, 12),
            protocol::key_partition(protocol::Partitioner::murmur2, key, 12));
  EXPECT_EQ(partition_of_key(Kind::uniform_sticky, as_bytes(""), false, 12),
            protocol::key_partition(protocol::Partitioner::murmur2, {}, 12));
  EXPECT_FALSE(partition_of_key(Kind::uniform_sticky, std::nullopt, false, 12));
  EXPECT_FALSE(partition_of_key(Kind::uniform_sticky, key, true, 12));
}

TEST(PartitionOfKey, has_those_of_librdkafka_by_name) {
  struct Case {
    Kind kind;
    protocol::Partitioner hash;
    bool null_has_one;
    bool empty_has_one;
  };
  const std::vector<Case> cases = {
      {Kind::consistent, protocol::Partitioner::consistent, true, true},
      {Kind::consistent_random, protocol::Partitioner::consistent, false, false},
      {Kind::murmur2, protocol::Partitioner::murmur2, true, true},
      {Kind::murmur2_random, protocol::Partitioner::murmur2, false, true},
      {Kind::fnv1a, protocol::Partitioner::fnv1a, true, true},
      {Kind::fnv1a_random, protocol::Partitioner::fnv1a, false, true},
  };
  const ByteView key = as_bytes("some key");
  for (const Case& c : cases) {
    SCOPED_TRACE(static_cast<int>(c.kind));
    EXPECT_EQ(partition_of_key(c.kind, key, false, 100), key_partition(c.hash, key, 100));
    const auto of_null = partition_of_key(c.kind, std::nullopt, false, 100);
    EXPECT_EQ(of_null.has_value(), c.null_has_one);
    if (of_null) EXPECT_EQ(*of_null, key_partition(c.hash, {}, 100));
    const auto of_empty = partition_of_key(c.kind, as_bytes(""), false, 100);
    EXPECT_EQ(of_empty.has_value(), c.empty_has_one);
    if (of_empty) EXPECT_EQ(*of_empty, key_partition(c.hash, {}, 100));
  }
  for (const Kind kind : {Kind::random, Kind::round_robin, Kind::custom}) {
    EXPECT_FALSE(partition_of_key(kind, key, false, 100));
  }
}

}  // namespace
}  // namespace millrace::client
