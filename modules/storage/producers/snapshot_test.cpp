#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using Entries = std::vector<ProducerSnapshotEntry>;
using Bytes = std::vector<std::byte>;

// What the golden file holds.
Entries sample() {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  return {{.producer = ProducerId(0),
           .epoch = ProducerEpoch(0),
           .last_sequence = Sequence(9),
           .last_offset = Offset(1000),
           .offset_delta = 4,
           .timestamp = Timestamp(1'700'000'000'004)},
          {.producer = ProducerId(1),
           .epoch = ProducerEpoch(3),
           .last_sequence = Sequence(2'147'483'647),
           .last_offset = Offset(2000),
           .timestamp = Timestamp(1'700'000'000'000),
           .transaction_start = Offset(2000)},
          {.producer = ProducerId(7),
           .epoch = ProducerEpoch(12),
           .timestamp = Timestamp(1'700'000'000'123),
           .coordinator_epoch = CoordinatorEpoch(5)},
          {.producer = ProducerId(largest),
           .epoch = ProducerEpoch(32'767),
           .last_sequence = Sequence(0),
           .last_offset = Offset(largest - 1),
           .offset_delta = 9,
           .timestamp = Timestamp(1'700'000'000'009),
           .transaction_start = Offset(largest - 10)}};
}

std::string text_of(const Entries& entries) {
  return std::string(as_text(format_producer_snapshot(entries)));
}

std::string problem_of(std::string_view text) {
  const auto parsed = parse_producer_snapshot(as_bytes(text), "F");
  EXPECT_FALSE(parsed);
  if (parsed) return {};
  EXPECT_EQ(parsed.error().fault, StorageFault::corrupt);
  return parsed.error().message;
}

// The checksum is put right.
std::string resealed(std::string text) {
  store_big_endian(reinterpret_cast<std::byte*>(text.data()) + 2,
                   crc32c(as_bytes(text).subspan(6)));
  return text;
}

TEST(ProducerSnapshot, is_that_of_kafka_byte_for_byte) {
  EXPECT_EQ(text_of(sample()), golden("snapshots/some.snapshot"));
  EXPECT_EQ(text_of({}), golden("snapshots/none.snapshot"));
}

TEST(ProducerSnapshot, looks_as_the_example_of_its_page) {
  const Entries entries = {{.producer = ProducerId(1),
                            .epoch = ProducerEpoch(3),
                            .last_sequence = Sequence(2'147'483'647),
                            .last_offset = Offset(2000),
                            .timestamp = Timestamp(1'700'000'000'000),
                            .transaction_start = Offset(2000)}};
  constexpr unsigned char example[] = {
      0x00, 0x01, 0xda, 0xcc, 0xfc, 0x07, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x01, 0x00, 0x03, 0x7f, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x07, 0xd0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5,
      0x68, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0xd0};
  EXPECT_EQ(text_of(entries), std::string(reinterpret_cast<const char*>(example), sizeof example));
}

TEST(ProducerSnapshot, reads_what_kafka_writes) {
  const std::string some = golden("snapshots/some.snapshot");
  EXPECT_EQ(parse_producer_snapshot(as_bytes(some), "F").value(), sample());
  const std::string none = golden("snapshots/none.snapshot");
  EXPECT_TRUE(parse_producer_snapshot(as_bytes(none), "F").value().empty());
}

TEST(ProducerSnapshot, that_is_cut_off_anywhere_is_corrupt) {
  const std::string text = text_of(sample());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_NE(problem_of(text.substr(0, size)), "") << size;
    if (size >= 10) {
      EXPECT_EQ(problem_of(resealed(text.substr(0, size))),
                "F: the number of producers is not that of the entries");
    }
  }
}

TEST(ProducerSnapshot, with_any_flipped_bit_is_corrupt) {
  for_each_bit_flip(text_of(sample()),
                    [](const std::string& damaged) { EXPECT_NE(problem_of(damaged), ""); });
}

TEST(ProducerSnapshot, says_what_is_wrong) {
  std::string text = text_of(sample());
  EXPECT_EQ(problem_of(""), "F: the file is cut off");
  EXPECT_EQ(problem_of(text.substr(0, 9)), "F: the file is cut off");
  text[1] = 2;
  EXPECT_EQ(problem_of(text), "F: version 2 is not known");
  text = text_of(sample());
  text[3] = static_cast<char>(text[3] ^ 1);
  EXPECT_EQ(problem_of(text), "F: the checksum is wrong");
  text = text_of(sample());
  text[6] = '\xff';
  EXPECT_EQ(problem_of(resealed(text)), "F: the number of producers is not that of the entries");
  EXPECT_EQ(problem_of(resealed(text_of(sample()) + "x")),
            "F: the number of producers is not that of the entries");
}

TEST(ProducerSnapshot, with_impossible_numbers_is_corrupt) {
  const auto with = [](auto change) {
    Entries entries = sample();
    change(entries[0]);
    return problem_of(text_of(entries));
  };
  const std::string impossible = "F: an entry holds what no producer can have";
  EXPECT_EQ(with([](auto& entry) { entry.producer = ProducerId(-1); }), impossible);
  EXPECT_EQ(with([](auto& entry) { entry.epoch = ProducerEpoch(-2); }), impossible);
  EXPECT_EQ(with([](auto& entry) { entry.last_sequence = Sequence(-2); }), impossible);
  EXPECT_EQ(with([](auto& entry) { entry.last_offset = Offset(-2); }), impossible);
  EXPECT_EQ(with([](auto& entry) { entry.offset_delta = -1; }), impossible);
  EXPECT_EQ(with([](auto& entry) { entry.offset_delta = 1001; }), impossible);
  EXPECT_EQ(with([](auto& entry) { entry.coordinator_epoch = CoordinatorEpoch(-2); }), impossible);
  EXPECT_EQ(with([](auto& entry) { entry.transaction_start = Offset(-2); }), impossible);
  const std::string contradicting = "F: entries contradict each other";
  EXPECT_EQ(with([](auto& entry) { entry.producer = ProducerId(7); }), contradicting);
  EXPECT_EQ(with([](auto& entry) { entry.transaction_start = Offset(2000); }), contradicting);
}

RC_GTEST_PROP(ProducerSnapshot, any_bytes_that_are_read_are_written_the_same,
              (const std::vector<std::uint8_t>& body)) {
  std::string text = golden("snapshots/none.snapshot");
  text.append(body.begin(), body.end());
  text.resize(10 + (text.size() - 10) / 46 * 46);
  store_big_endian(reinterpret_cast<std::byte*>(text.data()) + 6,
                   static_cast<std::int32_t>((text.size() - 10) / 46));
  text = resealed(text);
  const auto parsed = parse_producer_snapshot(as_bytes(text), "F");
  if (parsed) RC_ASSERT(text_of(*parsed) == text);
}

TEST(ProducerSnapshot, is_saved_and_loaded_by_its_offset) {
  TestDisk disk;
  Entries entries = sample();
  entries.pop_back();
  ASSERT_TRUE(
      disk.run(save_producer_snapshot(disk.files(), "/log", Offset(2001), Entries(entries))));
  EXPECT_EQ(disk.disk.contents("/log/00000000000000002001.snapshot"), text_of(entries));
  disk.disk.power_cut(1);
  disk.start();
  EXPECT_EQ(disk.run(load_producer_snapshot(disk.files(), "/log", Offset(2001))).value(), entries);
  const auto missing = disk.run(load_producer_snapshot(disk.files(), "/log", Offset(7)));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, StorageFault::not_found);
}

TEST(ProducerSnapshot, that_knows_of_later_records_than_its_name_says_is_corrupt) {
  TestDisk disk;
  Entries entries = sample();
  entries.pop_back();
  ASSERT_TRUE(
      disk.run(save_producer_snapshot(disk.files(), "/log", Offset(2000), Entries(entries))));
  const auto loaded = disk.run(load_producer_snapshot(disk.files(), "/log", Offset(2000)));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().fault, StorageFault::corrupt);
}

}  // namespace
}  // namespace millrace::storage
