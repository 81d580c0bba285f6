module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.groups;

import millrace.base;

namespace millrace::groups {
namespace {

// Between two slices others have their turn.
constexpr Milliseconds slice_pause{10};

}  // namespace

void Coordinator::expire_slice() {
  auto place = expiry_cursor_.empty() ? groups_.begin() : groups_.upper_bound(expiry_cursor_);
  std::size_t looked_at = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < expiry_groups_per_slice && place != groups_.end(); ++i) {
    Group& group = (place++)->second;  // which may go
    looked_at += group.offsets.size();
    bytes += group.offsets.erasure_bytes(group.id().size());
    expiry_cursor_ = group.id();
    expire_offsets(group);
    if (looked_at >= expiry_offsets_per_slice || bytes >= expiry_bytes_per_slice) break;
  }
  const bool done = place == groups_.end();
  if (done) expiry_cursor_.clear();
  timers_.set({}, now_.monotonic + (done ? options_.expiry_interval : slice_pause));
}

// Offsets of a group expire when it has been without members for long; of topics that nobody in it
// reads any more, and of those who are no members, when they have not been committed for long.
void Coordinator::expire_offsets(Group& group) {
  const bool by_commit_time =
      !group.protocol_type() ||
      (group.is(GroupState::stable) && group.is_consumer_group() && group.knows_subscriptions());
  const bool by_state_time = group.protocol_type() && group.is(GroupState::empty);
  std::vector<std::pair<std::string, PartitionIndex>> expired;
  if (by_commit_time || by_state_time) {
    for (const auto& [topic, partitions] : group.offsets.topics()) {
      if (group.is_subscribed_to(topic) && !planted(Planted::read_offsets_expire)) continue;
      for (const auto& [partition, offset] : partitions) {
        // An operator may have committed it after the last member had left.
        const Timestamp since =
            by_state_time
                ? std::max(group.state_since().value_or(offset.committed), offset.committed)
                : offset.committed;
        const Timestamp expires = offset.expires.value_or(later(since, options_.offsets_retention));
        if (now_.wall >= expires) expired.emplace_back(topic, partition);
      }
    }
  }
  std::vector<Record> records;
  for (const auto& [topic, partition] : expired) {
    group.offsets.erase(topic, partition);
    records.push_back(offset_tombstone(group.id(), topic, partition));
  }
  const bool is_over =
      group.is(GroupState::empty) && group.pending().empty() && group.offsets.empty();
  if (is_over) return erase_stored(group, std::move(records));
  if (!records.empty()) append(group, std::move(records));
  settle(group);
}

// After `records`, which say that its offsets are gone.
void Coordinator::erase_stored(Group& group, std::vector<Record> records) {
  if (group.is_stored && !planted(Planted::tombstone_forgotten))
    records.push_back(group_tombstone(group.id()));
  if (!records.empty()) append(group, std::move(records));
  erase(group);
}

}  // namespace millrace::groups
