module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;

namespace millrace::client {
namespace {

using protocol::BatchAttributes;
using protocol::BatchHeader;
using protocol::BatchSplitter;
using protocol::BatchView;
using protocol::RecordReader;
using protocol::RecordView;

// The range of offsets of a batch as a peer says it; refused where it is none.
bool has_legal_offsets(const BatchHeader& header) {
  return header.base_offset >= Offset(0) && header.last_offset_delta >= 0 &&
         header.last_offset() >= header.base_offset;
}

// What is taken for a compressed batch at first; it grows as bytes come out.
constexpr std::size_t decompressed_bytes_first = 64 * kibibyte;

}  // namespace

Result<ChunkEnd> end_of_chunk(ByteView batches, Offset from) {
  BatchSplitter splitter(batches);
  ChunkEnd end{from, 0};
  for (BatchView batch; splitter.next(batch);) {
    if (!has_legal_offsets(batch.header())) {
      return failure(ErrorKind::corrupt, "a batch has no legal range of offsets");
    }
    end.bytes += batch.bytes().size();
    end.next_offset = std::max(end.next_offset, batch.header().last_offset().next());
  }
  if (const auto finished = splitter.finish(); !finished && end.bytes == 0) {
    return failure(ErrorKind::corrupt, sentence(finished.error()));
  }
  if (end.bytes == 0) {
    return failure(
        ErrorKind::limit_exceeded,
        formatted("the next batch of {} bytes did not come whole", splitter.cut_batch_bytes()));
  }
  if (end.next_offset == from) {
    return failure(ErrorKind::corrupt, "the batches end before the offset that was asked for");
  }
  return end;
}

ChunkReader::ChunkReader(FetchedChunk chunk, const ReadOptions& options,
                         protocol::Decompressor& decompressor)
    : chunk_(std::move(chunk)),
      options_(options),
      decompressor_(&decompressor),
      splitter_(chunk_.batches),
      next_offset_(chunk_.from) {
  std::ranges::sort(chunk_.aborted, {}, &AbortedRange::first);
}

Result<std::size_t> ChunkReader::take(std::size_t records_max, FetchedRecords& to) {
  if (failed_) return failure(Error(*failed_));
  const std::size_t first = to.records_.size();
  while (!finished_ && to.records_.size() - first < records_max) {
    if (!reader_) {
      auto opened = open_next();
      if (!opened) failed_ = opened.error();
      if (!opened || !*opened) break;
    }
    if (auto read = read_open_batch(records_max - (to.records_.size() - first), to); !read) {
      failed_ = read.error();
      break;
    }
  }
  const std::size_t count = to.records_.size() - first;
  if (count == 0 && failed_) return failure(Error(*failed_));
  if (count > 0) {
    pin(chunk_.partition, to);
    to.ranges_.push_back({chunk_.partition, first, count, next_offset_, leader_epoch_});
  }
  return count;
}

void ChunkReader::pin(const std::shared_ptr<const void>& memory, FetchedRecords& to) const {
  if (to.pins_.empty() || to.pins_.back() != memory) to.pins_.push_back(memory);
}

Error ChunkReader::damaged(std::string_view why) const {
  return {ErrorKind::corrupt, formatted("{}, the batch at offset {}: {}",
                                        to_string(*chunk_.partition), next_offset_, why)};
}

// False at the end of the chunk. Batches that are left out as a whole are passed over.
Result<bool> ChunkReader::open_next() {
  for (BatchView batch; splitter_.next(batch);) {
    header_ = batch.header();
    if (!has_legal_offsets(header_)) return failure(damaged("it has no legal range of offsets"));
    // Also of what is passed over: a damaged header may say that the batch ends too early.
    if (options_.check_crcs && !batch.crc_matches()) {
      return failure(
          damaged("its checksum is wrong: it was damaged on the way or on the broker's disk"));
    }
    if (header_.last_offset() < next_offset_) continue;
    leader_epoch_ = header_.leader_epoch;
    const auto left_out = is_left_out(batch);
    if (!left_out) return failure(left_out.error());
    if (*left_out) {
      next_offset_ = header_.last_offset().next();
      continue;
    }
    if (auto opened = open(batch); !opened) return failure(opened.error());
    return true;
  }
  if (const auto end = splitter_.finish(); !end) return failure(damaged(sentence(end.error())));
  finished_ = true;
  return false;
}

// Follows the transactions: one that was aborted begins at an offset that the answer told, and ends
// with its producer's marker.
Result<bool> ChunkReader::is_left_out(const BatchView& batch) {
  const BatchAttributes attributes = header_.attributes;
  if (options_.read_committed && header_.has_producer_id()) {
    while (next_aborted_ < chunk_.aborted.size() &&
           chunk_.aborted[next_aborted_].first <= header_.last_offset()) {
      aborting_.push_back(chunk_.aborted[next_aborted_++].producer);
    }
    if (attributes.is_control()) {
      const auto aborts = is_abort_marker(batch);
      if (!aborts) return failure(aborts.error());
      if (*aborts) std::erase(aborting_, header_.producer.id);
    } else if (attributes.is_transactional() &&
               std::ranges::find(aborting_, header_.producer.id) != aborting_.end()) {
      return true;
    }
  }
  return attributes.is_control();
}

Result<bool> ChunkReader::is_abort_marker(const BatchView& batch) {
  RecordReader reader(*decompressor_, options_.limits);
  if (const auto opened = reader.open(batch); !opened)
    return failure(damaged(sentence(opened.error())));
  RecordView record;
  // Emptied by compaction.
  if (!reader.next(record)) return false;
  const auto key = protocol::read_control_record_key(record.key);
  if (!key) return failure(damaged(sentence(key.error())));
  return key->type == protocol::ControlRecordType::abort;
}

Result<void> ChunkReader::open(const BatchView& batch) {
  const auto codec = header_.attributes.codec();
  if (!codec) return failure(damaged("its compression is not known"));
  BatchView plain = batch;
  memory_ = chunk_.frame;
  if (*codec != protocol::Codec::none) {
    auto unpacked = decompressed(batch);
    if (!unpacked) return failure(unpacked.error());
    plain = *unpacked;
  }
  reader_.emplace(*decompressor_, options_.limits);
  if (const auto opened = reader_->open(plain); !opened) {
    reader_.reset();
    return failure(damaged(sentence(opened.error())));
  }
  return {};
}

// The same batch without compression, in memory of its own: what is given out stays valid, and the
// decompressor is free for the next one.
Result<BatchView> ChunkReader::decompressed(const BatchView& batch) {
  const auto started = decompressor_->start(*header_.attributes.codec(), batch.record_bytes(),
                                            options_.limits.decompression);
  if (!started) return failure(damaged(sentence(started.error().fault)));
  std::size_t capacity = record_batch_header_bytes +
                         std::max(decompressed_bytes_first, 2 * batch.record_bytes().size());
  std::shared_ptr<std::byte[]> bytes(new std::byte[capacity]);
  std::size_t size = record_batch_header_bytes;
  for (;;) {
    const auto read = decompressor_->read(MutableBytes(bytes.get() + size, capacity - size));
    if (!read) return failure(damaged(sentence(read.error().fault)));
    size += *read;
    if (size < capacity) break;
    std::shared_ptr<std::byte[]> larger(new std::byte[2 * capacity]);
    std::copy_n(bytes.get(), size, larger.get());
    bytes = std::move(larger);
    capacity *= 2;
  }
  BatchHeader header = header_;
  header.attributes = header.attributes.with(protocol::Codec::none);
  header.batch_length = static_cast<std::int32_t>(size - record_batch_prefix_bytes);
  protocol::write_batch_header(bytes.get(), header);
  const auto plain = BatchView::parse(ByteView(bytes.get(), size));
  if (!plain) return failure(damaged(sentence(plain.error())));
  memory_ = std::move(bytes);
  return *plain;
}

Result<void> ChunkReader::read_open_batch(std::size_t records_max, FetchedRecords& to) {
  const std::string_view topic = chunk_.partition->topic;
  const PartitionIndex partition = chunk_.partition->partition;
  const protocol::TimestampType type = header_.attributes.timestamp_type();
  const Offset last = header_.last_offset();
  const std::size_t end = to.records_.size() + records_max;
  const std::size_t first = to.records_.size();
  pin(memory_, to);
  RecordView record;
  while (to.records_.size() < end && reader_->next(record)) {
    if (record.offset < next_offset_) {
      if (record.offset < header_.base_offset || to.records_.size() > first) {
        return failure(damaged("its records are not in order"));
      }
      continue;
    }
    if (record.offset > last) return failure(damaged("a record lies beyond its range of offsets"));
    to.records_.push_back({topic, partition, record.offset, leader_epoch_, record.timestamp, type,
                           record.key, record.value, record.headers});
    next_offset_ = record.offset.next();
  }
  if (to.records_.size() == end) return {};
  const auto finished = reader_->finish();
  reader_.reset();
  if (!finished) return failure(damaged(sentence(finished.error())));
  next_offset_ = last.next();
  return {};
}

}  // namespace millrace::client
