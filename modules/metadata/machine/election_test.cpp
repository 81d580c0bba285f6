// Also proves sessions.cpp.
#include <gtest/gtest.h>

#include <set>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::metadata {
namespace {

std::vector<BrokerId> brokers(std::initializer_list<int> ids) {
  std::vector<BrokerId> made;
  for (const int id : ids) made.emplace_back(id);
  return made;
}

Partition partition_of(std::vector<BrokerId> replicas, std::vector<BrokerId> isr, int leader) {
  Partition partition;
  partition.replicas = std::move(replicas);
  partition.isr = std::move(isr);
  partition.leader = BrokerId(leader);
  return partition;
}

ElectionRules rules_of(std::set<BrokerId> active, bool unclean = false) {
  return {[active](BrokerId broker) { return active.contains(broker); },
          [active](BrokerId broker) { return !active.contains(broker); }, unclean};
}

TEST(Election, nothing_changes_where_all_serve) {
  const Partition partition = partition_of(brokers({1, 2}), brokers({1, 2}), 2);
  EXPECT_FALSE(elect(uuid_of(1), partition, rules_of({BrokerId(1), BrokerId(2)})));
}

TEST(Election, the_first_in_sync_replica_follows_a_leader_that_went) {
  const Partition partition = partition_of(brokers({1, 2, 3}), brokers({3, 2, 1}), 1);
  const auto change = elect(uuid_of(1), partition, rules_of({BrokerId(2), BrokerId(3)}));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->leader, BrokerId(2));
  EXPECT_EQ(change->isr, brokers({3, 2}));
}

TEST(Election, a_follower_that_went_costs_no_leader_epoch) {
  const Partition partition = partition_of(brokers({1, 2}), brokers({1, 2}), 1);
  const auto change = elect(uuid_of(1), partition, rules_of({BrokerId(1)}));
  ASSERT_TRUE(change);
  EXPECT_FALSE(change->leader);
  EXPECT_EQ(change->isr, brokers({1}));
}

TEST(Election, the_last_in_sync_replica_stays_in_sync_and_only_it_may_lead_again) {
  Partition partition = partition_of(brokers({1, 2}), brokers({1}), 1);
  const auto change = elect(uuid_of(1), partition, rules_of({BrokerId(2)}));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->leader, no_broker);
  EXPECT_FALSE(change->isr);
  partition.leader = no_broker;
  EXPECT_FALSE(elect(uuid_of(1), partition, rules_of({BrokerId(2)})));
  EXPECT_EQ(elect(uuid_of(1), partition, rules_of({BrokerId(1)}))->leader, BrokerId(1));
}

TEST(Election, where_it_is_allowed_a_replica_that_is_not_in_sync_leads_alone) {
  const Partition partition = partition_of(brokers({1, 2}), brokers({1}), 1);
  const auto change = elect(uuid_of(1), partition, rules_of({BrokerId(2)}, true));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->leader, BrokerId(2));
  EXPECT_EQ(change->isr, brokers({2}));
}

TEST(Election, of_those_that_all_went_the_leader_stays_in_sync) {
  const Partition partition = partition_of(brokers({1, 2, 3}), brokers({1, 2, 3}), 2);
  EXPECT_EQ(elect(uuid_of(1), partition, rules_of({}))->isr, brokers({2}));
}

TEST(Sessions, end_at_their_time_and_not_before) {
  Sessions sessions;
  const MonotonicTime start{};
  sessions.begin(BrokerId(1), {start + Duration(10), std::nullopt});
  sessions.begin(BrokerId(2), {start + Duration(20), std::nullopt});
  EXPECT_EQ(sessions.deadline(), start + Duration(10));
  EXPECT_TRUE(sessions.expire(start + Duration(9)).empty());
  EXPECT_TRUE(sessions.is_valid(BrokerId(1), start + Duration(9)));
  EXPECT_FALSE(sessions.is_valid(BrokerId(1), start + Duration(10)));
  EXPECT_EQ(sessions.expire(start + Duration(10)), brokers({1}));
  EXPECT_EQ(sessions.find(BrokerId(1)), nullptr);
  sessions.end(BrokerId(2));
  EXPECT_FALSE(sessions.deadline());
}

}  // namespace
}  // namespace millrace::metadata
