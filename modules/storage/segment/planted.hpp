// Mistakes that the crash test must find, each in the place where it could be made. Only the mutant
// program of tests/crash makes them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../base/planted.hpp"

namespace millrace::storage {

enum class Planted : std::uint8_t {
  none,
  directory_not_synced,           // after a file of a new segment was made
  flush_of_the_last_only,         // of the segments that are not durable
  recovery_point_before_data,     // and indexes are durable before the records
  indexes_not_synced,             // before the recovery point passes them
  snapshots_kept_above_cut,       // of producers
  recovery_point_not_lowered,     // in its file, before a cut
  cut_not_synced,                 // before something is written in its place
  removal_not_synced,             // of segments, before something is written in their place
  log_start_not_saved,            // before the segments below go
  lower_start_not_saved,          // when the log is truncated below it
  swap_before_sync,               // of the directory that has the names of the indexes
  gap_taken_for_compaction,       // where the end of a segment was lost
  epochs_not_saved,               // when a new leader appends
  time_index_without_last_entry,  // of a segment that was rolled where the recovery point is
  offset_index_left_empty,        // by recovery
  time_index_left_empty,          // of what is appended or recovered
  transaction_index_left_empty,   // by recovery
  failure_not_noted,              // of the device, by the log
  sync_tried_again,               // after it failed
  part_of_write_kept,             // when there was no space for all of it
  cleaned_not_synced,             // before it takes the place of what it was made from
  tombstone_dropped_early,        // by the first cleaning that meets it
  last_of_producer_dropped,       // by a cleaning
  // --- Of a server's storage ---
  checkpoint_before_data,  // recovery points are saved that no log has reached
  mark_before_flush,       // of an end in order, where logs were not made durable
  mark_not_removed,        // at the start
  topic_id_not_saved,      // when a partition was made
  partition_not_synced     // its directory's name, when it was made
};
inline constexpr std::size_t planted_in_logs =
    static_cast<std::size_t>(Planted::last_of_producer_dropped);
inline constexpr std::size_t planted_in_servers =
    static_cast<std::size_t>(Planted::partition_not_synced) - planted_in_logs;

}  // namespace millrace::storage
