// What requests for data measure, and what docs/metrics.md says of it. Also proves metrics.cppm.
#include <fstream>
#include <iterator>

#include "data_machine.hpp"

namespace millrace::broker {
namespace {

TEST(DataMetrics, are_those_of_the_documentation) {
  telemetry::Registry registry(1);
  DataMetrics metrics(registry, ShardIndex(0));
  metrics.count_failure(ErrorCode::corrupt_message);
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/docs/metrics.md", std::ios::binary);
  const std::string page(std::istreambuf_iterator<char>(file), {});
  const std::string table = registry.documentation();
  std::size_t rows = 0;
  for (std::size_t begin = table.find("| `millrace_"); begin != std::string::npos;
       begin = table.find("| `millrace_", begin + 1)) {
    const std::string row = table.substr(begin, table.find('\n', begin) + 1 - begin);
    if (row.find("_over_limit_") != std::string::npos) continue;
    ++rows;
    EXPECT_NE(page.find(row), std::string::npos) << "docs/metrics.md should hold\n" << row;
  }
  EXPECT_EQ(rows, 5U);
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
