// The cluster as one client sees it.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_lookups.hpp"

namespace millrace::broker {
namespace {

TEST(ClusterView, finds_the_endpoint_of_the_listener_that_the_client_came_by) {
  Client client;
  const auto image = Cluster().broker(1).broker(2, true).broker(3, false, {}, false).image();
  const ClusterView outer = client.view(image);
  ASSERT_NE(outer.endpoint_of(BrokerId(1)), nullptr);
  EXPECT_EQ(outer.endpoint_of(BrokerId(1))->host, "host-1");
  EXPECT_EQ(outer.endpoint_of(BrokerId(2)), nullptr) << "it is fenced";
  EXPECT_EQ(outer.endpoint_of(BrokerId(9)), nullptr) << "it is not there";
  const ClusterView inner = client.view(image, "INNER");
  EXPECT_EQ(inner.endpoint_of(BrokerId(1))->host, "inner-1");
  EXPECT_EQ(inner.endpoint_of(BrokerId(3)), nullptr) << "it does not listen there";
}

// Controllers have no listener for clients: any live broker takes what is meant for them.
TEST(ClusterView, tells_the_lowest_live_broker_as_the_controller) {
  Client client;
  const auto image = Cluster().broker(1, true).broker(3).broker(2).image();
  EXPECT_EQ(client.view(image).told_as_controller(), BrokerId(2));
  EXPECT_EQ(client.view(metadata::empty_image()).told_as_controller(), no_broker);
}

TEST(TopicNames, are_checked_as_kafka_does) {
  for (const std::string_view good : {"a", "A.b_c-9", "..."}) {
    EXPECT_TRUE(check_topic_name(good).has_value()) << good;
  }
  EXPECT_TRUE(check_topic_name(std::string(249, 'x')).has_value());
  for (const std::string_view bad : {"", ".", "..", "a b", "a/b", "\xc3\xa9", "a\n"}) {
    const auto checked = check_topic_name(bad);
    ASSERT_FALSE(checked.has_value()) << bad;
    EXPECT_FALSE(checked.error().empty());
    EXPECT_EQ(checked.error().find('\n'), std::string::npos) << "a sentence stays one line";
  }
  EXPECT_FALSE(check_topic_name(std::string(250, 'x')).has_value());
  EXPECT_FALSE(check_topic_name(std::string("a\0b", 3)).has_value());
}

TEST(SeenLeader, is_told_only_if_clients_reach_it) {
  Client client;
  const auto image = Cluster().broker(1).broker(2, true).broker(3, false, {}, false).image();
  const ClusterView inner = client.view(image, "INNER");
  const auto led_by = [&](std::int32_t leader, bool tells) {
    return seen_leader(Cluster::partition(0, leader, {1}), inner, tells);
  };
  EXPECT_EQ(led_by(1, true).id, BrokerId(1));
  EXPECT_EQ(led_by(1, true).error, ErrorCode::none);
  EXPECT_EQ(led_by(2, true).id, no_broker);
  EXPECT_EQ(led_by(2, true).error, ErrorCode::leader_not_available);
  EXPECT_EQ(led_by(-1, true).error, ErrorCode::leader_not_available);
  EXPECT_EQ(led_by(3, true).error, ErrorCode::listener_not_found);
  EXPECT_EQ(led_by(3, false).error, ErrorCode::leader_not_available);
}

}  // namespace
}  // namespace millrace::broker
