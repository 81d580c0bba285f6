// What a controller shows, and what docs/metrics.md says of it.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

// This one imports modules: it comes after all that includes standard headers.
#include "../../modules/telemetry/documented.hpp"
#include "controller_machine.hpp"

namespace millrace::controller {
namespace {

TEST(ControllerMetrics, are_those_of_the_documentation) {
  telemetry::Registry registry(1);
  const auto metrics = ControllerMetrics::create(registry, telemetry::ShardIndex(0));
  ASSERT_TRUE(metrics);
  EXPECT_EQ(telemetry::documented_rows(registry, "millrace_controller_"), 10U);
}

TEST(ControllerMetrics, tell_what_the_cluster_has) {
  ControllerMachine machine(21);
  machine.start();
  machine.start_broker(1);
  EXPECT_TRUE(machine.create("orders", 3).ok());
  const std::string text = telemetry::exposition_text(machine.registry);
  for (const char* line :
       {"millrace_controller_leads 1\n", "millrace_controller_brokers 1\n",
        "millrace_controller_fenced_brokers 0\n", "millrace_controller_topics 1\n",
        "millrace_controller_partitions 3\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace millrace::controller
