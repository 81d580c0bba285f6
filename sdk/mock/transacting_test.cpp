// Transactions, asked about frame by frame. Also proves transaction_desk.cpp.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using protocol::AddPartitionsToTxnRequest;
using protocol::AddPartitionsToTxnResponse;
using protocol::EndTxnRequest;
using protocol::EndTxnResponse;
using protocol::FetchResponse;
using protocol::InitProducerIdRequest;
using protocol::InitProducerIdResponse;
using protocol::ProduceResponse;
using protocol::TxnOffsetCommitRequest;
using protocol::TxnOffsetCommitResponse;

struct Owner {
  std::int16_t error = 0;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;

  friend bool operator==(const Owner&, const Owner&) = default;
};

// One client of one transactional id, by frames.
class TransactionTest : public testing::Test {
 public:
  void begin(std::int16_t transaction_version = 2) {
    machine.emplace(Options{.brokers = 1, .transaction_version = transaction_version});
    ASSERT_TRUE(machine->cluster->create_topic("orders"));
    ASSERT_TRUE(machine->cluster->create_topic("paid", {.partitions = 2}));
  }
  void run(Task<void> task) { machine->run(std::move(task)); }

  Task<Owner> init(RawClient& client, std::int64_t producer = -1, std::int16_t epoch = -1) {
    InitProducerIdRequest request;
    request.transactional_id = "copy";
    request.transaction_timeout_ms = 1000;
    request.producer_id = producer;
    request.producer_epoch = epoch;
    const auto got = co_await client.call<InitProducerIdResponse>(request, 5);
    EXPECT_TRUE(got.has_value());
    co_return Owner{got->message.error_code, got->message.producer_id, got->message.producer_epoch};
  }
  Task<int> produce(RawClient& client, Owner as, std::int32_t sequence, std::string value,
                    std::int16_t version) {
    const auto batch = batch_of({value}, {.producer = {ProducerId(as.producer),
                                                       ProducerEpoch(as.epoch), Sequence(sequence)},
                                          .transactional = true});
    ProduceOne request(machine->id_of("orders"), "orders", 0, batch);
    request.message.transactional_id = "copy";
    const auto got = co_await client.call<ProduceResponse>(request.message, version);
    EXPECT_TRUE(got.has_value());
    co_return got->message.responses[0].partition_responses[0].error_code;
  }
  Task<Owner> end(RawClient& client, Owner as, bool commit, std::int16_t version) {
    EndTxnRequest request;
    request.transactional_id = "copy";
    request.producer_id = as.producer;
    request.producer_epoch = as.epoch;
    request.committed = commit;
    const auto got = co_await client.call<EndTxnResponse>(request, version);
    EXPECT_TRUE(got.has_value());
    co_return Owner{got->message.error_code, got->message.producer_id, got->message.producer_epoch};
  }
  Task<int> join(RawClient& client, Owner as, std::string topic, std::int32_t partition) {
    AddPartitionsToTxnRequest::AddPartitionsToTxnTopic row;
    row.name = topic;
    row.partitions = {&partition, 1};
    AddPartitionsToTxnRequest request;
    request.v3_and_below_transactional_id = "copy";
    request.v3_and_below_producer_id = as.producer;
    request.v3_and_below_producer_epoch = as.epoch;
    request.v3_and_below_topics = {&row, 1};
    const auto got = co_await client.call<AddPartitionsToTxnResponse>(request, 3);
    EXPECT_TRUE(got.has_value());
    co_return got->message.results_by_topic_v3_and_below[0]
        .results_by_partition[0]
        .partition_error_code;
  }
  [[nodiscard]] std::vector<std::string> committed() const {
    std::vector<std::string> values;
    const auto records = machine->cluster->committed_records("orders", PartitionIndex(0));
    for (const auto& record : *records) values.push_back(*record.value);
    return values;
  }

  std::optional<MockMachine> machine;
};

using Values = std::vector<std::string>;

TEST_F(TransactionTest, records_are_seen_when_they_are_committed_and_never_when_aborted) {
  begin();
  run([](TransactionTest& self) -> Task<void> {
    MockMachine& machine = *self.machine;
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    Owner owner = co_await self.init(client);
    EXPECT_EQ(owner, (Owner{0, 1000, 0}));
    EXPECT_EQ(co_await self.produce(client, owner, 0, "one", 12), none);
    EXPECT_EQ(self.committed(), Values{});
    const Owner next = co_await self.end(client, owner, true, 5);
    EXPECT_EQ(next, (Owner{0, 1000, 1}));
    EXPECT_EQ(self.committed(), Values{"one"});
    // Asked again, for a lost answer.
    EXPECT_EQ(co_await self.end(client, owner, true, 5), next);
    EXPECT_EQ((co_await self.end(client, owner, false, 5)).error,
              number(ErrorCode::producer_fenced));
    EXPECT_EQ(co_await self.produce(client, owner, 1, "late", 12),
              number(ErrorCode::invalid_producer_epoch));
    EXPECT_EQ(co_await self.produce(client, next, 0, "two", 12), none);
    EXPECT_EQ((co_await self.end(client, next, false, 5)).epoch, 2);
    EXPECT_EQ(self.committed(), Values{"one"});
    // A transaction without anything can be aborted, not committed.
    const Owner last{0, 1000, 2};
    EXPECT_EQ((co_await self.end(client, last, true, 5)).error,
              number(ErrorCode::invalid_txn_state));
    EXPECT_EQ((co_await self.end(client, last, false, 5)).epoch, 3);
    client.close();
  }(*this));
}

