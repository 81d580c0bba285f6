// A segment on a simulated disk, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.storage.segment;

namespace millrace::storage {

struct SegmentRecords {
  std::int64_t base = 0;
  int count = 1;
  std::size_t value_bytes = 10;
  std::int64_t timestamp = 1'000;
  std::int64_t timestamp_step = 0;
  protocol::Codec codec = protocol::Codec::none;
};

inline std::vector<std::byte> encode(const SegmentRecords& records) {
  BufferPool pool;
  protocol::BatchStorage plain(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(plain, compressed, compressor);
  protocol::BatchOptions options;
  options.base_offset = Offset(records.base);
  options.compression = protocol::CompressionOptions(records.codec);
  builder.start(options);
  const std::vector<std::byte> value(records.value_bytes, std::byte{0x61});
  for (int i = 0; i < records.count; ++i) {
    protocol::RecordInput record;
    record.value = value;
    record.timestamp = Timestamp(records.timestamp + i * records.timestamp_step);
    EXPECT_TRUE(builder.append(record).has_value());
  }
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  return {bytes->begin(), bytes->end()};
}

inline protocol::BatchHeader header_of(const std::vector<std::byte>& batch) {
  return protocol::read_batch_header(batch).value();
}

class SegmentMachine {
 public:
  explicit SegmentMachine(std::uint64_t seed = 1, SimulatedFileOptions options = {},
                          std::size_t files_max = 8)
      : executor(seed),
        disk(seed),
        files(disk, executor, options),
        open_files(files, files_max),
        index_cache(files, open_files, files_max * 2 * kibibyte),
        context{executor,
                files,
                open_files,
                index_cache,
                buffers,
                decompressor,
                Logger(std::make_shared<Lines>(lines), "test")} {
    EXPECT_TRUE(wait(make_directory()));
  }
  ~SegmentMachine() { run(close_files()); }

  std::vector<std::string> lines;
  SimulatedExecutor executor;
  SimulatedDisk disk;
  SimulatedFileSystem files;
  OpenFiles open_files;
  IndexCache index_cache;
  BufferPool buffers;
  protocol::Decompressor decompressor;
  SegmentContext context;
  std::string directory = "/log";
  std::uint32_t index_interval_bytes = 100;

  template <class T>
  T wait(Task<T> task) {
    auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message;
    return std::move(ended.value());
  }
  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message;
  }
  void good(Task<StorageResult<void>> task) {
    const auto done = wait(std::move(task));
    EXPECT_TRUE(done) << done.error().message;
  }

  std::unique_ptr<Segment> create(std::int64_t base) {
    auto segment = std::make_unique<Segment>(context, directory, Offset(base), Timestamp(0));
    good(segment->create());
    return segment;
  }
  void append(Segment& segment, const SegmentRecords& records) {
    const auto bytes = encode(records);
    good(write(segment, bytes));
    segment.added(header_of(bytes), index_interval_bytes);
  }
  // The same files as another process finds them.
  std::unique_ptr<Segment> reopen(std::unique_ptr<Segment> segment) {
    const Offset base = segment->base();
    segment.reset();
    SegmentSizes sizes;
    sizes.log = size_of(base, SegmentFileKind::log).value_or(0);
    sizes.offset_index = size_of(base, SegmentFileKind::offset_index);
    sizes.time_index = size_of(base, SegmentFileKind::time_index);
    sizes.transaction_index = size_of(base, SegmentFileKind::transaction_index);
    return std::make_unique<Segment>(context, directory, base, Timestamp(0), sizes);
  }
  // Finished and durable, as after a roll.
  std::unique_ptr<Segment> sealed(std::unique_ptr<Segment> segment) {
    segment->finish();
    good(segment->sync_log());
    good(segment->sync_indexes());
    return reopen(std::move(segment));
  }

  [[nodiscard]] std::string path(Offset base, SegmentFileKind kind) const {
    return path_in(directory, segment_file_name(base, kind));
  }
  [[nodiscard]] std::string contents(Offset base, SegmentFileKind kind) const {
    return disk.contents(path(base, kind)).value_or("no such file");
  }
  void write_file(Offset base, SegmentFileKind kind, std::string text) {
    run(replace(path(base, kind), std::move(text)));
  }
  void remove_file(Offset base, SegmentFileKind kind) { run(remove(path(base, kind))); }
  [[nodiscard]] bool says(std::string_view part) const {
    for (const std::string& line : lines) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }

 private:
  class Lines final : public LogSink {
   public:
    explicit Lines(std::vector<std::string>& all) : all_(all) {}
    void write(LogLevel, std::string_view, std::string_view message) override {
      all_.emplace_back(message);
    }

   private:
    std::vector<std::string>& all_;
  };

  Task<IoResult<void>> make_directory() { co_return co_await files.make_directory(directory); }
  Task<void> close_files() { co_await open_files.close_all(); }
  static Task<StorageResult<void>> write(Segment& segment, const std::vector<std::byte>& bytes) {
    const std::array pieces{ByteView(bytes)};
    co_return co_await segment.write(pieces);
  }
  [[nodiscard]] std::optional<std::uint64_t> size_of(Offset base, SegmentFileKind kind) const {
    const auto text = disk.contents(path(base, kind));
    if (!text) return std::nullopt;
    return text->size();
  }
  Task<void> replace(std::string path, std::string text) {
    const auto file = co_await files.open(path, OpenMode::create_truncated);
    EXPECT_TRUE(file) << path;
    if (!file) co_return;
    const std::array pieces{as_bytes(text)};
    EXPECT_TRUE(co_await files.write(*file, 0, pieces));
    EXPECT_TRUE(co_await files.close(*file));
  }
  Task<void> remove(std::string path) {
    co_await open_files.forget(path);
    EXPECT_TRUE(co_await files.remove(path)) << path;
  }
};

}  // namespace millrace::storage
