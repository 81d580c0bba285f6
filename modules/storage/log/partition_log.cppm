// The log of one partition.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

export module millrace.storage.log:partition_log;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.producers;
import millrace.storage.segment;
import :append;
import :config;
import :deletions;
import :keeper;
import :position_cache;
import :tail;

export namespace millrace::storage {

// Batches that are written together: what a writev takes at once, and how long a reader may wait
// for the lock of the file.
inline constexpr std::size_t write_group_bytes_max = 8 * mebibyte;
inline constexpr std::size_t write_group_batches_max = 1024;
static_assert(write_group_bytes_max >= message_bytes_max_default);

// What all logs of a shard share; outlives them.
struct LogContext {
  SegmentContext segments;
  ProducerBudget& producers;
  DirectoryKeeper& keeper;
  // Where the newest batches are kept for reading; without it all are read from files.
  TailMemory* tails = nullptr;
};

// How far logs have come that are opened at the same time.
struct RecoveryProgress {
  std::uint64_t checked_bytes = 0;
  std::uint64_t left_bytes = 0;  // of those that have begun and not ended
};

// What is known of a log before it is opened.
struct LogOpening {
  std::string directory;
  TopicPartition partition;
  LogConfig config{};
  // As the checkpoints of the log directory have them.
  Offset log_start{0};
  Offset recovery_point{0};
  // The log directory was left in order: all files can be trusted, and the recovery point is the
  // end of the log.
  bool clean = false;
  // Kept up to date until the log is open.
  RecoveryProgress* progress = nullptr;
};

// What opening a log took.
struct RecoveryReport {
  std::uint64_t scanned_bytes = 0;
  std::uint64_t cut_bytes = 0;
  std::size_t dropped_segments = 0;
};

struct ReadRequest {
  Offset offset;
  // Records from here on are not given: the high watermark, the last stable offset, or end().
  Offset up_to;
  std::uint64_t bytes_max = 0;
  // A first batch that is larger is given all the same, and whatever number of files is in use.
  // Without this, nothing is given when those are too many.
  bool at_least_one_batch = true;
};

// Whole batches, one after the other, in memory or in a file. The first one holds the offset that
// was asked for, or is the first after it. Both stay as they are as long as this lives; only when
// the log is truncated below, the file becomes shorter.
struct LogSlice {
  // Where reading was to begin. What lies between it and the first batch, or of an empty slice up
  // to the end, is a gap.
  Offset asked = no_offset;
  Offset base_offset = no_offset;  // of the first batch
  std::uint64_t length = 0;
  // In memory: the newest batches.
  ByteView memory;
  std::shared_ptr<const void> memory_owner;
  std::uint64_t version = 0;  // of the log, when this was found
  // In a file, where `memory` is empty.
  std::uint64_t position = 0;
  OpenFiles::Lease file;
  std::shared_ptr<Segment> segment;

  [[nodiscard]] bool empty() const { return length == 0; }
  [[nodiscard]] bool in_memory() const { return !memory.empty(); }
};

enum class ReadFault : std::uint8_t {
  out_of_range,  // below start() or above end()
  storage        // see `storage`
};

struct ReadError {
  ReadFault fault = ReadFault::storage;
  StorageError storage;
};

template <class T>
using ReadResult = Result<T, ReadError>;

// Belongs to one shard; made by open() and ended by close(), after which it may be destroyed when
// its slices are gone. Appends are written in the order in which they are asked for; everything
// that changes the log takes its turn with them. Reading goes on meanwhile.
//
// Failures: what is refused changes nothing. A full disk (StorageFault::no_space) is cut back, and
// the log is as before; so it is where the process lacks descriptors or memory
// (StorageFault::limit). When the device fails the log is offline for good: it tells the keeper and
// refuses everything. Where a shortage begins in the middle of a cut, too: only a start can tell
// then what the files mean.
class Log {
 public:
  // Opens the log in a directory that is there, recovering it if it was not left in order.
  [[nodiscard]] static Task<StorageResult<std::unique_ptr<Log>>> open(LogContext& context,
                                                                      LogOpening opening);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  // Makes all durable, so that the next open() reads no records. Nothing else may be asked for
  // afterwards. Appends that wait are still written.
  [[nodiscard]] Task<StorageResult<void>> close();
  // Ends without saving anything: after the directory went offline or was removed. Whoever still
  // reads is told that the log is closed.
  [[nodiscard]] Task<void> abandon();
  // After that, when the directory has been renamed and before another one gets its name: what
  // readers were opening meanwhile is not taken for a file of the next log.
  [[nodiscard]] Task<void> forget_files();

