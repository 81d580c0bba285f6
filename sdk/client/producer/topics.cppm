// The topics that a producer writes to, found by name without a lock.
module;
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.producer:topics;

import millrace.base;
import millrace.client.core;
import :choice;
import :partition;

export namespace millrace::client {

// A producer that is given more names than this refuses the next: its topics stay for its life.
inline constexpr std::size_t producer_topics_max = 100'000;

// Its partitions appear when the cluster tells them and never go. Found on any thread; changed on
// the client's. Owned by the table.
class Topic {
 public:
  Topic(std::string_view name, std::size_t batch_bytes, std::uint64_t seed)
      : name_(name), sticky(batch_bytes, seed) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  // 0 while it is not known.
  [[nodiscard]] inline std::int32_t partition_count() const {
    return count_.load(std::memory_order_acquire);
  }
  // Below a partition_count() that was seen.
  [[nodiscard]] inline Partition& partition(PartitionIndex index) const {
    return *partitions_.load(std::memory_order_acquire)[index.value()];
  }

  // Any thread: blocks until the count is known or a try to find it out has failed.
  [[nodiscard]] ClientResult<void> wait_until_known(Duration timeout, std::uint64_t failures_seen);
  [[nodiscard]] std::uint64_t failures() const;
  // Of the last try that failed.
  [[nodiscard]] std::optional<ClientError> last_failure() const;
  // The partitions that have a leader.
  [[nodiscard]] std::shared_ptr<const std::vector<std::int32_t>> available() const;

  // --- The client's thread. ---

  void set_partition_count(std::int32_t count);
  // Its partitions, and which of them have a leader, as the cluster has told.
  void learn(const TopicView& told);
  void fail(const ClientError& error);

 private:
  const std::string name_;
  std::atomic<std::int32_t> count_ = 0;
  std::atomic<Partition* const*> partitions_ = nullptr;
  std::vector<std::unique_ptr<Partition>> owned_;
  // Those before the last one may still be read.
  std::vector<std::unique_ptr<Partition*[]>> arrays_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const std::vector<std::int32_t>> available_ =
      std::make_shared<const std::vector<std::int32_t>>();
  std::uint64_t failures_ = 0;
  ClientError error_;

 public:
  StickyPartition sticky;
  std::atomic<std::uint32_t> next_in_turn = 0;  // of round robin
  // What a batch of it may grow to, as far as its brokers have refused larger ones.
  std::atomic<std::size_t> batch_bytes_most = std::numeric_limits<std::size_t>::max();
  bool is_loading = false;     // the client's thread asks for it
  MonotonicTime loads_told{};  // when sticky was told what waits
  Topic* next = nullptr;       // in its bucket
};

// Any thread finds and adds. Owned by the producer.
class TopicTable {
 public:
  TopicTable(std::size_t batch_bytes, std::uint64_t seed)
      : batch_bytes_(batch_bytes), seed_(seed) {}
  TopicTable(const TopicTable&) = delete;
  TopicTable& operator=(const TopicTable&) = delete;

  [[nodiscard]] inline Topic* find(std::string_view name) const {
    Topic* topic = buckets_[bucket_of(name)].load(std::memory_order_acquire);
    while (topic != nullptr && topic->name() != name) topic = topic->next;
    return topic;
  }
  // Null when there are too many.
  [[nodiscard]] Topic* find_or_add(std::string_view name);
  // All there are now.
  [[nodiscard]] std::vector<Topic*> all() const;

 private:
  static constexpr std::size_t bucket_count = 1024;
  [[nodiscard]] static inline std::size_t bucket_of(std::string_view name) {
    return std::hash<std::string_view>{}(name) % bucket_count;
  }

  const std::size_t batch_bytes_;
  const std::uint64_t seed_;
  std::array<std::atomic<Topic*>, bucket_count> buckets_{};
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Topic>> owned_;
};

}  // namespace millrace::client
