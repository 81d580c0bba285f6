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
// is never what makes a record durable, and what a crash takes of it is made again from the log. An
// empty one holds no memory.
class GrowingIndex {
 public:
  explicit GrowingIndex(std::size_t entry_bytes) : entry_bytes_(entry_bytes) {}

  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] std::size_t entries() const { return bytes_.size() / entry_bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

  // Room for one entry more, for the caller to fill.
  [[nodiscard]] std::byte* add() {
    bytes_.resize(bytes_.size() + entry_bytes_);
    return bytes_.data() + bytes_.size() - entry_bytes_;
  }

  // Entries from `count` on are forgotten; the file is then longer than it should be until it is
  // cut too.
  void keep(std::size_t count) {
    check(count <= entries(), "an index is cut, not grown");
    bytes_.resize(count * entry_bytes_);
    if (saved_ > bytes_.size()) saved_ = bytes_.size();
  }

  // Takes over what the file holds.
  void load(std::vector<std::byte> bytes) {
    check(bytes.size() % entry_bytes_ == 0, "an index file was checked before it is taken over");
    bytes_ = std::move(bytes);
    saved_ = bytes_.size();
  }

  // What the file lacks; it belongs at saved_bytes().
  [[nodiscard]] ByteView unsaved() const { return bytes().subspan(saved_); }
  [[nodiscard]] std::size_t saved_bytes() const { return saved_; }
  void saved(std::size_t count) {
    check(saved_ + count <= bytes_.size(), "only what was there is saved");
    saved_ += count;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t entry_bytes_;
  std::size_t saved_ = 0;
};

}  // namespace millrace::storage
