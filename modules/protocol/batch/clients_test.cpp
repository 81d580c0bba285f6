// Reads the batches that other clients wrote (tests/golden/README.md says how) and compares them
// with what Kafka's own reader finds in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;
namespace fs = std::filesystem;

namespace {

const fs::path folder = MILLRACE_SOURCE_DIR "/tests/golden/data/batches";

Bytes read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Bytes bytes;
  put_text(bytes, text);
  return bytes;
}

std::vector<std::string> read_lines(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string hex(ByteView bytes) {
  if (is_null(bytes)) return "null";
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += digits[static_cast<std::size_t>(byte) >> 4];
    text += digits[static_cast<std::size_t>(byte) & 15];
  }
  return text;
}

std::string joined(std::initializer_list<std::int64_t> numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += '\t' + std::to_string(number);
  return text;
}

std::string line_of(const BatchView& batch) {
  const BatchHeader& header = batch.header();
  return "batch" + joined({header.base_offset.value(), header.last_offset().value(),
                           static_cast<std::int64_t>(header.size_bytes()),
                           header.leader_epoch.value(), header.attributes.bits(),
                           header.base_timestamp.value(), header.max_timestamp.value(),
                           header.producer.id.value(), header.producer.epoch.value(),
                           header.producer.base_sequence.value(), header.record_count, header.crc});
}

std::string line_of(const RecordView& record) {
  std::string headers;
  for (const RecordHeader& header : record.headers) {
    if (!headers.empty()) headers += ',';
    headers += hex(as_bytes(header.key)) + ':' + hex(header.value);
  }
  return "record" + joined({record.offset_delta, record.timestamp.value()}) + '\t' +
         hex(record.key) + '\t' + hex(record.value) + '\t' + headers;
}

std::vector<fs::path> batch_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".bin") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class ClientBatchesTest : public testing::Test {
 protected:
  // The lines that a file's batches give; codecs seen are added to `codecs`.
  std::vector<std::string> describe(const Bytes& bytes, std::set<Codec>& codecs) {
    std::vector<std::string> lines;
    BatchSplitter splitter(bytes);
    for (BatchView batch; splitter.next(batch);) {
      EXPECT_TRUE(batch.crc_matches());
      lines.push_back(line_of(batch));
      if (const auto opened = reader_.open(batch); !opened) {
        ADD_FAILURE() << sentence(opened.error());
        continue;
      }
      codecs.insert(*batch.header().attributes.codec());
      for (RecordView record; reader_.next(record);) lines.push_back(line_of(record));
      const auto finished = reader_.finish();
      EXPECT_TRUE(finished) << sentence(finished.error());
    }
    EXPECT_EQ(*splitter.finish(), BatchSplitter::End::complete);
    return lines;
  }

  // The batch built anew from what the reader finds in it.
  Bytes rebuilt(const BatchView& batch) {
    const BatchHeader& header = batch.header();
    BatchBuilder builder(records_, compressed_, compressor_);
    builder.start({.base_offset = header.base_offset,
                   .leader_epoch = header.leader_epoch,
                   .producer = header.producer,
                   .transactional = header.attributes.is_transactional(),
                   .control = header.attributes.is_control()});
    EXPECT_TRUE(reader_.open(batch));
    for (RecordView record; reader_.next(record);) {
      const std::vector<RecordHeader> headers(record.headers.begin(), record.headers.end());
      EXPECT_TRUE(builder.append_at(record.offset_delta, {.key = record.key,
                                                          .value = record.value,
                                                          .timestamp = record.timestamp,
                                                          .headers = headers}));
    }
    EXPECT_TRUE(reader_.finish());
    const auto built = builder.finish();
    return Bytes(built->begin(), built->end());
  }

  Compressor compressor_;
  BufferPool pool_;
  BatchStorage records_{pool_};
  BatchStorage compressed_{pool_};
  Decompressor decompressor_;
  RecordReader reader_{decompressor_};
};

}  // namespace

TEST_F(ClientBatchesTest, every_batch_reads_as_kafka_reads_it) {
  const std::vector<fs::path> files = batch_files();
  ASSERT_FALSE(files.empty()) << "no batches in " << folder;
  for (const fs::path& file : files) {
    std::set<Codec> codecs;
    const auto found = describe(read_file(file), codecs);
    const auto expected = read_lines(fs::path(file).replace_extension(".tsv"));
    EXPECT_FALSE(expected.empty()) << file;
    ASSERT_EQ(found.size(), expected.size()) << file;
    for (std::size_t line = 0; line < found.size(); ++line) {
      ASSERT_EQ(found[line], expected[line]) << file << ", line " << line + 1;
    }
  }
}

TEST_F(ClientBatchesTest, every_client_and_codec_is_there) {
  for (const char* client : {"java", "librdkafka", "franz-go", "kafkajs"}) {
    for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
      const fs::path file = folder / client / (std::string(name_of(codec)) + ".bin");
      std::set<Codec> codecs;
      const auto lines = describe(read_file(file), codecs);
      EXPECT_TRUE(codecs.contains(codec)) << file << " has no batch with this codec";
      EXPECT_GT(lines.size(), 100u) << file;
    }
  }
}

TEST_F(ClientBatchesTest, every_batch_passes_validation) {
  int validated = 0;
  for (const fs::path& file : batch_files()) {
    const Bytes bytes = read_file(file);
    BatchSplitter splitter(bytes);
    for (BatchView batch; splitter.next(batch);) {
      // As the broker stored it; producers send no log append time.
      if (batch.header().attributes.timestamp_type() == TimestampType::log_append_time) continue;
      const auto valid = validate_batch(batch.bytes(),
                                        {.origin = BatchOrigin::coordinator,
                                         .require_base_offset_zero = false,
                                         .now = Timestamp(4'000'000'000'000)},
                                        reader_);
      ASSERT_TRUE(valid) << file << ": " << sentence(valid.error());
      EXPECT_FALSE(valid->must_rewrite_timestamps) << file;
      ++validated;
    }
  }
  EXPECT_GT(validated, 20);
}

TEST_F(ClientBatchesTest, uncompressed_batches_of_java_are_rebuilt_byte_for_byte) {
  int rebuilt_count = 0;
  for (const char* name : {"none", "idempotent", "transactional"}) {
    const Bytes bytes = read_file(folder / "java" / (std::string(name) + ".bin"));
    BatchSplitter splitter(bytes);
    for (BatchView batch; splitter.next(batch);) {
      if (batch.header().attributes.codec() != Codec::none) continue;
      const ByteView given = batch.bytes();
      EXPECT_EQ(rebuilt(batch), Bytes(given.begin(), given.end())) << name;
      ++rebuilt_count;
    }
  }
  EXPECT_GT(rebuilt_count, 3);
}
