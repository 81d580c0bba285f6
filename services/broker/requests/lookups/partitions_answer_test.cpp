// DescribeTopicPartitions: so many partitions at a time.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_lookups.hpp"

import millrace.protocol.metadata;

namespace millrace::broker {
namespace {

using Asked = protocol::DescribeTopicPartitionsRequest;
using Answer = protocol::DescribeTopicPartitionsResponse;

struct Asking {
  explicit Asking(std::vector<std::string_view> names, std::int32_t limit = 2000) {
    for (const std::string_view name : names) topics.push_back({.name = name});
    request.topics = {topics.data(), static_cast<std::int32_t>(topics.size())};
    request.response_partition_limit = limit;
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  void from(std::string_view topic, std::int32_t partition) {
    cursor.topic_name = topic;
    cursor.partition_index = partition;
    request.cursor = &cursor;
  }

  std::vector<Asked::TopicRequest> topics;
  Asked::Cursor cursor;
  Asked request;
};

std::shared_ptr<const metadata::Image> three_topics() {
  return Cluster()
      .broker(1)
      .topic("c", uuid_of(3), 2)
      .topic("a", uuid_of(1), 3)
      .topic("b", uuid_of(2), 1)
      .image();
}

// "a:0,1,2 b:0".
std::string told(const Answer& answer) {
  std::string text;
  for (const auto& topic : answer.topics) {
    text += (text.empty() ? "" : " ") + std::string(topic.name) + ":";
    if (topic.error_code != 0) text += "error " + std::to_string(topic.error_code);
    for (const auto& partition : topic.partitions) {
      text += std::to_string(partition.partition_index);
    }
  }
  if (answer.next_cursor != nullptr) {
    text += " then " + std::string(answer.next_cursor->topic_name) +
            std::to_string(answer.next_cursor->partition_index);
  }
  return text;
}

TEST(DescribeTopicPartitions, tells_topics_by_name_each_once) {
  Client client;
  const ClusterView view = client.view(three_topics());
  EXPECT_EQ(told(answer_topic_partitions(Asking({}).request, view, client.arena)),
            "a:012 b:0 c:01");
  EXPECT_EQ(told(answer_topic_partitions(Asking({"c", "none", "a", "c", "bad topic"}).request, view,
                                         client.arena)),
            "a:012 bad topic:error 17 c:01 none:error 3");
}

TEST(DescribeTopicPartitions, goes_on_where_the_last_answer_was_full) {
  Client client;
  const ClusterView view = client.view(three_topics());
  Asking asking({}, 2);
  EXPECT_EQ(told(answer_topic_partitions(asking.request, view, client.arena)), "a:01 then a2");
  asking.from("a", 2);
  EXPECT_EQ(told(answer_topic_partitions(asking.request, view, client.arena)), "a:2 b:0 then c0");
  asking.from("c", 0);
  EXPECT_EQ(told(answer_topic_partitions(asking.request, view, client.arena)), "c:01");
  // The topic of the cursor was removed meanwhile.
  asking.from("aa", 5);
  EXPECT_EQ(told(answer_topic_partitions(asking.request, view, client.arena)), "b:0 c:0 then c1");
}

TEST(DescribeTopicPartitions, tells_at_least_one_partition_and_not_more_than_the_limit) {
  Client client;
  const ClusterView view = client.view(three_topics());
  for (const std::int32_t limit : {0, -7, 1}) {
    EXPECT_EQ(told(answer_topic_partitions(Asking({"a"}, limit).request, view, client.arena)),
              "a:0 then a1");
  }
  const auto large =
      Cluster().broker(1).topic("large", uuid_of(4), described_partitions_max + 1).image();
  Client other;
  const auto answer =
      answer_topic_partitions(Asking({}, 1'000'000).request, other.view(large), other.arena);
  EXPECT_EQ(answer.topics[0].partitions.size(), static_cast<std::size_t>(described_partitions_max));
  ASSERT_NE(answer.next_cursor, nullptr);
  EXPECT_EQ(answer.next_cursor->partition_index, described_partitions_max);
}

// As Apache Kafka 4.3.1 answers.
TEST(DescribeTopicPartitions, refuses_a_cursor_that_the_request_does_not_name) {
  Client client;
  const ClusterView view = client.view(three_topics());
  Asking asking({"a"}, 2);
  asking.from("zzz", 0);
  EXPECT_EQ(told(answer_topic_partitions(asking.request, view, client.arena)), "a:error 42");
  asking.from("a", -1);
  EXPECT_EQ(told(answer_topic_partitions(asking.request, view, client.arena)), "a:error 42");
  asking.from("a", 9);
  EXPECT_EQ(told(answer_topic_partitions(asking.request, view, client.arena)), "a:");
}

TEST(DescribeTopicPartitions, hides_topics_from_who_may_not_describe_them) {
  Client client;
  client.authorizer.names = {"a"};
  const ClusterView view = client.view(three_topics());
  EXPECT_EQ(told(answer_topic_partitions(Asking({}).request, view, client.arena)), "b:0 c:01");
  EXPECT_EQ(told(answer_topic_partitions(Asking({"a"}).request, view, client.arena)), "a:error 29");
}

TEST(DescribeTopicPartitions, tells_what_operations_are_allowed_and_can_be_written) {
  Client client;
  const ClusterView view = client.view(three_topics());
  const auto answer = answer_topic_partitions(Asking({"b"}).request, view, client.arena);
  EXPECT_EQ(answer.topics[0].topic_authorized_operations, 3576);
  EXPECT_EQ(answer.topics[0].topic_id, uuid_of(2));
  EXPECT_FALSE(answer.topics[0].partitions[0].eligible_leader_replicas.is_null());
  EXPECT_TRUE(encode_body(answer, 0).has_value());
}

}  // namespace
}  // namespace millrace::broker
