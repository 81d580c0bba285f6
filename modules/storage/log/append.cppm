// Asking a log to append, and what it answers.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

export module millrace.storage.log:append;

import millrace.base;
import millrace.protocol.batch;
import millrace.storage.files;
import millrace.storage.producers;

export namespace millrace::storage {

class Log;

// One batch that a client or a coordinator gives to the leader, as validate_batch() accepted it.
// Base offset, leader epoch and timestamps are set in place.
struct LeaderAppend {
  MutableBytes batch;
  LeaderEpoch epoch;
  AppendOrigin origin = AppendOrigin::client;
  // With LogAppendTime the timestamps of the batch become these: ValidBatch says so.
  bool must_rewrite_timestamps = false;
  protocol::TimestampType timestamp_type = protocol::TimestampType::create_time;
  Timestamp max_timestamp = no_timestamp;
  // For markers: the version of the transaction protocol that the coordinator speaks.
  std::int16_t transaction_version = 0;
};

// `timestamp_type` is the topic's, as the batch was validated with.
[[nodiscard]] LeaderAppend leader_append(MutableBytes batch, const protocol::ValidBatch& valid,
                                         protocol::TimestampType timestamp_type, LeaderEpoch epoch,
                                         AppendOrigin origin = AppendOrigin::client);

// What a control batch says of a transaction; nothing if it is about something else.
[[nodiscard]] std::optional<ProducerMarker> transaction_marker(
    const protocol::BatchView& batch, protocol::Decompressor& decompressor);

// A batch of the log becomes part of what is known of its producer; the transaction that ended by
// it.
std::optional<CompletedTransaction> add_to_producers(ProducerStates& producers,
                                                     const protocol::BatchView& batch,
                                                     protocol::Decompressor& decompressor);

enum class AppendFault : std::uint8_t {
  storage,   // see `storage`: no space, or the directory is offline
  producer,  // see `verdict`
  larger_than_segment,
  offsets_go_back,  // of a replicated batch: it lies below the end of the log
  not_a_batch,      // of replicated bytes: corrupt
  old_epoch,        // the log has records of a later leader
  closed            // the log was closed, or its partition removed
};
[[nodiscard]] std::string_view name_of(AppendFault fault);

struct AppendError {
  AppendFault fault = AppendFault::closed;
  ProducerVerdict verdict = ProducerVerdict::accepted;
  StorageFault storage = StorageFault::offline;
  std::string message;
};

struct Appended {
  Offset base_offset;
  Offset last_offset;
  Timestamp log_append_time = no_timestamp;  // where the topic has LogAppendTime
  Offset log_start;
  // The batch had been appended before; the offsets are those that it got then.
  bool duplicate = false;
};

using AppendResult = Result<Appended, AppendError>;

// `co_await log.append(batch)`. Lies in the frame of the coroutine that awaits it: appending takes
// no memory of its own. Answered when the batch is in the log and, if the topic flushes, on the
// disk.
class AppendOperation {
 public:
  AppendOperation(Log& log, const LeaderAppend& append)
      : log_(log), bytes_(append.batch), leader_(append) {}
  // Batches as the leader has them, one after the other.
  AppendOperation(Log& log, MutableBytes batches) : log_(log), bytes_(batches) {}
  AppendOperation(const AppendOperation&) = delete;
  AppendOperation& operator=(const AppendOperation&) = delete;

  [[nodiscard]] bool await_ready();
  void await_suspend(std::coroutine_handle<> awaiting);
  [[nodiscard]] AppendResult await_resume() { return std::move(result_); }

 private:
  friend class Log;

  Log& log_;
  MutableBytes bytes_;  // what is not in the log yet
  std::optional<LeaderAppend> leader_;
  AppendResult result_{Appended{no_offset, no_offset, no_timestamp, no_offset, false}};
  bool refused_ = false;
  bool begun_ = false;  // some of its batches are in the log
  AppendOperation* next_ = nullptr;
  std::coroutine_handle<> awaiting_;
};

}  // namespace millrace::storage
