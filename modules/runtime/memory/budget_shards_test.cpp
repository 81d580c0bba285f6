// One budget used by real threads. Also proves budget.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

import millrace.runtime.memory;
import millrace.runtime.shard;

namespace millrace {
namespace {

constexpr std::uint32_t shard_count = 4;

class SharedBudget : public testing::Test {
 protected:
  static ShardsOptions four_shards() {
    ShardsOptions options;
    options.count = shard_count;
    return options;
  }
  static BudgetOptions options() {
    BudgetOptions options;
    options.name = "test";
    options.limit_bytes = 40'000;
    options.reserve_bytes = 10'000;
    options.shard_count = shard_count;
    return options;
  }

  SharedBudget() {
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      shards->run_on(ShardIndex(i), [this, i](Shard& here) {
        auto meter =
            telemetry::BudgetMeter::create(registry, ShardIndex(i), "test", budget.limit());
        locals[i].emplace(budget, clock, here.loop().mailbox(), ShardIndex(i), std::move(*meter));
      });
    }
  }
  ~SharedBudget() override {
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      shards->run_on(ShardIndex(i), [this, i](Shard&) { locals[i].reset(); });
    }
    shards->stop();
  }

  SystemClock clock;
  telemetry::Registry registry{shard_count};
  MemoryBudget budget{options()};
  std::vector<std::optional<LocalBudget>> locals{shard_count};
  std::unique_ptr<Shards> shards = Shards::start(clock, registry, four_shards()).value();
  std::atomic<std::size_t> used = 0;
  std::atomic<std::size_t> highest = 0;
  std::atomic<std::size_t> waits = 0;
  std::atomic<std::size_t> cancels = 0;

  void note_used(std::size_t more) {
    const std::size_t now = used.fetch_add(more) + more;
    std::size_t before = highest.load();
    while (before < now && !highest.compare_exchange_weak(before, now)) {
    }
  }

  Task<void> cancel_soon(Shard& here, MemoryClaim& claim) {
    co_await yield(here.loop());
    claim.cancel();
  }

  Task<void> frame(Shard& here, LocalBudget& local, std::uint64_t seed) {
    Random random(seed);
    MemoryClaim claim(local);
    const std::size_t whole = 1 + random.below(budget.claim_bytes_max());
    std::size_t noted = 0;
    while (claim.bytes() < whole) {
      const std::size_t piece = std::min(whole - claim.bytes(), 1 + random.below(whole));
      TaskGroup group;
      if (budget.waiting() > 0) ++waits;
      if (random.chance(0.1)) group.start(cancel_soon(here, claim));
      const Grown end = co_await claim.grow(piece);
      if (end == Grown::granted) {
        note_used(piece);
        noted += piece;
      }
      co_await group.wait();
      if (end == Grown::cancelled) {
        ++cancels;
        break;
      }
      co_await yield(here.loop());
    }
    used -= noted;  // before it is given back
    claim.release();
  }

  Task<void> many_frames(Shard& here, LocalBudget& local) {
    for (std::uint64_t round = 0; round < 40; ++round) {
      TaskGroup group;
      for (std::uint64_t i = 0; i < 25; ++i) {
        group.start(frame(here, local, 1'000'000 * here.index().value() + 1000 * round + i));
      }
      co_await group.wait();
    }
  }
};

TEST_F(SharedBudget, is_never_exceeded_and_every_frame_ends) {
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    threads.emplace_back([this, i] {
      shards->run_on(ShardIndex(i), [&](Shard& here) { return many_frames(here, *locals[i]); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(used, 0);
  EXPECT_LE(highest, budget.limit());
  EXPECT_GT(highest, budget.limit() / 2);
  EXPECT_GT(waits, 100);
  EXPECT_GT(cancels, 0);
  EXPECT_EQ(budget.waiting(), 0);
  EXPECT_FALSE(budget.is_reserve_lent());
}

}  // namespace
}  // namespace millrace
