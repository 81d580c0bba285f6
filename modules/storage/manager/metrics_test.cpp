// What managers measure, and what docs/metrics.md says of it.

#include "../../telemetry/documented.hpp"
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

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

// The number behind the name of a metric.
double metric(ManagerMachine& machine, const std::string& name) {
  machine.run(machine.manager().publish());
  const std::string text = telemetry::exposition_text(machine.process->registry);
  const std::size_t at = text.find("\n" + name + " ");
  EXPECT_NE(at, std::string::npos) << name;
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

TEST(ManagerMetrics, tell_of_retention_and_flushes) {
  ManagerMachine machine(3);
  machine.config.segment_bytes = 1'000;
  machine.config.retention_bytes = 0;
  machine.config.flush_interval = Milliseconds(100);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(300, 'x')));
  const std::size_t segments = machine.manager().find(orders_0)->segments().size();
  ASSERT_EQ(segments, 5u);
  EXPECT_EQ(metric(machine, "millrace_log_flush_seconds_count"), 0);
  machine.executor.advance(std::chrono::seconds(1));
  EXPECT_EQ(metric(machine, "millrace_log_flush_seconds_count"), 1);
  machine.manager().find(orders_0)->set_high_watermark(Offset(9));
  machine.run(machine.manager().apply_retention());
  EXPECT_EQ(metric(machine, "millrace_log_retention_segments_total"),
            static_cast<double>(segments));
  EXPECT_EQ(metric(machine, "millrace_log_checkpoint_seconds_count"), 0);
  machine.executor.advance(std::chrono::seconds(6));
  EXPECT_EQ(metric(machine, "millrace_log_checkpoint_seconds_count"), 1);
}

TEST(ManagerMetrics, tell_what_a_start_checked_and_cut) {
  ManagerMachine machine(4);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(300, 'x')));
  const auto bytes = static_cast<double>(machine.manager().find(orders_0)->size_bytes());
  machine.end_of_process();
  // In the last batch.
  const std::string path = "/data/orders-0/00000000000000000000.log";
  ASSERT_TRUE(machine.disk.flip_bit(path, (static_cast<std::uint64_t>(bytes) - 1) * 8));
  machine.files.slow = 1;
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(metric(machine, "millrace_log_recovered_bytes_total"), bytes / 3 * 2);
  EXPECT_EQ(metric(machine, "millrace_log_recovery_cut_bytes_total"), bytes / 3);
  EXPECT_GT(metric(machine, "millrace_log_opening_seconds"), 0);
}

TEST(ManagerMetrics, tell_of_partitions_that_cannot_be_opened_and_of_refused_appends) {
  ManagerMachine machine(5);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.create({"orders", PartitionIndex(1)}));
  ASSERT_TRUE(machine.stop());
  machine.disk.faults().plan({.kind = IoKind::open,
                              .fault = IoFault::too_many_open,
                              .path_part = "orders-0/partition.metadata"});
  machine.disk.set_capacity(mebibyte);
  machine.options.reserve_bytes = mebibyte;
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(metric(machine, "millrace_log_partitions{directory=\"/data\"}"), 2);
  EXPECT_EQ(metric(machine, "millrace_log_failed_partitions{directory=\"/data\"}"), 1);
  EXPECT_FALSE(machine.append({"orders", PartitionIndex(1)}, "a"));
  EXPECT_FALSE(machine.append({"orders", PartitionIndex(1)}, "b"));
  EXPECT_EQ(metric(machine, "millrace_log_refused_appends_total{directory=\"/data\"}"), 2);
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
