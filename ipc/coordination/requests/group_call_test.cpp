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

TEST(ListedTopics, finds_each_of_very_many) {
  constexpr std::size_t count = 20'000;
  std::vector<KnownTopic> topics(count);
  for (std::size_t i = 0; i < count; ++i) {
    topics[i].name = "t" + std::to_string(i * 7'919 % count);
    store_big_endian(topics[i].id.bytes.data(), static_cast<std::uint64_t>(count - i));
    topics[i].partitions = static_cast<std::int32_t>(i);
  }
  topics.push_back(topics.front());
  topics.back().partitions = -1;
  const ListedTopics listed(topics);
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(listed.find(topics[i].name), topics[i]) << "the first of that name";
    ASSERT_EQ(listed.find(topics[i].id), topics[i]);
  }
  EXPECT_EQ(listed.find("t"), std::nullopt);
  EXPECT_EQ(listed.find("zzz"), std::nullopt);
  EXPECT_EQ(listed.find(Uuid{}), std::nullopt);
  const std::vector<KnownTopic> none;
  EXPECT_EQ(ListedTopics(none).find("t0"), std::nullopt);
}

}  // namespace
}  // namespace millrace::coordination
