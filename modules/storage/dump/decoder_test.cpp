// Kafka's own keys and values are decoded in tests/storage.
#include <gtest/gtest.h>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

import millrace.storage.dump;

namespace millrace::storage {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string all;
  for (const int value : values) all += static_cast<char>(value);
  return all;
}

TEST(Decoder, knows_the_internal_topics) {
  EXPECT_EQ(decoder_of_topic("__consumer_offsets"), RecordDecoder::groups);
  EXPECT_EQ(decoder_of_topic("__transaction_state"), RecordDecoder::transactions);
  EXPECT_EQ(decoder_of_topic("__share_group_state"), RecordDecoder::share_groups);
  EXPECT_EQ(decoder_of_topic("orders"), RecordDecoder::none);
}

TEST(Decoder, numbers_of_keys_are_those_of_their_topic) {
  // Type 0: a transaction's key has one string, a share snapshot's a string, an id and a number.
  const std::string transaction = bytes({0, 0, 0, 1, 't'});
  EXPECT_EQ(decode_record_key(RecordDecoder::transactions, as_bytes(transaction)),
            R"({"type":0,"name":"TransactionLogKey","data":{"transactionalId":"t"}})");
  EXPECT_EQ(decode_record_key(RecordDecoder::share_groups, as_bytes(transaction)), std::nullopt);
  const std::string snapshot = transaction + std::string(16, '\0') + bytes({0, 0, 0, 3});
  EXPECT_EQ(decode_record_key(RecordDecoder::share_groups, as_bytes(snapshot)),
            R"({"type":0,"name":"ShareSnapshotKey","data":{"groupId":"t",)"
            R"("topicId":"AAAAAAAAAAAAAAAAAAAAAA","partition":3}})");
}

TEST(Decoder, the_key_says_what_the_value_is) {
  const std::string key = bytes({0, 3, 0, 1, 'g'});
  const std::string value = bytes({0, 0, 0, 0, 0, 9, 0});
  const auto decoded = decode_record_value(RecordDecoder::groups, as_bytes(key), as_bytes(value));
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(
      decoded->starts_with(R"({"version":0,"name":"ConsumerGroupMetadataValue","data":{"epoch":9)"))
      << *decoded;
}

TEST(Decoder, gives_nothing_for_what_it_does_not_know) {
  EXPECT_EQ(decode_record_key(RecordDecoder::groups, {}), std::nullopt);
  EXPECT_EQ(decode_record_key(RecordDecoder::groups, as_bytes("x")), std::nullopt);
  EXPECT_EQ(decode_record_key(RecordDecoder::groups, as_bytes(bytes({0, 99}))), std::nullopt);
  const std::string key = bytes({0, 3, 0, 1, 'g'});
  EXPECT_EQ(decode_record_value(RecordDecoder::groups, as_bytes(key), as_bytes(bytes({0, 99, 0}))),
            std::nullopt)
      << "a version of the future";
  EXPECT_EQ(decode_record_value(RecordDecoder::groups, as_bytes(key), {}), std::nullopt);
  EXPECT_EQ(decode_record_value(RecordDecoder::none, as_bytes(key), as_bytes(key)), std::nullopt);
}

TEST(Decoder, control_records_have_values_of_their_kind) {
  const auto marker = protocol::encode_end_transaction_marker(protocol::CoordinatorEpoch(5));
  EXPECT_EQ(decode_control_value(protocol::ControlRecordType::abort, marker),
            R"({"version":0,"name":"EndTxnMarker","data":{"coordinatorEpoch":5}})");
  const std::string leader = bytes({0, 0, 0, 0, 0, 7, 1, 1, 0});
  EXPECT_EQ(decode_control_value(protocol::ControlRecordType::leader_change, as_bytes(leader)),
            R"({"version":0,"name":"LeaderChangeMessage","data":{"version":0,"leaderId":7,)"
            R"("voters":[],"grantingVoters":[]}})");
  EXPECT_EQ(decode_control_value(protocol::ControlRecordType::abort, {}), std::nullopt);
}

}  // namespace
}  // namespace millrace::storage
