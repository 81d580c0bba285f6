// All shards of a process on one simulated executor.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

export module millrace.runtime.shard:simulated_shards;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;
import :call;

export namespace millrace {

// A simulated executor as the loop of a shard. It has no descriptors to watch. Owned by the test;
// the executor outlives it.
class SimulatedLoop final : public EventLoop {
 public:
  explicit SimulatedLoop(SimulatedExecutor& executor) : executor_(executor), inbox_(executor) {}

  [[nodiscard]] const Clock& clock() const override { return executor_.clock(); }
  void post(Callback& callback) override { executor_.post(callback); }
  void arm(Timer& timer, MonotonicTime when) override { executor_.arm(timer, when); }
  void cancel(Timer& timer) override { executor_.cancel(timer); }
  [[nodiscard]] Mailbox& mailbox() override { return inbox_; }
  [[nodiscard]] Result<void> watch(Watch& watch, int descriptor) override;
  void unwatch(Watch& watch) override;

 private:
  class Inbox final : public Mailbox {
   public:
    explicit Inbox(SimulatedExecutor& executor) : executor_(executor) {}
    void send(Callback& callback) override { executor_.post(callback); }

   private:
    SimulatedExecutor& executor_;
  };

  SimulatedExecutor& executor_;
  Inbox inbox_;
};

// The shards of a simulated process: they call one another as those of a running process do, in one
// thread, in an order that the executor's seed replays. Owned by the test; registry and executor
// outlive it. Ends when no call is unanswered.
class SimulatedShards {
 public:
  SimulatedShards(SimulatedExecutor& executor, telemetry::Registry& registry, std::uint32_t count);

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(shards_.size()); }
  [[nodiscard]] Shard& at(ShardIndex index) { return *shards_[index.value()]; }

 private:
  SimulatedLoop loop_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace millrace
