// Mistakes that the crash test must find, each in the place where it could be made. Only the mutant
// program of tests/raft_store makes them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../base/planted.hpp"

namespace millrace::raft {

enum class StorePlanted : std::uint8_t {
  none,
  directory_not_synced,      // after a rename
  acknowledged_before_sync,  // a write
  snapshot_renamed_before_sync,
  segments_deleted_first,  // before the snapshot that covers them is durable
  recovered_not_synced,    // what a process that was killed had written
  state_lost_at_roll,      // the header of the new segment does not have the hard state
  tail_kept,               // when an entry takes the place of an older one
  last
};
inline constexpr std::size_t store_planted_mistakes =
    static_cast<std::size_t>(StorePlanted::last) - 1;

}  // namespace millrace::raft
