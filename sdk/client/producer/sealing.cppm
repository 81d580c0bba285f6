// What becomes of a full batch on the client's thread: compressed, given its header, and cut in
// pieces where a broker finds it too large.
module;
#include <cstddef>
#include <vector>

export module millrace.client.producer:sealing;

import millrace.base;
import millrace.protocol.batch;
import millrace.protocol.compression;
import :batch;
import :memory;

export namespace millrace::client {

// Scratch memory of this size is kept from batch to batch.
inline constexpr std::size_t sealing_scratch_kept_bytes_max = mebibyte;

// One per producer, on the client's thread. Compression works in a scratch buffer for one batch,
// which is on top of the producer's memory; what it gives takes the place of the records.
class Sealer {
 public:
  explicit Sealer(const protocol::CompressionOptions& compression, bool is_transactional = false)
      : compression_(compression), is_transactional_(is_transactional) {}

  // Compresses once, where that makes the batch smaller; writes the header.
  void seal(Batch& batch, const protocol::ProducerState& producer);

  // The records of a sealed batch in two or more, with their receipts, times and sequences; the
  // batch itself is ended. It has more than one record.
  [[nodiscard]] BatchList split(Batch* batch, ChunkPool& pool);

 private:
  void compress(Batch& batch);

  protocol::CompressionOptions compression_;
  bool is_transactional_;
  protocol::Compressor compressor_;
  protocol::Decompressor decompressor_;
  std::vector<ByteView> pieces_;
  std::vector<std::byte> scratch_;
};

}  // namespace millrace::client
