// What the gateway measures, and what docs/metrics.md says of it. Also proves metrics.cppm.
#include "../../../modules/telemetry/documented.hpp"
// This one imports a module: it comes after all that includes standard headers.
#include "cluster_support.hpp"

namespace millrace::broker {
namespace {

TEST(GatewayMetrics, are_those_of_the_documentation) {
  telemetry::Registry registry(1);
  const GatewayMetrics metrics(registry, telemetry::ShardIndex(0));
  EXPECT_EQ(telemetry::documented_rows(registry), 9U);
}

TEST(GatewayMetrics, tell_whether_the_coordinator_is_there_and_how_often_it_came) {
  Cluster cluster;
  EXPECT_EQ(cluster.gateway.metrics().partitions.value(), state_partitions);
  EXPECT_EQ(cluster.gateway.metrics().connected.value(), 0);
  cluster.start_coordinator();
  cluster.settle();
  EXPECT_EQ(cluster.gateway.metrics().connected.value(), 1);
  cluster.start_coordinator();
  cluster.settle();
  EXPECT_EQ(cluster.gateway.metrics().connected.value(), 1);
  EXPECT_EQ(cluster.gateway.metrics().sessions.value(), 2U);
  EXPECT_EQ(cluster.gateway.metrics().waiting.value(), 0);
  cluster.kill_coordinator();
  cluster.settle();
  EXPECT_EQ(cluster.gateway.metrics().connected.value(), 0);
  cluster.lose(PartitionIndex(1));
  EXPECT_EQ(cluster.gateway.metrics().partitions.value(), state_partitions - 1);
}

}  // namespace
}  // namespace millrace::broker
