// Random claims on several shards, in an order that a seed replays. Also proves budget.cpp.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "budget_machine.hpp"

import millrace.runtime.memory;

namespace millrace {
namespace {

// Frames that arrive piece by piece, are worked on and end; some are given up while they wait.
class Frames {
 public:
  Frames(BudgetMachine& machine, std::uint64_t seed) : machine_(machine), random_(seed) {}

  Task<void> run(std::size_t count) {
    TaskGroup group;
    for (std::size_t i = 0; i < count; ++i) group.start(frame());
    co_await group.wait();
  }

  std::string broken;  // the first rule that was broken
  std::size_t granted = 0;
  std::size_t cancelled = 0;
  std::size_t waited = 0;

 private:
  void look() {
    if (machine_.used() > machine_.budget.limit()) say("more is used than the limit allows");
    const std::size_t shared = machine_.budget.limit() - machine_.budget.claim_bytes_max();
    if (machine_.budget.taken() > shared) say("more is taken than there is");
  }
  void say(const char* what) {
    if (broken.empty()) broken = what;
  }

  Task<void> rest() {
    const Duration pause(random_.below(1000));
    co_await sleep_until(machine_.executor, machine_.executor.clock().now() + pause);
  }

  Task<void> frame() {
    co_await rest();
    MemoryClaim claim(machine_.on(random_.below(2)));
    const std::size_t whole = 1 + random_.below(machine_.budget.claim_bytes_max());
    while (claim.bytes() < whole) {
      const std::size_t piece = std::min(whole - claim.bytes(), 1 + random_.below(whole));
      if (co_await grow(claim, piece) == Grown::cancelled) co_return;
      if (random_.chance(0.7)) co_await rest();
    }
    co_await rest();
    if (random_.chance(0.3)) claim.shrink(random_.below(claim.bytes() + 1));
    co_await rest();
    look();
  }

  Task<Grown> grow(MemoryClaim& claim, std::size_t bytes) {
    const bool will_wait = machine_.budget.waiting() > 0;
    TaskGroup group;
    if (random_.chance(0.2)) group.start(cancel_later(claim));
    const Grown end = co_await claim.grow(bytes);
    look();
    co_await group.wait();
    if (end == Grown::granted) ++granted;
    if (end == Grown::cancelled) ++cancelled;
    if (will_wait) ++waited;
    if (end == Grown::too_large) say("what fits was found too large");
    co_return end;
  }
  Task<void> cancel_later(MemoryClaim& claim) {
    co_await rest();
    claim.cancel();
  }

  BudgetMachine& machine_;
  Random random_;
};

BudgetOptions scarce() {
  BudgetOptions options;
  options.name = "test";
  options.limit_bytes = 3000;
  options.reserve_bytes = 1000;
  options.shard_count = 2;
  return options;
}

// A frame that could never end would be a deadlock, which run() tells.
RC_GTEST_PROP(MemoryBudget, never_gives_more_than_it_has_and_lets_every_frame_end, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  BudgetMachine machine(scarce(), seed);
  Frames frames(machine, seed + 1);
  const auto run = machine.executor.run(frames.run(40));
  RC_ASSERT(run.has_value());
  RC_ASSERT(frames.broken == "");
  RC_ASSERT(machine.used() == 0u);
  RC_ASSERT(machine.budget.waiting() == 0u);
  RC_ASSERT(!machine.budget.is_reserve_lent());
}

// Otherwise the property would say little.
TEST(MemoryBudget, frames_of_the_property_do_wait_and_are_cancelled) {
  BudgetMachine machine(scarce(), 7);
  Frames frames(machine, 8);
  ASSERT_TRUE(machine.executor.run(frames.run(40)));
  EXPECT_GT(frames.waited, 10);
  EXPECT_GT(frames.cancelled, 0);
  EXPECT_GT(frames.granted, 40);
}

// Claims of random sizes wait for one that has all; they must be served by age.
RC_GTEST_PROP(MemoryBudget, serves_by_age, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  Random random(seed);
  BudgetOptions options = scarce();
  options.reserve_bytes = 0;
  BudgetMachine machine(options, seed);
  MemoryClaim filling(machine.on(0));
  RC_ASSERT(filling.try_grow(options.limit_bytes));
  std::vector<std::unique_ptr<MemoryClaim>> claims;
  for (int i = 0; i < 20; ++i) {
    machine.executor.advance(Duration(random.below(2)));
    claims.push_back(std::make_unique<MemoryClaim>(machine.on(random.below(2))));
  }
  std::vector<MemoryClaim*> asking;
  for (const auto& claim : claims) asking.push_back(claim.get());
  for (std::size_t i = asking.size(); i > 1; --i) {
    std::swap(asking[i - 1], asking[random.below(i)]);
  }
  std::vector<ClaimAge> served;
  TaskGroup group;
  const auto grow = [&](MemoryClaim& claim, std::size_t bytes) -> Task<void> {
    static_cast<void>(co_await claim.grow(bytes));
    served.push_back(claim.age());
  };
  for (MemoryClaim* claim : asking) group.start(grow(*claim, 1 + random.below(140)));
  machine.executor.run_until_idle();
  RC_ASSERT(served.empty());
  while (filling.bytes() > 0) {
    filling.shrink(std::min<std::size_t>(filling.bytes(), 1 + random.below(200)));
    machine.executor.run_until_idle();
  }
  RC_ASSERT(served.size() == claims.size());
  RC_ASSERT(std::is_sorted(served.begin(), served.end()));
}

}  // namespace
}  // namespace millrace
