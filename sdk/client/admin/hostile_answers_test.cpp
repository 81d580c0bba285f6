// Answers that no broker gives, breaks at any moment: every call ends, each item with an outcome.
#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

constexpr std::array apis = {ApiKey::metadata,          ApiKey::find_coordinator,
                             ApiKey::create_topics,     ApiKey::delete_topics,
                             ApiKey::create_partitions, ApiKey::delete_records,
                             ApiKey::describe_configs,  ApiKey::incremental_alter_configs,
                             ApiKey::describe_cluster,  ApiKey::describe_log_dirs,
                             ApiKey::api_versions,      ApiKey::list_groups,
                             ApiKey::describe_groups,   ApiKey::delete_groups,
                             ApiKey::leave_group,       ApiKey::offset_fetch,
                             ApiKey::offset_commit,     ApiKey::offset_delete,
                             ApiKey::list_offsets,      ApiKey::describe_producers};

constexpr std::array operators_apis = {ApiKey::describe_acls,
                                       ApiKey::create_acls,
                                       ApiKey::delete_acls,
                                       ApiKey::describe_client_quotas,
                                       ApiKey::alter_client_quotas,
                                       ApiKey::describe_user_scram_credentials,
                                       ApiKey::alter_user_scram_credentials,
                                       ApiKey::create_delegation_token,
                                       ApiKey::renew_delegation_token,
                                       ApiKey::expire_delegation_token,
                                       ApiKey::describe_delegation_token,
                                       ApiKey::update_features,
                                       ApiKey::unregister_broker,
                                       ApiKey::add_raft_voter,
                                       ApiKey::remove_raft_voter,
                                       ApiKey::describe_quorum,
                                       ApiKey::list_config_resources,
                                       ApiKey::alter_replica_log_dirs,
                                       ApiKey::consumer_group_describe,
                                       ApiKey::share_group_describe,
                                       ApiKey::streams_group_describe,
                                       ApiKey::describe_share_group_offsets,
                                       ApiKey::alter_share_group_offsets,
                                       ApiKey::delete_share_group_offsets,
                                       ApiKey::list_transactions,
                                       ApiKey::describe_transactions,
                                       ApiKey::write_txn_markers,
                                       ApiKey::init_producer_id,
                                       ApiKey::get_telemetry_subscriptions};

// Items of the calls below that have an outcome of their own whatever happens.
constexpr std::size_t items_with_outcome = 16;

// Every call once. Gives how many items had an outcome, and how many other calls an answer.
Task<std::size_t> everything(AdminClient& admin) {
  const AdminOptions soon{.timeout = 3s};
  DescribeConfigsOptions configs;
  configs.timeout = 3s;
  ListGroupsOptions groups;
  groups.timeout = 3s;
  const ConfigResource topic{ResourceType::topic, "orders"};
  const TopicPartition partition = place("orders", 0);
  std::size_t items = 0;
  items += (co_await admin.create_topics({{.name = "new"}}, soon)).size();
  items += (co_await admin.delete_topics({"new"}, soon)).size();
  items += (co_await admin.list_topics(soon)).has_value();
  items += (co_await admin.describe_topics({"orders"}, soon)).size();
  items += (co_await admin.create_partitions({{"orders", 2}}, soon)).size();
  items += (co_await admin.delete_records({{partition, Offset(0)}}, soon)).size();
  items += (co_await admin.describe_configs({topic, {ResourceType::broker, "1"}}, configs)).size();
  items += (co_await admin.alter_configs(
                {{topic, {{"retention.ms", ConfigOperation::set, "5000"}}}}, soon))
               .size();
  items += (co_await admin.describe_cluster(soon)).has_value();
  items += (co_await admin.describe_features(soon)).has_value();
  items += (co_await admin.describe_quorum(soon)).has_value();
  items += (co_await admin.describe_log_dirs({BrokerId(1)}, soon)).size();
  items += (co_await admin.list_groups(groups)).has_value();
  items += (co_await admin.describe_groups({"billing"}, soon)).size();
  items += (co_await admin.alter_group_offsets("billing", {{partition, {Offset(1)}}}, soon)).size();
  items += (co_await admin.list_group_offsets("billing", {}, soon)).has_value();
  items += (co_await admin.delete_group_offsets("billing", {partition}, soon)).size();
  items += (co_await admin.remove_members("billing", {{"worker-7"}}, soon)).size();
  items += (co_await admin.delete_groups({"billing"}, soon)).size();
  items += (co_await admin.list_offsets({{partition, OffsetSpec::latest}}, soon)).size();
  items += (co_await admin.describe_producers({partition}, soon)).size();
  co_return items;
}

constexpr std::size_t operators_items_with_outcome = 15;

