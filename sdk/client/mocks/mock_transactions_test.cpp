// Also proves mock_producer_core.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/millrace.hpp"
#include "millrace/mock.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

using Values = std::vector<std::string>;

Values values_of(const std::vector<OwnedRecord>& records) {
  Values values;
  for (const OwnedRecord& record : records) values.push_back(record.value.value_or("null"));
  return values;
}

// What an application has: it takes real ones and mocks.
template <class Sender, class Receiver>
Result<void> copy(Sender& producer, Receiver& consumer) {
  const Records batch = consumer.poll(100ms).value();
  auto transaction = producer.begin();
  for (const auto& record : batch)
    transaction.add({.topic = "copies", .value = record.value_text()});
  auto done = transaction.send_offsets(consumer, batch);
  if (done) done = transaction.commit();
  if (!done && !done.error().is_fatal()) consumer.rewind(batch).value();
  return done;
}

Error abortable() {
  return Error({.code = ErrorCode::transaction_abortable, .needs_abort = true}, "abort it");
}

class MockTransactions : public testing::Test {
 protected:
  MockTransactions() {
    for (const std::string_view value : {"1", "2", "3"})
      consumer.add_record({.topic = "orders", .value = value});
    EXPECT_TRUE(consumer.subscribe({"orders"}));
    consumer.rebalance({partition});
  }

  const TopicPartition partition{"orders", 0};
  MockConsumer consumer{MockConsumerOptions{.group_id = "copiers", .max_poll_records = 2}};
  MockProducer producer{MockProducerOptions{.is_transactional = true}};
};

TEST_F(MockTransactions, show_what_was_committed_when_it_is) {
  auto transaction = producer.begin();
  ASSERT_TRUE(transaction.begun());
  EXPECT_TRUE(producer.is_in_transaction());
  EXPECT_EQ(transaction.send({.topic = "copies", .value = "1"}).get()->offset, 0);
  ASSERT_TRUE(transaction.send_offsets({.group_id = "copiers"}, {{partition, 5}}));
  EXPECT_EQ(values_of(producer.uncommitted()), Values{"1"});
  EXPECT_EQ(producer.uncommitted_offsets().size(), 1U);
  EXPECT_TRUE(producer.history().empty());
  EXPECT_TRUE(producer.committed_offsets().empty());
  ASSERT_TRUE(transaction.commit());
  EXPECT_FALSE(producer.is_in_transaction());
  EXPECT_EQ(values_of(producer.history()), Values{"1"});
  ASSERT_EQ(producer.committed_offsets().size(), 1U);
  EXPECT_EQ(producer.committed_offsets()[0].group.group_id, "copiers");
  EXPECT_EQ(producer.committed_offsets()[0].offsets, (Offsets{{partition, 5}}));
  EXPECT_TRUE(producer.uncommitted().empty());
  EXPECT_TRUE(producer.uncommitted_offsets().empty());
  EXPECT_EQ(producer.commit_count(), 1U);
  EXPECT_FALSE(transaction.send({.topic = "copies"}).get());
  EXPECT_FALSE(transaction.commit());
}

TEST_F(MockTransactions, that_are_aborted_or_go_out_of_scope_leave_nothing) {
  {
    auto transaction = producer.begin();
    transaction.add({.topic = "copies", .value = "1"});
    ASSERT_TRUE(transaction.send_offsets({.group_id = "copiers"}, {{partition, 5}}));
    ASSERT_TRUE(transaction.abort());
  }
  {
    auto transaction = producer.begin();
    const Transaction moved = std::move(transaction);
    EXPECT_TRUE(producer.is_in_transaction());
  }
  EXPECT_EQ(producer.abort_count(), 2U);
  EXPECT_FALSE(producer.is_in_transaction());
  EXPECT_TRUE(producer.history().empty());
  EXPECT_TRUE(producer.committed_offsets().empty());
  auto next = producer.begin();
  EXPECT_EQ(next.send({.topic = "copies"}).get()->offset, 1) << "offsets of aborted ones are used";
}

