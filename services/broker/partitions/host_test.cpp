#include "broker_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

TEST(PartitionHost, refuses_the_directories_of_another_cluster_and_can_be_stopped_then) {
  BrokerMachine machine(3);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  machine.stop();
  auto life = std::make_unique<BrokerLife>(machine.disk, machine.executor, machine.files, 3,
                                           machine.server, machine.lines);
  EXPECT_FALSE(machine.wait(life->host->open("another-cluster")).has_value());
  static_cast<void>(machine.wait(life->host->stop(BrokerEpoch(6))).has_value());
  life.reset();
  const auto report = machine.start();
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->recovered, 0U);
}

TEST(PartitionHost, says_at_the_next_start_in_which_epoch_it_stopped) {
  BrokerMachine machine(4);
  ASSERT_TRUE(machine.start().has_value());
  EXPECT_FALSE(machine.life->host->directories().stopped_epoch().has_value());
  machine.stop();
  ASSERT_TRUE(machine.start(false).has_value());
  EXPECT_EQ(machine.life->host->directories().stopped_epoch(), BrokerEpoch(5));
}

TEST(PartitionHost, a_recovery_that_takes_long_is_told_of_on_the_way) {
  BrokerMachine machine(6);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.partitions = 12});
  for (std::int32_t i = 0; i < 12; ++i) {
    Partition& partition = machine.partition("orders", i);
    for (int batch = 0; batch < 10; ++batch) ASSERT_TRUE(machine.append(partition, {}).has_value());
  }
  machine.kill();
  ASSERT_TRUE(machine.start(false).has_value());
  EXPECT_EQ(machine.life->opening_went_on, 0u) << "it took no time";
  machine.kill();
  machine.files.slow = 1;
  machine.files.slow_max = 5s;
  ASSERT_TRUE(machine.start(false).has_value());
  EXPECT_GT(machine.life->opening_went_on, 0u);
}

TEST(PartitionHost, ends_those_who_wait_when_it_stops) {
  BrokerMachine machine(5);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.replicas = {test_broker, other_broker}, .isr = {test_broker, other_broker}});
  std::optional<ErrorCode> ended;
  TaskGroup group;
  group.start([](Partition& partition, std::optional<ErrorCode>& code,
                 MonotonicTime deadline) -> Task<void> {
    code = co_await partition.wait_for_high_watermark(Offset(1), deadline);
  }(machine.partition("orders"), ended, machine.executor.clock().now() + 1h));
  machine.stop();
  EXPECT_EQ(ended, ErrorCode::not_leader_or_follower);
}

}  // namespace
}  // namespace millrace::broker
