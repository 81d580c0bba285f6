#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "budget_machine.hpp"

import millrace.runtime.memory;

namespace millrace {
namespace {

using namespace std::chrono_literals;

BudgetOptions options_of(std::size_t limit, std::size_t reserve, std::uint32_t shards = 1) {
  BudgetOptions options;
  options.name = "test";
  options.limit_bytes = limit;
  options.reserve_bytes = reserve;
  options.shard_count = shards;
  return options;
}

TEST(MemoryBudget, gives_up_to_its_limit_and_takes_it_back) {
  BudgetMachine machine(options_of(1000, 0));
  {
    MemoryClaim claim(machine.on(0));
    EXPECT_TRUE(claim.try_grow(600));
    EXPECT_FALSE(claim.try_grow(401));
    EXPECT_TRUE(claim.try_grow(400));
    EXPECT_EQ(claim.bytes(), 1000);
    claim.shrink(300);
    EXPECT_EQ(machine.used(), 700);
    EXPECT_TRUE(claim.try_grow(300));
  }
  EXPECT_EQ(machine.used(), 0);
}

TEST(MemoryBudget, a_moved_claim_keeps_what_it_has) {
  BudgetMachine machine(options_of(1000, 0));
  MemoryClaim first(machine.on(0));
  ASSERT_TRUE(first.try_grow(600));
  MemoryClaim second(std::move(first));
  EXPECT_EQ(second.bytes(), 600);
  MemoryClaim third(machine.on(0));
  ASSERT_TRUE(third.try_grow(100));
  third = std::move(second);
  EXPECT_EQ(third.bytes(), 600);
  EXPECT_EQ(machine.used(), 600);
}

TEST(MemoryBudget, what_can_never_be_granted_is_refused_at_once) {
  BudgetMachine machine(options_of(1000, 300));
  EXPECT_EQ(machine.budget.claim_bytes_max(), 300);
  MemoryClaim claim(machine.on(0));
  TaskGroup group;
  const Growing whole(group, claim, 301);
  EXPECT_EQ(whole.end, Grown::too_large);
  ASSERT_TRUE(claim.try_grow(200));
  const Growing more(group, claim, 101);
  EXPECT_EQ(more.end, Grown::too_large);
  const Growing endless(group, claim, SIZE_MAX);
  EXPECT_EQ(endless.end, Grown::too_large);
  EXPECT_FALSE(claim.try_grow(SIZE_MAX));
  EXPECT_EQ(claim.bytes(), 200);
}

TEST(MemoryBudget, whoever_waits_gets_what_another_gives_back) {
  BudgetMachine machine(options_of(1000, 0));
  MemoryClaim first(machine.on(0));
  MemoryClaim second(machine.on(0));
  ASSERT_TRUE(first.try_grow(700));
  TaskGroup group;
  const Growing waiting(group, second, 500);
  machine.executor.run_until_idle();
  EXPECT_TRUE(waiting.waits());
  EXPECT_TRUE(second.is_waiting());
  EXPECT_EQ(machine.budget.waiting(), 1);
  first.shrink(200);
  machine.executor.run_until_idle();
  EXPECT_EQ(waiting.end, Grown::granted);
  EXPECT_EQ(second.bytes(), 500);
}

TEST(MemoryBudget, what_another_shard_has_at_hand_is_called_back) {
  BudgetMachine machine(options_of(16'000, 0, 2));
  {
    MemoryClaim elsewhere(machine.on(1));
    ASSERT_TRUE(elsewhere.try_grow(1));
  }
  EXPECT_GT(machine.budget.taken(), 0);  // at hand on shard 1
  MemoryClaim claim(machine.on(0));
  EXPECT_FALSE(claim.try_grow(16'000));
  TaskGroup group;
  const Growing all(group, claim, 16'000);
  EXPECT_TRUE(all.waits());
  machine.executor.run_until_idle();
  EXPECT_EQ(all.end, Grown::granted);
}

TEST(MemoryBudget, nobody_takes_anything_past_those_who_wait) {
  BudgetMachine machine(options_of(1000, 0, 2));
  MemoryClaim first(machine.on(0));
  MemoryClaim second(machine.on(0));
  MemoryClaim small(machine.on(1));
  ASSERT_TRUE(first.try_grow(700));
  TaskGroup group;
  const Growing waiting(group, second, 500);
  machine.executor.run_until_idle();
  EXPECT_FALSE(small.try_grow(1));
  const Growing behind(group, small, 1);
  machine.executor.run_until_idle();
  EXPECT_TRUE(behind.waits());
  first.release();
  machine.executor.run_until_idle();
  EXPECT_EQ(waiting.end, Grown::granted);
  EXPECT_EQ(behind.end, Grown::granted);
}

TEST(MemoryBudget, the_oldest_claim_is_served_first_whenever_it_asks) {
  BudgetMachine machine(options_of(1000, 0, 2));
  MemoryClaim filling(machine.on(0));
  ASSERT_TRUE(filling.try_grow(1000));
  machine.executor.advance(1ms);
  MemoryClaim old(machine.on(1));
  machine.executor.advance(1ms);
  MemoryClaim young(machine.on(0));
  TaskGroup group;
  const Growing young_waits(group, young, 600);
  const Growing old_waits(group, old, 600);
  filling.shrink(600);
  machine.executor.run_until_idle();
  EXPECT_EQ(old_waits.end, Grown::granted);
  EXPECT_TRUE(young_waits.waits());
  old.release();
  machine.executor.run_until_idle();
  EXPECT_EQ(young_waits.end, Grown::granted);
}

TEST(MemoryBudget, a_cancelled_wait_ends_and_lets_the_next_one_go_on) {
  BudgetMachine machine(options_of(1000, 0));
  MemoryClaim filling(machine.on(0));
  ASSERT_TRUE(filling.try_grow(900));
  MemoryClaim large(machine.on(0));
  MemoryClaim small(machine.on(0));
  TaskGroup group;
  const Growing large_waits(group, large, 500);
  const Growing small_waits(group, small, 100);
  machine.executor.run_until_idle();
  EXPECT_TRUE(small_waits.waits());
  large.cancel();
  machine.executor.run_until_idle();
  EXPECT_EQ(large_waits.end, Grown::cancelled);
  EXPECT_EQ(large.bytes(), 0);
  EXPECT_EQ(small_waits.end, Grown::granted);
  large.cancel();  // it waits no more: nothing happens
}

TEST(MemoryBudget, what_is_granted_already_is_not_cancelled) {
  BudgetMachine machine(options_of(1000, 0));
  MemoryClaim filling(machine.on(0));
  ASSERT_TRUE(filling.try_grow(900));
  MemoryClaim claim(machine.on(0));
  TaskGroup group;
  const Growing waiting(group, claim, 500);
  filling.release();
  claim.cancel();
  machine.executor.run_until_idle();
  EXPECT_EQ(waiting.end, Grown::granted);
  EXPECT_EQ(claim.bytes(), 500);
}

// All of the budget is in frames of which none has arrived whole.
TEST(MemoryBudget, the_oldest_frame_that_waits_ends_with_the_reserve) {
  BudgetMachine machine(options_of(1300, 300));
  TaskGroup group;
  MemoryClaim first(machine.on(0));
  MemoryClaim second(machine.on(0));
  MemoryClaim third(machine.on(0));
  MemoryClaim fourth(machine.on(0));
  for (MemoryClaim* claim : {&first, &second, &third, &fourth}) ASSERT_TRUE(claim->try_grow(250));
  const Growing young(group, second, 50);
  machine.executor.run_until_idle();
  EXPECT_EQ(young.end, Grown::granted);
  EXPECT_TRUE(second.has_reserve());
  const Growing old(group, first, 50);
  machine.executor.run_until_idle();
  EXPECT_TRUE(old.waits());
  second.release();  // 250 bytes and the reserve
  machine.executor.run_until_idle();
  EXPECT_EQ(old.end, Grown::granted);
  EXPECT_FALSE(first.has_reserve());
  EXPECT_FALSE(machine.budget.is_reserve_lent());
}

TEST(MemoryBudget, who_has_the_reserve_waits_no_more) {
  BudgetMachine machine(options_of(1300, 300));
  TaskGroup group;
  MemoryClaim filling(machine.on(0));
  MemoryClaim rest(machine.on(0));
  ASSERT_TRUE(filling.try_grow(300));
  MemoryClaim others[] = {MemoryClaim(machine.on(0)), MemoryClaim(machine.on(0)),
                          MemoryClaim(machine.on(0))};
  for (MemoryClaim& other : others) ASSERT_TRUE(other.try_grow(200));
  ASSERT_TRUE(rest.try_grow(100));
  MemoryClaim frame(machine.on(0));
  MemoryClaim late(machine.on(0));
  const Growing begun(group, frame, 10);
  machine.executor.run_until_idle();
  ASSERT_TRUE(frame.has_reserve());
  const Growing behind(group, late, 10);
  for (int i = 0; i < 29; ++i) {
    const Growing more(group, frame, 10);
    ASSERT_EQ(more.end, Grown::granted);
  }
  EXPECT_EQ(frame.bytes(), 300);
  EXPECT_TRUE(behind.waits());
  EXPECT_EQ(machine.used(), machine.budget.limit());
  // Part of the reserve is no use to another frame: it comes back whole.
  frame.shrink(200);
  machine.executor.run_until_idle();
  EXPECT_TRUE(behind.waits());
  frame.release();
  machine.executor.run_until_idle();
  EXPECT_EQ(behind.end, Grown::granted);
}

TEST(MemoryBudget, shows_limit_use_and_refusals) {
  BudgetMachine machine(options_of(1000, 0, 2));
  MemoryClaim first(machine.on(0));
  MemoryClaim second(machine.on(1));
  ASSERT_TRUE(first.try_grow(300));
  ASSERT_TRUE(second.try_grow(200));
  EXPECT_FALSE(second.try_grow(900));
  EXPECT_FALSE(second.try_grow(600));
  const std::string text = telemetry::exposition_text(machine.registry);
  EXPECT_NE(text.find("millrace_budget_limit_bytes{budget=\"test\"} 1000\n"), std::string::npos);
  EXPECT_NE(text.find("millrace_budget_used_bytes{budget=\"test\"} 500\n"), std::string::npos);
  EXPECT_NE(text.find("millrace_budget_refusals_total{budget=\"test\"} 1\n"), std::string::npos)
      << "what is too large was not refused for want of room";
}

}  // namespace
}  // namespace millrace
