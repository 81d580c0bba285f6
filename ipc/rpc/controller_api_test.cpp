// Also proves limits.cppm.
#include <gtest/gtest.h>

#include <coroutine>
#include <string_view>

import millrace.ipc.rpc;

namespace millrace::rpc {
namespace {

TEST(ControllerApi, faults_and_kinds_have_names) {
  EXPECT_EQ(name_of(RpcFault::timed_out), "timed out");
  EXPECT_EQ(name_of(RpcFault::closed), "closed");
  EXPECT_EQ(name_of(NodeKind::coordinator), "coordinator");
}

TEST(ControllerApi, a_fresh_registration_claims_no_earlier_epoch) {
  EXPECT_EQ(RegisterBroker{}.previous_epoch, BrokerEpoch{-1});
  EXPECT_EQ(Hello{}.rpc_version, (Version{version_major, version_minor}));
}

}  // namespace
}  // namespace millrace::rpc
