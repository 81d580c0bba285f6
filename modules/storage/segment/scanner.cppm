// Reads the batches of a log file from front to back.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

export module millrace.storage.segment:scanner;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;

export namespace millrace::storage {

// What is read at once. A batch that is larger is read on its own.
inline constexpr std::size_t scan_block_bytes = mebibyte;

// Why a scan went no further.
enum class ScanEnd : std::uint8_t {
  complete,  // the file ended with a batch
  cut_off,   // the file ends inside a batch: what a crash leaves of the last write
  damaged    // bytes that no batch has: a bad length, magic or CRC
};

enum class ScanDepth : std::uint8_t {
  headers,  // lengths and offsets must make sense
  bytes,    // the CRC must match; offsets are for the caller to check
  crc       // lengths, offsets and the CRC
};

// A batch in the file and where it begins.
struct ScannedBatch {
  std::uint64_t position = 0;
  protocol::BatchView batch;
};

// Walks over the batches of a file:
//   while (co_await scanner.fill() succeeds with true)
//     while (auto scanned = scanner.next()) use(*scanned);
//   scanner.end(), scanner.position()
// Batches are valid until the next fill(). The walk ends at the first bytes that are no batch, and
// position() is then where they begin: what lies before is good. Offsets must ascend from batch to
// batch, unless only bytes are checked. One buffer of the size of a block, or of the largest batch,
// is held meanwhile.
class BatchScanner {
 public:
  // From `from` up to `to`, which is the size of the file or less: no more memory is taken than
  // lies between.
  BatchScanner(FileSystem& files, BufferPool& buffers, FileHandle file, std::string path,
               std::uint64_t from, std::uint64_t to, ScanDepth depth);

  // Reads on. False at the end of the walk; an error only where reading fails.
  [[nodiscard]] Task<StorageResult<bool>> fill();
  // The next batch that has been read; nothing when fill() is needed.
  [[nodiscard]] std::optional<ScannedBatch> next();

  [[nodiscard]] ScanEnd end() const { return end_; }
  // Why the walk ended before the end, in words.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  // Behind the last good batch.
  [[nodiscard]] std::uint64_t position() const { return start_ + consumed_; }
  // One above the last offset of the last good batch; nothing if there was none.
  [[nodiscard]] std::optional<Offset> next_offset() const { return next_offset_; }

 private:
  void stop(ScanEnd end, std::string reason);
  [[nodiscard]] std::size_t wanted_bytes() const;

  FileSystem& files_;
  BufferPool& buffers_;
  FileHandle file_;
  std::string path_;
  std::uint64_t to_;
  ScanDepth depth_;
  Buffer buffer_;
  std::uint64_t start_;       // where the buffer begins in the file
  std::size_t filled_ = 0;    // bytes in the buffer
  std::size_t consumed_ = 0;  // of these, behind the last good batch
  bool file_ended_ = false;
  bool stopped_ = false;
  ScanEnd end_ = ScanEnd::complete;
  std::string reason_;
  std::optional<Offset> next_offset_;
};

}  // namespace millrace::storage
