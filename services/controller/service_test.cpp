#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "controller_machine.hpp"

namespace millrace::controller {
namespace {

using metadata::ErrorCode;

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() : machine(11) { machine.start(); }

  rpc::RegisterBroker registration() {
    rpc::RegisterBroker request;
    request.cluster_id = machine.quorum->image()->cluster_id();
    request.broker_id = BrokerId(1);
    request.incarnation.bytes[0] = std::byte{7};
    request.endpoints = {{"PLAINTEXT", "host", 9092, 0}};
    request.rack = "r";
    return request;
  }
  template <class Request>
  auto call(Request request) {
    return machine.run(machine.service->on(std::move(request)));
  }
  BrokerEpoch start_broker() {
    const BrokerEpoch epoch = call(registration()).epoch;
    call(heartbeat(epoch));
    return epoch;
  }
  rpc::Heartbeat heartbeat(BrokerEpoch epoch) {
    rpc::Heartbeat request;
    request.broker_id = BrokerId(1);
    request.epoch = epoch;
    request.metadata_offset = rpc::MetadataOffset(machine.quorum->node().applied().value());
    request.want_fence = false;
    return request;
  }
  ControllerMachine machine;
};

TEST_F(ServiceTest, hello_tells_the_cluster_and_who_leads) {
  const rpc::HelloReply reply = call(rpc::Hello{});
  EXPECT_EQ(reply.error, ErrorCode::none);
  EXPECT_EQ(reply.cluster_id, machine.quorum->image()->cluster_id());
  EXPECT_EQ(reply.controller_id, rpc::NodeId(1));
  EXPECT_EQ(reply.leader_id, rpc::NodeId(1));
}

TEST_F(ServiceTest, a_broker_registers_beats_and_is_in_the_image) {
  const rpc::RegisterBrokerReply registered = call(registration());
  ASSERT_EQ(registered.error, ErrorCode::none) << registered.message;
  const rpc::HeartbeatReply beaten = call(heartbeat(registered.epoch));
  EXPECT_TRUE(beaten.is_caught_up);
  EXPECT_FALSE(beaten.is_fenced);
  const metadata::Broker* broker = machine.quorum->image()->broker(BrokerId(1));
  ASSERT_NE(broker, nullptr);
  EXPECT_EQ(broker->endpoints.at(0).port, 9092);
  EXPECT_EQ(broker->rack, "r");
  EXPECT_EQ(call(heartbeat(BrokerEpoch(0))).error, ErrorCode::stale_broker_epoch);
}

TEST_F(ServiceTest, who_follows_gets_every_entry_once_and_waits_for_more) {
  start_broker();
  metadata::ImageBuilder builder(metadata::empty_image());
  rpc::FollowMetadata follow;
  while (true) {
    const rpc::FollowMetadataReply reply = call(follow);
    ASSERT_FALSE(reply.snapshot);
    for (const rpc::MetadataEntry& entry : reply.entries) {
      ASSERT_TRUE(builder.apply(entry.bytes, MetadataOffset(entry.offset.value())));
    }
    follow.next = reply.through.next();
    if (reply.through == reply.committed) break;
  }
  EXPECT_TRUE(builder.take().first->same_cluster(*machine.quorum->image()));
  follow.wait = std::chrono::milliseconds{100};
  const rpc::FollowMetadataReply nothing = call(follow);
  EXPECT_TRUE(nothing.entries.empty());
  EXPECT_EQ(nothing.through.next(), follow.next);
}

TEST_F(ServiceTest, a_snapshot_that_is_gone_is_begun_anew) {
  rpc::FollowMetadata follow;
  follow.snapshot = rpc::MetadataOffset(12345);
  follow.snapshot_position = 99;
  const rpc::FollowMetadataReply reply = call(follow);
  EXPECT_EQ(reply.error, ErrorCode::none);
  EXPECT_FALSE(reply.entries.empty());
}

TEST_F(ServiceTest, forwarded_requests_are_answered_in_their_version) {
  start_broker();
  rpc::Forward forward;
  forward.api = protocol::ApiKey::create_topics;
  forward.version = 7;
  protocol::CreateTopicsRequest message;
  std::vector<protocol::CreateTopicsRequest::CreatableTopic> topics(1);
  topics[0].name = "orders";
  topics[0].num_partitions = 2;
  topics[0].replication_factor = 1;
  message.topics =
      protocol::Array(std::span<const protocol::CreateTopicsRequest::CreatableTopic>(topics));
  const auto size = protocol::measure(message, 7);
  ASSERT_TRUE(size);
  forward.body.resize(size->inline_bytes);
  protocol::Writer writer(forward.body, {});
  protocol::write(message, 7, writer);
  const rpc::ForwardReply reply = call(forward);
  ASSERT_EQ(reply.error, ErrorCode::none) << reply.message;
  protocol::Arena arena(mebibyte);
  protocol::CreateTopicsResponse response;
  ASSERT_TRUE(protocol::decode(response, reply.body, 7, arena));
  EXPECT_EQ(response.topics[0].error_code, 0);
  EXPECT_EQ(response.topics[0].topic_id, machine.quorum->image()->topic("orders")->id);
  // Who has come so far sees the topic.
  EXPECT_EQ(reply.metadata_offset.value(), machine.quorum->image()->offset().value());

  forward.body = {std::byte{0xff}};
  EXPECT_EQ(call(forward).error, ErrorCode::invalid_request);
  forward.api = protocol::ApiKey::fetch;
  EXPECT_EQ(call(forward).error, ErrorCode::unsupported_version);
}

std::shared_ptr<const config::ServerConfig> server_without_deletions() {
  std::vector<config::Layer> layers;
  layers.push_back({config::SourceKind::file, "test", {{"delete.topic.enable", "false"}}});
  auto made = config::make_server_config(std::move(layers), {}, nullptr);
  check(made.has_value(), "a test's configuration is valid");
  return std::make_shared<const config::ServerConfig>(std::move(made)->config);
}

TEST_F(ServiceTest, topics_are_not_deleted_where_that_is_not_enabled) {
  start_broker();
  ASSERT_TRUE(machine.create("orders").ok());
  const auto deletion = [](std::int16_t version) {
    const protocol::String name("orders");
    protocol::DeleteTopicsRequest message;
    message.topic_names = protocol::Array(std::span<const protocol::String>(&name, 1));
    rpc::Forward forward;
    forward.api = protocol::ApiKey::delete_topics;
    forward.version = version;
    const auto size = protocol::measure(message, version);
    check(size.has_value(), "the message exists in this version");
    forward.body.resize(size->inline_bytes);
    protocol::Writer writer(forward.body, {});
    protocol::write(message, version, writer);
    return forward;
  };
  Service forbidding(*machine.quorum, machine.executor, server_without_deletions(), machine.log);
  for (std::int16_t version = 1; version <= 5; ++version) {
    const rpc::ForwardReply reply = machine.run(forbidding.on(deletion(version)));
    EXPECT_EQ(reply.error,
              version < 3 ? ErrorCode::invalid_request : ErrorCode::topic_deletion_disabled)
        << "version " << version;
    EXPECT_EQ(reply.message, "delete.topic.enable is false");
  }
  EXPECT_TRUE(machine.quorum->image()->topic("orders"));
  EXPECT_EQ(call(deletion(5)).error, ErrorCode::none);
  EXPECT_FALSE(machine.quorum->image()->topic("orders"));
}

TEST_F(ServiceTest, producer_ids_and_the_quorum_are_told) {
  const BrokerEpoch epoch = start_broker();
  const auto first = call(rpc::AllocateProducerIds{BrokerId(1), epoch});
  EXPECT_EQ(first.first, ProducerId(0));
  EXPECT_EQ(first.count, 1000);
  EXPECT_EQ(call(rpc::AllocateProducerIds{BrokerId(1), epoch}).first, ProducerId(1000));
  EXPECT_EQ(call(rpc::AllocateProducerIds{BrokerId(2), epoch}).error,
            ErrorCode::broker_id_not_registered);
  const rpc::DescribeQuorumReply quorum = call(rpc::DescribeQuorum{});
  EXPECT_EQ(quorum.leader_id, rpc::NodeId(1));
  EXPECT_EQ(quorum.voters.size(), 1u);
  EXPECT_GT(quorum.high_watermark, 0);
}

}  // namespace
}  // namespace millrace::controller
