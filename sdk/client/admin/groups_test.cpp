// Also proves offsets.cpp.
#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

using Codes = std::vector<ErrorCode>;

void commit(AdminMachine& machine, const std::string& group, std::int64_t offset) {
  const auto done = machine.run(machine.admin->alter_group_offsets(
      group, {{place("orders", 0), {.offset = Offset(offset), .metadata = "note"}}}));
  ASSERT_TRUE(done[0].second) << to_string(done[0].second.error());
}

TEST(AdminGroups, of_all_brokers_are_listed) {
  AdminMachine machine;
  machine.make_topic("orders");
  for (const std::int32_t broker : {1, 2, 3}) {
    const std::string group = "group-" + std::to_string(broker);
    machine.cluster->set_coordinator(group, BrokerId(broker));
    commit(machine, group, broker);
  }
  const auto listed = machine.run(machine.admin->list_groups());
  ASSERT_TRUE(listed.has_value()) << to_string(listed.error());
  ASSERT_EQ(listed->groups.size(), 3u);
  EXPECT_TRUE(listed->errors.empty());
  EXPECT_EQ(listed->groups[1].id, "group-2");
  EXPECT_EQ(listed->groups[1].coordinator, BrokerId(2));
  EXPECT_EQ(listed->groups[1].state, "Empty");
  ListGroupsOptions stable;
  stable.states = {"Stable"};
  const auto none = machine.run(machine.admin->list_groups(stable));
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(none->groups.empty());
}

TEST(AdminGroups, of_a_broker_that_fails_are_missing_and_named) {
  AdminMachine machine;
  machine.make_topic("orders");
  machine.cluster->set_coordinator("billing", BrokerId(1));
  commit(machine, "billing", 1);
  machine.cluster->inject({.api = ApiKey::list_groups,
                           .error = ErrorCode::group_authorization_failed,
                           .times = mock::always,
                           .broker = BrokerId(3)});
  const auto listed = machine.run(machine.admin->list_groups());
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed->groups.size(), 1u);
  ASSERT_EQ(listed->errors.size(), 1u);
  EXPECT_EQ(listed->errors[0].broker, BrokerId(3));
}

TEST(AdminGroups, are_described_and_deleted_at_their_coordinators) {
  AdminMachine machine;
  machine.make_topic("orders");
  machine.cluster->set_coordinator("billing", BrokerId(2));
  commit(machine, "billing", 4);
  const auto told = machine.run(machine.admin->describe_groups({"billing", "nothing"}));
  ASSERT_TRUE(told[0].second) << to_string(told[0].second.error());
  EXPECT_EQ(told[0].second->state, "Empty");
  EXPECT_EQ(told[0].second->coordinator, BrokerId(2));
  EXPECT_EQ(outcome(told[1].second), ErrorCode::group_id_not_found);
  // The coordinator moves: the first broker that is asked says so.
  machine.cluster->fail_next(ApiKey::delete_groups, ErrorCode::not_coordinator);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->delete_groups({"billing", "nothing"}))),
            (Codes{ErrorCode::none, ErrorCode::group_id_not_found}));
}

TEST(AdminGroups, members_that_are_not_there_cannot_be_removed) {
  AdminMachine machine;
  machine.make_topic("orders");
  commit(machine, "billing", 4);
  const auto removed =
      machine.run(machine.admin->remove_members("billing", {{.member_id = "worker-7"}}));
  EXPECT_EQ(outcomes_of(removed), Codes{ErrorCode::unknown_member_id});
}

TEST(AdminGroupOffsets, are_set_read_and_deleted) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  const auto set = machine.run(machine.admin->alter_group_offsets(
      "billing", {{place("orders", 0), {.offset = Offset(7), .metadata = "note"}},
                  {place("orders", 1), {.offset = Offset(8)}},
                  {place("nothing", 0), {.offset = Offset(9)}}}));
  EXPECT_EQ(outcomes_of(set),
            (Codes{ErrorCode::none, ErrorCode::none, ErrorCode::unknown_topic_or_partition}));
  const auto all = machine.run(machine.admin->list_group_offsets("billing"));
  ASSERT_TRUE(all && all->size() == 2);
  EXPECT_EQ((*all)[0].first, place("orders", 0));
  EXPECT_EQ((*all)[0].second->offset, Offset(7));
  EXPECT_EQ((*all)[0].second->metadata, "note");
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->delete_group_offsets(
                "billing", {place("orders", 0), place("nothing", 3)}))),
            (Codes{ErrorCode::none, ErrorCode::unknown_topic_or_partition}));
  const auto some = machine.run(
      machine.admin->list_group_offsets("billing", {place("orders", 0), place("orders", 1)}));
  ASSERT_TRUE(some && some->size() == 2);
  EXPECT_EQ((*some)[0].second->offset, no_offset);
  EXPECT_EQ((*some)[1].second->offset, Offset(8));
}

TEST(AdminOffsets, are_found_by_place_and_by_time) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  machine.append("orders", 1, 3, 100);
  machine.append("orders", 1, 3, 200);
  const auto found =
      machine.run(machine.admin->list_offsets({{place("orders", 0), OffsetSpec::latest},
                                               {place("orders", 1), OffsetSpec::earliest},
                                               {place("orders", 1), OffsetSpec::latest},
                                               {place("orders", 1), OffsetSpec::newest},
                                               {place("orders", 1), OffsetSpec::at(Timestamp(150))},
                                               {place("orders", 1), OffsetSpec::at(Timestamp(900))},
                                               {place("orders", 2), OffsetSpec::latest}}));
  const std::vector<std::int64_t> expected = {0, 0, 6, 3, 3, -1};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(found[i].second) << i << ": " << to_string(found[i].second.error());
    EXPECT_EQ(found[i].second->offset, Offset(expected[i])) << i;
  }
  EXPECT_EQ(found[4].second->timestamp, Timestamp(200));
  EXPECT_EQ(outcome(found[6].second), ErrorCode::unknown_topic_or_partition);
}

TEST(AdminProducers, of_a_partition_without_any_are_none) {
  AdminMachine machine;
  machine.make_topic("orders");
  const auto told =
      machine.run(machine.admin->describe_producers({place("orders", 0), place("nothing", 0)}));
  ASSERT_TRUE(told[0].second);
  EXPECT_TRUE(told[0].second->empty());
  EXPECT_EQ(outcome(told[1].second), ErrorCode::unknown_topic_or_partition);
}

}  // namespace
}  // namespace millrace::client
