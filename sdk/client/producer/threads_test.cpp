// The producer on a thread of its own, over TCP, with threads that send.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.mock;
import millrace.runtime;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t thread_count = 4;
constexpr std::uint64_t per_thread = 5'000;

// Each thread's records come back once and in its order.
class OrderedSink final : public DeliverySink {
 public:
  void delivered(std::uint64_t token, const DeliveryReport& report) noexcept override {
    EXPECT_EQ(report.error, nullptr) << (report.error == nullptr ? "" : report.error->message);
    EXPECT_EQ(token & 0xffff'ffff, next_[token >> 32]++);
    ++count;
  }
  std::uint64_t count = 0;

 private:
  std::uint64_t next_[thread_count] = {};
};

class ProducerThreads : public testing::Test {
 protected:
  void SetUp() override {
    auto started = mock::LiveCluster::start({.brokers = 2}, log);
    ASSERT_TRUE(started.has_value());
    cluster = *std::move(started);
    ASSERT_TRUE(cluster->run([](mock::Cluster& mock) {
      return mock.create_topic("orders", {.partitions = 2}).has_value();
    }));
    ASSERT_TRUE(thread.start().has_value());
  }
  void start(const Properties& more) {
    Properties properties = {{"bootstrap.servers", cluster->bootstrap()}};
    properties.insert(properties.end(), more.begin(), more.end());
    const auto settings = producer_settings(properties);
    ASSERT_TRUE(settings.has_value()) << settings.error().front();
    thread.run([&]() -> Task<bool> {
      producer =
          std::make_unique<ProducerClient>(*settings, thread.executor(), thread.mailbox(),
                                           thread.network(), thread.resolver(), log, Random(1));
      co_return true;
    });
  }
  void close() {
    thread.run([&]() -> Task<bool> {
      co_await producer->close(clock.now() + 1min);
      EXPECT_EQ(producer->metrics().memory_bytes, 0u);
      EXPECT_LE(producer->metrics().memory_bytes_peak, producer->metrics().memory_bytes_max);
      producer.reset();
      co_return true;
    });
    thread.stop();
  }
  void send(std::uint64_t number) {
    for (std::uint64_t i = 0; i < per_thread; ++i) {
      const std::string value(i % 300, 'x');
      const auto sent =
          producer->send({.topic = "orders",
                          .partition = PartitionIndex(static_cast<std::int32_t>(number % 2)),
                          .value = as_bytes(std::string_view(value))},
                         &sink, number << 32 | i, FullBuffer::wait);
      ASSERT_TRUE(sent.has_value()) << sent.error().message;
    }
  }
  void send_from_all_threads() {
    std::vector<std::thread> threads;
    for (std::uint64_t number = 0; number < thread_count; ++number) {
      threads.emplace_back([this, number] { send(number); });
    }
    for (std::thread& sender : threads) sender.join();
  }

  Logger log{std::make_shared<MemoryLogSink>(), "test"};
  SystemClock clock;
  std::unique_ptr<mock::LiveCluster> cluster;
  ClientThread thread{"producer", log};
  std::unique_ptr<ProducerClient> producer;
  OrderedSink sink;
};

TEST_F(ProducerThreads, send_more_than_the_memory_holds_and_lose_nothing) {
  start({{"buffer.memory", "65536"}, {"batch.size", "4000"}, {"linger.ms", "1"}});
  send_from_all_threads();
  close();
  EXPECT_EQ(sink.count, thread_count * per_thread);
}

TEST_F(ProducerThreads, keep_their_order_while_connections_break) {
  start({{"batch.size", "2000"}, {"retry.backoff.ms", "1"}, {"reconnect.backoff.ms", "1"}});
  std::atomic<bool> is_done = false;
  std::thread vandal([&] {
    while (!is_done) {
      cluster->run([](mock::Cluster& mock) { mock.drop_connections(); });
      std::this_thread::sleep_for(5ms);
    }
  });
  send_from_all_threads();
  is_done = true;
  vandal.join();
  close();
  EXPECT_EQ(sink.count, thread_count * per_thread);
  const auto stored = cluster->run([](mock::Cluster& mock) {
    std::uint64_t count = 0;
    for (const std::int32_t partition : {0, 1}) {
      count += mock.records("orders", PartitionIndex(partition))->size();
    }
    return count;
  });
  EXPECT_EQ(stored, thread_count * per_thread);
}

}  // namespace
}  // namespace millrace::client
