// Whether the offsets of batches that follow each other can be right.
module;
#include <cstdint>
#include <optional>
#include <string>

export module millrace.storage.segment:batch_order;

import millrace.base;
import millrace.protocol.batch;

export namespace millrace::storage {

// A batch that does not have the offsets that it was written with, and why that is so.
struct Misplaced {
  std::uint64_t position = 0;
  std::string reason;
};

// The CRC of a batch does not cover its base offset. What a flipped bit made of it is told by the
// batches around it: without gaps, each begins where the one before ends. Of two that overlap, the
// first is the damaged one if it does not touch the one before it, else the second. Where
// compaction left gaps, that may be the wrong one, and an offset that moved within a gap is not
// noticed: the offset index knows more of some batches. A local of whoever goes through a file; not
// to be used on after it found something.
class BatchOrder {
 public:
  // The first batch begins here or, where there is a gap, later.
  explicit BatchOrder(Offset from) : expected_(from) {}
  // Nothing is known of what lies before.
  BatchOrder() = default;

  // The next batch.
  [[nodiscard]] std::optional<Misplaced> add(std::uint64_t position,
                                             const protocol::BatchHeader& header);
  // No more batches follow; what does, begins at `next` for certain.
  [[nodiscard]] std::optional<Misplaced> end(Offset next) const;
  // The last batch does not begin where the one before it is known to end.
  [[nodiscard]] bool behind_gap() const { return !touches_; }

 private:
  struct Last {
    std::uint64_t position = 0;
    Offset base;
  };

  [[nodiscard]] Misplaced last_misplaced(Offset next) const;

  std::optional<Offset> before_;    // where the batch before the last one ends
  std::optional<Offset> expected_;  // where the last one ends
  std::optional<Last> last_;
  bool touches_ = false;
};

}  // namespace millrace::storage
