// Walks from batch to batch of a log file by their headers.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.storage.segment:batch_walker;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;

export namespace millrace::storage {

// Where a batch lies in its file, and its header.
struct BatchPlace {
  std::uint64_t position = 0;
  protocol::BatchHeader header;

  [[nodiscard]] std::uint64_t end() const { return position + header.size_bytes(); }
};

// Reads little: a few headers at a time, no records. For looking up single batches; whoever wants
// all bytes of a file uses BatchScanner. The file stays open meanwhile.
class BatchWalker {
 public:
  // From `from`, where a batch begins, up to `to`, where one ends.
  BatchWalker(FileSystem& files, BufferPool& buffers, FileHandle file, std::string_view path,
              std::uint64_t from, std::uint64_t to)
      : files_(files), buffers_(buffers), file_(file), path_(path), position_(from), to_(to) {}

  // The next batch; nothing at the end. Bytes that are no batch, or one that reaches past the end:
  // StorageFault::corrupt, with the position of the batch that is damaged.
  [[nodiscard]] Task<StorageResult<std::optional<BatchPlace>>> next();

 private:
  [[nodiscard]] Task<StorageResult<void>> read_on();
  [[nodiscard]] Task<StorageError> damage(std::string reason);

  FileSystem& files_;
  BufferPool& buffers_;
  FileHandle file_;
  std::string_view path_;
  std::uint64_t position_;
  std::uint64_t to_;
  Buffer buffer_;
  std::uint64_t buffer_position_ = 0;
  std::size_t filled_ = 0;
  std::size_t last_batch_bytes_ = 0;
};

}  // namespace millrace::storage
