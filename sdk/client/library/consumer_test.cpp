// The public consumer against a cluster of the process. Also proves records.cpp, consumer_core.cpp.
#include "millrace/consumer.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/producer.hpp"
#include "millrace/typed.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

const TopicPartition orders{"orders", 0};

class ConsumerTest : public testing::Test {
 protected:
  ConsumerTest() { cluster_.create_topic("orders"); }

  Config config(std::string_view group = "billing") const {
    return {{"bootstrap.servers", cluster_.bootstrap()},
            {"group.id", group},
            {"auto.offset.reset", "earliest"}};
  }
  void produce(int first, int count) {
    Producer producer({{"bootstrap.servers", cluster_.bootstrap()}});
    for (int number = first; number < first + count; ++number)
      ASSERT_TRUE(producer.post({.topic = "orders",
                                 .key = "key",
                                 .value = std::to_string(number),
                                 .headers = {{"trace", "1"}, {"none", nullptr}}}));
    ASSERT_TRUE(producer.close());
  }
  // The values of the next records, until there are so many.
  static std::vector<std::string> values(Consumer& consumer, std::size_t count) {
    std::vector<std::string> found;
    while (found.size() < count) {
      auto batch = consumer.poll(10s);
      if (!batch || batch->empty()) {
        ADD_FAILURE() << (batch ? "no records came" : batch.error().message());
        break;
      }
      for (const auto& record : *batch) found.emplace_back(record.value_text());
    }
    return found;
  }
  static std::vector<std::string> numbers(int first, int count) {
    std::vector<std::string> expected;
    for (int number = first; number < first + count; ++number)
      expected.push_back(std::to_string(number));
    return expected;
  }

  MockCluster cluster_;
  const ClientOptions quiet_{.log = [](LogLevel, std::string_view, std::string_view) {}};
};

TEST_F(ConsumerTest, receives_as_a_member_of_a_group) {
  produce(0, 1000);
  Consumer consumer(config());
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  EXPECT_EQ(values(consumer, 1000), numbers(0, 1000));
  EXPECT_EQ(consumer.assignment().value(), std::vector{orders});
}

TEST_F(ConsumerTest, gives_views_of_all_that_a_record_has) {
  produce(7, 1);
  Consumer consumer(config());
  ASSERT_TRUE(consumer.assign({orders}));
  std::optional<OwnedRecord> kept;
  {
    auto batch = consumer.poll(10s);
    ASSERT_TRUE(batch) << batch.error().message();
    ASSERT_EQ(batch->size(), 1U);
    const RecordView record = (*batch)[0];
    EXPECT_EQ(record.topic(), "orders");
    EXPECT_EQ(record.partition(), 0);
    EXPECT_EQ(record.offset(), 0);
    EXPECT_EQ(record.key(), BytesView("key"));
    EXPECT_EQ(record.value_text(), "7");
    EXPECT_TRUE(record.has_headers());
    EXPECT_EQ(record.headers(), (std::vector<Header>{{"trace", "1"}, {"none", nullptr}}));
    kept = record.to_owned();
    EXPECT_EQ(kept->timestamp, record.timestamp());
  }
  EXPECT_EQ(kept->value, "7");
  EXPECT_EQ(kept->headers, (std::vector<OwnedHeader>{{"trace", "1"}, {"none", std::nullopt}}));
}

TEST_F(ConsumerTest, goes_on_where_the_group_committed) {
  produce(0, 10);
  {
    Consumer first(config() + Config{{"max.poll.records", "4"}, {"enable.auto.commit", "false"}});
    ASSERT_TRUE(first.subscribe({"orders"}));
    EXPECT_EQ(values(first, 4), numbers(0, 4));
    ASSERT_TRUE(first.commit());
    EXPECT_EQ(first.committed({orders}).value(), (Offsets{{orders, 4}}));
    ASSERT_TRUE(first.commit({{orders, 6}}));
  }
  Consumer second(config());
  ASSERT_TRUE(second.subscribe({"orders"}));
  EXPECT_EQ(values(second, 4), numbers(6, 4));
}

