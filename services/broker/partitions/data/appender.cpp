module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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
import :recompression;

namespace millrace::broker {

namespace {

// One batch that is checked as the turns of the shard allow.
class SlicedCheck {
 public:
  SlicedCheck(ByteView batch, const protocol::ValidationOptions& options,
              protocol::Decompressor& decompressor)
      : reader_(decompressor),
        validation_(batch, options, reader_),
        timestamp_type_(options.timestamp_type),
        // For its CRC.
        least_((batch.size() + plain_bytes_per_compressed - 1) / plain_bytes_per_compressed) {}
  SlicedCheck(const SlicedCheck&) = delete;
  SlicedCheck& operator=(const SlicedCheck&) = delete;

  // Reads as much of the records as the rest of a turn allows, and takes it off that; true when the
  // result is there.
  [[nodiscard]] bool advance(std::uint64_t& left_of_turn) {
    const std::uint64_t before = bytes_done();
    const bool has_ended = validation_.advance(left_of_turn * weight());
    const std::uint64_t done = (bytes_done() - before + weight() - 1) / weight();
    const std::uint64_t used = std::max(done, std::exchange(least_, 0));
    const bool is_known = has_ended && !decompression_failed();
    left_of_turn = is_known ? left_of_turn - std::min(left_of_turn, used) : 0;
    return has_ended;
  }
  [[nodiscard]] CheckedBatch result() const { return {validation_.result(), timestamp_type_}; }

 private:
  [[nodiscard]] std::uint64_t weight() const {
    return validation_.is_compressed() ? 1 : plain_bytes_per_compressed;
  }
  // Of what is decompressed, also that which no record came of.
  [[nodiscard]] std::uint64_t bytes_done() const {
    return validation_.is_compressed() ? reader_.record_bytes() : reader_.read_bytes();
  }
  // How much of a block was decompressed before it failed, nobody knows.
  [[nodiscard]] bool decompression_failed() const {
    const auto& valid = validation_.result();
    return !valid && valid.error().compression.has_value();
  }

