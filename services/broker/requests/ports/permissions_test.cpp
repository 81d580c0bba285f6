// What a session may do, as sets of bits.
#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>

import millrace.broker.requests.ports;
import millrace.security;

namespace millrace::broker {
namespace {

using security::Operation;
using security::ResourceType;

class AllowsOne final : public security::Authorizer {
 public:
  AllowsOne(Operation operation, ResourceType type) : operation_(operation), type_(type) {}
  bool authorize(const security::Session&, Operation operation, ResourceType type,
                 std::string_view) override {
    return operation == operation_ && type == type_;
  }
  bool restricts() const override { return true; }

 private:
  Operation operation_;
  ResourceType type_;
};

// The numbers that Apache Kafka 4.3.1 answers without an authoriser.
TEST(Permissions, without_restrictions_name_all_that_apply) {
  security::AllowAll all;
  const security::Session session;
  const Permissions permissions(all, session);
  EXPECT_EQ(permissions.operations_on_topic("orders"), 3576);
  EXPECT_EQ(permissions.operations_on_cluster(), 8096);
}

TEST(Permissions, name_what_is_allowed_and_no_more) {
  AllowsOne read_topics(Operation::read, ResourceType::topic);
  const security::Session session;
  const Permissions permissions(read_topics, session);
  EXPECT_EQ(permissions.operations_on_topic("orders"), 1 << 3);
  EXPECT_EQ(permissions.operations_on_cluster(), 0);
}

TEST(Permissions, to_create_in_the_cluster_are_enough_for_every_topic) {
  AllowsOne on_cluster(Operation::create, ResourceType::cluster);
  AllowsOne on_topic(Operation::create, ResourceType::topic);
  AllowsOne on_group(Operation::create, ResourceType::group);
  const security::Session session;
  EXPECT_TRUE(Permissions(on_cluster, session).may_create_topic("orders"));
  EXPECT_TRUE(Permissions(on_topic, session).may_create_topic("orders"));
  EXPECT_FALSE(Permissions(on_group, session).may_create_topic("orders"));
}

}  // namespace
}  // namespace millrace::broker
