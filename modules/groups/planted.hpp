// Mistakes that the simulator must find, each in the place where it could be made. Only the mutant
// program of tests/sim makes them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../base/planted.hpp"

namespace millrace::groups {

enum class Planted : std::uint8_t {
  none,
  answer_before_append,
  read_before_append,  // offsets
  generation_kept,     // when members have joined
  sync_of_old_generation,
  commit_of_old_generation,
  heartbeat_of_old_generation,
  anyone_assigns,
  late_member_kept,  // one that did not join
  rebalance_without_end,
  assignment_without_end,
  silent_member_kept,
  sessions_not_loaded,
  restart_rebalances,
  static_assignment_lost,
  instance_not_fenced,
  read_offsets_expire,
  group_record_loses_offsets,
  tombstone_forgotten,  // of a group that is over
  last
};
inline constexpr std::size_t planted_mistakes = static_cast<std::size_t>(Planted::last) - 1;

}  // namespace millrace::groups
