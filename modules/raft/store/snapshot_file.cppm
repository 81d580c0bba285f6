// Snapshots as files: written in pieces, whole or not there, read in pieces that are checked.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.raft.store:snapshot_file;

import millrace.base;
import millrace.raft;
import millrace.runtime;
import millrace.storage.files;
import :format;

export namespace millrace::raft {

// What read_snapshot() gives at once.
inline constexpr std::uint64_t snapshot_read_bytes_max = 16 * mebibyte;

// A snapshot whose bytes were checked.
struct SnapshotInfo {
  SnapshotMeta meta;
  std::uint64_t front_bytes = 0;      // before the state
  std::vector<std::uint32_t> blocks;  // checksums
};

// Reads and checks all of the snapshot in `directory`. StorageFault::corrupt names the file.
[[nodiscard]] Task<storage::StorageResult<SnapshotInfo>> open_snapshot(FileSystem& files,
                                                                       std::string directory,
                                                                       LogPosition last);
// A part of its state; what is read is checked again. `info` stays in place until the end.
[[nodiscard]] Task<storage::StorageResult<std::vector<std::byte>>> read_snapshot(
    FileSystem& files, std::string directory, const SnapshotInfo& info, std::uint64_t offset,
    std::uint64_t length);

// One snapshot that is being written, under a name that means nothing after a crash. One call at a
// time, on the shard of `files`. A call that fails for lack of space or descriptors changes nothing
// and may be made again; after StorageFault::offline the owner calls nothing more.
class SnapshotWriter {
 public:
  SnapshotWriter(FileSystem& files, std::string directory, std::string temporary_name)
      : files_(files),
        directory_(std::move(directory)),
        temporary_(storage::path_in(directory_, temporary_name)) {}

  // Offset 0 begins anew; other pieces follow one another. `meta` and `data` stay in place.
  [[nodiscard]] Task<storage::StorageResult<void>> write(const SnapshotMeta& meta,
                                                         std::uint64_t offset, ByteView data);
  // Makes it durable under its own name. All its pieces were written.
  [[nodiscard]] Task<storage::StorageResult<SnapshotInfo>> finish(const SnapshotMeta& meta);
  // Closes and removes what is there.
  [[nodiscard]] Task<storage::StorageResult<void>> abandon();

 private:
  [[nodiscard]] Task<storage::StorageResult<void>> begin(const SnapshotMeta& meta);
  [[nodiscard]] Task<storage::StorageResult<void>> write_at(std::uint64_t position, ByteView data);
  [[nodiscard]] Task<storage::StorageResult<void>> sync();
  [[nodiscard]] Task<storage::StorageResult<void>> publish(const std::string& path);
  void count(ByteView data);

  FileSystem& files_;
  std::string directory_;
  std::string temporary_;
  FileHandle file_ = no_file;
  std::optional<SnapshotMeta> meta_;  // of what is being written
  std::vector<std::byte> front_;
  std::uint64_t received_ = 0;
  std::vector<std::uint32_t> blocks_;
  bool renamed_ = false;
};

}  // namespace millrace::raft
