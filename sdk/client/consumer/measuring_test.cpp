// What a consumer measures of itself and its application. Also proves consumer_meters.cpp.
#include "consumer_machine.hpp"

namespace millrace::client {
namespace {

class Measuring : public testing::Test {
 protected:
  void SetUp() override {
    machine.create("orders", 1);
    machine.append("orders", 0, 30);
  }
  double value_of(const std::string& group, const std::string& name, std::size_t tags = 1) {
    MetricList list("me", machine.now());
    one->client.list_metrics(list);
    for (const MetricRow& row : list.take()) {
      if (row.group == group && row.name == name && row.tags.size() == tags) return row.value;
    }
    ADD_FAILURE() << group << " " << name;
    return 0;
  }

  ConsumerMachine machine;
  Application* one = nullptr;
};

TEST_F(Measuring, counts_what_was_fetched_and_taken) {
  one = &machine.start();
  ASSERT_TRUE(one->client.assign({place("orders", 0)}).has_value());
  machine.poll(*one, 30);
  const std::string group = "consumer-fetch-manager-metrics";
  EXPECT_EQ(value_of(group, "records-consumed-total"), 30);
  EXPECT_EQ(value_of(group, "records-consumed-total", 2), 30);
  EXPECT_GT(value_of(group, "bytes-consumed-total"), 0);
  EXPECT_EQ(value_of(group, "records-lag", 3), 0);
  EXPECT_EQ(value_of(group, "records-lead", 3), 30);
  EXPECT_EQ(value_of(group, "preferred-read-replica", 3), -1);
  EXPECT_EQ(value_of("consumer-coordinator-metrics", "assigned-partitions"), 1);
}

TEST_F(Measuring, counts_what_the_group_does) {
  machine.settings.auto_commit_interval = 1s;
  one = &machine.subscribe();
  machine.poll(*one, 30);
  machine.run(one->poll_until([] { return false; }, 20s));
  const std::string group = "consumer-coordinator-metrics";
  EXPECT_EQ(value_of(group, "rebalance-total"), 1);
  EXPECT_EQ(value_of(group, "failed-rebalance-total"), 0);
  EXPECT_GE(value_of(group, "heartbeat-total"), 3);
  EXPECT_LE(value_of(group, "last-heartbeat-seconds-ago"), 5);
  EXPECT_GE(value_of(group, "commit-total"), 10);
  EXPECT_GT(value_of(group, "rebalance-latency-total"), 0);
}

TEST_F(Measuring, tells_how_often_the_application_polls) {
  one = &machine.start();
  ASSERT_TRUE(one->client.assign({place("orders", 0)}).has_value());
  EXPECT_EQ(value_of("consumer-metrics", "last-poll-seconds-ago"), -1);
  machine.poll(*one, 30);
  // It works for so long.
  machine.run([](Executor& executor) -> Task<void> {
    co_await sleep_until(executor, executor.clock().now() + 10s);
  }(machine.executor));
  EXPECT_GE(value_of("consumer-metrics", "last-poll-seconds-ago"), 10);
  machine.append("orders", 0, 10);
  machine.poll(*one, 40);
  EXPECT_GE(value_of("consumer-metrics", "time-between-poll-max"), 10'000);
  EXPECT_LT(value_of("consumer-metrics", "poll-idle-ratio-avg"), 1);
}

}  // namespace
}  // namespace millrace::client