TEST_F(MockTransactions, are_needed_to_send_and_there_is_one_at_a_time) {
  EXPECT_FALSE(producer.send({.topic = "copies"}).get());
  EXPECT_FALSE(producer.post({.topic = "copies"}));
  auto transaction = producer.begin();
  EXPECT_FALSE(producer.begin().begun());
  EXPECT_TRUE(producer.post({.topic = "copies"}));
  EXPECT_FALSE(transaction.send_offsets(GroupMembership{}, {{partition, 1}}));
  EXPECT_TRUE(transaction.commit());
  MockProducer without;
  EXPECT_FALSE(without.init_transactions());
  EXPECT_FALSE(without.begin().begun());
}

TEST_F(MockTransactions, commit_what_waits_and_abort_it) {
  MockProducer slow({.auto_complete = false, .is_transactional = true});
  auto transaction = slow.begin();
  auto sent = transaction.send({.topic = "copies", .value = "1"});
  EXPECT_FALSE(sent.is_ready());
  ASSERT_TRUE(transaction.commit());
  EXPECT_TRUE(sent.get());
  auto next = slow.begin();
  auto dropped = next.send({.topic = "copies", .value = "2"});
  ASSERT_TRUE(next.abort());
  EXPECT_FALSE(dropped.get());
  EXPECT_EQ(values_of(slow.history()), Values{"1"});
}

TEST_F(MockTransactions, take_nothing_that_is_sent_while_they_are_committed) {
  MockProducer slow({.auto_complete = false, .is_transactional = true});
  std::optional<Error> refused;
  slow.on_delivery([&](std::uint64_t, const Result<Delivery>& outcome) {
    ASSERT_TRUE(outcome);
    const auto late = slow.post({.topic = "copies", .value = "2"});
    ASSERT_FALSE(late);
    refused = late.error();
  });
  auto transaction = slow.begin();
  ASSERT_TRUE(slow.post({.topic = "copies", .value = "1"}));
  slow.fail_next_call(TransactionCall::commit, Error({.is_retriable = true}, "late"));
  EXPECT_FALSE(transaction.commit());
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->is_retriable());
  EXPECT_EQ(slow.waiting(), 0U);
  EXPECT_TRUE(slow.is_in_transaction());
  EXPECT_FALSE(slow.post({.topic = "copies", .value = "3"})) << "it is being committed still";
  EXPECT_FALSE(transaction.send_offsets({.group_id = "copiers"}, {{partition, 1}}));
  ASSERT_TRUE(transaction.commit());
  EXPECT_EQ(values_of(slow.history()), Values{"1"});
}

TEST_F(MockTransactions, lack_a_record_that_failed_or_was_refused) {
  MockProducer slow({.auto_complete = false, .is_transactional = true});
  for (const bool is_refused : {false, true}) {
    auto transaction = slow.begin();
    if (is_refused) slow.refuse_next(Error({.code = ErrorCode::request_timed_out}, "full"));
    transaction.add({.topic = "copies", .value = "1"});
    if (!is_refused) ASSERT_TRUE(slow.fail_next(Error({}, "lost")));
    EXPECT_FALSE(transaction.send({.topic = "copies", .value = "2"}).get());
    const auto refused = transaction.commit();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().needs_abort());
    EXPECT_EQ(refused.error().message(), is_refused ? "full" : "lost");
    EXPECT_TRUE(transaction.abort());
  }
  EXPECT_TRUE(slow.history().empty());
}

TEST_F(MockTransactions, fail_as_the_test_says) {
  for (const auto call : {TransactionCall::init, TransactionCall::begin}) {
    producer.fail_next_call(call, Error({.is_retriable = true}, "later"));
    EXPECT_EQ(producer.begin().begun().error().message(), "later");
  }
  auto transaction = producer.begin();
  ASSERT_TRUE(transaction.begun());
  producer.fail_next_call(TransactionCall::commit, Error({.is_retriable = true}, "late"));
  EXPECT_EQ(transaction.commit().error().message(), "late");
  producer.fail_next_call(TransactionCall::abort, Error({.is_retriable = true}, "late as well"));
  EXPECT_EQ(transaction.abort().error().message(), "late as well");
  EXPECT_TRUE(transaction.commit());
  auto next = producer.begin();
  producer.fail_next_call(TransactionCall::send_offsets, abortable());
  EXPECT_FALSE(next.send_offsets({.group_id = "copiers"}, {{partition, 1}}));
  EXPECT_TRUE(next.commit().error().needs_abort());
  EXPECT_TRUE(next.abort());
  auto last = producer.begin();
  producer.fail_next_call(TransactionCall::commit, Error({.is_fatal = true}, "gone"));
  EXPECT_TRUE(last.commit().error().is_fatal());
  EXPECT_EQ(last.abort().error().message(), "gone");
  EXPECT_EQ(producer.init_transactions().error().message(), "gone");
}

