#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "millrace/admin_topics.hpp"
#include "millrace/records.hpp"

import millrace.cli.frame;
import millrace.cli.operations;

namespace millrace::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

Placement three_by_two() {
  Placement placement;
  for (int index = 0; index < 6; ++index)
    placement[{"orders", index}] = {index % 3 + 1, (index + 1) % 3 + 1};
  return placement;
}

Placement applied(Placement placement, const Placement& changes) {
  for (const auto& [partition, replicas] : changes) placement[partition] = replicas;
  return placement;
}

TEST(PlacementPlan, drains_a_broker_and_keeps_the_others_even) {
  const auto plan = plan_drain(three_by_two(), {1, 2, 3, 4}, 1);
  ASSERT_TRUE(std::holds_alternative<Placement>(plan));
  const auto& changes = std::get<Placement>(plan);
  EXPECT_EQ(changes.size(), 4U);
  std::map<int, int> leaders;
  for (const auto& [partition, replicas] : applied(three_by_two(), changes)) {
    EXPECT_THAT(replicas, Not(Contains(1)));
    EXPECT_EQ(replicas.size(), 2U);
    EXPECT_NE(replicas[0], replicas[1]);
    ++leaders[replicas[0]];
  }
  for (const auto& [broker, count] : leaders) EXPECT_EQ(count, 2) << broker;
}

TEST(PlacementPlan, does_not_drain_where_replicas_would_be_lost) {
  Placement placement;
  placement[{"orders", 0}] = {1, 2};
  const auto plan = plan_drain(placement, {1, 2}, 1);
  ASSERT_TRUE(std::holds_alternative<Failure>(plan));
  EXPECT_EQ(std::get<Failure>(plan).message,
            "orders-0 needs 2 replicas, and there is 1 broker for that");
}

TEST(PlacementPlan, moves_nothing_that_may_stay) {
  const auto plan = plan_drain(three_by_two(), {1, 2, 3, 4}, 4);
  EXPECT_THAT(std::get<Placement>(plan), IsEmpty());
}

TEST(PlacementPlan, spreads_partitions_over_brokers) {
  const auto plan =
      plan_spread(three_by_two(), {{"orders", 0}, {"orders", 1}}, {4, 5}, std::nullopt);
  ASSERT_TRUE(std::holds_alternative<Placement>(plan));
  const auto& changes = std::get<Placement>(plan);
  EXPECT_THAT(changes.at({"orders", 0}), ElementsAre(4, 5));
  EXPECT_THAT(changes.at({"orders", 1}), ElementsAre(5, 4));
}

TEST(PlacementPlan, changes_the_number_of_replicas) {
  const auto more = plan_spread(three_by_two(), {{"orders", 0}}, {1, 2, 3}, 3);
  EXPECT_EQ(std::get<Placement>(more).at({"orders", 0}).size(), 3U);
  EXPECT_TRUE(
      std::holds_alternative<Failure>(plan_spread(three_by_two(), {{"orders", 0}}, {1, 2}, 3)));
}

// Partition 0 is on 1 and 2, and 2 is being replaced by 3: until that has ended it is on all three.
Placement during_a_move() {
  Placement placement = three_by_two();
  placement[{"orders", 0}] = {1, 3, 2};
  return after_moves(
      std::move(placement),
      {{.partition = {"orders", 0}, .replicas = {1, 3, 2}, .adding = {3}, .removing = {2}},
       {.partition = {"gone", 0}, .replicas = {1, 2}, .adding = {}, .removing = {2}}});
}

TEST(PlacementPlan, keeps_the_number_of_replicas_of_a_partition_that_is_being_moved) {
  const auto plan = plan_spread(during_a_move(), {{"orders", 0}}, {4, 5, 6}, std::nullopt);
  ASSERT_TRUE(std::holds_alternative<Placement>(plan));
  EXPECT_EQ(std::get<Placement>(plan).at({"orders", 0}).size(), 2U);
  const auto drained = plan_drain(during_a_move(), {1, 2, 3, 4}, 1);
  ASSERT_TRUE(std::holds_alternative<Placement>(drained));
  EXPECT_EQ(std::get<Placement>(drained).at({"orders", 0}).size(), 2U);
}

TEST(PlacementPlan, need_not_drain_what_is_already_leaving) {
  const auto plan = plan_drain(during_a_move(), {1, 2, 3, 4}, 2);
  ASSERT_TRUE(std::holds_alternative<Placement>(plan));
  EXPECT_FALSE(std::get<Placement>(plan).contains({"orders", 0}));
}

TEST(PlacementPlan, names_a_partition_that_is_newer_than_the_placement) {
  const auto plan = plan_spread(three_by_two(), {{"paid", 0}}, {1, 2}, std::nullopt);
  ASSERT_TRUE(std::holds_alternative<Failure>(plan));
  EXPECT_EQ(std::get<Failure>(plan).message, "paid-0 has only just been created");
}

}  // namespace
}  // namespace millrace::cli
