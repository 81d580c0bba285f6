// Writes a segment that is to take the place of others.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

export module millrace.storage.cleaner:cleaned_segment;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.index;
import millrace.storage.segment;

export namespace millrace::storage {

// What is gathered before it is written, and what is written before it is synced: a disk that has
// much to write at once makes everybody wait.
inline constexpr std::size_t cleaned_write_bytes = mebibyte;
inline constexpr std::uint64_t cleaned_sync_bytes = 64 * mebibyte;
static_assert(cleaned_write_bytes <= pooled_buffer_bytes_max);

// The files of a segment with the suffix `.cleaned`, from the first byte to the last sync. Nobody
// else looks at them before they are complete; after a crash they are thrown away. Belongs to a
// pass; between create() and its end come finish() or discard(). After a failure discard() is what
// is left to do.
class CleanedSegment {
 public:
  // `directory` is the log's and stays in place.
  CleanedSegment(SegmentContext& context, const std::string& directory, Offset base,
                 std::uint32_t index_interval_bytes)
      : context_(context),
        directory_(directory),
        base_(base),
        index_interval_bytes_(index_interval_bytes),
        end_(base),
        largest_{no_timestamp, base} {}
  CleanedSegment(const CleanedSegment&) = delete;
  CleanedSegment& operator=(const CleanedSegment&) = delete;
  ~CleanedSegment() { check(file_ == no_file, "a cleaned segment is finished or discarded"); }

  [[nodiscard]] Task<StorageResult<void>> create();
  // Offsets rise from batch to batch. What the format cannot express is StorageFault::limit.
  [[nodiscard]] Task<StorageResult<void>> add(ByteView batch, const protocol::BatchHeader& header);
  void add_aborted(const AbortedTransaction& transaction);
  // All files are complete and synced when it succeeds; their names are not durable yet. The log
  // file says that it changed last at this time, where one is given.
  [[nodiscard]] Task<StorageResult<void>> finish(std::optional<Timestamp> changed);
  // Removes what there is.
  [[nodiscard]] Task<StorageResult<void>> discard();

  // What the files have, or will have when they are finished.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // Behind the last batch that was added; without one, where the segment begins.
  [[nodiscard]] Offset end() const { return end_; }
  // With the last entries, which come at the end.
  [[nodiscard]] std::uint64_t offset_index_bytes() const {
    return offsets_.bytes().size() + offset_index_entry_bytes;
  }
  [[nodiscard]] std::uint64_t time_index_bytes() const {
    return times_.bytes().size() + time_index_entry_bytes;
  }

 private:
  [[nodiscard]] std::string path(SegmentFileKind kind) const;
  [[nodiscard]] Task<StorageResult<void>> remove_files();
  [[nodiscard]] Task<StorageResult<void>> write(ByteView more);
  [[nodiscard]] Task<StorageResult<void>> set_time(Timestamp changed);
  [[nodiscard]] Task<StorageResult<void>> sync();
  [[nodiscard]] Task<StorageResult<void>> close();
  [[nodiscard]] Task<StorageResult<void>> write_index(SegmentFileKind kind, ByteView bytes);

  SegmentContext& context_;
  const std::string& directory_;
  Offset base_;
  std::uint32_t index_interval_bytes_;
  Offset end_;
  FileHandle file_ = no_file;
  Buffer buffer_;
  std::uint64_t written_ = 0;  // bytes in the file
  std::uint64_t synced_ = 0;
  std::uint64_t bytes_ = 0;          // with those in the buffer
  std::uint64_t last_position_ = 0;  // of the last batch
  std::uint64_t bytes_since_entry_ = 0;
  TimestampOffset largest_;
  GrowingIndex offsets_{offset_index_entry_bytes};
  GrowingIndex times_{time_index_entry_bytes};
  GrowingIndex transactions_{transaction_index_entry_bytes};
};

}  // namespace millrace::storage
