// Transactions of the public producer against a cluster of the process.
#include "millrace/transaction.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/event_queue.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

constexpr int invalid_record = 87;
const std::vector<std::string> nothing;

class TransactionTest : public testing::Test {
 protected:
  TransactionTest() {
    cluster_.create_topic("orders");
    cluster_.create_topic("paid");
  }

  Config config(std::string_view id = "copy") const {
    return {{"bootstrap.servers", cluster_.bootstrap()}, {"transactional.id", id}};
  }
  Consumer consumer(std::string_view group = "copiers") const {
    Consumer made({{"bootstrap.servers", cluster_.bootstrap()},
                   {"group.id", group},
                   {"auto.offset.reset", "earliest"},
                   {"enable.auto.commit", "false"},
                   {"isolation.level", "read_committed"}},
                  quiet_);
    made.subscribe({"orders"}).value();
    return made;
  }
  void send(int count) const {
    Producer producer({{"bootstrap.servers", cluster_.bootstrap()}}, quiet_);
    for (int i = 0; i < count; ++i)
      producer.send({.topic = "orders", .value = std::to_string(i)}).get().value();
  }
  // The values of all records that were committed.
  std::vector<std::string> committed(std::string_view topic) const {
    Consumer reader(
        {{"bootstrap.servers", cluster_.bootstrap()}, {"isolation.level", "read_committed"}},
        quiet_);
    const TopicPartition partition{std::string(topic), 0};
    reader.assign({partition}).value();
    reader.seek_to_beginning(partition).value();
    const auto ends = reader.end_offsets({partition}).value();
    std::vector<std::string> values;
    while (reader.position(partition).value() < ends.at(partition)) {
      const auto batch = reader.poll(1s);
      for (const auto& record : batch.value()) values.emplace_back(record.value_text());
    }
    return values;
  }

  MockCluster cluster_;
  const ClientOptions quiet_{.log = [](LogLevel, std::string_view, std::string_view) {}};
};

TEST_F(TransactionTest, is_seen_when_it_is_committed) {
  Producer producer(config(), quiet_);
  auto transaction = producer.begin();
  ASSERT_TRUE(transaction.begun()) << transaction.begun().error().message();
  auto first = transaction.send({.topic = "paid", .value = "one"});
  std::promise<bool> told;
  transaction.send({.topic = "paid", .value = "two"},
                   [&](const Result<Delivery>& outcome) { told.set_value(outcome.has_value()); });
  EXPECT_EQ(first.get().value().offset, 0);
  EXPECT_TRUE(told.get_future().get());
  EXPECT_EQ(committed("paid"), nothing);
  ASSERT_TRUE(transaction.commit());
  EXPECT_EQ(committed("paid"), (std::vector<std::string>{"one", "two"}));
  EXPECT_FALSE(transaction.send({.topic = "paid", .value = "late"}).get());
}

TEST_F(TransactionTest, that_goes_out_of_scope_is_aborted) {
  Producer producer(config(), quiet_);
  std::optional<Future<Result<Delivery>>> dropped;
  {
    auto transaction = producer.begin();
    ASSERT_TRUE(transaction.send({.topic = "paid", .value = "gone"}).get());
    Transaction moved = std::move(transaction);
    dropped = moved.send({.topic = "paid", .value = "gone too"});
  }
  static_cast<void>(dropped->get());
  auto next = producer.begin();
  ASSERT_TRUE(next.begun()) << next.begun().error().message();
  next.send({.topic = "paid", .value = "stays"}).get().value();
  ASSERT_TRUE(next.commit());
  EXPECT_EQ(committed("paid"), std::vector<std::string>{"stays"});
}

