module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.broker.partitions;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.storage.log;
import :appender;
import :metrics;

namespace millrace::broker {

void Appender::fail(ProducePart& part, ErrorCode code, std::string message) {
  part.fail(code, std::move(message));
  if (code == ErrorCode::not_leader_or_follower) {
    part.leader = part.topic_id.is_zero()
                      ? leader_hint(*partitions_.image(), part.topic, part.index)
                      : leader_hint(*partitions_.image(), part.topic_id, part.index);
  }
  metrics_.count_failure(code);
}

void Appender::begin(const ProduceTerms& terms, ProducePart& part, Countdown& countdown) {
  Partition* const partition = admit(terms, part);
  if (partition == nullptr) return;
  countdown.begin();
  if (in_line_.contains(partition) || !check_now(terms, part, *partition, countdown)) {
    wait_in_line(terms, part, *partition, countdown);
  }
}

Partition* Appender::admit(const ProduceTerms& terms, ProducePart& part) {
  const auto led = part.topic_id.is_zero() ? partitions_.leader(part.topic, part.index)
                                           : partitions_.leader(part.topic_id, part.index);
  if (!led) {
    fail(part, led.error());
    return nullptr;
  }
  Partition& partition = **led;
  if (terms.acks == Acks::all && !partition.has_enough_replicas()) {
    fail(part, ErrorCode::not_enough_replicas,
         formatted("{} replicas are in sync, fewer than min.insync.replicas",
                   partition.insync_count()));
    return nullptr;
  }
  return &partition;
}

protocol::ValidationOptions Appender::options_of(const ProduceTerms& terms,
                                                 const TopicSettings& settings) const {
  protocol::ValidationOptions options;
  options.depth = check_;
  options.batch_bytes_max = settings.batch_bytes_max;
  options.require_keys = settings.log.compacts;
  options.zstd_allowed = terms.zstd_allowed;
  options.timestamp_type = settings.timestamp_type;
  options.now = executor_.clock().wall_now();
  options.timestamp_before_max = settings.timestamp_before_max;
  options.timestamp_after_max = settings.timestamp_after_max;
  return options;
}

// --- In turns ---

namespace {

// Reads as much of the records as the rest of a turn allows, and takes it off that.
[[nodiscard]] bool advance(protocol::BatchValidation& validation,
                           const protocol::RecordReader& reader, std::uint64_t& left_of_turn) {
  const std::uint64_t weight = validation.is_compressed() ? 1 : plain_bytes_per_compressed;
  const std::uint64_t before = reader.read_bytes();
  const bool has_ended = validation.advance(left_of_turn * weight);
  const std::uint64_t used = (reader.read_bytes() - before + weight - 1) / weight;
  left_of_turn = has_ended ? left_of_turn - std::min(left_of_turn, used) : 0;
  return has_ended;
}

}  // namespace

bool Appender::check_now(const ProduceTerms& terms, ProducePart& part, Partition& partition,
                         Countdown& countdown) {
  if (!next_turn_.armed()) executor_.arm(next_turn_, executor_.clock().now());
  if (left_of_turn_ == 0) return false;
  protocol::RecordReader reader(decompressor_);
  protocol::BatchValidation validation(part.batch, options_of(terms, partition.settings()), reader);
  if (!advance(validation, reader, left_of_turn_)) return false;
  conclude(terms, part, partition, validation.result(), countdown);
  return true;
}

void Appender::begin_turn() {
  left_of_turn_ = checked_bytes_per_turn;
}

void Appender::wait_in_line(const ProduceTerms& terms, ProducePart& part, Partition& partition,
                            Countdown& countdown) {
  part.partition = partition.shared_from_this();
  part.terms = &terms;
  part.countdown = &countdown;
  part.next_in_line = nullptr;
  ++in_line_[&partition];
  const bool is_first = first_in_line_ == nullptr;
  (is_first ? first_in_line_ : last_in_line_->next_in_line) = &part;
  last_in_line_ = &part;
  if (is_first) work_off_line();
}

void Appender::leave_line(ProducePart& part) {
  const auto count = in_line_.find(part.partition.get());
  if (--count->second == 0) in_line_.erase(count);
  part.partition.reset();
  first_in_line_ = part.next_in_line;
}

// Begins anew with each batch: what its own turn has read of it is at most that turn's.
task_detail::Detached Appender::work_off_line() {
  protocol::Decompressor decompressor;  // the shard's is used by others between the slices
  std::uint64_t left_of_turn = 0;
  for (bool has_more = true; has_more;) {
    if (left_of_turn == 0) {
      metrics_.check_pauses.add();
      co_await yield(executor_);
      left_of_turn = checked_bytes_per_turn;
    }
    ProducePart& part = *first_in_line_;
    const auto partition = part.partition;
    const ProduceTerms& terms = *part.terms;
    protocol::RecordReader reader(decompressor);
    protocol::BatchValidation validation(part.batch, options_of(terms, partition->settings()),
                                         reader);
    while (!advance(validation, reader, left_of_turn)) {
      metrics_.check_pauses.add();
      co_await yield(executor_);
      left_of_turn = checked_bytes_per_turn;
    }
    // It may be led elsewhere by now.
    const Partition* const admitted = admit(terms, part);
    leave_line(part);
    // Who stands in an empty line from here on is somebody else's.
    has_more = first_in_line_ != nullptr;
    Countdown& countdown = *part.countdown;
    if (admitted == partition.get()) {
      conclude(terms, part, *partition, validation.result(), countdown);
    } else {
      if (admitted != nullptr) fail(part, ErrorCode::not_leader_or_follower);
      countdown.end();
    }
  }
}

void Appender::conclude(const ProduceTerms& terms, ProducePart& part, Partition& partition,
                        const protocol::BatchResult<protocol::ValidBatch>& valid,
                        Countdown& countdown) {
  PreparedAppend prepared;
  if (prepare(part, partition, valid, prepared)) {
    append(terms, part, std::move(prepared), countdown);
  } else {
    countdown.end();
  }
}

bool Appender::prepare(ProducePart& part, Partition& partition,
                       const protocol::BatchResult<protocol::ValidBatch>& valid,
                       PreparedAppend& prepared) {
  if (!valid) {
    part.is_bad_batch = true;
    part.record_index = valid.error().record_index;
    part.log_start = partition.log_start();
    fail(part, static_cast<ErrorCode>(protocol::kafka_error_code(valid.error().error)),
         protocol::sentence(valid.error()));
    return false;
  }
  const protocol::BatchHeader& header = valid->batch.header();
  if (header.attributes.is_transactional()) {
    fail(part, ErrorCode::invalid_txn_state, "this broker does not serve transactions");
    return false;
  }
  prepared.bytes = part.batch.size();
  prepared.records = valid->record_count;
  const TopicSettings& settings = partition.settings();
  if (settings.compression && settings.compression->codec() != header.attributes.codec()) {
    if (!recompress(settings, *valid, part, prepared)) return false;
  } else {
    prepared.append = storage::leader_append(part.batch, *valid, settings.timestamp_type,
                                             partition.leader_epoch());
  }
  prepared.append.epoch = partition.leader_epoch();
  prepared.partition = partition.shared_from_this();
  return true;
}

// The same records in a batch of the topic's codec.
bool Appender::recompress(const TopicSettings& settings, const protocol::ValidBatch& valid,
                          ProducePart& part, PreparedAppend& prepared) {
  const protocol::BatchHeader& header = valid.batch.header();
  protocol::BatchStorage records(buffers_);
  protocol::BatchStorage compressed(buffers_);
  protocol::BatchBuilder builder(records, compressed, compressor_);
  protocol::BatchOptions options;
  options.compression = *settings.compression;
  options.producer = header.producer;
  options.timestamp_type = settings.timestamp_type;
  options.log_append_time = valid.max_timestamp;
  options.batch_bytes_max = protocol::batch_bytes_format_max;
  builder.start(options);
  protocol::RecordReader reader(decompressor_);
  auto done = reader.open(valid.batch);
  for (protocol::RecordView record; done && reader.next(record);) {
    done = builder.append_copy(record);
  }
  if (done) done = reader.finish();
  if (done) {
    const auto batch = builder.finish();
    if (batch && batch->size() <= settings.batch_bytes_max) {
      prepared.recompressed = builder.take_batch();
      prepared.append.batch = prepared.recompressed.bytes();
      metrics_.recompressed_batches.add();
      return true;
    }
    if (batch) {
      part.is_bad_batch = true;
      fail(part, ErrorCode::message_too_large,
           formatted("the batch takes {} bytes with the topic's compression.type, more than "
                     "max.message.bytes, {}",
                     batch->size(), settings.batch_bytes_max));
      return false;
    }
    done = failure(batch.error());
  }
  part.is_bad_batch = true;
  fail(part, static_cast<ErrorCode>(protocol::kafka_error_code(done.error().error)),
       protocol::sentence(done.error()));
  return false;
}

task_detail::Detached Appender::append(const ProduceTerms& terms, ProducePart& part,
                                       PreparedAppend prepared, Countdown& countdown) {
  Partition& partition = *prepared.partition;
  const storage::AppendResult result = co_await partition.log().append(prepared.append);
  if (!result) {
    PartitionError error = partition_error(result.error());
    part.log_start = partition.log_start();
    fail(part, error.code, std::move(error.message));
    countdown.end();
    co_return;
  }
  partition.appended();
  part.base_offset = result->base_offset;
  part.append_time = result->log_append_time;
  part.log_start = result->log_start;
  metrics_.produced_bytes.add(prepared.bytes);
  metrics_.produced_records.add(static_cast<std::uint64_t>(prepared.records));
  metrics_.produced_batches.add();
  const Offset end = result->last_offset.next();
  if (terms.acks == Acks::all && partition.high_watermark() < end) {
    const ErrorCode code = co_await partition.wait_for_high_watermark(end, terms.deadline);
    if (code != ErrorCode::none) fail(part, code);
  }
  countdown.end();
}

}  // namespace millrace::broker
