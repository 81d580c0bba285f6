// A segment: a log file of batches and its indexes.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.storage.segment:log_segment;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.index;
import :batch_order;
import :batch_spans;
import :batch_walker;
import :context;
import :index_file;
import :open_files;

export namespace millrace::storage {

// What the indexes of the active segment keep in memory before they are written to their files.
inline constexpr std::size_t unsaved_index_bytes_max = 4 * kibibyte;
inline constexpr std::uint32_t index_interval_bytes_default = 4096;

// When a segment is full.
struct SegmentLimits {
  std::uint64_t segment_bytes = 0;
  std::uint64_t index_bytes = 0;
  std::uint32_t index_interval_bytes = index_interval_bytes_default;
};

// What is found of a segment when its directory is opened.
struct SegmentSizes {
  std::uint64_t log = 0;
  // Nothing where there is no such file.
  std::optional<std::uint64_t> offset_index = std::nullopt;
  std::optional<std::uint64_t> time_index = std::nullopt;
  std::optional<std::uint64_t> transaction_index = std::nullopt;
};

// A position between two batches, and the first offset behind it where that was seen.
struct BatchBoundary {
  std::uint64_t position = 0;
  std::optional<Offset> next_offset = std::nullopt;
};

// Where a batch begins.
struct BatchStart {
  std::uint64_t position = 0;
  Offset base_offset;
};

// The files of a partition from one base offset on. Owned by its log and by readers, which keep it
// while they read; lives on the log's shard and goes before the log. The log sees to it that one at
// a time changes it; reading goes on meanwhile. It says what failed and changes nothing then,
// except where a function says so.
class Segment {
 public:
  // `directory` is the log's and stays in place.
  Segment(SegmentContext& context, const std::string& directory, Offset base, Timestamp now);
  // A segment whose files are there; nothing of them has been read yet.
  Segment(SegmentContext& context, const std::string& directory, Offset base, Timestamp now,
          const SegmentSizes& sizes);

  [[nodiscard]] Offset base() const { return base_; }
  // Of whole batches in the log file.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_ == 0; }
  [[nodiscard]] std::string path(SegmentFileKind kind, FileStage stage = FileStage::current) const;
  [[nodiscard]] const std::string& log_path() const { return log_path_; }
  // It is no part of its log any more, or the log has ended.
  [[nodiscard]] bool removed() const { return removed_; }
  // When this process made or opened it.
  [[nodiscard]] Timestamp opened_at() const { return opened_at_; }
  [[nodiscard]] const IndexFile& offset_index() const { return offsets_; }
  [[nodiscard]] const IndexFile& time_index() const { return times_; }
  [[nodiscard]] const IndexFile& transaction_index() const { return transactions_; }

  // --- Appending: for the last segment of a log ---

  // Makes the log file.
  [[nodiscard]] Task<StorageResult<void>> create();
  // Reads what appending has to know; before the first append to a segment that was opened. The
  // transaction index is not looked at: collect_aborted() tells what is wrong with it.
  [[nodiscard]] Task<StorageResult<void>> prepare();
  [[nodiscard]] bool prepared() const { return prepared_; }
  // Writes batches behind the last one. They belong to the segment when added() was called for each
  // in order. After a failure nothing of them is in the file, or has_rest(), or the fault is
  // `offline`.
  [[nodiscard]] Task<StorageResult<void>> write(std::span<const ByteView> pieces);
  void added(const protocol::BatchHeader& header, std::uint32_t index_interval_bytes);
  void add_aborted(const AbortedTransaction& transaction);
  // Removes what is in the file behind the last batch, durably.
  [[nodiscard]] Task<StorageResult<void>> cut_back();
  // A part of what could not be written is still in the file: write() removes it first, and so does
  // whoever does anything else with the end of the file.
  [[nodiscard]] bool has_rest() const { return has_rest_; }

  // Whether a batch still fits into format and limits, behind batches of `bytes_before` that are
  // about to be written. A first batch may have any size.
  [[nodiscard]] bool can_hold(const protocol::BatchHeader& batch, std::size_t bytes_before,
                              const SegmentLimits& limits) const;
  // The time that rolling by age counts from: of the first batch. Known when prepared.
  [[nodiscard]] Timestamp first_timestamp() const { return first_timestamp_; }

  // --- Saving ---

  [[nodiscard]] bool should_save_indexes() const;
  // Writes the entries that the index files lack.
  [[nodiscard]] Task<StorageResult<void>> save_indexes();
  // Nothing is appended any more: the time index gets its last entry.
  void finish();
  [[nodiscard]] bool log_dirty() const { return synced_bytes_ < bytes_; }
  // After an end that was not in order: what is in the file may not be on the disk.
  void set_log_dirty() { synced_bytes_ = 0; }
  [[nodiscard]] Task<StorageResult<void>> sync_log();
  // Saves and syncs the indexes; after finish() they leave the memory.
  [[nodiscard]] Task<StorageResult<void>> sync_indexes();

