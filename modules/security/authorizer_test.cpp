#include <gtest/gtest.h>

import millrace.security;

namespace millrace::security {
namespace {

TEST(Authorizer, operations_and_resources_have_kafkas_codes) {
  EXPECT_EQ(static_cast<int>(Operation::describe_configs), 10);
  EXPECT_EQ(static_cast<int>(Operation::two_phase_commit), 15);
  EXPECT_EQ(static_cast<int>(ResourceType::transactional_id), 5);
  for (int code = 1; code <= 15; ++code) {
    EXPECT_NE(name_of(static_cast<Operation>(code)), "UNKNOWN") << code;
  }
  for (int code = 1; code <= 7; ++code) {
    EXPECT_NE(name_of(static_cast<ResourceType>(code)), "UNKNOWN") << code;
  }
  EXPECT_EQ(name_of(Operation::remove), "DELETE");
  EXPECT_EQ(name_of(ResourceType::delegation_token), "DELEGATION_TOKEN");
}

TEST(Authorizer, allow_all_allows_all) {
  AllowAll authorizer;
  EXPECT_TRUE(authorizer.authorize({}, Operation::alter, ResourceType::cluster, cluster_name));
  EXPECT_FALSE(authorizer.restricts());
}

}  // namespace
}  // namespace millrace::security
