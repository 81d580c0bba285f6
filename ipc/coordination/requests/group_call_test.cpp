// Requests that are damaged. The APIs are in the other tests, each in every version.
#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::coordination {
namespace {

TEST(GroupCall, damaged_bodies_are_errors_or_calls_that_can_be_refused) {
  Random random(3);
  protocol::JoinGroupRequest join;
  join.group_id = "group";
  join.protocol_type = "consumer";
  protocol::JoinGroupRequest::JoinGroupRequestProtocol range{"range", as_bytes("topics")};
  join.protocols = {&range, 1};
  const OwnedBytes body = encoded(join, 9);
  const ApiKey apis[] = {ApiKey::join_group,      ApiKey::sync_group,    ApiKey::heartbeat,
                         ApiKey::leave_group,     ApiKey::offset_commit, ApiKey::offset_fetch,
                         ApiKey::describe_groups, ApiKey::list_groups,   ApiKey::delete_groups,
                         ApiKey::offset_delete};
  std::uint64_t refusals = 0;
  for (int round = 0; round < 30'000; ++round) {
    OwnedBytes damaged = body;
    for (std::uint64_t i = 0; i < random.below(4); ++i) {
      damaged[random.below(damaged.size())] = static_cast<std::byte>(random.below(256));
    }
    damaged.resize(random.below(damaged.size() + 1));
    const ApiKey api = apis[random.below(std::size(apis))];
    const auto& info = protocol::api_info(api);
    const auto versions = static_cast<std::uint64_t>(info.version_max - info.version_min + 1);
    const auto version =
        static_cast<std::int16_t>(info.version_min + static_cast<int>(random.below(versions)));
    const auto call = GroupCall::decode(api, version, damaged, {}, ListedTopics(known));
    if (!call) continue;
    EXPECT_TRUE(call->refuse(ErrorCode::not_coordinator).has_value());
    ++refusals;
  }
  EXPECT_GT(refusals, 100u);
}

}  // namespace
}  // namespace millrace::coordination
