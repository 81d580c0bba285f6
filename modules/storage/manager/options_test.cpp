// From the configuration of a server and of a topic to what managers and logs are told.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.config;
import millrace.storage.manager;

namespace millrace::storage {
namespace {

using namespace std::chrono_literals;
using Entries = std::vector<config::PropertyEntry>;

config::ServerConfig server(Entries entries = {}) {
  config::Layer layer;
  layer.entries = std::move(entries);
  auto made = config::make_server_config({std::move(layer)}, {}, nullptr);
  EXPECT_TRUE(made);
  return std::move(made->config);
}

LogConfig log_of(const config::ServerConfig& broker, Entries topic = {}) {
  const auto made = config::make_topic_config(broker, std::move(topic));
  EXPECT_TRUE(made);
  return log_config(broker, made->config);
}

TEST(LogConfig, has_kafkas_defaults) {
  const LogConfig made = log_of(server());
  const LogConfig defaults;
  EXPECT_EQ(made.segment_bytes, defaults.segment_bytes);
  EXPECT_EQ(made.segment_age_max, defaults.segment_age_max);
  EXPECT_EQ(made.segment_jitter_max, defaults.segment_jitter_max);
  EXPECT_EQ(made.segment_index_bytes, defaults.segment_index_bytes);
  EXPECT_EQ(made.index_interval_bytes, defaults.index_interval_bytes);
  EXPECT_EQ(made.deletes, defaults.deletes);
  EXPECT_EQ(made.compacts, defaults.compacts);
  EXPECT_EQ(made.retention, defaults.retention);
  EXPECT_EQ(made.retention_bytes, defaults.retention_bytes);
  EXPECT_EQ(made.file_delete_delay, defaults.file_delete_delay);
  EXPECT_EQ(made.delete_retention, defaults.delete_retention);
  EXPECT_EQ(made.dirty_ratio_min, defaults.dirty_ratio_min);
  EXPECT_EQ(made.flush_records, std::nullopt);
  EXPECT_EQ(made.flush_interval, std::nullopt);
  EXPECT_EQ(made.producer_expiration, defaults.producer_expiration);
}

TEST(LogConfig, takes_the_servers_settings_by_kafkas_synonyms) {
  const LogConfig made = log_of(server({{"log.segment.bytes", "2000000"},
                                        {"log.roll.hours", "2"},
                                        {"log.retention.minutes", "5"},
                                        {"log.retention.bytes", "77"},
                                        {"log.cleanup.policy", "compact"},
                                        {"log.flush.interval.messages", "1"},
                                        {"log.flush.scheduler.interval.ms", "900"},
                                        {"log.segment.delete.delay.ms", "3"},
                                        {"log.roll.jitter.hours", "1"},
                                        {"log.index.size.max.bytes", "4000"},
                                        {"log.index.interval.bytes", "300"},
                                        {"log.cleaner.delete.retention.ms", "6"},
                                        {"log.cleaner.min.cleanable.ratio", "0.25"},
                                        {"producer.id.expiration.ms", "4000"}}));
  EXPECT_EQ(made.segment_bytes, 2'000'000u);
  EXPECT_EQ(made.segment_age_max, 2h);
  EXPECT_EQ(made.retention, 5min);
  EXPECT_EQ(made.retention_bytes, 77u);
  EXPECT_TRUE(made.compacts);
  EXPECT_FALSE(made.deletes);
  EXPECT_EQ(made.flush_records, 1u);
  EXPECT_EQ(made.flush_interval, 900ms);
  EXPECT_EQ(made.file_delete_delay, 3ms);
  EXPECT_EQ(made.segment_jitter_max, 1h);
  EXPECT_EQ(made.segment_index_bytes, 4'000u);
  EXPECT_EQ(made.index_interval_bytes, 300u);
  EXPECT_EQ(made.delete_retention, 6ms);
  EXPECT_EQ(made.dirty_ratio_min, 0.25);
  EXPECT_EQ(made.producer_expiration, 4s);
}

TEST(LogConfig, a_compacted_log_closes_segments_before_they_are_overdue) {
  const config::ServerConfig broker = server(
      {{"log.cleaner.min.compaction.lag.ms", "5"}, {"log.cleaner.max.compaction.lag.ms", "60000"}});
  const LogConfig compacted = log_of(broker, {{"cleanup.policy", "compact"}});
  EXPECT_EQ(compacted.compaction_lag_min, 5ms);
  EXPECT_EQ(compacted.compaction_lag_max, 1min);
  EXPECT_EQ(compacted.segment_age_max, 1min);
  EXPECT_EQ(log_of(broker).segment_age_max, 24h * 7);
  EXPECT_EQ(log_of(server(), {{"cleanup.policy", "compact"}}).compaction_lag_max, std::nullopt);
}

TEST(LogConfig, a_topics_own_settings_come_first) {
  const LogConfig made =
      log_of(server({{"log.retention.ms", "1000"}, {"log.flush.interval.ms", "5"}}),
             {{"retention.ms", "-1"}, {"flush.ms", "7"}, {"cleanup.policy", "compact,delete"}});
  EXPECT_EQ(made.retention, std::nullopt);
  EXPECT_EQ(made.flush_interval, 7ms);
  EXPECT_TRUE(made.compacts);
  EXPECT_TRUE(made.deletes);
}

TEST(ManagerOptions, come_from_the_servers_configuration) {
  const ManagerOptions made =
      manager_options(server({{"log.dirs", "/one,/two"},
                              {"num.recovery.threads.per.data.dir", "9"},
                              {"log.retention.check.interval.ms", "1001"},
                              {"log.flush.scheduler.interval.ms", "1002"},
                              {"log.flush.offset.checkpoint.interval.ms", "1003"},
                              {"log.flush.start.offset.checkpoint.interval.ms", "1004"},
                              {"replica.high.watermark.checkpoint.interval.ms", "1005"},
                              {"log.cleaner.enable", "false"},
                              {"log.cleaner.dedupe.buffer.size", "10000000"},
                              {"log.cleaner.io.max.bytes.per.second", "2500.5"},
                              {"log.cleaner.backoff.ms", "1006"},
                              {"millrace.disk.reserve.bytes", "12"},
                              {"millrace.scrub.bytes.per.second", "0"}}));
  EXPECT_EQ(made.directories, std::vector<std::string>({"/one", "/two"}));
  EXPECT_EQ(made.recovery_threads, 9u);
  EXPECT_EQ(made.retention_check, 1'001ms);
  EXPECT_EQ(made.flush_check, 1'002ms);
  EXPECT_EQ(made.recovery_point_interval, 1'003ms);
  EXPECT_EQ(made.log_start_interval, 1'004ms);
  EXPECT_EQ(made.high_watermark_interval, 1'005ms);
  EXPECT_FALSE(made.cleans);
  EXPECT_EQ(made.cleaner_buffer_bytes, 10'000'000u);
  EXPECT_EQ(made.cleaner_bytes_per_second, 2'500.5);
  EXPECT_EQ(made.cleaner_backoff, 1'006ms);
  EXPECT_EQ(made.reserve_bytes, 12u);
  EXPECT_EQ(made.scrub_bytes_per_second, 0u);
}

TEST(ManagerOptions, have_the_defaults_of_the_configuration) {
  const ManagerOptions made = manager_options(server());
  const ManagerOptions defaults;
  EXPECT_EQ(made.recovery_threads, defaults.recovery_threads);
  EXPECT_EQ(made.retention_check, defaults.retention_check);
  EXPECT_EQ(made.flush_check, defaults.flush_check);
  EXPECT_EQ(made.recovery_point_interval, defaults.recovery_point_interval);
  EXPECT_EQ(made.log_start_interval, defaults.log_start_interval);
  EXPECT_EQ(made.high_watermark_interval, defaults.high_watermark_interval);
  EXPECT_EQ(made.reserve_bytes, defaults.reserve_bytes);
  EXPECT_EQ(made.scrub_bytes_per_second, defaults.scrub_bytes_per_second);
  EXPECT_EQ(made.cleans, defaults.cleans);
  EXPECT_EQ(made.cleaner_buffer_bytes, defaults.cleaner_buffer_bytes);
  EXPECT_EQ(made.cleaner_bytes_per_second, defaults.cleaner_bytes_per_second);
  EXPECT_EQ(made.cleaner_backoff, defaults.cleaner_backoff);
}

}  // namespace
}  // namespace millrace::storage
