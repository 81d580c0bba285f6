#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

constexpr ShardIndex shard{0};

const Definition requests = {
    .name = "requests_total", .help = "Requests answered.", .labels = {"api"}};

TEST(Catalogue, is_a_table_of_all_metrics) {
  Registry registry(1);
  ASSERT_TRUE(registry.add<Counter>(requests));
  ASSERT_TRUE(registry.add<DurationHistogram>({.name = "fetch_wait_seconds",
                                               .help = "Waiting | sleeping,\nnever \\lost.",
                                               .labels = {"topic", "partition"}}));
  ASSERT_TRUE(registry.add<Gauge>({.name = "depth", .help = "How deep it is."}));
  EXPECT_EQ(registry.documentation(),
            "| metric | type | labels | meaning |\n"
            "|---|---|---|---|\n"
            "| `depth` | gauge | | How deep it is. |\n"
            "| `fetch_wait_seconds` | histogram | `topic`, `partition` "
            "| Waiting \\| sleeping, never \\\\lost. |\n"
            "| `millrace_telemetry_series_over_limit_total` | counter | `metric` "
            "| New series of this metric that found no place below the metric's limit of "
            "series. |\n"
            "| `requests_total` | counter | `api` | Requests answered. |\n");
}

// A process adds its own metrics to these; its own page is tested in the same way.
TEST(Catalogue, the_page_on_metrics_documents_those_of_every_process) {
  Registry registry(1);
  const auto process = ProcessMetrics::create(registry, shard);
  const auto build = publish_build(registry, shard, {.version = "1", .revision = "2"});
  const auto stalls = StallMetrics::create(registry, shard);
  const auto budget = BudgetMeter::create(registry, shard, "requests", 1);
  ASSERT_TRUE(process && build && stalls && budget);
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/docs/metrics.md", std::ios::binary);
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(page.find(registry.documentation()), std::string::npos)
      << "docs/metrics.md should hold this table:\n"
      << registry.documentation();
}

}  // namespace
}  // namespace millrace::telemetry
