// Partitioners and interceptors of the application, against a cluster of the process.
// Also proves interceptors.cpp, producer_hooks.cpp.
#include "hooks.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/consumer.hpp"
#include "millrace/interceptors.hpp"
#include "millrace/partitioner.hpp"
#include "millrace/producer.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;
using Offsets = std::map<TopicPartition, std::int64_t>;

// Lines of a client's log.
class Lines {
 public:
  ClientOptions options() {
    return {.log = [this](LogLevel, std::string_view, std::string_view message) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(message);
    }};
  }
  std::size_t count(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    for (const std::string& line : lines_) found += line.find(part) != std::string::npos ? 1 : 0;
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class HooksTest : public testing::Test {
 protected:
  HooksTest() { cluster_.create_topic("wide", 4); }

  Config config() const { return {{"bootstrap.servers", cluster_.bootstrap()}}; }
  Config consumer_config() const {
    return config() + Config{{"group.id", "billing"}, {"auto.offset.reset", "earliest"}};
  }

  MockCluster cluster_;
  Lines lines_;
};

TEST_F(HooksTest, a_partitioner_chooses_for_records_that_name_no_partition) {
  Producer producer(config());
  producer.set_partitioner([](const PartitionQuestion& question) -> std::optional<std::int32_t> {
    EXPECT_EQ(question.topic, "wide");
    EXPECT_EQ(question.partition_count, 4);
    EXPECT_EQ(question.available.size(), 4U);
    EXPECT_EQ(question.value.text(), "x");
    if (question.key.is_null()) return std::nullopt;
    return std::stoi(std::string(question.key.text()));
  });
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    const auto sent =
        producer.send({.topic = "wide", .key = std::to_string(partition), .value = "x"}).get();
    ASSERT_TRUE(sent) << sent.error().message();
    EXPECT_EQ(sent->partition, partition);
  }
  EXPECT_EQ(producer.send({.topic = "wide", .key = "1", .value = "x", .partition = 2})
                .get()
                .value()
                .partition,
            2);
  EXPECT_TRUE(producer.send({.topic = "wide", .value = "x"}).get()) << "as without one";
}

TEST_F(HooksTest, a_record_fails_whose_partitioner_throws_or_is_wrong) {
  Producer producer(config(), lines_.options());
  producer.set_partitioner([](const PartitionQuestion& question) -> std::optional<std::int32_t> {
    if (question.key == BytesView("throw")) throw std::runtime_error("no idea");
    return question.key == BytesView("low") ? -1 : 4;
  });
  const auto thrown = producer.send({.topic = "wide", .key = "throw"}).get();
  ASSERT_FALSE(thrown);
  EXPECT_NE(thrown.error().message().find("no idea"), std::string::npos);
  for (const std::string_view key : {"low", "high"}) {
    const auto wrong = producer.send({.topic = "wide", .key = key}).get();
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().message().find("of topic wide, which has 4"), std::string::npos);
  }
  producer.set_partitioner({});
  EXPECT_TRUE(producer.send({.topic = "wide", .key = "throw"}).get());
}

// Adds its name to records, and notes what becomes of them.
class Stamp : public ProducerInterceptor {
 public:
  explicit Stamp(std::string name) : name_(std::move(name)) {}
  void on_send(OutgoingRecord& record) override { record.add_header("seen", name_); }
  void on_acknowledgement(const Acknowledgement& of) override {
    const std::lock_guard lock(mutex_);
    acknowledged.push_back(std::string(of.topic) + (of.outcome ? " there" : " failed"));
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return acknowledged;
  }

 private:
  std::string name_;
  mutable std::mutex mutex_;
  std::vector<std::string> acknowledged;
};

TEST_F(HooksTest, producer_interceptors_change_records_in_order_and_hear_of_each_once) {
  cluster_.create_topic("orders");
  const auto first = std::make_shared<Stamp>("first");
  const auto second = std::make_shared<Stamp>("second");
  Producer producer(config() + Config{{"max.request.size", "1000"}}, lines_.options());
  producer.add_interceptor(first);
  producer.add_interceptor(second);
  producer.add_interceptor(nullptr);
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "x", .headers = {{"own", "1"}}}).get());
  ASSERT_TRUE(producer.post({.topic = "orders", .value = "y"}));
  EXPECT_FALSE(producer.send({.topic = "orders", .value = std::string(2000, 'x')}).get());
  ASSERT_TRUE(producer.close());
  const auto records = cluster_.records("orders");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].headers, (std::vector<std::string>{"own=1", "seen=first", "seen=second"}));
  EXPECT_EQ(records[1].headers, (std::vector<std::string>{"seen=first", "seen=second"}));
  for (const auto& one : {first, second}) {
    auto all = one->all();
    std::ranges::sort(all);
    EXPECT_EQ(all, (std::vector<std::string>{"orders failed", "orders there", "orders there"}));
  }
}

