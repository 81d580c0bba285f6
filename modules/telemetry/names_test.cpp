// Also proves limits.cppm.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

// The sentence with which the definition is refused; empty when it is taken.
template <class Handle>
std::string refusal(const Definition& definition) {
  Registry registry(1);
  const auto added = registry.add<Handle>(definition);
  if (added) return "";
  EXPECT_EQ(added.error().kind, ErrorKind::invalid_argument);
  return added.error().message;
}

template <class Handle>
std::string refusal(std::string_view name) {
  return refusal<Handle>({.name = name, .help = "Help."});
}

template <class Handle>
std::string refusal_of_labels(const std::vector<std::string_view>& labels,
                              std::string_view name = "requests_total") {
  return refusal<Handle>({.name = name, .help = "Help.", .labels = labels});
}

TEST(MetricNames, good_ones_of_each_kind_are_taken) {
  EXPECT_EQ(refusal<Counter>("millrace_requests_total"), "");
  EXPECT_EQ(refusal<Counter>("millrace_received_bytes_total"), "");
  EXPECT_EQ(refusal<DurationCounter>("process_cpu_seconds_total"), "");
  EXPECT_EQ(refusal<Gauge>("process_open_fds"), "");
  EXPECT_EQ(refusal<Gauge>("millrace_log_size_bytes"), "");
  EXPECT_EQ(refusal<Gauge>("millrace_build_info"), "");
  EXPECT_EQ(refusal<DurationGauge>("process_start_time_seconds"), "");
  EXPECT_EQ(refusal<Histogram>("millrace_request_size_bytes"), "");
  EXPECT_EQ(refusal<Histogram>("millrace_batch_records"), "");
  EXPECT_EQ(refusal<DurationHistogram>("millrace_fetch_wait_seconds"), "");
  EXPECT_EQ(refusal<Gauge>("_Oldest_2"), "");
}

TEST(MetricNames, only_letters_digits_and_underscores_make_a_name) {
  for (const std::string_view name : {"", "2fast", "has space", "has-dash", "has.dot", "job:rate5m",
                                      "caf\xc3\xa9", "a{b}", "a\n"}) {
    EXPECT_NE(refusal<Gauge>(name).find("letters, digits"), std::string::npos) << name;
  }
  EXPECT_EQ(refusal<Gauge>(std::string(metric_name_bytes_max, 'a')), "");
  EXPECT_NE(refusal<Gauge>(std::string(metric_name_bytes_max + 1, 'a')), "");
}

TEST(MetricNames, counters_and_only_they_end_in_total) {
  EXPECT_NE(refusal<Counter>("requests").find("_total"), std::string::npos);
  EXPECT_NE(refusal<DurationCounter>("cpu_seconds").find("_total"), std::string::npos);
  EXPECT_NE(refusal<Gauge>("requests_total").find("_total"), std::string::npos);
  EXPECT_NE(refusal<Histogram>("requests_total").find("_total"), std::string::npos);
}

TEST(MetricNames, durations_and_only_they_end_in_seconds) {
  EXPECT_NE(refusal<DurationHistogram>("fetch_wait").find("_seconds"), std::string::npos);
  EXPECT_NE(refusal<DurationGauge>("start_time").find("_seconds"), std::string::npos);
  EXPECT_NE(refusal<DurationCounter>("cpu_total").find("_seconds"), std::string::npos);
  EXPECT_NE(refusal<Counter>("cpu_seconds_total").find("_seconds"), std::string::npos);
  EXPECT_NE(refusal<Gauge>("age_seconds").find("_seconds"), std::string::npos);
  EXPECT_NE(refusal<Histogram>("wait_seconds").find("_seconds"), std::string::npos);
}

TEST(MetricNames, other_units_than_seconds_and_bytes_are_refused) {
  for (const std::string_view name : {"wait_ms", "wait_milliseconds", "uptime_hours", "size_mb",
                                      "size_kilobytes", "size_mebibytes", "width_bits"}) {
    EXPECT_NE(refusal<Gauge>(name).find("_bytes"), std::string::npos) << name;
  }
  EXPECT_NE(refusal<Counter>("busy_ms_total").find("_seconds"), std::string::npos);
}

TEST(MetricNames, endings_of_a_histogram_s_parts_are_refused) {
  for (const std::string_view name : {"x_bucket", "x_count", "x_sum", "x_created"}) {
    EXPECT_NE(refusal<Gauge>(name).find("parts of a histogram"), std::string::npos) << name;
  }
  EXPECT_NE(refusal<Histogram>("build_info").find("_info"), std::string::npos);
}

TEST(MetricNames, labels_keep_the_rules_of_prometheus) {
  EXPECT_EQ(refusal_of_labels<Counter>({"topic", "partition", "_x", "le"}), "");
  for (const std::string_view label : {"", "0th", "a-b", "__name__", "to:pic", "a b"}) {
    EXPECT_NE(refusal_of_labels<Counter>({"topic", label}), "") << label;
  }
  EXPECT_NE(refusal_of_labels<Histogram>({"le"}, "size_bytes").find("le"), std::string::npos);
  EXPECT_NE(refusal_of_labels<Counter>({"topic", "api", "topic"}).find("twice"), std::string::npos);
  EXPECT_EQ(refusal_of_labels<Counter>({"a", "b", "c", "d", "e", "f", "g", "h"}), "");
  EXPECT_NE(refusal_of_labels<Counter>({"a", "b", "c", "d", "e", "f", "g", "h", "i"}), "");
}

TEST(MetricNames, help_is_obligatory_and_text) {
  for (const std::string& help :
       {std::string(), std::string(help_bytes_max + 1, 'h'), std::string("caf\xe9")}) {
    EXPECT_NE(refusal<Gauge>({.name = "x", .help = help}).find("help"), std::string::npos);
  }
  EXPECT_EQ(refusal<Gauge>({.name = "x", .help = "Caf\xc3\xa9\nand \\more."}), "");
}

TEST(MetricNames, the_limit_of_series_has_limits) {
  EXPECT_NE(refusal<Gauge>({.name = "x", .help = "Help.", .series_max = 0}), "");
  EXPECT_EQ(refusal<Gauge>({.name = "x", .help = "Help.", .series_max = series_per_metric_max}),
            "");
  EXPECT_NE(refusal<Gauge>({.name = "x", .help = "Help.", .series_max = series_per_metric_max + 1}),
            "");
  const auto histogram = [](std::size_t series_max) {
    return refusal<Histogram>({.name = "x", .help = "Help.", .series_max = series_max});
  };
  EXPECT_EQ(histogram(histogram_series_max), "");
  EXPECT_NE(histogram(histogram_series_max + 1), "");
}

TEST(MetricNames, only_gauges_are_combined_by_their_maximum) {
  constexpr auto maximum = Combination::maximum;
  EXPECT_EQ(refusal<Gauge>({.name = "x", .help = "Help.", .combination = maximum}), "");
  EXPECT_NE(refusal<Counter>({.name = "x_total", .help = "Help.", .combination = maximum}), "");
}

TEST(MetricNames, the_refusal_names_the_metric) {
  EXPECT_EQ(refusal<Counter>("requests"),
            "metric 'requests': counters end in _total, and nothing else does");
}

}  // namespace
}  // namespace millrace::telemetry
