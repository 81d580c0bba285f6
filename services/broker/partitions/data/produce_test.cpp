// Also proves appender.cpp, appender.cppm, arena_lease.cppm, data_requests.cpp, produce.cppm.
#include "data_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;
using protocol::Codec;

class ProduceTest : public testing::Test {
 protected:
  void start(const TopicOf& topic = {}) {
    ASSERT_TRUE(machine.start().has_value());
    metadata::Broker other;
    other.id = other_broker;
    other.epoch = BrokerEpoch(1);
    other.endpoints = {{"PLAINTEXT", "elsewhere", 9092, 0}};
    machine.change({metadata::RegisterBrokerRecord{other}});
    machine.make_topic(topic);
  }
  ErrorCode code_of(const BatchOf& batch, std::int16_t version = 12) {
    return DataMachine::code(machine.produce_one(batch, 1, version));
  }
  ErrorCode code_of(std::vector<std::byte> batch) {
    return DataMachine::code(machine.produce_bytes(std::move(batch)));
  }
  std::vector<std::string> values() { return machine.values(machine.partition("orders")); }

  DataMachine machine{17};
};

TEST_F(ProduceTest, appends_in_every_version_and_says_where) {
  start();
  for (std::int16_t version = 3; version <= 13; ++version) {
    const auto answer = machine.produce_one({.values = {"a", "b"}}, 1, version);
    EXPECT_EQ(DataMachine::code(answer), ErrorCode::none) << version;
    EXPECT_EQ(answer.index, 0);
    EXPECT_EQ(answer.base_offset, 2 * (version - 3)) << version;
    EXPECT_EQ(answer.log_append_time_ms, -1);
    EXPECT_EQ(answer.log_start_offset, version >= 5 ? 0 : -1);
    const auto& topic = machine.last.message.responses[0];
    if (version >= 13) {
      EXPECT_EQ(topic.topic_id, topic_id_of("orders"));
    } else {
      EXPECT_EQ(topic.name, "orders");
    }
  }
  EXPECT_EQ(values().size(), 22U);
}

TEST_F(ProduceTest, versions_before_3_close_the_connection) {
  start();
  auto request = machine.request_of(protocol::ProduceRequest{}, 3, 0);
  request.context.version = 2;
  const auto told = machine.wait(
      machine.answer<protocol::ProduceResponse>(&DataRequests::produce, std::move(request), 2, 0));
  EXPECT_TRUE(told.closed);
}

TEST_F(ProduceTest, a_body_that_cannot_be_read_closes_the_connection) {
  start();
  auto request = machine.request_of(protocol::ProduceRequest{}, 9, 0);
  request.body = request.body.first(3);
  const auto told = machine.wait(
      machine.answer<protocol::ProduceResponse>(&DataRequests::produce, std::move(request), 9, 0));
  EXPECT_TRUE(told.closed);
  EXPECT_NE(told.reason.find("Produce"), std::string::npos);
}

TEST_F(ProduceTest, every_kind_of_acks_is_served_and_no_other) {
  start();
  EXPECT_EQ(DataMachine::code(machine.produce_one({}, -1)), ErrorCode::none);
  EXPECT_EQ(DataMachine::code(machine.produce_one({}, 1)), ErrorCode::none);
  const auto none = machine.produce({{"orders", 0, batch_of({})}}, 0);
  EXPECT_TRUE(none.none);
  EXPECT_EQ(machine.partition("orders").log_end(), Offset(3));
  const auto refused = machine.produce_one({}, 2);
  EXPECT_EQ(DataMachine::code(refused), ErrorCode::invalid_required_acks);
  EXPECT_EQ(refused.base_offset, -1);
  EXPECT_EQ(machine.partition("orders").log_end(), Offset(3));
}

TEST_F(ProduceTest, an_error_without_acks_closes_the_connection) {
  start();
  const auto told = machine.produce({{"nothing", 0, batch_of({})}}, 0);
  EXPECT_TRUE(told.closed);
  EXPECT_NE(told.reason.find("UNKNOWN_TOPIC_OR_PARTITION"), std::string::npos);
}

