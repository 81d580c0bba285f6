module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;
import millrace.protocol.wire;

namespace millrace::client {

namespace {

constexpr std::size_t batch_place_bytes = (sizeof(Batch) + 7) / 8 * 8;
static_assert(batch_place_bytes + record_batch_header_bytes + 1024 < Chunk::data_bytes);

// A chunk with less room than this is left: a record is not cut into crumbs.
constexpr std::size_t crumb_bytes = 64;

inline std::size_t nullable_size(ByteView bytes) {
  if (protocol::is_null(bytes)) return 1;
  return varint_size(static_cast<std::int32_t>(bytes.size())) + bytes.size();
}

ByteView view_of(std::optional<ByteView> bytes) {
  if (!bytes) return {};
  return bytes->data() == nullptr ? protocol::empty_bytes : *bytes;
}

inline std::byte* write_bytes(std::byte* to, ByteView bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

inline std::byte* write_nullable(std::byte* to, ByteView bytes) {
  if (protocol::is_null(bytes)) {
    *to = std::byte{1};  // -1
    return to + 1;
  }
  return write_bytes(write_varint(to, static_cast<std::int32_t>(bytes.size())), bytes);
}

// Length, attributes and deltas: what stands before the key.
inline std::byte* write_front(std::byte* to, std::size_t body_bytes, std::int64_t timestamp_delta,
                              std::int32_t offset_delta) {
  to = write_varint(to, static_cast<std::int32_t>(body_bytes));
  *to++ = std::byte{0};
  to = write_varlong(to, timestamp_delta);
  return write_varint(to, offset_delta);
}

}  // namespace

RecordParts parts_of(std::optional<ByteView> key, std::optional<ByteView> value,
                     std::span<const HeaderView> headers, Timestamp timestamp) {
  RecordParts parts{view_of(key), view_of(value), headers, timestamp, 0};
  parts.fixed_bytes = 1 + nullable_size(parts.key) + nullable_size(parts.value) +
                      varint_size(static_cast<std::int32_t>(headers.size()));
  for (const HeaderView& header : headers) {
    parts.fixed_bytes += varint_size(static_cast<std::int32_t>(header.key.size())) +
                         header.key.size() + nullable_size(header.value);
  }
  return parts;
}

Batch::Batch(Chunk* first, MonotonicTime created) : first_(first), last_(first), created_(created) {
  first->begin = batch_place_bytes;
  first->filled = batch_place_bytes + record_batch_header_bytes;
}

Batch* Batch::make(ChunkList& spare, MonotonicTime created) {
  Chunk* chunk = spare.pop();
  check(chunk != nullptr, "a batch begins with a chunk");
  return ::new (static_cast<void*>(chunk->data)) Batch(chunk, created);
}

void Batch::end(Batch* batch, ChunkList& to) {
  Chunk* chunk = batch->first_;
  batch->~Batch();
  while (chunk != nullptr) {
    Chunk* next = chunk->next;
    to.push(chunk);
    chunk = next;
  }
}

std::size_t Batch::chunks_for_first(const RecordParts& parts) {
  const std::size_t all = batch_place_bytes + record_batch_header_bytes + parts.fixed_bytes +
                          record_frame_bytes_max + sizeof(Receipt);
  return (all + Chunk::data_bytes - 1) / Chunk::data_bytes;
}

Appended Batch::append(const RecordParts& parts, DeliverySink* sink, std::uint64_t token,
                       std::size_t bytes_max, ChunkList& spare, std::size_t& chunks_needed) {
  if (record_count_ == 0) base_timestamp_ = max_timestamp_ = parts.timestamp;
  const auto delta = static_cast<std::int64_t>(static_cast<std::uint64_t>(parts.timestamp.value()) -
                                               static_cast<std::uint64_t>(base_timestamp_.value()));
  const std::size_t body = parts.fixed_bytes + varlong_size(delta) + varint_size(record_count_);
  const std::size_t total = varint_size(static_cast<std::int32_t>(body)) + body;
  // Receipts hold a short delta; timestamps so far apart do not share a batch.
  if (record_count_ != 0 &&
      (bytes_ + total > bytes_max || delta != static_cast<std::int32_t>(delta))) [[unlikely]] {
    return Appended::batch_full;
  }
  const std::size_t room = last_->room();
  if (room >= total + sizeof(Receipt)) [[likely]] {
    std::byte* at = write_front(last_->data + last_->filled, body, delta, record_count_);
    at = write_nullable(at, parts.key);
    at = write_nullable(at, parts.value);
    at = write_varint(at, static_cast<std::int32_t>(parts.headers.size()));
    for (const HeaderView& header : parts.headers) {
      at = write_varint(at, static_cast<std::int32_t>(header.key.size()));
      at = write_bytes(at, as_bytes(header.key));
      at = write_nullable(at, header.value);
    }
    last_->filled += static_cast<std::uint32_t>(total);
  } else {
    const bool starts_here = room >= sizeof(Receipt) + crumb_bytes;
    const std::size_t elsewhere =
        starts_here ? total - (room - sizeof(Receipt)) : total + sizeof(Receipt);
    chunks_needed = (elsewhere + Chunk::data_bytes - 1) / Chunk::data_bytes;
    if (spare.size() < chunks_needed) return Appended::needs_chunks;
    if (!starts_here) {
      last_ = last_->next = spare.pop();
      ++chunk_count_;
    }
  }
  Chunk* begins_in = last_;
  if (sink != nullptr) {
    const Receipt receipt{sink, token, record_count_, static_cast<std::int32_t>(delta)};
    std::memcpy(begins_in->receipt_place(begins_in->receipts), &receipt, sizeof receipt);
    ++begins_in->receipts;
  }
  if (room < total + sizeof(Receipt)) [[unlikely]]
    append_in_pieces(parts, body, delta, spare);
  bytes_ += total;
  largest_record_bytes_ = std::max(largest_record_bytes_, total);
  ++record_count_;
  max_timestamp_ = std::max(max_timestamp_, parts.timestamp);
  return Appended::done;
}

void Batch::put(ByteView bytes, std::size_t& room, ChunkList& spare) {
  while (!bytes.empty()) {
    if (room == 0) {
      last_ = last_->next = spare.pop();
      check(last_ != nullptr, "a record was given the chunks that it needs");
      ++chunk_count_;
      room = last_->room();
    }
    const std::size_t part = std::min(room, bytes.size());
    std::memcpy(last_->data + last_->filled, bytes.data(), part);
    last_->filled += static_cast<std::uint32_t>(part);
    room -= part;
    bytes = bytes.subspan(part);
  }
}

void Batch::append_in_pieces(const RecordParts& parts, std::size_t body_bytes, std::int64_t delta,
                             ChunkList& spare) {
  std::array<std::byte, record_frame_bytes_max + 1> small;
  std::size_t room = last_->room();
  const auto put_small = [&](const std::byte* end) {
    put({small.data(), static_cast<std::size_t>(end - small.data())}, room, spare);
  };
  const auto put_nullable = [&](ByteView bytes) {
    put_small(write_varint(
        small.data(), protocol::is_null(bytes) ? -1 : static_cast<std::int32_t>(bytes.size())));
    put(bytes, room, spare);
  };
  put_small(write_front(small.data(), body_bytes, delta, record_count_));
  put_nullable(parts.key);
  put_nullable(parts.value);
  put_small(write_varint(small.data(), static_cast<std::int32_t>(parts.headers.size())));
  for (const HeaderView& header : parts.headers) {
    put_small(write_varint(small.data(), static_cast<std::int32_t>(header.key.size())));
    put(as_bytes(header.key), room, spare);
    put_nullable(header.value);
  }
}

std::byte* Batch::header_place() const {
  return first_->data + batch_place_bytes;
}

void Batch::replace_records(ByteView compressed, protocol::Codec codec) {
  check(codec_ == protocol::Codec::none && !is_sealed_, "records are compressed once");
  codec_ = codec;
  plain_bytes_ = bytes_;
  bytes_ = record_batch_header_bytes + compressed.size();
  for (Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    const std::size_t begin =
        chunk == first_ ? batch_place_bytes + record_batch_header_bytes : chunk->begin;
    const std::size_t part = std::min(compressed.size(), chunk->filled - begin);
    if (part != 0) std::memcpy(chunk->data + begin, compressed.data(), part);
    compressed = compressed.subspan(part);
    chunk->filled = static_cast<std::uint32_t>(begin + part);
  }
  check(compressed.empty(), "compressed records take the place of the records that they are");
}

void Batch::write_header(const protocol::ProducerState& producer, bool is_transactional) {
  producer_ = producer;
  is_sealed_ = true;
  const protocol::BatchHeader header{
      .base_offset = Offset(0),
      .batch_length = static_cast<std::int32_t>(bytes_ - record_batch_prefix_bytes),
      .leader_epoch = no_leader_epoch,
      .attributes = protocol::BatchAttributes().with(codec_).with(
          protocol::BatchAttributes::transactional_bit, is_transactional),
      .last_offset_delta = record_count_ - 1,
      .base_timestamp = base_timestamp_,
      .max_timestamp = max_timestamp_,
      .producer = producer,
      .record_count = record_count_,
  };
  std::byte* const place = header_place();
  protocol::write_batch_header(place, header);
  constexpr std::size_t before = protocol::batch_layout::attributes;
  std::uint32_t crc = crc32c(first_->record_bytes().subspan(before));
  for (const Chunk* chunk = first_->next; chunk != nullptr; chunk = chunk->next) {
    crc = crc32c_extend(crc, chunk->record_bytes());
  }
  store_big_endian(place + protocol::batch_layout::crc, crc);
}

void Batch::add_pieces(std::vector<protocol::RecordChunk>& to) const {
  for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    const ByteView piece = chunk->record_bytes();
    if (!piece.empty()) to.push_back({piece.data(), -1, 0, piece.size()});
  }
}

void Batch::add_record_pieces(std::vector<ByteView>& to) const {
  for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    ByteView piece = chunk->record_bytes();
    if (chunk == first_) piece = piece.subspan(record_batch_header_bytes);
    if (!piece.empty()) to.push_back(piece);
  }
}

std::vector<std::byte> Batch::contiguous() const {
  std::vector<std::byte> all;
  all.reserve(bytes_);
  for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    const ByteView piece = chunk->record_bytes();
    all.insert(all.end(), piece.begin(), piece.end());
  }
  return all;
}

void BatchList::append(BatchList& other) {
  if (other.empty()) return;
  (last_ == nullptr ? first_ : last_->next) = other.first_;
  last_ = other.last_;
  size_ += other.size_;
  other = BatchList();
}

}  // namespace millrace::client
