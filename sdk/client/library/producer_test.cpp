// The public producer against a cluster of the process.
#include "millrace/producer.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/json.hpp"
#include "millrace/typed.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

constexpr int not_enough_replicas = 19;
constexpr int invalid_record = 87;

class ProducerTest : public testing::Test {
 protected:
  ProducerTest() { cluster_.create_topic("orders"); }

  Config config() const { return {{"bootstrap.servers", cluster_.bootstrap()}}; }

  MockCluster cluster_;
  const ClientOptions quiet_{.log = [](LogLevel, std::string_view, std::string_view) {}};
};

TEST_F(ProducerTest, says_where_a_record_is) {
  Producer producer(config());
  for (std::int64_t offset = 0; offset < 3; ++offset) {
    const auto sent = producer.send({.topic = "orders", .key = "alice", .value = "paid"}).get();
    ASSERT_TRUE(sent) << sent.error().message();
    EXPECT_EQ(sent->partition, 0);
    EXPECT_EQ(sent->offset, offset);
  }
  EXPECT_EQ(cluster_.records("orders").size(), 3U);
}

TEST_F(ProducerTest, tells_null_from_empty_and_keeps_headers) {
  Producer producer(config());
  ASSERT_TRUE(producer
                  .send({.topic = "orders",
                         .key = "",
                         .headers = {{"trace", "1"}, {"none", nullptr}, {"empty", ""}}})
                  .get());
  std::vector<Header> many(20, Header{"h", "v"});
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "x", .headers = many}).get());
  const auto records = cluster_.records("orders");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0], (MockCluster::Stored{"", "null", {"trace=1", "none=null", "empty="}}));
  EXPECT_EQ(records[1].key, "null");
  EXPECT_EQ(records[1].headers, std::vector<std::string>(20, "h=v"));
}

TEST_F(ProducerTest, sends_to_the_partition_that_is_asked_for) {
  cluster_.create_topic("wide", 4);
  Producer producer(config());
  const auto sent = producer
                        .send({.topic = "wide",
                               .value = "x",
                               .partition = 3,
                               .timestamp = Timestamp(std::chrono::milliseconds(1234))})
                        .get();
  ASSERT_TRUE(sent) << sent.error().message();
  EXPECT_EQ(sent->partition, 3);
  EXPECT_EQ(sent->timestamp, Timestamp(std::chrono::milliseconds(1234)));
  EXPECT_EQ(producer.partition_count("wide", 5s).value(), 4);
  EXPECT_FALSE(producer.send({.topic = "wide", .partition = 4}).get());
}

TEST_F(ProducerTest, calls_back_for_each_record_in_order) {
  Producer producer(config());
  std::mutex mutex;
  std::vector<std::int64_t> offsets;
  for (int index = 0; index < 100; ++index)
    producer.send({.topic = "orders", .value = "x"}, [&](const Result<Delivery>& sent) {
      const std::lock_guard lock(mutex);
      offsets.push_back(sent ? sent->offset : -2);
    });
  ASSERT_TRUE(producer.flush(10s));
  const std::lock_guard lock(mutex);
  ASSERT_EQ(offsets.size(), 100U);
  for (std::size_t index = 0; index < offsets.size(); ++index)
    EXPECT_EQ(offsets[index], static_cast<std::int64_t>(index));
}

TEST_F(ProducerTest, tells_the_handler_the_tag_of_each_posted_record_once) {
  std::map<std::uint64_t, int> told;
  Producer producer(config());
  producer.on_delivery(
      [&](std::uint64_t tag, const Result<Delivery>& outcome) { told[tag] += outcome ? 1 : 1000; });
  constexpr std::uint64_t count = 10'000;
  for (std::uint64_t tag = 0; tag < count; ++tag)
    ASSERT_TRUE(producer.post({.topic = "orders", .value = "x"}, tag));
  ASSERT_TRUE(producer.close());
  ASSERT_EQ(told.size(), count);
  for (const auto& [tag, times] : told) ASSERT_EQ(times, 1) << tag;
}

