// Also proves more_partitions.cpp.
#include <gtest/gtest.h>

#include <set>
#include <string>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::metadata {
namespace {

Bench& with_brokers(Bench& bench, int count) {
  bench.lead();
  for (int id = 1; id <= count; ++id) bench.start_broker(id);
  return bench;
}

TEST(Topics, a_new_one_has_the_defaults_and_is_led_at_once) {
  Bench bench;
  const CreatedTopic created = with_brokers(bench, 1).create("orders");
  ASSERT_TRUE(created.outcome.ok()) << created.outcome.message;
  EXPECT_EQ(created.partitions, 1);
  EXPECT_EQ(created.replication_factor, 1);
  const auto topic = bench.image().topic("orders");
  ASSERT_TRUE(topic);
  EXPECT_EQ(topic->id, created.id);
  EXPECT_FALSE(topic->internal);
  EXPECT_EQ(topic->partitions[0].leader, BrokerId(1));
  EXPECT_EQ(topic->partitions[0].leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(bench.image().topic(created.id), topic);
}

TEST(Topics, names_that_kafka_refuses_are_refused) {
  Bench bench;
  with_brokers(bench, 1).create("a.b");
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a b"), std::string("a/b"),
        std::string("caf\xc3\xa9"), std::string(250, 'x'), std::string("a_b")}) {
    const CreatedTopic created = bench.create(name);
    EXPECT_EQ(created.outcome.error, ErrorCode::invalid_topic_exception) << name;
    EXPECT_FALSE(created.outcome.message.empty());
  }
  EXPECT_TRUE(bench.create(std::string(249, 'x')).outcome.ok());
  EXPECT_EQ(bench.create("a.b").outcome.error, ErrorCode::topic_already_exists);
}

TEST(Topics, a_name_is_free_again_when_the_topic_like_it_is_gone) {
  Bench bench;
  with_brokers(bench, 1).create("a.b");
  DeleteTopics remove;
  remove.topics.push_back({"a.b", Uuid()});
  EXPECT_TRUE(bench.call<DeleteTopicsReply>(remove).topics[0].outcome.ok());
  EXPECT_TRUE(bench.create("a_b").outcome.ok());
}

