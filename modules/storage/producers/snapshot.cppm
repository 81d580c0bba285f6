// The .snapshot files: the producers of a partition at an offset. Layout:
// docs/formats/producer-snapshot.md.
module;
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.storage.producers:snapshot;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import :state;

export namespace millrace::storage {

// A file of a million and a half producers.
inline constexpr std::size_t producer_snapshot_bytes_max = 64 * mebibyte;

[[nodiscard]] std::vector<std::byte> format_producer_snapshot(
    std::span<const ProducerSnapshotEntry> entries);
// Version, checksum, length and the range of every number are checked. `path` is for the sentence
// of a failure.
[[nodiscard]] StorageResult<std::vector<ProducerSnapshotEntry>> parse_producer_snapshot(
    ByteView bytes, std::string_view path);

// The snapshot at `offset` holds what was appended below it.
[[nodiscard]] Task<StorageResult<std::vector<ProducerSnapshotEntry>>> load_producer_snapshot(
    FileSystem& files, std::string directory, Offset offset);
// Durable when it succeeds.
[[nodiscard]] Task<StorageResult<void>> save_producer_snapshot(
    FileSystem& files, std::string directory, Offset offset,
    std::vector<ProducerSnapshotEntry> entries);

}  // namespace millrace::storage
