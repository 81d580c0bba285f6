// Also proves configuring.cpp, overseeing.cpp, placing.cpp, topic_settings.cpp,
// topic_settings.cppm.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteRecordsRequest;
using protocol::DeleteRecordsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;

// Runs `body` with a client that is connected to broker 1.
template <class Body>
void with_client(MockMachine& machine, Body body) {
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    co_await body(client);
    client.close();
  }());
}

CreateTopicsRequest::CreatableTopic topic_row(std::string_view name, std::int32_t partitions = -1,
                                              std::int16_t factor = -1) {
  CreateTopicsRequest::CreatableTopic row;
  row.name = name;
  row.num_partitions = partitions;
  row.replication_factor = factor;
  return row;
}

TEST(MockTopics, are_created_each_with_an_outcome_of_its_own) {
  MockMachine machine({.brokers = 3, .partitions_default = 4});
  ASSERT_TRUE(machine.cluster->create_topic("there"));
  CreateTopicsRequest::CreatableTopicConfig compact{.name = "cleanup.policy", .value = "compact"};
  CreateTopicsRequest::CreatableTopicConfig wrong{.name = "cleanup.policy", .value = "wash"};
  std::vector<CreateTopicsRequest::CreatableTopic> rows = {
      topic_row("orders"),      topic_row("there"),       topic_row("bad name"),
      topic_row("wide", 3, 9),  topic_row("twice", 1, 1), topic_row("twice", 1, 1),
      topic_row("wrong", 1, 1), topic_row("none", 0, 1),  topic_row("factor", 1, 0)};
  rows[0].configs = {&compact, 1};
  rows[6].configs = {&wrong, 1};
  with_client(machine, [&](RawClient& client) -> Task<void> {
    CreateTopicsRequest request;
    request.topics = std::span<const CreateTopicsRequest::CreatableTopic>(rows);
    const auto got = co_await client.call<CreateTopicsResponse>(request, 7);
    EXPECT_TRUE(got && got->message.topics.size() == rows.size());
    const std::vector<ErrorCode> expected = {ErrorCode::none,
                                             ErrorCode::topic_already_exists,
                                             ErrorCode::invalid_topic_exception,
                                             ErrorCode::invalid_replication_factor,
                                             ErrorCode::invalid_request,
                                             ErrorCode::invalid_request,
                                             ErrorCode::invalid_config,
                                             ErrorCode::invalid_partitions,
                                             ErrorCode::invalid_replication_factor};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(got->message.topics[i].error_code, number(expected[i])) << rows[i].name;
    }
    EXPECT_EQ(got->message.topics[0].num_partitions, 4);
    EXPECT_EQ(got->message.topics[0].replication_factor, 3);
    EXPECT_EQ(got->message.topics[0].topic_id, machine.id_of("orders"));
    EXPECT_GT(got->message.topics[0].configs.size(), 10u);
  });
}

TEST(MockTopics, are_created_in_every_version_and_not_at_all_when_only_validated) {
  MockMachine machine;
  for (std::int16_t version = 2; version <= 7; ++version) {
    for (const bool validate_only : {true, false}) {
      SCOPED_TRACE(version);
      const std::string name = "topic-" + std::to_string(version);
      with_client(machine, [&](RawClient& client) -> Task<void> {
        const auto row = topic_row(name, 2, 1);
        CreateTopicsRequest request;
        request.topics = {&row, 1};
        request.validate_only = validate_only;
        const auto got = co_await client.call<CreateTopicsResponse>(request, version);
        EXPECT_TRUE(got && got->message.topics.size() == 1);
        EXPECT_EQ(got->message.topics[0].error_code, none);
      });
      EXPECT_EQ(machine.cluster->topic_id(name).has_value(), !validate_only);
    }
  }
}