TEST_F(MockTransactions, of_a_fenced_producer_cannot_go_on) {
  auto transaction = producer.begin();
  transaction.add({.topic = "copies", .value = "1"});
  producer.fence();
  const auto fenced = transaction.commit();
  ASSERT_FALSE(fenced);
  EXPECT_EQ(fenced.error().code(), ErrorCode::producer_fenced);
  EXPECT_TRUE(fenced.error().is_fatal());
  EXPECT_FALSE(transaction.abort());
  EXPECT_FALSE(producer.begin().begun());
  EXPECT_TRUE(producer.history().empty());
}

TEST_F(MockTransactions, of_a_closed_producer_are_aborted) {
  MockProducer slow({.auto_complete = false, .is_transactional = true});
  auto transaction = slow.begin();
  auto sent = transaction.send({.topic = "copies", .value = "1"});
  EXPECT_TRUE(slow.close());
  EXPECT_FALSE(sent.get());
  EXPECT_FALSE(transaction.commit());
  EXPECT_EQ(slow.abort_count(), 1U);
  EXPECT_TRUE(slow.history().empty());
}

TEST_F(MockTransactions, copy_exactly_once_as_the_real_ones_do) {
  ASSERT_TRUE(copy(producer, consumer));
  producer.fail_next_call(TransactionCall::commit, abortable());
  EXPECT_FALSE(copy(producer, consumer));
  EXPECT_EQ(consumer.position(partition).value(), 2) << "rewound";
  ASSERT_TRUE(copy(producer, consumer));
  EXPECT_EQ(values_of(producer.history()), (Values{"1", "2", "3"}));
  const auto offsets = producer.committed_offsets();
  ASSERT_EQ(offsets.size(), 2U);
  EXPECT_EQ(offsets[1].offsets, (Offsets{{partition, 3}}));
  EXPECT_EQ(offsets[1].group.group_id, "copiers");
  EXPECT_EQ(offsets[1].group.generation, 1);
  consumer.lose();
  EXPECT_EQ(copy(producer, consumer).error().code(), ErrorCode::unknown_member_id);
  EXPECT_FALSE(producer.is_in_transaction());
}

TEST_F(MockTransactions, the_real_ones_take_the_place_of_mocks) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  cluster.create_topic("copies");
  const Config config{{"bootstrap.servers", cluster.bootstrap()}};
  Producer filling(config);
  ASSERT_TRUE(filling.send({.topic = "orders", .value = "1"}).get());
  Producer real(config + Config{{"transactional.id", "copy"}});
  Consumer reader(config + Config{{"group.id", "copiers"},
                                  {"auto.offset.reset", "earliest"},
                                  {"enable.auto.commit", "false"}});
  ASSERT_TRUE(reader.subscribe({"orders"}));
  while (reader.assignment()->empty()) static_cast<void>(reader.poll(0ms).value());
  ASSERT_TRUE(copy(real, reader));
}

TEST_F(MockTransactions, rewinding_leaves_partitions_that_are_gone) {
  const Records batch = consumer.poll(0ms).value();
  ASSERT_EQ(batch.size(), 2U);
  ASSERT_TRUE(consumer.rewind(batch));
  EXPECT_EQ(consumer.position(partition).value(), 0);
  EXPECT_EQ(consumer.poll(0ms)->size(), 2U);
  consumer.rebalance({});
  static_cast<void>(consumer.poll(0ms).value());
  EXPECT_TRUE(consumer.rewind(batch));
  EXPECT_FALSE(consumer.position(partition));
}

}  // namespace