  // --- What it is ---

  [[nodiscard]] const TopicPartition& partition() const { return partition_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] const LogConfig& config() const { return config_; }
  void set_config(const LogConfig& config) { config_ = config; }
  [[nodiscard]] const RecoveryReport& recovery() const { return recovery_; }
  [[nodiscard]] bool offline() const { return offline_; }
  // A failure that somebody else met in the files of this log: takes it offline if the device
  // failed.
  void report(const StorageError& error);

  // --- Where it begins and ends ---

  [[nodiscard]] Offset start() const { return start_; }
  [[nodiscard]] Offset end() const { return end_; }
  // What is durable ends here.
  [[nodiscard]] Offset flushed_end() const { return flushed_end_; }
  // What need not be checked after a crash ends here.
  [[nodiscard]] Offset recovery_point() const { return recovery_point_; }
  // Replicated up to here; never above end(). The owner moves it; it does not go back except by
  // truncation.
  [[nodiscard]] Offset high_watermark() const { return high_watermark_; }
  void set_high_watermark(Offset offset);
  // Read_committed readers get no further: no transaction is open below.
  [[nodiscard]] Offset last_stable_offset() const;
  [[nodiscard]] std::uint64_t size_bytes() const;
  // Grows when anything but the end or the beginning of the log changes: records that were cut or
  // compacted, which whoever goes through the segments must know.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::span<const std::shared_ptr<Segment>> segments() const { return segments_; }
  [[nodiscard]] const LeaderEpochCache& epochs() const { return epochs_; }
  [[nodiscard]] const ProducerStates& producers() const { return producers_; }

  // --- Appending ---

  [[nodiscard]] AppendOperation append(const LeaderAppend& batch) { return {*this, batch}; }
  // For followers. The offsets are the leader's; they may have gaps but never go back. Of batches
  // that are given together those before the first that is refused are appended.
  [[nodiscard]] AppendOperation replicate(MutableBytes batches) { return {*this, batches}; }
  // Everything appended so far is durable when it succeeds.
  [[nodiscard]] Task<StorageResult<void>> flush();
  // Moves the recovery point of a log that flushes. Called now and then.
  [[nodiscard]] Task<StorageResult<void>> checkpoint();
  // Starts a new segment, unless the last one is empty.
  [[nodiscard]] Task<StorageResult<void>> roll();

  // --- Reading ---

  [[nodiscard]] Task<ReadResult<LogSlice>> read(ReadRequest request);
  // The bytes of a slice.
  [[nodiscard]] Task<ReadResult<Buffer>> load(const LogSlice& slice);
  // The same, with every batch checked: its CRC, and what the CRC does not cover, its offsets and
  // its leader epoch, against what lies around it. Of a gap before the slice, that nothing is
  // missing there. StorageFault::corrupt names the segment and the position of the batch.
  [[nodiscard]] Task<ReadResult<Buffer>> load_verified(const LogSlice& slice);
  // The first record with this timestamp or a later one, below `up_to`.
  [[nodiscard]] Task<ReadResult<std::optional<TimestampOffset>>> find_timestamp(Timestamp timestamp,
                                                                                Offset up_to);
  // The first record with the latest timestamp of all; nothing if none has a timestamp.
  [[nodiscard]] Task<ReadResult<std::optional<TimestampOffset>>> find_max_timestamp();
  // What is wrong with the leader epoch of a batch of this log, in words.
  [[nodiscard]] std::optional<std::string> wrong_epoch(const protocol::BatchHeader& header) const;
  // What the CRC of the next batch of a segment does not tell: whether its offsets fit between its
  // neighbours and agree with the index, and whether its leader epoch is right.
  [[nodiscard]] Task<StorageResult<std::optional<Misplaced>>> check_place(
      Segment& segment, BatchOrder& order, const ScannedBatch& batch) const;
  // Where the next segment begins or the log ends; nothing if the segment is not in it.
  [[nodiscard]] std::optional<Offset> end_of(const Segment& segment) const;
  // Whether a batch is the end of a transaction that was aborted.
  [[nodiscard]] bool is_abort_marker(const protocol::BatchView& batch) const;
  // Adds to the transaction index of a closed segment, whose end is not cut meanwhile, the aborted
  // transactions that the records tell of and the index does not: how many. Markers at these
  // offsets are what is looked for.
  [[nodiscard]] Task<StorageResult<std::size_t>> repair_aborted(std::shared_ptr<Segment> segment,
                                                                std::vector<Offset> markers);
  // The aborted transactions with records in [from, to).
  [[nodiscard]] Task<ReadResult<std::vector<AbortedTransaction>>> aborted(Offset from, Offset to);

