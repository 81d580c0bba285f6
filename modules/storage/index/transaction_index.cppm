// The transaction index of a segment: which transactions were aborted. The format is described in
// docs/formats/segment-indexes.md.
module;
#include <cstddef>
#include <cstdint>
#include <vector>

export module millrace.storage.index:transaction_index;

import millrace.base;
import :growing_index;

export namespace millrace::storage {

inline constexpr std::size_t transaction_index_entry_bytes = 34;

// A transaction that was aborted: its producer, its first record and its marker, and up to where
// all transactions were decided when the marker was written.
struct AbortedTransaction {
  ProducerId producer = no_producer_id;
  Offset first_offset;
  Offset last_offset;
  Offset last_stable_offset;

  friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
};

// The index bytes of one segment, in memory or mapped; ordered by last offset.
class TransactionIndexView {
 public:
  explicit TransactionIndexView(ByteView bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t entries() const {
    return bytes_.size() / transaction_index_entry_bytes;
  }
  [[nodiscard]] AbortedTransaction entry(std::size_t index) const;

  // Adds the aborted transactions that have records in [from, to). True if later segments cannot
  // have any more, because everything below `to` was decided before.
  bool collect(Offset from, Offset to, std::vector<AbortedTransaction>& found) const;

  // Whether the file can be what a segment that begins at `base` wrote.
  [[nodiscard]] Result<void> check_against(Offset base) const;

  // How many entries have their marker below the offset: what a cut leaves.
  [[nodiscard]] std::size_t entries_below(Offset offset) const;

 private:
  ByteView bytes_;
};

void add_transaction_entry(GrowingIndex& index, const AbortedTransaction& entry);

}  // namespace millrace::storage
