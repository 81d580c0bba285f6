#include "millrace/mock/mock_producer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/millrace.hpp"
#include "millrace/mock/cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

static_assert(ProducerLike<MockProducer>);

// What an application has: it takes either producer.
template <ProducerLike Sender>
Result<Delivery> bill(Sender& producer, std::string_view customer) {
  return producer.send({.topic = "bills", .key = customer, .value = "200"}).get();
}

Error refused() {
  return Error({.code = ErrorCode::topic_authorization_failed, .origin = Origin::broker},
               "refused");
}

TEST(MockProducer, delivers_at_once_and_remembers) {
  MockProducer producer;
  const auto first = bill(producer, "alice");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->partition, 0);
  EXPECT_EQ(first->offset, 0);
  EXPECT_EQ(bill(producer, "bob")->offset, 1);
  const auto history = producer.history();
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[1].topic, "bills");
  EXPECT_EQ(history[1].key, "bob");
  EXPECT_EQ(history[1].value, "200");
  EXPECT_EQ(history[1].offset, 1);
  EXPECT_EQ(first->timestamp, history[0].timestamp);
  producer.clear_history();
  EXPECT_TRUE(producer.history().empty());
  EXPECT_EQ(bill(producer, "alice")->offset, 2);
}

TEST(MockProducer, takes_the_place_of_the_real_one) {
  mock::Cluster cluster;
  cluster.create_topic("bills");
  Producer real({{"bootstrap.servers", cluster.bootstrap()}});
  MockProducer mock;
  EXPECT_EQ(bill(real, "alice")->offset, bill(mock, "alice")->offset);
}

TEST(MockProducer, puts_keys_where_the_real_one_puts_them) {
  mock::Cluster cluster;
  cluster.create_topic("bills", 7);
  Producer real({{"bootstrap.servers", cluster.bootstrap()}, {"linger.ms", "0"}});
  MockProducer mock({.partitions = {{"bills", 7}}});
  for (int number = 0; number < 50; ++number) {
    const std::string key = "customer " + std::to_string(number);
    EXPECT_EQ(bill(real, key)->partition, bill(mock, key)->partition) << key;
  }
}

TEST(MockProducer, records_without_a_key_go_to_each_partition_in_turn) {
  MockProducer producer({.partitions = {{"orders", 3}}});
  for (const std::int32_t expected : {0, 1, 2, 0})
    EXPECT_EQ(producer.send({.topic = "orders", .value = "x"}).get()->partition, expected);
  EXPECT_EQ(producer.send({.topic = "orders", .partition = 2}).get()->partition, 2);
  const auto nowhere = producer.send({.topic = "orders", .partition = 3}).get();
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().message(), "topic orders has no partition 3: it has 3");
  EXPECT_EQ(producer.partition_count("orders", 1s).value(), 3);
  EXPECT_EQ(producer.partition_count("others", 1s).value(), 1);
}

TEST(MockProducer, records_wait_until_the_test_says_what_becomes_of_them) {
  MockProducer producer({.auto_complete = false});
  auto first = producer.send({.topic = "orders", .value = "1"});
  auto second = producer.send({.topic = "orders", .value = "2"});
  auto third = producer.send({.topic = "orders", .value = "3"});
  EXPECT_EQ(producer.waiting(), 3U);
  EXPECT_FALSE(first.is_ready());
  EXPECT_TRUE(producer.complete_next());
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(producer.fail_next(refused()));
  EXPECT_EQ(second.get().error().code(), ErrorCode::topic_authorization_failed);
  const auto late = producer.flush(0ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::request_timed_out);
  EXPECT_FALSE(third.is_ready());
  EXPECT_TRUE(producer.flush(1s));
  EXPECT_EQ(third.get()->offset, 2);
  EXPECT_EQ(producer.flush_count(), 2U);
  EXPECT_FALSE(producer.complete_next());
  EXPECT_FALSE(producer.fail_next(refused()));
  // What failed was not sent.
  ASSERT_EQ(producer.history().size(), 2U);
  EXPECT_EQ(producer.history()[1].value, "3");
}

TEST(MockProducer, posts_tell_their_handler) {
  std::vector<std::pair<std::uint64_t, bool>> told;
  MockProducer producer({.auto_complete = false});
  producer.on_delivery([&](std::uint64_t tag, const Result<Delivery>& outcome) {
    told.emplace_back(tag, outcome.has_value());
  });
  ASSERT_TRUE(producer.post({.topic = "orders"}, 7));
  ASSERT_TRUE(producer.post({.topic = "orders"}, 8));
  producer.fail_next(refused());
  producer.complete_next();
  EXPECT_EQ(told, (std::vector<std::pair<std::uint64_t, bool>>{{7, false}, {8, true}}));
}

TEST(MockProducer, who_is_told_may_send_and_flushing_ends_nevertheless) {
  int told = 0;
  MockProducer producer({.auto_complete = false});
  producer.on_delivery([&](std::uint64_t, const Result<Delivery>&) {
    ++told;
    static_cast<void>(producer.post({.topic = "orders"}));
  });
  ASSERT_TRUE(producer.post({.topic = "orders"}));
  ASSERT_TRUE(producer.flush(1s));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(producer.waiting(), 1U);
}

