// One at a time for each partition.
module;
#include <coroutine>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

export module millrace.storage.manager:turns;

import millrace.runtime;
import millrace.storage.files;

export namespace millrace::storage {

// Those who make and remove the same partition wait for one another. A member of a manager, on its
// shard; outlives the guards.
class PartitionTurns {
 private:
  struct Turn {
    AsyncMutex mutex;
    std::size_t users = 0;
  };
  using Turns = std::map<TopicPartition, Turn>;

 public:
  class [[nodiscard]] Guard {
   public:
    Guard(Turns& turns, Turns::iterator turn, AsyncMutex::Guard held)
        : turns_(&turns), turn_(turn), held_(std::move(held)) {}
    Guard(Guard&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)),
          turn_(other.turn_),
          held_(std::move(other.held_)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (turns_ == nullptr) return;
      // The next in line runs within this, and must find its turn.
      Turns* turns = turns_;
      const auto turn = turn_;
      {
        const AsyncMutex::Guard ended = std::move(held_);
      }
      if (--turn->second.users == 0) turns->erase(turn);
    }

   private:
    Turns* turns_;
    Turns::iterator turn_;
    AsyncMutex::Guard held_;
  };

  [[nodiscard]] Task<Guard> wait(TopicPartition partition) {
    const auto turn = turns_.try_emplace(std::move(partition)).first;
    ++turn->second.users;
    auto held = co_await turn->second.mutex.lock();
    co_return Guard(turns_, turn, std::move(held));
  }
  [[nodiscard]] std::size_t partitions() const { return turns_.size(); }
  // One for which somebody waits or works.
  [[nodiscard]] std::optional<TopicPartition> any() const {
    if (turns_.empty()) return std::nullopt;
    return turns_.begin()->first;
  }

 private:
  Turns turns_;
};

}  // namespace millrace::storage
