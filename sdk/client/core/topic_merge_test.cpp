// What is believed of an answer about a topic.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "metadata_machine.hpp"

import millrace.client.core;
import millrace.protocol;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

std::vector<std::int32_t> believed_of(const std::vector<std::int32_t>& indexes) {
  MetadataMachine machine;
  for (const std::int32_t index : indexes) {
    machine.topics["orders"].partitions.push_back(
        {.leader = 1, .epoch = 0, .error = ErrorCode::none, .index = index});
  }
  Metadata& metadata = machine.start_metadata();
  const auto topic = machine.run(metadata.topic("orders", machine.now() + 10s));
  EXPECT_TRUE(topic.has_value()) << to_string(topic.error());
  std::vector<std::int32_t> believed;
  for (const PartitionView& partition : (*topic)->partitions) {
    believed.push_back(partition.index.value());
  }
  return believed;
}

// A producer keeps something for each partition up to the greatest index.
TEST(TopicMerge, an_index_far_beyond_the_partitions_that_are_told_is_not_believed) {
  constexpr std::int32_t greatest = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(believed_of({0, 1, greatest}), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(believed_of({0, 1, 0x00ab'0001}), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(believed_of({0, -1, 2}), (std::vector<std::int32_t>{0, 2}));
}

TEST(TopicMerge, partitions_may_be_left_out_of_an_answer) {
  EXPECT_EQ(believed_of({5, 0, 5'000}), (std::vector<std::int32_t>{0, 5, 5'000}));
}

}  // namespace
}  // namespace millrace::client