TEST(MockProducer, tells_of_room_when_the_test_says_that_it_is_not_full_any_more) {
  MockProducer producer;
  const Record record{.topic = "orders", .value = "x"};
  EXPECT_TRUE(producer.when_room(record).get()) << "it is not full";
  producer.set_full(true);
  for (const WhenFull when_full : {WhenFull::fail, WhenFull::wait}) {
    const auto sent = producer.send(record, when_full).get();
    ASSERT_FALSE(sent);
    EXPECT_TRUE(sent.error().is_retriable());
    EXPECT_EQ(sent.error().origin(), Origin::client);
  }
  int told = 0;
  producer.when_room(record).then([&](const Result<void>& room) {
    EXPECT_TRUE(room);
    EXPECT_TRUE(producer.post(record));
    ++told;
  });
  auto future = producer.when_room(record);
  EXPECT_FALSE(future.is_ready());
  producer.set_full(true);
  EXPECT_EQ(told, 0);
  producer.set_full(false);
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(future.get());
  producer.set_full(false);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(producer.history().size(), 1U);
}

TEST(MockProducer, tells_of_room_that_will_not_be) {
  const Record record{.topic = "orders", .value = "x"};
  MockProducer closed;
  closed.set_full(true);
  auto until_closed = closed.when_room(record);
  ASSERT_TRUE(closed.close());
  EXPECT_TRUE(until_closed.get().error().is_fatal());
  EXPECT_FALSE(closed.when_room(record).get());
  MockProducer fenced;
  fenced.set_full(true);
  auto until_fenced = fenced.when_room(record);
  fenced.fence();
  EXPECT_EQ(until_fenced.get().error().code(), ErrorCode::producer_fenced);
  EXPECT_EQ(fenced.when_room(record).get().error().code(), ErrorCode::producer_fenced);
  MockProducer full;
  full.set_full(true);
  for (std::size_t i = 0; i < Producer::room_waiting_max; ++i)
    full.when_room(record).then([](const Result<void>&) {});
  EXPECT_FALSE(full.when_room(record).get());
}

TEST(MockProducer, refuses_records_as_a_full_buffer_does) {
  MockProducer producer;
  producer.refuse_next(refused(), 2);
  EXPECT_FALSE(producer.post({.topic = "orders"}));
  std::optional<bool> taken;
  producer.send({.topic = "orders"}, [&](const Result<Delivery>& sent) { taken = !!sent; });
  EXPECT_EQ(taken, false);
  EXPECT_TRUE(producer.post({.topic = "orders"}));
  EXPECT_EQ(producer.history().size(), 1U);
}

TEST(MockProducer, a_fenced_one_fails_everything) {
  MockProducer producer({.auto_complete = false});
  auto waiting = producer.send({.topic = "orders"});
  producer.fence();
  const auto lost = waiting.get();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), ErrorCode::producer_fenced);
  EXPECT_TRUE(lost.error().is_fatal());
  EXPECT_FALSE(producer.post({.topic = "orders"}));
  EXPECT_FALSE(producer.flush(1s));
  EXPECT_TRUE(producer.history().empty());
}

TEST(MockProducer, closing_delivers_what_waits_or_fails_it) {
  MockProducer patient({.auto_complete = false});
  auto sent = patient.send({.topic = "orders"});
  EXPECT_TRUE(patient.close());
  EXPECT_TRUE(patient.is_closed());
  EXPECT_TRUE(sent.get());
  EXPECT_TRUE(patient.close());
  EXPECT_FALSE(patient.post({.topic = "orders"}));
  EXPECT_FALSE(patient.flush(1s));
  EXPECT_FALSE(patient.partition_count("orders", 1s));

  MockProducer hurried({.auto_complete = false});
  auto lost = hurried.send({.topic = "orders"});
  const auto closed = hurried.close(0ms);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().message(), "1 records could not be sent before the producer was closed");
  EXPECT_FALSE(lost.get());
}

TEST(MockProducer, the_end_of_it_tells_all_outcomes) {
  std::optional<MockProducer> producer(std::in_place, MockProducerOptions{.auto_complete = false});
  auto sent = producer->send({.topic = "orders"});
  MockProducer moved = *std::move(producer);
  producer.reset();
  EXPECT_FALSE(sent.is_ready());
  moved = MockProducer();
  EXPECT_TRUE(sent.is_ready());
}

TEST(MockProducer, is_used_by_several_threads) {
  MockProducer producer;
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([&] {
      for (int count = 0; count < 250; ++count)
        static_cast<void>(producer.post({.topic = "orders", .value = "x"}));
    });
  for (std::thread& thread : threads) thread.join();
  const auto history = producer.history();
  ASSERT_EQ(history.size(), 1000U);
  for (std::int64_t offset = 0; const OwnedRecord& record : history)
    EXPECT_EQ(record.offset, offset++);
}

}  // namespace
