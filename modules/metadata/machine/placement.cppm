// On which brokers the replicas of new partitions lie.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

export module millrace.metadata.machine:placement;

import millrace.base;
import millrace.metadata;
import :requests;

export namespace millrace::metadata {

// Spreads partitions over brokers in turns: leaders by one broker further each, the other replicas
// at a distance that grows with each round, so that the partitions of one broker have their other
// replicas on many. Brokers that may lead come before those that may not.
class Placement {
 public:
  // `start` is random, so that small topics do not all begin at the same broker.
  Placement(const Image& image, std::uint64_t start);

  [[nodiscard]] std::size_t brokers() const { return active_.size() + others_.size(); }
  [[nodiscard]] bool has_active() const { return !active_.empty(); }
  // `factor` is 1 to brokers(), and there is an active one.
  [[nodiscard]] Replicas replicas_of(std::int32_t partition, std::size_t factor) const;

 private:
  std::vector<BrokerId> active_;
  std::vector<BrokerId> others_;
  std::uint64_t start_;
};

// A new partition: in sync are the replicas that may lead, the first of them leads.
[[nodiscard]] Partition new_partition(const Image& image, PartitionIndex index, Replicas replicas);

// Why such replicas cannot be; `factor` is what other partitions of the topic have, 0 if there are
// none.
[[nodiscard]] Outcome check_assignment(const Image& image, PartitionIndex partition,
                                       const Replicas& replicas, std::size_t factor);

}  // namespace millrace::metadata