  // --- Looking up ---

  // The first batch that ends at or after the offset, of those before `end_position`; nothing if
  // there is none.
  [[nodiscard]] Task<StorageResult<std::optional<BatchPlace>>> find(Offset offset,
                                                                    std::uint64_t end_position);
  // Where the batch begins that find() would give; nothing if something must be read to tell that.
  [[nodiscard]] std::optional<BatchStart> find_now(Offset offset, std::uint64_t end_position);
  // Where a batch ends, as far behind `position` as `bytes_max` allows; `position` itself if the
  // batch that begins there is larger.
  [[nodiscard]] Task<StorageResult<BatchBoundary>> boundary(std::uint64_t position,
                                                            std::uint64_t bytes_max,
                                                            std::uint64_t end_position);
  // The same without looking at the file: nothing if the index alone does not lead to at least half
  // of the bytes.
  [[nodiscard]] std::optional<BatchBoundary> boundary_by_index(std::uint64_t position,
                                                               std::uint64_t bytes_max,
                                                               std::uint64_t end_position);
  // The same where it is not known where the batches below `up_to` end: those it gives are below.
  [[nodiscard]] std::optional<BatchBoundary> boundary_below(std::uint64_t position,
                                                            std::uint64_t bytes_max, Offset up_to);
  // The youngest timestamp and the last offset of the first batch that has it.
  [[nodiscard]] Task<StorageResult<TimestampOffset>> largest_timestamp();
  // The same of the records at or after `from`.
  [[nodiscard]] Task<StorageResult<TimestampOffset>> largest_timestamp_from(Offset from);
  // The first record at or after `from` that is as young as that or younger, of the batches that
  // begin below `to`.
  [[nodiscard]] Task<StorageResult<std::optional<TimestampOffset>>> find_timestamp(
      Timestamp timestamp, Offset from, Offset to);
  // Adds the aborted transactions with records in [from, to); true if later segments have none.
  [[nodiscard]] Task<StorageResult<bool>> collect_aborted(Offset from, Offset to,
                                                          std::vector<AbortedTransaction>& found);
  // Where a batch begins that lies some batches before the one that holds the offset, or the
  // beginning: who reads on from here sees whether the offsets around it can be right.
  [[nodiscard]] Task<StorageResult<std::uint64_t>> well_before(Offset offset);
  // What is wrong with the offsets of the next batch of this segment, as those before it and the
  // offset index say. `order` is not to be used on where something is.
  [[nodiscard]] Task<StorageResult<std::optional<Misplaced>>> misplaced(
      BatchOrder& order, std::uint64_t position, const protocol::BatchHeader& header);
  // All bytes of one batch.
  [[nodiscard]] Task<StorageResult<Buffer>> read_batch(const BatchPlace& place);
  // StorageFault::corrupt if the CRC of the batch is wrong.
  [[nodiscard]] Task<StorageResult<void>> check_batch(const BatchPlace& place);
  [[nodiscard]] Task<StorageResult<OpenFiles::Lease>> open_log();
  // The same, at once, if the file is open.
  [[nodiscard]] std::optional<OpenFiles::Lease> open_log_now();

  // --- Cutting, rebuilding, removing ---

  // Opens the files that truncate() changes: as long as they are held it lacks no descriptor.
  [[nodiscard]] Task<StorageResult<std::vector<OpenFiles::Lease>>> open_for_cut();
  // Removes the batches from this position on, where the batch begins that is at or after
  // `offset`; durably. After a failure in the middle it is to be opened anew.
  [[nodiscard]] Task<StorageResult<void>> truncate(std::uint64_t position, Offset offset);
  // Forgets all index entries at or after the offset, as before adding the batches again.
  [[nodiscard]] Task<StorageResult<void>> cut_indexes(Offset offset);
  // Makes offset and time index again from the log file.
  [[nodiscard]] Task<StorageResult<void>> rebuild_indexes(std::uint32_t index_interval_bytes);
  // Whether the index files can be those of this log file, as far as they alone tell.
  [[nodiscard]] Task<StorageResult<bool>> indexes_are_sane(Offset end);
  // Forgets all index entries, whatever they are.
  [[nodiscard]] Task<StorageResult<void>> forget_indexes();
  // For recovery, which adds the batches from here on one by one: what lies behind is forgotten,
  // not cut.
  [[nodiscard]] Task<StorageResult<void>> start_again_at(std::uint64_t position, Offset offset);

  // For recovery: these are all aborted transactions of the segment.
  [[nodiscard]] Task<StorageResult<void>> set_aborted(
      const std::vector<AbortedTransaction>& transactions);
  // Appending goes on here after recovery or truncation.
  void reopen() { finished_ = false; }
  [[nodiscard]] Offset next_offset() const { return next_offset_; }

