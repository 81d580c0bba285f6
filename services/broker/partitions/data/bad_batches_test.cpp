// Batches that are wrong: each gets the answer that Kafka gives, a line in the log with who sent
// it, and harms nobody else.
#include <gmock/gmock.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "data_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;
namespace layout = protocol::batch_layout;

// A batch of two records whose header, or more, is changed; with a right CRC again.
std::vector<std::byte> resealed(std::vector<std::byte> batch) {
  const ByteView covered = ByteView(batch).subspan(layout::attributes);
  store_big_endian(batch.data() + layout::crc, crc32c(covered));
  return batch;
}
template <class Integer>
std::vector<std::byte> with_field(std::size_t at, Integer value) {
  auto batch = batch_of({.values = {"a", "b"}});
  store_big_endian(batch.data() + at, value);
  return resealed(std::move(batch));
}
std::vector<std::byte> with_counts(std::int32_t records) {
  auto batch = with_field(layout::record_count, records);
  store_big_endian(batch.data() + layout::last_offset_delta, records - 1);
  return resealed(std::move(batch));
}

struct Bad {
  const char* name;
  std::vector<std::byte> batch;
  ErrorCode code;
  const char* sentence;
};

std::vector<Bad> bad_batches() {
  using enum ErrorCode;
  std::vector<Bad> all;
  auto damaged = batch_of({});
  damaged.back() ^= std::byte{1};
  all.push_back({"a CRC that does not match", damaged, corrupt_message, "does not match its CRC"});
  all.push_back({"no records counted", with_field(layout::record_count, std::int32_t{0}),
                 invalid_record, "the record count is not positive"});
  all.push_back({"a negative record count", with_field(layout::record_count, std::int32_t{-1}),
                 invalid_record, "the record count is not positive"});
  all.push_back({"a record count of its own", with_field(layout::record_count, std::int32_t{7}),
                 invalid_record, "does not match the offset range"});
  all.push_back({"two thousand million records", with_counts(0x7fff'ffff), invalid_record,
                 "the batch holds fewer records than its header says"});
  all.push_back({"one record fewer than there are", with_counts(1), invalid_record,
                 "bytes are left over after the last record"});
  // The count of headers is the last byte of a record without any.
  auto headers = batch_of({});
  headers.back() = std::byte{0x7e};
  all.push_back({"headers beyond the bytes", resealed(headers), invalid_record,
                 "the header count is negative or beyond the bytes"});
  auto length = batch_of({});
  length[layout::records] = std::byte{0x7e};
  all.push_back({"a record beyond the batch", resealed(length), invalid_record,
                 "it reaches past the end of the batch"});
  all.push_back({"a batch cut off",
                 {damaged.begin(), damaged.begin() + 40},
                 invalid_record,
                 "the batch is cut off"});
  all.push_back({"no batch", {}, invalid_record, "there is no record batch"});
  auto two = batch_of({});
  two.insert(two.end(), damaged.begin(), damaged.end());
  all.push_back({"two batches", two, invalid_record, "more than one record batch"});
  auto old = batch_of({});
  old[layout::magic] = std::byte{1};
  all.push_back({"an old message format", old, invalid_record, "only record batches v2 are"});
  all.push_back({"an offset of its own", with_field(layout::base_offset, std::int64_t{5}),
                 invalid_record, "the base offset of a produced batch must be 0"});
  all.push_back({"the last offset there is",
                 with_field(layout::base_offset, std::numeric_limits<std::int64_t>::max()),
                 invalid_record, "the base offset of a produced batch must be 0"});
  all.push_back({"a control batch", batch_of({.control = true}), invalid_record,
                 "clients must not write control batches"});
  all.push_back({"a negative sequence",
                 batch_of({.producer = {ProducerId(5), ProducerEpoch(0), Sequence(-1)}}),
                 invalid_record, "the base sequence is negative"});
  all.push_back({"an unknown codec", with_field(layout::attributes, std::int16_t{5}),
                 unsupported_compression_type, "unknown compression codec"});
  all.push_back({"no compressed data", with_field(layout::attributes, std::int16_t{4}),
                 invalid_record, "the compressed records cannot be decompressed"});
  all.push_back({"a timestamp far ahead",
                 batch_of({.timestamp = Timestamp(std::numeric_limits<std::int64_t>::max() / 2)}),
                 invalid_timestamp, "further in the future"});
  all.push_back({"a batch that is too large",
                 batch_of({.values = {std::string(2 * mebibyte, 'x')}}), message_too_large,
                 "larger than the topic allows"});
  all.push_back(
      {"a decompression bomb",
       batch_of({.values = {std::string(6 * mebibyte, 'x')}, .codec = protocol::Codec::zstd}),
       message_too_large, "the records exceed the limits on decompression"});
  return all;
}

TEST(BadBatches, are_answered_as_kafka_does_and_named_with_their_sender) {
  DataMachine machine(41);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  std::int64_t good = 0;
  for (const Bad& bad : bad_batches()) {
    machine.executor.advance(1min);  // the log takes some lines in a while
    const std::size_t lines_before = machine.lines->lines().size();
    const auto answer = machine.produce_bytes(bad.batch);
    EXPECT_EQ(DataMachine::code(answer), bad.code) << bad.name;
    EXPECT_THAT(std::string(answer.error_message), testing::HasSubstr(bad.sentence)) << bad.name;
    EXPECT_EQ(answer.base_offset, -1) << bad.name;
    const auto lines = machine.lines->lines();
    ASSERT_EQ(lines.size(), lines_before + 1) << bad.name;
    EXPECT_EQ(lines.back().level, LogLevel::warning) << bad.name;
    EXPECT_THAT(lines.back().message,
                testing::StartsWith(
                    formatted("a batch from 10.0.0.7:40123 (client id tester) for orders-0 is "
                              "refused with {}: ",
                              protocol::name_of(bad.code))))
        << bad.name;
    EXPECT_THAT(lines.back().message, testing::HasSubstr(bad.sentence)) << bad.name;
    // Who sends what is right goes on.
    EXPECT_EQ(machine.produce_one({}).base_offset, good++) << bad.name;
  }
}

// Few bytes of a client do not take the shard from all others for as long as they like.
TEST(BadBatches, what_becomes_large_is_checked_in_as_many_slices_as_it_is_large) {
  DataMachine machine(42);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  const auto large =
      batch_of({.values = {std::string(7 * mebibyte, 'x')}, .codec = protocol::Codec::lz4});
  ASSERT_LT(large.size(), 100 * kibibyte);
  const ShardIndex shard = shard_of("orders", PartitionIndex(0), machine.shard_count);
  const auto& metrics = machine.data[shard.value()]->metrics();
  for (std::int64_t i = 0; i < 3; ++i) {
    const std::uint64_t before = metrics.check_pauses.value();
    EXPECT_EQ(machine.produce_bytes(large).base_offset, 2 * i);
    EXPECT_GE(metrics.check_pauses.value() - before, 7 * mebibyte / checked_bytes_per_turn);
    const std::uint64_t after = metrics.check_pauses.value();
    EXPECT_EQ(machine.produce_one({}).base_offset, 2 * i + 1);
    EXPECT_EQ(metrics.check_pauses.value(), after) << "a small one is checked at once";
  }
}

TEST(BadBatches, long_names_of_clients_do_not_fill_the_log) {
  DataMachine machine(43);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  auto damaged = batch_of({});
  damaged.back() ^= std::byte{1};
  const std::string name(32'000, 'n');
  machine.client_id = name + "\nforged";
  EXPECT_EQ(DataMachine::code(machine.produce_bytes(damaged)), ErrorCode::corrupt_message);
  EXPECT_LT(machine.lines->lines().back().message.size(), 600U);
  EXPECT_TRUE(machine.says("n... (31707 more bytes)) for orders-0 is refused"));
  // Nor do topics that nobody has.
  machine.client_id = "tester";
  const auto told = machine.produce({{std::string(30'000, 't'), 0, batch_of({})}}, 0);
  EXPECT_TRUE(told.closed);
  EXPECT_LT(told.reason.size(), 600U);
}

}  // namespace
}  // namespace millrace::broker
