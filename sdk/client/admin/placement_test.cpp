#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

using Codes = std::vector<ErrorCode>;

TEST(AdminPlacement, replicas_move_and_preferred_leaders_lead_again) {
  AdminMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2, .replication_factor = 1}));
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->alter_reassignments(
                {{place("orders", 0), std::vector{BrokerId(3), BrokerId(2)}},
                 {place("orders", 1), std::nullopt},
                 {place("nothing", 0), std::vector{BrokerId(1)}},
                 {place("orders", 0), std::vector{BrokerId(9)}}}))),
            (Codes{ErrorCode::none, ErrorCode::no_reassignment_in_progress,
                   ErrorCode::unknown_topic_or_partition, ErrorCode::invalid_replica_assignment}));
  EXPECT_EQ(*machine.cluster->leader("orders", PartitionIndex(0)), BrokerId(3));
  const auto ongoing = machine.run(machine.admin->list_reassignments());
  ASSERT_TRUE(ongoing.has_value()) << to_string(ongoing.error());
  EXPECT_TRUE(ongoing->empty());

  ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(0), BrokerId(2)));
  const auto named = machine.run(machine.admin->elect_leaders(
      Election::preferred, {place("orders", 0), place("orders", 1), place("nothing", 0)}));
  ASSERT_TRUE(named.has_value()) << to_string(named.error());
  // In the order of the broker, which is that of the names.
  EXPECT_EQ(outcomes_of(*named), (Codes{ErrorCode::unknown_topic_or_partition, ErrorCode::none,
                                        ErrorCode::election_not_needed}));
  EXPECT_EQ(*machine.cluster->leader("orders", PartitionIndex(0)), BrokerId(3));
}

TEST(AdminPlacement, an_election_of_all_tells_what_was_to_be_done) {
  AdminMachine machine;
  machine.make_topic("orders", 3);
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)));
  ASSERT_TRUE(machine.cluster->revive(BrokerId(1)));
  ASSERT_EQ(*machine.cluster->leader("orders", PartitionIndex(0)), BrokerId(2));
  const auto all = machine.run(machine.admin->elect_leaders(Election::preferred));
  ASSERT_TRUE(all && all->size() == 1);
  EXPECT_EQ((*all)[0].first, place("orders", 0));
  EXPECT_EQ(*machine.cluster->leader("orders", PartitionIndex(0)), BrokerId(1));
}

}  // namespace
}  // namespace millrace::client
