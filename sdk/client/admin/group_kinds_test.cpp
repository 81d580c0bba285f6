// Also proves describing_groups.cpp, group_types.cppm, share_offsets.cpp, streams_groups.cpp,
// transactions.cpp.
#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

using Codes = std::vector<ErrorCode>;

mock::PlantedGroup group_of(mock::GroupKind kind, std::string id) {
  return {.kind = kind,
          .id = std::move(id),
          .epoch = 4,
          .members = {{.id = "worker-1", .topic = "orders", .partitions = {0, 1}}}};
}

TEST(AdminGroupKinds, of_both_protocols_are_described_together) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  machine.cluster->set_coordinator("new", BrokerId(2));
  machine.cluster->plant_group(group_of(mock::GroupKind::consumer, "new"));
  ASSERT_TRUE(machine
                  .run(machine.admin->alter_group_offsets(
                      "old", {{place("orders", 0), {.offset = Offset(1)}}}))[0]
                  .second);
  const auto told = machine.run(machine.admin->describe_groups({"new", "old", "none"}));
  EXPECT_EQ(outcomes_of(told),
            (Codes{ErrorCode::none, ErrorCode::none, ErrorCode::group_id_not_found}));
  const DescribedGroup& assigned = *told[0].second;
  EXPECT_EQ(assigned.type, "Consumer");
  EXPECT_EQ(assigned.epoch, 4);
  EXPECT_EQ(assigned.coordinator, BrokerId(2));
  ASSERT_EQ(assigned.members.size(), 1u);
  EXPECT_EQ(assigned.members[0].assignment, (std::vector{place("orders", 0), place("orders", 1)}));
  EXPECT_EQ(assigned.members[0].target_assignment, assigned.members[0].assignment);
  EXPECT_EQ(assigned.members[0].subscribed_topics, std::vector<std::string>{"orders"});
  EXPECT_FALSE(assigned.members[0].is_classic);
  EXPECT_EQ(told[1].second->type, "Classic");
  // A broker that knows the classic protocol alone.
  machine.cluster->withdraw(ApiKey::consumer_group_describe);
  machine.cluster->drop_connections();
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->describe_groups({"old"}))),
            Codes{ErrorCode::none});
}

TEST(AdminGroupKinds, share_and_streams_groups_are_described) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  machine.cluster->plant_group(group_of(mock::GroupKind::share, "shared"));
  machine.cluster->plant_group(group_of(mock::GroupKind::streams, "flow"));
  const auto shared = machine.run(machine.admin->describe_share_groups({"shared", "flow"}));
  EXPECT_EQ(outcomes_of(shared), (Codes{ErrorCode::none, ErrorCode::group_id_not_found}));
  EXPECT_EQ(shared[0].second->type, "Share");
  EXPECT_EQ(shared[0].second->members[0].assignment.size(), 2u);
  const auto streams = machine.run(machine.admin->describe_streams_groups({"flow", "shared"}));
  EXPECT_EQ(outcomes_of(streams), (Codes{ErrorCode::none, ErrorCode::group_id_not_found}));
  ASSERT_EQ(streams[0].second->members.size(), 1u);
  EXPECT_EQ(streams[0].second->members[0].assignment.active[0].partitions.size(), 2u);
  ASSERT_EQ(streams[0].second->subtopologies.size(), 1u);
  EXPECT_EQ(streams[0].second->subtopologies[0].source_topics, std::vector<std::string>{"orders"});
  ASSERT_EQ(streams[0].second->members[0].task_offsets.size(), 1u);
  EXPECT_EQ(streams[0].second->members[0].task_offsets[0].offset, Offset(4));
}