TEST(MockTopics, are_deleted_by_name_and_by_id) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("one"));
  ASSERT_TRUE(machine.cluster->create_topic("two"));
  with_client(machine, [&](RawClient& client) -> Task<void> {
    const std::array<protocol::String, 2> names{"one", "nothing"};
    DeleteTopicsRequest by_name;
    by_name.topic_names = std::span<const protocol::String>(names);
    const auto named = co_await client.call<DeleteTopicsResponse>(by_name, 5);
    EXPECT_TRUE(named && named->message.responses.size() == 2);
    EXPECT_EQ(named->message.responses[0].error_code, none);
    EXPECT_EQ(named->message.responses[1].error_code, 3);
    std::array<DeleteTopicsRequest::DeleteTopicState, 2> states;
    states[0].topic_id = machine.id_of("two");
    states[1].topic_id.bytes[3] = std::byte{9};
    DeleteTopicsRequest by_id;
    by_id.topics = std::span<const DeleteTopicsRequest::DeleteTopicState>(states);
    const auto got = co_await client.call<DeleteTopicsResponse>(by_id, 6);
    EXPECT_TRUE(got && got->message.responses.size() == 2);
    EXPECT_EQ(got->message.responses[0].error_code, none);
    EXPECT_EQ(got->message.responses[0].name, "two");
    EXPECT_EQ(got->message.responses[1].error_code, number(ErrorCode::unknown_topic_id));
  });
  EXPECT_FALSE(machine.cluster->topic_id("one"));
  EXPECT_FALSE(machine.cluster->topic_id("two"));
}

TEST(MockTopics, grow_and_never_shrink) {
  MockMachine machine({.brokers = 2});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2}));
  with_client(machine, [&](RawClient& client) -> Task<void> {
    const auto grown = [&](std::string_view name, std::int32_t count) -> Task<int> {
      CreatePartitionsRequest::CreatePartitionsTopic row;
      row.name = name;
      row.count = count;
      row.assignments =
          protocol::Array<CreatePartitionsRequest::CreatePartitionsAssignment>::null();
      CreatePartitionsRequest request;
      request.topics = {&row, 1};
      const auto got = co_await client.call<CreatePartitionsResponse>(request, 3);
      EXPECT_TRUE(got && got->message.results.size() == 1);
      co_return got ? got->message.results[0].error_code : -2;
    };
    EXPECT_EQ(co_await grown("orders", 5), none);
    EXPECT_EQ(co_await grown("orders", 5), number(ErrorCode::invalid_partitions));
    EXPECT_EQ(co_await grown("orders", 3), number(ErrorCode::invalid_partitions));
    EXPECT_EQ(co_await grown("orders", 2'000'000'000), number(ErrorCode::invalid_partitions));
    EXPECT_EQ(co_await grown("nothing", 3), 3);
  });
  EXPECT_TRUE(machine.cluster->leader("orders", PartitionIndex(4)));
  EXPECT_FALSE(machine.cluster->leader("orders", PartitionIndex(5)));
}

TEST(MockTopics, lose_the_records_that_are_deleted) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  const std::vector<StoredRecord> records(
      5,
      StoredRecord{
          .offset = no_offset, .timestamp = Timestamp(1), .key = {}, .value = "x", .headers = {}});
  ASSERT_TRUE(machine.cluster->append("orders", PartitionIndex(0), records));
  with_client(machine, [&](RawClient& client) -> Task<void> {
    const auto deleted = [&](std::int64_t offset) -> Task<std::int64_t> {
      DeleteRecordsRequest::DeleteRecordsPartition part{.partition_index = 0, .offset = offset};
      DeleteRecordsRequest::DeleteRecordsTopic topic{.name = "orders", .partitions = {&part, 1}};
      DeleteRecordsRequest request;
      request.topics = {&topic, 1};
      const auto got = co_await client.call<DeleteRecordsResponse>(request, 2);
      EXPECT_TRUE(got && got->message.topics.size() == 1);
      const auto& row = got->message.topics[0].partitions[0];
      co_return row.error_code == none ? row.low_watermark : 1000 + row.error_code;
    };
    EXPECT_EQ(co_await deleted(2), 2);
    EXPECT_EQ(co_await deleted(1), 2);
    EXPECT_EQ(co_await deleted(6), 1000 + number(ErrorCode::offset_out_of_range));
    EXPECT_EQ(co_await deleted(-1), 5);
  });
}

