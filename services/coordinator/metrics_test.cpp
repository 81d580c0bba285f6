// What a coordinator measures, and what docs/metrics.md says of it. Also proves metrics.cppm.
#include "../../modules/telemetry/documented.hpp"

#include <string>

import millrace.base;
import millrace.coordinator;
import millrace.groups;
import millrace.telemetry;

namespace millrace::coordinator {
namespace {

TEST(CoordinatorMetrics, are_those_of_the_documentation) {
  telemetry::Registry registry(1);
  const Metrics metrics(registry, telemetry::ShardIndex(0));
  EXPECT_EQ(telemetry::documented_rows(registry), 13U);
}

TEST(CoordinatorMetrics, show_groups_by_the_names_that_kafka_gives_their_states) {
  telemetry::Registry registry(1);
  Metrics metrics(registry, telemetry::ShardIndex(0));
  Figures figures;
  figures.groups[static_cast<std::size_t>(groups::GroupState::stable)] = 3;
  figures.members = 7;
  metrics.show(figures);
  const std::string text = telemetry::exposition_text(registry);
  EXPECT_NE(text.find("millrace_coordinator_groups{state=\"Stable\"} 3\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("millrace_coordinator_groups{state=\"Empty\"} 0\n"), std::string::npos);
  EXPECT_NE(text.find("millrace_coordinator_members 7\n"), std::string::npos);
}

}  // namespace
}  // namespace millrace::coordinator