  // --- Cutting ---

  // Records from `offset` on are gone. Below start() everything is, and the log begins there.
  [[nodiscard]] Task<StorageResult<void>> truncate(Offset offset);
  // All records are gone; the log begins and ends at `offset`.
  [[nodiscard]] Task<StorageResult<void>> restart_at(Offset offset);
  // Records below `offset`, which is at most the high watermark, are gone.
  [[nodiscard]] Task<StorageResult<void>> delete_below(Offset offset);
  // Removes the segments that the topic's retention does not keep. Returns how many.
  [[nodiscard]] Task<StorageResult<std::size_t>> apply_retention();
  // Forgets producers that have been silent for too long.
  void expire_producers();

  // --- Compaction ---

  // Puts one segment in the place of several that stand in a row, below the recovery point: the
  // files of `base` of the first of them with the suffix `.cleaned` are complete and synced.
  // Refused if the log is no longer of the version() in which the segments were read. After a crash
  // at any point the log has the old segments or the new one.
  [[nodiscard]] Task<StorageResult<void>> replace_segments(
      std::vector<std::shared_ptr<Segment>> replaced, std::uint64_t version);

 private:
  friend class AppendOperation;
  friend class LogLoader;
  struct Group;
  // Lives while records are cut or replaced: what readers find meanwhile is not to be believed.
  class Cutting {
   public:
    explicit Cutting(Log& log);
    Cutting(const Cutting&) = delete;
    Cutting& operator=(const Cutting&) = delete;
    ~Cutting();

   private:
    Log& log_;
  };

  Log(LogContext& context, LogOpening opening);

  // append.cpp
  void enqueue(AppendOperation& operation);
  [[nodiscard]] Task<void> write_queue();
  [[nodiscard]] Task<void> write_group();
  [[nodiscard]] Task<StorageResult<void>> prepare_active();
  [[nodiscard]] bool must_flush() const;
  enum class Staged : std::uint8_t { batch, refused, full };
  [[nodiscard]] Staged stage(Group& group, AppendOperation& operation);
  [[nodiscard]] static Staged refuse(AppendOperation& operation, AppendError error);
  [[nodiscard]] Staged stage_leader(Group& group, AppendOperation& operation);
  [[nodiscard]] Staged stage_replicated(Group& group, AppendOperation& operation);
  [[nodiscard]] ProducerCheck check_producer(Group& group, const protocol::BatchView& batch,
                                             AppendOrigin origin, std::int16_t transaction_version);
  [[nodiscard]] bool must_roll(const Group& group, const protocol::BatchHeader& header) const;
  [[nodiscard]] Task<StorageResult<void>> write_staged(Group& group);
  void commit(Group& group);
  void answer(AppendOperation& last);
  void fail_group(const Group& group, const StorageError& error);

