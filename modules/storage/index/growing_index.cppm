// The index of the segment that is written to: entries of one size, in memory as they are in the
// file, growing at the end.
module;
#include <cstddef>
#include <utility>
#include <vector>

export module millrace.storage.index:growing_index;

import millrace.base;

export namespace millrace::storage {

// Belongs to its segment. Entries are added in memory and saved to the file now and then: an index
// is never what makes a record durable, and what a crash takes of it is made again from the log.
// What is saved need not stay in memory: entries before first_in_memory() are in the file only. An
// empty one holds no memory.
class GrowingIndex {
 public:
  explicit GrowingIndex(std::size_t entry_bytes) : entry_bytes_(entry_bytes) {}

  // All of them, wherever they are.
  [[nodiscard]] std::size_t entries() const { return (dropped_ + bytes_.size()) / entry_bytes_; }
  [[nodiscard]] bool empty() const { return entries() == 0; }
  [[nodiscard]] std::size_t entry_bytes() const { return entry_bytes_; }
  // Those in memory.
  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] std::size_t first_in_memory() const { return dropped_ / entry_bytes_; }

  // Room for one entry more, for the caller to fill.
  [[nodiscard]] std::byte* add() {
    bytes_.resize(bytes_.size() + entry_bytes_);
    return bytes_.data() + bytes_.size() - entry_bytes_;
  }

  // Entries from `count` on are forgotten; the file is then longer than it should be until it is
  // cut too.
  void keep(std::size_t count) {
    check(count <= entries(), "an index is cut, not grown");
    const std::size_t kept = count * entry_bytes_;
    if (kept < dropped_) dropped_ = kept;
    bytes_.resize(kept - dropped_);
    if (saved_ > kept) saved_ = kept;
  }

  // Takes over what the file holds: `bytes` are its entries from `first` on.
  void load(std::vector<std::byte> bytes, std::size_t first = 0) {
    check(bytes.size() % entry_bytes_ == 0, "an index file was checked before it is taken over");
    bytes_ = std::move(bytes);
    dropped_ = first * entry_bytes_;
    saved_ = dropped_ + bytes_.size();
  }

  // What the file lacks; it belongs at saved_bytes().
  [[nodiscard]] ByteView unsaved() const { return bytes().subspan(saved_ - dropped_); }
  [[nodiscard]] std::size_t saved_bytes() const { return saved_; }
  void saved(std::size_t count) {
    check(saved_ + count <= dropped_ + bytes_.size(), "only what was there is saved");
    saved_ += count;
  }

  // What is saved leaves the memory, but for the last entry of all: who adds compares with it.
  void drop_saved() {
    const std::size_t all = dropped_ + bytes_.size();
    if (all == 0) return;
    const std::size_t keep_from = saved_ < all ? saved_ : all - entry_bytes_;
    if (keep_from <= dropped_) return;
    bytes_ = std::vector<std::byte>(
        bytes_.begin() + static_cast<std::ptrdiff_t>(keep_from - dropped_), bytes_.end());
    dropped_ = keep_from;
  }
  // The whole index is saved and nobody adds to it any more.
  void drop_all() {
    check(unsaved().empty(), "what leaves the memory is in the file");
    dropped_ += bytes_.size();
    bytes_ = {};
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t entry_bytes_;
  std::size_t dropped_ = 0;  // bytes before those in memory
  std::size_t saved_ = 0;    // bytes in the file
};

}  // namespace millrace::storage
