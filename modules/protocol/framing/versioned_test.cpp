#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

import millrace.protocol.framing;
import millrace.protocol.groups;
import millrace.protocol.records;

namespace millrace::protocol {
namespace {

template <class Message>
std::vector<std::byte> written(const Message& message, std::int16_t version) {
  std::vector<std::byte> bytes(measure_versioned(message, version)->inline_bytes);
  write_versioned(message, version, bytes);
  return bytes;
}

TEST(Versioned, a_value_carries_its_version_in_front) {
  OffsetCommitValue value;
  value.offset = 42;
  const auto bytes = written(value, 3);
  EXPECT_EQ(*read_version_prefix(bytes), 3);
  Arena arena(1024);
  OffsetCommitValue read;
  const auto version = decode_versioned(read, bytes, arena, NewerVersion::refuse);
  ASSERT_TRUE(version.has_value());
  EXPECT_EQ(*version, 3);
  EXPECT_EQ(read.offset, 42);
}

TEST(Versioned, a_newer_version_of_a_record_is_refused) {
  auto bytes = written(OffsetCommitValue(), 3);
  store_big_endian(bytes.data(), std::int16_t{99});
  Arena arena(1024);
  OffsetCommitValue read;
  const auto version = decode_versioned(read, bytes, arena, NewerVersion::refuse);
  ASSERT_FALSE(version.has_value());
  EXPECT_EQ(version.error().fault, DecodeFault::unsupported_version);
}

TEST(Versioned, a_newer_subscription_is_read_as_the_newest_known) {
  ConsumerProtocolSubscription subscription;
  subscription.generation_id = 5;
  auto bytes = written(subscription, ConsumerProtocolSubscription::version_max);
  store_big_endian(bytes.data(), std::int16_t{99});
  bytes.push_back(std::byte{1});  // a field of the future
  Arena arena(1024);
  ConsumerProtocolSubscription read;
  const auto version = decode_versioned(read, bytes, arena, NewerVersion::read_as_newest);
  ASSERT_TRUE(version.has_value());
  EXPECT_EQ(*version, 99);
  EXPECT_EQ(read.generation_id, 5);
}

TEST(Versioned, a_negative_version_is_refused) {
  const std::vector<std::byte> bytes(20, std::byte{0xff});
  Arena arena(1024);
  ConsumerProtocolSubscription read;
  EXPECT_FALSE(decode_versioned(read, bytes, arena, NewerVersion::read_as_newest).has_value());
}

TEST(Versioned, a_record_key_begins_with_its_type) {
  OffsetCommitKey key;
  key.group = "billing";
  key.topic = "orders";
  key.partition = 3;
  std::vector<std::byte> bytes(measure_record_key(key)->inline_bytes);
  write_record_key(key, bytes);
  EXPECT_EQ(*read_version_prefix(bytes), OffsetCommitKey::record_type);
  Arena arena(1024);
  OffsetCommitKey read;
  ASSERT_TRUE(decode_record_key(read, bytes, arena).has_value());
  EXPECT_EQ(read.group, "billing");
  EXPECT_EQ(read.partition, 3);
  GroupMetadataKey other;
  EXPECT_FALSE(decode_record_key(other, bytes, arena).has_value());
}

TEST(Versioned, input_without_room_for_a_version_is_refused) {
  const std::vector<std::byte> one(1);
  EXPECT_FALSE(read_version_prefix(one).has_value());
  EXPECT_FALSE(read_version_prefix({}).has_value());
}

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Reads what Java's client wrote and writes it again in the version that is understood.
template <class Message>
void expect_same_after_round_trip(const std::vector<std::byte>& bytes, bool has_unknown_fields) {
  Arena arena(1 << 16);
  Message message;
  const auto version = decode_versioned(message, bytes, arena, NewerVersion::read_as_newest);
  ASSERT_TRUE(version.has_value());
  if (has_unknown_fields) {
    EXPECT_GT(*version, Message::version_max);
    return;
  }
  EXPECT_EQ(written(message, *version), bytes);
}

TEST(Versioned, subscriptions_and_assignments_of_javas_client_are_read_and_written_alike) {
  std::ifstream file(MILLRACE_SOURCE_DIR "/tests/golden/data/consumer_protocol.tsv");
  ASSERT_TRUE(file.is_open());
  std::string line;
  int checked = 0;
  while (std::getline(file, line)) {
    std::istringstream columns(line);
    std::string kind, version, label, hex;
    columns >> kind >> version >> label >> hex;
    SCOPED_TRACE(line.substr(0, 60));
    const bool future = label == "future";
    if (kind == "subscription") {
      expect_same_after_round_trip<ConsumerProtocolSubscription>(from_hex(hex), future);
    } else {
      ASSERT_EQ(kind, "assignment");
      expect_same_after_round_trip<ConsumerProtocolAssignment>(from_hex(hex), future);
    }
    ++checked;
  }
  EXPECT_GT(checked, 20);
}

}  // namespace
}  // namespace millrace::protocol
