module;
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.partitioner;
import millrace.runtime;

namespace millrace::client {

void StickyPartition::set_loads(std::span<const PartitionLoad> loads) {
  std::size_t most = 0;
  for (const PartitionLoad& load : loads) most = std::max(most, load.batches_waiting);
  const std::scoped_lock lock(mutex_);
  shares_.clear();
  std::uint64_t sum = 0;
  for (const PartitionLoad& load : loads) {
    sum += most + 1 - load.batches_waiting;
    shares_.push_back({load.partition, sum});
  }
}

PartitionIndex StickyPartition::move_from(std::int32_t from, std::int32_t partition_count) {
  const std::scoped_lock lock(mutex_);
  const std::int32_t now = current_.load(std::memory_order_relaxed);
  // Somebody else has moved meanwhile.
  if (now != from && now >= 0 && now < partition_count) return PartitionIndex{now};
  auto next = static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(partition_count)));
  if (!shares_.empty()) {
    const std::uint64_t at = random_.below(shares_.back().up_to);
    const auto share = std::ranges::upper_bound(shares_, at, {}, &Share::up_to);
    if (share->partition.value() < partition_count) next = share->partition.value();
  }
  written_.store(0, std::memory_order_relaxed);
  current_.store(next, std::memory_order_relaxed);
  return PartitionIndex{next};
}

std::optional<PartitionIndex> partition_of_key(PartitionerKind kind, std::optional<ByteView> key,
                                               bool ignore_keys, std::int32_t partition_count) {
  const auto by = [&](protocol::Partitioner partitioner) {
    return protocol::key_partition(partitioner, key.value_or(ByteView{}), partition_count);
  };
  switch (kind) {
    case PartitionerKind::uniform_sticky:
      if (key && !ignore_keys) return by(protocol::Partitioner::murmur2);
      return std::nullopt;
    // librdkafka's: those without "random" in the name take no key for an empty one.
    case PartitionerKind::consistent:
      return by(protocol::Partitioner::consistent);
    case PartitionerKind::consistent_random:
      if (key && !key->empty()) return by(protocol::Partitioner::consistent);
      return std::nullopt;
    case PartitionerKind::murmur2:
      return by(protocol::Partitioner::murmur2);
    case PartitionerKind::murmur2_random:
      if (key) return by(protocol::Partitioner::murmur2);
      return std::nullopt;
    case PartitionerKind::fnv1a:
      return by(protocol::Partitioner::fnv1a);
    case PartitionerKind::fnv1a_random:
      if (key) return by(protocol::Partitioner::fnv1a);
      return std::nullopt;
    case PartitionerKind::round_robin:
    case PartitionerKind::random:
    case PartitionerKind::custom:
      break;
  }
  return std::nullopt;
}

}  // namespace millrace::client