TEST_F(ConsumerTest, commits_without_waiting) {
  produce(0, 3);
  Consumer consumer(config());
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  ASSERT_EQ(values(consumer, 3).size(), 3U);
  std::atomic<int> outcome = 0;
  consumer.commit_async([&](const Result<void>& committed) {
    outcome = committed ? 1 : 2;
    outcome.notify_all();
  });
  outcome.wait(0);
  EXPECT_EQ(outcome, 1);
  EXPECT_EQ(consumer.committed({orders}).value(), (Offsets{{orders, 3}}));
  consumer.commit_async();
}

TEST_F(ConsumerTest, goes_to_other_places) {
  produce(0, 10);
  Consumer consumer(config());
  ASSERT_TRUE(consumer.assign({orders}));
  ASSERT_TRUE(consumer.seek(orders, 8));
  EXPECT_EQ(values(consumer, 2), numbers(8, 2));
  EXPECT_EQ(consumer.position(orders).value(), 10);
  ASSERT_TRUE(consumer.seek_to_beginning(orders));
  EXPECT_EQ(values(consumer, 10), numbers(0, 10));
  EXPECT_EQ(consumer.lag().value().at(orders).records(), 0);
  ASSERT_TRUE(consumer.seek_to_end(orders));
  EXPECT_EQ(consumer.position(orders).value(), 10);
  ASSERT_TRUE(consumer.seek_to_time(orders, Timestamp(1ms)));
  EXPECT_EQ(values(consumer, 10), numbers(0, 10));
  EXPECT_FALSE(consumer.seek({"orders", 5}, 0));
}

TEST_F(ConsumerTest, pauses_partitions) {
  produce(0, 1);
  Consumer consumer(config());
  ASSERT_TRUE(consumer.assign({orders}));
  ASSERT_TRUE(consumer.pause({orders}));
  EXPECT_EQ(consumer.paused().value(), std::vector{orders});
  const auto nothing = consumer.poll(50ms);
  ASSERT_TRUE(nothing) << nothing.error().message();
  EXPECT_TRUE(nothing->empty());
  ASSERT_TRUE(consumer.resume({orders}));
  EXPECT_EQ(values(consumer, 1), numbers(0, 1));
}

TEST_F(ConsumerTest, finds_offsets) {
  produce(0, 5);
  Consumer consumer(config());
  EXPECT_EQ(consumer.beginning_offsets({orders}).value(), (Offsets{{orders, 0}}));
  EXPECT_EQ(consumer.end_offsets({orders}).value(), (Offsets{{orders, 5}}));
  const auto found = consumer.offsets_for_times({{orders, Timestamp(1ms)}});
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->at(orders).offset, 0);
  EXPECT_TRUE(found->at(orders).timestamp);
}

TEST_F(ConsumerTest, tells_of_rebalances_on_the_thread_that_polls) {
  produce(0, 2);
  std::vector<std::string> told;
  const std::thread::id self = std::this_thread::get_id();
  Consumer consumer(config());
  consumer
      .on_assigned([&](const std::vector<TopicPartition>& partitions) {
        EXPECT_EQ(std::this_thread::get_id(), self);
        for (const auto& partition : partitions) told.push_back("+" + partition.topic);
        EXPECT_TRUE(consumer.seek(orders, 1)) << "the consumer can be used";
      })
      .on_revoked([&](const std::vector<TopicPartition>& partitions) {
        EXPECT_EQ(std::this_thread::get_id(), self);
        for (const auto& partition : partitions) told.push_back("-" + partition.topic);
        EXPECT_TRUE(consumer.commit()) << "what was read can be committed";
      });
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  EXPECT_EQ(values(consumer, 1), numbers(1, 1));
  EXPECT_EQ(told, std::vector<std::string>{"+orders"});
  ASSERT_TRUE(consumer.close());
  EXPECT_EQ(told, (std::vector<std::string>{"+orders", "-orders"}));
}

