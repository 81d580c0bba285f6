// Also proves values.cppm.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

import millrace.protocol.wire;

namespace millrace::protocol {
namespace {

TEST(Encode, null_in_a_field_that_is_never_null_counts_as_empty) {
  Measure state;
  EXPECT_EQ(string_size(null_string, state, "Name", false, Null::never), 2u);
  EXPECT_EQ(state.error.fault, EncodeFault::none);
  std::array<std::byte, 2> buffer{std::byte{9}, std::byte{9}};
  const std::byte* after = write_string(null_string, buffer.data(), false, Null::never);
  EXPECT_EQ(after, buffer.data() + 2);
  EXPECT_EQ(load_big_endian<int16_t>(buffer.data()), 0);
}

TEST(Encode, null_in_a_field_that_is_nullable_in_other_versions_is_a_fault) {
  Measure state;
  static_cast<void>(string_size(null_string, state, "GroupInstanceId", true, Null::refused));
  EXPECT_EQ(state.error, (EncodeError{EncodeFault::null_not_allowed, state.error.field}));
  EXPECT_EQ(to_string(state.error),
            "GroupInstanceId: the field is null but may not be in this version");
}

// Kafka reads no longer one in any version, though flexible ones could say its length.
TEST(Encode, text_over_32767_bytes_is_a_fault) {
  const std::string long_text(0x8000, 'x');
  const String longest = String(long_text).substr(0, 0x7fff);
  for (const bool flexible : {false, true}) {
    Measure state;
    EXPECT_EQ(string_size(longest, state, "Name", flexible, Null::never),
              0x7fffu + (flexible ? 3 : 2));
    EXPECT_EQ(state.error.fault, EncodeFault::none);
    static_cast<void>(string_size(long_text, state, "Name", flexible, Null::never));
    EXPECT_EQ(state.error.fault, EncodeFault::string_too_long);
  }
}

TEST(Encode, a_null_array_is_a_fault_where_null_is_not_allowed) {
  Measure state;
  static_cast<void>(fixed_array_size(Array<int32_t>::null(), state, "Topics", true, Null::refused));
  EXPECT_EQ(state.error.fault, EncodeFault::null_not_allowed);
}

TEST(Encode, keeps_the_first_fault) {
  Measure state;
  state.fail(EncodeFault::null_not_allowed, "First");
  state.fail(EncodeFault::string_too_long, "Second");
  EXPECT_EQ(to_string(state.error).find("First"), 0u);
}

TEST(Encode, records_leave_a_gap_and_count_towards_the_size) {
  const std::vector<std::byte> batch(100);
  const Records records{Bytes(batch)};
  Measure state;
  EXPECT_EQ(records_size(records, state, "Records", false, Null::allowed), 4u);
  const MeasureResult size = measured(state, 4);
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(*size, (MessageSize{4, 100, 1}));

  std::array<std::byte, 4> buffer{};
  std::array<Splice, 1> splices;
  Writer writer(buffer, splices);
  std::byte* after = write_records(records, writer.begin(), writer, false);
  writer.finish(after);
  EXPECT_EQ(load_big_endian<int32_t>(buffer.data()), 100);
  EXPECT_EQ(splices[0].position, 4u);
  EXPECT_EQ(splices[0].records.bytes().data(), batch.data());
}

TEST(Encode, records_in_chunks_count_all_of_them) {
  const std::array<RecordChunk, 2> chunks{RecordChunk{nullptr, 5, 1000, 70},
                                          RecordChunk{nullptr, 6, 0, 30}};
  const Records records{std::span<const RecordChunk>(chunks)};
  EXPECT_FALSE(records.is_null());
  EXPECT_EQ(records.size(), 100u);
  EXPECT_EQ(records.chunks().size(), 2u);
  EXPECT_TRUE(Records().is_null());
  EXPECT_FALSE(Records(std::span<const RecordChunk>()).is_null());
}

TEST(Encode, refuses_a_message_larger_than_a_frame) {
  Measure state;
  state.record_bytes = message_bytes_max;
  EXPECT_FALSE(measured(state, 1).has_value());
  EXPECT_TRUE(measured(state, 0).has_value());
}

TEST(Encode, unknown_tags_are_written_between_known_ones) {
  const std::array<std::byte, 1> value{std::byte{0xaa}};
  const std::array<UnknownTag, 2> tags{UnknownTag{1, value}, UnknownTag{7, value}};
  const Array<UnknownTag> unknown{std::span<const UnknownTag>(tags)};
  EXPECT_EQ(unknown_tags_size(unknown), 6u);
  std::array<std::byte, 6> buffer{};
  size_t index = 0;
  std::byte* after = write_unknown_tags(unknown, index, 5, buffer.data());
  EXPECT_EQ(after - buffer.data(), 3);
  EXPECT_EQ(index, 1u);
  after = write_unknown_tags(unknown, index, after_last_tag, after);
  EXPECT_EQ(after - buffer.data(), 6);
}

TEST(EncodeDeathTest, writing_other_than_was_measured_stops_the_process) {
  std::array<std::byte, 4> buffer{};
  EXPECT_DEATH(
      {
        Writer writer(buffer, {});
        writer.finish(writer.begin() + 3);
      },
      "shorter or longer than it was measured");
}

}  // namespace
}  // namespace millrace::protocol