  protocol::RecordReader reader_;
  protocol::BatchValidation validation_;
  protocol::TimestampType timestamp_type_;
  std::uint64_t least_;  // that the first slice counts for
};

}  // namespace

void Appender::fail(ProducePart& part, ErrorCode code, std::string message) {
  part.fail(code, std::move(message));
  if (code == ErrorCode::not_leader_or_follower) {
    part.leader = part.topic_id.is_zero()
                      ? leader_hint(*partitions_.image(), part.topic, part.index)
                      : leader_hint(*partitions_.image(), part.topic_id, part.index);
  }
  metrics_.count_failure(code);
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

void Appender::begin(const ProduceTerms& terms, ProducePart& part, Countdown& countdown) {
  Partition* const partition = admit(terms, part);
  if (partition == nullptr) return;
  countdown.begin();
  if (queues_.contains(partition)) {
    enqueue(terms, part, *partition, countdown);
    return;
  }
  if (!next_turn_.armed()) executor_.arm(next_turn_, executor_.clock().now());
  bool is_large = has_whole_turn();
  if (left_of_turn_ > 0) {
    SlicedCheck check(part.batch, options_of(terms, partition->settings()), decompressor_);
    if (check.advance(left_of_turn_)) {
      std::optional<Recompression> anew;
      if (makes_anew_now(*partition, check.result(), anew)) {
        conclude(terms, part, *partition, check.result(), anew, countdown);
        return;
      }
      is_large = true;
    }
  }
  PartitionQueue& queue = enqueue(terms, part, *partition, countdown);
  if (is_large) {
    check_in_slices(queue);
  } else {
    if (waiting_.empty()) pause();
    waiting_.add(queue);
  }
}

void Appender::begin_turn() {
  left_of_turn_ = checked_bytes_per_turn;
  while (!waiting_.empty() && left_of_turn_ > 0) {
    const bool is_first_of_turn = has_whole_turn();
    PartitionQueue& queue = waiting_.first();
    ProducePart& part = *queue.first;
    const auto partition = queue.partition;
    SlicedCheck check(part.batch, options_of(*part.terms, partition->settings()), decompressor_);
    const bool is_checked = check.advance(left_of_turn_);
    std::optional<Recompression> anew;
    if (is_checked && makes_anew_now(*partition, check.result(), anew)) {
      leave(waiting_.take(), waiting_);
      conclude_later(part, *partition, check.result(), anew);
    } else if (is_checked || is_first_of_turn) {
      check_in_slices(waiting_.take());
    }
  }
  if (!waiting_.empty()) pause();
  if (!has_whole_turn()) executor_.arm(next_turn_, executor_.clock().now());
}

void Appender::pause() {
  metrics_.check_pauses.add();
}

PartitionQueue& Appender::enqueue(const ProduceTerms& terms, ProducePart& part,
                                  Partition& partition, Countdown& countdown) {
  part.terms = &terms;
  part.countdown = &countdown;
  part.next_in_line = nullptr;
  PartitionQueue& queue = queues_[&partition];
  if (queue.first == nullptr) {
    queue.partition = partition.shared_from_this();
    queue.first = &part;
  } else {
    queue.last->next_in_line = &part;
  }
  queue.last = &part;
  return queue;
}

void Appender::leave(PartitionQueue& queue, PartitionLine& line) {
  queue.first = queue.first->next_in_line;
  if (queue.first != nullptr) {
    line.add(queue);
  } else {
    queues_.erase(queue.partition.get());
  }
}

void Appender::check_in_slices(PartitionQueue& queue) {
  large_.add(queue);
  if (!std::exchange(works_off_large_, true)) work_off_large();
}

// Begins anew with each batch: what its own turn has read of it is at most that turn's.
task_detail::Detached Appender::work_off_large() {
  protocol::Decompressor decompressor;  // the shard's is used by others between the slices
  std::uint64_t left_of_turn = 0;
  while (!large_.empty()) {
    if (left_of_turn == 0) {
      pause();
      co_await yield(executor_);
      left_of_turn = checked_bytes_per_turn;
    }
    PartitionQueue& queue = large_.take();
    ProducePart& part = *queue.first;
    const auto partition = queue.partition;
    SlicedCheck check(part.batch, options_of(*part.terms, partition->settings()), decompressor);
    while (!check.advance(left_of_turn)) {
      pause();
      co_await yield(executor_);
      left_of_turn = checked_bytes_per_turn;
    }
    std::optional<Recompression> anew;
    begin_anew(*partition, check.result(), decompressor, anew);
    while (anew && !anew->advance(left_of_turn)) {
      pause();
      co_await yield(executor_);
      left_of_turn = checked_bytes_per_turn;
    }
    leave(queue, large_);
    conclude_later(part, *partition, check.result(), anew);
  }
  works_off_large_ = false;
}

// --- In another codec ---

// Where the topic wants one. By the settings of now: the batch is made anew by no others.
void Appender::begin_anew(const Partition& partition, const CheckedBatch& checked,
                          protocol::Decompressor& decompressor,
                          std::optional<Recompression>& anew) {
  if (!checked.valid) return;
  const protocol::BatchAttributes attributes = checked.valid->batch.header().attributes;
  const auto& codec = partition.settings().compression;
  if (!codec || codec->codec() == attributes.codec() || attributes.is_transactional()) return;
  anew.emplace(*checked.valid, checked.timestamp_type, *codec, decompressor, compressor_, buffers_);
}

// False where there is no time for it in this turn.
bool Appender::makes_anew_now(const Partition& partition, const CheckedBatch& checked,
                              std::optional<Recompression>& anew) {
  begin_anew(partition, checked, decompressor_, anew);
  if (!anew) return true;
  return checked.valid->record_bytes * recompressed_bytes_weight <= left_of_turn_ &&
         anew->advance(left_of_turn_);
}

// --- To the log ---

// In a turn after the one in which it came: it may be led elsewhere by now.
void Appender::conclude_later(ProducePart& part, Partition& partition, const CheckedBatch& checked,
                              std::optional<Recompression>& anew) {
  const Partition* const admitted = admit(*part.terms, part);
  if (admitted == &partition) {
    conclude(*part.terms, part, partition, checked, anew, *part.countdown);
    return;
  }
  if (admitted != nullptr) fail(part, ErrorCode::not_leader_or_follower);
  part.countdown->end();
}

void Appender::conclude(const ProduceTerms& terms, ProducePart& part, Partition& partition,
                        const CheckedBatch& checked, std::optional<Recompression>& anew,
                        Countdown& countdown) {
  PreparedAppend prepared;
  if (prepare(part, partition, checked, anew, prepared)) {
    append(terms, part, std::move(prepared), countdown);
  } else {
    countdown.end();
  }
}

bool Appender::prepare(ProducePart& part, Partition& partition, const CheckedBatch& checked,
                       std::optional<Recompression>& anew, PreparedAppend& prepared) {
  const auto& valid = checked.valid;
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
  if (anew) {
    if (!take(*anew, partition.settings(), part, prepared)) return false;
  } else {
    prepared.append = storage::leader_append(part.batch, *valid, checked.timestamp_type,
                                             partition.leader_epoch());
  }
  prepared.append.epoch = partition.leader_epoch();
  prepared.partition = partition.shared_from_this();
  return true;
}

// The same records in a batch of the topic's codec.
bool Appender::take(Recompression& anew, const TopicSettings& settings, ProducePart& part,
                    PreparedAppend& prepared) {
  if (!anew.result()) {
    part.is_bad_batch = true;
    fail(part, static_cast<ErrorCode>(protocol::kafka_error_code(anew.result().error().error)),
         protocol::sentence(anew.result().error()));
    return false;
  }
  Buffer batch = anew.take();
  if (batch.bytes().size() > settings.batch_bytes_max) {
    part.is_bad_batch = true;
    fail(part, ErrorCode::message_too_large,
         formatted("the batch takes {} bytes with the topic's compression.type, more than "
                   "max.message.bytes, {}",
                   batch.bytes().size(), settings.batch_bytes_max));
    return false;
  }
  prepared.recompressed = std::move(batch);
  prepared.append.batch = prepared.recompressed.bytes();
  metrics_.recompressed_batches.add();
  return true;
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
