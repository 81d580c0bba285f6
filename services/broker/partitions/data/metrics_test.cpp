// What requests for data measure, and what docs/metrics.md says of it. Also proves metrics.cppm.

#include "../../../../modules/telemetry/documented.hpp"
#include "data_machine.hpp"

namespace millrace::broker {
namespace {

TEST(DataMetrics, are_those_of_the_documentation) {
  telemetry::Registry registry(1);
  DataMetrics metrics(registry, ShardIndex(0));
  metrics.count_failure(ErrorCode::corrupt_message);
  EXPECT_EQ(telemetry::documented_rows(registry), 6U);
}

TEST(DataMetrics, tell_of_failures_by_their_names) {
  telemetry::Registry registry(1);
  DataMetrics metrics(registry, ShardIndex(0));
  metrics.count_failure(ErrorCode::corrupt_message);
  metrics.count_failure(ErrorCode::corrupt_message);
  metrics.count_failure(ErrorCode::message_too_large);
  const std::string text = telemetry::exposition_text(registry);
  EXPECT_NE(text.find("millrace_produce_failures_total{error=\"CORRUPT_MESSAGE\"} 2\n"),
            std::string::npos);
  EXPECT_NE(text.find("millrace_produce_failures_total{error=\"MESSAGE_TOO_LARGE\"} 1\n"),
            std::string::npos);
}

}  // namespace
}  // namespace millrace::broker
