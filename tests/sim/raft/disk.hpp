// What one machine keeps through a crash.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "random.hpp"

import millrace.base;
import millrace.raft;

namespace millrace::raft::sim {

struct SavedSnapshot {
  SnapshotMeta meta;
  std::string data;
};

// Writes wait in order until they are synced. A crash keeps some of the first ones, and of the next
// one perhaps a part.
class Disk {
 public:
  // Where the group begins, or nothing for a machine that will join it.
  explicit Disk(Membership first);

  // `installed` is the data of write.install.
  void submit(const Write& write, std::string installed);
  void submit(SavedSnapshot snapshot);
  [[nodiscard]] bool busy() const { return !pending_.empty(); }

  // The first write is durable; the event tells the node.
  [[nodiscard]] Event sync_first();
  void crash(Random& random);

  // What is durable.
  [[nodiscard]] Recovered recover() const;
  [[nodiscard]] const HardState& hard_state() const { return hard_state_; }
  [[nodiscard]] const SavedSnapshot& snapshot() const { return snapshot_; }
  [[nodiscard]] bool holds(LogPosition position) const;
  void compact_through(LogIndex index);

 private:
  struct PendingWrite {
    Write write;
    std::string installed;
  };
  using Pending = std::variant<PendingWrite, SavedSnapshot>;

  void carry_out(const PendingWrite& pending, std::size_t entries);

  HardState hard_state_;
  SavedSnapshot snapshot_;
  std::deque<Entry> entries_;  // consecutive
  std::deque<Pending> pending_;
};

}  // namespace millrace::raft::sim
