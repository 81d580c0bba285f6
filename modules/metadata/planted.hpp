// Mistakes that the simulator must find, each in the place where it could be made. Only the mutant
// program of tests/sim makes them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../base/planted.hpp"

namespace millrace::metadata {

enum class Planted : std::uint8_t {
  none,
  answer_before_commit,
  lost_proposal_answered,  // as if it were committed, when another controller leads
  broker_epoch_repeated,
  stale_epoch_heard,
  taken_id_given,  // to a second process, while the first lives
  served_before_caught_up,
  session_not_prolonged,  // by a heartbeat
  sessions_forgotten,     // by a new leader
  fenced_broker_leads,
  shut_down_while_leading,
  unclean_without_leave,
  last_in_sync_forgotten,
  leader_epoch_kept,
  producer_ids_given_twice,
  topic_id_by_name,
  names_forgotten,  // by a new leader
  validation_makes_topic,
  settings_outlive_topic,
  delta_without_settings,  // of a topic that is gone
  snapshot_loses_broker_epoch,
  last
};
inline constexpr std::size_t planted_mistakes = static_cast<std::size_t>(Planted::last) - 1;

}  // namespace millrace::metadata