TEST(AdminShareOffsets, are_set_told_and_deleted) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  machine.cluster->plant_group({.kind = mock::GroupKind::share, .id = "shared"});
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->alter_share_offsets(
                "shared", {{place("orders", 0), Offset(3)}, {place("nothing", 0), Offset(1)}}))),
            (Codes{ErrorCode::none, ErrorCode::unknown_topic_or_partition}));
  const auto all = machine.run(machine.admin->list_share_offsets("shared"));
  ASSERT_TRUE(all && all->size() == 1);
  EXPECT_EQ((*all)[0].second->start, Offset(3));
  EXPECT_EQ((*all)[0].second->lag, 0);
  const auto none = machine.run(machine.admin->list_share_offsets("shared", {place("orders", 1)}));
  ASSERT_TRUE(none && none->size() == 1);
  EXPECT_EQ((*none)[0].second->start, no_offset);
  EXPECT_FALSE((*none)[0].second->lag.has_value());
  EXPECT_EQ(outcomes_of(
                machine.run(machine.admin->delete_share_offsets("shared", {"orders", "nothing"}))),
            (Codes{ErrorCode::none, ErrorCode::unknown_topic_or_partition}));
  EXPECT_EQ(outcome(machine.run(machine.admin->list_share_offsets("none"))),
            ErrorCode::group_id_not_found);
}

TEST(AdminTransactions, are_listed_described_and_their_producers_fenced) {
  AdminMachine machine;
  machine.cluster->set_coordinator("copy-1", BrokerId(2));
  const auto fenced = machine.run(machine.admin->fence_producers({"copy-1", "copy-2"}));
  EXPECT_EQ(outcomes_of(fenced), (Codes{ErrorCode::none, ErrorCode::none}));
  const auto again = machine.run(machine.admin->fence_producers({"copy-1"}));
  ASSERT_TRUE(again[0].second) << to_string(again[0].second.error());
  EXPECT_EQ(again[0].second->producer, fenced[0].second->producer);
  EXPECT_GT(again[0].second->epoch, fenced[0].second->epoch);

  const auto listed = machine.run(machine.admin->list_transactions());
  ASSERT_TRUE(listed.has_value()) << to_string(listed.error());
  EXPECT_TRUE(listed->errors.empty());
  ASSERT_EQ(listed->transactions.size(), 2u);
  EXPECT_EQ(listed->transactions[0].id, "copy-1");
  EXPECT_EQ(listed->transactions[0].coordinator, BrokerId(2));
  const auto one =
      machine.run(machine.admin->list_transactions({.producers = {fenced[1].second->producer}}));
  ASSERT_TRUE(one && one->transactions.size() == 1);
  EXPECT_EQ(one->transactions[0].id, "copy-2");
  const auto wrong = machine.run(machine.admin->list_transactions({.states = {"Sleeping"}}));
  ASSERT_TRUE(wrong.has_value());
  EXPECT_EQ(wrong->errors.size(), 3u);

  const auto told = machine.run(machine.admin->describe_transactions({"copy-1", "nobody"}));
  EXPECT_EQ(outcomes_of(told), (Codes{ErrorCode::none, ErrorCode::transactional_id_not_found}));
  EXPECT_EQ(told[0].second->producer, fenced[0].second->producer);
  EXPECT_EQ(told[0].second->coordinator, BrokerId(2));
  EXPECT_FALSE(told[0].second->started.has_value());
}

TEST(AdminTransactions, that_hang_are_aborted_at_the_leader) {
  AdminMachine machine;
  machine.make_topic("orders");
  ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(0), BrokerId(3)));
  const HangingTransaction hanging{.partition = place("orders", 0),
                                   .producer = ProducerId(7),
                                   .epoch = ProducerEpoch(2),
                                   .coordinator_epoch = 0};
  EXPECT_EQ(outcome(machine.run(machine.admin->abort_transaction(hanging))), ErrorCode::none);
  const auto producers = machine.run(machine.admin->describe_producers({place("orders", 0)}));
  ASSERT_TRUE(producers[0].second);
  for (const ActiveProducer& producer : *producers[0].second) {
    EXPECT_FALSE(producer.transaction_start.has_value());
  }
  EXPECT_EQ(outcome(machine.run(machine.admin->abort_transaction(
                {.partition = place("nothing", 0), .producer = ProducerId(7)}))),
            ErrorCode::unknown_topic_or_partition);
}

}  // namespace
}  // namespace millrace::client
