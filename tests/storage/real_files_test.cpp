// What happens to real index files behind the back of a running process.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.runtime.files;
import millrace.runtime.shard;
import millrace.storage.segment;

namespace millrace::storage {
namespace {

class NoLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view, std::string_view) override {}
};

std::vector<std::byte> batch_at(std::int64_t offset) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  protocol::BatchOptions options;
  options.base_offset = Offset(offset);
  builder.start(options);
  const std::vector<std::byte> value(100, std::byte{0x61});
  protocol::RecordInput record;
  record.value = value;
  record.timestamp = Timestamp(1'000 + offset);
  EXPECT_TRUE(builder.append(record).has_value());
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  return {bytes->begin(), bytes->end()};
}

class RealSegment : public ::testing::Test {
 protected:
  RealSegment() {
    std::string name = std::filesystem::temp_directory_path() / "millrace-segment-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
  }
  ~RealSegment() override {
    segment.reset();
    loop->run(close_files());
    std::filesystem::remove_all(directory);
  }

  // So many batches of one record, each with an entry of the indexes.
  void fill(std::int64_t batches) {
    Segment fresh(context, directory, Offset(0), Timestamp(0));
    good(fresh.create());
    for (std::int64_t i = 0; i < batches; ++i) {
      const auto bytes = batch_at(i);
      good(write(fresh, bytes));
      fresh.added(protocol::read_batch_header(bytes).value(), 1);
    }
    fresh.finish();
    good(fresh.sync_log());
    good(fresh.sync_indexes());
    SegmentSizes sizes;
    sizes.log = std::filesystem::file_size(path(SegmentFileKind::log));
    sizes.offset_index = std::filesystem::file_size(path(SegmentFileKind::offset_index));
    sizes.time_index = std::filesystem::file_size(path(SegmentFileKind::time_index));
    segment = std::make_unique<Segment>(context, directory, Offset(0), Timestamp(0), sizes);
  }
  void good(Task<StorageResult<void>> task) {
    const auto done = loop->run(std::move(task));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::optional<Offset> find(std::int64_t offset) {
    const auto place = loop->run(segment->find(Offset(offset), segment->bytes()));
    EXPECT_TRUE(place) << place.error().message;
    if (!place || !*place) return std::nullopt;
    return (*place)->header.base_offset;
  }
  [[nodiscard]] std::string path(SegmentFileKind kind) const {
    return path_in(directory, segment_file_name(Offset(0), kind));
  }

  static Task<StorageResult<void>> write(Segment& to, const std::vector<std::byte>& bytes) {
    const std::array pieces{ByteView(bytes)};
    co_return co_await to.write(pieces);
  }
  Task<void> close_files() { co_await open_files.close_all(); }

  SystemClock clock;
  std::string directory;
  std::unique_ptr<ShardLoop> loop = std::move(ShardLoop::make(clock).value());
  std::unique_ptr<FilePool> pool = std::move(FilePool::start(clock).value());
  std::unique_ptr<PosixFileSystem> files = std::move(
      make_file_system(choose_file_system(FileSystemSetting::automatic)->kind, *loop, *pool)
          .value());
  OpenFiles open_files{*files};
  IndexCache index_cache{*files, open_files};
  BufferPool buffers;
  protocol::Decompressor decompressor;
  SegmentContext context{*loop,
                         *files,
                         open_files,
                         index_cache,
                         buffers,
                         decompressor,
                         Logger(std::make_shared<NoLog>(), "test")};
  std::unique_ptr<Segment> segment;
};

// The process goes on: with a mapping of the file the pages that it lost would end it, as would
// those that the device cannot read.
TEST_F(RealSegment, an_index_that_becomes_shorter_while_it_is_used_is_made_again) {
  fill(4'000);
  EXPECT_EQ(find(10), Offset(10));
  EXPECT_EQ(find(3'999), Offset(3'999));
  std::filesystem::resize_file(path(SegmentFileKind::offset_index), 4'096);
  for (std::int64_t offset = 0; offset < 4'000; offset += 7) {
    EXPECT_EQ(find(offset), Offset(offset));
  }
}

}  // namespace
}  // namespace millrace::storage