TEST_F(TransactionTest, in_a_forked_process_takes_and_ends_nothing_and_goes_on_in_the_first) {
  Producer producer(config(), quiet_);
  auto transaction = producer.begin();
  ASSERT_TRUE(transaction.send({.topic = "paid", .value = "one"}).get());
  const pid_t child = ::fork();
  if (child == 0) {
    bool is_refused = !transaction.send({.topic = "paid", .value = "lost"}).get() &&
                      !transaction.send_offsets({.group_id = "copiers"}, {{{"orders", 0}, 1}}) &&
                      !transaction.commit() && !transaction.abort();
    {
      // Out of scope: nothing is aborted.
      const Transaction gone = std::move(transaction);
    }
    is_refused = is_refused && !producer.begin().begun();
    ::_exit(is_refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  transaction.add({.topic = "paid", .value = "two"});
  ASSERT_TRUE(transaction.commit());
  EXPECT_EQ(committed("paid"), (std::vector<std::string>{"one", "two"}));
}

TEST_F(TransactionTest, that_has_ended_cannot_end_the_next_one) {
  Producer producer(config(), quiet_);
  {
    auto first = producer.begin();
    first.send({.topic = "paid", .value = "one"}).get().value();
    ASSERT_TRUE(first.commit_async().get());
    auto second = producer.begin();
    ASSERT_TRUE(second.begun());
    EXPECT_FALSE(first.abort());
    EXPECT_FALSE(first.send({.topic = "paid", .value = "late"}).get());
    second.send({.topic = "paid", .value = "two"}).get().value();
    ASSERT_TRUE(second.commit());
    EXPECT_FALSE(second.commit());
  }
  EXPECT_EQ(committed("paid"), (std::vector<std::string>{"one", "two"}));
}

TEST_F(TransactionTest, needs_a_transactional_id_and_records_need_a_transaction) {
  Producer plain({{"bootstrap.servers", cluster_.bootstrap()}}, quiet_);
  auto refused = plain.begin();
  ASSERT_FALSE(refused.begun());
  EXPECT_NE(refused.begun().error().message().find("transactional.id"), std::string::npos);
  EXPECT_FALSE(refused.commit());
  EXPECT_FALSE(refused.abort());
  EXPECT_FALSE(refused.send({.topic = "paid", .value = "x"}).get());
  Producer producer(config(), quiet_);
  ASSERT_TRUE(producer.init_transactions());
  const auto outside = producer.send({.topic = "paid", .value = "x"}).get();
  ASSERT_FALSE(outside);
  EXPECT_NE(outside.error().message().find("begin()"), std::string::npos);
}

TEST_F(TransactionTest, says_that_it_can_only_be_aborted) {
  Producer producer(config(), quiet_);
  {
    auto transaction = producer.begin();
    cluster_.refuse_produce(invalid_record, 1);
    EXPECT_FALSE(transaction.send({.topic = "paid", .value = "bad"}).get());
    const auto done = transaction.commit();
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().needs_abort());
    EXPECT_FALSE(done.error().is_fatal());
    ASSERT_TRUE(transaction.abort());
  }
  auto next = producer.begin();
  next.send({.topic = "paid", .value = "good"}).get().value();
  ASSERT_TRUE(next.commit());
}

TEST_F(TransactionTest, lacks_a_record_that_was_refused_because_outcomes_wait) {
  const auto events = std::make_shared<EventQueue>();
  ClientOptions options = quiet_;
  options.events = events;
  Producer producer(config(), options);
  auto transaction = producer.begin();
  ASSERT_TRUE(transaction.begun()) << transaction.begun().error().message();
  transaction.add({.topic = "paid", .value = "one"});
  ASSERT_TRUE(producer.flush(10s));
  // Nobody dispatches.
  while (events->waiting() < EventQueue::waiting_max) {
    detail::Promise<char> ended;
    ended.complete_on(events);
    ended.future().then([](char) {});
    ended.set(0);
  }
  transaction.add({.topic = "paid", .value = "two"});
  events->dispatch();
  const auto done = transaction.commit();
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().needs_abort());
  ASSERT_TRUE(transaction.abort());
  EXPECT_EQ(committed("paid"), nothing);
}

TEST_F(TransactionTest, of_a_producer_that_was_replaced_is_fatal) {
  Producer old(config(), quiet_);
  auto zombie = old.begin();
  zombie.send({.topic = "paid", .value = "zombie"}).get().value();
  Producer current(config(), quiet_);
  ASSERT_TRUE(current.init_transactions());
  const auto done = zombie.commit();
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is_fatal());
  EXPECT_EQ(done.error().code(), ErrorCode::producer_fenced);
  EXPECT_EQ(committed("paid"), nothing);
}

TEST_F(TransactionTest, copies_each_record_once) {
  constexpr int count = 300;
  send(count);
  Consumer from = consumer();
  Producer producer(config(), quiet_);
  int aborted = 0;
  for (int copied = 0, round = 0; copied < count; ++round) {
    const auto batch = from.poll(1s);
    ASSERT_TRUE(batch) << batch.error().message();
    if (batch->empty()) continue;
    auto transaction = producer.begin();
    for (const auto& record : *batch) transaction.add({.topic = "paid", .value = record.value()});
    ASSERT_TRUE(transaction.send_offsets(from, *batch));
    if (round % 2 == 0) {
      // As if something went wrong: these are read again.
      ASSERT_TRUE(transaction.abort());
      ASSERT_TRUE(from.rewind(*batch));
      ++aborted;
      continue;
    }
    const auto done = transaction.commit();
    ASSERT_TRUE(done) << done.error().message();
    copied += static_cast<int>(batch->size());
  }
  EXPECT_GT(aborted, 0);
  const auto copies = committed("paid");
  ASSERT_EQ(copies.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) EXPECT_EQ(copies[static_cast<std::size_t>(i)], std::to_string(i));
  const auto offsets = from.committed({{"orders", 0}});
  ASSERT_TRUE(offsets);
  EXPECT_EQ(offsets->at({"orders", 0}), count);
}

TEST_F(TransactionTest, takes_no_offsets_of_who_is_no_member) {
  send(3);
  Producer producer(config(), quiet_);
  auto transaction = producer.begin();
  const auto refused = transaction.send_offsets(
      GroupMembership{.group_id = "copiers", .generation = 3, .member_id = "nobody"},
      {{{"orders", 0}, 1}});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().needs_abort());
  Consumer apart({{"bootstrap.servers", cluster_.bootstrap()}}, quiet_);
  EXPECT_FALSE(apart.membership());
}

TEST_F(TransactionTest, ends_with_its_producer) {
  {
    Producer producer(config(), quiet_);
    auto transaction = producer.begin();
    transaction.send({.topic = "paid", .value = "open"}).get().value();
    ASSERT_TRUE(producer.close());
    EXPECT_FALSE(transaction.commit());
    EXPECT_FALSE(transaction.send({.topic = "paid", .value = "late"}).get());
  }
  EXPECT_EQ(committed("paid"), nothing);
}

}  // namespace