  // partition_log.cpp
  [[nodiscard]] StorageError noted(StorageError error);
  [[nodiscard]] StorageResult<void> usable() const;
  [[nodiscard]] StorageResult<void> online() const;
  [[nodiscard]] bool names_dirty() const { return names_durable_ < names_made_; }
  [[nodiscard]] bool names_due() const { return names_durable_ < names_needed_; }
  [[nodiscard]] Segment& active() const { return *segments_.back(); }
  [[nodiscard]] std::size_t segment_index(Offset offset) const;
  [[nodiscard]] Offset segment_end(std::size_t index) const;
  [[nodiscard]] Task<StorageResult<void>> roll_locked(Offset base);
  [[nodiscard]] Task<StorageResult<void>> remove_empty(std::shared_ptr<Segment> empty);
  [[nodiscard]] Task<StorageResult<void>> take_back(const Segment& segment);
  [[nodiscard]] Milliseconds next_jitter() const;
  [[nodiscard]] Task<StorageResult<void>> flush_locked();
  [[nodiscard]] Task<StorageResult<void>> sync_names();
  void start_settling();
  [[nodiscard]] Task<void> settle();
  [[nodiscard]] Task<StorageResult<void>> settle_first();
  [[nodiscard]] Task<StorageResult<void>> settle_down_to(std::size_t left);
  [[nodiscard]] Task<StorageResult<void>> settle_active(
      Segment& segment, Offset end, std::vector<ProducerSnapshotEntry> producers);
  [[nodiscard]] Task<StorageResult<void>> settle_all();
  [[nodiscard]] Task<StorageResult<void>> save_epochs();

  // reading.cpp, reading_verified.cpp
  class Verification;
  void remember(std::uint64_t version, Offset offset, PositionCache::Place place);
  [[nodiscard]] std::optional<LogSlice> read_tail(const ReadRequest& request);
  template <class Choose, class Ask>
  [[nodiscard]] Task<ReadResult<void>> ask_segments(Choose choose, Ask ask);
  [[nodiscard]] std::optional<BatchStart> start_now(Segment& segment, Offset offset,
                                                    std::uint64_t end);
  [[nodiscard]] std::optional<std::uint64_t> end_now(Segment& segment, Offset end_of_segment,
                                                     Offset up_to);
  [[nodiscard]] std::optional<LogSlice> read_segment_now(const std::shared_ptr<Segment>& segment,
                                                         Offset end_of_segment,
                                                         const ReadRequest& request);
  [[nodiscard]] Task<StorageResult<std::uint64_t>> end_position(std::shared_ptr<Segment> segment,
                                                                Offset up_to);
  [[nodiscard]] Task<StorageResult<std::optional<LogSlice>>> read_segment(
      std::shared_ptr<Segment> segment, Offset end_of_segment, ReadRequest request);

  // truncation.cpp, retention.cpp
  void forget_places();
  [[nodiscard]] static bool cutting(std::uint64_t version) { return version % 2 != 0; }
  [[nodiscard]] Task<StorageResult<std::optional<BatchPlace>>> first_to_cut(std::size_t index,
                                                                            Offset offset);
  [[nodiscard]] Task<StorageResult<void>> truncate_locked(Offset offset);
  [[nodiscard]] Task<StorageResult<void>> cut(std::size_t last, std::uint64_t position, Offset end,
                                              ProducerStates& producers);
  [[nodiscard]] Task<StorageResult<void>> restart_locked(Offset offset);
  [[nodiscard]] Task<StorageResult<void>> restart_with(std::shared_ptr<Segment> fresh,
                                                       Offset offset);
  [[nodiscard]] Task<StorageResult<bool>> tell_of_no_producers(Offset start);
  [[nodiscard]] Task<StorageResult<void>> ask_for_files(std::shared_ptr<Segment> segment,
                                                        std::vector<OpenFiles::Lease>& files);
  [[nodiscard]] Task<StorageResult<std::shared_ptr<Segment>>> segment_at(Offset offset);
  [[nodiscard]] Task<StorageResult<void>> lower_recovery_point(Offset offset);
  [[nodiscard]] Task<StorageResult<void>> remove_segments(std::size_t first, std::size_t count);
  [[nodiscard]] Task<StorageResult<void>> move_start(Offset offset);
  [[nodiscard]] Task<StorageResult<void>> start_moved(std::size_t count);
  [[nodiscard]] Task<StorageResult<void>> remove_below_start(std::size_t count);
  [[nodiscard]] Task<StorageResult<void>> save_start();
  // The segments, from the oldest on, that retention does not keep, and why no more were looked at.
  struct Expired {
    std::size_t count = 0;
    StorageResult<void> seen;
  };
  [[nodiscard]] Task<Expired> expired();
  [[nodiscard]] Task<StorageResult<Timestamp>> youngest_in(Segment& segment);
  [[nodiscard]] Task<StorageResult<void>> remove_expired(std::size_t count);
  [[nodiscard]] Task<StorageResult<void>> replace_locked(
      std::size_t index, std::vector<std::shared_ptr<Segment>> replaced);

