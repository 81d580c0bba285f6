// Work that the manager of one shard gives to another shard.
module;
#include <coroutine>
#include <functional>
#include <optional>
#include <utility>

export module millrace.storage.manager:crossing;

import millrace.runtime;
import millrace.telemetry;

export namespace millrace::storage {

using telemetry::ShardIndex;

// The way from one shard to the others; each shard has its own, which outlives what uses it.
// Nothing fails on the way: what is given to a shard is done there.
class Crossing {
 public:
  using Work = std::function<Task<void>()>;

  virtual ~Crossing() = default;

  // Calls `work` on the shard `to` and resumes here when its task has ended. What is given to one
  // shard begins there in the order of these calls.
  [[nodiscard]] virtual Task<void> run(ShardIndex to, Work work) = 0;

 protected:
  Crossing() = default;
  Crossing(const Crossing&) = delete;
  Crossing& operator=(const Crossing&) = delete;
};

// Where all shards are one thread: a process with one shard, and tests.
class SameThread final : public Crossing {
 public:
  [[nodiscard]] Task<void> run(ShardIndex, Work work) override { co_await work(); }
};

// What `function`, which gives a Task<T>, gives on the other shard. It refers to what stays in
// place until then: `co_await cross<Sizes>(crossing, home, [&] { return directories.sizes(); })`.
template <class T, class Function>
[[nodiscard]] Task<T> cross(Crossing& crossing, ShardIndex to, Function function) {
  std::optional<T> value;
  co_await crossing.run(to, [&]() -> Task<void> { value.emplace(co_await function()); });
  co_return std::move(*value);
}

}  // namespace millrace::storage
