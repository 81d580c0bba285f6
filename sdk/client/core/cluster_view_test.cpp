// A picture of a cluster.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

import millrace.client.core;

namespace millrace::client {
namespace {

std::shared_ptr<const TopicView> topic(std::string name, std::uint8_t id) {
  auto made = std::make_shared<TopicView>();
  made->name = std::move(name);
  made->id.bytes[0] = std::byte{id};
  made->partitions.resize(2);
  made->partitions[1].index = PartitionIndex(3);
  return made;
}

TEST(ClusterView, finds_topics_by_name_and_by_id) {
  ClusterView view;
  view.set_topic(topic("a", 1));
  view.set_topic(topic("b", 2));
  EXPECT_EQ(view.find("a"), view.find(topic("", 1)->id));
  EXPECT_EQ(view.find("c"), nullptr);
  EXPECT_EQ(view.find(Uuid{}), nullptr);
  EXPECT_NE(view.find("b", PartitionIndex(3)), nullptr);
  EXPECT_EQ(view.find("b", PartitionIndex(1)), nullptr) << "indexes may have gaps";
  EXPECT_EQ(view.find("c", PartitionIndex(0)), nullptr);
}

TEST(ClusterView, a_topic_with_a_new_id_is_not_found_by_its_old_one) {
  ClusterView view;
  view.set_topic(topic("a", 1));
  view.set_topic(topic("a", 2));
  EXPECT_EQ(view.find(topic("", 1)->id), nullptr);
  EXPECT_NE(view.find(topic("", 2)->id), nullptr);
  view.remove_topic("a");
  EXPECT_EQ(view.find(topic("", 2)->id), nullptr);
  view.remove_topic("a");
}

TEST(ClusterView, two_topics_with_one_id_do_not_confuse_it) {
  ClusterView view;
  view.set_topic(topic("a", 1));
  view.set_topic(topic("b", 1));
  view.remove_topic("a");
  EXPECT_EQ(view.find(topic("", 1)->id), view.find("b"));
  view.clear_topics();
  EXPECT_TRUE(view.topics().empty());
}

TEST(ClusterView, has_each_broker_once_as_it_was_named_first) {
  ClusterView view;
  view.set_brokers({{BrokerId(2), {"b", Port(1)}, {}},
                    {BrokerId(1), {"a", Port(1)}, {}},
                    {BrokerId(2), {"c", Port(1)}, {}}});
  ASSERT_EQ(view.brokers().size(), 2U);
  EXPECT_EQ(view.find(BrokerId(2))->address.host, "b");
  EXPECT_EQ(view.find(BrokerId(3)), nullptr);
}

TEST(TopicPartition, is_written_as_kafka_writes_it) {
  const TopicPartition partition{"orders", PartitionIndex(3)};
  EXPECT_EQ(to_string(partition), "orders-3");
  EXPECT_EQ(std::hash<TopicPartition>{}(partition), std::hash<TopicPartition>{}(partition));
}

}  // namespace
}  // namespace millrace::client
