// Also proves sender.cpp, sender.cppm, sending.cpp, request.cpp, request.cppm,
// producer_client.cppm.
#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using mock::ApiKey;
using protocol::Codec;

TEST(ProducerClient, tells_where_each_record_is) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.send_all(0, 100);
  ASSERT_TRUE(machine.flush());
  ASSERT_EQ(machine.outcomes.all.size(), 100u);
  for (const auto& [token, outcome] : machine.outcomes.all) {
    EXPECT_TRUE(outcome.is_delivered);
    EXPECT_EQ(outcome.offset, Offset(static_cast<std::int64_t>(token)));
    EXPECT_GE(outcome.timestamp, Timestamp(1'000'000));
  }
  machine.expect_truth();
  EXPECT_GE(machine.producer->metrics().sender.batches, 3u);
}

TEST(ProducerClient, carries_every_part_of_a_record) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  const std::vector<HeaderView> headers = {{"a", as_bytes("1")}, {"b", {}}};
  ASSERT_TRUE(machine.producer->send({.topic = "orders",
                                      .key = as_bytes("alice"),
                                      .value = std::nullopt,
                                      .headers = headers,
                                      .timestamp = Timestamp(123)},
                                     &machine.outcomes, 1, FullBuffer::fail));
  ASSERT_TRUE(machine.producer->send({.topic = "orders", .value = ByteView{}}, nullptr, 2,
                                     FullBuffer::fail));
  ASSERT_TRUE(machine.flush());
  const auto records = *machine.cluster->records("orders", PartitionIndex(0));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].key, "alice");
  EXPECT_EQ(records[0].value, std::nullopt);
  EXPECT_EQ(records[0].timestamp, Timestamp(123));
  ASSERT_EQ(records[0].headers.size(), 2u);
  EXPECT_EQ(records[0].headers[1].second, std::nullopt);
  EXPECT_EQ(records[1].key, std::nullopt);
  EXPECT_EQ(records[1].value, "");
  EXPECT_EQ(machine.outcomes.all.at(1).timestamp, Timestamp(123));
  EXPECT_EQ(machine.outcomes.all.size(), 1u);
}

TEST(ProducerClient, compresses_with_every_codec) {
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    SCOPED_TRACE(name_of(codec));
    ProducerMachine machine;
    machine.settings.compression = protocol::CompressionOptions(codec);
    machine.settings.batch_size = 20'000;
    ASSERT_TRUE(machine.cluster->create_topic("orders"));
    machine.start();
    machine.load("orders");
    for (std::uint64_t token = 0; token < 50; ++token) {
      ASSERT_TRUE(machine.send(token, 0, 1'000));
    }
    ASSERT_TRUE(machine.flush());
    EXPECT_EQ(machine.outcomes.delivered_count(), 50u);
    machine.expect_truth();
    EXPECT_LT(machine.producer->metrics().brokers.bytes_out, 20'000u);
  }
}

TEST(ProducerClient, speaks_to_brokers_of_every_version) {
  for (std::int16_t version = 3; version <= 13; ++version) {
    SCOPED_TRACE(version);
    ProducerMachine machine;
    machine.cluster->set_versions(ApiKey::produce, 0, version);
    ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 3}));
    machine.start();
    machine.load("orders");
    for (std::int32_t partition = 0; partition < 3; ++partition) {
      machine.send_all(static_cast<std::uint64_t>(partition) * 10,
                       static_cast<std::uint64_t>(partition) * 10 + 10, partition);
    }
    ASSERT_TRUE(machine.flush());
    EXPECT_EQ(machine.outcomes.delivered_count(), 30u);
    for (std::int32_t partition = 0; partition < 3; ++partition) machine.expect_truth(partition);
  }
}

TEST(ProducerClient, lingers_for_company_and_a_full_batch_does_not) {
  ProducerMachine machine;
  machine.settings.linger = 10s;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.send_all(0, 105);
  machine.executor.advance(5s);
  const std::size_t before = machine.outcomes.all.size();
  EXPECT_GT(before, 60u);
  EXPECT_LT(before, 105u);
  machine.executor.advance(6s);
  EXPECT_EQ(machine.outcomes.all.size(), 105u);
}

TEST(ProducerClient, without_acks_what_is_written_counts_as_delivered) {
  ProducerMachine machine;
  machine.settings.acks = Acks::none;
  machine.settings.enable_idempotence = false;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.send_all(0, 20);
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), 20u);
  EXPECT_EQ(machine.outcomes.all.at(3).offset, no_offset);
  machine.executor.advance(1s);
  EXPECT_EQ(machine.stored().size(), 20u);
}

TEST(ProducerClient, spreads_records_without_a_key_and_keeps_keys_together) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 4}));
  machine.start();
  machine.load("orders");
  for (std::uint64_t token = 0; token < 400; ++token) {
    ASSERT_TRUE(machine.send(token, std::nullopt));
    machine.executor.advance(1ms);
  }
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.by_partition.size(), 4u);
  Outcomes keyed;
  for (std::uint64_t token = 0; token < 20; ++token) {
    ASSERT_TRUE(machine.producer->send({.topic = "orders", .key = as_bytes("alice")}, &keyed, token,
                                       FullBuffer::fail));
  }
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(keyed.by_partition.size(), 1u);
}

TEST(ProducerClient, a_topic_that_nobody_has_is_an_error_in_the_end) {
  ProducerMachine machine;
  machine.start();
  machine.run([](ProducerMachine& m) -> Task<void> {
    const auto loaded = co_await m.producer->load("nothing", m.now() + 2s);
    EXPECT_FALSE(loaded.has_value());
    const auto sent = m.producer->send({.topic = "nothing"}, &m.outcomes, 0, FullBuffer::fail);
    EXPECT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().failure, Failure::unknown_topic);
  }(machine));
  EXPECT_TRUE(machine.outcomes.all.empty());
}

