module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.fetching;

import millrace.base;
import millrace.broker.partitions;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.storage.files;
import millrace.storage.log;
import millrace.storage.producers;
import millrace.storage.segment;

namespace millrace::broker {
namespace {

// What is no longer is copied: that takes about the memory that a partition of a fetch takes
// anyway, and no open file, of which an answer about thousands of partitions would need as many.
constexpr std::uint64_t copied_bytes_max = kibibyte;

}  // namespace

FetchPart::~FetchPart() = default;

FetchedPartition& FetchPart::add(std::string topic, Uuid topic_id, PartitionIndex index,
                                 const WantedPartition& wanted) {
  return places_.emplace_back(*this, std::move(topic), topic_id, index, wanted).fetched;
}

void FetchPart::fail(FetchedPartition& fetched, ErrorCode error) const {
  fetched.error = error;
  fetched.high_watermark = no_offset;
  fetched.last_stable = no_offset;
  fetched.log_start = no_offset;
  fetched.slice = {};
  const bool elsewhere =
      error == ErrorCode::not_leader_or_follower || error == ErrorCode::fenced_leader_epoch;
  if (elsewhere) {
    fetched.leader = leader_hint(*partitions_.image(), fetched.topic, fetched.index);
  }
}

// A reader whose last record is not of this log must cut its own back first.
bool FetchPart::diverges(Partition& partition, FetchedPartition& fetched) {
  const LeaderEpoch last = fetched.wanted.last_fetched_epoch;
  if (last == no_leader_epoch) return false;
  const auto end = partition.log().epochs().end_offset_for(last, partition.log_end());
  if (end.epoch == no_leader_epoch || end.end_offset == no_offset) return false;
  if (end.epoch >= last && end.end_offset >= fetched.wanted.offset) return false;
  fetched.diverging = end;
  return true;
}

Task<void> FetchPart::read(Place& place, ReadLimits limits) {
  FetchedPartition& fetched = place.fetched;
  fetched.error = ErrorCode::none;
  fetched.diverging.reset();
  fetched.aborted.clear();
  fetched.slice = {};
  place.partition.reset();
  place.changed = false;
  const auto found =
      partitions_.leader(fetched.topic, fetched.index, fetched.wanted.current_leader_epoch);
  if (!found) co_return fail(fetched, found.error());
  if (fetched.topic_id != Uuid{} && (*found)->topic_id() != fetched.topic_id) {
    co_return fail(fetched, ErrorCode::inconsistent_topic_id);
  }
  place.partition = (*found)->shared_from_this();
  Partition* const partition = place.partition.get();
  fetched.high_watermark = partition->high_watermark();
  fetched.last_stable = partition->last_stable_offset();
  fetched.log_start = partition->log_start();
  if (diverges(*partition, fetched)) co_return;
  const Offset offset = fetched.wanted.offset;
  if (offset < fetched.log_start || offset > partition->log_end()) {
    co_return fail(fetched, ErrorCode::offset_out_of_range);
  }
  const Offset up_to =
      limits.isolation == Isolation::read_committed ? fetched.last_stable : fetched.high_watermark;
  const std::uint64_t bytes_max =
      std::min<std::uint64_t>(limits.bytes_max > bytes_ ? limits.bytes_max - bytes_ : 0,
                              static_cast<std::uint64_t>(std::max(fetched.wanted.bytes_max, 0)));
  const bool at_least_one = bytes_ == 0;
  if (offset >= up_to || (bytes_max == 0 && !at_least_one)) co_return;
  storage::Log& log = partition->log();
  auto slice = co_await log.read({offset, up_to, bytes_max, at_least_one});
  if (!slice) co_return fail(fetched, partition_error(slice.error()).code);
  if (slice->empty()) co_return;
  if (limits.isolation == Isolation::read_committed) {
    auto aborted = co_await log.aborted(offset, up_to);
    if (!aborted) co_return fail(fetched, partition_error(aborted.error()).code);
    fetched.aborted = std::move(*aborted);
  }
  fetched.slice = std::move(*slice);
  const ErrorCode brought = co_await bring_in(log, fetched);
  if (brought != ErrorCode::none) fail(fetched, brought);
}

Task<ErrorCode> FetchPart::bring_in(storage::Log& log, FetchedPartition& fetched) {
  storage::LogSlice& slice = fetched.slice;
  if (slice.in_memory()) {
    fetched.chunk = {slice.memory.data(), -1, 0, slice.memory.size()};
    co_return ErrorCode::none;
  }
  const int descriptor = files_.descriptor(slice.file.handle());
  if (descriptor < 0 || slice.length <= copied_bytes_max) {
    auto loaded = co_await log.load(slice);
    if (!loaded) co_return partition_error(loaded.error()).code;
    slice.file = {};
    fetched.loaded = std::move(*loaded);
    fetched.chunk = {fetched.loaded.data(), -1, 0, fetched.loaded.size()};
    co_return ErrorCode::none;
  }
  fetched.chunk = {nullptr, descriptor, static_cast<std::int64_t>(slice.position),
                   static_cast<std::size_t>(slice.length)};
  const auto in_memory = co_await files_.read_in(slice.file.handle(), slice.position, slice.length);
  if (!in_memory) {
    const auto error = storage::storage_error(in_memory.error(), slice.segment->log_path());
    log.report(error);
    co_return partition_error(error).code;
  }
  co_return ErrorCode::none;
}

Task<void> FetchPart::read(ReadLimits limits) {
  for (Place& place : places_) {
    if (!place.changed) continue;
    bytes_ -= place.fetched.slice.length;
    co_await read(place, limits);
    bytes_ += place.fetched.slice.length;
    if (place.fetched.error != ErrorCode::none || place.fetched.diverging) must_answer_ = true;
  }
}

bool FetchPart::stands(const Place& place) {
  if (!place.partition) return false;
  const Partition& partition = *place.partition;
  const FetchedPartition& fetched = place.fetched;
  return partition.high_watermark() == fetched.high_watermark &&
         partition.last_stable_offset() == fetched.last_stable &&
         partition.log_start() == fetched.log_start &&
         partition.check_leader(fetched.wanted.current_leader_epoch) == ErrorCode::none;
}

// Most fetches never come here: only then is anything told of changes.
Task<void> FetchPart::wait(MonotonicTime deadline) {
  bool changed = false;
  for (Place& place : places_) {
    if (place.waiter.waiting()) continue;
    if (!stands(place)) {
      place.changed = changed = true;
    } else {
      place.partition->wait_for_change(place.waiter);
    }
  }
  if (!changed) static_cast<void>(co_await signal_.wait(deadline));
}

void FetchPart::settle() {
  for (Place& place : places_) place.waiter.cancel();
}

}  // namespace millrace::broker
