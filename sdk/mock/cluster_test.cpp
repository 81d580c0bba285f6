// Also proves insides.cppm, options.cppm, partition_log.cpp, partition_log.cppm, state.cpp,
// state.cppm.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using namespace std::chrono_literals;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

constexpr PartitionIndex first_partition{0};

TEST(MockCluster, keeps_records_as_they_were_written) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  const std::vector<StoredRecord> written = {{.offset = Offset(0),
                                              .timestamp = Timestamp(5),
                                              .key = "alice",
                                              .value = "paid",
                                              .headers = {{"a", "1"}, {"b", std::nullopt}}},
                                             {.offset = Offset(1),
                                              .timestamp = Timestamp(4),
                                              .key = std::nullopt,
                                              .value = std::nullopt,
                                              .headers = {}}};
  ASSERT_TRUE(machine.cluster->append("orders", first_partition, written));
  const auto read = machine.cluster->records("orders", first_partition);
  ASSERT_TRUE(read && read->size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*read)[i].offset, written[i].offset);
    EXPECT_EQ((*read)[i].timestamp, written[i].timestamp);
    EXPECT_EQ((*read)[i].key, written[i].key);
    EXPECT_EQ((*read)[i].value, written[i].value);
    EXPECT_EQ((*read)[i].headers, written[i].headers);
  }
  ASSERT_TRUE(machine.cluster->delete_before("orders", first_partition, Offset(1)));
  EXPECT_EQ(machine.cluster->records("orders", first_partition)->size(), 1u);
  EXPECT_EQ(*machine.cluster->start_offset("orders", first_partition), Offset(1));
}

TEST(MockCluster, spreads_leaders_and_moves_them_when_a_broker_dies_and_returns) {
  MockMachine machine({.brokers = 3});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 3}));
  ASSERT_TRUE(machine.cluster->create_topic("single", {.replication_factor = 1}));
  Cluster& cluster = *machine.cluster;
  EXPECT_EQ(*cluster.leader("orders", PartitionIndex(1)), BrokerId(2));
  ASSERT_TRUE(cluster.kill(BrokerId(1)));
  EXPECT_EQ(*cluster.leader("orders", first_partition), BrokerId(2));
  EXPECT_EQ(*cluster.leader_epoch("orders", first_partition), LeaderEpoch(1));
  EXPECT_EQ(*cluster.leader("single", first_partition), no_broker);
  EXPECT_EQ(*cluster.leader_epoch("orders", PartitionIndex(1)), LeaderEpoch(0));
  const SocketAddress address = machine.address(1);
  ASSERT_TRUE(cluster.revive(BrokerId(1)));
  EXPECT_EQ(machine.address(1), address);
  EXPECT_EQ(*cluster.leader("single", first_partition), BrokerId(1));
  EXPECT_EQ(*cluster.leader("orders", first_partition), BrokerId(2));
  ASSERT_TRUE(cluster.revive(BrokerId(1)));
}

TEST(MockCluster, a_dead_broker_refuses_connections_and_breaks_those_it_had) {
  MockMachine machine({.brokers = 2});
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address(2)));
    EXPECT_TRUE(co_await client.call<MetadataResponse>(MetadataRequest{}, 12));
    EXPECT_TRUE(machine.cluster->kill(BrokerId(2)));
    EXPECT_FALSE(co_await client.receive());
    RawClient late(machine.network, machine.pool);
    EXPECT_FALSE(co_await late.connect(machine.address(2)));
    EXPECT_TRUE(machine.cluster->revive(BrokerId(2)));
    EXPECT_TRUE(co_await late.connect(machine.address(2)));
    EXPECT_TRUE(co_await late.call<MetadataResponse>(MetadataRequest{}, 12));
    machine.cluster->drop_connections();
    EXPECT_FALSE(co_await late.receive());
    client.close();
    late.close();
  }());
}

TEST(MockCluster, remembers_what_was_asked_of_it) {
  MockMachine machine;
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    EXPECT_TRUE(co_await client.call<MetadataResponse>(MetadataRequest{}, 12));
    EXPECT_TRUE(co_await client.call<MetadataResponse>(MetadataRequest{}, 9));
    client.close();
  }());
  const auto& requests = machine.cluster->requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].api, ApiKey::metadata);
  EXPECT_EQ(requests[0].version, 12);
  EXPECT_EQ(requests[0].client_id, "raw");
  EXPECT_EQ(requests[1].connection, 1u);
  EXPECT_FALSE(requests[1].body.empty());
  EXPECT_EQ(machine.cluster->request_count(ApiKey::metadata), 2u);
  machine.cluster->clear_requests();
  EXPECT_EQ(machine.cluster->request_count(ApiKey::metadata), 0u);
}

TEST(MockCluster, names_what_is_not_there) {
  MockMachine machine;
  Cluster& cluster = *machine.cluster;
  ASSERT_TRUE(cluster.create_topic("orders"));
  EXPECT_EQ(cluster.topic_id("nothing").error().kind, ErrorKind::not_found);
  EXPECT_EQ(cluster.end_offset("orders", PartitionIndex(1)).error().kind, ErrorKind::not_found);
  EXPECT_EQ(cluster.kill(BrokerId(9)).error().kind, ErrorKind::not_found);
  EXPECT_EQ(cluster.revive(BrokerId(9)).error().kind, ErrorKind::not_found);
  EXPECT_EQ(cluster.move_leader("orders", first_partition, BrokerId(9)).error().kind,
            ErrorKind::not_found);
  EXPECT_EQ(cluster.delete_topic("nothing").error().kind, ErrorKind::not_found);
  EXPECT_EQ(cluster.create_topic("orders").error().kind, ErrorKind::already_exists);
  EXPECT_EQ(cluster.create_topic("a/b").error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(cluster.create_topic("x", {.partitions = 0}).error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(cluster.create_topic("x", {.replication_factor = 2}).error().kind,
            ErrorKind::invalid_argument);
  EXPECT_TRUE(cluster.delete_topic("orders"));
}

TEST(MockCluster, says_why_it_cannot_listen) {
  SimulatedExecutor executor(1);
  SimulatedNetwork network(executor, {.seed = 1});
  EXPECT_FALSE(Cluster::start(executor, network, {.brokers = 0}));
  EXPECT_FALSE(Cluster::start(executor, network, {.host = "no address"}));
  auto first = Cluster::start(executor, network, {.brokers = 2, .first_port = 9092});
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ((*first)->bootstrap(), "127.0.0.1:9092,127.0.0.1:9093");
  const auto second = Cluster::start(executor, network, {.brokers = 2, .first_port = 9093});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, ErrorKind::io);
  ASSERT_TRUE(executor.run((*first)->close()).has_value());
  executor.run_until_idle();
}

}  // namespace
}  // namespace millrace::mock