TEST_F(ProducerTest, may_send_from_its_own_callbacks) {
  Producer producer(config());
  std::atomic<int> sent = 0;
  std::atomic<bool> is_over = false;
  producer.send({.topic = "orders", .value = "first"}, [&](const Result<Delivery>&) {
    producer.send({.topic = "orders", .value = "second"}, [&](const Result<Delivery>& second) {
      sent += second ? 1 : 0;
      is_over = true;
      is_over.notify_all();
    });
  });
  is_over.wait(false);
  EXPECT_EQ(sent, 1);
}

TEST_F(ProducerTest, refuses_to_wait_for_itself) {
  Producer producer(config());
  std::optional<Result<void>> flushed;
  std::atomic<bool> is_over = false;
  producer.send({.topic = "orders", .value = "x"}, [&](const Result<Delivery>&) {
    flushed = producer.flush(1s);
    is_over = true;
    is_over.notify_all();
  });
  is_over.wait(false);
  ASSERT_TRUE(flushed);
  ASSERT_FALSE(*flushed);
  EXPECT_EQ(flushed->error().origin(), Origin::configuration);
}

TEST_F(ProducerTest, is_used_by_many_threads) {
  Producer producer(config());
  std::atomic<int> delivered = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&] {
      for (int index = 0; index < 500; ++index)
        producer.send({.topic = "orders", .value = "x"},
                      [&](const Result<Delivery>& sent) { delivered += sent ? 1 : 0; });
    });
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(producer.flush(10s));
  EXPECT_EQ(delivered, 2000);
  EXPECT_EQ(cluster_.records("orders").size(), 2000U);
}

TEST_F(ProducerTest, says_what_became_of_a_record_that_was_refused) {
  Producer producer(config() + Config{{"retries", "2"}, {"retry.backoff.ms", "1"}}, quiet_);
  cluster_.refuse_produce(not_enough_replicas, 3);
  const auto sent = producer.send({.topic = "orders", .value = "x"}).get();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::not_enough_replicas);
  EXPECT_EQ(sent.error().persisted(), Persisted::no);
  EXPECT_TRUE(sent.error().message().starts_with("orders-0: NOT_ENOUGH_REPLICAS after 3 tries in "))
      << sent.error().message();
  EXPECT_TRUE(producer.send({.topic = "orders", .value = "x"}).get());
}

TEST_F(ProducerTest, does_not_repeat_what_cannot_get_better) {
  Producer producer(config(), quiet_);
  cluster_.refuse_produce(invalid_record, 1);
  const auto sent = producer.send({.topic = "orders", .value = "x"}).get();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::invalid_record);
  EXPECT_FALSE(sent.error().is_retriable());
}

TEST_F(ProducerTest, refuses_records_that_are_too_large) {
  Producer producer(config() + Config{{"max.request.size", "1000"}}, quiet_);
  const auto sent = producer.send({.topic = "orders", .value = std::string(2000, 'x')}).get();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::message_too_large);
  EXPECT_TRUE(producer.send({.topic = "orders", .value = "small"}).get());
}

TEST_F(ProducerTest, tells_all_that_is_wrong_with_its_settings) {
  const auto opened =
      Producer::open({{"bootstrap.servers", "localhost"}, {"lingerms", "5"}, {"acks", "seven"}});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().origin(), Origin::configuration);
  for (const std::string_view part : {"localhost", "lingerms", "linger.ms", "acks"})
    EXPECT_NE(opened.error().message().find(part), std::string::npos) << opened.error().message();
  EXPECT_THROW(Producer({{"acks", "seven"}}), Failed);
}

TEST_F(ProducerTest, fails_instead_of_waiting_where_that_is_wished) {
  Producer producer({{"bootstrap.servers", "127.0.0.1:1"}, {"max.block.ms", "1"}}, quiet_);
  const auto failed = producer.send({.topic = "orders"}, WhenFull::fail).get();
  ASSERT_FALSE(failed);
  EXPECT_TRUE(failed.error().is_retriable());
  const auto waited = producer.post({.topic = "orders"});
  ASSERT_FALSE(waited);
  EXPECT_TRUE(waited.error().is_retriable());
}

