// The contents of log directories, printed.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.storage.dump:dumper;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.index;
import millrace.storage.producers;
import millrace.storage.segment;
import :decoder;
import :log_walk;
import :printer;

export namespace millrace::storage {

// What reading a log directory stands on; outlives it, and lives on its thread.
struct DumpContext {
  Executor& executor;
  FileSystem& files;
  BufferPool& buffers;
  protocol::Decompressor& decompressor;
};

struct DumpOptions {
  // The records of the batches too, and with their keys, values and headers. What a marker says is
  // no payload: it is shown with all records.
  bool records = true;
  bool payloads = true;
  // Only batches with offsets in [from, to).
  Offset from{0};
  std::optional<Offset> to = std::nullopt;
  // Internal topics are told by the name of the directory; a decoder given here is for all logs.
  bool decode_internal_topics = true;
  std::optional<RecordDecoder> decoder = std::nullopt;
};

struct DumpTotals {
  std::uint64_t files = 0;
  std::uint64_t batches = 0;
  std::uint64_t records = 0;
  std::uint64_t entries = 0;  // of indexes, snapshots and checkpoints
  std::uint64_t problems = 0;
};

// Prints files of log directories as items (README.md lists them). What is damaged becomes an item
// `problem`, and the dump goes on as far as there is sense in it. Reads only; holds one batch, a
// block of an index, or a small file whole. Made for one dump. An error only where reading fails.
class Dumper {
 public:
  Dumper(DumpContext& context, const DumpOptions& options, ItemPrinter& printer)
      : context_(context), options_(options), printer_(printer) {}

  // A file, the directory of a partition with all its files, or a log directory with all of these.
  // StorageFault::invalid for a file that is of no known kind.
  [[nodiscard]] Task<StorageResult<DumpTotals>> dump(std::string path);

 private:
  using Entry = std::function<void(ByteView entry, std::uint64_t index)>;
  using Parse = std::function<StorageResult<void>(ByteView contents)>;

  [[nodiscard]] Task<StorageResult<void>> directory(std::string path, int depth);
  [[nodiscard]] Task<StorageResult<void>> file(std::string path, bool asked_for);
  [[nodiscard]] Task<StorageResult<void>> segment_file(std::string path, SegmentFileName name);
  [[nodiscard]] Task<StorageResult<void>> small_file(std::string path, std::size_t bytes_max,
                                                     Parse parse);

  [[nodiscard]] Task<StorageResult<void>> log(FileHandle file, std::string path,
                                              std::uint64_t bytes);
  [[nodiscard]] bool wants(const protocol::BatchHeader& header) const;
  void batch(const ScannedBatch& scanned);
  void records(const protocol::BatchView& batch, std::uint64_t position, RecordDecoder decoder);
  void record(const protocol::BatchView& batch, const protocol::RecordView& record,
              RecordDecoder decoder);
  void control_record(const protocol::RecordView& record);
  void headers(const protocol::RecordHeaders& headers);

  [[nodiscard]] Task<StorageResult<void>> entries(FileHandle file, std::string path,
                                                  std::uint64_t bytes, std::size_t entry_bytes,
                                                  Entry print);
  [[nodiscard]] Entry entry_printer(const SegmentFileName& name);

  [[nodiscard]] std::optional<Parse> text_file(std::string_view name, std::string path);
  void snapshot(const std::vector<ProducerSnapshotEntry>& producers);
  void checkpoint(const std::vector<PartitionOffset>& entries);

  void begin_file(std::string_view path, std::uint64_t bytes);
  void problem(std::uint64_t position, std::uint64_t bytes, std::string_view reason);

  DumpContext& context_;
  const DumpOptions& options_;
  ItemPrinter& printer_;
  DumpTotals totals_;
};

}  // namespace millrace::storage