TEST(Topics, numbers_that_cannot_be_are_refused_with_their_code) {
  Bench bench;
  with_brokers(bench, 2);
  EXPECT_EQ(bench.create("t", 0).outcome.error, ErrorCode::invalid_partitions);
  EXPECT_EQ(bench.create("t", -2).outcome.error, ErrorCode::invalid_partitions);
  EXPECT_EQ(bench.create("t", 200'000).outcome.error, ErrorCode::invalid_partitions);
  EXPECT_EQ(bench.create("t", 1, 0).outcome.error, ErrorCode::invalid_replication_factor);
  EXPECT_EQ(bench.create("t", 1, -3).outcome.error, ErrorCode::invalid_replication_factor);
  EXPECT_EQ(bench.create("t", 1, 3).outcome.error, ErrorCode::invalid_replication_factor);
  EXPECT_EQ(bench.image().topic_count(), 0u);
}

TEST(Topics, without_a_broker_that_is_ready_none_is_made) {
  Bench bench;
  bench.lead();
  EXPECT_EQ(bench.create("t").outcome.error, ErrorCode::invalid_replication_factor);
  bench.ask(bench.registration(1));
  EXPECT_EQ(bench.create("t").outcome.error, ErrorCode::invalid_replication_factor);
}

TEST(Topics, internal_ones_take_the_smaller_of_factor_and_brokers) {
  Bench bench;
  const CreatedTopic created = with_brokers(bench, 2).create("__consumer_offsets", 50, 3);
  ASSERT_TRUE(created.outcome.ok()) << created.outcome.message;
  EXPECT_EQ(created.replication_factor, 2);
  EXPECT_TRUE(bench.image().topic("__consumer_offsets")->internal);
}

TEST(Topics, validate_only_says_what_would_be_and_makes_nothing) {
  Bench bench;
  with_brokers(bench, 1);
  NewTopic topic;
  topic.name = "orders";
  topic.partitions = 4;
  const CreatedTopic created = bench.create(topic, true);
  EXPECT_TRUE(created.outcome.ok());
  EXPECT_EQ(created.partitions, 4);
  EXPECT_TRUE(created.id.is_zero());
  EXPECT_EQ(bench.image().topic_count(), 0u);
}

TEST(Topics, partitions_of_one_request_have_a_limit_together) {
  Bench bench;
  with_brokers(bench, 1);
  constexpr auto half = static_cast<std::int32_t>(partitions_of_request_max / 2);
  CreateTopics creation;
  creation.validate_only = true;
  for (const char* name : {"a", "b"}) {
    creation.topics.push_back({.name = name, .partitions = half});
  }
  creation.topics.push_back({.name = "c", .partitions = 1});
  const auto created = bench.call<CreateTopicsReply>(creation);
  EXPECT_TRUE(created.topics[0].outcome.ok()) << created.topics[0].outcome.message;
  EXPECT_TRUE(created.topics[1].outcome.ok()) << created.topics[1].outcome.message;
  EXPECT_EQ(created.topics[2].outcome.error, ErrorCode::policy_violation);
  CreatePartitions extension;
  extension.validate_only = true;
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(bench.create(name).outcome.ok());
    const std::int32_t more = extension.topics.size() < 2 ? half : 1;
    extension.topics.push_back({.topic = name, .count = 1 + more, .assignments = std::nullopt});
  }
  const auto extended = bench.call<CreatePartitionsReply>(extension);
  EXPECT_TRUE(extended.topics[0].outcome.ok()) << extended.topics[0].outcome.message;
  EXPECT_TRUE(extended.topics[1].outcome.ok()) << extended.topics[1].outcome.message;
  EXPECT_EQ(extended.topics[2].outcome.error, ErrorCode::policy_violation);
}

TEST(Topics, named_twice_in_a_request_are_refused_both_times) {
  Bench bench;
  with_brokers(bench, 1);
  CreateTopics request;
  for (const char* name : {"a", "b", "a"}) request.topics.push_back({.name = name});
  const auto reply = bench.call<CreateTopicsReply>(request);
  EXPECT_EQ(reply.topics[0].outcome.error, ErrorCode::invalid_request);
  EXPECT_TRUE(reply.topics[1].outcome.ok());
  EXPECT_EQ(reply.topics[2].outcome.error, ErrorCode::invalid_request);
}

TEST(Topics, an_assignment_by_hand_is_taken_as_it_is) {
  Bench bench;
  with_brokers(bench, 3);
  NewTopic topic;
  topic.name = "orders";
  topic.assignments = {{PartitionIndex(1), {BrokerId(2), BrokerId(1)}},
                       {PartitionIndex(0), {BrokerId(3), BrokerId(2)}}};
  const CreatedTopic created = bench.create(topic);
  ASSERT_TRUE(created.outcome.ok()) << created.outcome.message;
  EXPECT_EQ(created.replication_factor, 2);
  EXPECT_EQ(bench.partition("orders", 0).replicas, (Replicas{BrokerId(3), BrokerId(2)}));
  EXPECT_EQ(bench.partition("orders", 1).leader, BrokerId(2));
}

TEST(Topics, an_assignment_that_cannot_be_is_refused) {
  Bench bench;
  with_brokers(bench, 2);
  const auto refused = [&](std::vector<std::pair<PartitionIndex, Replicas>> assignments,
                           int partitions = -1) {
    NewTopic topic;
    topic.name = "t";
    topic.partitions = partitions;
    topic.assignments = std::move(assignments);
    return bench.create(topic).outcome.error;
  };
  const PartitionIndex zero(0);
  const PartitionIndex one(1);
  const Replicas first{BrokerId(1)};
  EXPECT_EQ(refused({{zero, first}}, 1), ErrorCode::invalid_request);
  EXPECT_EQ(refused({{zero, {}}}), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(refused({{one, first}}), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(refused({{zero, first}, {zero, first}}), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(refused({{zero, {BrokerId(7)}}}), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(refused({{zero, {BrokerId(1), BrokerId(1)}}}), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(refused({{zero, first}, {one, {BrokerId(1), BrokerId(2)}}}),
            ErrorCode::invalid_replica_assignment);
}

TEST(Topics, bad_settings_are_refused_and_the_likely_name_is_told) {
  Bench bench;
  with_brokers(bench, 1);
  NewTopic topic;
  topic.name = "orders";
  topic.settings = {{"retention.m", "1"}};
  CreatedTopic created = bench.create(topic);
  EXPECT_EQ(created.outcome.error, ErrorCode::invalid_config);
  EXPECT_NE(created.outcome.message.find("retention.ms"), std::string::npos)
      << created.outcome.message;
  topic.settings = {{"retention.ms", "soon"}};
  EXPECT_EQ(bench.create(topic).outcome.error, ErrorCode::invalid_config);
  topic.settings = {{"retention.ms", std::nullopt}};
  EXPECT_EQ(bench.create(topic).outcome.error, ErrorCode::invalid_config);
  topic.settings = {{"retention.ms", "1000"}};
  created = bench.create(topic);
  EXPECT_TRUE(created.outcome.ok());
  ASSERT_NE(bench.image().config(ConfigKind::topic, "orders"), nullptr);
  EXPECT_EQ(*bench.image().config(ConfigKind::topic, "orders"), created.settings);
}

TEST(Topics, are_deleted_by_name_or_id_and_their_settings_with_them) {
  Bench bench;
  with_brokers(bench, 1);
  NewTopic topic;
  topic.name = "a";
  topic.settings = {{"retention.ms", "1000"}};
  bench.create(topic);
  const Uuid id = bench.create("b").id;
  DeleteTopics remove;
  remove.topics = {{"a", Uuid()}, {std::nullopt, id},    {"c", Uuid()}, {std::nullopt, uuid_of(9)},
                   {"a", Uuid()}, {std::nullopt, Uuid()}};
  const auto reply = bench.call<DeleteTopicsReply>(remove);
  const std::vector<ErrorCode> expected = {ErrorCode::none,
                                           ErrorCode::none,
                                           ErrorCode::unknown_topic_or_partition,
                                           ErrorCode::unknown_topic_id,
                                           ErrorCode::invalid_request,
                                           ErrorCode::invalid_request};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(reply.topics[i].outcome.error, expected[i]) << i;
  }
  EXPECT_EQ(reply.topics[1].name, "b");
  EXPECT_EQ(bench.image().topic_count(), 0u);
  EXPECT_EQ(bench.image().partition_count(), 0u);
  EXPECT_EQ(bench.image().config(ConfigKind::topic, "a"), nullptr);
}

TEST(Topics, partitions_are_added_and_never_taken_away) {
  Bench bench;
  with_brokers(bench, 2).create("orders", 2, 2);
  const auto extend = [&](std::string name, int count, bool validate_only = false) {
    CreatePartitions request;
    request.topics.push_back({std::move(name), count, std::nullopt});
    request.validate_only = validate_only;
    return bench.call<CreatePartitionsReply>(request).topics[0].outcome.error;
  };
  EXPECT_EQ(extend("orders", 2), ErrorCode::invalid_partitions);
  EXPECT_EQ(extend("orders", 1), ErrorCode::invalid_partitions);
  EXPECT_EQ(extend("nothing", 4), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(extend("orders", 5, true), ErrorCode::none);
  EXPECT_EQ(bench.image().partition_count(), 2u);
  EXPECT_EQ(extend("orders", 5), ErrorCode::none);
  EXPECT_EQ(bench.image().topic("orders")->partitions.size(), 5u);
  EXPECT_EQ(bench.partition("orders", 4).replicas.size(), 2u);
}

TEST(Topics, new_partitions_may_be_assigned_by_hand) {
  Bench bench;
  with_brokers(bench, 2).create("orders", 1, 1);
  CreatePartitions request;
  request.topics.push_back({"orders", 3, std::vector<Replicas>{{BrokerId(2)}}});
  EXPECT_EQ(bench.call<CreatePartitionsReply>(request).topics[0].outcome.error,
            ErrorCode::invalid_replica_assignment);
  request.topics[0].assignments = {{BrokerId(2)}, {BrokerId(1)}};
  EXPECT_EQ(bench.call<CreatePartitionsReply>(request).topics[0].outcome.error, ErrorCode::none);
  EXPECT_EQ(bench.partition("orders", 1).leader, BrokerId(2));
  EXPECT_EQ(bench.partition("orders", 2).leader, BrokerId(1));
}

}  // namespace
}  // namespace millrace::metadata
