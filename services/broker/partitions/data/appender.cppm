// Appending one partition of a produce request, on the shard of the partition.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

module millrace.broker.partitions.data:appender;

import millrace.base;
import millrace.broker.partitions;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.storage.log;
import millrace.telemetry;
import :metrics;

namespace millrace::broker {

// What all partitions of a request have in common.
struct ProduceTerms {
  Acks acks = Acks::leader;
  MonotonicTime deadline{};
  bool zstd_allowed = true;
};

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

// What one shard needs to append; a member of its DataRequests.
class Appender {
 public:
  Appender(Partitions& partitions, protocol::Decompressor& decompressor,
           protocol::Compressor& compressor, BufferPool& buffers, protocol::CheckDepth check,
           DataMetrics& metrics, const Clock& clock)
      : partitions_(partitions),
        decompressor_(decompressor),
        compressor_(compressor),
        buffers_(buffers),
        check_(check),
        metrics_(metrics),
        clock_(clock) {}

  // Everything up to the submission to the log is done when it returns; `part` and `terms` stay
  // until the countdown is told.
  void begin(const ProduceTerms& terms, ProducePart& part, Countdown& countdown);

 private:
  [[nodiscard]] bool prepare(const ProduceTerms& terms, ProducePart& part,
                             PreparedAppend& prepared);
  [[nodiscard]] bool recompress(const TopicSettings& settings, const protocol::ValidBatch& valid,
                                ProducePart& part, PreparedAppend& prepared);
  void fail(ProducePart& part, ErrorCode code, std::string message = {});
  task_detail::Detached append(const ProduceTerms& terms, ProducePart& part,
                               PreparedAppend prepared, Countdown& countdown);

  Partitions& partitions_;
  protocol::Decompressor& decompressor_;
  protocol::Compressor& compressor_;
  BufferPool& buffers_;
  protocol::CheckDepth check_;
  DataMetrics& metrics_;
  const Clock& clock_;
};

}  // namespace millrace::broker
