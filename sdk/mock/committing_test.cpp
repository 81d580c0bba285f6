#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using protocol::OffsetCommitRequest;
using protocol::OffsetCommitResponse;
using protocol::OffsetDeleteRequest;
using protocol::OffsetDeleteResponse;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;

Task<int> commit(MockMachine& machine, RawClient& client, std::string_view topic,
                 std::int32_t partition, std::int64_t offset, std::int16_t version) {
  OffsetCommitRequest::OffsetCommitRequestPartition part;
  part.partition_index = partition;
  part.committed_offset = offset;
  part.committed_metadata = "note";
  OffsetCommitRequest::OffsetCommitRequestTopic row;
  row.name = topic;
  row.topic_id = machine.id_of(topic);
  row.partitions = {&part, 1};
  OffsetCommitRequest request;
  request.group_id = "billing";
  request.topics = {&row, 1};
  const auto got = co_await client.call<OffsetCommitResponse>(request, version);
  EXPECT_TRUE(got && got->message.topics.size() == 1);
  co_return got ? got->message.topics[0].partitions[0].error_code : -2;
}

// The offset, or 1000 and the error.
Task<std::int64_t> fetched(MockMachine& machine, RawClient& client, std::string_view topic,
                           std::int32_t partition, std::int16_t version) {
  const std::array<std::int32_t, 1> indexes{partition};
  OffsetFetchRequest::OffsetFetchRequestTopic old;
  old.name = topic;
  old.partition_indexes = std::span<const std::int32_t>(indexes);
  OffsetFetchRequest::OffsetFetchRequestTopics row;
  row.name = topic;
  row.topic_id = machine.id_of(topic);
  row.partition_indexes = old.partition_indexes;
  OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = "billing";
  group.topics = {&row, 1};
  OffsetFetchRequest request;
  if (version < 8) {
    request.group_id = "billing";
    request.topics = {&old, 1};
  }
  if (version >= 8) request.groups = {&group, 1};
  const auto got = co_await client.call<OffsetFetchResponse>(request, version);
  EXPECT_TRUE(got.has_value());
  if (!got) co_return -2;
  if (version < 8) {
    const auto& part = got->message.topics[0].partitions[0];
    co_return part.error_code == none ? part.committed_offset : 1000 + part.error_code;
  }
  const auto& part = got->message.groups[0].topics[0].partitions[0];
  co_return part.error_code == none ? part.committed_offset : 1000 + part.error_code;
}

TEST(MockOffsets, come_back_as_they_were_committed_in_every_version) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2}));
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    for (std::int16_t version = 2; version <= 10; ++version) {
      SCOPED_TRACE(version);
      EXPECT_EQ(co_await commit(machine, client, "orders", 1, 40 + version, version), none);
      EXPECT_EQ(co_await fetched(machine, client, "orders", 1, version), 40 + version);
      EXPECT_EQ(co_await fetched(machine, client, "orders", 0, version), -1);
    }
    client.close();
  }());
}

TEST(MockOffsets, of_unknown_topics_and_partitions_are_refused) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    EXPECT_EQ(co_await commit(machine, client, "nothing", 0, 1, 9), 3);
    EXPECT_EQ(co_await commit(machine, client, "orders", 5, 1, 9), 3);
    EXPECT_EQ(co_await commit(machine, client, "nothing", 0, 1, 10),
              number(ErrorCode::unknown_topic_id));
    EXPECT_EQ(co_await fetched(machine, client, "nothing", 0, 10),
              1000 + number(ErrorCode::unknown_topic_id));
    machine.cluster->fail_next(ApiKey::offset_commit, ErrorCode::coordinator_load_in_progress);
    EXPECT_EQ(co_await commit(machine, client, "orders", 0, 1, 9),
              number(ErrorCode::coordinator_load_in_progress));
    client.close();
  }());
}

TEST(MockOffsets, of_all_topics_are_given_at_once_and_can_be_deleted) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("bills"));
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    EXPECT_EQ(co_await commit(machine, client, "orders", 0, 7, 9), none);
    EXPECT_EQ(co_await commit(machine, client, "bills", 0, 8, 9), none);
    OffsetFetchRequest::OffsetFetchRequestGroup group;
    group.group_id = "billing";
    group.topics = protocol::Array<OffsetFetchRequest::OffsetFetchRequestTopics>::null();
    OffsetFetchRequest request;
    request.groups = {&group, 1};
    const auto all = co_await client.call<OffsetFetchResponse>(request, 10);
    EXPECT_TRUE(all && all->message.groups.size() == 1);
    EXPECT_EQ(all->message.groups[0].topics.size(), 2u);
    OffsetDeleteRequest::OffsetDeleteRequestPartition part{.partition_index = 0};
    std::array<OffsetDeleteRequest::OffsetDeleteRequestTopic, 2> rows;
    rows[0] = {.name = "nothing", .partitions = {&part, 1}};
    rows[1] = {.name = "orders", .partitions = {&part, 1}};
    OffsetDeleteRequest deletion;
    deletion.group_id = "billing";
    deletion.topics = std::span<const OffsetDeleteRequest::OffsetDeleteRequestTopic>(rows);
    const auto deleted = co_await client.call<OffsetDeleteResponse>(deletion, 0);
    EXPECT_TRUE(deleted && deleted->message.topics.size() == 2);
    EXPECT_EQ(deleted->message.topics[0].partitions[0].error_code, 3);
    EXPECT_EQ(deleted->message.topics[1].partitions[0].error_code, none);
    EXPECT_EQ(co_await fetched(machine, client, "orders", 0, 9), -1);
    EXPECT_EQ(co_await fetched(machine, client, "bills", 0, 9), 8);
    client.close();
  }());
}

}  // namespace
}  // namespace millrace::mock
