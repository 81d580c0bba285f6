// What operators do with the public admin client beside topics and groups.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/admin.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

const TopicPartition orders{"orders", 0};

class AdminOperations : public testing::Test {
 protected:
  MockCluster cluster_;
  Admin admin_{{{"bootstrap.servers", cluster_.bootstrap()}}};
};

TEST_F(AdminOperations, keeps_access_control_lists) {
  const AclBinding binding{.name = "orders", .principal = "User:alice"};
  EXPECT_EQ(to_string(binding), "User:alice may READ TOPIC orders from *");
  const auto created = admin_.create_acls({binding, {.name = "orders"}}).get();
  ASSERT_EQ(created.size(), 2U);
  EXPECT_TRUE(created[0].second) << created[0].second.error().message();
  EXPECT_FALSE(created[1].second);
  const auto found = admin_.describe_acls({.principal = "User:alice"}).get();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(*found, std::vector{binding});
  const auto deleted = admin_.delete_acls({{.operation = AclOperation::read}}).get();
  ASSERT_TRUE(deleted[0].second) << deleted[0].second.error().message();
  ASSERT_EQ(deleted[0].second->size(), 1U);
  EXPECT_EQ((*deleted[0].second)[0].first, binding);
  EXPECT_TRUE(admin_.describe_acls().get()->empty());
}

TEST_F(AdminOperations, keeps_quotas) {
  const QuotaEntity alice{{.type = "user", .name = "alice"}, {.type = "client-id"}};
  EXPECT_EQ(to_string(alice), "user=alice,client-id=<default>");
  const auto altered = admin_.alter_quotas({{alice, {{"producer_byte_rate", 1024.0}}}}).get();
  ASSERT_TRUE(altered[0].second) << altered[0].second.error().message();
  const auto told = admin_.describe_quotas().get();
  ASSERT_TRUE(told) << told.error().message();
  ASSERT_EQ(told->size(), 1U);
  EXPECT_EQ((*told)[0].limits[0].first, "producer_byte_rate");
}

TEST_F(AdminOperations, sets_passwords) {
  const auto altered =
      admin_.alter_scram({{.user = "alice", .password = "secret"}, {.user = "bob"}}).get();
  ASSERT_TRUE(altered[0].second) << altered[0].second.error().message();
  ASSERT_FALSE(altered[1].second);
  EXPECT_EQ(altered[1].second.error().code(), ErrorCode::resource_not_found);
  const auto told = admin_.describe_scram().get();
  ASSERT_TRUE(told) << told.error().message();
  ASSERT_EQ(told->size(), 1U);
  EXPECT_EQ((*told)[0].second->front().mechanism, ScramMechanism::sha_256);
  EXPECT_EQ(to_string((*told)[0].second->front().mechanism), "SCRAM-SHA-256");
}

TEST_F(AdminOperations, makes_and_ends_tokens) {
  const auto made = admin_.create_token({.renewers = {{"User", "bob"}}, .lifetime = 1h}).get();
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->expires_at_latest - made->issued, 1h);
  EXPECT_TRUE(admin_.renew_token(made->hmac, 10min).get());
  EXPECT_EQ(admin_.describe_tokens().get()->size(), 1U);
  EXPECT_TRUE(admin_.expire_token(made->hmac).get());
  EXPECT_FALSE(admin_.expire_token(made->hmac).get());
}

TEST_F(AdminOperations, looks_at_places_and_moves_them) {
  cluster_.create_topic("orders", 2);
  const auto elected = admin_.elect_leaders(Election::preferred, {orders}).get();
  ASSERT_TRUE(elected) << elected.error().message();
  EXPECT_EQ((*elected)[0].second.error().code(), ErrorCode::election_not_needed);
  const auto moved =
      admin_.alter_reassignments({{orders, std::vector{1}}, {{"nothing", 0}, std::vector{1}}})
          .get();
  EXPECT_TRUE(moved[0].second);
  EXPECT_FALSE(moved[1].second);
  EXPECT_TRUE(admin_.list_reassignments().get()->empty());
  const auto offsets = admin_.list_offsets({{orders, OffsetSpec::latest()}}).get();
  ASSERT_TRUE(offsets[0].second) << offsets[0].second.error().message();
  EXPECT_EQ(offsets[0].second->offset, 0);
  const auto directories = admin_.describe_log_dirs({1, 9}).get();
  ASSERT_TRUE(directories[0].second) << directories[0].second.error().message();
  EXPECT_EQ(directories[0].second->front().replicas.size(), 2U);
  EXPECT_FALSE(directories[1].second);
  const auto replica = admin_.describe_replica_log_dirs({{orders, 1}}).get();
  ASSERT_TRUE(replica[0].second);
  EXPECT_EQ(replica[0].second->current, directories[0].second->front().path);
  EXPECT_TRUE(
      admin_.alter_replica_log_dirs({{{orders, 1}, replica[0].second->current}}).get()[0].second);
}