TEST_F(ConsumerTest, tells_of_rebalances_on_no_thread_that_waits_for_something_else) {
  const Config quick{{"heartbeat.interval.ms", "50"}};
  Consumer first(config("sharing") + quick);
  const std::thread::id self = std::this_thread::get_id();
  std::atomic<int> told = 0;
  const auto note = [&](const std::vector<TopicPartition>&) {
    EXPECT_EQ(std::this_thread::get_id(), self);
    ++told;
  };
  first.on_assigned(note).on_revoked(note);
  ASSERT_TRUE(first.subscribe({"orders"}));
  while (told == 0) ASSERT_TRUE(first.poll(10ms));
  // Waits in vain, time and again while the poll below does, until it has been told.
  std::thread other([&] {
    while (told < 2) EXPECT_FALSE(first.end_offsets({TopicPartition{"nowhere", 0}}, 100ms));
  });
  std::thread joining([&] {
    std::this_thread::sleep_for(200ms);
    Consumer second(config("sharing") + quick);
    EXPECT_TRUE(second.subscribe({"orders"}));
    while (told < 2) EXPECT_TRUE(second.poll(10ms));
    EXPECT_TRUE(first.wake());
  });
  static_cast<void>(first.poll(1min));
  other.join();
  joining.join();
}

TEST_F(ConsumerTest, shares_a_topic_with_other_members) {
  cluster_.create_topic("shared", 4);
  Consumer first(config("sharing"));
  Consumer second(config("sharing"));
  ASSERT_TRUE(first.subscribe({"shared"}));
  ASSERT_TRUE(second.subscribe({"shared"}));
  std::size_t one = 0;
  std::size_t other = 0;
  while (one != 2 || other != 2) {
    ASSERT_TRUE(first.poll(10ms));
    ASSERT_TRUE(second.poll(10ms));
    one = first.assignment().value().size();
    other = second.assignment().value().size();
  }
}

TEST_F(ConsumerTest, subscribes_to_patterns) {
  produce(0, 1);
  Consumer consumer(config());
  ASSERT_TRUE(consumer.subscribe_pattern("ord.*"));
  EXPECT_EQ(values(consumer, 1), numbers(0, 1));
  EXPECT_FALSE(consumer.subscribe_pattern("("));
}

TEST_F(ConsumerTest, subscribes_to_patterns_that_the_broker_matches) {
  produce(0, 1);
  const Config managed = config() + Config{{"group.protocol", "consumer"}};
  Consumer consumer(managed, quiet_);
  ASSERT_TRUE(consumer.subscribe_broker_pattern("ord.*"));
  EXPECT_EQ(values(consumer, 1), numbers(0, 1));
  Consumer other(managed + Config{{"group.id", "other"}}, quiet_);
  ASSERT_TRUE(other.subscribe_broker_pattern("(")) << "only the broker knows";
  const auto late = std::chrono::steady_clock::now() + 60s;
  auto polled = other.poll(1s);
  while (polled && std::chrono::steady_clock::now() < late) polled = other.poll(1s);
  ASSERT_FALSE(polled);
  EXPECT_EQ(polled.error().code(), ErrorCode::invalid_regular_expression);
  Consumer classic(config(), quiet_);
  const auto refused = classic.subscribe_broker_pattern("ord.*");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("group.protocol=consumer"), std::string::npos);
}

TEST_F(ConsumerTest, ends_a_poll_that_waits) {
  Consumer consumer(config(), quiet_);
  ASSERT_TRUE(consumer.assign({orders}));
  std::thread waker([&] { EXPECT_TRUE(consumer.wake()); });
  const auto batch = consumer.poll(60s);
  waker.join();
  ASSERT_FALSE(batch);
  EXPECT_TRUE(batch.error().is_retriable());
  produce(0, 1);
  EXPECT_EQ(values(consumer, 1), numbers(0, 1));
}

TEST_F(ConsumerTest, refuses_a_second_poll_at_the_same_time) {
  Consumer consumer(config(), quiet_);
  ASSERT_TRUE(consumer.assign({orders}));
  auto waiting = consumer.next();
  EXPECT_FALSE(consumer.poll(1ms));
  EXPECT_FALSE(consumer.next().get());
  produce(0, 1);
  const auto batch = waiting.get();
  ASSERT_TRUE(batch) << batch.error().message();
  EXPECT_EQ(batch->size(), 1U);
}

