// Also proves screening.cpp, completing.cpp, group_bodies.cppm.
#include <gtest/gtest.h>

#include <functional>

// This one imports a module: it comes after all that includes standard headers.
#include "cluster_support.hpp"

import millrace.security;

namespace millrace::broker {
namespace {

using Names = std::vector<std::string>;

constexpr auto group_refused = static_cast<std::int16_t>(ErrorCode::group_authorization_failed);
constexpr auto topic_refused = static_cast<std::int16_t>(ErrorCode::topic_authorization_failed);
constexpr std::int32_t operations_not_asked = std::numeric_limits<std::int32_t>::min();

template <class Message>
Message of_group(const char* group) {
  Message message;
  message.group_id = group;
  return message;
}

// A group request as a client sends it, with an authoriser that says what the test wants, and a
// coordinator that is there.
class GroupAccessTest : public testing::Test {
 protected:
  GroupAccessTest() {
    cluster.start_coordinator();
    cluster.settle();
  }

  void refuse(const char* question) { cluster.authorizer.refused.insert(question); }

  // What was asked while the request was answered.
  template <class Response, class Request>
  Names asked_of(const Request& request, std::int16_t version) {
    cluster.authorizer.asked.clear();
    EXPECT_FALSE(cluster.ask<Response>(request, version).is_closed);
    return cluster.authorizer.asked;
  }

  // Of both topics, partition 0, at this offset.
  struct Commit {
    using Request = protocol::OffsetCommitRequest;
    explicit Commit(std::int64_t offset) {
      partition.partition_index = 0;
      partition.committed_offset = offset;
      partition.committed_metadata = protocol::empty_string;
      for (std::uint8_t i = 0; i < 2; ++i) {
        topics[i].name = i == 0 ? "orders" : "bills";
        topics[i].topic_id = topic_id(static_cast<std::uint8_t>(i + 1));
        topics[i].partitions = {&partition, 1};
      }
      request.group_id = "g";
      request.generation_id_or_member_epoch = -1;
      request.topics = {topics, 2};
    }
    Request::OffsetCommitRequestPartition partition;
    Request::OffsetCommitRequestTopic topics[2];
    Request request;
  };
  // The error of each topic, by the name or else the number in its id.
  template <class Response>
  static std::map<std::string, std::int16_t> errors_of(const Response& response, bool by_id) {
    std::map<std::string, std::int16_t> errors;
    for (const auto& topic : response.topics) {
      std::string name(topic.name);
      if constexpr (requires { topic.topic_id; }) {
        if (by_id) name = topic.topic_id == topic_id(1) ? "orders" : "bills";
      }
      EXPECT_EQ(topic.partitions.size(), 1);
      errors[name] = topic.partitions[0].error_code;
    }
    return errors;
  }

