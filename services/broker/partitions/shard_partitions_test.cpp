// Also proves following.cpp.
#include "broker_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

class PartitionsTest : public testing::Test {
 protected:
  BrokerMachine machine{11};
};

TEST_F(PartitionsTest, leads_what_the_metadata_say) {
  ASSERT_TRUE(machine.start().has_value());
  const Applied applied = machine.make_topic({.partitions = 7});
  EXPECT_EQ(applied.made, 7U);
  for (std::int32_t i = 0; i < 7; ++i) {
    EXPECT_EQ(machine.leader_code("orders", i), ErrorCode::none);
    EXPECT_EQ(machine.leader_code(topic_id_of("orders"), "orders", i), ErrorCode::none);
    EXPECT_EQ(machine.partition("orders", i).leader_epoch(), LeaderEpoch(3));
  }
}

TEST_F(PartitionsTest, says_why_it_does_not_serve_a_partition) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.partitions = 2});
  machine.make_topic({.name = "followed",
                      .leader = other_broker,
                      .replicas = {test_broker, other_broker},
                      .isr = {other_broker}});
  machine.make_topic({.name = "elsewhere",
                      .leader = other_broker,
                      .replicas = {other_broker},
                      .isr = {other_broker}});
  using enum ErrorCode;
  EXPECT_EQ(machine.leader_code("nothing"), unknown_topic_or_partition);
  EXPECT_EQ(machine.leader_code(topic_id_of("nothing"), "nothing"), unknown_topic_id);
  EXPECT_EQ(machine.leader_code("orders", 2), unknown_topic_or_partition);
  EXPECT_EQ(machine.leader_code("orders", -1), unknown_topic_or_partition);
  EXPECT_EQ(machine.leader_code("elsewhere", 1), unknown_topic_or_partition);
  EXPECT_EQ(machine.leader_code("elsewhere", -1), unknown_topic_or_partition);
  EXPECT_EQ(machine.leader_code(topic_id_of("orders"), "orders", 2), unknown_topic_or_partition);
  EXPECT_EQ(machine.leader_code("followed"), not_leader_or_follower);
  EXPECT_EQ(machine.leader_code("elsewhere"), not_leader_or_follower);
  EXPECT_EQ(machine.leader_code(topic_id_of("elsewhere"), "elsewhere"), not_leader_or_follower);
  EXPECT_EQ(machine.leader_code("orders", 0, LeaderEpoch(3)), none);
  EXPECT_EQ(machine.leader_code("orders", 0, LeaderEpoch(2)), fenced_leader_epoch);
  EXPECT_EQ(machine.leader_code("orders", 0, LeaderEpoch(4)), unknown_leader_epoch);

  const LeaderHint hint = leader_hint(*machine.image, "elsewhere", PartitionIndex(0));
  EXPECT_EQ(hint.leader, other_broker);
  EXPECT_EQ(hint.epoch, LeaderEpoch(3));
  EXPECT_EQ(leader_hint(*machine.image, topic_id_of("elsewhere"), PartitionIndex(0)).leader,
            other_broker);
  EXPECT_EQ(leader_hint(*machine.image, "elsewhere", PartitionIndex(1)).leader, no_broker);
}

TEST_F(PartitionsTest, a_topic_made_anew_under_its_name_is_empty) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  ASSERT_TRUE(machine.append(machine.partition("orders"), {}).has_value());
  EXPECT_EQ(machine.remove_topic("orders").removed, 1U);
  EXPECT_EQ(machine.leader_code("orders"), ErrorCode::unknown_topic_or_partition);
  machine.make_topic({.number = 2});
  EXPECT_EQ(machine.partition("orders").log_end(), Offset(0));
  EXPECT_EQ(machine.leader_code(topic_id_of("orders", 2), "orders"), ErrorCode::none);
  EXPECT_EQ(machine.leader_code(topic_id_of("orders", 1), "orders"), ErrorCode::unknown_topic_id);
  // Both in one step.
  ASSERT_TRUE(machine.append(machine.partition("orders"), {}).has_value());
  metadata::Partition partition;
  partition.index = PartitionIndex(0);
  partition.replicas = partition.isr = {test_broker};
  partition.leader = test_broker;
  machine.change({metadata::RemoveTopicRecord{topic_id_of("orders", 2)},
                  metadata::TopicRecord{"orders", topic_id_of("orders", 3), false},
                  metadata::PartitionRecord{topic_id_of("orders", 3), partition}});
  EXPECT_EQ(machine.partition("orders").log_end(), Offset(0));
  EXPECT_EQ(machine.partition("orders").topic_id(), topic_id_of("orders", 3));
}

