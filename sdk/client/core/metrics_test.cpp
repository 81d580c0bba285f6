#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <vector>

import millrace.base;
import millrace.client.core;

namespace millrace::client {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

const MonotonicTime begin = MonotonicTime(1000s);

TEST(Meter, knows_nothing_before_the_first_value) {
  const Meter meter;
  EXPECT_TRUE(std::isnan(meter.average(begin)));
  EXPECT_TRUE(std::isnan(meter.maximum(begin)));
  EXPECT_TRUE(std::isnan(meter.minimum(begin)));
  EXPECT_EQ(meter.rate(begin), 0);
  EXPECT_EQ(meter.count_rate(begin), 0);
  EXPECT_EQ(meter.total(), 0);
}

// As Java's Rate: the first window counts as one that was full before it.
TEST(Meter, has_rates_over_at_least_one_full_window) {
  Meter meter;
  meter.record(60, begin);
  EXPECT_DOUBLE_EQ(meter.rate(begin), 2);
  EXPECT_DOUBLE_EQ(meter.rate(begin + 10s), 1.5);
  EXPECT_DOUBLE_EQ(meter.count_rate(begin), 1.0 / 30);
  meter.record(60, begin + 30s);
  EXPECT_DOUBLE_EQ(meter.rate(begin + 30s), 4);
  EXPECT_DOUBLE_EQ(meter.rate(begin + 40s), 3);
}

TEST(Meter, forgets_what_is_older_than_its_windows_but_not_the_totals) {
  Meter meter;
  meter.record(10, begin);
  meter.record(2, begin + 1s);
  meter.record(4, begin + 35s);
  EXPECT_DOUBLE_EQ(meter.average(begin + 59s), 16.0 / 3);
  EXPECT_EQ(meter.maximum(begin + 59s), 10);
  EXPECT_EQ(meter.minimum(begin + 59s), 2);
  EXPECT_EQ(meter.maximum(begin + 60s), 4);
  EXPECT_EQ(meter.minimum(begin + 60s), 4);
  EXPECT_TRUE(std::isnan(meter.average(begin + 95s)));
  EXPECT_EQ(meter.rate(begin + 95s), 0);
  EXPECT_EQ(meter.total(), 16);
  EXPECT_EQ(meter.count(), 3);
  meter.record(-1, begin + 1000s);
  EXPECT_EQ(meter.maximum(begin + 1000s), -1);
}

TEST(NetworkMeters, tell_all_traffic_and_that_of_each_broker) {
  NetworkMeters meters;
  meters.sent(BrokerId(-2), 100, begin);
  meters.sent(BrokerId(1), 200, begin);
  meters.received(BrokerId(-2), 10, 5ms, begin);
  meters.received(BrokerId(1), 20, 7ms, begin + 1s);
  MetricList list("me", begin + 1s);
  meters.list("producer", 2, list);
  std::map<std::string, double> found;
  for (const MetricRow& row : list.take()) {
    EXPECT_EQ(row.tags.at("client-id"), "me");
    EXPECT_FALSE(row.description.empty());
    const auto node = row.tags.find("node-id");
    found[row.group + (node == row.tags.end() ? "" : " " + node->second) + " " + row.name] =
        row.value;
  }
  EXPECT_EQ(found.at("producer-metrics outgoing-byte-total"), 300);
  EXPECT_EQ(found.at("producer-metrics request-total"), 2);
  EXPECT_EQ(found.at("producer-metrics request-size-max"), 200);
  EXPECT_EQ(found.at("producer-metrics network-io-total"), 4);
  EXPECT_EQ(found.at("producer-metrics connection-count"), 2);
  EXPECT_EQ(found.at("producer-node-metrics node-1 incoming-byte-total"), 20);
  EXPECT_EQ(found.at("producer-node-metrics node-1 request-latency-max"), 7);
  EXPECT_EQ(found.count("producer-node-metrics node--2 request-total"), 0U);
}

}  // namespace
}  // namespace millrace::client
