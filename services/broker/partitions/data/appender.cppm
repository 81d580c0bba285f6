// Appending one partition of a produce request, on the shard of the partition.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

module millrace.broker.partitions.data:appender;

import millrace.base;
import millrace.broker.partitions;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.storage.log;
import millrace.telemetry;
import :data_requests;
import :metrics;
import :recompression;

namespace millrace::broker {

// What all partitions of a request have in common.
struct ProduceTerms {
  Acks acks = Acks::leader;
  MonotonicTime deadline{};
  bool zstd_allowed = true;
};

class Countdown;

// One partition: what is asked for and what came of it. Stays in place.
struct ProducePart {
  std::string_view topic;
  Uuid topic_id;  // zero: the topic is given by its name
  PartitionIndex index{};
  MutableBytes batch;
  ShardIndex shard{};

  ErrorCode code = ErrorCode::none;
  bool is_bad_batch = false;  // the producer's fault
  std::int32_t record_index = protocol::no_record_index;
  Offset base_offset = no_offset;
  Timestamp append_time = no_timestamp;
  Offset log_start = no_offset;
  LeaderHint leader;
  std::string message;

  // While it waits to be checked.
  const ProduceTerms* terms = nullptr;
  Countdown* countdown = nullptr;
  ProducePart* next_in_line = nullptr;

  void fail(ErrorCode error, std::string sentence = {}) {
    code = error;
    message = std::move(sentence);
  }
  void fail(PartitionError error) { fail(error.code, std::move(error.message)); }
};

// Counts what is under way on one shard and resumes whoever waits for its end.
class Countdown {
 public:
  Countdown() = default;
  Countdown(const Countdown&) = delete;
  Countdown& operator=(const Countdown&) = delete;

  inline void begin() { ++left_; }
  inline void end() {
    if (--left_ == 0 && waiting_) std::exchange(waiting_, nullptr).resume();
  }
  [[nodiscard]] auto wait() {
    struct Awaiter {
      Countdown& countdown;
      [[nodiscard]] bool await_ready() const noexcept { return countdown.left_ == 0; }
      void await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        countdown.waiting_ = awaiting;
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  std::size_t left_ = 0;
  std::coroutine_handle<> waiting_;
};

// An append that is about to be submitted.
struct PreparedAppend {
  std::shared_ptr<Partition> partition;
  storage::LeaderAppend append;
  Buffer recompressed;  // where the batch is not the one that came
  std::size_t bytes = 0;
  std::int32_t records = 0;
};

// What came of checking a batch.
struct CheckedBatch {
  const protocol::BatchResult<protocol::ValidBatch>& valid;
  // The topic's when the check began: the timestamps are right for this one.
  protocol::TimestampType timestamp_type;
};

// The batches of one partition that wait to be checked, in the order in which they came: as many as
// requests have in memory.
struct PartitionQueue {
  std::shared_ptr<Partition> partition;
  ProducePart* first = nullptr;
  ProducePart* last = nullptr;
  PartitionQueue* next_in_line = nullptr;
};

// Partitions that take turns. Owns none of them.
class PartitionLine {
 public:
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] PartitionQueue& first() const { return *first_; }
  void add(PartitionQueue& queue) {
    queue.next_in_line = nullptr;
    (first_ == nullptr ? first_ : last_->next_in_line) = &queue;
    last_ = &queue;
  }
  PartitionQueue& take() {
    PartitionQueue& taken = *first_;
    first_ = taken.next_in_line;
    return taken;
  }

 private:
  PartitionQueue* first_ = nullptr;
  PartitionQueue* last_ = nullptr;
};

// What one shard needs to append; a member of its DataRequests.
//
// What can be checked within this turn is checked at once; what comes too late waits for the next
// ones. Nobody waits there for long: a batch that a whole turn is too short for, or that has to be
// made anew in another codec for which the rest of the turn is, goes, with all that comes later for
// its partition, to a line of its own, which is worked off in slices.
class Appender {
 public:
  Appender(Partitions& partitions, Executor& executor, protocol::Decompressor& decompressor,
           protocol::Compressor& compressor, BufferPool& buffers, protocol::CheckDepth check,
           DataMetrics& metrics)
      : partitions_(partitions),
        executor_(executor),
        decompressor_(decompressor),
        compressor_(compressor),
        buffers_(buffers),
        check_(check),
        metrics_(metrics) {}
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  // Batches go to the log of a partition in the order of these calls. `part` and `terms` stay until
  // the countdown is told.
  void begin(const ProduceTerms& terms, ProducePart& part, Countdown& countdown);

 private:
  struct NextTurn : Timer {
    explicit NextTurn(Appender& a)
        : Timer([](Timer& self) { static_cast<NextTurn&>(self).appender.begin_turn(); }),
          appender(a) {}
    Appender& appender;
  };

  // The partition; null where it cannot be appended to, which `part` then says.
  [[nodiscard]] Partition* admit(const ProduceTerms& terms, ProducePart& part);
  [[nodiscard]] protocol::ValidationOptions options_of(const ProduceTerms& terms,
                                                       const TopicSettings& settings) const;

  [[nodiscard]] bool has_whole_turn() const { return left_of_turn_ == checked_bytes_per_turn; }
  void begin_turn();
  void pause();
  // Behind those that wait for the same partition.
  PartitionQueue& enqueue(const ProduceTerms& terms, ProducePart& part, Partition& partition,
                          Countdown& countdown);
  // Its first batch has been checked; the next one comes when the others in line had their turn.
  void leave(PartitionQueue& queue, PartitionLine& line);
  void check_in_slices(PartitionQueue& queue);
  task_detail::Detached work_off_large();

  void begin_anew(const Partition& partition, const CheckedBatch& checked,
                  protocol::Decompressor& decompressor, std::optional<Recompression>& anew);
  [[nodiscard]] bool makes_anew_now(const Partition& partition, const CheckedBatch& checked,
                                    std::optional<Recompression>& anew);

  void conclude_later(ProducePart& part, Partition& partition, const CheckedBatch& checked,
                      std::optional<Recompression>& anew);
  void conclude(const ProduceTerms& terms, ProducePart& part, Partition& partition,
                const CheckedBatch& checked, std::optional<Recompression>& anew,
                Countdown& countdown);
  [[nodiscard]] bool prepare(ProducePart& part, Partition& partition, const CheckedBatch& checked,
                             std::optional<Recompression>& anew, PreparedAppend& prepared);
  [[nodiscard]] bool take(Recompression& anew, const TopicSettings& settings, ProducePart& part,
                          PreparedAppend& prepared);
  void fail(ProducePart& part, ErrorCode code, std::string message = {});
  task_detail::Detached append(const ProduceTerms& terms, ProducePart& part,
                               PreparedAppend prepared, Countdown& countdown);

  Partitions& partitions_;
  Executor& executor_;
  protocol::Decompressor& decompressor_;
  protocol::Compressor& compressor_;
  BufferPool& buffers_;
  protocol::CheckDepth check_;
  DataMetrics& metrics_;

  std::uint64_t left_of_turn_ = checked_bytes_per_turn;
  NextTurn next_turn_{*this};

  // Each is in one of the lines, or is being checked.
  std::unordered_map<const Partition*, PartitionQueue> queues_;
  PartitionLine waiting_;  // for the next turns
  PartitionLine large_;
  bool works_off_large_ = false;
};

}  // namespace millrace::broker
