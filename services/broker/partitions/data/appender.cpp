module;
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
  PreparedAppend prepared;
  if (!prepare(terms, part, prepared)) return;
  countdown.begin();
  append(terms, part, std::move(prepared), countdown);
}

bool Appender::prepare(const ProduceTerms& terms, ProducePart& part, PreparedAppend& prepared) {
  const auto led = part.topic_id.is_zero() ? partitions_.leader(part.topic, part.index)
                                           : partitions_.leader(part.topic_id, part.index);
  if (!led) {
    fail(part, led.error());
    return false;
  }
  Partition& partition = **led;
  if (terms.acks == Acks::all && !partition.has_enough_replicas()) {
    fail(part, ErrorCode::not_enough_replicas,
         formatted("{} replicas are in sync, fewer than min.insync.replicas",
                   partition.insync_count()));
    return false;
  }
  const TopicSettings& settings = partition.settings();
  protocol::ValidationOptions options;
  options.depth = check_;
  options.batch_bytes_max = settings.batch_bytes_max;
  options.require_keys = settings.log.compacts;
  options.zstd_allowed = terms.zstd_allowed;
  options.timestamp_type = settings.timestamp_type;
  options.now = clock_.wall_now();
  options.timestamp_before_max = settings.timestamp_before_max;
  options.timestamp_after_max = settings.timestamp_after_max;
  protocol::RecordReader reader(decompressor_);
  const auto valid = protocol::validate_batch(part.batch, options, reader);
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
