#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {
namespace {

constexpr AssignorKind all_strategies[] = {AssignorKind::range, AssignorKind::round_robin,
                                           AssignorKind::sticky, AssignorKind::cooperative_sticky};

TopicPartition place(std::string topic, std::int32_t partition) {
  return {std::move(topic), PartitionIndex(partition)};
}

Subscriber example() {
  Subscriber subscriber;
  subscriber.topics = {"a", "b"};
  subscriber.rack = "rack-1";
  subscriber.owned = {place("a", 0), place("a", 2), place("b", 1)};
  subscriber.generation = Generation(7);
  return subscriber;
}

OwnedBytes bytes(std::vector<int> values) {
  OwnedBytes result;
  for (const int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

TEST(ConsumerProtocol, subscription_is_read_as_it_was_written) {
  for (const AssignorKind strategy : {AssignorKind::sticky, AssignorKind::cooperative_sticky}) {
    const auto encoded = encode_subscription(example(), strategy);
    ASSERT_TRUE(encoded.has_value());
    const auto decoded = decode_subscription(*encoded, strategy);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(decoded->topics, example().topics);
    EXPECT_EQ(decoded->rack, example().rack);
    EXPECT_EQ(decoded->owned, example().owned);
    EXPECT_EQ(decoded->generation, example().generation);
  }
}

TEST(ConsumerProtocol, eager_strategies_claim_nothing) {
  const auto encoded = encode_subscription(example(), AssignorKind::range);
  ASSERT_TRUE(encoded.has_value());
  EXPECT_TRUE(decode_subscription(*encoded, AssignorKind::range)->owned.empty());
}

TEST(ConsumerProtocol, subscription_has_kafkas_layout) {
  Subscriber subscriber;
  subscriber.topics = {"t"};
  subscriber.owned = {place("t", 5)};
  subscriber.generation = Generation(3);
  EXPECT_EQ(*encode_subscription(subscriber, AssignorKind::cooperative_sticky),
            bytes({0,    3,                                             // version
                   0,    0,   0, 1, 0, 1, 't',                          // topics
                   0,    0,   0, 4, 0, 0, 0,   3,                       // user data: generation
                   0,    0,   0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 5,  // owned
                   0,    0,   0, 3,                                     // generation
                   0xff, 0xff}));                                       // no rack
}

// Said once by another member, it would be kept with each of a million partitions.
TEST(ConsumerProtocol, a_name_that_no_topic_can_have_is_not_kept_with_partitions) {
  for (const std::size_t size : {std::size_t{249}, std::size_t{250}, std::size_t{32'767}}) {
    const bool can_be = size == 249;
    Subscriber subscriber = example();
    subscriber.owned.push_back(place(std::string(size, 'c'), 0));
    const Partitions expected = can_be ? subscriber.owned : example().owned;
    const auto cooperative = encode_subscription(subscriber, AssignorKind::cooperative_sticky);
    EXPECT_EQ(decode_subscription(*cooperative, AssignorKind::cooperative_sticky)->owned, expected);
    // A claim counts as a whole or not at all.
    const auto sticky = encode_subscription(subscriber, AssignorKind::sticky);
    EXPECT_EQ(decode_subscription(*sticky, AssignorKind::sticky)->owned,
              can_be ? subscriber.owned : Partitions());
    const auto assignment = encode_assignment(subscriber.owned);
    EXPECT_EQ(decode_assignment(*assignment).has_value(), can_be);
  }
}

TEST(ConsumerProtocol, subscription_of_any_version_is_read) {
  const auto oldest = decode_subscription(
      bytes({0, 0, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff}), AssignorKind::range);
  ASSERT_TRUE(oldest.has_value());
  EXPECT_EQ(oldest->topics, std::vector<std::string>{"t"});
  EXPECT_EQ(oldest->generation, no_generation);

  OwnedBytes newer = *encode_subscription(example(), AssignorKind::cooperative_sticky);
  newer[1] = std::byte{9};
  newer.resize(newer.size() + 4);
  EXPECT_EQ(decode_subscription(newer, AssignorKind::cooperative_sticky)->owned, example().owned);

  // Version 1: the generation is in the user data only.
  const auto first_cooperative =
      decode_subscription(bytes({0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0, 0}),
                          AssignorKind::cooperative_sticky);
  ASSERT_TRUE(first_cooperative.has_value());
  EXPECT_EQ(first_cooperative->generation, Generation(6));
}

TEST(ConsumerProtocol, assignment_is_read_as_it_was_written) {
  const Partitions partitions = {place("a", 1), place("a", 3), place("b", 0)};
  const auto encoded = encode_assignment(partitions);
  ASSERT_TRUE(encoded.has_value());
  EXPECT_EQ(*decode_assignment(*encoded), partitions);
  EXPECT_EQ(*decode_assignment({}), Partitions{});
  EXPECT_EQ(*decode_assignment(*encode_assignment({})), Partitions{});
}

TEST(ConsumerProtocol, assignment_below_partition_0_is_refused) {
  EXPECT_FALSE(decode_assignment(*encode_assignment({place("a", -1)})).has_value());
}

TEST(ConsumerProtocol, damaged_words_end_in_a_value_or_an_error) {
  std::uint64_t refused = 0;
  for (const AssignorKind strategy : all_strategies) {
    const OwnedBytes subscription = *encode_subscription(example(), strategy);
    const OwnedBytes assignment = *encode_assignment(example().owned);
    for (std::size_t size = 0; size < subscription.size(); ++size) {
      refused += decode_subscription(ByteView(subscription).first(size), strategy) ? 0 : 1;
    }
    for (std::size_t size = 1; size < assignment.size(); ++size) {
      refused += decode_assignment(ByteView(assignment).first(size)) ? 0 : 1;
    }
    Random random(1);
    for (int i = 0; i < 2'000; ++i) {
      OwnedBytes damaged = i % 2 == 0 ? subscription : assignment;
      for (std::uint64_t hits = 1 + random.below(3); hits > 0; --hits) {
        damaged[random.below(damaged.size())] = static_cast<std::byte>(random.below(256));
      }
      refused += decode_subscription(damaged, strategy) ? 0 : 1;
      refused += decode_assignment(damaged) ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 1'000u);
}

TEST(ConsumerProtocol, user_data_that_claims_more_than_it_holds_counts_for_nothing) {
  Subscriber subscriber = example();
  OwnedBytes encoded = *encode_subscription(subscriber, AssignorKind::sticky);
  // The count of topics in the user data: after version, two topics and the length.
  encoded[2 + 4 + 6 + 4] = std::byte{0x7f};
  const auto decoded = decode_subscription(encoded, AssignorKind::sticky);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(decoded->owned.empty());
}

}  // namespace
}  // namespace millrace::client
