// Also proves handles.cppm, state.cppm.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

static_assert(!std::is_copy_constructible_v<Counter>);
static_assert(std::is_nothrow_move_constructible_v<Counter>);
static_assert(std::is_nothrow_move_assignable_v<DurationHistogram>);

constexpr ShardIndex first{0};
constexpr ShardIndex second{1};

const Definition requests = {
    .name = "requests_total", .help = "Requests answered.", .labels = {"api"}};
const Definition depth = {.name = "depth", .help = "How deep it is.", .labels = {"queue"}};

TEST(Registry, a_counter_is_the_sum_of_its_shards) {
  Registry registry(2);
  const auto family = registry.add<Counter>(requests);
  ASSERT_TRUE(family);
  Counter one = family->of(first, {"Fetch"});
  Counter two = family->of(second, {"Fetch"});
  Counter produce = family->of(second, {"Produce"});
  one.add();
  one.add(40);
  two.add(1);
  produce.add(7);
  EXPECT_EQ(one.value(), 41u);
  EXPECT_EQ(family->read({"Fetch"}).value(), 42u);
  EXPECT_EQ(family->read({"Produce"}).value(), 7u);
}

TEST(Registry, handles_of_one_series_and_shard_share_its_number) {
  Registry registry(1);
  const auto family = registry.add<Counter>(requests);
  Counter one = family->of(first, {"Fetch"});
  Counter other = family->of(first, {"Fetch"});
  one.add(1);
  other.add(2);
  EXPECT_EQ(one.value(), 3u);
  EXPECT_EQ(family->read({"Fetch"}).value(), 3u);
}

TEST(Registry, every_shard_may_define_the_same_metric) {
  Registry registry(2);
  auto one = registry.add<Counter>(requests, first, {"Fetch"});
  auto two = registry.add<Counter>(requests, second, {"Fetch"});
  ASSERT_TRUE(one && two);
  one->add(1);
  two->add(2);
  EXPECT_EQ(registry.add<Counter>(requests)->read({"Fetch"}).value(), 3u);
}

TEST(Registry, a_name_with_another_definition_is_refused) {
  Registry registry(1);
  ASSERT_TRUE(registry.add<Gauge>(depth));
  Definition other = depth;
  other.help = "How high it is.";
  EXPECT_EQ(registry.add<Gauge>(other).error().kind, ErrorKind::already_exists);
  other = depth;
  other.labels = {"queue", "shard"};
  EXPECT_EQ(registry.add<Gauge>(other).error().kind, ErrorKind::already_exists);
  other = depth;
  other.series_max = 7;
  EXPECT_EQ(registry.add<Gauge>(other).error().kind, ErrorKind::already_exists);
  other = depth;
  other.combination = Combination::maximum;
  EXPECT_EQ(registry.add<Gauge>(other).error().kind, ErrorKind::already_exists);
  EXPECT_EQ(registry.add<Histogram>(depth).error().kind, ErrorKind::already_exists);
  EXPECT_TRUE(registry.add<Gauge>(depth));
}

TEST(Registry, its_own_metric_is_nobody_else_s) {
  Registry registry(1);
  const auto taken = registry.add<Counter>({.name = over_limit_metric, .help = "Mine."});
  EXPECT_EQ(taken.error().kind, ErrorKind::already_exists);
}

TEST(Registry, metrics_are_limited) {
  Registry registry(1);
  for (std::size_t i = 1; i < metrics_max; ++i) {  // one is the registry's own
    ASSERT_TRUE(registry.add<Gauge>({.name = "gauge_" + std::to_string(i), .help = "Help."}));
  }
  EXPECT_EQ(registry.add<Gauge>(depth).error().kind, ErrorKind::limit_exceeded);
  EXPECT_TRUE(registry.add<Gauge>({.name = "gauge_1", .help = "Help."}));
}

