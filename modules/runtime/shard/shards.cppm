// The shards of a process: their threads, their start and their end.
module;
#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

export module millrace.runtime.shard:shards;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;
import :call;
import :shard_loop;

export namespace millrace {

struct ShardsOptions {
  // From 1 to the shards that the registry knows.
  std::uint32_t count = 1;
  // Shard i runs on core cores[i % size] only; with none, the system chooses.
  std::vector<std::uint32_t> cores = {};
  Duration stall_threshold = telemetry::stall_threshold_default;
};

// The cores that this process may run on, which are fewer than the machine's in a container.
[[nodiscard]] std::vector<std::uint32_t> usable_cores();

struct RunningTurn {
  ShardIndex shard;
  Duration running{};
};

// Owned by whoever starts the process, and used on that thread, which is none of the shards. What
// was started on the shards has ended before stop(): services are stopped first. Clock and registry
// outlive it.
class Shards {
 public:
  // Fails when a thread or a descriptor is not to be had, or a core is not usable.
  [[nodiscard]] static Result<std::unique_ptr<Shards>> start(const Clock& clock,
                                                             telemetry::Registry& registry,
                                                             const ShardsOptions& options);
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(shards_.size()); }
  // For what is set up before work begins on it, and its mailbox at any time.
  [[nodiscard]] Shard& at(ShardIndex index) { return *shards_[index.value()]; }

  // Calls function(Shard&) on the shard and blocks until it, or the task that it gives, has ended.
  template <class Function>
  auto run_on(ShardIndex index, Function function) {
    Visit<Function> visit(at(index), std::move(function));
    return visit.wait();
  }

  // Waits until no shard has an unanswered call, then ends all loops, each when nothing is left to
  // call back, and joins their threads. Does nothing the second time.
  void stop();

  // The turn that has run for longest by now. From any thread, until stop(): a shard that hangs
  // cannot tell it itself.
  [[nodiscard]] RunningTurn longest_running_turn() const;

 private:
  // A call from a thread that is no shard.
  template <class Work>
  class Visit : public Callback {
    using Given = std::invoke_result_t<Work&, Shard&>;
    using Value = typename EndResult<Given>::type;
    static constexpr bool is_task = EndResult<Given>::is_task;

   public:
    Visit(Shard& shard, Work function)
        : Callback([](Callback& self) { static_cast<Visit&>(self).run(); }),
          shard_(shard),
          work_(std::move(function)) {
      shard.loop().mailbox().send(*this);
    }
    auto wait() {
      ended_.wait();
      if constexpr (!std::is_void_v<Value>) return std::move(*value_);
    }

   private:
    task_detail::Detached run() {
      if constexpr (is_task && std::is_void_v<Value>) {
        co_await work_(shard_);
      } else if constexpr (is_task) {
        value_.emplace(co_await work_(shard_));
      } else if constexpr (std::is_void_v<Value>) {
        work_(shard_);
      } else {
        value_.emplace(work_(shard_));
      }
      ended_.count_down();
    }

    Shard& shard_;
    Work work_;
    std::optional<StoredResult<Value>> value_;
    std::latch ended_{1};
  };

  // What a shard's thread stands on.
  struct Ground {
    telemetry::StallMeter meter;
    std::unique_ptr<ShardLoop> loop;
    bool ended = false;  // of the shard's thread
    std::thread thread;
  };

  explicit Shards(const Clock& clock) : clock_(clock) {}
  [[nodiscard]] Result<void> add(telemetry::Registry& registry, const ShardsOptions& options,
                                 ShardIndex index);
  [[nodiscard]] static Result<void> start_thread(Ground& ground, const ShardsOptions& options,
                                                 ShardIndex index);

  const Clock& clock_;
  std::vector<std::unique_ptr<Ground>> grounds_;
  std::vector<std::unique_ptr<Shard>> shards_;
  bool is_stopped_ = false;
};

}  // namespace millrace
