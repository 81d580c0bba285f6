// The entries of one node that are not compacted away.
module;
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

export module millrace.raft:log;

import :types;

export namespace millrace::raft {

// Consecutive entries above a base, whose term is known and whose entry is not. Owned by a node, as
// it is in memory: what of it is durable, Persistence knows. Asking for an entry that is not there
// is a bug of the one who asks.
class Log {
 public:
  explicit Log(LogPosition base) : base_(base) {}

  [[nodiscard]] LogPosition base() const { return base_; }
  [[nodiscard]] LogPosition last() const {
    return entries_.empty() ? base_ : entries_.back().position();
  }
  // Nothing where the log does not reach, above and below.
  [[nodiscard]] std::optional<Term> term_at(LogIndex index) const;
  [[nodiscard]] bool holds(LogPosition position) const {
    return term_at(position.index) == position.term;
  }
  [[nodiscard]] const Entry& at(LogIndex index) const;

  // The first of `entries`, which are consecutive, that this log lacks or holds with another term.
  // One past the end of `entries` if there is none.
  [[nodiscard]] std::size_t first_missing(std::span<const Entry> entries) const;
  // The last place at or below `index` whose term is not above `term`. Two logs that disagree at
  // `index` cannot agree between it and that place.
  [[nodiscard]] LogPosition last_possible_match(LogIndex index, Term term) const;
  // Entries from `from` through `through` and no more than `bytes_max`, but at least one if there
  // is one.
  [[nodiscard]] std::vector<Entry> slice(LogIndex from, LogIndex through,
                                         std::size_t bytes_max) const;

  void append(Entry entry);
  void truncate_from(LogIndex index);
  // Forgets entries up to `index`, which the log holds.
  void compact_through(LogIndex index);
  // Forgets all; `base` comes from a snapshot.
  void reset(LogPosition base);

 private:
  [[nodiscard]] inline std::size_t place_of(LogIndex index) const {
    return static_cast<std::size_t>(index.since(base_.index) - 1);
  }

  LogPosition base_;
  std::deque<Entry> entries_;
};

}  // namespace millrace::raft
