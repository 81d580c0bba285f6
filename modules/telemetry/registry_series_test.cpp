#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

constexpr ShardIndex first{0};
constexpr ShardIndex second{1};

const Definition requests = {
    .name = "requests_total", .help = "Requests answered.", .labels = {"api"}};
const Definition depth = {.name = "depth", .help = "How deep it is.", .labels = {"queue"}};

TEST(RegistrySeries, a_series_lives_as_long_as_a_shard_holds_a_handle) {
  Registry registry(2);
  const auto family = registry.add<Counter>(requests);
  EXPECT_EQ(family->read({"Fetch"}).error().kind, ErrorKind::not_found);
  std::optional<Counter> one = family->of(first, {"Fetch"});
  std::optional<Counter> two = family->of(second, {"Fetch"});
  one->add(1);
  one.reset();
  EXPECT_TRUE(family->read({"Fetch"}));
  two.reset();
  EXPECT_EQ(family->read({"Fetch"}).error().message, "no series requests_total{api=\"Fetch\"}");
  EXPECT_EQ(family->of(first, {"Fetch"}).value(), 0u) << "a new life begins at zero";
}

TEST(RegistrySeries, a_counter_does_not_go_back_when_one_shard_stops_counting) {
  Registry registry(2);
  const auto family = registry.add<Counter>(requests);
  std::optional<Counter> one = family->of(first, {"Fetch"});
  Counter two = family->of(second, {"Fetch"});
  one->add(10);
  two.add(1);
  one.reset();
  EXPECT_EQ(family->read({"Fetch"}).value(), 11u);
  one = family->of(first, {"Fetch"});
  one->add(1);
  EXPECT_EQ(family->read({"Fetch"}).value(), 12u);
}

TEST(RegistrySeries, a_gauge_forgets_the_shard_that_gave_it_up) {
  Registry registry(2);
  const auto family = registry.add<Gauge>(depth);
  std::optional<Gauge> one = family->of(first, {"in"});
  Gauge two = family->of(second, {"in"});
  one->set(10);
  two.set(1);
  one.reset();
  EXPECT_EQ(family->read({"in"}).value(), 1);
  one = family->of(first, {"in"});
  EXPECT_EQ(family->read({"in"}).value(), 1) << "and begins anew";
}

TEST(RegistrySeries, the_memory_of_a_series_that_ended_is_used_again) {
  Registry registry(1);
  const auto counters = registry.add<Counter>(requests);
  const auto sizes =
      registry.add<Histogram>({.name = "size_bytes", .help = "Help.", .labels = {"topic"}});
  std::size_t bytes_with_one = 0;
  for (int i = 0; i < 5000; ++i) {
    Counter counter = counters->of(first, {std::to_string(i)});
    Histogram histogram = sizes->of(first, {std::to_string(i)});
    ASSERT_EQ(counter.value(), 0u) << "of what ended before, nothing is left";
    ASSERT_EQ(histogram.value().count(), 0u);
    counter.add();
    histogram.record(1);
    if (i == 0) bytes_with_one = registry.memory_bytes();
    ASSERT_EQ(registry.memory_bytes(), bytes_with_one);
  }
  EXPECT_LT(registry.memory_bytes(), bytes_with_one) << "a histogram's memory goes to the heap";
}

TEST(RegistrySeries, a_moved_handle_goes_on_and_the_old_one_is_nothing) {
  Registry registry(1);
  const auto family = registry.add<Counter>(requests);
  Counter one = family->of(first, {"Fetch"});
  Counter two = std::move(one);
  two.add(1);
  Counter other = family->of(first, {"Produce"});
  other = std::move(two);
  other.add(1);
  EXPECT_EQ(family->read({"Fetch"}).value(), 2u);
  EXPECT_FALSE(family->read({"Produce"})) << "what was assigned to gave up its series";
}

TEST(RegistrySeries, counters_over_the_limit_go_to_the_other_series_and_sums_stay_right) {
  Registry registry(1);
  const auto family = registry.add<Counter>(
      {.name = "x_total", .help = "Help.", .labels = {"topic", "partition"}, .series_max = 2});
  std::vector<Counter> counters;
  for (const std::string_view topic : {"a", "b", "c", "d"}) {
    counters.push_back(family->of(first, {topic, "0"}));
  }
  for (Counter& counter : counters) counter.add(10);
  EXPECT_EQ(family->read({"a", "0"}).value(), 10u);
  EXPECT_EQ(family->read({"b", "0"}).value(), 10u);
  EXPECT_FALSE(family->read({"c", "0"}));
  EXPECT_EQ(family->read({other_series, other_series}).value(), 20u);
  const std::string text = exposition_text(registry);
  EXPECT_NE(text.find("\nmillrace_telemetry_series_over_limit_total{metric=\"x_total\"} 2\n"),
            std::string::npos)
      << text;
}

TEST(RegistrySeries, a_known_series_is_found_at_the_limit_and_room_is_used_again) {
  Registry registry(2);
  Definition limited = requests;
  limited.series_max = 1;
  const auto family = registry.add<Counter>(limited);
  std::optional<Counter> fetch = family->of(first, {"Fetch"});
  std::optional<Counter> known = family->of(second, {"Fetch"});
  EXPECT_EQ(exposition_text(registry).find(over_limit_metric), std::string::npos);
  fetch.reset();
  known.reset();
  const Counter produce = family->of(first, {"Produce"});
  EXPECT_TRUE(family->read({"Produce"}));
}

TEST(RegistrySeries, gauges_over_the_limit_are_not_shown) {
  Registry registry(1);
  Definition limited = depth;
  limited.series_max = 1;
  const auto family = registry.add<Gauge>(limited);
  Gauge shown = family->of(first, {"a"});
  Gauge one = family->of(first, {"b"});
  Gauge two = family->of(first, {"c"});
  shown.set(1);
  one.set(2);
  two.set(3);
  EXPECT_EQ(family->read({"a"}).value(), 1);
  EXPECT_FALSE(family->read({"b"}));
  EXPECT_FALSE(family->read({other_series}));
  const std::string text = exposition_text(registry);
  EXPECT_NE(text.find("depth{queue=\"a\"} 1\n"), std::string::npos) << text;
  EXPECT_EQ(text.find(other_series), std::string::npos) << text;
  EXPECT_NE(text.find("over_limit_total{metric=\"depth\"} 2\n"), std::string::npos) << text;
}

TEST(RegistrySeries, a_series_called_other_by_its_owner_is_counted_with_the_others) {
  Registry registry(1);
  Definition limited = requests;
  limited.series_max = 1;
  const auto family = registry.add<Counter>(limited);
  Counter named = family->of(first, {other_series});
  Counter over = family->of(first, {"Fetch"});
  named.add(1);
  over.add(2);
  EXPECT_EQ(family->read({other_series}).value(), 3u);
}

}  // namespace
}  // namespace millrace::telemetry
