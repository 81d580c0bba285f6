// What a raft node wants durable, in a directory.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.raft.store:durable_log;

import millrace.base;
import millrace.raft;
import millrace.runtime;
import millrace.storage.files;
import :format;
import :replay;
import :reserve;
import :snapshot_file;

export namespace millrace::raft {

// Besides the latest, one that the log may still go on from.
inline constexpr std::size_t snapshots_kept_max = 2;

struct StoreOptions {
  // A segment that has this size is closed; it may be longer by one write.
  std::uint64_t segment_bytes = 16 * mebibyte;
  // Freed when the disk is full, so that the node can go on for a while and say so.
  std::uint64_t reserve_bytes = 16 * mebibyte;
};
// What is read at the start in one piece.
inline constexpr std::uint64_t segment_bytes_max = 256 * mebibyte;
inline constexpr std::size_t segment_file_bytes_max = segment_bytes_max + write_bytes_max;

// The durable side of one Node: carries out its writes, keeps its snapshots, and knows at the start
// what was durable. Owned by the owner of the node, on the shard of `files`, which outlives it.
// Calls may overlap and are carried out one after the other; close() is the last.
//
// A call that fails for lack of space or descriptors (is_shortage) has made nothing known as
// durable, and may be made again. After StorageFault::offline, which a failed sync always is, every
// call fails with it: the node must end. Nothing is retried then.
class DurableLog {
 public:
  // Begins a group in a directory that exists: `first` are its members, none in a node that is to
  // join. StorageFault::already_exists where a log is already.
  [[nodiscard]] static Task<storage::StorageResult<void>> format(FileSystem& files,
                                                                 std::string directory,
                                                                 Membership first);
  // Recovers what is there and makes it durable. not_found: format() was not called or did not end.
  // locked: another process uses the directory. corrupt: names file and position.
  [[nodiscard]] static Task<storage::StorageResult<std::unique_ptr<DurableLog>>> open(
      FileSystem& files, std::string directory, StoreOptions options);

  // For the constructor of the node; once.
  [[nodiscard]] Recovered take_recovered() { return std::move(recovered_); }
  // What open() repaired or could not do, for the log output.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  // Makes a write durable: one sync, and those of the snapshot where one is to be installed. What
  // it gives is stepped into the node. `write` stays in place.
  [[nodiscard]] Task<storage::StorageResult<Persisted>> persist(const Write& write);

  // A piece of a snapshot that the leader sends. `part` stays in place.
  [[nodiscard]] Task<storage::StorageResult<void>> receive(const SnapshotPart& part);
  // A piece of a snapshot of the own state, as Node::describe_snapshot described it.
  [[nodiscard]] Task<storage::StorageResult<void>> save(const SnapshotPart& part);
  // After its last piece: what it gives is stepped into the node.
  [[nodiscard]] Task<storage::StorageResult<SnapshotSaved>> finish_save(SnapshotMeta meta);
  // For a SnapshotChunk that leaves. not_found: a newer snapshot has taken the place of that one.
  [[nodiscard]] Task<storage::StorageResult<std::vector<std::byte>>> read_snapshot(
      SnapshotMeta meta, std::uint64_t offset, std::uint64_t length);

  // Entries up to `index`, which the latest snapshot covers, are not needed: removes segments that
  // hold no others, and snapshots that nothing goes on from.
  [[nodiscard]] Task<storage::StorageResult<void>> compact_through(LogIndex index);

  // False after a full disk made use of it, or where there was no room for it at the start.
  [[nodiscard]] bool reserve_held() const { return reserve_.held(); }
  // Makes it again. no_space as long as the disk has no room; ask now and then.
  [[nodiscard]] Task<storage::StorageResult<void>> restore_reserve();

  // Closes the files, whatever happened before.
  [[nodiscard]] Task<storage::StorageResult<void>> close();

  [[nodiscard]] const SnapshotMeta& snapshot() const { return latest_->meta; }
  [[nodiscard]] std::size_t segments() const { return segments_.size(); }

 private:
  struct Found {                          // in the directory
    std::vector<SegmentNumber> segments;  // both ascending
    std::vector<LogPosition> snapshots;
    std::vector<std::string> leftovers;
  };

  DurableLog(FileSystem& files, std::string directory, StoreOptions options);

  // --- recovery.cpp ---
  [[nodiscard]] static Task<storage::StorageResult<Found>> look(FileSystem& files,
                                                                std::string directory);
  [[nodiscard]] Task<storage::StorageResult<void>> begin_group(Membership first);
  [[nodiscard]] Task<storage::StorageResult<void>> recover();
  [[nodiscard]] Task<storage::StorageResult<void>> choose_snapshot(const Found& found);
  [[nodiscard]] Task<storage::StorageResult<std::vector<std::byte>>> replay(Replay& replay,
                                                                            const Found& found);
  // Whether the log must be said to begin anew above the snapshot.
  [[nodiscard]] storage::StorageResult<bool> join(const Replay& replay) const;
  [[nodiscard]] Task<storage::StorageResult<void>> settle(ByteView newest);
  [[nodiscard]] Task<storage::StorageResult<void>> tidy_up(const Found& found);

  // --- durable_log.cpp ---
  template <class Attempt>
  [[nodiscard]] Task<storage::StorageResult<void>> attempt(Attempt attempt);
  [[nodiscard]] Task<storage::StorageResult<void>> write_all(const Write& write);
  [[nodiscard]] Task<storage::StorageResult<void>> install(const Write& write);
  [[nodiscard]] Task<storage::StorageResult<void>> append(const std::optional<HardState>& state,
                                                          const std::optional<LogPosition>& reset,
                                                          const std::vector<Entry>& entries);
  [[nodiscard]] Task<storage::StorageResult<void>> append_reset();
  [[nodiscard]] Task<storage::StorageResult<void>> cut_back();
  [[nodiscard]] Task<storage::StorageResult<void>> sync(FileHandle file, const std::string& path);
  [[nodiscard]] Task<storage::StorageResult<void>> sync_directory();
  [[nodiscard]] Task<storage::StorageResult<void>> make_segment(SegmentNumber number);
  [[nodiscard]] Task<storage::StorageResult<void>> write_segment_header(SegmentNumber number,
                                                                        FileHandle file);
  [[nodiscard]] Task<storage::StorageResult<void>> remove_segments(LogIndex through);
  // Those below `through`, and those above their number.
  [[nodiscard]] Task<storage::StorageResult<void>> remove_old_snapshots(LogIndex through);
  [[nodiscard]] Task<storage::StorageResult<void>> finish(SnapshotWriter& writer,
                                                          const SnapshotMeta& meta);
  [[nodiscard]] std::string path_of(SegmentNumber number) const;

  FileSystem& files_;
  std::string directory_;
  StoreOptions options_;
  AsyncMutex mutex_;
  FileHandle lock_ = no_file;
  std::optional<storage::StorageError> offline_;

  std::vector<SegmentInfo> segments_;  // ascending; the last one is written to
  FileHandle file_ = no_file;          // of the last one
  HardState hard_state_;

  std::shared_ptr<const SnapshotInfo> latest_;
  std::vector<LogPosition> older_;  // snapshots below the latest, ascending
  std::optional<storage::StorageError> damaged_;
  std::optional<LogPosition> damaged_at_;  // the newest snapshot, if it is
  SnapshotWriter incoming_;
  SnapshotWriter outgoing_;
  Reserve reserve_;

  Recovered recovered_;
  std::vector<std::string> notes_;
};

}  // namespace millrace::raft
