// Also proves log_dirs.cpp, topics_by_id.cpp.
#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

using Codes = std::vector<ErrorCode>;

constexpr Uuid directory{{std::byte{7}}};

TEST(AdminFeatures, are_changed_all_or_none) {
  AdminMachine machine;
  EXPECT_EQ(outcomes_of(machine.run(
                machine.admin->update_features({{.name = "group.version", .level = 1}}))),
            Codes{ErrorCode::none});
  const auto refused = machine.run(machine.admin->update_features(
      {{.name = "share.version", .level = 1}, {.name = "no.such", .level = 1}}));
  EXPECT_EQ(outcomes_of(refused),
            (Codes{ErrorCode::invalid_update_version, ErrorCode::invalid_update_version}));
  // An older broker tells of each.
  machine.cluster->set_versions(ApiKey::update_features, 0, 1);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->update_features(
                {{.name = "share.version", .level = 1}, {.name = "no.such", .level = 1}}))),
            (Codes{ErrorCode::none, ErrorCode::invalid_update_version}));
  EXPECT_EQ(outcomes_of(machine.run(
                machine.admin->update_features({{.name = "group.version", .level = 0}}))),
            Codes{ErrorCode::invalid_update_version});
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->update_features(
                {{.name = "group.version", .level = 0, .change = FeatureChange::safe_downgrade}}))),
            Codes{ErrorCode::none});
}

TEST(AdminBrokers, that_are_gone_are_unregistered) {
  AdminMachine machine;
  EXPECT_EQ(outcome(machine.run(machine.admin->unregister_broker(BrokerId(3)))),
            ErrorCode::invalid_request);
  ASSERT_TRUE(machine.cluster->kill(BrokerId(3)));
  EXPECT_EQ(outcome(machine.run(machine.admin->unregister_broker(BrokerId(3)))), ErrorCode::none);
  EXPECT_EQ(outcome(machine.run(machine.admin->unregister_broker(BrokerId(9)))),
            ErrorCode::broker_id_not_registered);
}

TEST(AdminBrokers, that_are_fenced_are_told_of_where_that_is_wished) {
  AdminMachine machine;
  ASSERT_TRUE(machine.cluster->kill(BrokerId(3)));
  const auto serving = machine.run(machine.admin->describe_cluster());
  ASSERT_TRUE(serving && serving->brokers.size() == 2);
  EXPECT_FALSE(serving->authorized_operations.has_value());
  const auto all = machine.run(machine.admin->describe_cluster({}, true));
  ASSERT_TRUE(all && all->brokers.size() == 3);
  EXPECT_TRUE(all->brokers[2].fenced);
}

TEST(AdminVoters, come_and_go) {
  AdminMachine machine;
  const NewVoter voter{.id = BrokerId(7),
                       .directory = directory,
                       .listeners = {{"CONTROLLER", {"localhost", Port(9093)}}}};
  EXPECT_EQ(outcome(machine.run(machine.admin->add_raft_voter(voter))), ErrorCode::none);
  EXPECT_EQ(outcome(machine.run(machine.admin->add_raft_voter(voter))), ErrorCode::duplicate_voter);
  const auto quorum = machine.run(machine.admin->describe_quorum());
  ASSERT_TRUE(quorum.has_value()) << to_string(quorum.error());
  ASSERT_EQ(quorum->voters.size(), 1u);
  EXPECT_EQ(quorum->voters[0].id, BrokerId(7));
  EXPECT_EQ(quorum->voters[0].directory, directory);
  EXPECT_EQ(outcome(machine.run(machine.admin->remove_raft_voter(BrokerId(7), Uuid{}))),
            ErrorCode::voter_not_found);
  EXPECT_EQ(outcome(machine.run(
                machine.admin->remove_raft_voter(BrokerId(7), directory, "another cluster"))),
            ErrorCode::none);
  EXPECT_TRUE(machine.run(machine.admin->describe_quorum())->voters.empty());
}

TEST(AdminLogDirs, of_brokers_and_of_replicas_are_told) {
  AdminMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 1, .replication_factor = 1}));
  const BrokerId holder = *machine.cluster->leader("orders", PartitionIndex(0));
  const BrokerId other = holder == BrokerId(1) ? BrokerId(2) : BrokerId(1);
  machine.append("orders", 0, 3);
  const auto directories =
      machine.run(machine.admin->describe_log_dirs({holder, BrokerId(9), holder}));
  EXPECT_EQ(outcomes_of(directories),
            (Codes{ErrorCode::none, ErrorCode::broker_not_available, ErrorCode::none}));
  ASSERT_EQ(directories[0].second->size(), 1u);
  const auto replicas = machine.run(machine.admin->describe_replica_log_dirs(
      {{place("orders", 0), holder}, {place("orders", 0), other}}));
  ASSERT_TRUE(replicas[0].second && replicas[1].second);
  EXPECT_EQ(replicas[0].second->current, (*directories[0].second)[0].path);
  EXPECT_TRUE(replicas[1].second->current.empty());
  const std::string path = replicas[0].second->current;
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->alter_replica_log_dirs(
                {{{place("orders", 0), holder}, path},
                 {{place("orders", 9), holder}, path},
                 {{place("orders", 0), other}, "/nowhere"},
                 {{place("orders", 0), BrokerId(9)}, path}}))),
            (Codes{ErrorCode::none, ErrorCode::unknown_topic_or_partition,
                   ErrorCode::log_dir_not_found, ErrorCode::broker_not_available}));
}

TEST(AdminTopicIds, name_topics_whatever_they_are_called) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  const Uuid id = *machine.cluster->topic_id("orders");
  const auto told = machine.run(machine.admin->describe_topics_by_id({directory, id}));
  EXPECT_EQ(outcomes_of(told), (Codes{ErrorCode::unknown_topic_id, ErrorCode::none}));
  EXPECT_EQ(told[1].second->name, "orders");
  EXPECT_EQ(told[1].second->partitions.size(), 2u);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->delete_topics_by_id({id, directory}))),
            (Codes{ErrorCode::none, ErrorCode::unknown_topic_id}));
  EXPECT_TRUE(machine.run(machine.admin->list_topics())->empty());
}

TEST(AdminConfigResources, of_the_wanted_types_are_listed) {
  AdminMachine machine({.brokers = 2});
  machine.make_topic("orders");
  const auto all = machine.run(machine.admin->list_config_resources());
  ASSERT_TRUE(all.has_value()) << to_string(all.error());
  EXPECT_EQ(*all, (std::vector<ConfigResource>{{ResourceType::topic, "orders"},
                                               {ResourceType::broker, "1"},
                                               {ResourceType::broker, "2"}}));
  const auto topics = machine.run(machine.admin->list_config_resources({ResourceType::topic}));
  ASSERT_TRUE(topics && topics->size() == 1);
  const auto metrics =
      machine.run(machine.admin->list_config_resources({ResourceType::client_metrics}));
  ASSERT_TRUE(metrics.has_value());
  EXPECT_TRUE(metrics->empty());
  machine.cluster->set_versions(ApiKey::list_config_resources, 0, 0);
  const auto too_much = machine.run(machine.admin->list_config_resources({ResourceType::topic}));
  ASSERT_FALSE(too_much.has_value());
  EXPECT_EQ(too_much.error().failure, Failure::unsupported_version);
}

}  // namespace
}  // namespace millrace::client
