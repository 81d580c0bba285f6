#include <gtest/gtest.h>

#include <cstddef>

#include "exposition_parser.hpp"

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

constexpr ShardIndex shard{1};

TEST(BudgetMeter, keeps_the_most_that_was_taken) {
  Registry registry(2);
  auto meter = BudgetMeter::create(registry, shard, "requests", 1000);
  ASSERT_TRUE(meter);
  EXPECT_EQ(meter->highest(), 0u);
  meter->used_is(700);
  meter->taken_is(800);
  meter->used_is(100);
  meter->taken_is(150);
  EXPECT_EQ(meter->used(), 100u);
  EXPECT_EQ(meter->highest(), 800u);
  EXPECT_EQ(meter->limit(), 1000u);
  EXPECT_EQ(meter->refusals(), 0u);
}

TEST(BudgetMeter, of_all_shards_are_shown_as_one_budget) {
  Registry registry(2);
  auto requests = BudgetMeter::create(registry, shard, "requests", 1000);
  auto elsewhere = BudgetMeter::create(registry, ShardIndex{0}, "requests", 1000);
  auto fetches = BudgetMeter::create(registry, shard, "fetch", 5);
  ASSERT_TRUE(requests && fetches && elsewhere);
  requests->used_is(700);
  requests->taken_is(800);
  requests->used_is(10);
  requests->refused();
  elsewhere->used_is(30);
  elsewhere->taken_is(900);
  elsewhere->refused();
  const test::ExpositionParser parsed(exposition_text(registry));
  const test::Labels labels = {{"budget", "requests"}};
  EXPECT_EQ(parsed.value("millrace_budget_limit_bytes", labels), "1000");
  EXPECT_EQ(parsed.value("millrace_budget_used_bytes", labels), "40");
  EXPECT_EQ(parsed.value("millrace_budget_highest_bytes", labels), "900");
  EXPECT_EQ(parsed.value("millrace_budget_refusals_total", labels), "2");
  EXPECT_EQ(parsed.value("millrace_budget_limit_bytes", {{"budget", "fetch"}}), "5");
}

TEST(BudgetMeter, creation_fails_when_a_name_is_taken) {
  Registry registry(1);
  ASSERT_TRUE(registry.add<Gauge>({.name = "millrace_budget_used_bytes", .help = "Other."}));
  const auto meter = BudgetMeter::create(registry, ShardIndex{0}, "requests", 1);
  EXPECT_EQ(meter.error().kind, ErrorKind::already_exists);
}

}  // namespace
}  // namespace millrace::telemetry
