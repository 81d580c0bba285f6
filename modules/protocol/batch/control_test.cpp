#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;

namespace {

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

}  // namespace

TEST(ControlRecord, key_names_every_type_of_kafka) {
  constexpr ControlRecordType types[] = {
      ControlRecordType::abort,           ControlRecordType::commit,
      ControlRecordType::leader_change,   ControlRecordType::snapshot_header,
      ControlRecordType::snapshot_footer, ControlRecordType::kraft_version,
      ControlRecordType::kraft_voters};
  for (int number = 0; number < 7; ++number) {
    const auto key = read_control_record_key(bytes_of({0, 0, 0, number}));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->version, 0);
    EXPECT_EQ(key->type, types[number]);
    EXPECT_TRUE(key->is_known());
    const auto encoded = encode_control_record_key(types[number]);
    EXPECT_EQ(Bytes(encoded.begin(), encoded.end()), bytes_of({0, 0, 0, number}));
  }
}

TEST(ControlRecord, key_of_a_newer_peer_is_unknown_but_read) {
  const auto key = read_control_record_key(bytes_of({0, 1, 0, 7, 99}));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->version, 1);
  EXPECT_FALSE(key->is_known());
  EXPECT_FALSE(read_control_record_key(bytes_of({0, 0, 0xff, 0xff}))->is_known());
}

TEST(ControlRecord, refuses_a_short_key_and_a_negative_version) {
  for (const Bytes& key : {bytes_of({}), bytes_of({0, 0, 0}), bytes_of({0xff, 0xff, 0, 0})}) {
    const auto read = read_control_record_key(key);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().error, BatchError::control_record_invalid);
  }
  EXPECT_FALSE(read_control_record_key(ByteView{}));
}

TEST(ControlRecord, end_transaction_marker_has_the_coordinator_epoch) {
  const auto marker = read_end_transaction_marker(bytes_of({0, 0, 0, 0, 1, 2}));
  ASSERT_TRUE(marker);
  EXPECT_EQ(*marker, (EndTransactionMarker{0, CoordinatorEpoch(258)}));
  const auto encoded = encode_end_transaction_marker(CoordinatorEpoch(258));
  EXPECT_EQ(Bytes(encoded.begin(), encoded.end()), bytes_of({0, 0, 0, 0, 1, 2}));
  EXPECT_TRUE(read_end_transaction_marker(bytes_of({0, 1, 0, 0, 1, 2, 0})));
  EXPECT_FALSE(read_end_transaction_marker(bytes_of({0, 0, 0, 0, 1})));
  EXPECT_FALSE(read_end_transaction_marker(bytes_of({0xff, 0xff, 0, 0, 1, 2})));
}
