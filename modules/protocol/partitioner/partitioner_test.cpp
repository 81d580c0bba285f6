#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.protocol.partitioner;

namespace millrace::protocol {
namespace {

using Row = std::vector<std::string>;

std::vector<Row> rows_of(const std::string& file) {
  const std::string path = std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/" + file;
  std::ifstream in(path);
  EXPECT_TRUE(in.is_open()) << path;
  std::vector<Row> rows;
  for (std::string line; std::getline(in, line);) {
    Row& row = rows.emplace_back();
    std::size_t start = 0;
    for (std::size_t tab; (tab = line.find('\t', start)) != std::string::npos; start = tab + 1) {
      row.push_back(line.substr(start, tab - start));
    }
    row.push_back(line.substr(start));
  }
  return rows;
}

std::vector<Row> rows_of_kind(std::string_view kind) {
  std::vector<Row> rows;
  for (Row& row : rows_of("hashes.tsv")) {
    if (row.front() == kind) rows.push_back(std::move(row));
  }
  EXPECT_FALSE(rows.empty()) << kind;
  return rows;
}

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16)));
  }
  return bytes;
}

PartitionIndex partition(std::string_view text) {
  return PartitionIndex{std::stoi(std::string(text))};
}

TEST(Murmur2, is_that_of_the_java_client) {
  for (const Row& row : rows_of_kind("key")) {
    const std::string key = bytes_of(row.at(1));
    EXPECT_EQ(murmur2(as_bytes(key)), std::stoi(row.at(2))) << row.at(1);
    EXPECT_EQ(key_partition(Partitioner::murmur2, as_bytes(key), 1000), partition(row.at(3)))
        << row.at(1);
  }
}

TEST(Crc32, is_that_of_zlib) {
  for (const Row& row : rows_of_kind("key")) {
    EXPECT_EQ(crc32(as_bytes(bytes_of(row.at(1)))), std::stoul(row.at(4))) << row.at(1);
  }
  EXPECT_EQ(crc32({}), 0u);
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926u);
}

TEST(Fnv1a, gives_its_published_values) {
  EXPECT_EQ(fnv1a({}), 0x811c9dc5u);
  EXPECT_EQ(fnv1a(as_bytes("a")), 0xe40c292cu);
  EXPECT_EQ(fnv1a(as_bytes("foobar")), 0xbf9cf968u);
}

TEST(KeyPartition, is_that_of_librdkafka) {
  const std::vector<Row> rows = rows_of("librdkafka_partitions.tsv");
  ASSERT_FALSE(rows.empty());
  for (const Row& row : rows) {
    const std::string key = bytes_of(row.at(0));
    const std::int32_t count = std::stoi(row.at(1));
    const auto by = [&](Partitioner partitioner) {
      return key_partition(partitioner, as_bytes(key), count);
    };
    EXPECT_EQ(by(Partitioner::murmur2), partition(row.at(2))) << row.at(0) << " of " << count;
    EXPECT_EQ(by(Partitioner::consistent), partition(row.at(3))) << row.at(0) << " of " << count;
    EXPECT_EQ(by(Partitioner::fnv1a), partition(row.at(4))) << row.at(0) << " of " << count;
  }
}

TEST(KeyPartition, a_single_partition_takes_every_key) {
  for (const Partitioner partitioner :
       {Partitioner::murmur2, Partitioner::consistent, Partitioner::fnv1a}) {
    for (const std::string_view key : {"", "a", "some key"}) {
      EXPECT_EQ(key_partition(partitioner, as_bytes(key), 1), PartitionIndex{0});
    }
  }
}

TEST(KeyPartitionDeathTest, a_topic_without_partitions_is_a_broken_invariant) {
  for (const std::int32_t count : {0, -1}) {
    EXPECT_DEATH(static_cast<void>(key_partition(Partitioner::murmur2, {}, count)),
                 "a topic has partitions");
    EXPECT_DEATH(static_cast<void>(state_partition("group", count)), "a topic has partitions");
  }
}

TEST(JavaStringHash, is_that_of_java) {
  for (const Row& row : rows_of_kind("string")) {
    EXPECT_EQ(java_string_hash(bytes_of(row.at(1))), std::stoi(row.at(2))) << row.at(1);
  }
}

// The order in which the golden table combines them: shorter before longer, then by the bytes in
// the order of this list.
constexpr std::array<int, 26> utf8_borders = {
    0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
    0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff,
};

struct Combined {
  std::size_t count = 0;
  std::uint32_t hash = 0;

  void add(std::string& sequence, std::size_t length) {
    if (sequence.size() == length) {
      hash = hash * 31 + static_cast<std::uint32_t>(java_string_hash(sequence));
      ++count;
      return;
    }
    for (const int border : utf8_borders) {
      sequence.push_back(static_cast<char>(border));
      add(sequence, length);
      sequence.pop_back();
    }
  }
};

TEST(JavaStringHash, malformed_utf8_is_replaced_as_java_does_in_every_combination) {
  const std::vector<Row> rows = rows_of_kind("sequences");
  ASSERT_EQ(rows.size(), utf8_borders.size());
  for (const Row& row : rows) {
    std::string sequence = bytes_of(row.at(1));
    Combined combined;
    for (std::size_t length = 1; length <= 4; ++length) combined.add(sequence, length);
    EXPECT_EQ(combined.count, std::stoul(row.at(2))) << row.at(1);
    EXPECT_EQ(static_cast<std::int32_t>(combined.hash), std::stoi(row.at(3)))
        << "sequences that begin with " << row.at(1);
  }
}

TEST(StatePartition, is_the_one_that_kafka_chooses) {
  for (const Row& row : rows_of_kind("string")) {
    EXPECT_EQ(state_partition(bytes_of(row.at(1)), 50), partition(row.at(3))) << row.at(1);
  }
}

TEST(StatePartition, an_id_that_hashes_to_the_lowest_number_goes_to_the_first_partition) {
  constexpr std::string_view id = "polygenelubricants";
  ASSERT_EQ(java_string_hash(id), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(state_partition(id, 50), PartitionIndex{0});
  EXPECT_EQ(state_partition(id, std::numeric_limits<std::int32_t>::max()), PartitionIndex{0});
}

// Clearing the sign bit would give 17.
TEST(StatePartition, of_a_negative_hash_is_by_its_absolute_value) {
  ASSERT_EQ(java_string_hash("orders"), -1008770331);
  EXPECT_EQ(state_partition("orders", 50), PartitionIndex{31});
}

}  // namespace
}  // namespace millrace::protocol