  Cluster cluster;
};

// The whole table; the versions of one API differ in nothing here.
TEST_F(GroupAccessTest, asks_for_each_api_what_kafka_asks) {
  using namespace protocol;
  const Commit commit(5);
  EXPECT_EQ((asked_of<OffsetCommitResponse>(commit.request, 9)),
            (Names{"READ GROUP g", "READ TOPIC orders", "READ TOPIC bills"}));
  Member joining;
  joining.group = "join";
  EXPECT_EQ((asked_of<JoinGroupResponse>(join_of(joining, range_protocol), 9)),
            Names{"READ GROUP join"});
  EXPECT_EQ((asked_of<SyncGroupResponse>(of_group<SyncGroupRequest>("s"), 3)),
            Names{"READ GROUP s"});
  EXPECT_EQ((asked_of<HeartbeatResponse>(of_group<HeartbeatRequest>("h"), 4)),
            Names{"READ GROUP h"});
  EXPECT_EQ((asked_of<LeaveGroupResponse>(of_group<LeaveGroupRequest>("l"), 5)),
            Names{"READ GROUP l"});

  OffsetFetchRequest fetch = of_group<OffsetFetchRequest>("g");
  OffsetFetchRequest::OffsetFetchRequestTopic fetched;
  fetched.name = "orders";
  fetch.topics = {&fetched, 1};
  EXPECT_EQ((asked_of<OffsetFetchResponse>(fetch, 7)),
            (Names{"DESCRIBE GROUP g", "DESCRIBE TOPIC orders"}));
  fetch.topics = Array<OffsetFetchRequest::OffsetFetchRequestTopic>::null();
  EXPECT_EQ((asked_of<OffsetFetchResponse>(fetch, 7)),
            (Names{"DESCRIBE GROUP g", "DESCRIBE TOPIC bills", "DESCRIBE TOPIC orders"}));

  DescribeGroupsRequest describe;
  const String names[] = {"g", "h"};
  describe.groups = {names, 2};
  EXPECT_EQ((asked_of<DescribeGroupsResponse>(describe, 5)),
            (Names{"DESCRIBE GROUP g", "DESCRIBE GROUP h"}));
  EXPECT_EQ((asked_of<ListGroupsResponse>(ListGroupsRequest(), 4)),
            Names{"DESCRIBE CLUSTER kafka-cluster"});
  refuse("DESCRIBE CLUSTER kafka-cluster");
  EXPECT_EQ((asked_of<ListGroupsResponse>(ListGroupsRequest(), 4)),
            (Names{"DESCRIBE CLUSTER kafka-cluster", "DESCRIBE GROUP join", "DESCRIBE GROUP g"}));

  OffsetDeleteRequest offset_delete = of_group<OffsetDeleteRequest>("g");
  OffsetDeleteRequest::OffsetDeleteRequestTopic gone;
  gone.name = "orders";
  offset_delete.topics = {&gone, 1};
  EXPECT_EQ((asked_of<OffsetDeleteResponse>(offset_delete, 0)),
            (Names{"DELETE GROUP g", "READ TOPIC orders"}));
  DeleteGroupsRequest groups_delete;
  groups_delete.groups_names = {names, 2};
  EXPECT_EQ((asked_of<DeleteGroupsResponse>(groups_delete, 2)),
            (Names{"DELETE GROUP g", "DELETE GROUP h"}));
}

TEST_F(GroupAccessTest, a_member_whose_group_is_refused_is_told_so_and_changes_nothing) {
  refuse("READ GROUP g");
  using namespace protocol;
  const auto joined = cluster.ask<JoinGroupResponse>(join_of({}, range_protocol), 9);
  EXPECT_EQ(joined.message.error_code, group_refused);
  EXPECT_EQ(cluster.ask<SyncGroupResponse>(of_group<SyncGroupRequest>("g"), 3).message.error_code,
            group_refused);
  EXPECT_EQ(cluster.ask<HeartbeatResponse>(of_group<HeartbeatRequest>("g"), 4).message.error_code,
            group_refused);
  EXPECT_EQ(cluster.ask<LeaveGroupResponse>(of_group<LeaveGroupRequest>("g"), 5).message.error_code,
            group_refused);
  const auto listed = cluster.ask<ListGroupsResponse>(ListGroupsRequest(), 4);
  EXPECT_EQ(listed.message.groups.size(), 0);
}

TEST_F(GroupAccessTest, a_commit_to_a_refused_group_or_topic_is_not_taken) {
  using protocol::OffsetCommitResponse;
  const std::map<std::string, std::int16_t> group_errors = {{"bills", group_refused},
                                                            {"orders", group_refused}};
  const std::map<std::string, std::int16_t> topic_errors = {{"bills", 0},
                                                            {"orders", topic_refused}};
  const std::map<std::string, std::int16_t> both_refused = {{"bills", topic_refused},
                                                            {"orders", topic_refused}};
  for (const std::int16_t version : {std::int16_t{2}, std::int16_t{9}, std::int16_t{10}}) {
    const bool by_id = version == 10;
    const auto errors = [&] {
      const Commit commit(version);
      return errors_of(cluster.ask<OffsetCommitResponse>(commit.request, version).message, by_id);
    };
    cluster.authorizer.refused = {"READ GROUP g"};
    EXPECT_EQ(errors(), group_errors) << version;
    cluster.authorizer.refused = {"READ TOPIC orders"};
    EXPECT_EQ(errors(), topic_errors) << version;
    refuse("READ TOPIC bills");
    EXPECT_EQ(errors(), both_refused) << version;
  }
  cluster.authorizer.refused.clear();
  auto all = of_group<protocol::OffsetFetchRequest>("g");
  all.topics = protocol::Array<protocol::OffsetFetchRequest::OffsetFetchRequestTopic>::null();
  const auto found = cluster.ask<protocol::OffsetFetchResponse>(all, 7);
  ASSERT_EQ(found.message.topics.size(), 1) << "nothing of orders";
  EXPECT_EQ(found.message.topics[0].name, "bills");
  EXPECT_EQ(found.message.topics[0].partitions[0].committed_offset, 10);
}

TEST_F(GroupAccessTest, a_fetch_shows_what_may_be_seen) {
  using Request = protocol::OffsetFetchRequest;
  using protocol::OffsetFetchResponse;
  const Commit commit(7);
  cluster.ask<protocol::OffsetCommitResponse>(commit.request, 9);
  const std::int32_t index = 0;
  Request::OffsetFetchRequestTopic named[2];
  named[0].name = "orders";
  named[1].name = "bills";
  for (auto& topic : named) topic.partition_indexes = {&index, 1};
  auto old = of_group<Request>("g");
  old.topics = {named, 2};
  refuse("DESCRIBE TOPIC orders");
  const auto some = cluster.ask<OffsetFetchResponse>(old, 5);
  EXPECT_EQ(errors_of(some.message, false),
            (std::map<std::string, std::int16_t>{{"bills", 0}, {"orders", topic_refused}}));
  EXPECT_EQ(some.message.topics[1].partitions[0].committed_offset, -1);
  old.topics = protocol::Array<Request::OffsetFetchRequestTopic>::null();
  const auto all = cluster.ask<OffsetFetchResponse>(old, 5);
  ASSERT_EQ(all.message.topics.size(), 1);
  EXPECT_EQ(all.message.topics[0].name, "bills") << "a topic that nobody named is left out";

  // Several groups: one refused, one whose topics all are, one that fetches all, by id.
  Request::OffsetFetchRequestTopics by_id;
  by_id.topic_id = topic_id(1);
  by_id.partition_indexes = {&index, 1};
  Request::OffsetFetchRequestGroup groups[3];
  groups[0].group_id = "hidden";
  groups[0].topics = {&by_id, 1};
  groups[1].group_id = "g";
  groups[1].topics = {&by_id, 1};
  groups[2].group_id = "g";
  groups[2].topics = protocol::Array<Request::OffsetFetchRequestTopics>::null();
  Request request;
  request.groups = {groups, 3};
  refuse("DESCRIBE GROUP hidden");
  const auto told = cluster.ask<OffsetFetchResponse>(request, 10);
  ASSERT_EQ(told.message.groups.size(), 3);
  EXPECT_EQ(told.message.groups[0].group_id, "hidden");
  EXPECT_EQ(told.message.groups[0].error_code, group_refused);
  EXPECT_EQ(told.message.groups[0].topics.size(), 0);
  EXPECT_EQ(told.message.groups[1].error_code, 0);
  ASSERT_EQ(told.message.groups[1].topics.size(), 1);
  EXPECT_EQ(told.message.groups[1].topics[0].topic_id, topic_id(1));
  EXPECT_EQ(told.message.groups[1].topics[0].partitions[0].error_code, topic_refused);
  ASSERT_EQ(told.message.groups[2].topics.size(), 1);
  EXPECT_EQ(told.message.groups[2].topics[0].topic_id, topic_id(2));
}

TEST_F(GroupAccessTest, a_group_that_is_refused_is_neither_described_nor_listed_nor_deleted) {
  using namespace protocol;
  Commit commit(7);
  cluster.ask<OffsetCommitResponse>(commit.request, 9);
  commit.request.group_id = "hidden";
  cluster.ask<OffsetCommitResponse>(commit.request, 9);
  for (const char* question : {"DESCRIBE GROUP hidden", "DELETE GROUP hidden", "DELETE GROUP g",
                               "DESCRIBE CLUSTER kafka-cluster"}) {
    refuse(question);
  }
  DescribeGroupsRequest describe;
  const String names[] = {"hidden", "g"};
  describe.groups = {names, 2};
  const auto plain = cluster.ask<DescribeGroupsResponse>(describe, 5);
  ASSERT_EQ(plain.message.groups.size(), 2);
  EXPECT_EQ(plain.message.groups[0].group_id, "g");
  EXPECT_EQ(plain.message.groups[0].error_code, 0);
  EXPECT_EQ(plain.message.groups[0].authorized_operations, operations_not_asked);
  EXPECT_EQ(plain.message.groups[1].group_id, "hidden");
  EXPECT_EQ(plain.message.groups[1].error_code, group_refused);
  describe.include_authorized_operations = true;
  const auto told = cluster.ask<DescribeGroupsResponse>(describe, 5);
  // READ, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, and no DELETE.
  EXPECT_EQ(told.message.groups[0].authorized_operations, 1 << 3 | 1 << 8 | 1 << 10 | 1 << 11);

  const auto listed = cluster.ask<ListGroupsResponse>(ListGroupsRequest(), 4);
  ASSERT_EQ(listed.message.groups.size(), 1);
  EXPECT_EQ(listed.message.groups[0].group_id, "g");

  DeleteGroupsRequest remove;
  remove.groups_names = {names, 2};
  const auto removed = cluster.ask<DeleteGroupsResponse>(remove, 2);
  ASSERT_EQ(removed.message.results.size(), 2);
  for (const auto& result : removed.message.results) {
    EXPECT_EQ(result.error_code, group_refused) << result.group_id;
  }

  OffsetDeleteRequest forget = of_group<OffsetDeleteRequest>("g");
  OffsetDeleteRequest::OffsetDeleteRequestTopic topic;
  OffsetDeleteRequest::OffsetDeleteRequestPartition partition;
  topic.name = "orders";
  topic.partitions = {&partition, 1};
  forget.topics = {&topic, 1};
  EXPECT_EQ(cluster.ask<OffsetDeleteResponse>(forget, 0).message.error_code, group_refused);
  cluster.authorizer.refused = {"READ TOPIC orders"};
  const auto kept = cluster.ask<OffsetDeleteResponse>(forget, 0);
  EXPECT_EQ(kept.message.error_code, 0);
  EXPECT_EQ(errors_of(kept.message, false),
            (std::map<std::string, std::int16_t>{{"orders", topic_refused}}));
}

// A body of any length is read, or its connection is closed.
TEST_F(GroupAccessTest, survives_every_cut_of_a_request) {
  const Commit commit(7);
  const auto body = body_of(commit.request, 9);
  for (std::size_t size = 0; size < body.size(); ++size) {
    GroupAccess access(cluster.authorizer, cluster.session, cluster.topics, ApiKey::offset_commit,
                       9);
    EXPECT_FALSE(access.screen(ByteView(body).first(size))) << size;
  }
  GroupAccess access(cluster.authorizer, cluster.session, cluster.topics, ApiKey::fetch, 9);
  EXPECT_FALSE(access.screen(body)) << "not a request about groups";
}

}  // namespace
}  // namespace millrace::broker
