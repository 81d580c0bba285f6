// Which partition a record goes to.
module;
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

export module millrace.client.producer:choice;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

export namespace millrace::client {

// How much a partition has waiting; only partitions that can be written to are told of.
struct PartitionLoad {
  PartitionIndex partition{0};
  std::size_t batches_waiting = 0;
};

// Records without a key stay with one partition until about a batch of them was written, then move
// to another: batches are full and partitions get equal shares (KIP-794). Partitions with less
// waiting are chosen more often where loads differ. One per topic; any thread.
class StickyPartition {
 public:
  StickyPartition(std::size_t batch_bytes, std::uint64_t seed)
      : batch_bytes_(batch_bytes), random_(seed) {}

  [[nodiscard]] inline PartitionIndex current(std::int32_t partition_count) {
    const std::int32_t now = current_.load(std::memory_order_relaxed);
    if (now >= 0 && now < partition_count) [[likely]]
      return PartitionIndex{now};
    return move_from(now, partition_count);
  }
  // `bytes` went to the partition that current() gave. It is left when it has its share and its
  // batch is complete; in any case after twice that.
  inline void wrote(PartitionIndex partition, std::size_t bytes, bool batch_is_complete,
                    std::int32_t partition_count) {
    if (partition.value() != current_.load(std::memory_order_relaxed)) return;
    const std::size_t all = written_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (all < batch_bytes_ || (!batch_is_complete && all < 2 * batch_bytes_)) [[likely]]
      return;
    static_cast<void>(move_from(partition.value(), partition_count));
  }
  // None: all partitions alike.
  void set_loads(std::span<const PartitionLoad> loads);

 private:
  PartitionIndex move_from(std::int32_t from, std::int32_t partition_count);

  struct Share {
    PartitionIndex partition{0};
    std::uint64_t up_to = 0;  // the sum of this share and those before it
  };

  const std::size_t batch_bytes_;
  std::atomic<std::int32_t> current_ = -1;
  std::atomic<std::size_t> written_ = 0;
  std::mutex mutex_;
  Random random_;
  std::vector<Share> shares_;
};

// The partition of `key`, for the kinds that have one for it; none: wherever it suits.
[[nodiscard]] std::optional<PartitionIndex> partition_of_key(PartitionerKind kind,
                                                             std::optional<ByteView> key,
                                                             bool ignore_keys,
                                                             std::int32_t partition_count);

}  // namespace millrace::client