TEST(Registry, a_counter_follows_a_total_that_is_counted_elsewhere) {
  Registry registry(1);
  auto counter = registry.add<Counter>({.name = "x_total", .help = "Help."}, first);
  counter->advance_to(10);
  counter->advance_to(7);
  EXPECT_EQ(counter->value(), 10u);
  auto time = registry.add<DurationCounter>({.name = "x_seconds_total", .help = "Help."}, first);
  time->advance_to(seconds{2});
  time->advance_to(seconds{1});
  time->add(seconds{1});
  time->add(seconds{-5});
  EXPECT_EQ(time->value(), seconds{3});
}

TEST(Registry, a_gauge_is_the_sum_of_its_shards_below_zero_too) {
  Registry registry(2);
  const auto family = registry.add<Gauge>(depth);
  Gauge one = family->of(first, {"in"});
  Gauge two = family->of(second, {"in"});
  one.set(5);
  one.add(-2);
  two.set(-10);
  EXPECT_EQ(one.value(), 3);
  EXPECT_EQ(family->read({"in"}).value(), -7);
  two.raise_to(-20);
  EXPECT_EQ(two.value(), -10);
  two.raise_to(1);
  EXPECT_EQ(two.value(), 1);
}

TEST(Registry, a_gauge_may_be_the_maximum_of_its_shards) {
  Registry registry(2);
  const auto family = registry.add<DurationGauge>(
      {.name = "age_seconds", .help = "Help.", .combination = Combination::maximum});
  DurationGauge one = family->of(first);
  one.set(seconds{-3});
  EXPECT_EQ(family->read().value(), seconds{-3}) << "a shard that writes nothing takes no part";
  DurationGauge two = family->of(second);
  two.set(seconds{-1});
  EXPECT_EQ(family->read().value(), seconds{-1});
  one.raise_to(seconds{4});
  one.raise_to(seconds{2});
  EXPECT_EQ(family->read().value(), seconds{4});
}

TEST(Registry, a_histogram_is_merged_over_its_shards) {
  Registry registry(2);
  const auto family = registry.add<DurationHistogram>({.name = "wait_seconds", .help = "Help."});
  DurationHistogram one = family->of(first);
  DurationHistogram two = family->of(second);
  Distribution expected(duration_scale);
  for (int i = 0; i < 100; ++i) {
    (i % 3 == 0 ? one : two).record(milliseconds{i});
    expected.record(static_cast<std::uint64_t>(i) * 1'000'000);
  }
  one.record(milliseconds{-1});
  expected.record(0);
  EXPECT_EQ(family->read().value(), expected);
  EXPECT_EQ(one.value().count(), 35u);
  EXPECT_EQ(two.value().max(), 98'000'000u);
}

TEST(Registry, a_histogram_s_scale_follows_from_its_name) {
  Registry registry(1);
  auto sizes = registry.add<Histogram>({.name = "size_bytes", .help = "Help."}, first);
  auto counts = registry.add<Histogram>({.name = "batch_records", .help = "Help."}, first);
  EXPECT_EQ(&sizes->value().scale(), &byte_scale);
  EXPECT_EQ(&counts->value().scale(), &count_scale);
  sizes->record(std::numeric_limits<std::uint64_t>::max());
  counts->record(0);
  EXPECT_EQ(sizes->value().max(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(counts->value().count(), 1u);
}

TEST(RegistryDeathTest, misuse_stops_the_process) {
  Registry registry(2);
  const auto family = registry.add<Counter>(requests);
  EXPECT_DEATH(static_cast<void>(family->of(first)), "each label of a metric has a value");
  EXPECT_DEATH(static_cast<void>(family->of(first, {"a", "b"})), "each label of a metric");
  EXPECT_DEATH(static_cast<void>(family->read()), "each label of a metric has a value");
  EXPECT_DEATH(static_cast<void>(family->of(ShardIndex{2}, {"a"})), "one of the registry's shards");
  EXPECT_DEATH(Registry(0), "shards_max shards");
  EXPECT_DEATH(Registry(shards_max + 1), "shards_max shards");
}

TEST(RegistryDeathTest, a_registry_that_ends_before_its_handles_stops_the_process) {
  auto registry = std::make_unique<Registry>(1);
  const auto counter = registry->add<Counter>(requests, first, {"Fetch"});
  EXPECT_DEATH(registry.reset(), "outlives all handles");
}

}  // namespace
}  // namespace millrace::telemetry
