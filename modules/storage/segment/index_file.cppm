// One index of a segment: its file, and what the file lacks.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

export module millrace.storage.segment:index_file;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.index;
import :context;
import :mapped_files;

export namespace millrace::storage {

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
  // The first entries, those that are in the file only; nothing if they must be mapped first.
  [[nodiscard]] std::optional<ByteView> first_part();
  [[nodiscard]] Task<StorageResult<void>> map(SegmentContext& context, std::string path);
  // Whether what was found in the file has been checked against the log.
  [[nodiscard]] bool checked() const { return checked_; }
  void set_checked() {
    checked_ = true;
    missing_ = false;
  }

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
  MappedFiles::Mapping mapping_;
};

}  // namespace millrace::storage
