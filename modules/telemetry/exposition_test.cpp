// Also proves text.cppm.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exposition_parser.hpp"

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

using std::chrono::milliseconds;
using test::ExpositionParser;

constexpr ShardIndex first{0};
constexpr ShardIndex second{1};

std::string golden() {
  const std::string path =
      std::string(MILLRACE_SOURCE_DIR) + "/modules/telemetry/testdata/exposition.txt";
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The text, written into buffers of this size.
std::string in_slices(const Registry& registry, std::size_t slice_bytes) {
  std::string text;
  std::vector<std::byte> slice(slice_bytes);
  for (Exposition exposition(registry); !exposition.finished();) {
    const std::size_t written = exposition.write(slice);
    EXPECT_TRUE(written == slice_bytes || exposition.finished());
    text += as_text(ByteView(slice).first(written));
  }
  return text;
}

// What the golden file shows: every kind, with and without labels, and all that needs escapes.
struct Example {
  Registry registry{2};
  Counter fetches = *registry.add<Counter>({.name = "example_requests_total",
                                            .help = "Requests answered.",
                                            .labels = {"api", "version"}},
                                           first, {"Fetch", "13"});
  Counter fetches_of_second = registry
                                  .add<Counter>({.name = "example_requests_total",
                                                 .help = "Requests answered.",
                                                 .labels = {"api", "version"}})
                                  ->of(second, {"Fetch", "13"});
  Counter produces = registry
                         .add<Counter>({.name = "example_requests_total",
                                        .help = "Requests answered.",
                                        .labels = {"api", "version"}})
                         ->of(first, {"Produce", "9"});
  DurationCounter busy = *registry.add<DurationCounter>(
      {.name = "example_busy_seconds_total", .help = "Time spent working."}, first);
  Gauge clients =
      *registry.add<Gauge>({.name = "example_clients",
                            .help = "Clients by the name that they \"give\":\nback\\slash.",
                            .labels = {"client_id"}},
                           first, {"a \"b\"\\c\nd \xe2\x82\xac \xff."});
  DurationGauge age = *registry.add<DurationGauge>(
      {.name = "example_age_seconds", .help = "How old it is."}, first);
  Gauge temperature =
      *registry.add<Gauge>({.name = "example_temperature", .help = "Below zero."}, first);
  Histogram sizes = *registry.add<Histogram>(
      {.name = "example_size_bytes", .help = "Sizes of requests.", .labels = {"api"}}, first,
      {"Fetch"});
  DurationHistogram waits = *registry.add<DurationHistogram>(
      {.name = "example_wait_seconds", .help = "How long requests waited."}, second);

  Example() {
    fetches.add(40);
    fetches_of_second.add(2);
    produces.add(std::numeric_limits<std::uint64_t>::max());
    busy.add(milliseconds{1500});
    clients.set(3);
    age.set(Duration{1});
    temperature.set(std::numeric_limits<std::int64_t>::min());
    sizes.record(64);
    sizes.record(65);
    sizes.record(std::uint64_t{5} << 30);
    for (const int wait : {1, 2, 2, 3, 100}) waits.record(milliseconds{wait});
  }
};

TEST(Exposition, is_as_in_the_golden_file) {
  const Example example;
  EXPECT_EQ(exposition_text(example.registry), golden());
}

TEST(Exposition, is_the_same_in_slices_of_any_size) {
  const Example example;
  const std::string whole = exposition_text(example.registry);
  for (const unsigned size : {1u, 2u, 7u, 100u, 4095u, 4096u, 4097u, 1'000'000u}) {
    EXPECT_EQ(in_slices(example.registry, size), whole) << size;
  }
}

TEST(Exposition, is_understood_by_an_independent_parser) {
  const Example example;
  const ExpositionParser parsed(exposition_text(example.registry));
  EXPECT_EQ(parsed.metrics().size(), 7u);
  EXPECT_EQ(parsed.metrics().at("example_clients").help,
            "Clients by the name that they \"give\":\nback\\slash.");
  EXPECT_EQ(parsed.metrics().at("example_wait_seconds").type, "histogram");
  EXPECT_EQ(
      parsed.value("example_clients", {{"client_id", "a \"b\"\\c\nd \xe2\x82\xac \xef\xbf\xbd."}}),
      "3");
  EXPECT_EQ(parsed.value("example_requests_total", {{"api", "Fetch"}, {"version", "13"}}), "42");
  EXPECT_EQ(parsed.value("example_requests_total", {{"api", "Produce"}, {"version", "9"}}),
            "18446744073709551615");
  EXPECT_EQ(parsed.value("example_busy_seconds_total"), "1.5");
  EXPECT_EQ(parsed.value("example_age_seconds"), "0.000000001");
  EXPECT_EQ(parsed.value("example_temperature"), "-9223372036854775808");
  EXPECT_EQ(parsed.value("example_wait_seconds_bucket", {{"le", "0.001"}}), "1");
  EXPECT_EQ(parsed.value("example_wait_seconds_bucket", {{"le", "0.002"}}), "3");
  EXPECT_EQ(parsed.value("example_wait_seconds_bucket", {{"le", "+Inf"}}), "5");
  EXPECT_EQ(parsed.value("example_wait_seconds_sum"), "0.108");
}

TEST(Exposition, of_nothing_is_empty) {
  const Registry registry(1);
  EXPECT_EQ(exposition_text(registry), "");
  Exposition exposition(registry);
  EXPECT_FALSE(exposition.finished()) << "it was not asked yet";
}

TEST(Exposition, leaves_out_metrics_without_a_series) {
  Registry registry(1);
  ASSERT_TRUE(registry.add<Counter>({.name = "x_total", .help = "Help."}));
  EXPECT_EQ(exposition_text(registry), "");
}

TEST(Exposition, writes_nothing_after_its_end) {
  const Example example;
  Exposition exposition(example.registry);
  std::vector<std::byte> all(100'000);
  EXPECT_GT(exposition.write(all), 0u);
  EXPECT_TRUE(exposition.finished());
  EXPECT_EQ(exposition.write(all), 0u);
}

TEST(Exposition, a_buffer_without_room_changes_nothing) {
  const Example example;
  Exposition exposition(example.registry);
  EXPECT_EQ(exposition.write({}), 0u);
  EXPECT_FALSE(exposition.finished());
  std::vector<std::byte> all(100'000);
  const std::size_t written = exposition.write(all);
  EXPECT_EQ(as_text(ByteView(all).first(written)), golden());
}

TEST(Exposition, durations_are_exact_seconds) {
  Registry registry(1);
  auto gauge = registry.add<DurationGauge>({.name = "x_seconds", .help = "Help."}, first);
  const std::pair<Duration, std::string> cases[] = {
      {Duration{0}, "0"},
      {Duration{10}, "0.00000001"},
      {Duration{999'999'999}, "0.999999999"},
      {Duration{1'000'000'000}, "1"},
      {Duration{-1'050'000'000}, "-1.05"},
      {Duration::max(), "9223372036.854775807"},
      {Duration::min(), "-9223372036.854775808"},
  };
  for (const auto& [duration, text] : cases) {
    gauge->set(duration);
    EXPECT_EQ(ExpositionParser(exposition_text(registry)).value("x_seconds"), text);
  }
}

TEST(Exposition, long_label_values_are_cut_between_characters) {
  Registry registry(1);
  const auto family = registry.add<Gauge>({.name = "x", .help = "Help.", .labels = {"client_id"}});
  const std::string full(label_value_bytes_max - 1, 'a');
  const Gauge cut = family->of(first, {full + "\xe2\x82\xac"});
  EXPECT_EQ(ExpositionParser(exposition_text(registry)).value("x", {{"client_id", full}}), "0");
  const Gauge same = family->of(first, {full + "\xe2\x82\xac and more"});
  EXPECT_EQ(ExpositionParser(exposition_text(registry)).metrics().at("x").samples.size(), 1u);
}

TEST(Exposition, a_label_value_of_the_longest_length_is_whole) {
  Registry registry(1);
  const auto family = registry.add<Gauge>({.name = "x", .help = "Help.", .labels = {"client_id"}});
  const std::string whole = std::string(label_value_bytes_max - 3, '"') + "\xe2\x82\xac";
  const Gauge gauge = family->of(first, {whole});
  EXPECT_EQ(ExpositionParser(exposition_text(registry)).value("x", {{"client_id", whole}}), "0");
}

TEST(Exposition, the_order_is_that_of_names_and_labels) {
  Registry registry(1);
  std::vector<Gauge> gauges;
  for (const std::string_view name : {"c", "a", "b"}) {
    const auto family = registry.add<Gauge>({.name = name, .help = "Help.", .labels = {"l"}});
    for (const std::string_view label : {"2", "1", "3"}) {
      gauges.push_back(family->of(first, {label}));
    }
  }
  EXPECT_EQ(exposition_text(registry),
            "# HELP a Help.\n# TYPE a gauge\na{l=\"1\"} 0\na{l=\"2\"} 0\na{l=\"3\"} 0\n"
            "# HELP b Help.\n# TYPE b gauge\nb{l=\"1\"} 0\nb{l=\"2\"} 0\nb{l=\"3\"} 0\n"
            "# HELP c Help.\n# TYPE c gauge\nc{l=\"1\"} 0\nc{l=\"2\"} 0\nc{l=\"3\"} 0\n");
}

TEST(Exposition, is_well_formed_when_the_series_at_its_cursor_ends) {
  Registry registry(1);
  const auto family = registry.add<Gauge>({.name = "x", .help = "Help.", .labels = {"l"}});
  const Gauge later = *registry.add<Gauge>({.name = "y", .help = "Help."}, first);
  std::map<std::string, Gauge> gauges;
  for (int i = 1000; i < 2000; ++i) {
    gauges.emplace(std::to_string(i), family->of(first, {std::to_string(i)}));
  }
  Exposition exposition(registry);
  std::vector<std::byte> slice(exposition_chunk_bytes);
  std::string text;
  for (int round = 0; !exposition.finished(); ++round) {
    text += as_text(ByteView(slice).first(exposition.write(slice)));
    if (round == 0) gauges.erase(gauges.begin(), gauges.find("1900"));
    if (round == 1) gauges.clear();
  }
  const ExpositionParser parsed(text);
  EXPECT_EQ(parsed.value("y"), "0");
  EXPECT_LT(parsed.metrics().at("x").samples.size(), 1000u);
}

RC_GTEST_PROP(Exposition, whatever_is_measured_is_read_back, ()) {
  const auto values = *rc::gen::arbitrary<std::map<std::string, std::int64_t>>();
  const auto slice_bytes = *rc::gen::inRange<std::size_t>(1, 9000);
  Registry registry(2);
  const auto family = registry.add<Gauge>(
      {.name = "x", .help = "Help.", .labels = {"l"}, .series_max = series_per_metric_max});
  std::map<std::string, Gauge> gauges;
  for (const auto& [label, value] : values) {
    Gauge gauge = family->of(second, {label});
    gauge.set(value);
    gauges.emplace(label, std::move(gauge));
  }
  const std::string text = in_slices(registry, slice_bytes);
  const ExpositionParser parsed(text);
  std::size_t shown = 0;
  for (const auto& [label, value] : values) {
    // What is not UTF-8 is replaced, and then may be one with another label.
    const bool is_ascii = std::ranges::all_of(label, [](char c) { return c >= 0; });
    if (!is_ascii || label.size() > label_value_bytes_max) continue;
    RC_ASSERT(parsed.value("x", {{"l", label}}) == std::to_string(value));
    ++shown;
  }
  RC_ASSERT(parsed.metrics().empty() == values.empty());
  if (!values.empty()) RC_ASSERT(parsed.metrics().at("x").samples.size() >= shown);
}

}  // namespace
}  // namespace millrace::telemetry