TEST_F(PartitionsTest, takes_over_settings_at_once) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.partitions = 4});
  machine.make_topic({.name = "others"});
  machine.set("orders", "segment.bytes", "2000000");
  machine.set("orders", "max.message.bytes", "77");
  for (std::int32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(machine.partition("orders", i).log().config().segment_bytes, 2'000'000U);
    EXPECT_EQ(machine.partition("orders", i).settings().batch_bytes_max, 77U);
  }
  EXPECT_EQ(machine.partition("others").settings().batch_bytes_max, message_bytes_max_default);
  machine.set_server({{"message.max.bytes", "88"}});
  machine.run(machine.life->host->set_server_config(machine.server));
  EXPECT_EQ(machine.partition("orders").settings().batch_bytes_max, 77U);
  EXPECT_EQ(machine.partition("others").settings().batch_bytes_max, 88U);
  EXPECT_EQ(machine.partition("orders").log().config().segment_bytes, 2'000'000U);
  machine.change({metadata::ConfigRecord{metadata::ConfigKind::topic, "orders", "max.message.bytes",
                                         std::nullopt}});
  EXPECT_EQ(machine.partition("orders").settings().batch_bytes_max, 88U);
}

TEST_F(PartitionsTest, takes_over_all_that_the_server_sets_for_topics_without_their_own) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  machine.set_server({{"log.retention.ms", "1234"},
                      {"log.retention.bytes", "5678"},
                      {"log.segment.bytes", "2000000"},
                      {"log.cleanup.policy", "compact,delete"},
                      {"min.insync.replicas", "2"},
                      {"log.message.timestamp.type", "LogAppendTime"},
                      {"log.flush.interval.messages", "3"}});
  machine.run(machine.life->host->set_server_config(machine.server));
  machine.make_topic({.name = "later"});
  for (const char* topic : {"orders", "later"}) {
    const Partition& partition = machine.partition(topic);
    const storage::LogConfig& log = machine.partition(topic).log().config();
    EXPECT_EQ(log.retention, 1234ms) << topic;
    EXPECT_EQ(log.retention_bytes, 5678U) << topic;
    EXPECT_EQ(log.segment_bytes, 2'000'000U) << topic;
    EXPECT_TRUE(log.compacts && log.deletes) << topic;
    EXPECT_EQ(log.flush_records, 3U) << topic;
    EXPECT_EQ(partition.settings().insync_replicas_min, 2U) << topic;
    EXPECT_EQ(partition.settings().timestamp_type, protocol::TimestampType::log_append_time);
  }
}

TEST_F(PartitionsTest, finds_its_records_again_after_a_stop) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.partitions = 5});
  for (std::int32_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(machine.append(machine.partition("orders", i), {.values = {"a"}}).has_value());
  }
  machine.stop();
  const auto report = machine.start();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->opened, 5U);
  EXPECT_EQ(report->recovered, 0U);
  for (std::int32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(machine.values(machine.partition("orders", i)), std::vector<std::string>{"a"});
  }
}

// A topic may keep records for ever, and the server's settings delete them after a week.
TEST_F(PartitionsTest, deletes_nothing_before_the_settings_of_its_topic_are_known) {
  machine.set_server({{"log.retention.ms", "1000"}, {"log.retention.check.interval.ms", "1000"}});
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.settings = {{"retention.ms", "-1"}}});
  ASSERT_TRUE(machine.append(machine.partition("orders"), {.values = {"a"}}).has_value());
  machine.stop();
  ASSERT_TRUE(machine.start(false).has_value());
  machine.executor.advance(1h);
  machine.follow_all();
  machine.executor.advance(1h);
  EXPECT_EQ(machine.values(machine.partition("orders")), std::vector<std::string>{"a"});
  machine.set("orders", "retention.ms", "1000");
  machine.executor.advance(1h);
  EXPECT_TRUE(machine.values(machine.partition("orders")).empty());
}

