// A budget and the shards that share it, for tests: one simulated executor stands for all shards,
// so that a seed replays every order of events.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

import millrace.runtime.memory;
import millrace.runtime.shard;

namespace millrace {

class BudgetMachine {
 public:
  explicit BudgetMachine(BudgetOptions options, std::optional<std::uint64_t> seed = std::nullopt)
      : executor(seed), registry(options.shard_count), budget(options) {
    for (std::uint32_t i = 0; i < options.shard_count; ++i) {
      auto meter =
          telemetry::BudgetMeter::create(registry, ShardIndex(i), "test", options.limit_bytes);
      locals_.push_back(std::make_unique<LocalBudget>(budget, executor.clock(), loop_.mailbox(),
                                                      ShardIndex(i), std::move(*meter)));
    }
  }
  ~BudgetMachine() {
    executor.run_until_idle();
    locals_.clear();
    executor.run_until_idle();
  }
  BudgetMachine(const BudgetMachine&) = delete;
  BudgetMachine& operator=(const BudgetMachine&) = delete;

  [[nodiscard]] LocalBudget& on(std::size_t shard) { return *locals_[shard]; }
  // Of the claims of all shards.
  [[nodiscard]] std::size_t used() const {
    std::size_t used = 0;
    for (const auto& local : locals_) used += local->used();
    return used;
  }

  SimulatedExecutor executor;
  telemetry::Registry registry;
  MemoryBudget budget;

 private:
  SimulatedLoop loop_{executor};
  std::vector<std::unique_ptr<LocalBudget>> locals_;
};

// Grows a claim in the background and notes how that ended.
struct Growing {
  Growing(TaskGroup& group, MemoryClaim& claim, std::size_t bytes) {
    group.start(run(claim, bytes));
  }
  Growing(const Growing&) = delete;
  Growing& operator=(const Growing&) = delete;

  [[nodiscard]] bool waits() const { return !end.has_value(); }

  std::optional<Grown> end;

 private:
  Task<void> run(MemoryClaim& claim, std::size_t bytes) { end = co_await claim.grow(bytes); }
};

}  // namespace millrace