TEST(MockPlacing, moves_replicas_and_gives_the_lead_back_to_the_first_of_them) {
  MockMachine machine({.brokers = 3});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.replication_factor = 1}));
  Cluster& cluster = *machine.cluster;
  constexpr PartitionIndex partition{0};
  with_client(machine, [&](RawClient& client) -> Task<void> {
    using Reassign = protocol::AlterPartitionReassignmentsRequest;
    const std::array<std::int32_t, 2> replicas{3, 2};
    Reassign::ReassignablePartition part{.partition_index = 0,
                                         .replicas = std::span<const std::int32_t>(replicas)};
    Reassign::ReassignableTopic topic{.name = "orders", .partitions = {&part, 1}};
    Reassign request;
    request.topics = {&topic, 1};
    const auto moved =
        co_await client.call<protocol::AlterPartitionReassignmentsResponse>(request, 1);
    EXPECT_TRUE(moved && moved->message.responses[0].partitions[0].error_code == none);
    EXPECT_EQ(*cluster.leader("orders", partition), BrokerId(3));
    EXPECT_TRUE(cluster.move_leader("orders", partition, BrokerId(2)));
    const std::int32_t index = 0;
    protocol::ElectLeadersRequest::TopicPartitions wanted{.topic = "orders",
                                                          .partitions = {&index, 1}};
    protocol::ElectLeadersRequest election;
    election.topic_partitions = {&wanted, 1};
    for (const ErrorCode expected : {ErrorCode::none, ErrorCode::election_not_needed}) {
      const auto got = co_await client.call<protocol::ElectLeadersResponse>(election, 2);
      EXPECT_TRUE(got && got->message.replica_election_results.size() == 1);
      EXPECT_EQ(got->message.replica_election_results[0].partition_result[0].error_code,
                number(expected));
    }
    EXPECT_EQ(*cluster.leader("orders", partition), BrokerId(3));
  });
}

struct Change {
  std::string_view name;
  std::int8_t operation;
  protocol::String value;
};

Task<int> alter(RawClient& client, std::int8_t kind, std::string_view resource, Change change) {
  IncrementalAlterConfigsRequest::AlterableConfig config{
      .name = change.name, .config_operation = change.operation, .value = change.value};
  IncrementalAlterConfigsRequest::AlterConfigsResource row{
      .resource_type = kind, .resource_name = resource, .configs = {&config, 1}};
  IncrementalAlterConfigsRequest request;
  request.resources = {&row, 1};
  const auto got = co_await client.call<IncrementalAlterConfigsResponse>(request, 1);
  EXPECT_TRUE(got && got->message.responses.size() == 1);
  co_return got ? got->message.responses[0].error_code : -2;
}

Task<std::string> described(RawClient& client, std::int8_t kind, std::string_view resource,
                            protocol::String name) {
  DescribeConfigsRequest::DescribeConfigsResource row{
      .resource_type = kind, .resource_name = resource, .configuration_keys = {&name, 1}};
  DescribeConfigsRequest request;
  request.resources = {&row, 1};
  const auto got = co_await client.call<DescribeConfigsResponse>(request, 4);
  EXPECT_TRUE(got && got->message.results.size() == 1);
  if (!got || got->message.results[0].error_code != none) co_return "error";
  const auto& configs = got->message.results[0].configs;
  co_return configs.size() == 1 ? std::string(configs[0].value) : "not one";
}

