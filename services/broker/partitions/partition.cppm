// A partition that this broker hosts, as requests see it.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

export module millrace.broker.partitions:partition;

import millrace.base;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.storage.log;
import millrace.telemetry;
import :settings;

export namespace millrace::broker {

using protocol::ErrorCode;
using telemetry::ShardIndex;

// Where a partition lives. By the topic's name, as the directories of partitions are: one that is
// made anew under its old name is on the shard that puts the old one away.
[[nodiscard]] ShardIndex shard_of(std::string_view topic, PartitionIndex partition,
                                  std::uint32_t shard_count);

// What a request for one partition is answered with when it fails; the sentence may be empty.
struct PartitionError {
  ErrorCode code = ErrorCode::unknown_server_error;
  std::string message;
};
template <class T>
using PartitionResult = Result<T, PartitionError>;

// How a failed append is answered.
[[nodiscard]] PartitionError partition_error(const storage::AppendError& error);
[[nodiscard]] PartitionError partition_error(const storage::ReadError& error);
[[nodiscard]] PartitionError partition_error(const storage::StorageError& error);

enum class Acks : std::int16_t { all = -1, none = 0, leader = 1 };

// Waits for a change of one partition; a member of whoever waits. The function is called once, on
// the partition's shard and from within what changed it: it makes a note or posts a callback, and
// asks nothing of the partition. Cancelled when it is destroyed.
class PartitionWaiter {
 public:
  using Function = void (*)(PartitionWaiter&);
  explicit PartitionWaiter(Function function) : function_(function) {}
  PartitionWaiter(const PartitionWaiter&) = delete;
  PartitionWaiter& operator=(const PartitionWaiter&) = delete;
  ~PartitionWaiter() { cancel(); }

  [[nodiscard]] bool waiting() const { return next_ != nullptr; }
  void cancel();

 private:
  friend class PartitionWaiters;

  Function function_;
  PartitionWaiter* previous_ = nullptr;
  PartitionWaiter* next_ = nullptr;
};

// Those who wait for one partition; a member of it.
class PartitionWaiters {
 public:
  PartitionWaiters();
  ~PartitionWaiters() { check(empty(), "nobody waits for a partition that is not there"); }

  void add(PartitionWaiter& waiter);
  // Calls all who wait now. Whoever waits again is called the next time; this may be gone then.
  void call_all();
  [[nodiscard]] inline bool empty() const { return ring_.next_ == &ring_; }

 private:
  PartitionWaiter ring_;
};

// Whole batches.
struct PartitionBytes {
  std::vector<std::byte> bytes;
  Offset high_watermark;
  Offset log_start;
  Offset log_end;
};

// What the partitions of a shard share; outlives them.
struct PartitionContext {
  Executor& executor;
  protocol::Decompressor& decompressor;
};

// Belongs to Partitions and its shard. A plain pointer to it is good until the next suspension;
// whoever waits keeps shared_from_this(). After its topic is gone, or moved away, it refuses
// everything; its log stays readable for those who are at it.
//
// The high watermark follows the end of the log while this broker alone is in sync, as far as
// flush.messages lets it; with more replicas in sync it stays until they are known to have more.
class Partition final : public std::enable_shared_from_this<Partition> {
 public:
  Partition(const PartitionContext& context, std::string topic, Uuid topic_id, PartitionIndex index,
            std::shared_ptr<storage::Log> log, std::shared_ptr<const TopicSettings> settings);
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  // --- What it is ---

  [[nodiscard]] const std::string& topic() const { return topic_; }
  [[nodiscard]] const Uuid& topic_id() const { return topic_id_; }
  [[nodiscard]] PartitionIndex index() const { return index_; }
  [[nodiscard]] inline storage::Log& log() { return *log_; }
  [[nodiscard]] inline const TopicSettings& settings() const { return *settings_; }

  // --- Where it stands ---

