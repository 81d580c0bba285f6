// One index of a segment: its file, and what the file lacks.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

export module millrace.storage.segment:index_file;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.index;
import :context;
import :index_cache;

export namespace millrace::storage {

// Some of the entries that are in the file only. Valid until the coroutine that asks suspends.
struct IndexPart {
  ByteView bytes;
  std::size_t first = 0;  // how many lie before
  ByteView next;          // the entry behind them; empty if it is not in the file only
};

// Entries that are added in memory, saved at the end of the file now and then, and searched in
// both. A member of its segment, which sees to it that one changes it at a time.
class IndexFile {
 public:
  IndexFile(SegmentFileKind kind, std::size_t entry_bytes) : kind_(kind), entries_(entry_bytes) {}

  [[nodiscard]] SegmentFileKind kind() const { return kind_; }
  // For adding.
  [[nodiscard]] GrowingIndex& growing() { return entries_; }
  [[nodiscard]] const GrowingIndex& growing() const { return entries_; }
  [[nodiscard]] std::size_t entries() const { return entries_.entries(); }

  // The last entries: those in memory.
  [[nodiscard]] ByteView last_part() const { return entries_.bytes(); }
  // Of the first entries, those that are in the file only, the part that holds the last one of
  // those that `count` counts: `count` says of entries how many of them, from the first on, are at
  // or below what is looked for. Nothing if load() is needed first.
  template <class Count>
  [[nodiscard]] std::optional<IndexPart> part(Count count);
  // The same by the number of the part; there are parts() of them.
  [[nodiscard]] std::optional<IndexPart> part_at(std::size_t number);
  [[nodiscard]] std::size_t parts() const;
  // Reads what was missing when a part was asked for last.
  [[nodiscard]] Task<StorageResult<void>> load(SegmentContext& context, std::string path);
  // All entries that are in the file only.
  [[nodiscard]] Task<StorageResult<std::vector<std::byte>>> read_all(SegmentContext& context,
                                                                     std::string path);
  // Whether what was found in the file has been checked against the log.
  [[nodiscard]] bool checked() const { return checked_; }
  void set_checked() {
    checked_ = true;
    missing_ = false;
  }
  void set_unchecked() { checked_ = false; }

  // Takes over a file of so many bytes, unchecked.
  void found(std::uint64_t file_bytes);
  [[nodiscard]] bool file_made() const { return file_made_; }
  // There is none where one should be.
  void missed() {
    checked_ = false;
    missing_ = true;
  }
  [[nodiscard]] bool missing() const { return missing_; }
  // It was found with a part of an entry at its end, which is not looked at.
  [[nodiscard]] bool torn() const { return torn_; }
  // Brings the last entry into memory, as adding needs it.
  [[nodiscard]] Task<StorageResult<void>> load_last(SegmentContext& context, std::string path);

  // Writes what the file lacks; makes the file if need be.
  [[nodiscard]] Task<StorageResult<void>> save(SegmentContext& context, std::string path);
  // Entries from `count` on are gone, in memory and in the file.
  [[nodiscard]] Task<StorageResult<void>> keep(SegmentContext& context, std::string path,
                                               std::size_t count);
  // Puts other entries in the place of all, in memory at once, in the file durably; without
  // entries no file is made.
  [[nodiscard]] Task<StorageResult<void>> replace(SegmentContext& context, std::string path,
                                                  GrowingIndex entries);
  // Whether something was written since the last sync.
  [[nodiscard]] bool dirty() const { return dirty_; }
  [[nodiscard]] Task<StorageResult<void>> sync(SegmentContext& context, std::string path);

 private:
  SegmentFileKind kind_;
  bool checked_ = true;
  bool dirty_ = false;
  bool file_made_ = false;
  bool torn_ = false;
  bool missing_ = false;
  GrowingIndex entries_;
  IndexCache::Place place_;
  std::optional<std::size_t> wanted_;  // the part; without one, the first entries of all
};

template <class Count>
std::optional<IndexPart> IndexFile::part(Count count) {
  const std::size_t all = parts();
  if (all == 0) return IndexPart{};
  wanted_.reset();
  const ByteView firsts = place_.firsts();
  const std::size_t bytes = all * entries_.entry_bytes();
  if (firsts.size() < bytes) {
    // The one part has the one first entry.
    if (all == 1) wanted_ = 0;
    return std::nullopt;
  }
  const std::size_t before = count(firsts.first(bytes));
  return part_at(before == 0 ? 0 : before - 1);
}

}  // namespace millrace::storage
