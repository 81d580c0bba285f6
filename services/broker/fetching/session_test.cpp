#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.broker.fetching;
import millrace.protocol.api;
import millrace.protocol.fetch;

namespace millrace::broker {
namespace {

using protocol::FetchRequest;

// A request that wants, or forgets, partitions of one topic.
class Asked {
 public:
  Asked& wants(std::int32_t partition, std::int64_t offset) {
    FetchRequest::FetchPartition wanted;
    wanted.partition = partition;
    wanted.fetch_offset = offset;
    wanted.partition_max_bytes = 1000;
    wanted_.push_back(wanted);
    return *this;
  }
  Asked& forgets(std::int32_t partition) {
    forgotten_.push_back(partition);
    return *this;
  }
  [[nodiscard]] const FetchRequest& request() {
    topic_.topic = "orders";
    topic_.partitions = std::span<const FetchRequest::FetchPartition>(wanted_);
    forgotten_topic_.topic = "orders";
    forgotten_topic_.partitions = std::span<const std::int32_t>(forgotten_);
    request_.topics = {&topic_, 1};
    request_.forgotten_topics_data = {&forgotten_topic_, 1};
    return request_;
  }

 private:
  std::vector<FetchRequest::FetchPartition> wanted_;
  std::vector<std::int32_t> forgotten_;
  FetchRequest::FetchTopic topic_;
  FetchRequest::ForgottenTopic forgotten_topic_;
  FetchRequest request_;
};

std::vector<std::int32_t> partitions_of(FetchSession& session) {
  std::vector<std::int32_t> partitions;
  for (const auto& entry : session.entries()) partitions.push_back(entry.key.partition.value());
  return partitions;
}

FetchSession session_of(std::int32_t count) {
  FetchSession session(false);
  Asked asked;
  for (std::int32_t i = 0; i < count; ++i) asked.wants(i, 0);
  session.update(asked.request());
  return session;
}

TEST(FetchSession, takes_partitions_in_the_order_of_the_request) {
  FetchSession session(false);
  session.update(Asked().wants(2, 20).wants(0, 0).wants(1, 10).request());
  EXPECT_EQ(partitions_of(session), (std::vector<std::int32_t>{2, 0, 1}));
}

TEST(FetchSession, changes_what_is_wanted_and_keeps_the_place) {
  FetchSession session = session_of(3);
  session.update(Asked().wants(1, 77).request());
  ASSERT_EQ(partitions_of(session), (std::vector<std::int32_t>{0, 1, 2}));
  EXPECT_EQ(std::next(session.entries().begin())->wanted.offset, Offset(77));
}

TEST(FetchSession, drops_what_is_forgotten_also_when_it_never_had_it) {
  FetchSession session = session_of(3);
  session.update(Asked().forgets(1).forgets(9).request());
  EXPECT_EQ(partitions_of(session), (std::vector<std::int32_t>{0, 2}));
  EXPECT_EQ(session.size(), 2U);
}

TEST(FetchSession, a_partition_that_is_forgotten_and_wanted_at_once_is_gone) {
  FetchSession session = session_of(2);
  session.update(Asked().wants(1, 5).forgets(1).request());
  EXPECT_EQ(partitions_of(session), (std::vector<std::int32_t>{0}));
}

TEST(FetchSession, who_gave_records_is_served_last) {
  FetchSession session = session_of(3);
  session.serve_last(session.entries().begin());
  EXPECT_EQ(partitions_of(session), (std::vector<std::int32_t>{1, 2, 0}));
  session.update(Asked().forgets(0).request());
  EXPECT_EQ(partitions_of(session), (std::vector<std::int32_t>{1, 2}));
}

TEST(FetchSession, tells_a_partition_again_only_when_something_is_new) {
  FetchSession session = session_of(1);
  FetchSession::Entry& entry = session.entries().front();
  ToldPartition told{.high_watermark = Offset(10), .log_start = Offset(0)};
  EXPECT_TRUE(FetchSession::tell(entry, told));
  EXPECT_FALSE(FetchSession::tell(entry, told));
  told.high_watermark = Offset(11);
  EXPECT_TRUE(FetchSession::tell(entry, told));
  told.log_start = Offset(3);
  EXPECT_TRUE(FetchSession::tell(entry, told));
  told.record_bytes = 1;
  EXPECT_TRUE(FetchSession::tell(entry, told));
  told.record_bytes = 0;
  told.diverges = true;
  EXPECT_TRUE(FetchSession::tell(entry, told));
  told.diverges = false;
  EXPECT_FALSE(FetchSession::tell(entry, told));
}

TEST(FetchSession, tells_errors_each_time_and_then_that_they_are_over) {
  FetchSession session = session_of(1);
  FetchSession::Entry& entry = session.entries().front();
  const ToldPartition well{.high_watermark = Offset(10), .log_start = Offset(0)};
  const ToldPartition wrong{.error = ErrorCode::not_leader_or_follower};
  EXPECT_TRUE(FetchSession::tell(entry, well));
  EXPECT_TRUE(FetchSession::tell(entry, wrong));
  EXPECT_TRUE(FetchSession::tell(entry, wrong));
  EXPECT_TRUE(FetchSession::tell(entry, well));
  EXPECT_FALSE(FetchSession::tell(entry, well));
}

TEST(FetchSession, topics_of_one_name_and_another_id_are_two) {
  FetchSession session(true);
  std::array<FetchRequest::FetchPartition, 1> partition{};
  std::array<FetchRequest::FetchTopic, 2> topics{};
  topics[0].topic = topics[1].topic = protocol::empty_string;
  topics[0].topic_id.bytes[0] = std::byte{1};
  topics[1].topic_id.bytes[0] = std::byte{2};
  for (auto& topic : topics) topic.partitions = {partition.data(), 1};
  FetchRequest request;
  request.topics = {topics.data(), 2};
  session.update(request);
  EXPECT_EQ(session.size(), 2U);
}

// Ids as an attacker would choose them, for whom one request is to cost a shard minutes.
TEST(FetchSession, ids_that_fall_together_cost_no_more_than_others) {
  constexpr std::size_t count = 200'000;
  std::vector<FetchRequest::FetchPartition> partitions(count);
  std::vector<FetchRequest::FetchTopic> topics(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t falls = (0 - i * 0x9e3779b97f4a7c15U) ^ std::hash<std::string_view>{}("");
    std::memcpy(topics[i].topic_id.bytes.data(), &falls, sizeof falls);
    partitions[i].partition = static_cast<std::int32_t>(i);
    topics[i].topic = protocol::empty_string;
    topics[i].partitions = {&partitions[i], 1};
  }
  FetchRequest request;
  request.topics = std::span<const FetchRequest::FetchTopic>(topics);
  FetchSession session(true);
  session.update(request);
  EXPECT_EQ(session.size(), count);
}

TEST(SessionEpoch, begins_again_at_1_and_a_final_one_stays) {
  EXPECT_EQ(next_epoch(first_session_epoch), SessionEpoch(1));
  EXPECT_EQ(next_epoch(SessionEpoch(1)), SessionEpoch(2));
  EXPECT_EQ(next_epoch(SessionEpoch(std::numeric_limits<std::int32_t>::max())), SessionEpoch(1));
  EXPECT_EQ(next_epoch(final_session_epoch), final_session_epoch);
}

}  // namespace
}  // namespace millrace::broker
