// Each rule that validation holds, by name, with its error and its error code of Kafka.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;
using namespace std::chrono_literals;

namespace {

constexpr std::int16_t corrupt_message = 2;
constexpr std::int16_t message_too_large = 10;
constexpr std::int16_t invalid_timestamp = 32;
constexpr std::int16_t unsupported_compression_type = 76;
constexpr std::int16_t invalid_record = 87;

constexpr std::int64_t now = 1'000'000;

// A batch of three records and options under which it may be appended; a rule changes one thing.
struct Given {
  TestBatch batch = small_batch(3);
  ValidationOptions options{.now = Timestamp(now)};
  std::function<void(Bytes&)> damage;
};

struct Rule {
  const char* name;
  std::function<void(Given&)> change;
  BatchError error;
  std::int16_t code;
  std::int32_t record_index = no_record_index;
};

BatchResult<ValidBatch> validate(const Bytes& bytes, const ValidationOptions& options) {
  Decompressor decompressor;
  RecordReader reader(decompressor);
  return validate_batch(bytes, options, reader);
}

BatchResult<ValidBatch> validate(const Given& given) {
  Bytes bytes = encode_batch(given.batch);
  if (given.damage) given.damage(bytes);
  return validate(bytes, given.options);
}

BatchResult<ValidBatch> validate_in_slices(const Given& given) {
  Bytes bytes = encode_batch(given.batch);
  if (given.damage) given.damage(bytes);
  Decompressor decompressor;
  RecordReader reader(decompressor);
  BatchValidation validation(bytes, given.options, reader);
  while (!validation.advance(1)) {
  }
  return validation.result();
}

void use_codec(TestBatch& batch, Codec codec) {
  Compressor compressor;
  const CompressionOptions options(codec);
  const Bytes plain = encode_records(batch.records);
  Bytes packed(compressed_bytes_max(options, plain.size()));
  packed.resize(*compressor.compress(options, ByteView(plain), packed));
  batch.payload = packed;
  batch.attributes = static_cast<std::int16_t>(batch.attributes | static_cast<int>(codec));
}

// The rules that hold whatever the depth of the check.
std::vector<Rule> header_rules() {
  using enum BatchError;
  return {
      {"no bytes", [](auto& g) { g.damage = [](auto& b) { b.clear(); }; }, no_batch,
       invalid_record},
      {"half a header", [](auto& g) { g.damage = [](auto& b) { b.resize(30); }; }, truncated,
       invalid_record},
      {"a byte short", [](auto& g) { g.damage = [](auto& b) { b.pop_back(); }; }, truncated,
       invalid_record},
      {"a byte long", [](auto& g) { g.damage = [](auto& b) { b.push_back(std::byte{0}); }; },
       several_batches, invalid_record},
      {"two batches", [](auto& g) { g.damage = [](auto& b) { put_bytes(b, Bytes(b)); }; },
       several_batches, invalid_record},
      {"message format v0", [](auto& g) { g.batch.magic = 0; }, message_format_v0, invalid_record},
      {"message format v1", [](auto& g) { g.batch.magic = 1; }, message_format_v1, invalid_record},
      {"magic 3", [](auto& g) { g.batch.magic = 3; }, magic_unknown, invalid_record},
      {"length below a header", [](auto& g) { g.batch.batch_length = 48; }, batch_length_invalid,
       corrupt_message},
      {"base offset", [](auto& g) { g.batch.base_offset = 1; }, base_offset_not_zero,
       invalid_record},
      {"larger than the topic allows",
       [](auto& g) { g.options.batch_bytes_max = encode_batch(g.batch).size() - 1; },
       batch_too_large, message_too_large},
      {"too large and with a wrong CRC",
       [](auto& g) {
         g.options.batch_bytes_max = 100;
         g.batch.crc = 1;
         g.batch.records[0].value = std::string(100, 'v');
       },
       batch_too_large, message_too_large},
      {"wrong CRC", [](auto& g) { g.batch.crc = 1; }, crc_mismatch, corrupt_message},
      {"unknown attribute bit", [](auto& g) { g.batch.attributes = 0x80; }, attribute_bits_unknown,
       invalid_record},
      {"sign bit of the attributes", [](auto& g) { g.batch.attributes = -0x8000; },
       attribute_bits_unknown, invalid_record},
      {"delete horizon from a producer", [](auto& g) { g.batch.attributes = 0x40; },
       attribute_bits_unknown, invalid_record},
      {"codec 5", [](auto& g) { g.batch.attributes = 5; }, codec_unknown,
       unsupported_compression_type},
      {"zstd where the client cannot know it",
       [](auto& g) {
         use_codec(g.batch, Codec::zstd);
         g.options.zstd_allowed = false;
       },
       codec_not_allowed, unsupported_compression_type},
      {"control batch from a client", [](auto& g) { g.batch.attributes = 0x20; },
       control_batch_refused, invalid_record},
      {"log append time from a producer", [](auto& g) { g.batch.attributes = 0x08; },
       timestamp_type_refused, invalid_timestamp},
  };
}

// The same, of the numbers in the header.
std::vector<Rule> number_rules() {
  using enum BatchError;
  return {
      {"negative last offset delta", [](auto& g) { g.batch.last_offset_delta = -1; },
       offset_range_invalid, invalid_record},
      {"offsets that overflow",
       [](auto& g) {
         g.options.require_base_offset_zero = false;
         g.batch.base_offset = std::numeric_limits<std::int64_t>::max() - 1;
       },
       offset_range_invalid, invalid_record},
      {"record count 0", [](auto& g) { g.batch.record_count = 0; }, record_count_invalid,
       invalid_record},
      {"negative record count", [](auto& g) { g.batch.record_count = -3; }, record_count_invalid,
       invalid_record},
      {"record count above the offset range", [](auto& g) { g.batch.record_count = 4; },
       record_count_unlike_offset_range, invalid_record},
      {"record count below the offset range", [](auto& g) { g.batch.last_offset_delta = 3; },
       record_count_unlike_offset_range, invalid_record},
      {"largest offset range",
       [](auto& g) { g.batch.last_offset_delta = std::numeric_limits<std::int32_t>::max(); },
       record_count_unlike_offset_range, invalid_record},
      {"producer id without a sequence",
       [](auto& g) {
         g.batch.producer_id = 0;
         g.batch.producer_epoch = 0;
       },
       sequence_negative, invalid_record},
      {"producer id without an epoch",
       [](auto& g) {
         g.batch.producer_id = 0;
         g.batch.base_sequence = 0;
       },
       producer_epoch_negative, invalid_record},
      {"transaction without a producer id", [](auto& g) { g.batch.attributes = 0x10; },
       transaction_without_producer_id, invalid_record},
  };
}

// The rules that only a look at the records can hold.
std::vector<Rule> record_rules() {
  using enum BatchError;
  return {
      {"offset delta repeated", [](auto& g) { g.batch.records[2].offset_delta = 1; },
       offset_delta_not_consecutive, invalid_record, 2},
      {"offset delta skipped", [](auto& g) { g.batch.records[1].offset_delta = 2; },
       offset_delta_not_consecutive, invalid_record, 1},
      {"first offset delta not 0", [](auto& g) { g.batch.records[0].offset_delta = -1; },
       offset_delta_not_consecutive, invalid_record, 0},
      {"null key on a compacted topic",
       [](auto& g) {
         g.options.require_keys = true;
         g.batch.records[1].key = std::nullopt;
       },
       key_missing, invalid_record, 1},
      {"timestamp too far in the past",
       [](auto& g) {
         g.options.timestamp_before_max = std::chrono::milliseconds(now - 1000);
         g.batch.records[1].timestamp_delta = -1;
       },
       timestamp_too_old, invalid_timestamp, 1},
      {"timestamp too far in the future",
       [](auto& g) { g.batch.records[1].timestamp_delta = now - 1000 + 3'600'001; },
       timestamp_too_new, invalid_timestamp, 1},
      {"timestamp that overflows",
       [](auto& g) {
         g.batch.records[1].timestamp_delta = std::numeric_limits<std::int64_t>::max();
       },
       timestamp_overflows, invalid_timestamp, 1},
      {"fewer records than counted",
       [](auto& g) {
         g.batch.record_count = 4;
         g.batch.last_offset_delta = 3;
       },
       records_missing, invalid_record, 3},
      {"more records than counted",
       [](auto& g) {
         g.batch.record_count = 2;
         g.batch.last_offset_delta = 1;
       },
       trailing_bytes, invalid_record},
      {"record length beyond the batch", [](auto& g) { g.batch.records[2].length = 100; },
       record_cut_off, invalid_record, 2},
      {"record length beyond the fields", [](auto& g) { g.batch.records[2].trailing = "xy"; },
       record_trailing_bytes, invalid_record, 2},
      {"negative record length", [](auto& g) { g.batch.records[0].length = -1; },
       record_length_invalid, invalid_record, 0},
      {"header count beyond the bytes", [](auto& g) { g.batch.records[0].header_count = 1000; },
       header_count_invalid, invalid_record, 0},
      {"negative header count", [](auto& g) { g.batch.records[0].header_count = -1; },
       header_count_invalid, invalid_record, 0},
      {"key length beyond the record", [](auto& g) { g.batch.records[0].key_length = 1000; },
       key_length_invalid, invalid_record, 0},
      {"value length beyond the record", [](auto& g) { g.batch.records[0].value_length = 1000; },
       value_length_invalid, invalid_record, 0},
      {"compressed data that is none",
       [](auto& g) { g.batch.attributes = static_cast<std::int16_t>(Codec::gzip); },
       compressed_data_invalid, invalid_record},
      {"a bad record in a compressed batch",
       [](auto& g) {
         g.batch.records[1].offset_delta = 5;
         use_codec(g.batch, Codec::lz4);
       },
       offset_delta_not_consecutive, invalid_record, 1},
  };
}

void expect_refused(const Rule& rule, const Given& given) {
  const auto valid = validate(given);
  ASSERT_FALSE(valid) << rule.name;
  EXPECT_EQ(name_of(valid.error().error), name_of(rule.error)) << rule.name;
  EXPECT_EQ(kafka_error_code(valid.error().error), rule.code) << rule.name;
  EXPECT_EQ(valid.error().record_index, rule.record_index) << rule.name;
  EXPECT_FALSE(sentence(valid.error()).empty()) << rule.name;
  EXPECT_EQ(validate_in_slices(given).error(), valid.error()) << rule.name << ", in slices";
}

}  // namespace

TEST(ValidateBatch, names_the_broken_rule) {
  for (const auto& rules : {header_rules(), number_rules(), record_rules()}) {
    for (const Rule& rule : rules) {
      Given given;
      rule.change(given);
      expect_refused(rule, given);
    }
  }
}

TEST(ValidateBatch, header_depth_holds_the_rules_of_the_header) {
  for (const auto& rules : {header_rules(), number_rules()}) {
    for (const Rule& rule : rules) {
      Given given;
      given.options.depth = CheckDepth::header;
      rule.change(given);
      expect_refused(rule, given);
    }
  }
}

TEST(ValidateBatch, header_depth_does_not_look_at_records) {
  for (const Rule& rule : record_rules()) {
    Given given;
    given.options.depth = CheckDepth::header;
    rule.change(given);
    EXPECT_TRUE(validate(given)) << rule.name;
  }
}
