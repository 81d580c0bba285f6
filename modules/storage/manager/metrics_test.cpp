// What managers measure, and what docs/metrics.md says of it.

#include "../../telemetry/documented.hpp"
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

const TopicPartition orders_0{"orders", PartitionIndex(0)};

TEST(ManagerMetrics, are_those_of_the_documentation) {
  telemetry::Registry registry(1);
  const ManagerMetrics metrics(registry, ShardIndex(0));
  const DirectoryMetrics directory = metrics.of_directory("/data");
  EXPECT_EQ(telemetry::documented_rows(registry), 22U);
}

TEST(ManagerMetrics, tell_of_partitions_bytes_and_space) {
  ManagerMachine machine(1);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, std::string(500, 'x')));
  machine.executor.advance(std::chrono::seconds(11));
  const std::string text = telemetry::exposition_text(machine.process->registry);
  EXPECT_NE(text.find("millrace_log_partitions{directory=\"/data\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("millrace_log_size_bytes{directory=\"/data\"} 5"), std::string::npos);
  EXPECT_NE(text.find("millrace_log_directory_offline{directory=\"/data\"} 0\n"),
            std::string::npos);
  EXPECT_EQ(text.find("millrace_log_directory_free_bytes{directory=\"/data\"} 0\n"),
            std::string::npos);
}

TEST(ManagerMetrics, tell_of_a_directory_that_is_offline) {
  ManagerMachine machine(2);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  machine.disk.faults().plan({.kind = IoKind::write, .path_part = "/data/orders"});
  EXPECT_FALSE(machine.append(orders_0, "a"));
  const std::string text = telemetry::exposition_text(machine.process->registry);
  EXPECT_NE(text.find("millrace_log_directory_offline{directory=\"/data\"} 1\n"),
            std::string::npos);
}

}  // namespace
}  // namespace millrace::storage