TEST_F(PartitionsTest, sets_aside_what_is_in_no_topic_only_when_it_has_caught_up) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  ASSERT_TRUE(machine.append(machine.partition("orders"), {}).has_value());
  machine.stop();
  const auto with_topic = machine.image;
  machine.remove_topic("orders");
  ASSERT_TRUE(machine.start(false).has_value());
  machine.follow_all();
  EXPECT_FALSE(machine.says("-stray"));
  EXPECT_EQ(machine.wait(machine.life->host->caught_up()).removed, 1U);
  EXPECT_TRUE(machine.says("orders-0 is on disk"));
  EXPECT_NE(machine.disk.dump().find("-stray"), std::string::npos);
  machine.stop();
}

TEST_F(PartitionsTest, keeps_what_its_topic_brings_late) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  ASSERT_TRUE(machine.append(machine.partition("orders"), {.values = {"a"}}).has_value());
  machine.stop();
  const auto cluster = std::exchange(machine.image, metadata::empty_image());
  ASSERT_TRUE(machine.start(false).has_value());
  machine.follow_all();
  machine.image = cluster;
  machine.follow_all();
  machine.wait(machine.life->host->caught_up());
  EXPECT_EQ(machine.values(machine.partition("orders")), std::vector<std::string>{"a"});
}

TEST_F(PartitionsTest, removes_a_replica_that_was_moved_away) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.partitions = 2});
  machine.change_partition("orders", 1,
                           {.replicas = std::vector<BrokerId>{other_broker},
                            .isr = std::vector<BrokerId>{other_broker},
                            .leader = other_broker});
  EXPECT_EQ(machine.leader_code("orders", 0), ErrorCode::none);
  EXPECT_EQ(machine.leader_code("orders", 1), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(machine.partitions_of("orders", 1).find("orders", PartitionIndex(1)), nullptr);
  machine.change_partition("orders", 1,
                           {.replicas = std::vector<BrokerId>{test_broker},
                            .isr = std::vector<BrokerId>{test_broker},
                            .leader = test_broker});
  EXPECT_EQ(machine.leader_code("orders", 1), ErrorCode::none);
}

TEST_F(PartitionsTest, tells_of_the_leadership_of_internal_topics) {
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({});
  machine.make_topic({.name = "__consumer_offsets",
                      .partitions = 3,
                      .replicas = {test_broker, other_broker},
                      .isr = {test_broker, other_broker}});
  ASSERT_EQ(machine.leadership.size(), 3U);
  for (const LeadershipChange& change : machine.leadership) {
    EXPECT_EQ(change.topic, "__consumer_offsets");
    EXPECT_EQ(change.led, LeaderEpoch(3));
  }
  machine.leadership.clear();
  machine.change_partition("__consumer_offsets", 1, {.leader = other_broker});
  ASSERT_EQ(machine.leadership.size(), 1U);
  EXPECT_EQ(machine.leadership[0].partition, PartitionIndex(1));
  EXPECT_FALSE(machine.leadership[0].led.has_value());
  machine.change_partition("__consumer_offsets", 1, {.leader = test_broker});
  ASSERT_EQ(machine.leadership.size(), 2U);
  EXPECT_EQ(machine.leadership[1].led, LeaderEpoch(5));
  machine.leadership.clear();
  machine.remove_topic("__consumer_offsets");
  ASSERT_EQ(machine.leadership.size(), 3U);
  for (const LeadershipChange& change : machine.leadership) EXPECT_FALSE(change.led.has_value());
}

TEST_F(PartitionsTest, tries_again_what_could_not_be_made) {
  ASSERT_TRUE(machine.start().has_value());
  machine.disk.set_capacity(0);
  const Applied applied = machine.make_topic({.partitions = 3});
  EXPECT_EQ(applied.failed, 3U);
  EXPECT_EQ(machine.leader_code("orders", 1), ErrorCode::kafka_storage_error);
  EXPECT_TRUE(machine.says("tried again"));
  machine.executor.advance(1min);
  EXPECT_EQ(machine.leader_code("orders", 1), ErrorCode::kafka_storage_error);
  machine.disk.set_capacity(std::uint64_t{4} * 1024 * mebibyte);
  machine.executor.advance(1min);
  for (std::int32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(machine.leader_code("orders", i), ErrorCode::none);
    EXPECT_TRUE(machine.append(machine.partition("orders", i), {}).has_value());
  }
}

