module;
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {

Placement::Placement(const Image& image, std::uint64_t start) : start_(start >> 32U) {
  image.for_each_broker([this](const Broker& broker) {
    (broker.is_active() ? active_ : others_).push_back(broker.id);
  });
}

Replicas Placement::replicas_of(std::int32_t partition, std::size_t factor) const {
  check(has_active() && factor > 0 && factor <= brokers(), "there are brokers for the replicas");
  const std::size_t count = active_.size();
  const std::size_t turn = start_ + static_cast<std::size_t>(partition);
  const std::size_t first = turn % count;
  const std::size_t round = turn / count;
  Replicas replicas = {active_[first]};
  for (std::size_t i = 0; i + 1 < count && replicas.size() < factor; ++i) {
    const std::size_t step = 1 + (round + i) % (count - 1);
    replicas.push_back(active_[(first + step) % count]);
  }
  for (std::size_t i = 0; i < others_.size() && replicas.size() < factor; ++i) {
    replicas.push_back(others_[(turn + i) % others_.size()]);
  }
  return replicas;
}

Partition new_partition(const Image& image, PartitionIndex index, Replicas replicas) {
  Partition partition;
  partition.index = index;
  for (const BrokerId replica : replicas) {
    const Broker* broker = image.broker(replica);
    if (broker != nullptr && broker->is_active()) partition.isr.push_back(replica);
  }
  check(!partition.isr.empty(), "one replica of a new partition may lead");
  partition.leader = partition.isr.front();
  partition.replicas = std::move(replicas);
  return partition;
}

Outcome check_assignment(const Image& image, PartitionIndex partition, const Replicas& replicas,
                         std::size_t factor) {
  const auto refuse = [](std::string message) {
    return Outcome{ErrorCode::invalid_replica_assignment, std::move(message)};
  };
  const std::int32_t index = partition.value();
  if (replicas.empty()) {
    return refuse(formatted("the assignment of partition {} names no broker", index));
  }
  if (replicas.size() > replicas_max) {
    return refuse(formatted("the assignment of partition {} names {} brokers; {} are allowed",
                            index, replicas.size(), replicas_max));
  }
  if (factor != 0 && replicas.size() != factor) {
    return refuse(
        formatted("the assignment of partition {} names {} brokers, that of another "
                  "partition {}",
                  index, replicas.size(), factor));
  }
  std::set<BrokerId> seen;
  bool has_active = false;
  for (const BrokerId replica : replicas) {
    if (!seen.insert(replica).second) {
      return refuse(formatted("the assignment of partition {} names broker {} twice", index,
                              replica.value()));
    }
    const Broker* broker = image.broker(replica);
    if (broker == nullptr) {
      return refuse(
          formatted("the assignment of partition {} names broker {}, which is not "
                    "registered",
                    index, replica.value()));
    }
    has_active = has_active || broker->is_active();
  }
  if (!has_active) {
    return refuse(
        formatted("all brokers in the assignment of partition {} are fenced or stopping", index));
  }
  return {};
}

}  // namespace millrace::metadata