TEST_F(ProducerTest, gives_each_record_its_outcome_when_it_is_closed_too_early) {
  std::atomic<int> failed = 0;
  Producer producer(config(), quiet_);
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "known"}).get());
  cluster_.silence_produce();
  for (int index = 0; index < 10; ++index)
    producer.send({.topic = "orders", .value = "x"},
                  [&](const Result<Delivery>& sent) { failed += sent ? 0 : 1; });
  const auto closed = producer.close(10ms);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().message(),
            "10 records could not be sent before the producer was closed");
  EXPECT_EQ(failed, 10);
}

TEST_F(ProducerTest, refuses_everything_after_it_was_closed) {
  Producer producer(config(), quiet_);
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "x"}).get());
  ASSERT_TRUE(producer.close());
  EXPECT_TRUE(producer.close()) << "closing twice is closing";
  const auto sent = producer.send({.topic = "orders", .value = "x"}).get();
  ASSERT_FALSE(sent);
  EXPECT_TRUE(sent.error().is_fatal());
  EXPECT_FALSE(producer.post({.topic = "orders"}));
  EXPECT_FALSE(producer.partition_count("others", 1s));
  EXPECT_TRUE(producer.flush(1s)) << "nothing is left to be flushed";
}

TEST_F(ProducerTest, sends_in_its_destructor_what_is_left) {
  {
    Producer producer(config() + Config{{"linger.ms", "60000"},
                                        {"batch.size", "1000000"},
                                        {"delivery.timeout.ms", "120000"}});
    for (int index = 0; index < 100; ++index)
      ASSERT_TRUE(producer.post({.topic = "orders", .value = "x"}));
  }
  EXPECT_EQ(cluster_.records("orders").size(), 100U);
}

TEST_F(ProducerTest, goes_on_after_it_was_moved) {
  Producer first(config());
  Producer second = std::move(first);
  EXPECT_TRUE(second.send({.topic = "orders", .value = "x"}).get());
  second = Producer(config());
  EXPECT_TRUE(second.send({.topic = "orders", .value = "x"}).get());
}

TEST_F(ProducerTest, may_be_dropped_on_its_own_thread_and_sends_what_is_left) {
  auto producer = std::make_shared<Producer>(config());
  for (int number = 0; number < 100; ++number)
    ASSERT_TRUE(producer->post({.topic = "orders", .value = std::to_string(number)}));
  Producer& sender = *producer;
  std::atomic<int> dropped = 0;
  sender.send({.topic = "orders", .value = "last"},
              [owner = std::move(producer), &dropped](const Result<Delivery>& outcome) mutable {
                EXPECT_TRUE(outcome);
                EXPECT_TRUE(owner->post({.topic = "orders", .value = "later"}));
                owner.reset();
                dropped = 1;
                dropped.notify_all();
              });
  dropped.wait(0);
  const auto deadline = std::chrono::steady_clock::now() + 1min;
  while (cluster_.records("orders").size() < 102 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(cluster_.records("orders").size(), 102U);
}

TEST_F(ProducerTest, refuses_to_work_in_a_forked_process) {
  Producer producer(config());
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "x"}).get());
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_refused = !producer.send({.topic = "orders", .value = "x"}).get() &&
                            !producer.post({.topic = "orders"}) && !producer.flush(1s) &&
                            !producer.close() && !producer.partition_count("orders", 1s);
    {
      const Producer gone = std::move(producer);
    }
    ::_exit(is_refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(producer.send({.topic = "orders", .value = "x"}).get());
}

TEST_F(ProducerTest, sends_types) {
  TypedProducer<std::string, std::int64_t> counts(config(), "orders", text(), int64());
  ASSERT_TRUE(counts.send("a", 258).get());
  ASSERT_TRUE(counts.send_tombstone("a").get());
  const auto records = cluster_.records("orders");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].value, std::string("\0\0\0\0\0\0\1\2", 8));
  EXPECT_EQ(records[1].value, "null");
}

}  // namespace
