module;
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

module millrace.storage.producers;

import :epochs;

namespace millrace::storage {

namespace {

constexpr auto epoch_before_entry = [](LeaderEpoch epoch, const EpochEntry& entry) {
  return epoch < entry.epoch;
};
constexpr auto offset_before_entry = [](Offset offset, const EpochEntry& entry) {
  return offset < entry.start_offset;
};

}  // namespace

LeaderEpochCache::LeaderEpochCache(std::vector<EpochEntry> entries) : entries_(std::move(entries)) {
  for (std::size_t at = 1; at < entries_.size(); ++at) {
    check(entries_[at - 1].epoch < entries_[at].epoch &&
              entries_[at - 1].start_offset < entries_[at].start_offset,
          "leader epochs and their offsets ascend");
  }
}

bool LeaderEpochCache::assign(LeaderEpoch epoch, Offset start_offset) {
  check(epoch >= LeaderEpoch(0) && start_offset >= Offset(0),
        "a leader epoch and its first offset are not negative");
  if (!entries_.empty() && entries_.back().epoch == epoch &&
      start_offset >= entries_.back().start_offset) {
    return false;
  }
  while (!entries_.empty() &&
         (entries_.back().epoch >= epoch || entries_.back().start_offset >= start_offset)) {
    entries_.pop_back();
  }
  entries_.push_back({epoch, start_offset});
  return true;
}

bool LeaderEpochCache::truncate_from_end(Offset end_offset) {
  const std::size_t before = entries_.size();
  while (!entries_.empty() && entries_.back().start_offset >= end_offset) entries_.pop_back();
  return entries_.size() != before;
}

bool LeaderEpochCache::truncate_from_start(Offset start_offset) {
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), start_offset, offset_before_entry);
  if (after == entries_.begin()) return false;
  const auto around = std::prev(after);
  const bool changes = around != entries_.begin() || around->start_offset != start_offset;
  around->start_offset = start_offset;
  entries_.erase(entries_.begin(), around);
  return changes;
}

bool LeaderEpochCache::clear() {
  const bool changes = !entries_.empty();
  entries_.clear();
  return changes;
}

std::optional<LeaderEpoch> LeaderEpochCache::epoch_for_offset(Offset offset) const {
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), offset, offset_before_entry);
  if (after == entries_.begin()) return std::nullopt;
  return std::prev(after)->epoch;
}

LeaderEpochCache::EpochEnd LeaderEpochCache::end_offset_for(LeaderEpoch epoch,
                                                            Offset log_end_offset) const {
  if (epoch == no_leader_epoch || entries_.empty()) return {};
  // The current leader still writes: its epoch ends where the log does.
  if (entries_.back().epoch == epoch) return {epoch, log_end_offset};
  const auto higher = std::upper_bound(entries_.begin(), entries_.end(), epoch, epoch_before_entry);
  if (higher == entries_.end()) return {};
  // Older than all that is left of the log: nothing of it can agree, so all of what is left is
  // fetched.
  if (higher == entries_.begin()) return {epoch, higher->start_offset};
  return {std::prev(higher)->epoch, higher->start_offset};
}

std::optional<EpochEntry> LeaderEpochCache::earliest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.front();
}

std::optional<EpochEntry> LeaderEpochCache::latest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back();
}

std::optional<EpochEntry> LeaderEpochCache::previous(LeaderEpoch epoch) const {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), epoch,
      [](const EpochEntry& entry, LeaderEpoch wanted) { return entry.epoch < wanted; });
  if (at == entries_.begin()) return std::nullopt;
  return *std::prev(at);
}

std::optional<EpochEntry> LeaderEpochCache::next(LeaderEpoch epoch) const {
  const auto at = std::upper_bound(entries_.begin(), entries_.end(), epoch, epoch_before_entry);
  if (at == entries_.end()) return std::nullopt;
  return *at;
}

std::optional<EpochEntry> LeaderEpochCache::find(LeaderEpoch epoch) const {
  const auto at = std::upper_bound(entries_.begin(), entries_.end(), epoch, epoch_before_entry);
  if (at == entries_.begin() || std::prev(at)->epoch != epoch) return std::nullopt;
  return *std::prev(at);
}

}  // namespace millrace::storage
