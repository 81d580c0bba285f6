// Also proves wire_bytes.cpp.
#include <gtest/gtest.h>

#include "wire.hpp"

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "rpc_machine.hpp"

namespace millrace::rpc {
namespace {

template <class Struct, class Plain>
Plain round_trip(const Plain& plain) {
  capnp::MallocMessageBuilder message;
  wire::write(plain, message.initRoot<Struct>());
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  // What is announced as its size is not less than what it takes, fixed parts left aside.
  EXPECT_LE(words.asBytes().size(), wire::bytes_of(plain) + 512);
  capnp::FlatArrayMessageReader reader(words);
  return wire::read<Plain>(reader.getRoot<Struct>());
}

TEST(Wire, hello_goes_there_and_back) {
  const Hello hello{.node_id = NodeId(101),
                    .kind = NodeKind::coordinator,
                    .rpc_version = {.major = 3, .minor = 9},
                    .software_version = "0.1.0"};
  EXPECT_EQ(round_trip<wire::Hello>(hello), hello);
  HelloReply reply{.error = ErrorCode::unsupported_version,
                   .message = "no",
                   .cluster_id = uuid_of(7),
                   .controller_id = NodeId(1),
                   .leader_id = NodeId(2),
                   .leader = ControllerAddress{.id = NodeId(2), .host = "::1", .port = 9093},
                   .metadata_version = 4,
                   .rpc_version = {.major = 1, .minor = 2},
                   .software_version = "x"};
  EXPECT_EQ(round_trip<wire::HelloReply>(reply), reply);
  reply.leader.reset();
  EXPECT_EQ(round_trip<wire::HelloReply>(reply), reply);
}

TEST(Wire, registration_goes_there_and_back) {
  RegisterBroker request{
      .cluster_id = uuid_of(1),
      .broker_id = BrokerId(101),
      .incarnation = uuid_of(2),
      .endpoints = {{.listener = "PLAINTEXT", .host = "a", .port = 9092, .security_protocol = 0},
                    {.listener = "SSL", .host = "b", .port = 65535, .security_protocol = 1}},
      .rack = "r1",
      .directories = {uuid_of(3), uuid_of(4)},
      .previous_epoch = BrokerEpoch(12)};
  EXPECT_EQ(round_trip<wire::RegisterBroker>(request), request);
  request.rack = "";
  EXPECT_EQ(round_trip<wire::RegisterBroker>(request), request);
  request.rack.reset();
  EXPECT_EQ(round_trip<wire::RegisterBroker>(request), request);
  const RegisterBrokerReply reply{.error = ErrorCode::none, .message = "", .epoch = BrokerEpoch(1)};
  EXPECT_EQ(round_trip<wire::RegisterBrokerReply>(reply), reply);
}

TEST(Wire, heartbeat_goes_there_and_back) {
  const Heartbeat request{.broker_id = BrokerId(101),
                          .epoch = BrokerEpoch(7),
                          .metadata_offset = MetadataOffset(1'000'000'000'000),
                          .want_fence = false,
                          .want_shut_down = true,
                          .offline_directories = {uuid_of(1)}};
  EXPECT_EQ(round_trip<wire::Heartbeat>(request), request);
  const HeartbeatReply reply{.error = ErrorCode::stale_broker_epoch,
                             .message = "old",
                             .is_caught_up = true,
                             .is_fenced = false,
                             .should_shut_down = true};
  EXPECT_EQ(round_trip<wire::HeartbeatReply>(reply), reply);
}

TEST(Wire, metadata_goes_there_and_back) {
  FollowMetadata request{.broker_id = BrokerId(101),
                         .next = MetadataOffset(9),
                         .bytes_max = 1000,
                         .wait = std::chrono::milliseconds{500},
                         .snapshot = MetadataOffset(5),
                         .snapshot_position = 77};
  EXPECT_EQ(round_trip<wire::FollowMetadata>(request), request);
  request.snapshot.reset();
  EXPECT_EQ(round_trip<wire::FollowMetadata>(request), request);
  FollowMetadataReply reply{
      .error = ErrorCode::none,
      .message = "",
      .entries = {{.offset = MetadataOffset(9), .bytes = bytes_of_text("abc")},
                  {.offset = MetadataOffset(10), .bytes = {}}},
      .committed = MetadataOffset(12),
      .through = MetadataOffset(11),
      .snapshot = std::nullopt};
  EXPECT_EQ(round_trip<wire::FollowMetadataReply>(reply), reply);
  reply.entries.clear();
  reply.snapshot = MetadataSnapshot{
      .offset = MetadataOffset(5), .position = 77, .total = 80, .chunk = bytes_of_text("xyz")};
  EXPECT_EQ(round_trip<wire::FollowMetadataReply>(reply), reply);
}

TEST(Wire, forwarded_requests_and_the_rest_go_there_and_back) {
  const Forward forward{.api = ApiKey::create_topics,
                        .version = 7,
                        .principal = "User:ANONYMOUS",
                        .client_id = "me",
                        .client_host = "127.0.0.1",
                        .listener = "PLAINTEXT",
                        .timeout = std::chrono::seconds{30},
                        .body = bytes_of_text("body")};
  EXPECT_EQ(round_trip<wire::Forward>(forward), forward);
  const ForwardReply forwarded{.error = ErrorCode::not_controller,
                               .message = "m",
                               .body = bytes_of_text("b"),
                               .metadata_offset = MetadataOffset(1'000'000'000'000)};
  EXPECT_EQ(round_trip<wire::ForwardReply>(forwarded), forwarded);
  const AllocateProducerIds allocate{.broker_id = BrokerId(1), .epoch = BrokerEpoch(2)};
  EXPECT_EQ(round_trip<wire::AllocateProducerIds>(allocate), allocate);
  const AllocateProducerIdsReply block{
      .error = ErrorCode::none, .message = "", .first = ProducerId(4000), .count = 1000};
  EXPECT_EQ(round_trip<wire::AllocateProducerIdsReply>(block), block);
  const DescribeQuorumReply quorum{.error = ErrorCode::none,
                                   .message = "",
                                   .leader_id = NodeId(1),
                                   .leader_epoch = LeaderEpoch(3),
                                   .high_watermark = 99,
                                   .voters = {{.id = NodeId(1),
                                               .log_end = 99,
                                               .last_fetch = Timestamp(5),
                                               .last_caught_up = Timestamp(6)}},
                                   .observers = {{.id = NodeId(101)}}};
  EXPECT_EQ(round_trip<wire::DescribeQuorumReply>(quorum), quorum);
  const RaftMessage raft{.from = NodeId(1), .to = NodeId(2), .bytes = bytes_of_text("vote")};
  EXPECT_EQ(round_trip<wire::RaftMessage>(raft), raft);
}

TEST(Wire, an_error_that_is_not_known_here_is_an_unknown_error) {
  capnp::MallocMessageBuilder message;
  auto reply = message.initRoot<wire::HeartbeatReply>();
  reply.initError().setCode(32'000);
  EXPECT_EQ(wire::read<HeartbeatReply>(reply.asReader()).error, ErrorCode::unknown_server_error);
}

TEST(Wire, what_an_older_peer_does_not_send_has_its_default) {
  capnp::MallocMessageBuilder message;
  const auto request = message.initRoot<wire::RegisterBroker>().asReader();
  EXPECT_EQ(wire::read<RegisterBroker>(request).previous_epoch, BrokerEpoch(-1));
  EXPECT_FALSE(wire::read<RegisterBroker>(request).rack);
  capnp::MallocMessageBuilder other;
  const auto reply = other.initRoot<wire::HeartbeatReply>().asReader();
  EXPECT_TRUE(wire::read<HeartbeatReply>(reply).is_fenced);
  capnp::MallocMessageBuilder third;
  const auto forwarded = third.initRoot<wire::ForwardReply>().asReader();
  EXPECT_EQ(wire::read<ForwardReply>(forwarded).metadata_offset, MetadataOffset(-1));
}

TEST(Wire, a_list_that_is_too_long_is_refused_before_it_takes_memory) {
  capnp::MallocMessageBuilder message;
  auto request = message.initRoot<wire::Heartbeat>();
  request.initOfflineDirectories(static_cast<std::uint32_t>(list_entries_max) + 1);
  EXPECT_THROW(static_cast<void>(wire::read<Heartbeat>(request.asReader())), kj::Exception);
}

// docs/formats/rpc.md shows these bytes.
TEST(Wire, a_heartbeat_has_the_bytes_that_it_always_had) {
  capnp::MallocMessageBuilder message;
  const Heartbeat heartbeat{.broker_id = BrokerId(101),
                            .epoch = BrokerEpoch(7),
                            .metadata_offset = MetadataOffset(300),
                            .want_fence = false,
                            .want_shut_down = true,
                            .offline_directories = {uuid_of(1)}};
  wire::write(heartbeat, message.initRoot<wire::Heartbeat>());
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const std::vector<std::uint8_t> golden = {
      // clang-format off
      0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00,
      0x65, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
      0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x2c, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x01, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00, 0x00,
      0x04, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
      0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      // clang-format on
  };
  const std::vector<std::uint8_t> bytes(words.asBytes().begin(), words.asBytes().end());
  EXPECT_EQ(bytes, golden);
}

// And these.
TEST(Wire, the_answer_to_a_forwarded_request_has_the_bytes_that_it_always_had) {
  capnp::MallocMessageBuilder message;
  ForwardReply reply;
  reply.body = bytes_of_text("done");
  reply.metadata_offset = MetadataOffset(300);
  wire::write(reply, message.initRoot<wire::ForwardReply>());
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const std::vector<std::uint8_t> golden = {
      // clang-format off
      0x00, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x02, 0x00,
      0xd3, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0x04, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00,
      0x09, 0x00, 0x00, 0x00, 0x22, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x64, 0x6f, 0x6e, 0x65, 0x00, 0x00, 0x00, 0x00,
      // clang-format on
  };
  const std::vector<std::uint8_t> bytes(words.asBytes().begin(), words.asBytes().end());
  EXPECT_EQ(bytes, golden);
}

}  // namespace
}  // namespace millrace::rpc
