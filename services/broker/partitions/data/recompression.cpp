module;
#include <algorithm>
#include <cstdint>
#include <utility>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import :data_requests;
import :recompression;

namespace millrace::broker {

Recompression::Recompression(const protocol::ValidBatch& valid,
                             protocol::TimestampType timestamp_type,
                             const protocol::CompressionOptions& codec,
                             protocol::Decompressor& decompressor, protocol::Compressor& compressor,
                             BufferPool& buffers)
    : records_(buffers),
      compressed_(buffers),
      builder_(records_, compressed_, compressor),
      reader_(decompressor) {
  const protocol::BatchHeader& header = valid.batch.header();
  bytes_per_cost_ =
      header.attributes.codec() == protocol::Codec::none ? plain_bytes_per_compressed : 1;
  protocol::BatchOptions options;
  options.compression = codec;
  options.producer = header.producer;
  options.timestamp_type = timestamp_type;
  options.log_append_time = valid.max_timestamp;
  options.batch_bytes_max = protocol::batch_bytes_format_max;
  builder_.start(options);
  read_ = reader_.open(valid.batch);
}

bool Recompression::advance(std::uint64_t& left_of_turn) {
  if (!has_read_all_ && !(has_read_all_ = read(left_of_turn))) return false;
  const std::uint64_t cost = builder_.size_bytes() * recompressed_bytes_weight;
  if (read_ && cost > left_of_turn && left_of_turn < checked_bytes_per_turn) {
    left_of_turn = 0;
    return false;
  }
  compress();
  left_of_turn -= std::min(left_of_turn, cost);
  return true;
}

bool Recompression::read(std::uint64_t& left_of_turn) {
  const std::uint64_t before = reader_.read_bytes();
  const std::uint64_t pause_at = before + left_of_turn * bytes_per_cost_;
  reader_.pause_after(left_of_turn * bytes_per_cost_);
  bool is_paused = false;
  for (protocol::RecordView record; read_ && !is_paused && reader_.next(record);) {
    read_ = builder_.append_copy(record);
    is_paused = reader_.read_bytes() >= pause_at;
  }
  if (read_ && (is_paused || reader_.paused())) {
    left_of_turn = 0;
    return false;
  }
  if (read_) read_ = reader_.finish();
  left_of_turn -= std::min(left_of_turn, (reader_.read_bytes() - before) / bytes_per_cost_);
  return true;
}

void Recompression::compress() {
  if (!read_) {
    result_ = failure(read_.error());
  } else if (const auto batch = builder_.finish(); !batch) {
    result_ = failure(batch.error());
  } else {
    result_ = builder_.take_batch();
  }
}

}  // namespace millrace::broker
