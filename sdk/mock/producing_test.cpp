#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using namespace std::chrono_literals;
using protocol::ProduceResponse;

const ProduceResponse::PartitionProduceResponse& part_of(
    const std::optional<Got<ProduceResponse>>& got) {
  static const ProduceResponse::PartitionProduceResponse nothing;
  EXPECT_TRUE(got.has_value() && got->message.responses.size() == 1);
  if (!got || got->message.responses.size() != 1) return nothing;
  return got->message.responses[0].partition_responses[0];
}

TEST(MockProduce, gives_offsets_and_keeps_the_records_in_every_version) {
  for (std::int16_t version = 3; version <= 13; ++version) {
    SCOPED_TRACE(version);
    MockMachine machine;
    ASSERT_TRUE(machine.cluster->create_topic("orders"));
    const auto batch = batch_of({"one", "two"});
    machine.run([&]() -> Task<void> {
      RawClient client(machine.network, machine.pool);
      EXPECT_TRUE(co_await client.connect(machine.address()));
      ProduceOne request(machine.id_of("orders"), "orders", 0, batch);
      for (const std::int64_t offset : {0, 2}) {
        const auto got = co_await client.call<ProduceResponse>(request.message, version);
        EXPECT_EQ(part_of(got).error_code, none);
        EXPECT_EQ(part_of(got).base_offset, offset);
      }
      client.close();
    }());
    const auto records = machine.cluster->records("orders", PartitionIndex(0));
    ASSERT_TRUE(records.has_value());
    ASSERT_EQ(records->size(), 4u);
    EXPECT_EQ((*records)[3].value, "two");
    EXPECT_EQ((*records)[3].offset, Offset(3));
  }
}

TEST(MockProduce, recognises_a_repeated_batch_and_refuses_a_gap_and_an_old_epoch) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  const auto sequenced = [](std::int16_t epoch, std::int32_t sequence) {
    return batch_of({"x"}, {.producer = {ProducerId(7), ProducerEpoch(epoch), Sequence(sequence)}});
  };
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    const auto produced = [&](std::vector<std::byte> batch) -> Task<std::pair<int, std::int64_t>> {
      ProduceOne request(machine.id_of("orders"), "orders", 0, batch);
      const auto got = co_await client.call<ProduceResponse>(request.message, std::int16_t{13});
      co_return std::pair<int, std::int64_t>(part_of(got).error_code, part_of(got).base_offset);
    };
    using Outcome = std::pair<int, std::int64_t>;
    EXPECT_EQ(co_await produced(sequenced(1, 0)), Outcome(0, 0));
    EXPECT_EQ(co_await produced(sequenced(1, 1)), Outcome(0, 1));
    EXPECT_EQ(co_await produced(sequenced(1, 0)), Outcome(0, 0));
    EXPECT_EQ(co_await produced(sequenced(1, 3)),
              Outcome(number(ErrorCode::out_of_order_sequence_number), -1));
    EXPECT_EQ(co_await produced(sequenced(0, 2)),
              Outcome(number(ErrorCode::invalid_producer_epoch), -1));
    client.close();
  }());
  EXPECT_EQ(*machine.cluster->end_offset("orders", PartitionIndex(0)), Offset(2));
}

TEST(MockProduce, sends_who_asks_a_follower_to_the_leader) {
  MockMachine machine({.brokers = 2});
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(0), BrokerId(2)));
  const auto batch = batch_of({"one"});
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address(1)));
    ProduceOne request(machine.id_of("orders"), "orders", 0, batch);
    const auto got = co_await client.call<ProduceResponse>(request.message, std::int16_t{13});
    EXPECT_EQ(part_of(got).error_code, number(ErrorCode::not_leader_or_follower));
    EXPECT_EQ(part_of(got).current_leader.leader_id, 2);
    EXPECT_EQ(part_of(got).current_leader.leader_epoch, 1);
    EXPECT_TRUE(got && got->message.node_endpoints.size() == 1);
    EXPECT_EQ(got->message.node_endpoints[0].port, machine.address(2).port.value());
    client.close();
  }());
}

