// Reads that see all that was committed before they were asked for.
module;
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

export module millrace.raft:reads;

import millrace.base;
import :events;
import :types;

export namespace millrace::raft {

// A leader may have been replaced without knowing it. So a read takes the commit index, and is
// answered when a majority has confirmed, in a round of heartbeats that began after the read came,
// that the leader still leads, and when all up to that index is applied. Reads that come while a
// round is under way share the next one. Owned by a node.
class Reads {
 public:
  [[nodiscard]] std::size_t size() const;

  void add(ReadId id) { waiting_.push_back(id); }
  // Whether reads wait for a round and none is under way.
  [[nodiscard]] bool round_wanted() const { return asked_.empty() && !waiting_.empty(); }
  // Those that wait will see what is committed now.
  void begin_round(Round round, LogIndex commit);
  // The round under way, if any.
  [[nodiscard]] std::optional<Round> asked() const;
  void round_confirmed();
  // Answers those whose index is applied.
  void answer(LogIndex applied, std::vector<ReadAnswer>& answers);
  // The node does not lead any more.
  void refuse_all(std::vector<ReadAnswer>& answers);

 private:
  struct Confirmed {
    ReadId id;
    LogIndex index;
  };

  std::vector<ReadId> waiting_;
  std::vector<ReadId> asked_;  // in round_
  Round round_;
  LogIndex index_;  // what those in asked_ see
  std::deque<Confirmed> confirmed_;
};

}  // namespace millrace::raft