TEST_F(PartitionsTest, makes_nothing_anew_while_the_directory_that_may_have_it_is_offline) {
  constexpr std::int32_t count = 4;
  machine.directories = "/one,/two";
  machine.set_server({});
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.partitions = count});
  for (std::int32_t i = 0; i < count; ++i) {
    ASSERT_TRUE(machine.append(machine.partition("orders", i), {}).has_value());
  }
  machine.stop();
  machine.disk.faults().plan({.kind = IoKind::list, .path_part = "/one"});
  ASSERT_TRUE(machine.start().has_value());
  const auto offline = [&] {
    std::int32_t found = 0;
    for (std::int32_t i = 0; i < count; ++i) {
      if (machine.leader_code("orders", i) == ErrorCode::kafka_storage_error) ++found;
    }
    return found;
  };
  EXPECT_EQ(offline(), count / 2);
  // The controllers elect its leaders anew, as after each start.
  for (std::int32_t i = 0; i < count; ++i) {
    machine.change_partition("orders", i, {.leader = no_broker});
    machine.change_partition("orders", i, {.leader = test_broker});
  }
  EXPECT_EQ(offline(), count / 2);
  machine.executor.advance(2 * failed_partition_retry);
  EXPECT_EQ(offline(), count / 2);
  machine.kill();
  ASSERT_TRUE(machine.start().has_value());
  for (std::int32_t i = 0; i < count; ++i) {
    EXPECT_EQ(machine.values(machine.partition("orders", i)), std::vector<std::string>({"v"})) << i;
  }
}

TEST_F(PartitionsTest, forgets_what_could_not_be_made_when_its_topic_goes) {
  ASSERT_TRUE(machine.start().has_value());
  machine.disk.set_capacity(0);
  machine.make_topic({});
  machine.remove_topic("orders");
  EXPECT_EQ(machine.leader_code("orders"), ErrorCode::unknown_topic_or_partition);
  machine.disk.set_capacity(std::uint64_t{4} * 1024 * mebibyte);
  machine.executor.advance(1min);
  EXPECT_EQ(machine.leader_code("orders"), ErrorCode::unknown_topic_or_partition);
  machine.make_topic({.number = 2});
  EXPECT_EQ(machine.leader_code("orders"), ErrorCode::none);
}

TEST_F(PartitionsTest, makes_thousands_of_partitions_and_opens_them_again) {
  ASSERT_TRUE(machine.start().has_value());
  std::size_t made = 0;
  for (int i = 0; i < 20; ++i) {
    made += machine.make_topic({.name = "topic" + std::to_string(i), .partitions = 100}).made;
  }
  EXPECT_EQ(made, 2000U);
  machine.stop();
  const auto report = machine.start();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->opened, 2000U);
  EXPECT_EQ(machine.leader_code("topic19", 99), ErrorCode::none);
}

TEST_F(PartitionsTest, every_acknowledged_record_that_was_flushed_survives_a_power_cut) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    BrokerMachine cut(seed);
    ASSERT_TRUE(cut.start().has_value());
    cut.make_topic({.partitions = 4, .settings = {{"flush.messages", "1"}}});
    std::vector<std::vector<std::string>> acknowledged(4);
    cut.disk.cut_power_at(cut.disk.steps() + 5 + seed * 7, seed);
    for (int i = 0; i < 200 && cut.life->files.alive(); ++i) {
      const auto at = static_cast<std::size_t>(i % 4);
      const std::string value = std::to_string(i);
      const auto done = cut.append(cut.partition("orders", i % 4), {.values = {value}});
      if (done) acknowledged[at].push_back(value);
    }
    ASSERT_FALSE(cut.life->files.alive()) << seed;
    cut.kill();
    ASSERT_TRUE(cut.start().has_value());
    for (std::size_t i = 0; i < 4; ++i) {
      auto found = cut.values(cut.partition("orders", static_cast<std::int32_t>(i)));
      ASSERT_GE(found.size(), acknowledged[i].size()) << seed;
      found.resize(acknowledged[i].size());
      EXPECT_EQ(found, acknowledged[i]) << seed;
    }
  }
}

}  // namespace
}  // namespace millrace::broker
