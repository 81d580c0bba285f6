// Mistakes that the crash test must find, each in the place where it could be made. A program has
// none of them: planted() is then a constant. Only the mutant program of tests/raft_store, which is
// built with MILLRACE_PLANTED, chooses one.
#pragma once

#include <cstddef>
#include <cstdint>

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

#ifdef MILLRACE_PLANTED
extern StorePlanted store_planted_now;
inline bool planted(StorePlanted mistake) {
  return mistake == store_planted_now;
}
#else
consteval bool planted(StorePlanted) {
  return false;
}
#endif

}  // namespace millrace::raft
