// What a public consumer says of partitions that stand still, against a cluster of the process.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "millrace/consumer.hpp"
#include "millrace/producer.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

// The time is that of the machine: this takes the half minute after which it is told.
TEST(StalledTest, names_a_partition_that_has_records_and_does_not_advance_until_it_does) {
  MockCluster cluster;
  cluster.create_topic("orders", 2);
  const Config config{{"bootstrap.servers", cluster.bootstrap()}};
  {
    Producer producer(config);
    for (int number = 0; number < 10; ++number)
      ASSERT_TRUE(producer.post({.topic = "orders", .value = "x", .partition = 1}));
  }
  const ClientOptions quiet{.log = [](LogLevel, std::string_view, std::string_view) {}};
  Consumer consumer(config + Config{{"auto.offset.reset", "earliest"}}, quiet);
  ASSERT_TRUE(consumer.assign({{"orders", 0}, {"orders", 1}}));
  EXPECT_EQ(consumer.stalled().value(), std::vector<StalledPartition>());

  const auto deadline = std::chrono::steady_clock::now() + 5min;
  auto stalled = consumer.stalled();
  while (stalled && stalled->empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(20ms);
    stalled = consumer.stalled();
  }
  ASSERT_TRUE(stalled) << stalled.error().message();
  ASSERT_EQ(stalled->size(), 1U) << "the other one is at its end";
  const StalledPartition& one = stalled->front();
  EXPECT_EQ(one.partition, (TopicPartition{"orders", 1}));
  EXPECT_EQ(one.position, 0);
  EXPECT_EQ(one.end, 10);
  EXPECT_GE(one.stalled_for, 30s);
  EXPECT_NE(one.why.find("does not poll"), std::string::npos) << one.why;

  std::size_t count = 0;
  while (count < 10) {
    const auto batch = consumer.poll(10s);
    ASSERT_TRUE(batch && !batch->empty());
    count += batch->size();
  }
  EXPECT_EQ(consumer.stalled().value(), std::vector<StalledPartition>());
}

}  // namespace
