// A batch made anew in its topic's codec, on the shard of its partition.
module;
#include <cstdint>
#include <optional>
#include <utility>

module millrace.broker.partitions.data:recompression;

import millrace.base;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import :data_requests;

namespace millrace::broker {

// Compressing takes about so many times as long as decompressing: a turn's share of it is smaller.
inline constexpr std::uint64_t recompressed_bytes_weight = 4;

// The records of one batch in a batch of another codec, made as the turns of the shard allow: read
// in slices, then compressed in one piece, in a turn of its own where it is long. What it is given
// stays until it has ended; nobody else uses the decompressor meanwhile.
class Recompression {
 public:
  Recompression(const protocol::ValidBatch& valid, protocol::TimestampType timestamp_type,
                const protocol::CompressionOptions& codec, protocol::Decompressor& decompressor,
                protocol::Compressor& compressor, BufferPool& buffers);
  Recompression(const Recompression&) = delete;
  Recompression& operator=(const Recompression&) = delete;

  // Takes what it does off the rest of a turn; true when the result is there.
  [[nodiscard]] bool advance(std::uint64_t& left_of_turn);
  [[nodiscard]] const protocol::BatchResult<Buffer>& result() const { return *result_; }
  // Once, where it is a batch.
  [[nodiscard]] Buffer take() { return std::move(**result_); }

 private:
  // True when all records are read, or cannot be.
  [[nodiscard]] bool read(std::uint64_t& left_of_turn);
  void compress();

  protocol::BatchStorage records_;
  protocol::BatchStorage compressed_;
  protocol::BatchBuilder builder_;
  protocol::RecordReader reader_;
  protocol::BatchResult<void> read_;
  bool has_read_all_ = false;
  std::uint64_t bytes_per_cost_;  // of records that are read
  std::optional<protocol::BatchResult<Buffer>> result_;
};

}  // namespace millrace::broker