// The smallest coroutine.
struct Background {
  struct promise_type {
    Background get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Background count_records(Consumer& consumer, std::size_t wanted, std::atomic<int>& done) {
  std::size_t count = 0;
  while (auto batch = co_await consumer.next()) {
    count += batch->size();
    consumer.commit_async();
    if (count >= wanted) break;
  }
  done = count == wanted ? 1 : 2;
  done.notify_all();
}

TEST_F(ConsumerTest, is_awaited_by_coroutines) {
  produce(0, 2000);
  Consumer consumer(config());
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  std::atomic<int> done = 0;
  count_records(consumer, 2000, done);
  done.wait(0);
  EXPECT_EQ(done, 1);
}

// Its last owner goes on the consumer's own thread.
Background own_and_take_one(std::unique_ptr<Consumer> consumer, std::atomic<int>& done) {
  const auto batch = co_await consumer->next();
  done = batch && batch->size() == 1 ? 1 : 2;
  done.notify_all();
}

TEST_F(ConsumerTest, may_be_dropped_on_its_own_thread_and_leaves_its_group) {
  produce(0, 1);
  auto first = std::make_unique<Consumer>(config());
  std::atomic<bool> is_told = false;
  first->on_revoked([&](const std::vector<TopicPartition>&) { is_told = true; });
  ASSERT_TRUE(first->subscribe({"orders"}));
  std::atomic<int> done = 0;
  own_and_take_one(std::move(first), done);
  done.wait(0);
  EXPECT_EQ(done, 1);
  produce(1, 1);
  // Else the partition would be free only when its session has ended.
  Consumer second(config());
  ASSERT_TRUE(second.subscribe({"orders"}));
  EXPECT_EQ(values(second, 1), numbers(1, 1)) << "what was taken is committed";
  EXPECT_FALSE(is_told) << "nobody is there to be told";
}

TEST_F(ConsumerTest, may_be_dropped_on_its_own_thread_while_next_waits) {
  auto consumer = std::make_shared<Consumer>(config(), quiet_);
  Consumer& polled = *consumer;
  ASSERT_TRUE(polled.assign({orders}));
  auto waiting = polled.next();
  polled.commit_async(
      [owner = std::move(consumer)](const Result<void>&) mutable { owner.reset(); });
  const auto ended = waiting.get();
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().message().find("is closed"), std::string::npos);
}

// What ends it has a thread of its own, which may be at work when the process has ended its main().
TEST_F(ConsumerTest, may_be_dropped_on_its_own_thread_as_the_process_ends) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  // What such threads hold is no leak, and sometimes looks like one to the sanitizer of the process
  // that ends under them.
  ASSERT_EQ(::setenv("LSAN_OPTIONS", "detect_leaks=0", 1), 0);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EXIT(
        {
          produce(0, 1);
          auto consumer = std::make_unique<Consumer>(config());
          if (!consumer->subscribe({"orders"})) std::exit(3);
          std::atomic<int> done = 0;
          own_and_take_one(std::move(consumer), done);
          done.wait(0);
          std::exit(0);
        },
        testing::ExitedWithCode(0), "");
  }
  ASSERT_EQ(::unsetenv("LSAN_OPTIONS"), 0);
}

TEST_F(ConsumerTest, may_be_dropped_by_its_own_handler) {
  auto consumer = std::make_unique<Consumer>(config(), quiet_);
  Consumer& polled = *consumer;
  auto captured = std::make_shared<int>();
  const std::weak_ptr<int> seen = captured;
  bool is_whole = false;
  polled.on_assigned([&, kept = std::move(captured)](const std::vector<TopicPartition>&) {
    consumer.reset();
    is_whole = !seen.expired();
  });
  ASSERT_TRUE(polled.subscribe({"orders"}));
  EXPECT_FALSE(polled.next().get());
  EXPECT_TRUE(is_whole) << "a handler is there while it runs";
}