TEST(ProducerClient, who_does_not_wait_for_a_topic_hears_why_it_is_not_known) {
  ProducerMachine machine;
  machine.settings.max_block = 2s;
  machine.start();
  const std::string impossible(300, 'x');
  const auto send = [&](const std::string& topic) {
    const auto sent =
        machine.producer->send({.topic = topic}, &machine.outcomes, 0, FullBuffer::fail);
    EXPECT_FALSE(sent.has_value());
    return sent.error();
  };
  EXPECT_TRUE(send(impossible).retriable);
  EXPECT_TRUE(send("nothing").retriable);
  machine.executor.advance(5s);
  const ClientError never = send(impossible);
  EXPECT_FALSE(never.retriable);
  EXPECT_EQ(never.code, ErrorCode::invalid_topic_exception);
  const ClientError not_yet = send("nothing");
  EXPECT_TRUE(not_yet.retriable);
  EXPECT_NE(not_yet.message.find("before: "), std::string::npos) << not_yet.message;
  EXPECT_TRUE(machine.outcomes.all.empty());
}

TEST(ProducerClient, partitions_that_are_added_are_found) {
  ProducerMachine machine;
  machine.settings.common.metadata_max_age = 10s;
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2}));
  machine.start();
  machine.load("orders");
  EXPECT_EQ(machine.producer->partition_count("orders"), 2);
  EXPECT_EQ(machine.producer->partition_count("payments"), 0);
}

TEST(ProducerClient, a_full_buffer_is_told_and_empties) {
  ProducerMachine machine;
  machine.settings.buffer_memory = 4 * chunk_bytes;
  machine.settings.linger = 1h;
  machine.settings.batch_size = 4'000;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  std::uint64_t token = 0;
  while (machine.send(token, 0, 1'000)) ++token;
  EXPECT_EQ(machine.send(token, 0, 1'000).error().failure, Failure::buffer_full);
  EXPECT_GT(token, 8u);
  machine.executor.advance(1s);
  EXPECT_TRUE(machine.send(token, 0, 1'000));
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), token + 1);
  EXPECT_LE(machine.producer->metrics().memory_bytes_peak, machine.settings.buffer_memory);
}

TEST(ProducerClient, who_finds_no_room_is_told_what_the_broker_said) {
  ProducerMachine machine;
  machine.settings.buffer_memory = 4 * chunk_bytes;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.cluster->fail_next(ApiKey::produce, ErrorCode::kafka_storage_error, 100);
  std::uint64_t token = 0;
  while (machine.send(token, 0, 1'000)) ++token;
  machine.executor.advance(1s);
  const std::string message = machine.send(token, 0, 1'000).error().message;
  EXPECT_NE(message.find("ago: orders-0: KAFKA_STORAGE_ERROR"), std::string::npos) << message;
}

TEST(ProducerClient,
     with_a_dead_broker_and_a_program_that_does_not_stop_memory_stays_in_its_budget) {
  ProducerMachine machine;
  machine.settings.buffer_memory = 64 * chunk_bytes;
  machine.settings.delivery_timeout = 10s;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)));
  std::uint64_t accepted = 0;
  for (int step = 0; step < 300; ++step) {
    for (int i = 0; i < 100; ++i) {
      if (machine.send(accepted, 0, 200)) ++accepted;
    }
    machine.executor.advance(100ms);
  }
  EXPECT_LE(machine.producer->metrics().memory_bytes_peak, machine.settings.buffer_memory);
  EXPECT_GT(machine.outcomes.all.size(), 0u);
  const ClientError& late = *machine.outcomes.all.at(0).error;
  EXPECT_EQ(late.failure, Failure::timed_out);
  EXPECT_EQ(late.persistence, Persistence::not_persisted);
  EXPECT_NE(late.message.find("127.0.0.1"), std::string::npos) << late.message;
  machine.close(1s);
  EXPECT_EQ(machine.outcomes.all.size(), accepted);
}

TEST(ProducerClient, settings_that_say_for_ever_are_long) {
  ProducerMachine machine;
  machine.settings.linger = Duration::max();
  machine.settings.delivery_timeout = Duration::max();
  machine.settings.max_block = Duration::max();
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.send_all(0, 3);
  machine.executor.advance(24h);
  EXPECT_TRUE(machine.outcomes.all.empty());
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), 3u);
}

TEST(ProducerClient, one_request_carries_many_partitions_of_many_topics) {
  ProducerMachine machine;
  machine.settings.linger = 1h;
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 200}));
  ASSERT_TRUE(machine.cluster->create_topic("payments", {.partitions = 200}));
  machine.start();
  machine.load("orders");
  machine.load("payments");
  Outcomes payments;
  for (std::uint64_t token = 0; token < 1'000; ++token) {
    const PartitionIndex partition(static_cast<std::int32_t>(token * 7 % 200));
    ASSERT_TRUE(machine.send(token, partition.value()));
    ASSERT_TRUE(machine.producer->send({.topic = "payments", .partition = partition}, &payments,
                                       token, FullBuffer::fail));
  }
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), 1'000u);
  EXPECT_EQ(payments.delivered_count(), 1'000u);
  for (std::int32_t partition = 0; partition < 200; ++partition) machine.expect_truth(partition);
  EXPECT_LT(machine.producer->metrics().sender.requests, 20u);
}

TEST(ProducerClient, transactions_are_refused_with_a_sentence) {
  ProducerMachine machine;
  machine.settings.transactional_id = "copy-1";
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  EXPECT_EQ(machine.send(0).error().failure, Failure::bad_argument);
}

}  // namespace
}  // namespace millrace::client