  // Gives every file the suffix `.deleted`. Readers keep what they have open; who opens it now
  // finds nothing. StorageFault::limit: nothing was changed.
  [[nodiscard]] Task<StorageResult<void>> rename_to_deleted();
  // The same in two steps, for who must know which of them a crash left behind.
  [[nodiscard]] Task<StorageResult<void>> rename_indexes_to_deleted();
  [[nodiscard]] Task<StorageResult<void>> rename_log_to_deleted();
  // Removes the files with that suffix.
  [[nodiscard]] Task<StorageResult<void>> remove_deleted();
  // The log ends, and other files may get the names: who opens one of them from here on finds
  // nothing. Who makes an index again ends first.
  [[nodiscard]] Task<void> leave();
  // What is open under the names is closed, or ends with its last lease.
  [[nodiscard]] Task<void> forget_files();

 private:
  [[nodiscard]] Task<StorageResult<void>> rename_to_deleted(SegmentFileKind kind);
  // Around an offset: the last entry at or below it, and the one behind that.
  struct Around {
    OffsetPosition floor;
    std::optional<OffsetPosition> next = std::nullopt;

    // Of the batch that holds the offset, if any of the two is.
    [[nodiscard]] std::optional<OffsetPosition> likely(Offset offset) const {
      return floor.offset == offset && floor.position > 0 ? floor : next;
    }
  };
  // Nothing if load_index() is needed first.
  [[nodiscard]] std::optional<Around> around_now(Offset offset);
  [[nodiscard]] std::optional<OffsetPosition> floor_of_position_now(std::uint64_t position);
  [[nodiscard]] Task<StorageResult<OffsetPosition>> floor_of(Offset offset);
  [[nodiscard]] Task<StorageResult<OffsetPosition>> floor_of_position(std::uint64_t position);
  [[nodiscard]] Task<StorageResult<void>> load_index(IndexFile& index);
  [[nodiscard]] Task<StorageResult<void>> check_index(IndexFile& index);
  [[nodiscard]] Result<void> check_bytes(const IndexFile& index, ByteView bytes, Offset end) const;
  [[nodiscard]] Task<StorageResult<Result<std::vector<std::byte>>>> check_found(IndexFile& index);
  [[nodiscard]] Task<StorageResult<bool>> is_short(IndexFile& index, ByteView bytes);
  template <class Use>
  [[nodiscard]] Task<StorageResult<void>> for_each_record(BatchPlace place, Use use);
  [[nodiscard]] Task<StorageResult<std::optional<TimestampOffset>>> first_record_at(
      const BatchPlace& place, Timestamp timestamp, Offset from);
  [[nodiscard]] Task<StorageResult<TimestampOffset>> youngest_record(const BatchPlace& place,
                                                                     Offset from);
  [[nodiscard]] Task<StorageResult<std::optional<Misplaced>>> held_against_index(
      std::uint64_t position, const protocol::BatchHeader& header,
      std::optional<Misplaced> otherwise);
  [[nodiscard]] Task<StorageResult<bool>> is_of_several(OffsetPosition entry);
  // Of the batch of an entry; nothing if that is not known without reading it.
  [[nodiscard]] std::optional<Offset> first_offset(const OffsetPosition& entry);
  [[nodiscard]] BatchSpans::Key span_key(std::uint32_t owner, const OffsetPosition& entry) const;
  // That an entry is not what its batch says.
  void tell_of(const OffsetPosition& entry);
  void note_timestamp(const protocol::BatchHeader& header);
  [[nodiscard]] Task<StorageResult<void>> sync_file(FileHandle file);

  SegmentContext& context_;
  const std::string& directory_;
  std::string log_path_;
  Offset base_;
  std::uint64_t bytes_ = 0;
  std::uint64_t synced_bytes_ = 0;
  std::uint64_t bytes_since_entry_ = 0;
  Timestamp opened_at_;
  Timestamp first_timestamp_ = no_timestamp;
  TimestampOffset largest_;
  Offset next_offset_;
  std::uint32_t spans_owner_;  // another one when batches may lie elsewhere
  bool prepared_ = false;
  bool finished_ = false;
  bool largest_known_ = false;
  bool removed_ = false;
  bool has_rest_ = false;
  bool told_of_index_ = false;
  AsyncMutex preparing_;  // readers and the writer may want the same
  AsyncMutex index_changes_;
  AsyncMutex syncing_;
  bool sync_failed_ = false;
  IndexFile offsets_{SegmentFileKind::offset_index, offset_index_entry_bytes};
  IndexFile times_{SegmentFileKind::time_index, time_index_entry_bytes};
  IndexFile transactions_{SegmentFileKind::transaction_index, transaction_index_entry_bytes};
};

// StorageFault::corrupt with the place and the reason.
[[nodiscard]] StorageError damage(std::string_view log_path, std::uint64_t position,
                                  std::string_view reason);
[[nodiscard]] StorageError damage(const Segment& segment, std::uint64_t position,
                                  std::string_view reason);
[[nodiscard]] StorageError damage(const Segment& segment, const Misplaced& misplaced);

}  // namespace millrace::storage