TEST_F(TransactionTest, before_version_2_partitions_are_named_first) {
  begin(1);
  run([](TransactionTest& self) -> Task<void> {
    MockMachine& machine = *self.machine;
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    const Owner owner = co_await self.init(client);
    EXPECT_EQ(co_await self.produce(client, owner, 0, "one", 11),
              number(ErrorCode::invalid_txn_state));
    EXPECT_EQ(co_await self.join(client, owner, "orders", 0), none);
    EXPECT_EQ(co_await self.join(client, owner, "nothing", 0),
              number(ErrorCode::unknown_topic_or_partition));
    EXPECT_EQ(co_await self.produce(client, owner, 0, "one", 11), none);
    EXPECT_EQ((co_await self.end(client, owner, true, 4)).error, none);
    EXPECT_EQ((co_await self.end(client, owner, true, 4)).error, none);
    EXPECT_EQ((co_await self.end(client, owner, false, 4)).error,
              number(ErrorCode::invalid_txn_state));
    EXPECT_EQ(self.committed(), Values{"one"});
    client.close();
  }(*this));
}

TEST_F(TransactionTest, who_takes_the_id_shuts_out_who_had_it_and_ends_its_transaction) {
  begin();
  run([](TransactionTest& self) -> Task<void> {
    MockMachine& machine = *self.machine;
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    const Owner first = co_await self.init(client);
    EXPECT_EQ(co_await self.produce(client, first, 0, "zombie", 12), none);
    const Owner second = co_await self.init(client);
    EXPECT_EQ(second, (Owner{0, 1000, 1}));
    EXPECT_EQ(co_await self.produce(client, first, 1, "zombie", 12),
              number(ErrorCode::invalid_producer_epoch));
    EXPECT_EQ((co_await self.init(client, 1000, 0)).error, number(ErrorCode::producer_fenced));
    EXPECT_EQ((co_await self.init(client, 1000, 1)).epoch, 2);
    EXPECT_EQ(self.committed(), Values{});
    EXPECT_FALSE(machine.cluster->time_out_transaction("copy"));
    EXPECT_EQ(co_await self.produce(client, {0, 1000, 2}, 0, "slow", 12), none);
    EXPECT_TRUE(machine.cluster->time_out_transaction("copy"));
    EXPECT_EQ((co_await self.end(client, {0, 1000, 2}, false, 5)).error,
              number(ErrorCode::producer_fenced));
    EXPECT_EQ(self.committed(), Values{});
    client.close();
  }(*this));
}

TEST_F(TransactionTest, a_reader_of_what_is_committed_stops_at_what_is_open) {
  begin();
  run([](TransactionTest& self) -> Task<void> {
    MockMachine& machine = *self.machine;
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    Owner owner = co_await self.init(client);
    EXPECT_EQ(co_await self.produce(client, owner, 0, "gone", 12), none);
    owner = co_await self.end(client, owner, false, 5);
    EXPECT_EQ(co_await self.produce(client, owner, 0, "open", 12), none);
    FetchOne request(machine.id_of("orders"), "orders", 0, 0);
    request.message.isolation_level = 1;
    const auto got = co_await client.call<FetchResponse>(request.message, std::int16_t{17});
    EXPECT_TRUE(got.has_value());
    const auto& part = got->message.responses[0].partitions[0];
    EXPECT_EQ(part.last_stable_offset, 2);
    EXPECT_EQ(part.high_watermark, 3);
    EXPECT_EQ(part.aborted_transactions.size(), 1u);
    EXPECT_EQ(part.aborted_transactions[0].first_offset, 0);
    client.close();
  }(*this));
}

TEST_F(TransactionTest, offsets_are_committed_with_the_transaction) {
  begin();
  run([](TransactionTest& self) -> Task<void> {
    MockMachine& machine = *self.machine;
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    Owner owner = co_await self.init(client);
    const auto send = [&](std::int64_t offset) -> Task<int> {
      TxnOffsetCommitRequest::TxnOffsetCommitRequestPartition part;
      part.committed_offset = offset;
      part.committed_metadata = "";
      TxnOffsetCommitRequest::TxnOffsetCommitRequestTopic topic;
      topic.name = "paid";
      topic.partitions = {&part, 1};
      TxnOffsetCommitRequest request;
      request.transactional_id = "copy";
      request.group_id = "copiers";
      request.producer_id = owner.producer;
      request.producer_epoch = owner.epoch;
      request.topics = {&topic, 1};
      const auto sent = co_await client.call<TxnOffsetCommitResponse>(request, 5);
      EXPECT_TRUE(sent.has_value());
      co_return sent->message.topics[0].partitions[0].error_code;
    };
    const auto committed = [&]() -> Task<std::int64_t> {
      constexpr std::int32_t partition = 0;
      protocol::OffsetFetchRequest::OffsetFetchRequestTopics topic;
      topic.name = "paid";
      topic.partition_indexes = {&partition, 1};
      protocol::OffsetFetchRequest::OffsetFetchRequestGroup group;
      group.group_id = "copiers";
      group.topics = {&topic, 1};
      protocol::OffsetFetchRequest request;
      request.groups = {&group, 1};
      const auto got = co_await client.call<protocol::OffsetFetchResponse>(request, 9);
      EXPECT_TRUE(got.has_value());
      co_return got->message.groups[0].topics[0].partitions[0].committed_offset;
    };
    EXPECT_EQ(co_await send(7), none);
    EXPECT_EQ(co_await committed(), -1);
    owner = co_await self.end(client, owner, false, 5);
    EXPECT_EQ(co_await committed(), -1);
    EXPECT_EQ(co_await send(8), none);
    EXPECT_EQ(co_await send(9), none);
    EXPECT_EQ((co_await self.end(client, owner, true, 5)).error, none);
    EXPECT_EQ(co_await committed(), 9);
    client.close();
  }(*this));
}

}  // namespace
}  // namespace millrace::mock
