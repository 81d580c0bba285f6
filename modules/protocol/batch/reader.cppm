// Reading the records of a batch, compressed or not.
module;
#include <cstddef>
#include <cstdint>
#include <limits>

export module millrace.protocol.batch:reader;

import :failure;
import :header;
import :record;
import millrace.base;
import millrace.protocol.compression;

export namespace millrace::protocol {

// What the records of one compressed batch may cost.
struct RecordLimits {
  DecompressionLimits decompression;
  // One record, with its length field. It is held in memory as a whole.
  std::size_t record_bytes_max = 100 * mebibyte;
};

// Walks the records of one batch after the other. Records of an uncompressed batch are views into
// it; those of a compressed one are views into a window of its decompressed bytes and valid until
// the next call of next(). Allocates nothing itself; the window is the decompressor's. Lives on one
// thread.
//   if (auto opened = reader.open(batch); !opened) ...
//   for (RecordView record; reader.next(record);) use(record);
//   if (auto finished = reader.finish(); !finished) ...
// The CRC is not checked here. Until finish() says so, a compressed batch is not known to be
// undamaged.
class RecordReader {
 public:
  // The decompressor must outlive the reader; nobody else may use it between open() and finish().
  explicit RecordReader(Decompressor& decompressor, const RecordLimits& limits = {})
      : decompressor_(&decompressor), limits_(limits) {}

  // Begins with the first record. The bytes of the batch must stay in place.
  BatchResult<void> open(const BatchView& batch);

  // Lets next() give false, and paused() be true, before it decompresses more than about so many
  // bytes from now on: others have their turn, and next() goes on after another call of this.
  inline void pause_after(std::uint64_t bytes) {
    pause_at_ = record_bytes_ + bytes;
    paused_ = false;
  }
  [[nodiscard]] inline bool paused() const { return paused_; }

  // False at the end of the batch, at a failure, and where it pauses. A record that was not fully
  // parsed is not given.
  [[nodiscard]] inline bool next(RecordView& record) {
    if (left_ != 0) [[likely]] {
      BatchError error{};
      const auto step = parser_.parse(at_, end_, record, error);
      if (step == RecordParser::Step::record) [[likely]] {
        --left_;
        return true;
      }
      return next_slowly(step, error, record);
    }
    return end_of_batch();
  }

  // After next() gave false: whether the batch held exactly the records that its header says.
  [[nodiscard]] BatchResult<void> finish() const;

  // How many bytes of records the batch has, decompressed; known when it was read to its end.
  [[nodiscard]] inline std::uint64_t record_bytes() const { return record_bytes_; }
  // How many of them lie behind the record that was given last.
  [[nodiscard]] inline std::uint64_t read_bytes() const {
    return record_bytes_ - static_cast<std::uint64_t>(end_ - at_);
  }

 private:
  enum class State : std::uint8_t { closed, reading, ended, failed };
  static constexpr std::uint64_t never_pauses = std::numeric_limits<std::uint64_t>::max();

  bool next_slowly(RecordParser::Step step, BatchError error, RecordView& record);
  bool end_of_batch();
  [[nodiscard]] bool pauses();
  // Moves the window on, keeping what is not parsed yet; false where there are no more bytes or at
  // a failure.
  bool refill();
  bool fail(const BatchFailure& failure);
  [[nodiscard]] bool incomplete_record_is_too_large() const;
  [[nodiscard]] std::int32_t record_index() const { return record_count_ - left_; }

  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  // Records not read yet; 0 when ended or failed.
  std::int32_t left_ = 0;
  std::int32_t record_count_ = 0;
  RecordParser parser_;
  State state_ = State::closed;
  bool compressed_ = false;
  bool paused_ = false;
  std::uint64_t record_bytes_ = 0;
  std::uint64_t pause_at_ = never_pauses;
  Decompressor* decompressor_;
  RecordLimits limits_;
  BatchFailure failure_;
};

// A reader that meets its limits does so before a record of the largest size could be whole.
static_assert(RecordLimits{}.record_bytes_max <= DecompressionLimits{}.output_bytes_max);

}  // namespace millrace::protocol
