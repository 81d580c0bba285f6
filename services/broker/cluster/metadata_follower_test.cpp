#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "simulated_controller.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

rpc::MetadataEntry entry(std::int64_t offset, const std::vector<metadata::Record>& records) {
  return {.offset = rpc::MetadataOffset(offset), .bytes = metadata::entry_of(records)};
}
rpc::FollowMetadataReply reply_of(std::vector<rpc::MetadataEntry> entries, std::int64_t through) {
  rpc::FollowMetadataReply reply;
  reply.entries = std::move(entries);
  reply.committed = rpc::MetadataOffset(through);
  reply.through = reply.committed;
  return reply;
}

class MetadataFollowerTest : public testing::Test {
 protected:
  // The bytes of a snapshot with so many topics.
  static std::vector<std::byte> snapshot_of(int topics) {
    metadata::ImageBuilder builder(metadata::empty_image());
    EXPECT_TRUE(
        builder.apply(metadata::ClusterRecord{.cluster_id = uuid_of(7), .last_broker_epoch = {}}));
    for (int i = 0; i < topics; ++i) {
      Uuid id = uuid_of(9);
      id.bytes[1] = static_cast<std::byte>(i);
      EXPECT_TRUE(builder.apply(metadata::TopicRecord{"topic-" + std::to_string(i), id}));
    }
    std::vector<std::byte> bytes;
    metadata::write_snapshot(*builder.take().first, [&](const metadata::OwnedBytes& piece) {
      bytes.insert(bytes.end(), piece.begin(), piece.end());
    });
    return bytes;
  }
  static rpc::FollowMetadataReply part(const std::vector<std::byte>& snapshot, std::size_t from,
                                       std::size_t size, std::int64_t offset = 50) {
    rpc::FollowMetadataReply reply;
    const auto begin = snapshot.begin() + static_cast<std::ptrdiff_t>(from);
    reply.snapshot =
        rpc::MetadataSnapshot{.offset = rpc::MetadataOffset(offset),
                              .position = from,
                              .total = snapshot.size(),
                              .chunk = {begin, begin + static_cast<std::ptrdiff_t>(size)}};
    return reply;
  }

  MetadataFollower follower{BrokerId(101)};
};

TEST_F(MetadataFollowerTest, asks_for_what_comes_after_the_last_image) {
  EXPECT_EQ(follower.request(500ms).next, rpc::MetadataOffset(1));
  const auto change = follower.take(reply_of({entry(1, {metadata::TopicRecord{"a", uuid_of(1)}}),
                                              entry(2, {metadata::TopicRecord{"b", uuid_of(2)}})},
                                             2));
  ASSERT_TRUE(change && *change);
  EXPECT_NE((*change)->image->topic("b"), nullptr);
  EXPECT_EQ((*change)->delta.topics.size(), 2U);
  EXPECT_EQ(follower.request(500ms).next, rpc::MetadataOffset(3));
  EXPECT_EQ(follower.request(500ms).broker_id, BrokerId(101));
}

TEST_F(MetadataFollowerTest, an_answer_without_news_changes_nothing) {
  const auto change = follower.take(reply_of({}, 0));
  ASSERT_TRUE(change);
  EXPECT_FALSE(*change);
}

TEST_F(MetadataFollowerTest, entries_without_records_are_skipped) {
  const auto change = follower.take(reply_of({{.offset = rpc::MetadataOffset(4), .bytes = {}}}, 6));
  ASSERT_TRUE(change && *change);
  EXPECT_EQ((*change)->image->offset(), metadata::MetadataOffset(6));
  EXPECT_EQ(follower.request(500ms).next, rpc::MetadataOffset(7));
}

TEST_F(MetadataFollowerTest, entries_that_go_back_are_refused_and_it_goes_on_from_the_last_image) {
  ASSERT_TRUE(follower.take(reply_of({entry(1, {metadata::TopicRecord{"a", uuid_of(1)}})}, 1)));
  const auto change = follower.take(reply_of({entry(2, {metadata::TopicRecord{"b", uuid_of(2)}}),
                                              entry(2, {metadata::TopicRecord{"c", uuid_of(3)}})},
                                             2));
  ASSERT_FALSE(change);
  EXPECT_THAT(change.error().message, HasSubstr("entry 2 of the metadata after entry 2"));
  EXPECT_EQ(follower.request(500ms).next, rpc::MetadataOffset(2));
  const auto again =
      follower.take(reply_of({entry(2, {metadata::TopicRecord{"b", uuid_of(2)}})}, 2));
  ASSERT_TRUE(again && *again);
  EXPECT_EQ((*again)->image->topic_count(), 2U);
}

TEST_F(MetadataFollowerTest, a_snapshot_comes_in_parts_that_are_cut_anywhere) {
  const auto snapshot = snapshot_of(100);
  constexpr std::size_t size = 77;
  for (std::size_t from = 0; from < snapshot.size(); from += size) {
    const std::size_t count = std::min(size, snapshot.size() - from);
    const auto change = follower.take(part(snapshot, from, count));
    ASSERT_TRUE(change) << change.error().message;
    const bool is_last = from + count == snapshot.size();
    ASSERT_EQ(change->has_value(), is_last);
    if (is_last) {
      EXPECT_TRUE((*change)->delta.everything);
      EXPECT_EQ((*change)->image->topic_count(), 100U);
      EXPECT_EQ(follower.request(500ms).next, rpc::MetadataOffset(51));
      EXPECT_FALSE(follower.request(500ms).snapshot);
    } else {
      EXPECT_EQ(follower.request(500ms).snapshot, rpc::MetadataOffset(50));
      EXPECT_EQ(follower.request(500ms).snapshot_position, from + count);
    }
  }
}

TEST_F(MetadataFollowerTest, another_snapshot_begins_anew) {
  const auto first = snapshot_of(10);
  const auto second = snapshot_of(20);
  ASSERT_TRUE(follower.take(part(first, 0, 50)));
  const auto change = follower.take(part(second, 0, second.size(), 60));
  ASSERT_TRUE(change && *change);
  EXPECT_EQ((*change)->image->topic_count(), 20U);
  EXPECT_EQ((*change)->image->offset(), metadata::MetadataOffset(60));
}

TEST_F(MetadataFollowerTest, entries_instead_of_the_rest_of_a_snapshot_go_on_from_the_image) {
  ASSERT_TRUE(follower.take(part(snapshot_of(10), 0, 50)));
  const auto change =
      follower.take(reply_of({entry(1, {metadata::TopicRecord{"a", uuid_of(1)}})}, 1));
  ASSERT_TRUE(change && *change);
  EXPECT_EQ((*change)->image->topic_count(), 1U);
}

TEST_F(MetadataFollowerTest, a_part_that_does_not_fit_is_refused) {
  const auto snapshot = snapshot_of(10);
  const std::vector<rpc::FollowMetadataReply> wrong = [&] {
    std::vector<rpc::FollowMetadataReply> replies = {part(snapshot, 10, 20), part(snapshot, 0, 0),
                                                     part(snapshot, 0, 20), part(snapshot, 0, 20)};
    replies[2].snapshot->total = 10;
    replies[3].snapshot->position = snapshot.size() + 1;
    return replies;
  }();
  for (const rpc::FollowMetadataReply& reply : wrong) {
    MetadataFollower fresh{BrokerId(101)};
    EXPECT_FALSE(fresh.take(reply));
    EXPECT_FALSE(fresh.request(500ms).snapshot);
  }
}

}  // namespace
}  // namespace millrace::broker