  [[nodiscard]] inline Offset log_start() const { return log_->start(); }
  [[nodiscard]] inline Offset log_end() const { return log_->end(); }
  [[nodiscard]] inline Offset high_watermark() const { return log_->high_watermark(); }
  // Up to here a reader with isolation level read_committed gets.
  [[nodiscard]] inline Offset last_stable_offset() const { return log_->last_stable_offset(); }
  [[nodiscard]] inline bool is_leader() const { return leading_; }
  // As of the metadata, whoever leads.
  [[nodiscard]] inline LeaderEpoch leader_epoch() const { return leader_epoch_; }
  // none, or why a request that knows this leader epoch (-1: none) is not served here:
  // NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR.
  [[nodiscard]] ErrorCode check_leader(LeaderEpoch current) const;
  // Whether as many replicas are in sync as min.insync.replicas asks for.
  [[nodiscard]] bool has_enough_replicas() const { return insync_count_ >= insync_needed(); }
  [[nodiscard]] std::uint32_t insync_count() const { return insync_count_; }
  // The leader epoch of the record at the offset, or that a record there will have.
  [[nodiscard]] LeaderEpoch epoch_at(Offset offset) const;
  // The answer to OffsetForLeaderEpoch: -1 and -1 if nothing can be said.
  [[nodiscard]] storage::LeaderEpochCache::EpochEnd end_of_epoch(LeaderEpoch epoch) const;

  // --- Waiting ---

  // Until the high watermark, the last stable offset, the log start or the leadership changes, or
  // the partition is gone.
  void wait_for_change(PartitionWaiter& waiter);

  // --- Appending ---

  // One batch of a coordinator, under the leader epoch in which it loaded the partition; any other
  // is NOT_LEADER_OR_FOLLOWER. Answered when the batch is below the high watermark. The bytes
  // are changed in place and stay until then. Submitted before the first suspension.
  [[nodiscard]] Task<PartitionResult<storage::Appended>> append_internal(LeaderEpoch required,
                                                                         MutableBytes batch,
                                                                         MonotonicTime deadline);
  // Batches below the high watermark, copied, from the one that holds the offset on; at least one,
  // if there is one.
  [[nodiscard]] Task<PartitionResult<PartitionBytes>> read_internal(LeaderEpoch required,
                                                                    Offset offset,
                                                                    std::size_t bytes_max);

  // For whoever has appended to log(): moves the high watermark and wakes those who wait.
  void appended();
  // Resumes when the high watermark has reached the offset. REQUEST_TIMED_OUT at the deadline;
  // NOT_LEADER_OR_FOLLOWER when this broker does not lead any more.
  [[nodiscard]] Task<ErrorCode> wait_for_high_watermark(Offset offset, MonotonicTime deadline);
  // Records below the offset are gone; -1 stands for the high watermark. The log start then.
  [[nodiscard]] Task<PartitionResult<Offset>> delete_records(Offset offset);
  // Tells those who wait that something has changed.
  void changed();

  // --- For Partitions ---

  // What the metadata say of it. True if it leads now and did not, or not in this epoch.
  bool follow(const metadata::Partition& partition, BrokerId self);
  void set_settings(std::shared_ptr<const TopicSettings> settings);
  // It is no longer here.
  void end();

 private:
  [[nodiscard]] std::uint32_t insync_needed() const;
  // True if it has moved.
  bool advance_high_watermark();

  PartitionContext context_;
  std::string topic_;
  Uuid topic_id_;
  PartitionIndex index_;
  std::shared_ptr<storage::Log> log_;
  std::shared_ptr<const TopicSettings> settings_;
  LeaderEpoch leader_epoch_ = no_leader_epoch;
  bool leading_ = false;
  bool ended_ = false;
  bool alone_in_sync_ = false;
  std::uint32_t insync_count_ = 0;
  std::uint32_t replica_count_ = 0;
  PartitionWaiters waiters_;
};

}  // namespace millrace::broker
