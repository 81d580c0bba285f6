// Requests whose bytes were changed on their way: each ends in an answer or closes the connection,
// and harms nobody else.
#include "data_machine.hpp"

namespace millrace::broker {
namespace {

Request changed(Request request, Random& random) {
  MutableBytes bytes{const_cast<std::byte*>(request.body.data()), request.body.size()};
  for (std::uint64_t i = 0; i <= random.below(6); ++i) {
    bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
  }
  if (random.below(8) == 0) request.body = request.body.first(random.below(bytes.size()));
  return request;
}

TEST(MalformedRequests, harm_nobody) {
  DataMachine machine(5);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.partitions = 3});
  machine.make_topic({.name = "sound"});
  Random random(5);
  std::size_t closed = 0;
  std::size_t sound = 0;
  for (int i = 0; i < 3000; ++i) {
    using Message = protocol::ProduceRequest;
    const auto batch = batch_of(
        {.values = {"a", "bb", "ccc"}, .codec = static_cast<protocol::Codec>(random.below(5))});
    Message::PartitionProduceData partition;
    partition.index = static_cast<std::int32_t>(random.below(3));
    partition.records = protocol::Bytes(batch);
    Message::TopicProduceData topic;
    topic.name = "orders";
    topic.topic_id = topic_id_of("orders");
    topic.partition_data = std::span<const Message::PartitionProduceData>(&partition, 1);
    Message message;
    message.acks = -1;
    message.timeout_ms = 10;
    message.topic_data = std::span<const Message::TopicProduceData>(&topic, 1);
    const auto version = static_cast<std::int16_t>(3 + random.below(11));
    const auto shard = static_cast<std::uint32_t>(random.below(3));
    const auto told = machine.wait(
        machine.data[shard]->produce(changed(machine.request_of(message, version, shard), random)));
    if (told.kind() == Response::Kind::close) ++closed;
    if (i % 10 == 0) {
      const auto answer = machine.produce({{"sound", 0, batch_of({})}}, -1, version);
      ASSERT_FALSE(answer.closed) << answer.reason;
      ASSERT_EQ(answer.message.responses[0].partition_responses[0].error_code, 0);
      ++sound;
    }
  }
  EXPECT_GT(closed, 100U);
  EXPECT_EQ(machine.values(machine.partition("sound")).size(), sound);
  // What was taken in spite of it can be read.
  for (std::int32_t i = 0; i < 3; ++i) {
    Partition& partition = machine.partition("orders", i);
    const Offset end = partition.log_end();
    EXPECT_EQ(machine.values(partition).size(), static_cast<std::size_t>(end.value()));
  }
  machine.stop();
  ASSERT_TRUE(machine.start().has_value());
  EXPECT_EQ(machine.values(machine.partition("sound")).size(), sound);
}

TEST(MalformedRequests, close_their_connection_whatever_is_asked_in_any_version) {
  DataMachine machine(6);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  const std::vector<std::byte> garbage(9, std::byte{0x7f});
  const std::vector<std::pair<protocol::ApiKey, Task<Response> (DataRequests::*)(Request)>> all = {
      {protocol::ApiKey::produce, &DataRequests::produce},
      {protocol::ApiKey::list_offsets, &DataRequests::list_offsets},
      {protocol::ApiKey::delete_records, &DataRequests::delete_records},
      {protocol::ApiKey::offset_for_leader_epoch, &DataRequests::offset_for_leader_epoch},
      {protocol::ApiKey::describe_log_dirs, &DataRequests::describe_log_dirs},
      {protocol::ApiKey::describe_producers, &DataRequests::describe_producers}};
  for (const auto& [key, handler] : all) {
    const auto& api = protocol::api_info(key);
    for (std::int16_t version = api.version_min; version <= api.version_max; ++version) {
      Request request = machine.request_of(protocol::ProduceRequest{}, 9, 0);
      request.context.api = &api;
      request.context.version = version;
      request.body = garbage;
      const auto response = machine.wait((machine.data[0].get()->*handler)(std::move(request)));
      EXPECT_EQ(response.kind(), Response::Kind::close) << api.name << " " << version;
      EXPECT_NE(response.reason().find(api.name), std::string::npos) << response.reason();
    }
  }
}

}  // namespace
}  // namespace millrace::broker
