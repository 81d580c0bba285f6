#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

constexpr Offset offset_max{std::numeric_limits<std::int64_t>::max()};
// 0123456789abcdef0123456789abcdef, the id in the golden names.
constexpr Uuid golden_id{{std::byte{0x01}, std::byte{0x23}, std::byte{0x45}, std::byte{0x67},
                          std::byte{0x89}, std::byte{0xab}, std::byte{0xcd}, std::byte{0xef},
                          std::byte{0x01}, std::byte{0x23}, std::byte{0x45}, std::byte{0x67},
                          std::byte{0x89}, std::byte{0xab}, std::byte{0xcd}, std::byte{0xef}}};

const std::vector<SegmentFileKind> kinds = {
    SegmentFileKind::log, SegmentFileKind::offset_index, SegmentFileKind::time_index,
    SegmentFileKind::transaction_index, SegmentFileKind::producer_snapshot};
const std::vector<FileStage> stages = {FileStage::current, FileStage::cleaned, FileStage::swap,
                                       FileStage::deleted};

TEST(SegmentFileName, is_that_of_kafka) {
  EXPECT_EQ(segment_file_name(Offset(0), SegmentFileKind::log), "00000000000000000000.log");
  EXPECT_EQ(segment_file_name(Offset(1234), SegmentFileKind::offset_index, FileStage::cleaned),
            "00000000000000001234.index.cleaned");
  EXPECT_EQ(segment_file_name(Offset(1234), SegmentFileKind::time_index, FileStage::swap),
            "00000000000000001234.timeindex.swap");
  EXPECT_EQ(segment_file_name(Offset(5), SegmentFileKind::transaction_index, FileStage::deleted),
            "00000000000000000005.txnindex.deleted");
  EXPECT_EQ(segment_file_name(offset_max, SegmentFileKind::producer_snapshot),
            "09223372036854775807.snapshot");
}

TEST(SegmentFileName, comes_back_whatever_it_stands_for) {
  for (const SegmentFileKind kind : kinds) {
    for (const FileStage stage : stages) {
      for (const Offset offset : {Offset(0), Offset(9), Offset(1'000'000), offset_max}) {
        const std::string name = segment_file_name(offset, kind, stage);
        EXPECT_EQ(parse_segment_file_name(name), (SegmentFileName{offset, kind, stage})) << name;
      }
    }
  }
}

TEST(SegmentFileName, no_other_name_is_taken_for_one) {
  for (const char* const name : {"",
                                 "0.log",
                                 "0000000000000000000.log",
                                 "000000000000000000000.log",
                                 "00000000000000000000",
                                 "00000000000000000000.",
                                 "00000000000000000000.lo",
                                 "00000000000000000000.logs",
                                 "00000000000000000000.log.",
                                 "00000000000000000000.log.tmp",
                                 "00000000000000000000.log.swap.deleted",
                                 "00000000000000000000.LOG",
                                 "0000000000000000000x.log",
                                 "-0000000000000000001.log",
                                 "+0000000000000000001.log",
                                 "09223372036854775808.log",
                                 "99999999999999999999.log",
                                 " 0000000000000000000.log",
                                 "00000000000000000000.snapshot.tmp",
                                 "leader-epoch-checkpoint",
                                 "partition.metadata",
                                 "00000000000000000000.kafka",
                                 "x00000000000000000000.log"}) {
    EXPECT_EQ(parse_segment_file_name(name), std::nullopt) << name;
  }
}

RC_GTEST_PROP(SegmentFileName, a_name_that_is_read_is_made_the_same, (std::string text)) {
  const std::vector<std::string> suffixes = {".log", ".index.swap", ".txnindex.deleted", "", text};
  std::string digits = std::to_string(*rc::gen::nonNegative<std::int64_t>());
  digits.insert(0, *rc::gen::inRange<std::size_t>(0, 22), '0');
  const std::string name = digits + *rc::gen::elementOf(suffixes);
  if (const auto parsed = parse_segment_file_name(name)) {
    RC_ASSERT(segment_file_name(*parsed) == name);
  }
}

TEST(TopicName, follows_the_rules_of_kafka) {
  for (const char* const name : {"a", "orders", "a.b-c_d", "...", "-", "0", "__consumer_offsets"}) {
    EXPECT_TRUE(is_topic_name(name)) << name;
  }
  EXPECT_TRUE(is_topic_name(std::string(249, 'x')));
  for (const char* const name : {"", ".", "..", "a b", "a/b", "\xc3\xa4", "a\n", "a:b", "a\\b"}) {
    EXPECT_FALSE(is_topic_name(name)) << name;
  }
  EXPECT_FALSE(is_topic_name(std::string(250, 'x')));
  EXPECT_FALSE(is_topic_name(std::string("a\0b", 3)));
}

