// Also proves image.cpp, limits.cppm, types.cppm.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.metadata;

namespace millrace::metadata {
namespace {

Uuid uuid_of(std::uint8_t number) {
  Uuid uuid;
  uuid.bytes.fill(std::byte{number});
  return uuid;
}

PartitionRecord partition_of(const Uuid& topic, int index, std::vector<BrokerId> replicas) {
  Partition partition;
  partition.index = PartitionIndex(index);
  partition.isr = replicas;
  partition.leader = replicas.empty() ? no_broker : replicas.front();
  partition.replicas = std::move(replicas);
  return {topic, partition};
}

Broker broker_of(int id) {
  Broker broker;
  broker.id = BrokerId(id);
  broker.epoch = BrokerEpoch(10 + id);
  return broker;
}

const std::vector<BrokerId> replicas = {BrokerId(1), BrokerId(2)};

class Builder : public testing::Test {
 protected:
  Builder() : builder(empty_image()) {
    apply(ClusterRecord{uuid_of(9), 1, BrokerEpoch(0)});
    apply(RegisterBrokerRecord{broker_of(1)});
    apply(TopicRecord{"a", uuid_of(1), false});
    apply(PartitionRecord(partition_of(uuid_of(1), 0, replicas)));
    apply(PartitionRecord(partition_of(uuid_of(1), 1, replicas)));
    apply(ConfigRecord{ConfigKind::topic, "a", "retention.ms", "1"});
    base = builder.take().first;
  }
  void apply(const Record& record) {
    const auto applied = builder.apply(record);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void refuse(const Record& record) {
    ImageBuilder fresh(base);
    const auto applied = fresh.apply(record);
    ASSERT_FALSE(applied);
    EXPECT_FALSE(applied.error().message.empty());
  }
  ImageBuilder builder;
  std::shared_ptr<const Image> base;
};

TEST_F(Builder, changes_are_in_the_new_image_and_not_in_the_old_one) {
  PartitionChangeRecord change;
  change.topic = uuid_of(1);
  change.partition = PartitionIndex(1);
  change.leader = BrokerId(2);
  apply(change);
  const auto [image, delta] = builder.take();
  const Partition& after = image->topic("a")->partitions[1];
  EXPECT_EQ(after.leader, BrokerId(2));
  EXPECT_EQ(after.leader_epoch, LeaderEpoch(1));
  EXPECT_EQ(after.partition_epoch, 1);
  EXPECT_EQ(after.isr, replicas);
  EXPECT_EQ(base->topic("a")->partitions[1].leader, BrokerId(1));
  EXPECT_EQ(image->topic("a"), image->topic(uuid_of(1)));
  EXPECT_EQ(delta.topics, std::vector<Uuid>{uuid_of(1)});
  EXPECT_FALSE(delta.everything);
  EXPECT_TRUE(delta.brokers.empty());
  EXPECT_FALSE(image->same_cluster(*base));
}

TEST_F(Builder, the_delta_names_what_changed_and_begins_anew_after_each_image) {
  apply(BrokerChangeRecord{BrokerId(1), BrokerEpoch(11), false, true});
  apply(ConfigRecord{ConfigKind::broker, "", "message.max.bytes", "5"});
  apply(TopicRecord{"b", uuid_of(2), true});
  const auto [image, delta] = builder.take();
  EXPECT_EQ(delta.brokers, std::vector<BrokerId>{BrokerId(1)});
  ASSERT_EQ(delta.configs.size(), 1u);
  EXPECT_EQ(delta.configs[0], (std::pair<ConfigKind, std::string>(ConfigKind::broker, "")));
  EXPECT_EQ(delta.topics, std::vector<Uuid>{uuid_of(2)});
  EXPECT_FALSE(image->broker(BrokerId(1))->fenced);
  EXPECT_TRUE(image->broker(BrokerId(1))->in_controlled_shutdown);
  EXPECT_TRUE(builder.take().second.topics.empty());
}

TEST_F(Builder, a_topic_that_is_removed_takes_its_settings_along_and_is_not_among_the_changed) {
  apply(TopicRecord{"gone", uuid_of(2), false});
  apply(RemoveTopicRecord{uuid_of(2)});
  apply(RemoveTopicRecord{uuid_of(1)});
  const auto [image, delta] = builder.take();
  EXPECT_TRUE(delta.topics.empty());
  ASSERT_EQ(delta.removed_topics.size(), 2u);
  EXPECT_EQ(delta.removed_topics[1], (std::pair<std::string, Uuid>("a", uuid_of(1))));
  EXPECT_EQ(image->topic_count(), 0u);
  EXPECT_EQ(image->partition_count(), 0u);
  EXPECT_EQ(image->config(ConfigKind::topic, "a"), nullptr);
  EXPECT_EQ(delta.configs.size(), 1u);
}

TEST_F(Builder, settings_that_are_all_unset_leave_nothing) {
  apply(ConfigRecord{ConfigKind::topic, "a", "retention.ms", std::nullopt});
  EXPECT_EQ(builder.take().first->config(ConfigKind::topic, "a"), nullptr);
}

TEST_F(Builder, what_cannot_be_true_is_refused) {
  refuse(ClusterRecord{uuid_of(8), 1, BrokerEpoch(0)});
  refuse(ClusterRecord{uuid_of(9), 99, BrokerEpoch(0)});
  refuse(BrokerChangeRecord{BrokerId(1), BrokerEpoch(3), true, std::nullopt});
  refuse(UnregisterBrokerRecord{BrokerId(4), BrokerEpoch(3)});
  refuse(RegisterBrokerRecord{broker_of(-2)});
  refuse(TopicRecord{"a", uuid_of(3), false});
  refuse(TopicRecord{"c", uuid_of(1), false});
  refuse(TopicRecord{"", uuid_of(3), false});
  refuse(PartitionRecord(partition_of(uuid_of(1), 3, replicas)));
  refuse(PartitionRecord(partition_of(uuid_of(1), 2, {})));
  refuse(PartitionRecord(partition_of(uuid_of(1), 2, {BrokerId(1), BrokerId(1)})));
  refuse(PartitionRecord(partition_of(uuid_of(7), 0, replicas)));
  refuse(PartitionChangeRecord{uuid_of(1), PartitionIndex(2)});
  refuse(PartitionChangeRecord{uuid_of(1), PartitionIndex(-1)});
  PartitionChangeRecord stranger{uuid_of(1), PartitionIndex(0)};
  stranger.leader = BrokerId(5);
  refuse(stranger);
  refuse(RemoveTopicRecord{uuid_of(7)});
}

TEST_F(Builder, producer_ids_are_not_given_out_twice) {
  apply(ProducerIdsRecord{BrokerId(1), BrokerEpoch(1), ProducerId(1000)});
  EXPECT_EQ(builder.take().first->next_producer_id(), ProducerId(1000));
  EXPECT_FALSE(builder.apply(ProducerIdsRecord{BrokerId(1), BrokerEpoch(1), ProducerId(999)}));
}

TEST_F(Builder, topics_are_visited_by_name_and_found_by_both_names) {
  apply(TopicRecord{"0", uuid_of(3), false});
  const auto image = builder.take().first;
  std::vector<std::string> names;
  image->for_each_topic([&](const Topic& topic) { names.push_back(topic.name); });
  EXPECT_EQ(names, (std::vector<std::string>{"0", "a"}));
  EXPECT_EQ(image->topic(uuid_of(3))->name, "0");
  EXPECT_FALSE(image->topic("none"));
  EXPECT_EQ(image->broker(BrokerId(3)), nullptr);
}

}  // namespace
}  // namespace millrace::metadata