TEST(MockConfigs, are_set_removed_and_taken_apart_as_lists) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  constexpr std::int8_t topic = 2;
  with_client(machine, [&](RawClient& client) -> Task<void> {
    EXPECT_EQ(co_await described(client, topic, "orders", "retention.ms"), "604800000");
    EXPECT_EQ(co_await alter(client, topic, "orders", {"retention.ms", 0, "5000"}), none);
    EXPECT_EQ(co_await described(client, topic, "orders", "retention.ms"), "5000");
    EXPECT_EQ(co_await alter(client, topic, "orders", {"cleanup.policy", 0, "delete"}), none);
    EXPECT_EQ(co_await alter(client, topic, "orders", {"cleanup.policy", 2, "compact"}), none);
    EXPECT_EQ(co_await described(client, topic, "orders", "cleanup.policy"), "delete,compact");
    EXPECT_EQ(co_await alter(client, topic, "orders", {"cleanup.policy", 3, "delete"}), none);
    EXPECT_EQ(co_await described(client, topic, "orders", "cleanup.policy"), "compact");
    EXPECT_EQ(co_await alter(client, topic, "orders", {"retention.ms", 1, protocol::null_string}),
              none);
    EXPECT_EQ(co_await described(client, topic, "orders", "retention.ms"), "604800000");
    EXPECT_EQ(co_await alter(client, topic, "orders", {"retention.ms", 0, "soon"}),
              number(ErrorCode::invalid_config));
    EXPECT_EQ(co_await alter(client, topic, "orders", {"retention.ms", 9, "1"}),
              number(ErrorCode::invalid_request));
    EXPECT_EQ(co_await alter(client, topic, "nothing", {"retention.ms", 0, "1"}), 3);
  });
}

TEST(MockConfigs, of_a_broker_are_what_it_was_told) {
  MockMachine machine;
  constexpr std::int8_t broker = 4;
  with_client(machine, [&](RawClient& client) -> Task<void> {
    EXPECT_EQ(co_await alter(client, broker, "1", {"log.cleaner.threads", 0, "2"}), none);
    EXPECT_EQ(co_await described(client, broker, "1", "log.cleaner.threads"), "2");
    EXPECT_EQ(co_await alter(client, broker, "7", {"log.cleaner.threads", 0, "2"}),
              number(ErrorCode::invalid_request));
  });
}

TEST(MockOverview, shows_the_cluster_its_directories_and_its_producers) {
  MockMachine machine({.brokers = 2});
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  const auto batch = batch_of({"x"}, {.producer = {ProducerId(7), ProducerEpoch(1), Sequence(0)}});
  ASSERT_TRUE(machine.cluster->kill(BrokerId(2)));
  with_client(machine, [&](RawClient& client) -> Task<void> {
    const ProduceOne produced(machine.id_of("orders"), "orders", 0, batch);
    EXPECT_TRUE(co_await client.call<protocol::ProduceResponse>(produced.message, 13));
    protocol::DescribeClusterRequest about;
    about.include_fenced_brokers = true;
    const auto cluster = co_await client.call<protocol::DescribeClusterResponse>(about, 2);
    EXPECT_TRUE(cluster && cluster->message.brokers.size() == 2);
    EXPECT_TRUE(cluster->message.brokers[1].is_fenced);
    protocol::DescribeLogDirsRequest all;
    all.topics = protocol::Array<protocol::DescribeLogDirsRequest::DescribableLogDirTopic>::null();
    const auto dirs = co_await client.call<protocol::DescribeLogDirsResponse>(all, 5);
    EXPECT_TRUE(dirs && dirs->message.results.size() == 1);
    EXPECT_EQ(dirs->message.results[0].topics[0].partitions[0].partition_size,
              static_cast<std::int64_t>(batch.size()));
    const std::int32_t index = 0;
    protocol::DescribeProducersRequest::TopicRequest topic{.name = "orders",
                                                           .partition_indexes = {&index, 1}};
    protocol::DescribeProducersRequest request;
    request.topics = {&topic, 1};
    const auto producers = co_await client.call<protocol::DescribeProducersResponse>(request, 0);
    EXPECT_TRUE(producers && producers->message.topics.size() == 1);
    const auto& part = producers->message.topics[0].partitions[0];
    EXPECT_EQ(part.active_producers.size(), 1u);
    EXPECT_EQ(part.active_producers[0].producer_id, 7);
    EXPECT_EQ(part.active_producers[0].last_sequence, 0);
  });
}

}  // namespace
}  // namespace millrace::mock