TEST_F(AdminOperations, looks_at_the_cluster_and_changes_it) {
  const Uuid directory{{std::byte{7}}};
  const auto added =
      admin_.add_raft_voter({7, directory, {{"CONTROLLER", "localhost", 9093}}}).get();
  ASSERT_TRUE(added) << added.error().message();
  const auto quorum = admin_.describe_quorum().get();
  ASSERT_TRUE(quorum) << quorum.error().message();
  ASSERT_EQ(quorum->voters.size(), 1U);
  EXPECT_EQ(quorum->voters[0].directory, directory);
  EXPECT_TRUE(admin_.remove_raft_voter(7, directory).get());
  EXPECT_TRUE(admin_.update_features({{.name = "group.version", .level = 1}}).get()[0].second);
  EXPECT_TRUE(admin_.describe_features().get());
  EXPECT_EQ(admin_.unregister_broker(9).get().error().code(), ErrorCode::broker_id_not_registered);
  EXPECT_TRUE(admin_.describe_cluster({}, FencedBrokers::included).get());
  const auto resources = admin_.list_config_resources({ResourceType::broker}).get();
  ASSERT_TRUE(resources) << resources.error().message();
  EXPECT_EQ(*resources, (std::vector<ConfigResource>{{ResourceType::broker, "1"}}));
}

TEST_F(AdminOperations, tells_of_itself) {
  const auto id = admin_.client_instance_id().get();
  ASSERT_TRUE(id) << id.error().message();
  EXPECT_NE(*id, Uuid());
  EXPECT_EQ(admin_.client_instance_id().get().value(), *id);
  const auto metrics = admin_.metrics();
  ASSERT_TRUE(metrics) << metrics.error().message();
  EXPECT_TRUE(std::ranges::any_of(*metrics, [](const Metric& metric) {
    return metric.group == "admin-client-metrics" && metric.name == "request-total" &&
           metric.value > 0;
  }));
}

TEST_F(AdminOperations, of_brokers_and_of_controllers_at_once_is_refused) {
  const auto both = Admin::open({{"bootstrap.servers", cluster_.bootstrap()},
                                 {"bootstrap.controllers", cluster_.bootstrap()}});
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().message().find("exclude each other"), std::string::npos);
  Admin controllers({{"bootstrap.controllers", cluster_.bootstrap()}});
  const auto quorum = controllers.describe_quorum().get();
  ASSERT_FALSE(quorum);
  EXPECT_EQ(quorum.error().code(), ErrorCode::mismatched_endpoint_type);
}

TEST_F(AdminOperations, finds_topics_by_their_ids) {
  cluster_.create_topic("orders");
  const Uuid id = admin_.list_topics().get()->front().id;
  const auto told = admin_.describe_topics_by_id({id}).get();
  ASSERT_TRUE(told[0].second) << told[0].second.error().message();
  EXPECT_EQ(told[0].second->name, "orders");
  EXPECT_TRUE(admin_.delete_topics_by_id({id}).get()[0].second);
  EXPECT_TRUE(admin_.list_topics().get()->empty());
}

TEST_F(AdminOperations, tells_all_that_a_group_committed) {
  cluster_.create_topic("orders");
  const auto set =
      admin_.commit_group_offsets("billing", {{orders, {.offset = 4, .metadata = "note"}}}).get();
  ASSERT_TRUE(set[0].second) << set[0].second.error().message();
  const auto told = admin_.describe_group_offsets("billing").get();
  ASSERT_TRUE(told) << told.error().message();
  EXPECT_EQ((*told)[0].second->offset, 4);
  EXPECT_EQ((*told)[0].second->metadata, "note");
  const auto groups = admin_.list_groups({}, {.states = {"Empty"}}).get();
  ASSERT_TRUE(groups) << groups.error().message();
  EXPECT_EQ(groups->groups.size(), 1U);
  EXPECT_FALSE(admin_.remove_members("billing", {{.id = "nobody"}}).get()[0].second);
  EXPECT_TRUE(admin_.delete_group_offsets("billing", {orders}).get()[0].second);
  EXPECT_FALSE(admin_.describe_share_groups({"billing"}).get()[0].second);
  EXPECT_FALSE(admin_.describe_streams_groups({"billing"}).get()[0].second);
  EXPECT_FALSE(admin_.list_share_offsets("billing").get());
  EXPECT_FALSE(admin_.alter_share_offsets("billing", {{orders, 1}}).get()[0].second);
  EXPECT_FALSE(admin_.delete_share_offsets("billing", {"orders"}).get()[0].second);
}

TEST_F(AdminOperations, looks_at_transactions_and_ends_them) {
  cluster_.create_topic("orders");
  const auto fenced = admin_.fence_producers({"copy-1"}).get();
  ASSERT_TRUE(fenced[0].second) << fenced[0].second.error().message();
  const auto listed = admin_.list_transactions().get();
  ASSERT_TRUE(listed) << listed.error().message();
  ASSERT_EQ(listed->transactions.size(), 1U);
  EXPECT_EQ(listed->transactions[0].producer, fenced[0].second->producer);
  const auto told = admin_.describe_transactions({"copy-1"}).get();
  ASSERT_TRUE(told[0].second) << told[0].second.error().message();
  EXPECT_EQ(told[0].second->epoch, fenced[0].second->epoch);
  EXPECT_TRUE(admin_.describe_producers({orders}).get()[0].second);
  EXPECT_TRUE(admin_.abort_transaction({.partition = orders, .producer = 7, .epoch = 0}).get());
}

}  // namespace
