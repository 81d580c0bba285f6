#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

std::string hex(const OwnedBytes& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<std::size_t>(byte) >> 4];
    text += digits[std::to_integer<std::size_t>(byte) & 15];
  }
  return text;
}

CommittedOffset committed() {
  CommittedOffset offset;
  offset.offset = Offset(258);
  offset.leader_epoch = LeaderEpoch(3);
  offset.metadata = "m";
  offset.committed = Timestamp(0x0102030405060708);
  return offset;
}

Group sample() {
  Group group("g");
  Member member;
  member.id = "a";
  member.instance_id = "i";
  member.client_id = "c";
  member.client_host = "/h";
  member.session_timeout = Milliseconds(16);
  member.rebalance_timeout = Milliseconds(32);
  member.protocols = {{"p", bytes_of_text("s")}};
  group.add(member, "t");
  group.begin_generation(Timestamp(9));
  group.assign(group.member("a"), bytes_of_text("x"));
  group.enter(GroupState::stable, Timestamp(9));
  return group;
}

TEST(GroupRecords, an_offset_has_kafkas_bytes) {
  const auto record = offset_record("g", "t", PartitionIndex(7), committed());
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(hex(record->key),
            "0001"
            "000167"
            "000174"
            "00000007");
  EXPECT_EQ(hex(*record->value),
            "0003"
            "0000000000000102"
            "00000003"
            "00016d"
            "0102030405060708");
  EXPECT_EQ(offset_tombstone("g", "t", PartitionIndex(7)).key, record->key);
  EXPECT_FALSE(offset_tombstone("g", "t", PartitionIndex(7)).value.has_value());
}

TEST(GroupRecords, an_offset_with_an_expiry_or_a_topic_id_is_written_in_the_version_that_has_it) {
  CommittedOffset expiring = committed();
  expiring.leader_epoch = no_leader_epoch;
  expiring.expires = Timestamp(5);
  EXPECT_EQ(hex(*offset_record("g", "t", PartitionIndex(7), expiring)->value),
            "0001"
            "0000000000000102"
            "00016d"
            "0102030405060708"
            "0000000000000005");
  CommittedOffset identified = committed();
  identified.topic_id.bytes.fill(std::byte{0xab});
  EXPECT_EQ(hex(*offset_record("g", "t", PartitionIndex(7), identified)->value),
            "0004"
            "0000000000000102"
            "00000003"
            "026d"
            "0102030405060708"
            "01"
            "00"
            "10"
            "abababababababababababababababab");
}

TEST(GroupRecords, a_group_has_kafkas_bytes) {
  const auto record = group_record(sample());
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(hex(record->key),
            "0002"
            "000167");
  EXPECT_EQ(hex(*record->value),
            "0003"
            "000174"
            "00000001"
            "000170"
            "000161"
            "0000000000000009"
            "00000001"
            "000161"
            "000169"
            "000163"
            "00022f68"
            "00000020"
            "00000010"
            "0000000173"
            "0000000178");
  EXPECT_EQ(hex(*group_record(Group("g"))->value),
            "0003"
            "0000"
            "00000000"
            "ffff"
            "ffff"
            "ffffffffffffffff"
            "00000000");
  EXPECT_EQ(group_tombstone("g").key, record->key);
}

TEST(GroupRecords, what_is_written_is_read_back) {
  for (const bool identified : {false, true}) {
    CommittedOffset offset = committed();
    if (identified) offset.topic_id.bytes.fill(std::byte{1});
    const auto record = offset_record("g", "t", PartitionIndex(7), offset);
    const auto stored = std::get<StoredOffset>(*read_record(record->key, *record->value));
    EXPECT_EQ(stored.group, "g");
    EXPECT_EQ(stored.topic, "t");
    EXPECT_EQ(stored.partition, PartitionIndex(7));
    EXPECT_EQ(stored.offset, offset);
  }
  const auto record = group_record(sample());
  const auto stored = std::get<StoredGroup>(*read_record(record->key, *record->value));
  ASSERT_TRUE(stored.group.has_value());
  EXPECT_EQ(stored.group->state(), GroupState::stable);
  EXPECT_EQ(*group_record(*stored.group), *record);
  EXPECT_FALSE(std::get<StoredGroup>(*read_record(record->key, {})).group.has_value());
}

TEST(GroupRecords, the_oldest_key_of_an_offset_is_read_like_the_newer_one) {
  auto record = *offset_record("g", "t", PartitionIndex(7), committed());
  record.key[1] = std::byte{0};
  EXPECT_EQ(std::get<StoredOffset>(*read_record(record.key, *record.value)).topic, "t");
}

TEST(GroupRecords, records_of_other_kinds_are_told_apart) {
  const OwnedBytes key = {std::byte{0}, std::byte{3}, std::byte{0}};
  EXPECT_EQ(std::get<OtherRecord>(*read_record(key, {})).type, 3);
}

TEST(GroupRecords, damage_is_an_error_wherever_a_record_is_cut) {
  const Record records[] = {*group_record(sample()),
                            *offset_record("g", "t", PartitionIndex(7), committed())};
  for (const Record& record : records) {
    for (std::size_t size = 0; size < record.key.size(); ++size) {
      EXPECT_FALSE(read_record(ByteView(record.key).first(size), {}).has_value()) << size;
    }
    for (std::size_t size = 0; size < record.value->size(); ++size) {
      EXPECT_FALSE(read_record(record.key, ByteView(*record.value).first(size)).has_value())
          << size;
    }
    OwnedBytes newer = *record.value;
    newer[1] = std::byte{5};
    const auto refused = read_record(record.key, newer);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
  }
}

TEST(GroupRecords, a_string_that_the_format_cannot_hold_is_an_error) {
  EXPECT_FALSE(
      offset_record("g", std::string(40'000, 't'), PartitionIndex(0), committed()).has_value());
}

}  // namespace
}  // namespace millrace::groups
