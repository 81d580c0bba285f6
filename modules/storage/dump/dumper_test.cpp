// Also proves dump_log.cpp, dump_entries.cpp. What Kafka wrote is dumped in tests/storage.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "test_support.hpp"

import millrace.storage.dump;

namespace millrace::storage {
namespace {

using Dump = DirectoryTest;

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST_F(Dump, shows_every_file_of_a_log_directory) {
  const std::string text = dump(std::string(test_root));
  EXPECT_EQ(totals.problems, 0u) << text;
  EXPECT_EQ(count(text, "file path="), totals.files);
  EXPECT_EQ(count(text, "\nbatch "), totals.batches);
  EXPECT_EQ(count(text, "\n  record "), totals.records);
  EXPECT_GT(totals.records, 20u);
  for (const std::string_view type :
       {"\noffset_entry ", "\ntime_entry ", "\naborted_transaction ", "\nproducer ",
        "\npartition_offset topic=orders partition=0 ", "\nleader_epoch epoch=2 ",
        "\nmeta_properties cluster_id=test node_id=1", "\nclean_shutdown broker_epoch=7\n"}) {
    EXPECT_NE(text.find(type), std::string::npos) << type;
  }
  EXPECT_NE(text.find(" control=abort decoded_value={\"version\":0,\"name\":\"EndTxnMarker\""),
            std::string::npos);
}

TEST_F(Dump, shows_batches_alone_and_a_range_of_offsets) {
  const std::string path = path_of(SegmentFileKind::log, 0);
  DumpOptions options;
  options.records = false;
  EXPECT_EQ(count(dump(path, DumpFormat::text, options), "record "), 0u);
  EXPECT_GT(totals.batches, 3u);
  options.from = Offset(3);
  options.to = Offset(5);
  const std::string text = dump(path, DumpFormat::json_lines, options);
  EXPECT_EQ(totals.batches, 2u) << text;
  EXPECT_NE(text.find(R"("base_offset":2,"last_offset":3)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("base_offset":4,)"), std::string::npos) << text;
}

TEST_F(Dump, leaves_payloads_out_when_asked_to) {
  DumpOptions options;
  options.payloads = false;
  const std::string text = dump(path_of(SegmentFileKind::log, 0), DumpFormat::text, options);
  for (const std::string_view payload : {" key=", " value=", " headers="}) {
    EXPECT_EQ(text.find(payload), std::string::npos) << payload;
  }
  EXPECT_NE(text.find("  record offset=0 timestamp=1000000 sequence=0\n"), std::string::npos);
  EXPECT_NE(text.find(" control=commit decoded_value="), std::string::npos)
      << "markers hold nothing of the user's";
}

TEST_F(Dump, shows_damage_and_what_lies_behind_it) {
  const std::string path = path_of(SegmentFileKind::log, 0);
  dump(path);
  const auto before = totals.batches;
  edit(path, [](std::string& bytes) { bytes[16] = 9; });
  const std::string text = dump(path);
  EXPECT_EQ(totals.problems, 1u);
  EXPECT_EQ(totals.batches, before - 1);
  EXPECT_NE(text.find("\nproblem position=0 bytes="), std::string::npos) << text;
}

TEST_F(Dump, shows_a_batch_with_another_crc_and_says_so) {
  const std::string path = path_of(SegmentFileKind::log, 0);
  edit(path, [](std::string& bytes) { bytes[75] ^= 1; });
  const std::string text = dump(path, DumpFormat::json_lines);
  EXPECT_GE(totals.problems, 1u);
  EXPECT_EQ(count(text, "\"crc_valid\":false"), 1u);
}

TEST_F(Dump, tells_unused_room_of_an_index_from_a_cut_entry) {
  const std::string path = path_of(SegmentFileKind::offset_index, 0);
  edit(path, [](std::string& bytes) { bytes.append(800'000, '\0'); });
  std::string text = dump(path);
  EXPECT_EQ(totals.problems, 0u);
  EXPECT_NE(text.find(" bytes=800000\n"), std::string::npos) << text;
  edit(path, [](std::string& bytes) { bytes += "xyz"; });
  text = dump(path);
  EXPECT_NE(text.find("bytes=3 reason=\"a part of an entry\""), std::string::npos) << text;
}

TEST_F(Dump, shows_a_small_file_that_cannot_be_parsed_as_a_problem) {
  write(in_root(log_start_checkpoint_name), "0\n1\nnonsense\n");
  const std::string text = dump(in_root(log_start_checkpoint_name));
  EXPECT_EQ(totals.problems, 1u);
  EXPECT_NE(text.find("problem position=0"), std::string::npos) << text;
}

TEST_F(Dump, shows_an_index_whose_name_no_log_reaches_as_a_problem) {
  constexpr Offset largest(std::numeric_limits<std::int64_t>::max());
  for (const SegmentFileKind kind : {SegmentFileKind::offset_index, SegmentFileKind::time_index}) {
    const std::string path = in_partition(segment_file_name(largest, kind));
    write(path, std::string(24, '\1'));
    const std::string text = dump(path);
    EXPECT_EQ(totals.problems, 1u) << text;
    EXPECT_EQ(totals.entries, 0u) << text;
  }
}

TEST_F(Dump, shows_what_is_called_as_a_segment_and_is_no_file_as_a_problem) {
  make_directory(in_partition("00000000000000000900.log"));
  const std::string text = dump(std::string(test_directory));
  EXPECT_EQ(totals.problems, 1u) << text;
  EXPECT_NE(text.find("00000000000000000900.log bytes=0\nproblem position=0"), std::string::npos)
      << text;
}

TEST_F(Dump, refuses_a_directory_without_files_of_a_log) {
  make_directory(in_root("notes"));
  write(in_root("notes/notes.txt"), "hello");
  const auto refused = try_dump(in_root("notes"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, StorageFault::invalid);
  EXPECT_NE(refused.error().message.find("notes has no files of a log"), std::string::npos);
}

TEST_F(Dump, refuses_a_file_that_is_none_of_a_log_directory) {
  write(in_root("notes.txt"), "hello");
  const auto refused = try_dump(in_root("notes.txt"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, StorageFault::invalid);
  const auto missing = try_dump(in_root("missing.log"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, StorageFault::not_found);
}

TEST_F(Dump, ends_when_the_sink_has_had_enough) {
  for (int i = 0; i < 12; ++i) {
    const std::string name = segment_file_name(Offset(1'000 + i), SegmentFileKind::log);
    std::string batches;
    for (int j = 0; j < 100; ++j) {
      const auto batch =
          encode({.values = {std::string(200, 'v')}, .base_offset = Offset(1'000 + j)});
      batches += as_text(batch);
    }
    write(in_partition(name), batches);
  }
  dump(std::string(test_root));
  const auto all = totals.batches;
  sink.pieces = 0;
  sink.refused_piece = 2;
  dump(std::string(test_root));
  EXPECT_LT(totals.batches, all / 2);
}

TEST_F(Dump, a_device_that_fails_is_an_error) {
  machine.disk.faults().plan({.kind = IoKind::read});
  const auto failed = try_dump(path_of(SegmentFileKind::log, 0));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, StorageFault::offline);
  EXPECT_EQ(machine.process->files.open_files(), 0u);
}

}  // namespace
}  // namespace millrace::storage
