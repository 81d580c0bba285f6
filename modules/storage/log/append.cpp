module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.log;

namespace millrace::storage {

using protocol::BatchHeader;
using protocol::BatchView;
using protocol::TimestampType;

std::string_view name_of(AppendFault fault) {
  switch (fault) {
    case AppendFault::storage:
      return "storage";
    case AppendFault::producer:
      return "producer";
    case AppendFault::larger_than_segment:
      return "larger_than_segment";
    case AppendFault::offsets_go_back:
      return "offsets_go_back";
    case AppendFault::not_a_batch:
      return "not_a_batch";
    case AppendFault::old_epoch:
      return "old_epoch";
    case AppendFault::closed:
      return "closed";
  }
  return "unknown";
}

LeaderAppend leader_append(MutableBytes batch, const protocol::ValidBatch& valid,
                           TimestampType timestamp_type, LeaderEpoch epoch, AppendOrigin origin) {
  LeaderAppend append;
  append.batch = batch;
  append.epoch = epoch;
  append.origin = origin;
  append.must_rewrite_timestamps = valid.must_rewrite_timestamps;
  append.timestamp_type = timestamp_type;
  append.max_timestamp = valid.max_timestamp;
  return append;
}

namespace {

AppendError refusal(AppendFault fault, std::string message) {
  return {fault, ProducerVerdict::accepted, StorageFault::invalid, std::move(message)};
}

AppendError refusal(const StorageError& error) {
  return {AppendFault::storage, ProducerVerdict::accepted, error.fault, error.message};
}

AppendError refusal(ProducerVerdict verdict) {
  return {AppendFault::producer, verdict, StorageFault::invalid, std::string(name_of(verdict))};
}

[[nodiscard]] Offset base_offset_of(ByteView batch) {
  return Offset(load_big_endian<std::int64_t>(batch.data()));
}

}  // namespace

// What one write takes: batches that lie in the segment one behind the other.
struct Log::Group {
  Group(ProducerStates& states, Offset first, LeaderEpoch latest)
      : producers(states), end(first), epoch(latest) {}

  std::vector<ByteView> pieces;
  std::vector<BatchHeader> headers;
  StagedProducers producers;
  std::vector<EpochEntry> new_epochs;
  std::size_t bytes = 0;
  Offset end;
  LeaderEpoch epoch;
  // The last operation of which nothing is left to be written.
  AppendOperation* last = nullptr;

