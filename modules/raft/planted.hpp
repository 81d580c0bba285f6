// Mistakes that the simulator must find, each in the place where it could be made. Only the mutant
// program of tests/sim makes them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../base/planted.hpp"

namespace millrace::raft {

enum class Planted : std::uint8_t {
  none,
  vote_not_synced,         // before its answer leaves
  append_not_synced,       // before a follower acknowledges it
  leader_counts_unsynced,  // entries of its own
  old_term_committed,      // by counting replicas
  log_not_compared_at_vote,
  second_vote_in_term,
  higher_term_ignored,   // of a message
  pre_vote_raises_term,  // where it arrives
  conflicting_tail_kept,
  matching_tail_truncated,       // by a message that is old
  change_before_own_term,        // of members
  two_changes_at_once,           // of members
  change_kept_after_truncation,  // of members
  snapshot_loses_membership,
  snapshot_before_sync,  // acknowledged
  read_without_round,
  read_by_older_round,  // one that began before the read came
  last
};
inline constexpr std::size_t planted_mistakes = static_cast<std::size_t>(Planted::last) - 1;

}  // namespace millrace::raft
