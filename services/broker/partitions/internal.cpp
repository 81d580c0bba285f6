module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.partitions;

import millrace.protocol.batch;
import millrace.storage.log;
import :partition;

namespace millrace::broker {

namespace {

[[nodiscard]] auto refused(ErrorCode code, std::string message = {}) {
  return failure(PartitionError{code, std::move(message)});
}

}  // namespace

Task<PartitionResult<storage::Appended>> Partition::append_internal(LeaderEpoch required,
                                                                    MutableBytes batch,
                                                                    MonotonicTime deadline) {
  const auto kept = shared_from_this();
  if (!leading_ || required != leader_epoch_) co_return refused(ErrorCode::not_leader_or_follower);
  if (!has_enough_replicas()) co_return refused(ErrorCode::not_enough_replicas);
  protocol::ValidationOptions options;
  options.origin = protocol::BatchOrigin::coordinator;
  // Coordinators keep below the default: a lower setting would only keep groups from being written.
  options.batch_bytes_max = std::max(settings_->batch_bytes_max, message_bytes_max_default);
  options.require_keys = settings_->log.compacts;
  options.timestamp_type = settings_->timestamp_type;
  options.now = context_.executor.clock().wall_now();
  options.timestamp_before_max = settings_->timestamp_before_max;
  options.timestamp_after_max = settings_->timestamp_after_max;
  protocol::RecordReader reader(context_.decompressor);
  const auto valid = protocol::validate_batch(batch, options, reader);
  if (!valid) {
    co_return refused(static_cast<ErrorCode>(protocol::kafka_error_code(valid.error().error)),
                      protocol::sentence(valid.error()));
  }
  const auto appended_batch = co_await log_->append(storage::leader_append(
      batch, *valid, settings_->timestamp_type, leader_epoch_, storage::AppendOrigin::coordinator));
  if (!appended_batch) co_return failure(partition_error(appended_batch.error()));
  appended();
  const ErrorCode code =
      co_await wait_for_high_watermark(appended_batch->last_offset.next(), deadline);
  if (code != ErrorCode::none) co_return refused(code);
  co_return *appended_batch;
}

Task<PartitionResult<PartitionBytes>> Partition::read_internal(LeaderEpoch required, Offset offset,
                                                               std::size_t bytes_max) {
  const auto kept = shared_from_this();
  if (!leading_ || required != leader_epoch_) co_return refused(ErrorCode::not_leader_or_follower);
  PartitionBytes read;
  read.high_watermark = high_watermark();
  read.log_start = log_start();
  read.log_end = log_end();
  const auto slice = co_await log_->read({offset, read.high_watermark, bytes_max, true});
  if (!slice) co_return failure(partition_error(slice.error()));
  if (slice->empty()) co_return read;
  const auto bytes = co_await log_->load(*slice);
  if (!bytes) co_return failure(partition_error(bytes.error()));
  if (!leading_ || required != leader_epoch_) co_return refused(ErrorCode::not_leader_or_follower);
  const ByteView loaded = bytes->bytes();
  read.bytes.assign(loaded.begin(), loaded.end());
  co_return read;
}

Task<PartitionResult<Offset>> Partition::delete_records(Offset offset) {
  const auto kept = shared_from_this();
  if (!settings_->log.deletes) {
    co_return refused(ErrorCode::policy_violation,
                      "records of a topic whose cleanup.policy lacks delete cannot be deleted");
  }
  const Offset below = offset == Offset(-1) ? high_watermark() : offset;
  if (below < Offset(0) || below > high_watermark()) {
    co_return refused(ErrorCode::offset_out_of_range);
  }
  const auto deleted = co_await log_->delete_below(below);
  if (!deleted) co_return failure(partition_error(deleted.error()));
  changed();
  co_return log_start();
}

}  // namespace millrace::broker