  void add(const BatchView& batch) {
    const BatchHeader& header = batch.header();
    if (header.leader_epoch > epoch) {
      new_epochs.push_back({header.leader_epoch, header.base_offset});
    }
    epoch = header.leader_epoch;
    pieces.push_back(batch.bytes());
    headers.push_back(header);
    bytes += batch.bytes().size();
    end = header.last_offset().next();
  }
  [[nodiscard]] bool full() const {
    return bytes >= write_group_bytes_max || headers.size() >= write_group_batches_max;
  }
};

bool AppendOperation::await_ready() {
  if (const auto usable = log_.usable(); !usable) {
    const bool closed = log_.closed_;
    result_ = failure(AppendError{closed ? AppendFault::closed : AppendFault::storage,
                                  ProducerVerdict::accepted, usable.error().fault,
                                  usable.error().message});
    return true;
  }
  return false;
}

void AppendOperation::await_suspend(std::coroutine_handle<> awaiting) {
  awaiting_ = awaiting;
  log_.enqueue(*this);
}

Log::WriterStart::WriterStart(Log& l)
    : Callback([](Callback& self) {
        Log& waiting = static_cast<WriterStart&>(self).log;
        waiting.background_.start(waiting.write_queue());
      }),
      log(l) {}

// The writer begins in the next turn of the loop, so that what arrives in this one is written at
// once.
void Log::enqueue(AppendOperation& operation) {
  (last_waiting_ == nullptr ? first_waiting_ : last_waiting_->next_) = &operation;
  last_waiting_ = &operation;
  if (writing_) return;
  writing_ = true;
  context_.segments.executor.post(writer_start_);
}

Task<void> Log::write_queue() {
  while (first_waiting_ != nullptr) {
    const auto guard = co_await changes_.lock();
    // Closing may have written all meanwhile. Batches that were given together stay together:
    // nobody cuts between them.
    while (first_waiting_ != nullptr) {
      co_await write_group();
      if (first_waiting_ == nullptr || !first_waiting_->begun_) break;
    }
  }
  writing_ = false;
}

Task<void> Log::write_group() {
  Group group(producers_, end_, epochs_.latest() ? epochs_.latest()->epoch : no_leader_epoch);
  StorageResult<void> done = usable();
  if (done && !active().prepared()) done = co_await prepare_active();
  AppendOperation* operation = first_waiting_;
  while (done && operation != nullptr && !group.full()) {
    if (operation->bytes_.empty() || operation->refused_) {
      group.last = operation;
      operation = operation->next_;
      continue;
    }
    if (stage(group, *operation) != Staged::full) continue;
    if (!group.headers.empty()) break;
    // Only a batch from far away does not fit into an empty segment.
    const bool far = active().empty();
    done = co_await roll_locked(far ? base_offset_of(operation->bytes_) : end_);
  }
  if (done && !group.headers.empty()) done = co_await write_staged(group);
  // Also what only repeats records that are not durable yet.
  if (done && must_flush()) done = co_await flush_locked();
  if (!done) {
    fail_group(group, noted(done.error()));
    co_return;
  }
  if (group.last != nullptr) answer(*group.last);
}

// After a clean stop the end of the log is what a checkpoint says. Where that is not so, appending
// would give offsets again.
Task<StorageResult<void>> Log::prepare_active() {
  if (auto prepared = co_await active().prepare(); !prepared) co_return prepared;
  if (active().next_offset() <= end_) co_return StorageResult<void>();
  co_return storage_failure(StorageFault::corrupt,
                            active().log_path() + " has records up to offset " +
                                std::to_string(active().next_offset().value()) +
                                " where the log was to end at " + std::to_string(end_.value()) +
                                ": the recovery point is not that of a clean stop");
}

namespace {

// A refusal that was held against what other batches of the group would have changed.
[[nodiscard]] bool depends_on_staged(const AppendResult& result) {
  if (result) return false;
  const AppendFault fault = result.error().fault;
  return fault == AppendFault::producer || fault == AppendFault::old_epoch ||
         fault == AppendFault::offsets_go_back;
}

}  // namespace

// Everything that was to be written with this group, or would be behind it, is answered.
void Log::fail_group(const Group& group, const StorageError& error) {
  AppendOperation* last = group.last != nullptr ? group.last : first_waiting_;
  // Of the one behind, a part may be staged.
  if (group.last != nullptr && group.last->next_ != nullptr) last = group.last->next_;
  for (AppendOperation* operation = first_waiting_; operation != nullptr;
       operation = operation->next_) {
    if (!operation->refused_ || depends_on_staged(operation->result_)) {
      operation->result_ =
          failure(AppendError{closed_ ? AppendFault::closed : AppendFault::storage,
                              ProducerVerdict::accepted, error.fault, error.message});
    }
    if (operation == last) break;
  }
  answer(*last);
}

// Resumes those who wait, up to and with this one.
void Log::answer(AppendOperation& last) {
  AppendOperation* operation = first_waiting_;
  first_waiting_ = last.next_;
  if (first_waiting_ == nullptr) last_waiting_ = nullptr;
  for (bool more = true; more;) {
    AppendOperation* next = operation->next_;
    more = operation != &last;
    // The operation ends with the coroutine that waits for it.
    operation->awaiting_.resume();
    operation = next;
  }
}

Log::Staged Log::stage(Group& group, AppendOperation& operation) {
  return operation.leader_ ? stage_leader(group, operation) : stage_replicated(group, operation);
}

std::optional<ProducerMarker> transaction_marker(const BatchView& batch,
                                                 protocol::Decompressor& decompressor) {
  protocol::RecordReader reader(decompressor);
  if (!reader.open(batch)) return std::nullopt;
  protocol::RecordView record;
  if (!reader.next(record)) return std::nullopt;
  const auto key = protocol::read_control_record_key(record.key);
  if (!key || (key->type != protocol::ControlRecordType::abort &&
               key->type != protocol::ControlRecordType::commit)) {
    return std::nullopt;
  }
  const auto value = protocol::read_end_transaction_marker(record.value);
  if (!value) return std::nullopt;
  return ProducerMarker{
      batch.header().producer.id, batch.header().producer.epoch,
      value->coordinator_epoch,   record.offset,
      record.timestamp,           key->type == protocol::ControlRecordType::abort};
}

ProducerCheck Log::check_producer(Group& group, const BatchView& batch, AppendOrigin origin,
                                  std::int16_t transaction_version) {
  const BatchHeader& header = batch.header();
  if (!header.has_producer_id()) return {};
  if (!header.attributes.is_control()) return group.producers.add(producer_batch(header), origin);
  const auto marker = transaction_marker(batch, context_.segments.decompressor);
  if (!marker) return {};
  return group.producers.add(*marker, origin, transaction_version);
}

bool Log::must_roll(const Group& group, const BatchHeader& header) const {
  const SegmentLimits limits{config_.segment_bytes, config_.segment_index_bytes,
                             config_.index_interval_bytes};
  if (!active().can_hold(header, group.bytes, limits)) return true;
  if (active().empty() && group.headers.empty()) return false;
  const Timestamp first =
      active().empty() ? group.headers.front().max_timestamp : active().first_timestamp();
  const std::int64_t age =
      first >= Timestamp(0) && header.max_timestamp >= Timestamp(0)
          ? header.max_timestamp.since(first)
          : context_.segments.executor.clock().wall_now().since(active().opened_at());
  return age > (config_.segment_age_max - roll_jitter_).count();
}

Log::Staged Log::refuse(AppendOperation& operation, AppendError error) {
  operation.result_ = failure(std::move(error));
  operation.refused_ = true;
  return Staged::refused;
}

Log::Staged Log::stage_leader(Group& group, AppendOperation& operation) {
  const LeaderAppend& append = *operation.leader_;
  const auto refuse = [&](AppendError error) { return Log::refuse(operation, std::move(error)); };
  if (append.batch.size() > config_.segment_bytes) {
    return refuse(refusal(AppendFault::larger_than_segment,
                          "a batch of " + std::to_string(append.batch.size()) +
                              " bytes is larger than segment.bytes, " +
                              std::to_string(config_.segment_bytes)));
  }
  if (append.epoch < group.epoch) {
    return refuse(refusal(AppendFault::old_epoch, "the log has records of leader epoch " +
                                                      std::to_string(group.epoch.value()) +
                                                      ", this one is of " +
                                                      std::to_string(append.epoch.value())));
  }
  protocol::rewrite_base_offset_and_epoch(append.batch, group.end, append.epoch);
  if (append.must_rewrite_timestamps) {
    protocol::rewrite_timestamps(append.batch, append.timestamp_type, append.max_timestamp);
  }
  const auto batch = BatchView::parse(append.batch);
  check(batch && batch->bytes().size() == append.batch.size(),
        "what is appended was validated as one batch");
  const BatchHeader& header = batch->header();
  if (must_roll(group, header)) return Staged::full;
  if (auto space = context_.keeper.admit(*this, append.origin, append.batch.size()); !space) {
    return refuse(refusal(space.error()));
  }
  const ProducerCheck verdict =
      check_producer(group, *batch, append.origin, append.transaction_version);
  const Timestamp append_time = header.attributes.timestamp_type() == TimestampType::log_append_time
                                    ? header.max_timestamp
                                    : no_timestamp;
  if (verdict.verdict == ProducerVerdict::duplicate) {
    operation.result_ = Appended{
        verdict.original.first_offset(), verdict.original.last_offset,
        append_time == no_timestamp ? no_timestamp : verdict.original.timestamp, start_, true};
    operation.bytes_ = {};
    return Staged::batch;
  }
  if (!verdict.accepted()) {
    return refuse(refusal(verdict.verdict));
  }
  operation.result_ =
      Appended{header.base_offset, header.last_offset(), append_time, start_, false};
  operation.bytes_ = {};
  group.add(*batch);
  return Staged::batch;
}

Log::Staged Log::stage_replicated(Group& group, AppendOperation& operation) {
  const auto refuse = [&](AppendFault fault, std::string message) {
    return Log::refuse(operation, refusal(fault, std::move(message)));
  };
  const auto batch = BatchView::parse(operation.bytes_);
  if (!batch) return refuse(AppendFault::not_a_batch, protocol::sentence(batch.error()));
  const BatchHeader& header = batch->header();
  // The CRC does not cover the offset. None comes after the last of all numbers.
  const bool ascends = header.base_offset >= group.end && header.last_offset_delta >= 0 &&
                       header.last_offset() >= header.base_offset &&
                       header.last_offset() < Offset(std::numeric_limits<std::int64_t>::max());
  if (!ascends) {
    return refuse(AppendFault::offsets_go_back,
                  "a batch with offsets " + std::to_string(header.base_offset.value()) + " to " +
                      std::to_string(header.last_offset().value()) + " where the log ends at " +
                      std::to_string(group.end.value()));
  }
  if (!batch->crc_matches()) {
    return refuse(AppendFault::not_a_batch, "the CRC of the batch at offset " +
                                                std::to_string(header.base_offset.value()) +
                                                " is wrong");
  }
  if (header.leader_epoch < group.epoch) {
    return refuse(AppendFault::old_epoch,
                  "a batch of leader epoch " + std::to_string(header.leader_epoch.value()) +
                      " behind one of " + std::to_string(group.epoch.value()));
  }
  if (must_roll(group, header)) return Staged::full;
  const auto space = context_.keeper.admit(*this, AppendOrigin::replication, batch->bytes().size());
  if (!space) return Log::refuse(operation, refusal(space.error()));
  const ProducerCheck verdict = check_producer(group, *batch, AppendOrigin::replication, 0);
  if (!verdict.accepted()) return Log::refuse(operation, refusal(verdict.verdict));
  if (operation.result_->base_offset == no_offset) {
    operation.result_ = Appended{header.base_offset, no_offset, no_timestamp, start_, false};
  }
  operation.result_->last_offset = header.last_offset();
  group.add(*batch);
  operation.bytes_ = operation.bytes_.subspan(batch->bytes().size());
  operation.begun_ = true;
  return Staged::batch;
}

Task<StorageResult<void>> Log::write_staged(Group& group) {
  // Where a leader begins is known before its first record is.
  for (const EpochEntry& entry : group.new_epochs) {
    static_cast<void>(epochs_.assign(entry.epoch, entry.start_offset));
  }
  StorageResult<void> done;
  // What the flush of this group may lack a descriptor for comes first: refused then, nothing of
  // the group is in the log.
  if (config_.flush_records && (names_dirty() || flushed_end_ < active().base())) {
    done = co_await flush_locked();
  } else if (names_due()) {
    done = co_await sync_names();
  }
  if (done && start_unsaved_) done = co_await save_start();
  if (done && (!group.new_epochs.empty() || epochs_unsaved_)) done = co_await save_epochs();
  if (done) done = co_await active().write(group.pieces);
  if (!done) {
    // What the file says too much is put right before anything else is written.
    if (epochs_.truncate_from_end(end_)) epochs_unsaved_ = true;
    co_return done;
  }
  changed_ = true;
  commit(group);
  if (active().should_save_indexes()) {
    // Without space or descriptors they stay in memory.
    const auto saved = co_await active().save_indexes();
    if (!saved && !is_shortage(saved.error().fault)) co_return failure(saved.error());
  }
  co_return StorageResult<void>();
}

// By offsets, as Kafka counts.
bool Log::must_flush() const {
  return config_.flush_records &&
         static_cast<std::uint64_t>(end_.since(flushed_end_)) >= *config_.flush_records;
}

void Log::commit(Group& group) {
  for (std::size_t i = 0; i < group.headers.size(); ++i) {
    const BatchHeader& header = group.headers[i];
    active().added(header, config_.index_interval_bytes);
    tail_.add(header, group.pieces[i]);
  }
  std::vector<CompletedTransaction> completed;
  group.producers.apply(completed);
  for (const CompletedTransaction& transaction : completed) {
    if (!transaction.aborted) continue;
    active().add_aborted({transaction.producer, transaction.first_offset, transaction.last_offset,
                          transaction.last_stable_offset});
  }
  end_ = group.end;
  cut_since_append_ = false;
}

}  // namespace millrace::storage
