// All batches of a log file, damaged or not.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

export module millrace.storage.dump:log_walk;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.segment;

namespace millrace::storage {

// As what a file has that was made longer than what is written of it.
[[nodiscard]] bool are_zeros(ByteView bytes);

}  // namespace millrace::storage

export namespace millrace::storage {

// The base of a segment whose indexes can name every offset that they have room for. No log comes
// near it.
inline constexpr Offset segment_base_max{std::numeric_limits<std::int64_t>::max() -
                                         std::numeric_limits<std::int32_t>::max()};

// How many bytes of a file have their CRC computed, at the most, to tell batches from bytes that
// look like some: hostile bytes cost a bounded time.
inline constexpr std::uint64_t resync_crc_bytes_max = 512 * mebibyte;

// Bytes that belong to no batch.
struct LogGap {
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
  bool all_zeros = false;
  // The file ends inside of what begins like a batch, and no batch follows.
  bool cut_off = false;
  std::string reason;
};

// As BatchScanner by headers, but goes on behind damage: with the next bytes that are a whole batch
// with its CRC and offsets that ascend.
//   while (co_await walk.fill() succeeds with true) {
//     while (auto scanned = walk.next()) use(*scanned);
//     if (auto gap = walk.take_gap()) report(*gap);
//   }
// Batches are valid until the next fill(); their CRCs are the caller's to check.
class LogWalk {
 public:
  LogWalk(FileSystem& files, BufferPool& buffers, FileHandle file, std::string path,
          std::uint64_t file_bytes);

  [[nodiscard]] Task<StorageResult<bool>> fill();
  [[nodiscard]] std::optional<ScannedBatch> next();
  // What lies behind the batches that the last fill() brought, where that is no batch.
  [[nodiscard]] std::optional<LogGap> take_gap();

 private:
  struct LastBatch {
    std::uint64_t position = 0;
    std::size_t bytes = 0;
    Offset next_offset;  // that was expected of it at the least
  };

  void scan_from(std::uint64_t position);
  [[nodiscard]] Task<StorageResult<bool>> was_misled();
  // Where a batch begins that lies behind the damage; the end of the file if there is none.
  [[nodiscard]] Task<StorageResult<std::uint64_t>> find_batch(LogGap& gap);
  [[nodiscard]] Task<StorageResult<bool>> is_batch(std::uint64_t position, ByteView header);
  [[nodiscard]] Task<StorageResult<std::size_t>> read(std::uint64_t position, MutableBytes to);

  FileSystem& files_;
  BufferPool& buffers_;
  FileHandle file_;
  std::string path_;
  std::uint64_t file_bytes_;
  std::uint64_t crc_bytes_left_ = resync_crc_bytes_max;
  Offset next_offset_{0};
  std::optional<LastBatch> last_;
  std::optional<BatchScanner> scanner_;
  std::optional<LogGap> gap_;
};

}  // namespace millrace::storage
