module;
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "planted.hpp"

module millrace.groups;

import millrace.base;

namespace millrace::groups {

Result<void> Coordinator::replay(ByteView key, std::optional<ByteView> value) {
  check(phase_ == Phase::loading, "records are replayed while the partition is loaded");
  auto stored = read_record(key, value);
  if (!stored) return failure(stored.error());
  if (auto* const group = std::get_if<StoredGroup>(&*stored)) {
    restore(std::move(*group));
  } else if (auto* const offset = std::get_if<StoredOffset>(&*stored)) {
    restore(std::move(*offset));
  } else {
    ++skipped_records_;
  }
  return {};
}

void Coordinator::restore(StoredGroup stored) {
  Group* const before = find(stored.id);
  if (before == nullptr && !stored.group) return;
  // Offsets have records of their own.
  OffsetTable offsets;
  if (before != nullptr) {
    if (!planted(Planted::group_record_loses_offsets)) offsets = std::move(before->offsets);
    erase(*before);
  }
  Group& group = stored.group ? groups_.emplace(stored.id, *std::move(stored.group)).first->second
                              : create(stored.id);
  group.is_stored = stored.group.has_value();
  group.offsets = std::move(offsets);
  settle(group);
}

void Coordinator::restore(StoredOffset stored) {
  Group* group = find(stored.group);
  if (group == nullptr) {
    if (!stored.offset) return;
    group = &create(stored.group);
  }
  if (stored.offset) {
    group->offsets.set(stored.topic, stored.partition, *std::move(stored.offset));
  } else {
    group->offsets.erase(stored.topic, stored.partition);
  }
  settle(*group);
}

Effects Coordinator::loaded(Now now) {
  check(phase_ == Phase::loading, "a partition is loaded once");
  now_ = now;
  phase_ = Phase::active;
  timers_.set({}, now_.monotonic + options_.expiry_interval);
  for (auto& [id, group] : groups_) {
    if (!planted(Planted::sessions_not_loaded)) {
      for (const auto& [member_id, member] : group.members()) start_session(group, member);
    }
    if (planted(Planted::restart_rebalances) && !group.members().empty()) prepare_rebalance(group);
    // The limit is lower than it was: who joins first stays.
    if (group.members().size() > options_.group_size_max) prepare_rebalance(group);
  }
  return finish();
}

}  // namespace millrace::groups
