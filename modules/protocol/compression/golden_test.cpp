// Data that other programs compressed.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.compression;

using namespace compression_test;
using namespace millrace;
using namespace millrace::protocol;

namespace {

const std::string golden = std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/";

std::string noise(std::size_t size) {
  std::uint32_t state = 1;
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    text.push_back(static_cast<char>(state));
  }
  return text;
}

std::string lines() {
  std::string text;
  for (int i = 0; i < 6000; ++i) {
    text += std::to_string(i / 50) + " jumps over the lazy dog " + std::to_string(i % 3) + "\n";
  }
  return text;
}

// As in make.py.
Bytes text_named(const std::string& name) {
  if (name == "empty") return {};
  if (name == "short") return bytes_of("a record");
  if (name == "lines") return bytes_of(lines());
  if (name == "noise") return bytes_of(noise(3000));
  if (name == "mixed") return bytes_of(noise(1000) + lines().substr(0, 70000) + noise(1000));
  ADD_FAILURE() << "no text " << name;
  return {};
}

CompressionResult<Bytes> decompressed(Decompressor& decompressor, Codec codec, ByteView input) {
  if (const auto started = decompressor.start(codec, input, {}); !started) {
    return failure(started.error());
  }
  Bytes output;
  while (!decompressor.finished()) {
    const auto view = decompressor.next();
    if (!view) return failure(view.error());
    output.insert(output.end(), view->begin(), view->end());
  }
  return output;
}

// The records of one batch have a length each; they must fill the decompressed bytes exactly.
std::size_t records_in(const Bytes& bytes) {
  std::size_t count = 0;
  const std::byte* at = bytes.data();
  const std::byte* end = at + bytes.size();
  while (at != end) {
    std::int32_t length = 0;
    at = read_varint(at, end, length);
    if (at == nullptr || length < 0 || length > end - at) return 0;
    at += length;
    ++count;
  }
  return count;
}

}  // namespace

TEST(CompressionGolden, reads_and_refuses_what_other_programs_wrote) {
  std::ifstream cases(golden + "compression/cases.tsv");
  Decompressor decompressor;
  std::size_t count = 0;
  std::string line;
  while (std::getline(cases, line)) {
    std::istringstream row(line);
    std::string file;
    std::string codec;
    std::string content;
    std::getline(row, file, '\t');
    std::getline(row, codec, '\t');
    std::getline(row, content);
    const Bytes input = file_bytes(golden + "compression/" + file);
    const auto output = decompressed(decompressor, parse_codec(codec).value(), input);
    const std::string refused = "refused ";
    if (content.starts_with(refused)) {
      ASSERT_FALSE(output.has_value()) << file;
      EXPECT_EQ(name_of(output.error().fault), content.substr(refused.size())) << file;
    } else {
      ASSERT_TRUE(output.has_value()) << file << ": " << name_of(output.error().fault);
      EXPECT_TRUE(*output == text_named(content)) << file;
    }
    ++count;
  }
  EXPECT_EQ(count, 61u);
}

TEST(CompressionGolden, reads_the_batches_of_real_clients) {
  Decompressor decompressor;
  std::size_t batches = 0;
  for (const std::string client : {"java", "librdkafka", "franz-go", "kafkajs"}) {
    for (const std::string codec : {"gzip", "snappy", "lz4", "zstd"}) {
      const Bytes file = file_bytes(golden + "batches/" + client + "/" + codec + ".bin");
      ASSERT_FALSE(file.empty()) << client << ", " << codec;
      for (std::size_t at = 0; at < file.size();) {
        const std::byte* batch = file.data() + at;
        const auto length = load_big_endian<std::int32_t>(batch + 8);
        const auto attributes = load_big_endian<std::int16_t>(batch + 21);
        const auto records = load_big_endian<std::int32_t>(batch + 57);
        const auto size = record_batch_prefix_bytes + static_cast<std::size_t>(length);
        const Bytes payload(batch + record_batch_header_bytes, batch + size);
        const auto used = codec_from_bits(static_cast<std::uint8_t>(attributes));
        ASSERT_TRUE(used.has_value());
        const auto output = decompressed(decompressor, *used, payload);
        ASSERT_TRUE(output.has_value())
            << client << ", " << codec << ": " << name_of(output.error().fault);
        EXPECT_EQ(records_in(*output), static_cast<std::size_t>(records))
            << client << ", " << codec;
        if (*used != Codec::none) ++batches;
        at += size;
      }
    }
  }
  EXPECT_GT(batches, 16u);
}
