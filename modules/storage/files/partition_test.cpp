#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

EpochEntry entry(std::int32_t epoch, std::int64_t offset) {
  return {LeaderEpoch(epoch), Offset(offset)};
}

// What the golden files hold.
std::vector<EpochEntry> sample_epochs() {
  return {
      entry(0, 0), entry(1, 17), entry(5, 1000),
      entry(std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int64_t>::max())};
}
PartitionMetadata sample_metadata() {
  return {uuid_from_string("3Ns2Xv0-Tj6mP_vqQ1yRkA").value()};
}

std::string metadata_problem(std::string_view text) {
  const auto parsed = parse_partition_metadata(text, "F");
  EXPECT_FALSE(parsed) << text;
  if (parsed) return {};
  EXPECT_EQ(parsed.error().fault, StorageFault::corrupt) << text;
  return parsed.error().message;
}

std::string epochs_problem(std::string_view text) {
  const auto parsed = parse_leader_epoch_checkpoint(text, "F");
  EXPECT_FALSE(parsed) << text;
  if (parsed) return {};
  EXPECT_EQ(parsed.error().fault, StorageFault::corrupt) << text;
  return parsed.error().message;
}

TEST(PartitionMetadata, is_that_of_kafka_byte_for_byte) {
  EXPECT_EQ(format_partition_metadata(sample_metadata()), golden("text/partition.metadata"));
  EXPECT_EQ(parse_partition_metadata(golden("text/partition.metadata"), "F").value(),
            sample_metadata());
}

TEST(PartitionMetadata, may_end_in_a_line_break) {
  EXPECT_EQ(parse_partition_metadata(golden("text/partition.metadata") + "\n", "F").value(),
            sample_metadata());
}

TEST(PartitionMetadata, that_is_not_as_kafka_writes_it_is_corrupt) {
  EXPECT_EQ(metadata_problem("version: 1\ntopic_id: 3Ns2Xv0-Tj6mP_vqQ1yRkA"),
            "F: the first line is not \"version: 0\"");
  EXPECT_EQ(metadata_problem("version: 0\n"), "F: the second line has no topic_id");
  EXPECT_EQ(metadata_problem("version: 0\ntopic_id: x"), "F: the topic_id is not one");
  EXPECT_EQ(metadata_problem("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"),
            "F: the topic_id is that of no topic");
  EXPECT_EQ(metadata_problem("version: 0\ntopic_id: 3Ns2Xv0-Tj6mP_vqQ1yRkA\nx\n"),
            "F: the topic_id is not one");
  const std::string text = format_partition_metadata(sample_metadata());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_NE(metadata_problem(text.substr(0, size)), "") << size;
  }
}

TEST(PartitionMetadata, what_is_read_from_damaged_bytes_is_what_they_say) {
  for_each_bit_flip(format_partition_metadata(sample_metadata()), [](const std::string& damaged) {
    const auto parsed = parse_partition_metadata(damaged, "F");
    if (parsed) EXPECT_EQ(format_partition_metadata(*parsed), damaged);
  });
}

TEST(PartitionMetadata, is_saved_and_loaded) {
  TestDisk disk;
  ASSERT_TRUE(disk.run(save_partition_metadata(disk.files(), "/log", sample_metadata())));
  disk.disk.power_cut(3);
  disk.start();
  EXPECT_EQ(disk.disk.contents("/log/partition.metadata"), golden("text/partition.metadata"));
  EXPECT_EQ(disk.run(load_partition_metadata(disk.files(), "/log")).value(), sample_metadata());
}

TEST(LeaderEpochCheckpoint, is_that_of_kafka_byte_for_byte) {
  EXPECT_EQ(format_leader_epoch_checkpoint(sample_epochs()),
            golden("text/leader-epoch-checkpoint"));
  EXPECT_EQ(parse_leader_epoch_checkpoint(golden("text/leader-epoch-checkpoint"), "F").value(),
            sample_epochs());
  EXPECT_TRUE(parse_leader_epoch_checkpoint("", "F").value().empty());
  EXPECT_TRUE(parse_leader_epoch_checkpoint("0\n0\n", "F").value().empty());
}

TEST(LeaderEpochCheckpoint, looks_as_the_example_of_its_page) {
  const std::vector<EpochEntry> entries = {entry(0, 0), entry(1, 17), entry(5, 1000)};
  EXPECT_EQ(format_leader_epoch_checkpoint(entries), "0\n3\n0 0\n1 17\n5 1000\n");
}

TEST(LeaderEpochCheckpoint, names_the_line_that_is_wrong) {
  EXPECT_EQ(epochs_problem("7\n0\n"), "F, line 1: version 7 is not known");
  EXPECT_EQ(epochs_problem("0\n1\n"), "F, line 3: entry 0 of 1 is cut off");
  EXPECT_EQ(epochs_problem("0\n0\n0 0\n"),
            "F, line 2: more follows the 0 entries that the file announces");
  for (const char* const line : {"", "0", "0 ", " 0", "0  0", "-1 0", "0 -1", "a 0", "0 a", "00 0",
                                 "0 00", "2147483648 0", "0 9223372036854775808", "0 0 0"}) {
    EXPECT_EQ(epochs_problem("0\n1\n" + std::string(line) + "\n"),
              "F, line 3: not an epoch and an offset")
        << line;
  }
  for (const char* const lines : {"1 5\n1 6\n", "1 5\n2 5\n", "1 5\n0 6\n", "1 5\n2 4\n"}) {
    EXPECT_EQ(epochs_problem("0\n2\n" + std::string(lines)),
              "F, line 4: epoch and offset are not above those of the line before")
        << lines;
  }
}

TEST(LeaderEpochCheckpoint, that_is_cut_off_anywhere_is_corrupt) {
  const std::string text = format_leader_epoch_checkpoint(sample_epochs());
  for (std::size_t size = 1; size < text.size(); ++size) {
    EXPECT_NE(epochs_problem(text.substr(0, size)), "") << size;
  }
}

TEST(LeaderEpochCheckpoint, what_is_read_from_damaged_bytes_is_what_they_say) {
  for_each_bit_flip(format_leader_epoch_checkpoint(sample_epochs()),
                    [](const std::string& damaged) {
                      const auto parsed = parse_leader_epoch_checkpoint(damaged, "F");
                      if (parsed) EXPECT_EQ(format_leader_epoch_checkpoint(*parsed), damaged);
                    });
}

TEST(LeaderEpochCheckpoint, is_saved_and_loaded) {
  TestDisk disk;
  const std::vector<EpochEntry> entries = sample_epochs();
  ASSERT_TRUE(disk.run(save_leader_epoch_checkpoint(disk.files(), "/log", entries)));
  disk.disk.power_cut(3);
  disk.start();
  EXPECT_EQ(disk.run(load_leader_epoch_checkpoint(disk.files(), "/log")).value(), entries);
}

}  // namespace
}  // namespace millrace::storage
