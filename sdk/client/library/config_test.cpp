#include "millrace/config.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string_view>

namespace {

using millrace::v1::Config;
using namespace std::chrono_literals;

TEST(Config, takes_names_and_values_as_they_are) {
  const Config config({{"bootstrap.servers", "localhost:9092"}, {"acks", "all"}});
  EXPECT_EQ(config.get("acks"), "all");
  EXPECT_EQ(config.get("linger.ms"), std::nullopt);
  ASSERT_EQ(config.entries().size(), 2U);
  EXPECT_EQ(config.entries().front().first, "bootstrap.servers");
}

TEST(Config, of_one_setting_is_no_copy_of_itself) {
  const Config config({{"acks", "1"}});
  ASSERT_EQ(config.entries().size(), 1U);
  EXPECT_EQ(config.get("acks"), "1");
}

TEST(Config, keeps_the_last_value_of_a_name) {
  Config config{{"acks", "1"}, {"acks", "all"}};
  EXPECT_EQ(config.get("acks"), "all");
  config.set("acks", 0);
  EXPECT_EQ(config.get("acks"), "0");
  EXPECT_EQ(config.entries().size(), 1U);
}

TEST(Config, merges_with_the_right_side_winning) {
  const Config base{{"acks", "1"}, {"linger.ms", "5"}};
  const Config merged = base + Config{{"acks", "all"}, {"transactional.id", "copy-1"}};
  EXPECT_EQ(merged.get("acks"), "all");
  EXPECT_EQ(merged.get("linger.ms"), "5");
  EXPECT_EQ(merged.get("transactional.id"), "copy-1");
  EXPECT_EQ(base.get("acks"), "1");
}

TEST(Config, writes_numbers_times_and_booleans_as_kafka_reads_them) {
  Config config;
  config.set("batch.size", 16'384).set("linger.ms", 2s).set("enable.idempotence", false);
  EXPECT_EQ(config.get("batch.size"), "16384");
  EXPECT_EQ(config.get("linger.ms"), "2000");
  EXPECT_EQ(config.get("enable.idempotence"), "false");
  config.set("linger.ms", 1us);
  EXPECT_EQ(config.get("linger.ms"), "1") << "a time that is not zero must not become zero";
}

TEST(Config, typed_builders_write_the_same_names) {
  using namespace millrace::v1;
  const auto producer = ProducerConfig("a:1,b:2")
                            .client_id("me")
                            .acks(Acks::all)
                            .linger(5ms)
                            .batch_size(1000)
                            .buffer_memory(1 << 20)
                            .max_block(1s)
                            .delivery_timeout(9s)
                            .compression(Compression::zstd)
                            .idempotence(true);
  const Config expected{{"bootstrap.servers", "a:1,b:2"},
                        {"client.id", "me"},
                        {"acks", "all"},
                        {"linger.ms", "5"},
                        {"batch.size", "1000"},
                        {"buffer.memory", "1048576"},
                        {"max.block.ms", "1000"},
                        {"delivery.timeout.ms", "9000"},
                        {"compression.type", "zstd"},
                        {"enable.idempotence", "true"}};
  EXPECT_EQ(producer.entries(), expected.entries());

  const auto consumer = ConsumerConfig("a:1")
                            .client_id("me")
                            .group_id("billing")
                            .group_instance_id("one")
                            .auto_offset_reset(OffsetReset::earliest)
                            .auto_commit(false)
                            .max_poll_records(10)
                            .max_poll_interval(1min)
                            .isolation(Isolation::read_committed);
  const Config wanted{{"bootstrap.servers", "a:1"},
                      {"client.id", "me"},
                      {"group.id", "billing"},
                      {"group.instance.id", "one"},
                      {"auto.offset.reset", "earliest"},
                      {"enable.auto.commit", "false"},
                      {"max.poll.records", "10"},
                      {"max.poll.interval.ms", "60000"},
                      {"isolation.level", "read_committed"}};
  EXPECT_EQ(consumer.entries(), wanted.entries());
}

}  // namespace
