// Cluster and LiveCluster over TCP.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

import millrace.runtime.shard;

namespace millrace::mock {
namespace {

using protocol::ProduceResponse;

Logger quiet() {
  return {std::make_shared<MemoryLogSink>(), "mock"};
}

TEST(MockLive, takes_records_over_tcp_while_a_test_talks_to_it) {
  auto live = LiveCluster::start({.brokers = 2}, quiet());
  ASSERT_TRUE(live.has_value()) << live.error().message;
  const auto created =
      (*live)->run([](Cluster& cluster) { return cluster.create_topic("orders"); });
  ASSERT_TRUE(created.has_value());
  const SocketAddress address =
      (*live)->run([](Cluster& cluster) { return cluster.address(BrokerId(1)); });
  EXPECT_TRUE((*live)->bootstrap().starts_with("127.0.0.1:"));

  const SystemClock clock;
  const auto loop = ShardLoop::make(clock);
  ASSERT_TRUE(loop.has_value());
  BufferPool pool;
  const auto batch = batch_of({"one", "two"});
  {
    TcpNetwork network(**loop, quiet());
    const auto talk = [&]() -> Task<void> {
      RawClient client(network, pool);
      EXPECT_TRUE(co_await client.connect(address));
      const ProduceOne request({}, "orders", 0, batch);
      const auto got = co_await client.call<ProduceResponse>(request.message, 12);
      EXPECT_TRUE(got.has_value());
      EXPECT_EQ(got->message.responses[0].partition_responses[0].error_code, none);
      client.close();
    };
    (*loop)->run(talk());
    (*loop)->drain();
  }
  const auto end = (*live)->run(
      [](Cluster& cluster) { return cluster.end_offset("orders", PartitionIndex(0)); });
  EXPECT_EQ(end.value_or(no_offset), Offset(2));
}

TEST(MockLive, says_why_it_cannot_start) {
  const auto live = LiveCluster::start({.host = "no address"}, quiet());
  ASSERT_FALSE(live.has_value());
}

TEST(MockLive, ends_with_connections_that_wait) {
  auto live = LiveCluster::start({}, quiet());
  ASSERT_TRUE(live.has_value());
  const SocketAddress address =
      (*live)->run([](Cluster& cluster) { return cluster.address(BrokerId(1)); });
  const SystemClock clock;
  const auto loop = ShardLoop::make(clock);
  ASSERT_TRUE(loop.has_value());
  BufferPool pool;
  TcpNetwork network(**loop, quiet());
  const auto talk = [&]() -> Task<void> {
    RawClient client(network, pool);
    EXPECT_TRUE(co_await client.connect(address));
    FetchOne fetch({}, "nothing", 0, 0);
    fetch.message.topics = {};
    fetch.message.max_wait_ms = 600'000;
    EXPECT_TRUE(co_await client.send(fetch.message, 12));
    // The cluster ends while the request waits.
    live->reset();
    EXPECT_FALSE(co_await client.receive());
    client.close();
  };
  (*loop)->run(talk());
  (*loop)->drain();
}

}  // namespace
}  // namespace millrace::mock