TEST_F(ProduceTest, answers_each_partition_by_itself) {
  start({.partitions = 7});
  machine.make_topic({.name = "__consumer_offsets"});
  machine.make_topic({.name = "elsewhere",
                      .leader = other_broker,
                      .replicas = {other_broker},
                      .isr = {other_broker}});
  std::vector<Produced> wanted;
  for (std::int32_t i = 0; i < 7; ++i) wanted.push_back({"orders", i, batch_of({})});
  wanted.push_back({"orders", 7, batch_of({})});
  wanted.push_back({"nothing", 0, batch_of({})});
  wanted.push_back({"secret", 0, batch_of({})});
  wanted.push_back({"__consumer_offsets", 0, batch_of({})});
  wanted.push_back({"elsewhere", 0, batch_of({})});
  const auto told = machine.produce(wanted, -1, 12);
  ASSERT_EQ(told.message.responses.size(), wanted.size());
  const auto code = [&](std::size_t i) {
    return DataMachine::code(told.message.responses[i].partition_responses[0]);
  };
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(code(i), ErrorCode::none);
  EXPECT_EQ(code(7), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(code(8), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(code(9), ErrorCode::topic_authorization_failed);
  EXPECT_EQ(code(10), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(code(11), ErrorCode::not_leader_or_follower);
  const auto& moved = told.message.responses[11].partition_responses[0];
  EXPECT_EQ(moved.current_leader.leader_id, 2);
  EXPECT_EQ(moved.current_leader.leader_epoch, 3);
  ASSERT_EQ(told.message.node_endpoints.size(), 1U);
  EXPECT_EQ(told.message.node_endpoints[0].host, "elsewhere");
  EXPECT_EQ(told.message.node_endpoints[0].port, 9092);
  // Older versions have no place for it.
  const auto older = machine.produce({{"elsewhere", 0, batch_of({})}}, 1, 9);
  ASSERT_FALSE(older.closed) << older.reason;
  EXPECT_EQ(DataMachine::code(older.message.responses[0].partition_responses[0]),
            ErrorCode::not_leader_or_follower);
}

TEST_F(ProduceTest, finds_topics_by_their_ids) {
  start();
  const auto told = machine.produce(
      {{"orders", 0, batch_of({})}, {"nothing", 0, batch_of({})}, {"orders", 9, batch_of({})}}, 1,
      13);
  const auto code = [&](std::size_t i) {
    return DataMachine::code(told.message.responses[i].partition_responses[0]);
  };
  EXPECT_EQ(code(0), ErrorCode::none);
  EXPECT_EQ(code(1), ErrorCode::unknown_topic_id);
  EXPECT_EQ(code(2), ErrorCode::unknown_topic_or_partition);
}

TEST_F(ProduceTest, refuses_batches_as_kafka_does) {
  start();
  using enum ErrorCode;
  auto batch = batch_of({});
  batch.back() ^= std::byte{1};
  EXPECT_EQ(code_of(batch), corrupt_message);
  EXPECT_TRUE(machine.says("CORRUPT_MESSAGE"));
  EXPECT_EQ(code_of(std::vector<std::byte>{}), invalid_record);
  batch = batch_of({});
  const auto more = batch_of({});
  batch.insert(batch.end(), more.begin(), more.end());
  EXPECT_EQ(code_of(batch), invalid_record);
  batch = batch_of({});
  batch[7] = std::byte{1};  // the base offset
  EXPECT_EQ(code_of(batch), invalid_record);
  EXPECT_EQ(code_of({.control = true}), invalid_record);
  EXPECT_EQ(code_of({.producer = {ProducerId(5), ProducerEpoch(0), Sequence(-1)}}), invalid_record);
  EXPECT_EQ(code_of({.transactional = true}), invalid_record);
  EXPECT_EQ(
      code_of({.producer = {ProducerId(5), ProducerEpoch(0), Sequence(0)}, .transactional = true}),
      invalid_txn_state);
  EXPECT_EQ(code_of({.values = {std::string(2 * mebibyte, 'x')}}), message_too_large);
  EXPECT_EQ(code_of({.codec = Codec::zstd}, 6), unsupported_compression_type);
  EXPECT_EQ(code_of({.codec = Codec::zstd}, 7), none);
  EXPECT_EQ(machine.partition("orders").log_end(), Offset(1));
}

TEST_F(ProduceTest, names_the_record_that_is_wrong) {
  start({.settings = {{"cleanup.policy", "compact"}}});
  const auto answer = machine.produce_one({.values = {"a", "b"}});
  EXPECT_EQ(DataMachine::code(answer), ErrorCode::invalid_record);
  ASSERT_EQ(answer.record_errors.size(), 1U);
  EXPECT_EQ(answer.record_errors[0].batch_index, 0);
  EXPECT_FALSE(answer.record_errors[0].batch_index_error_message.empty());
  EXPECT_FALSE(answer.error_message.empty());
  EXPECT_EQ(code_of({.key = "k"}), ErrorCode::none);
}

TEST_F(ProduceTest, holds_timestamps_against_the_topics_bounds) {
  start({.settings = {{"message.timestamp.before.max.ms", "60000"}}});
  const std::int64_t now = machine.executor.clock().wall_now().value();
  EXPECT_EQ(code_of({.timestamp = Timestamp(now)}), ErrorCode::none);
  EXPECT_EQ(code_of({.timestamp = Timestamp(now - 61'000)}), ErrorCode::invalid_timestamp);
  EXPECT_EQ(code_of({.timestamp = Timestamp(now + 3'601'000)}), ErrorCode::invalid_timestamp);
}

TEST_F(ProduceTest, sets_the_time_of_appending_where_the_topic_asks_for_it) {
  start({.settings = {{"message.timestamp.type", "LogAppendTime"}}});
  const std::int64_t now = machine.executor.clock().wall_now().value();
  const auto answer = machine.produce_one({.values = {"a"}});
  EXPECT_EQ(DataMachine::code(answer), ErrorCode::none);
  EXPECT_EQ(answer.log_append_time_ms, now);
  EXPECT_EQ(values(), std::vector<std::string>{"a"});
}

TEST_F(ProduceTest, compresses_anew_where_the_topic_asks_for_another_codec) {
  start({.settings = {{"compression.type", "lz4"}}});
  std::vector<std::string> all;
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const std::string text(1000, static_cast<char>('a' + static_cast<int>(codec)));
    ASSERT_EQ(code_of({.values = {text, "b"}, .codec = codec}), ErrorCode::none);
    all.push_back(text);
    all.emplace_back("b");
  }
  EXPECT_EQ(values(), all);
  const auto read =
      machine.wait(machine.partition("orders").read_internal(LeaderEpoch(3), Offset(0), 1 << 20));
  ASSERT_TRUE(read.has_value());
  protocol::BatchSplitter splitter(read->bytes);
  for (protocol::BatchView batch; splitter.next(batch);) {
    EXPECT_EQ(batch.header().attributes.codec(), Codec::lz4);
  }
  // What does not fit after that is refused.
  machine.set("orders", "compression.type", "uncompressed");
  machine.set("orders", "max.message.bytes", "500");
  EXPECT_EQ(code_of({.values = {std::string(1000, 'x')}, .codec = Codec::gzip}),
            ErrorCode::message_too_large);
}

TEST_F(ProduceTest, knows_batches_that_come_again_also_after_a_restart) {
  start();
  const auto send = [&](std::int32_t sequence, std::int16_t epoch = 0) {
    return machine.produce_one(
        {.producer = {ProducerId(9), ProducerEpoch(epoch), Sequence(sequence)}}, -1);
  };
  EXPECT_EQ(send(0).base_offset, 0);
  EXPECT_EQ(send(1).base_offset, 1);
  EXPECT_EQ(send(1).base_offset, 1);
  EXPECT_EQ(send(0).base_offset, 0);
  EXPECT_EQ(DataMachine::code(send(5)), ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(send(0, 1).base_offset, 2);
  EXPECT_EQ(DataMachine::code(send(2, 0)), ErrorCode::invalid_producer_epoch);
  machine.stop();
  ASSERT_TRUE(machine.start().has_value());
  EXPECT_EQ(send(0, 1).base_offset, 2);
  EXPECT_EQ(send(1, 1).base_offset, 3);
  EXPECT_EQ(machine.partition("orders").log_end(), Offset(4));
}

TEST_F(ProduceTest, acks_all_needs_enough_replicas_and_waits_for_them) {
  start({.replicas = {test_broker, other_broker},
         .isr = {test_broker, other_broker},
         .settings = {{"min.insync.replicas", "2"}}});
  EXPECT_EQ(DataMachine::code(machine.produce_one({}, 1)), ErrorCode::none);
  EXPECT_EQ(DataMachine::code(machine.produce_one({}, -1)), ErrorCode::request_timed_out);
  machine.change_partition("orders", 0, {.isr = std::vector<BrokerId>{test_broker}});
  EXPECT_EQ(DataMachine::code(machine.produce_one({}, -1)), ErrorCode::not_enough_replicas);
  EXPECT_EQ(DataMachine::code(machine.produce_one({}, 1)), ErrorCode::none);
  machine.set("orders", "min.insync.replicas", "1");
  EXPECT_EQ(DataMachine::code(machine.produce_one({}, -1)), ErrorCode::none);
}

TEST_F(ProduceTest, asks_for_the_right_to_write_topics_and_transactions) {
  start();
  machine.authorizer.asked.clear();
  machine.transaction = "secret";
  EXPECT_EQ(code_of(BatchOf{}), ErrorCode::transactional_id_authorization_failed);
  machine.transaction = "mine";
  EXPECT_EQ(code_of(BatchOf{}), ErrorCode::none);
  using security::Operation;
  using security::ResourceType;
  const std::vector<std::pair<Operation, ResourceType>> expected = {
      {Operation::write, ResourceType::transactional_id},
      {Operation::write, ResourceType::transactional_id},
      {Operation::write, ResourceType::topic}};
  EXPECT_EQ(machine.authorizer.asked, expected);
}

TEST_F(ProduceTest, tells_the_quota_of_its_bytes_whatever_comes_of_them) {
  start();
  machine.quotas.throttle = 250ms;
  const auto batch = batch_of({.values = {std::string(5000, 'x')}});
  const auto told_of = [&](const std::string& topic, int acks) {
    machine.quotas.told.clear();
    machine.last = machine.produce({{topic, 0, batch}}, static_cast<std::int16_t>(acks));
    ASSERT_EQ(machine.quotas.told.size(), 1U) << topic << " " << acks;
    const auto& told = machine.quotas.told[0];
    EXPECT_EQ(told.kind, security::QuotaKind::produce);
    EXPECT_EQ(told.client_id, "tester");
    EXPECT_GE(told.amount, batch.size());
    EXPECT_LE(told.amount, batch.size() + 100) << "what lies around it in the request";
  };
  for (const int acks : {1, -1}) {
    told_of("orders", acks);
    EXPECT_EQ(machine.last.message.throttle_time_ms, 250);
  }
  told_of("nothing", 1);
  told_of("orders", 0);
  EXPECT_TRUE(machine.last.none);
}

TEST_F(ProduceTest, says_that_a_disk_is_full) {
  start();
  ASSERT_EQ(code_of(BatchOf{}), ErrorCode::none);
  machine.disk.set_capacity(0);
  machine.executor.advance(1min);
  const auto answer = machine.produce_one({});
  EXPECT_EQ(DataMachine::code(answer), ErrorCode::kafka_storage_error);
  EXPECT_FALSE(answer.error_message.empty());
}

TEST_F(ProduceTest, counts_what_came_and_what_was_refused) {
  start();
  machine.produce_one({.values = {"a", "b"}});
  const ShardIndex shard = shard_of("orders", PartitionIndex(0), machine.shard_count);
  const DataMetrics& metrics = machine.data[shard.value()]->metrics();
  EXPECT_EQ(metrics.produced_records.value(), 2U);
  EXPECT_EQ(metrics.produced_batches.value(), 1U);
  EXPECT_EQ(metrics.produced_bytes.value(), batch_of({.values = {"a", "b"}}).size());
}

}  // namespace
}  // namespace millrace::broker
