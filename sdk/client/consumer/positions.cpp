module;
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;

namespace millrace::client {

std::optional<Timestamp> reset_timestamp(const ConsumerSettings& settings, const Clock& clock) {
  using std::chrono::milliseconds;
  switch (settings.auto_offset_reset) {
    case OffsetReset::earliest:
      return earliest_timestamp;
    case OffsetReset::latest:
      return latest_timestamp;
    case OffsetReset::none:
      return std::nullopt;
    case OffsetReset::by_duration:
      break;
  }
  const auto back = std::chrono::duration_cast<milliseconds>(settings.auto_offset_reset_duration);
  return Timestamp(std::max<std::int64_t>(0, clock.wall_now().value() - back.count()));
}

PartitionProgress& Positions::add(const TopicPartition& partition, PositionNeed need,
                                  Timestamp reset_to) {
  const auto [place, is_new] = partitions_.try_emplace(partition);
  PartitionProgress& progress = place->second;
  if (is_new) {
    progress.name = std::make_shared<const TopicPartition>(partition);
    seek(progress, need, reset_to);
  }
  return progress;
}

void Positions::remove(const TopicPartition& partition) {
  partitions_.erase(partition);
}

PartitionProgress* Positions::find(const TopicPartition& partition) {
  const auto place = partitions_.find(partition);
  return place == partitions_.end() ? nullptr : &place->second;
}

const PartitionProgress* Positions::find(const TopicPartition& partition) const {
  const auto place = partitions_.find(partition);
  return place == partitions_.end() ? nullptr : &place->second;
}

void Positions::seek(PartitionProgress& partition, Offset to, LeaderEpoch epoch) {
  partition.need = PositionNeed::nothing;
  partition.position = to;
  partition.epoch = epoch;
  partition.proven = no_leader_epoch;
  partition.lost.reset();
  partition.failures = 0;
  partition.not_before = {};
  forget_fetched(partition);
}

void Positions::seek(PartitionProgress& partition, PositionNeed need, Timestamp reset_to) {
  partition.need = need;
  partition.reset_to = reset_to;
  partition.lost.reset();
  forget_fetched(partition);
}

void Positions::ask_for_proof(PartitionProgress& partition) {
  partition.need = PositionNeed::proof;
  forget_fetched(partition);
}

void Positions::forget_fetched(PartitionProgress& partition) {
  partition.buffered.clear();
  partition.problem.reset();
  partition.fetch_position = partition.position;
  partition.request = ++requests_;
  partition.fetching_from = no_broker;
  partition.replica = no_broker;
  partition.advanced = clock_->now();
  partition.heard = partition.advanced;
  partition.was_reported = false;
}

bool Positions::any_needs(PositionNeed need) const {
  return std::ranges::any_of(partitions_,
                             [&](const auto& entry) { return entry.second.need == need; });
}

std::vector<Positions::Place> Positions::consumed() const {
  std::vector<Place> places;
  for (const auto& [name, progress] : partitions_) {
    if (has_place(progress)) {
      places.push_back({name, progress.position, progress.epoch});
    }
  }
  return places;
}

}  // namespace millrace::client
