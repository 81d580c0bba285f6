module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

module millrace.storage.index;

import millrace.base;
import :search;

namespace millrace::storage {

namespace {

constexpr std::int16_t entry_version = 0;

// Where each field of an entry starts.
constexpr std::size_t producer_at = 2;
constexpr std::size_t first_offset_at = 10;
constexpr std::size_t last_offset_at = 18;
constexpr std::size_t last_stable_offset_at = 26;
static_assert(last_stable_offset_at + 8 == transaction_index_entry_bytes);

}  // namespace

AbortedTransaction TransactionIndexView::entry(std::size_t index) const {
  const std::byte* at = bytes_.data() + index * transaction_index_entry_bytes;
  return {ProducerId(load_big_endian<std::int64_t>(at + producer_at)),
          Offset(load_big_endian<std::int64_t>(at + first_offset_at)),
          Offset(load_big_endian<std::int64_t>(at + last_offset_at)),
          Offset(load_big_endian<std::int64_t>(at + last_stable_offset_at))};
}

bool TransactionIndexView::collect(Offset from, Offset to,
                                   std::vector<AbortedTransaction>& found) const {
  const std::size_t before = entries_below(from);
  for (std::size_t i = before; i < entries(); ++i) {
    const AbortedTransaction transaction = entry(i);
    if (transaction.first_offset < to) found.push_back(transaction);
    if (transaction.last_stable_offset >= to) return true;
  }
  return false;
}

Result<void> TransactionIndexView::check_against(Offset base) const {
  if (bytes_.size() % transaction_index_entry_bytes != 0) {
    return failure(ErrorKind::corrupt, "the transaction index has " +
                                           std::to_string(bytes_.size()) +
                                           " bytes, which is no number of entries");
  }
  for (std::size_t i = 0; i < entries(); ++i) {
    const std::byte* at = bytes_.data() + i * transaction_index_entry_bytes;
    const AbortedTransaction here = entry(i);
    const bool ascends = i == 0 || here.last_offset > entry(i - 1).last_offset;
    if (load_big_endian<std::int16_t>(at) != entry_version || !ascends || here.last_offset < base ||
        here.first_offset >= here.last_offset) {
      return failure(ErrorKind::corrupt,
                     "entry " + std::to_string(i) + " of the transaction index cannot be");
    }
  }
  return {};
}

std::size_t TransactionIndexView::entries_below(Offset offset) const {
  return first_part(entries(), [&](std::size_t i) { return entry(i).last_offset < offset; });
}

void add_transaction_entry(GrowingIndex& index, const AbortedTransaction& entry) {
  std::byte* at = index.add();
  store_big_endian(at, entry_version);
  store_big_endian(at + producer_at, entry.producer.value());
  store_big_endian(at + first_offset_at, entry.first_offset.value());
  store_big_endian(at + last_offset_at, entry.last_offset.value());
  store_big_endian(at + last_stable_offset_at, entry.last_stable_offset.value());
}

}  // namespace millrace::storage