  // snapshots.cpp
  [[nodiscard]] Task<StorageResult<std::vector<Offset>>> snapshot_offsets();
  [[nodiscard]] Task<StorageResult<void>> remove_snapshot(Offset offset);
  [[nodiscard]] Task<StorageResult<void>> remove_snapshots_above(Offset offset,
                                                                 Offset but = no_offset);
  // The producers as the snapshot at this offset has them. They stay as they are where it cannot be
  // read.
  [[nodiscard]] Task<StorageResult<void>> load_snapshot(ProducerStates& producers, Offset offset);
  // A snapshot that could not be read is not a damaged one.
  [[nodiscard]] static bool is_unread(const StorageError& error) {
    return error.io && error.fault != StorageFault::not_found;
  }
  // The producers as of the newest snapshot that is at most at this offset and can be read; the
  // offset of that snapshot, or start() without one.
  [[nodiscard]] Task<StorageResult<Offset>> restore_producers(ProducerStates& producers,
                                                              Offset at_most);
  // Adds what the log holds between the two.
  [[nodiscard]] Task<StorageResult<void>> replay_producers(ProducerStates& producers, Offset from,
                                                           Offset to);
  [[nodiscard]] Task<StorageResult<std::vector<AbortedTransaction>>> aborted_by_records(
      std::shared_ptr<Segment> segment);
  [[nodiscard]] Task<StorageResult<void>> rebuild_transactions(std::shared_ptr<Segment> segment);

  LogContext& context_;
  TopicPartition partition_;
  std::string directory_;
  LogConfig config_;
  RecoveryReport recovery_;

  std::vector<std::shared_ptr<Segment>> segments_;  // ascending; the last one is written to
  LeaderEpochCache epochs_;
  ProducerStates producers_;
  Offset start_;
  Offset end_;
  Offset flushed_end_;
  Offset recovery_point_;
  Offset high_watermark_;
  Milliseconds roll_jitter_{0};
  Offset snapshot_end_ = no_offset;  // of the last snapshot of the producers that was saved
  std::uint64_t version_ = 0;        // odd while positions in files become invalid
  std::uint64_t names_made_ = 0;     // entries of the directory
  std::uint64_t names_durable_ = 0;  // of these
  std::uint64_t names_needed_ = 0;   // of these, before anything else is appended
  Offset future_told_ = no_offset;   // the segment with records of the future that was told of
  bool epochs_unsaved_ = false;      // the file says other than epochs_
  bool start_unsaved_ = false;       // the file may say that the log begins later
  bool changed_ = false;             // since it was opened
  bool cut_since_append_ = false;    // the end may lie behind the last batch
  bool offline_ = false;
  bool closed_ = false;
  PositionCache positions_;
  Tail tail_;

  AsyncMutex changes_;   // appends, rolls and cuts take turns
  AsyncMutex settling_;  // taken after changes_, if both are: one at a time makes files durable
  AppendOperation* first_waiting_ = nullptr;
  AppendOperation* last_waiting_ = nullptr;
  bool writing_ = false;
  bool settling_started_ = false;
  struct WriterStart : Callback {
    explicit WriterStart(Log& l);
    Log& log;
  };
  WriterStart writer_start_;
  // A segment that was rolled and is not durable yet, with the producers as of its end.
  struct Unsettled {
    std::shared_ptr<Segment> segment;
    Offset end;
    std::vector<ProducerSnapshotEntry> producers;
  };
  std::vector<Unsettled> unsettled_;
  Deletions deletions_;
  TaskGroup background_;
};

}  // namespace millrace::storage