TEST(MockProduce, refuses_what_a_broker_refuses) {
  MockMachine machine({.brokers = 1, .stored_bytes_max = 100});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.configs = {{"max.message.bytes", "90"}}}));
  ASSERT_TRUE(
      machine.cluster->create_topic("compacted", {.configs = {{"cleanup.policy", "compact"}}}));
  ASSERT_TRUE(
      machine.cluster->create_topic("careful", {.configs = {{"min.insync.replicas", "2"}}}));
  auto damaged = batch_of({"one"});
  damaged.back() ^= std::byte{1};
  const auto good = batch_of({"one"});
  const auto large = batch_of({std::string(100, 'x')});
  const auto transactional = batch_of(
      {"x"}, {.producer = {ProducerId(1), ProducerEpoch(0), Sequence(0)}, .transactional = true});
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    const auto refused = [&](std::string_view topic, std::int32_t partition, ByteView batch,
                             std::int16_t acks = -1) -> Task<int> {
      ProduceOne request(machine.id_of(topic), topic, partition, batch, acks);
      const auto got = co_await client.call<ProduceResponse>(request.message, std::int16_t{12});
      co_return part_of(got).error_code;
    };
    EXPECT_EQ(co_await refused("nothing", 0, good), 3);
    EXPECT_EQ(co_await refused("orders", 1, good), 3);
    EXPECT_EQ(co_await refused("orders", 0, good, 2), number(ErrorCode::invalid_required_acks));
    EXPECT_EQ(co_await refused("orders", 0, large), number(ErrorCode::message_too_large));
    EXPECT_EQ(co_await refused("orders", 0, damaged), number(ErrorCode::corrupt_message));
    EXPECT_EQ(co_await refused("orders", 0, {}), number(ErrorCode::invalid_record));
    EXPECT_EQ(co_await refused("compacted", 0, good), number(ErrorCode::invalid_record));
    EXPECT_EQ(co_await refused("careful", 0, good), number(ErrorCode::not_enough_replicas));
    EXPECT_EQ(co_await refused("orders", 0, transactional), number(ErrorCode::invalid_txn_state));
    EXPECT_EQ(co_await refused("orders", 0, good), none);
    EXPECT_EQ(co_await refused("orders", 0, good), number(ErrorCode::kafka_storage_error));
    client.close();
  }());
}

TEST(MockProduce, answers_nothing_without_acks_and_closes_on_an_error) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  const auto batch = batch_of({"one"});
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    ProduceOne request(machine.id_of("orders"), "orders", 0, batch, 0);
    EXPECT_TRUE(co_await client.send(request.message, std::int16_t{13}));
    EXPECT_FALSE(co_await client.receive(machine.now() + 1s));
    EXPECT_EQ(*machine.cluster->end_offset("orders", PartitionIndex(0)), Offset(1));
    request.part.index = 9;
    EXPECT_TRUE(co_await client.send(request.message, std::int16_t{13}));
    EXPECT_FALSE(co_await client.receive());
    client.close();
  }());
  EXPECT_EQ(machine.cluster->connection_count(), 0u);
}

TEST(MockProduce, gives_each_producer_an_id_of_its_own) {
  MockMachine machine;
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    protocol::InitProducerIdRequest request;
    request.transactional_id = protocol::null_string;
    const auto first = co_await client.call<protocol::InitProducerIdResponse>(request, 5);
    const auto second = co_await client.call<protocol::InitProducerIdResponse>(request, 0);
    EXPECT_TRUE(first && second);
    EXPECT_NE(first->message.producer_id, second->message.producer_id);
    EXPECT_EQ(first->message.producer_epoch, 0);
    client.close();
  }());
}

}  // namespace
}  // namespace millrace::mock
