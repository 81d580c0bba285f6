// The way between the shards of a running process.
module;
#include <coroutine>
#include <utility>

export module millrace.storage.manager:shard_crossing;

import millrace.runtime;
import millrace.runtime.shard;
import :crossing;

export namespace millrace::storage {

// Belongs to the shard from which it leads; the shard outlives it.
class ShardCrossing final : public Crossing {
 public:
  explicit ShardCrossing(Shard& here) : here_(here) {}

  [[nodiscard]] Task<void> run(ShardIndex to, Work work) override {
    co_await here_.call(to, [&work](Shard&) { return work(); });
  }

 private:
  Shard& here_;
};

}  // namespace millrace::storage