// Changes all that can be changed.
class Rewriter : public ProducerInterceptor {
 public:
  void on_send(OutgoingRecord& record) override {
    const std::string place = std::string(record.record().topic) + "!";
    record.set_key(place).set_value(nullptr).set_partition(3).set_timestamp(Timestamp(5ms));
    record.remove_headers("secret").add_header("kept", "1").set_topic("wide");
  }
};

TEST_F(HooksTest, interceptors_may_change_all_of_a_record) {
  Producer producer(config());
  producer.add_interceptor(std::make_shared<Rewriter>());
  const auto sent =
      producer.send({.topic = "elsewhere", .value = "x", .headers = {{"secret", "1"}, {"a", "2"}}})
          .get();
  ASSERT_TRUE(sent) << sent.error().message();
  EXPECT_EQ(sent->partition, 3);
  EXPECT_EQ(sent->timestamp, Timestamp(5ms));
  EXPECT_EQ(cluster_.records("wide", 3),
            (std::vector<MockCluster::Stored>{{"elsewhere!", "null", {"a=2", "kept=1"}}}));
}

class Thrower : public ProducerInterceptor, public ConsumerInterceptor {
 public:
  void on_send(OutgoingRecord& record) override {
    record.add_header("before", "1");
    throw std::runtime_error("on purpose");
  }
  void on_acknowledgement(const Acknowledgement&) override { throw 7; }
  void on_consume(const Records&) override { throw std::runtime_error("on purpose"); }
  void on_commit(const Offsets&) override { throw 7; }
};

TEST_F(HooksTest, what_interceptors_throw_is_logged_now_and_then_and_harms_nothing) {
  const auto thrower = std::make_shared<Thrower>();
  {
    Producer producer(config(), lines_.options());
    producer.add_interceptor(thrower);
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(producer.send({.topic = "wide", .value = "x", .partition = 0}).get());
  }
  // 200 failures, told as 1, 2, 4, ... 128.
  EXPECT_EQ(lines_.count("of the application threw"), 8U);
  Consumer consumer(consumer_config(), lines_.options());
  consumer.add_interceptor(thrower);
  ASSERT_TRUE(consumer.assign({{"wide", 0}}));
  const auto batch = consumer.poll(10s);
  ASSERT_TRUE(batch);
  EXPECT_FALSE(batch->empty());
  EXPECT_TRUE(consumer.commit());
  EXPECT_EQ(lines_.count("ConsumerInterceptor::on_consume of the application threw: on purpose"),
            1U);
  EXPECT_EQ(lines_.count("ConsumerInterceptor::on_commit"), 1U);
}

// Notes what it is told.
class Listener : public ConsumerInterceptor {
 public:
  void on_consume(const Records& records) override {
    consumed += records.size();
    thread = std::this_thread::get_id();
  }
  void on_commit(const Offsets& offsets) override {
    const std::lock_guard lock(mutex);
    committed.push_back(offsets);
  }

  std::atomic<std::size_t> consumed = 0;
  std::thread::id thread;
  std::mutex mutex;
  std::vector<Offsets> committed;
};

TEST_F(HooksTest, consumer_interceptors_hear_of_records_and_of_each_commit) {
  {
    Producer producer(config());
    for (int i = 0; i < 10; ++i)
      ASSERT_TRUE(producer.send({.topic = "wide", .value = "x", .partition = 1}).get());
  }
  const auto listener = std::make_shared<Listener>();
  std::size_t count = 0;
  {
    Consumer consumer(consumer_config());
    consumer.add_interceptor(listener);
    ASSERT_TRUE(consumer.assign({{"wide", 1}}));
    while (count < 10) count += consumer.poll(10s).value().size();
    EXPECT_EQ(listener->thread, std::this_thread::get_id());
    ASSERT_TRUE(consumer.commit({{{"wide", 1}, 5}}));
    std::atomic<bool> is_done = false;
    consumer.commit_async([&](const Result<void>&) {
      is_done = true;
      is_done.notify_all();
    });
    is_done.wait(false);
  }
  EXPECT_EQ(listener->consumed, 10U);
  // By hand, without waiting, and the consumer's own when it was closed.
  const Offsets five{{{"wide", 1}, 5}};
  const Offsets ten{{{"wide", 1}, 10}};
  EXPECT_EQ(listener->committed, (std::vector{five, ten, ten}));
}

}  // namespace