TEST(PartitionDirectoryName, is_read_as_kafka_reads_it) {
  for (const auto& row : golden_table("directory_names.tsv")) {
    ASSERT_EQ(row.size(), 3u);
    const auto parsed = parse_partition_directory_name(row[0]);
    // Kafka means to refuse names without an id too, but takes them where the topic looks like one.
    const bool lacks_id = row[0].find(".-") != std::string::npos;
    const bool cannot_exist = row[0].size() > file_name_bytes_max;
    if (row[1] == "refused" || lacks_id || cannot_exist) {
      EXPECT_FALSE(parsed) << row[0];
    } else {
      ASSERT_TRUE(parsed) << row[0] << ": " << parsed.error().message;
      EXPECT_EQ(parsed->partition.topic, row[1]) << row[0];
      EXPECT_EQ(std::to_string(parsed->partition.partition.value()), row[2]) << row[0];
    }
  }
}

TEST(PartitionDirectoryName, is_made_as_kafka_makes_it) {
  std::set<std::string> known;
  for (const auto& row : golden_table("directory_names.tsv")) known.insert(row[0]);
  for (const std::string& topic : {std::string("orders"), std::string("a.b"), std::string("a-1"),
                                   std::string("a-delete"), std::string(249, 't')}) {
    const TopicPartition partition{topic, PartitionIndex(11)};
    for (const auto kind : {PartitionDirectoryKind::current, PartitionDirectoryKind::deleted,
                            PartitionDirectoryKind::stray}) {
      const auto name = partition_directory_name(partition, kind, golden_id);
      ASSERT_TRUE(name) << topic;
      EXPECT_TRUE(known.contains(*name)) << *name;
      EXPECT_LE(name->size(), file_name_bytes_max);
    }
  }
  EXPECT_EQ(*partition_directory_name({"orders", PartitionIndex(3)}), "orders-3");
  EXPECT_EQ(*partition_directory_name({"orders", PartitionIndex(11)},
                                      PartitionDirectoryKind::future, golden_id),
            "orders-11.0123456789abcdef0123456789abcdef-future");
}

TEST(PartitionDirectoryName, says_what_the_directory_is_for) {
  const auto parsed = parse_partition_directory_name("a-b-7.4f-stray");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, (PartitionDirectoryName{
                         {"a-b", PartitionIndex(7)}, PartitionDirectoryKind::stray, "4f"}));
  EXPECT_EQ(parse_partition_directory_name("a-7")->kind, PartitionDirectoryKind::current);
  EXPECT_EQ(parse_partition_directory_name("a-7.4f-future")->kind, PartitionDirectoryKind::future);
  EXPECT_EQ(parse_partition_directory_name("a-7.4f-delete")->kind, PartitionDirectoryKind::deleted);
}

TEST(PartitionDirectoryName, a_copy_keeps_its_whole_topic_or_is_refused) {
  const auto name = partition_directory_name({std::string(249, 't'), PartitionIndex(0)},
                                             PartitionDirectoryKind::future, golden_id);
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().fault, StorageFault::limit);
  const auto long_partition =
      partition_directory_name({std::string(249, 't'), PartitionIndex(1'000'000)});
  ASSERT_FALSE(long_partition);
  EXPECT_EQ(long_partition.error().fault, StorageFault::limit);
}

TEST(PartitionDirectoryName, no_other_name_is_taken_for_one) {
  for (const std::string& name :
       {std::string(), std::string("a"), std::string("a-007"), std::string("a-+1"),
        std::string("a--1x"), std::string("a b-1"), std::string("..-1"), std::string("../x-1"),
        std::string("a-1\n"), std::string("a-1.x y-delete"), std::string("\xff\xff-1"),
        std::string("remote-log-index-cache"), std::string(300, 'x') + "-1",
        std::string("a\0-1", 4)}) {
    const auto parsed = parse_partition_directory_name(name);
    ASSERT_FALSE(parsed) << name;
    EXPECT_EQ(parsed.error().fault, StorageFault::invalid) << name;
  }
}

RC_GTEST_PROP(PartitionDirectoryName, comes_back_whatever_it_stands_for, ()) {
  const auto characters = rc::gen::elementOf(std::string("ab.-_09"));
  const std::string topic = *rc::gen::resize(40, rc::gen::container<std::string>(characters));
  RC_PRE(is_topic_name(topic));
  const auto kind =
      *rc::gen::element(PartitionDirectoryKind::current, PartitionDirectoryKind::future,
                        PartitionDirectoryKind::stray, PartitionDirectoryKind::deleted);
  const TopicPartition partition{topic, PartitionIndex(*rc::gen::nonNegative<std::int32_t>())};
  const auto name = partition_directory_name(partition, kind, golden_id);
  RC_ASSERT(name.has_value());
  const auto parsed = parse_partition_directory_name(*name);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->partition == partition);
  RC_ASSERT(parsed->kind == kind);
}

}  // namespace
}  // namespace millrace::storage