TEST_F(ConsumerTest, ends_what_waits_when_it_is_closed) {
  Consumer consumer(config(), quiet_);
  ASSERT_TRUE(consumer.assign({orders}));
  auto waiting = consumer.next();
  ASSERT_TRUE(consumer.close());
  EXPECT_TRUE(consumer.close());
  EXPECT_FALSE(waiting.get());
  EXPECT_FALSE(consumer.poll(1ms));
  EXPECT_FALSE(consumer.subscribe({"orders"}));
  EXPECT_FALSE(consumer.commit());
  const auto says_closed = [](const auto& result) {
    return !result && result.error().message().find("is closed") != std::string::npos;
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(says_closed(consumer.next().get()));
    EXPECT_TRUE(says_closed(consumer.poll(1ms)));
  }
  EXPECT_TRUE(says_closed(consumer.seek(orders, 0)));
  EXPECT_TRUE(says_closed(consumer.pause({orders})));
  EXPECT_TRUE(says_closed(consumer.assignment()));
  EXPECT_TRUE(says_closed(consumer.lag()));
  EXPECT_TRUE(says_closed(consumer.stalled()));
  EXPECT_TRUE(says_closed(consumer.wake()));
}

TEST_F(ConsumerTest, leaves_its_records_valid_when_it_ends) {
  produce(0, 3);
  Records records;
  {
    Consumer consumer(config());
    ASSERT_TRUE(consumer.assign({orders}));
    records = *consumer.poll(10s);
  }
  ASSERT_GE(records.size(), 1U);
  EXPECT_EQ(records[0].value_text(), "0");
  Records moved = std::move(records);
  EXPECT_TRUE(records.empty());
  EXPECT_EQ((*moved.begin()).key_text(), "key");
}

TEST_F(ConsumerTest, drops_records_that_nobody_takes) {
  produce(0, 10);
  for (int round = 0; round < 20; ++round) {
    Consumer consumer(config());
    ASSERT_TRUE(consumer.assign({orders}));
    static_cast<void>(consumer.next());
  }
}

TEST_F(ConsumerTest, receives_types_and_says_what_cannot_be_read) {
  {
    TypedProducer<std::string, std::int64_t> producer({{"bootstrap.servers", cluster_.bootstrap()}},
                                                      "orders", text(), int64());
    ASSERT_TRUE(producer.send("a", 7).get());
    ASSERT_TRUE(producer.send_tombstone("b").get());
  }
  produce(0, 1);
  TypedConsumer<std::string, std::int64_t> consumer(config(), text(), int64());
  ASSERT_TRUE(consumer.consumer().assign({orders}));
  std::vector<std::string> found;
  while (found.size() < 3) {
    const auto count = consumer.poll(10s, [&](const TypedRecord<std::string, std::int64_t>& got) {
      found.push_back(got.key.value_or("?") + "=" +
                      (got.value ? std::to_string(*got.value) : got.value.error().message()));
    });
    ASSERT_TRUE(count) << count.error().message();
  }
  const std::string why = "a record's bytes cannot be read as a number of 8 bytes: there ";
  EXPECT_EQ(found,
            (std::vector<std::string>{"a=7", "b=" + why + "are none", "key=" + why + "are 1"}));
}

TEST_F(ConsumerTest, tells_all_that_is_wrong_with_its_settings) {
  const auto opened = Consumer::open({{"bootstrap.servers", "localhost"}, {"groupid", "x"}});
  ASSERT_FALSE(opened);
  for (const std::string_view part : {"consumer", "localhost", "groupid", "group.id"})
    EXPECT_NE(opened.error().message().find(part), std::string::npos) << opened.error().message();
  EXPECT_THROW(Consumer({{"groupid", "x"}}), Failed);
}

TEST_F(ConsumerTest, says_that_nothing_was_subscribed) {
  Consumer consumer(config(), quiet_);
  const auto batch = consumer.poll(1ms);
  ASSERT_FALSE(batch);
  EXPECT_NE(batch.error().message().find("subscribe"), std::string::npos);
}

TEST_F(ConsumerTest, refuses_to_work_in_a_forked_process) {
  produce(0, 1);
  Consumer consumer(config());
  ASSERT_TRUE(consumer.assign({orders}));
  auto records = consumer.poll(10s);
  ASSERT_TRUE(records);
  const pid_t child = ::fork();
  if (child == 0) {
    static_cast<void>(consumer.next().get());
    const bool is_refused = !consumer.poll(1s) && !consumer.next().get() && !consumer.commit() &&
                            !consumer.seek(orders, 0) && !consumer.close() &&
                            consumer.poll(1s).error().message().find("forked") != std::string::npos;
    {
      const Records gone = *std::move(records);
      const Consumer gone_too = std::move(consumer);
    }
    ::_exit(is_refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
