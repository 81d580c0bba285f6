// What clients measure, and that they call it as Kafka's clients do.
#include "millrace/metrics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/admin.hpp"
#include "millrace/consumer.hpp"
#include "millrace/producer.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

// "GROUP NAME TAG,TAG", as golden/Metrics.java prints it.
std::string line_of(const Metric& metric) {
  std::string tags;
  for (const auto& [tag, value] : metric.tags) tags += (tags.empty() ? "" : ",") + tag;
  return metric.group + " " + metric.name + " " + tags;
}

std::string text_of(const std::string& file) {
  std::ifstream stream(std::string(MILLRACE_SOURCE_DIR) + "/" + file);
  EXPECT_TRUE(stream) << file;
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// What Java's clients have and these have not: they know no authentication, no selector and no
// transactions of two phases, and count no rate where another thread would have to.
bool is_left_out(const std::string& line) {
  static const std::vector<std::string> parts = {
      "app-info ", "kafka-metrics-count ", "authentication",         " io-",
      " select-",  " txn-prepare-",        " bufferpool-wait-ratio", " buffer-exhausted-rate"};
  return std::ranges::any_of(
      parts, [&](const std::string& part) { return line.find(part) != std::string::npos; });
}

class MetricsTest : public testing::Test {
 protected:
  MetricsTest() { cluster_.create_topic("metrics"); }

  Config config() const {
    return {{"bootstrap.servers", cluster_.bootstrap()}, {"client.id", "me"}};
  }
  // The value of the only metric that is called so.
  static double value_of(const Metrics& metrics, std::string_view group, std::string_view name,
                         std::map<std::string, std::string> tags = {}) {
    tags["client-id"] = "me";
    for (const Metric& metric : metrics)
      if (metric.group == group && metric.name == name && metric.tags == tags) return metric.value;
    ADD_FAILURE() << group << ' ' << name;
    return 0;
  }

  MockCluster cluster_;
};

TEST_F(MetricsTest, have_the_names_that_kafka_gives_them) {
  Producer producer(config());
  ASSERT_TRUE(producer.send({.topic = "metrics", .value = "x"}).get());
  Metrics all = producer.metrics().value();
  Consumer consumer(config() + Config{{"group.id", "metrics"}, {"auto.offset.reset", "earliest"}});
  ASSERT_TRUE(consumer.subscribe({"metrics"}));
  while (consumer.poll(10s).value().empty()) {
  }
  ASSERT_TRUE(consumer.commit());
  Admin admin(config());
  // Of a broker: the first one that is asked is none of the cluster yet.
  ASSERT_TRUE(admin.describe_configs({{ResourceType::broker, "1"}}).get()[0].second);
  for (const Metrics& more : {consumer.metrics().value(), admin.metrics().value()})
    all.insert(all.end(), more.begin(), more.end());

  std::set<std::string> ours;
  for (const Metric& metric : all) {
    EXPECT_TRUE(ours.insert(line_of(metric)).second) << "twice: " << line_of(metric);
    EXPECT_FALSE(metric.description.empty()) << line_of(metric);
    EXPECT_EQ(metric.tags.at("client-id"), "me");
  }
  std::set<std::string> theirs;
  std::istringstream golden(text_of("sdk/client/library/golden/metrics.txt"));
  for (std::string line; std::getline(golden, line);)
    if (!is_left_out(line)) theirs.insert(line);
  EXPECT_EQ(ours, theirs);

  const std::string page = text_of("docs/sdk/metrics.md");
  for (const Metric& metric : all)
    EXPECT_NE(page.find("| `" + metric.name + "` | " + metric.description + " |"),
              std::string::npos)
        << metric.group << ": docs/sdk/metrics.md lacks | `" << metric.name << "` | "
        << metric.description << " |";
}

TEST_F(MetricsTest, of_a_producer_count_what_it_sent) {
  Producer producer(config() + Config{{"compression.type", "gzip"}});
  const std::string value(1000, 'x');
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(producer.post({.topic = "metrics", .value = value}));
  ASSERT_TRUE(producer.flush(30s));
  const Metrics metrics = producer.metrics().value();
  const std::string_view group = "producer-metrics";
  EXPECT_EQ(value_of(metrics, group, "record-send-total"), 100);
  EXPECT_GT(value_of(metrics, group, "record-send-rate"), 0);
  EXPECT_EQ(value_of(metrics, group, "record-error-total"), 0);
  EXPECT_GT(value_of(metrics, group, "record-size-max"), 1000);
  EXPECT_LT(value_of(metrics, group, "record-size-max"), 1100);
  EXPECT_LT(value_of(metrics, group, "compression-rate-avg"), 0.5);
  EXPECT_EQ(value_of(metrics, group, "buffer-total-bytes"),
            value_of(metrics, group, "buffer-available-bytes"));
  EXPECT_EQ(value_of(metrics, group, "requests-in-flight"), 0);
  EXPECT_GE(value_of(metrics, group, "connection-count"), 1);
  EXPECT_GT(value_of(metrics, group, "flush-time-ns-total"), 0);
  EXPECT_GT(value_of(metrics, group, "metadata-wait-time-ns-total"), 0);
  EXPECT_GT(value_of(metrics, group, "request-latency-max"), 0);
  const std::map<std::string, std::string> topic = {{"topic", "metrics"}};
  EXPECT_EQ(value_of(metrics, "producer-topic-metrics", "record-send-total", topic), 100);
  EXPECT_LT(value_of(metrics, "producer-topic-metrics", "byte-total", topic), 50'000);
  EXPECT_GT(value_of(metrics, "producer-node-metrics", "request-total", {{"node-id", "node-1"}}),
            0);
}

TEST_F(MetricsTest, of_a_producer_count_what_failed_and_what_was_tried_again) {
  const ClientOptions quiet{.log = [](LogLevel, std::string_view, std::string_view) {}};
  Producer producer(config() + Config{{"retries", "2"}, {"retry.backoff.ms", "1"}}, quiet);
  cluster_.refuse_produce(19, 3);  // NOT_ENOUGH_REPLICAS
  EXPECT_FALSE(producer.send({.topic = "metrics", .value = "x"}).get());
  const Metrics metrics = producer.metrics().value();
  EXPECT_EQ(value_of(metrics, "producer-metrics", "record-retry-total"), 2);
  EXPECT_EQ(value_of(metrics, "producer-metrics", "record-error-total"), 1);
  EXPECT_EQ(value_of(metrics, "producer-metrics", "record-send-total"), 3);
}

TEST_F(MetricsTest, of_a_consumer_count_what_it_read) {
  {
    Producer producer(config());
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(producer.post({.topic = "metrics", .value = "x"}));
  }
  Consumer consumer(config() + Config{{"group.id", "metrics"}, {"auto.offset.reset", "earliest"}});
  ASSERT_TRUE(consumer.subscribe({"metrics"}));
  std::size_t count = 0;
  while (count < 100) count += consumer.poll(10s).value().size();
  ASSERT_TRUE(consumer.commit());
  const Metrics metrics = consumer.metrics().value();
  const std::string_view fetching = "consumer-fetch-manager-metrics";
  const std::string_view group = "consumer-coordinator-metrics";
  EXPECT_EQ(value_of(metrics, fetching, "records-consumed-total"), 100);
  EXPECT_EQ(value_of(metrics, fetching, "records-consumed-total", {{"topic", "metrics"}}), 100);
  const std::map<std::string, std::string> partition = {{"topic", "metrics"}, {"partition", "0"}};
  EXPECT_EQ(value_of(metrics, fetching, "records-lag", partition), 0);
  EXPECT_EQ(value_of(metrics, fetching, "records-lead", partition), 100);
  EXPECT_EQ(value_of(metrics, group, "assigned-partitions"), 1);
  EXPECT_EQ(value_of(metrics, group, "rebalance-total"), 1);
  EXPECT_GE(value_of(metrics, group, "commit-total"), 1);
  EXPECT_GE(value_of(metrics, "consumer-metrics", "last-poll-seconds-ago"), 0);
  EXPECT_GT(value_of(metrics, "consumer-metrics", "commit-sync-time-ns-total"), 0);
}

TEST_F(MetricsTest, brokers_give_each_client_an_id_of_its_own) {
  Producer producer(config());
  Consumer consumer(config());
  const auto of_producer = producer.client_instance_id(10s);
  ASSERT_TRUE(of_producer) << of_producer.error().message();
  EXPECT_NE(*of_producer, Uuid());
  EXPECT_EQ(producer.client_instance_id(10s).value(), *of_producer);
  const auto of_consumer = consumer.client_instance_id(10s);
  ASSERT_TRUE(of_consumer) << of_consumer.error().message();
  EXPECT_NE(*of_consumer, *of_producer);
  ASSERT_TRUE(consumer.close());
  EXPECT_FALSE(consumer.client_instance_id(10s));
  Producer alone({{"bootstrap.servers", "127.0.0.1:1"}}, {.log_level = LogLevel::error});
  const auto none = alone.client_instance_id(100ms);
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is_retriable()) << none.error().message();
}

}  // namespace