// The same of what operators do beside topics.
Task<std::size_t> everything_of_operators(AdminClient& admin) {
  const AdminOptions soon{.timeout = 3s};
  const TopicPartition partition = place("orders", 0);
  const ReplicaPlace replica{partition, BrokerId(1)};
  const Uuid id{{std::byte{1}}};
  const AclBinding rule{.name = "orders", .principal = "User:alice"};
  const QuotaEntity alice = {{.type = "user", .name = "alice"}};
  const std::vector<std::byte> hmac = {std::byte{1}};
  std::size_t items = 0;
  items += (co_await admin.create_acls({rule}, soon)).size();
  items += (co_await admin.describe_acls({}, soon)).has_value();
  items += (co_await admin.delete_acls({{}}, soon)).size();
  items += (co_await admin.alter_quotas({{alice, {{"producer_byte_rate", 1.0}}}}, soon)).size();
  items += (co_await admin.describe_quotas({}, soon)).has_value();
  items += (co_await admin.alter_scram({{.user = "alice", .password = "x"}}, soon)).size();
  items += (co_await admin.describe_scram({}, soon)).has_value();
  items += (co_await admin.create_token({}, soon)).has_value();
  items += (co_await admin.renew_token(hmac, {}, soon)).has_value();
  items += (co_await admin.expire_token(hmac, {}, soon)).has_value();
  items += (co_await admin.describe_tokens({}, soon)).has_value();
  items += (co_await admin.update_features({{.name = "group.version", .level = 1}}, soon)).size();
  items += (co_await admin.unregister_broker(BrokerId(9), soon)).has_value();
  items += (co_await admin.add_raft_voter({.id = BrokerId(9)}, soon)).has_value();
  items += (co_await admin.remove_raft_voter(BrokerId(9), id, {}, soon)).has_value();
  items += (co_await admin.list_config_resources({}, soon)).has_value();
  items += (co_await admin.describe_replica_log_dirs({replica}, soon)).size();
  items += (co_await admin.alter_replica_log_dirs({{replica, "/nowhere"}}, soon)).size();
  items += (co_await admin.describe_topics_by_id({id}, soon)).size();
  items += (co_await admin.delete_topics_by_id({id}, soon)).size();
  items += (co_await admin.describe_share_groups({"shared"}, soon)).size();
  items += (co_await admin.describe_streams_groups({"flow"}, soon)).size();
  items += (co_await admin.list_share_offsets("shared", {}, soon)).has_value();
  items += (co_await admin.alter_share_offsets("shared", {{partition, Offset(1)}}, soon)).size();
  items += (co_await admin.delete_share_offsets("shared", {"orders"}, soon)).size();
  items += (co_await admin.list_transactions({}, soon)).has_value();
  items += (co_await admin.describe_transactions({"copy"}, soon)).size();
  items += (co_await admin.abort_transaction({partition, ProducerId(1)}, soon)).has_value();
  items += (co_await admin.fence_producers({"copy"}, soon)).size();
  items += (co_await admin.client_instance_id(soon)).has_value();
  co_return items;
}

TEST(AdminHostile, garbage_for_operators_ends_their_calls) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    for (const ApiKey api : operators_apis) {
      SCOPED_TRACE(std::string(protocol::name_of(api)) + " seed " + std::to_string(seed));
      AdminMachine machine({.brokers = 2, .seed = seed});
      machine.make_topic("orders");
      machine.cluster->inject(
          {.api = api, .kind = mock::FaultKind::garbage, .times = mock::always});
      EXPECT_GE(machine.run(everything_of_operators(*machine.admin)), operators_items_with_outcome);
    }
  }
}

TEST(AdminHostile, every_error_code_ends_every_call_of_operators) {
  for (const protocol::ErrorCodeInfo& info : protocol::error_code_table) {
    if (info.code == ErrorCode::none) continue;
    SCOPED_TRACE(info.name);
    AdminMachine machine({.brokers = 2});
    machine.make_topic("orders");
    for (const ApiKey api : operators_apis) {
      machine.cluster->inject({.api = api, .error = info.code, .times = mock::always});
    }
    // None of what was refused counts as done.
    EXPECT_GE(machine.run(everything_of_operators(*machine.admin)), operators_items_with_outcome);
    const auto created =
        machine.run(machine.admin->create_acls({{.name = "orders", .principal = "User:alice"}}));
    EXPECT_EQ(outcome(created[0].second), info.code);
  }
}

TEST(AdminHostile, answers_of_garbage_never_keep_a_call_or_harm_the_client) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    for (const ApiKey api : apis) {
      SCOPED_TRACE(std::string(protocol::name_of(api)) + " seed " + std::to_string(seed));
      AdminMachine machine({.brokers = 2, .seed = seed});
      machine.make_topic("orders");
      machine.cluster->inject(
          {.api = api, .kind = mock::FaultKind::garbage, .times = mock::always});
      EXPECT_GE(machine.run(everything(*machine.admin)), items_with_outcome);
    }
  }
}

TEST(AdminHostile, every_error_code_ends_every_call) {
  for (const protocol::ErrorCodeInfo& info : protocol::error_code_table) {
    if (info.code == ErrorCode::none) continue;
    SCOPED_TRACE(info.name);
    AdminMachine machine({.brokers = 2});
    machine.make_topic("orders");
    for (const ApiKey api : apis) {
      if (api == ApiKey::metadata || api == ApiKey::api_versions) continue;
      machine.cluster->inject({.api = api, .error = info.code, .times = mock::always});
    }
    EXPECT_GE(machine.run(everything(*machine.admin)), items_with_outcome);
  }
}

TEST(AdminHostile, brokers_that_come_and_go_cost_tries_and_no_outcomes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    AdminMachine machine({.brokers = 3, .seed = seed});
    machine.make_topic("orders", 1);
    bool done = false;
    const auto disturb = [&]() -> Task<void> {
      Random random(seed);
      while (!done) {
        const BrokerId broker(static_cast<std::int32_t>(1 + random.below(3)));
        check(machine.cluster->kill(broker).has_value(), "there is such a broker");
        const auto pause = std::chrono::milliseconds(random.below(300));
        co_await sleep_until(machine.executor, machine.executor.clock().now() + pause);
        check(machine.cluster->revive(broker).has_value(), "there is such a broker");
        co_await sleep_until(machine.executor, machine.executor.clock().now() + pause);
      }
    };
    TaskGroup group;
    group.start(disturb());
    EXPECT_GE(machine.run(everything(*machine.admin)), items_with_outcome);
    done = true;
    machine.executor.advance(2s);
  }
}

}  // namespace
}  // namespace millrace::client
