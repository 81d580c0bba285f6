// One batch of a partition from its first record to its outcome, in chunks of the producer's
// memory.
module;
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <vector>

export module millrace.client.producer:batch;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;
import millrace.protocol.wire;
import :delivery;
import :memory;

export namespace millrace::client {

// A record with what of its size does not depend on its place in a batch.
struct RecordParts {
  ByteView key;    // null where its data pointer is null
  ByteView value;  // likewise
  std::span<const HeaderView> headers;
  Timestamp timestamp;
  std::size_t fixed_bytes = 0;  // all but the length and the two deltas
};

[[nodiscard]] RecordParts parts_of(std::optional<ByteView> key, std::optional<ByteView> value,
                                   std::span<const HeaderView> headers, Timestamp timestamp);

// What a record may add to a batch, its receipt not counted.
inline constexpr std::size_t record_frame_bytes_max = 2 * varint_bytes_max + varlong_bytes_max;

enum class Appended : std::uint8_t { done, batch_full, needs_chunks };

// How far a batch is on the client's thread.
enum class BatchState : std::uint8_t { waiting, in_flight, succeeded, failed };

// Lives in its first chunk. Filled by the threads of the program under the lock of its queue; from
// then on it belongs to the client's thread. Its records are encoded once, here, and leave as they
// are, in pieces.
class Batch {
 public:
  // Takes one chunk of `spare`, which has it.
  [[nodiscard]] static Batch* make(ChunkList& spare, MonotonicTime created);
  // Gives all chunks to `to`; the batch is gone.
  static void end(Batch* batch, ChunkList& to);
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // How many chunks a record takes as the first of a batch.
  [[nodiscard]] static std::size_t chunks_for_first(const RecordParts& parts);
  // `bytes_max` bounds a batch of more than one record. needs_chunks: `spare` must have at least
  // chunks_needed.
  [[nodiscard]] Appended append(const RecordParts& parts, DeliverySink* sink, std::uint64_t token,
                                std::size_t bytes_max, ChunkList& spare,
                                std::size_t& chunks_needed);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }  // header included
  [[nodiscard]] std::int32_t record_count() const { return record_count_; }
  [[nodiscard]] MonotonicTime created() const { return created_; }
  [[nodiscard]] std::size_t chunk_count() const { return chunk_count_; }
  // Before it was compressed, header included.
  [[nodiscard]] std::size_t plain_bytes() const {
    return plain_bytes_ != 0 ? plain_bytes_ : bytes_;
  }
  [[nodiscard]] std::size_t largest_record_bytes() const { return largest_record_bytes_; }

  // --- On the client's thread, when no record comes any more. ---

  // Records from here on are those of a codec: for Sealer.
  void replace_records(ByteView compressed, protocol::Codec codec);
  // Writes the header with its checksum; again, when the producer's state has changed.
  void write_header(const protocol::ProducerState& producer, bool is_transactional = false);
  [[nodiscard]] bool is_sealed() const { return is_sealed_; }
  [[nodiscard]] const protocol::ProducerState& producer() const { return producer_; }
  [[nodiscard]] protocol::Codec codec() const { return codec_; }
  // The pieces, header first.
  void add_pieces(std::vector<protocol::RecordChunk>& to) const;
  [[nodiscard]] std::vector<std::byte> contiguous() const;
  // Of its records, without the header.
  void add_record_pieces(std::vector<ByteView>& to) const;

  // Calls visit(const Receipt&) for each record that has one, in their order.
  template <class Visit>
  void for_each_receipt(Visit visit) const {
    for (Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
      for (std::size_t i = 0; i < chunk->receipts; ++i) {
        Receipt receipt;
        std::memcpy(&receipt, chunk->receipt_place(i), sizeof receipt);
        visit(receipt);
      }
    }
  }
  [[nodiscard]] Timestamp timestamp_of(const Receipt& receipt) const {
    return base_timestamp_.plus(receipt.timestamp_delta);
  }

  Batch* next = nullptr;  // in the list that holds it
  BatchState state = BatchState::waiting;
  std::int32_t attempts = 0;
  MonotonicTime not_before{};  // when it may be tried again
  // Its sequence within the partition's epoch, once it has one.
  bool has_sequence = false;
  protocol::ProducerState assigned;
  // A request with it ended without an answer: it may be in the log.
  bool may_be_persisted = false;
  // Its outcome was told while a request still held its bytes.
  bool is_reported = false;
  Offset base_offset = no_offset;
  Timestamp log_append_time = no_timestamp;
  BrokerId last_broker = no_broker;
  std::unique_ptr<ClientError> error;  // why it failed, or why it was tried again the last time

 private:
  explicit Batch(Chunk* first, MonotonicTime created);
  ~Batch() = default;

  [[nodiscard]] std::byte* header_place() const;
  void append_in_pieces(const RecordParts& parts, std::size_t body_bytes, std::int64_t delta,
                        ChunkList& spare);
  void put(ByteView bytes, std::size_t& room, ChunkList& spare);

  Chunk* first_;
  Chunk* last_;
  std::size_t chunk_count_ = 1;
  std::size_t bytes_ = record_batch_header_bytes;
  std::size_t plain_bytes_ = 0;  // once it is compressed
  std::size_t largest_record_bytes_ = 0;
  std::int32_t record_count_ = 0;
  bool is_sealed_ = false;
  protocol::Codec codec_ = protocol::Codec::none;
  Timestamp base_timestamp_{0};
  Timestamp max_timestamp_{0};
  MonotonicTime created_;
  protocol::ProducerState producer_;
};

// Batches in order. Owns nothing.
class BatchList {
 public:
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] Batch* first() const { return first_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  inline void push(Batch* batch) {
    batch->next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = batch;
    last_ = batch;
    ++size_;
  }
  inline Batch* pop() {
    Batch* batch = first_;
    if (batch == nullptr) return nullptr;
    first_ = batch->next;
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    batch->next = nullptr;
    return batch;
  }
  // All of `other` comes after what is here.
  void append(BatchList& other);

 private:
  Batch* first_ = nullptr;
  Batch* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace millrace::client
