// Also proves messages.cppm, limits.cppm.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

import millrace.base;
import millrace.ipc.coordination;
import millrace.protocol.api;
import millrace.runtime;

namespace millrace::coordination {
namespace {

OwnedBytes bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

Uuid id_of(std::uint8_t number) {
  Uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::byte>(number + i);
  }
  return id;
}

const LoadedPartition loaded{PartitionIndex(31), LeaderEpoch(4), LoadId(77)};

std::vector<ToCoordinator> all_to_coordinator() {
  return {Hello{1, BrokerId(3), id_of(5), SessionId(9)},
          Lead{PartitionIndex(49), LeaderEpoch(12)},
          Lost{PartitionIndex(0)},
          ClientRequest{RequestNumber(1ULL << 40),
                        ApiKey::offset_commit,
                        9,
                        "User:alice",
                        "app",
                        "/127.0.0.1",
                        50,
                        {{"orders", id_of(1), 4}, {"bills", id_of(2), 1}},
                        bytes_of("body")},
          Batches{loaded, ErrorCode::none, Offset(100), Offset(200), bytes_of("batches")},
          Batches{loaded, ErrorCode::not_leader_or_follower, Offset(0), Offset(0), {}},
          Committed{loaded, Ticket(5)},
          AppendFailed{loaded, ErrorCode::kafka_storage_error},
          Ping{123}};
}

std::vector<ToBroker> all_to_broker() {
  return {Welcome{1},
          ClientAnswer{RequestNumber(8), false, {}, bytes_of("answer")},
          ClientAnswer{RequestNumber(9), true, "because", {}},
          Read{SessionId(1), loaded, Offset(1ULL << 40), 1'000'000},
          Append{SessionId(1), loaded, Ticket(3), bytes_of("batch")},
          Pong{123}};
}

TEST(CoordinationCodec, messages_come_back_as_they_were) {
  for (const ToCoordinator& message : all_to_coordinator()) {
    const auto decoded = decode_to_coordinator(encode(message));
    ASSERT_TRUE(decoded.has_value()) << message.index() << ": " << decoded.error().message;
    EXPECT_EQ(*decoded, message) << message.index();
  }
  for (const ToBroker& message : all_to_broker()) {
    const auto decoded = decode_to_broker(encode(message));
    ASSERT_TRUE(decoded.has_value()) << message.index() << ": " << decoded.error().message;
    EXPECT_EQ(*decoded, message) << message.index();
  }
}

TEST(CoordinationCodec, a_ping_has_the_bytes_that_the_format_page_promises) {
  // One segment of 4 words: the root's pointer and discriminant, the ping's pointer and number.
  const std::vector<std::uint8_t> golden = {
      0, 0, 0, 0, 4, 0, 0, 0,  // one segment, four words
      0, 0, 0, 0, 1, 0, 1, 0,  // the root: one word of data, one pointer
      7, 0, 0, 0, 0, 0, 0, 0,  // of the union it is number 7
      0, 0, 0, 0, 1, 0, 0, 0,  // a struct of one word
      5, 0, 0, 0, 0, 0, 0, 0,  // the number
  };
  const OwnedBytes bytes = encode(ToCoordinator(Ping{5}));
  ASSERT_EQ(bytes.size(), golden.size());
  for (std::size_t i = 0; i < golden.size(); ++i) {
    EXPECT_EQ(std::to_integer<std::uint8_t>(bytes[i]), golden[i]) << "byte " << i;
  }
}

TEST(CoordinationCodec, messages_that_are_cut_off_or_not_aligned_are_errors_or_read) {
  for (const ToCoordinator& message : all_to_coordinator()) {
    const OwnedBytes bytes = encode(message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto decoded = decode_to_coordinator(ByteView(bytes).first(size));
      EXPECT_FALSE(decoded.has_value() && *decoded == message && size + 8 < bytes.size())
          << message.index() << " of " << size << " bytes";
    }
    // At an address that no word has.
    OwnedBytes moved(bytes.size() + 1);
    std::copy(bytes.begin(), bytes.end(), moved.begin() + 1);
    const auto decoded = decode_to_coordinator(ByteView(moved).subspan(1));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(*decoded, message);
  }
}

TEST(CoordinationCodec, what_means_nothing_is_an_error) {
  const auto refuses = [](const ToCoordinator& message) {
    return !decode_to_coordinator(encode(message)).has_value();
  };
  EXPECT_TRUE(refuses(Lead{PartitionIndex(-1), LeaderEpoch(0)}));
  EXPECT_TRUE(refuses(Lead{PartitionIndex(0), LeaderEpoch(-1)}));
  ClientRequest request;
  request.api = ApiKey::heartbeat;
  request.version = 4;
  EXPECT_FALSE(refuses(request));
  request.version = 5;
  EXPECT_TRUE(refuses(request)) << "a version that there is not";
  request.version = 4;
  request.state_partitions = -1;
  EXPECT_TRUE(refuses(request));
  request.state_partitions = 1;
  request.principal = std::string(string_bytes_max + 1, 'p');
  EXPECT_TRUE(refuses(request));
  EXPECT_FALSE(decode_to_broker(encode(ToBroker(Read{{}, loaded, Offset(-1), 0}))).has_value());
}

TEST(CoordinationCodec, damaged_messages_are_errors_or_messages) {
  Random random(1);
  std::uint64_t errors = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto messages = all_to_coordinator();
    OwnedBytes bytes = encode(messages[random.below(messages.size())]);
    for (std::uint64_t i = 0; i <= random.below(4); ++i) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
    }
    if (!decode_to_coordinator(bytes).has_value()) ++errors;
    static_cast<void>(decode_to_broker(bytes));
  }
  EXPECT_GT(errors, 1'000u);
}

}  // namespace
}  // namespace millrace::coordination
