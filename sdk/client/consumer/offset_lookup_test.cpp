// What leaders tell about offsets, and what of it is believed.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "../core/metadata_machine.hpp"

import millrace.client.consumer;
import millrace.client.core;
import millrace.protocol;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using protocol::ApiKey;
using protocol::ListOffsetsResponse;

// By partition, of "orders".
Reaction tell_offsets(const Heard& heard,
                      const std::vector<std::pair<std::int32_t, std::int64_t>>& offsets) {
  std::vector<ListOffsetsResponse::ListOffsetsPartitionResponse> partitions;
  for (const auto& [partition, offset] : offsets) {
    auto& one = partitions.emplace_back();
    one.partition_index = partition;
    one.offset = offset;
  }
  std::vector<ListOffsetsResponse::ListOffsetsTopicResponse> topics(1);
  topics[0].name = "orders";
  topics[0].partitions =
      protocol::Array<ListOffsetsResponse::ListOffsetsPartitionResponse>(partitions);
  ListOffsetsResponse response;
  response.topics = protocol::Array<ListOffsetsResponse::ListOffsetsTopicResponse>(topics);
  return answer(heard, response);
}

TEST(OffsetLookup, what_a_leader_says_of_partitions_of_others_does_not_count) {
  MetadataMachine machine;
  machine.brokers_said = 2;
  machine.topics["orders"] = {.partitions = {{1, 0}, {2, 0}}};
  machine.second.emplace(machine.executor, machine.network, test_address(1, 9093));
  const auto tell_cluster = machine.broker->react;
  machine.broker->react = [&](const Heard& heard) {
    if (heard.api == ApiKey::list_offsets) return tell_offsets(heard, {{0, 5}, {1, 99}, {7, 1}});
    return tell_cluster(heard);
  };
  machine.second->react = [&](const Heard& heard) {
    if (heard.api == ApiKey::list_offsets) return tell_offsets(heard, {{0, 98}, {1, 7}});
    return tell_cluster(heard);
  };
  Metadata& metadata = machine.start_metadata();
  const ConsumerSettings settings;
  OffsetLookup lookup(machine.executor, *machine.brokers, metadata, settings);
  const WantedOffsets wanted = {{place("orders", 0), earliest_timestamp},
                                {place("orders", 1), earliest_timestamp}};
  const auto found = machine.run(lookup.find(wanted, machine.now() + 10s));
  ASSERT_TRUE(found.has_value()) << to_string(found.error());
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(found->at(place("orders", 0)).offset, Offset(5));
  EXPECT_EQ(found->at(place("orders", 1)).offset, Offset(7));
}

}  // namespace
}  // namespace millrace::client
