#include "broker_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

class SettingsTest : public testing::Test {
 protected:
  TopicSettings of(const metadata::ConfigMap& own) {
    return *topic_settings(*machine.server, &own);
  }

  BrokerMachine machine{1, 1};
};

TEST_F(SettingsTest, are_the_servers_where_the_topic_has_none) {
  const auto settings = topic_settings(*machine.server, nullptr);
  EXPECT_EQ(settings->batch_bytes_max, message_bytes_max_default);
  EXPECT_EQ(settings->insync_replicas_min, 1U);
  EXPECT_EQ(settings->timestamp_type, protocol::TimestampType::create_time);
  EXPECT_EQ(settings->timestamp_after_max, 1h);
  EXPECT_FALSE(settings->compression.has_value());
  EXPECT_TRUE(settings->log.deletes);
}

TEST_F(SettingsTest, of_the_topic_count_before_the_servers) {
  const TopicSettings settings = of({{"max.message.bytes", "5000"},
                                     {"min.insync.replicas", "2"},
                                     {"message.timestamp.type", "LogAppendTime"},
                                     {"message.timestamp.before.max.ms", "1000"},
                                     {"compression.type", "zstd"},
                                     {"compression.zstd.level", "5"},
                                     {"cleanup.policy", "compact"}});
  EXPECT_EQ(settings.batch_bytes_max, 5000U);
  EXPECT_EQ(settings.insync_replicas_min, 2U);
  EXPECT_EQ(settings.timestamp_type, protocol::TimestampType::log_append_time);
  EXPECT_EQ(settings.timestamp_before_max, 1s);
  ASSERT_TRUE(settings.compression.has_value());
  EXPECT_EQ(settings.compression->codec(), protocol::Codec::zstd);
  EXPECT_EQ(settings.compression->level(), protocol::CompressionLevel(5));
  EXPECT_TRUE(settings.log.compacts);
  EXPECT_FALSE(settings.log.deletes);
}

TEST_F(SettingsTest, name_each_codec) {
  using protocol::Codec;
  for (const auto& [text, codec] :
       {std::pair("uncompressed", Codec::none), std::pair("gzip", Codec::gzip),
        std::pair("snappy", Codec::snappy), std::pair("lz4", Codec::lz4),
        std::pair("zstd", Codec::zstd)}) {
    const TopicSettings settings = of({{"compression.type", text}});
    ASSERT_TRUE(settings.compression.has_value()) << text;
    EXPECT_EQ(settings.compression->codec(), codec) << text;
  }
}

TEST_F(SettingsTest, that_cannot_be_understood_are_left_out_and_the_others_count) {
  const TopicSettings settings =
      of({{"max.message.bytes", "many"}, {"no.such.setting", "1"}, {"retention.ms", "1234"}});
  EXPECT_EQ(settings.batch_bytes_max, message_bytes_max_default);
  EXPECT_EQ(settings.log.retention, 1234ms);
  // Each is right, both are not.
  const TopicSettings contradicting = of(
      {{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "5"}, {"retention.ms", "1234"}});
  EXPECT_EQ(contradicting.log.compaction_lag_min, 0ms);
  EXPECT_EQ(contradicting.log.retention, 1234ms);
}

}  // namespace
}  // namespace millrace::broker
