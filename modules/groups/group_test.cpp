// Also proves member.cpp, member.cppm and subscription.cpp.
#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

constexpr Timestamp now{5};

Member named(std::string id, std::vector<std::string> protocols = {"range"}) {
  Member member;
  member.id = std::move(id);
  for (std::string& protocol : protocols) member.protocols.push_back({std::move(protocol), {}});
  return member;
}

TEST(Group, the_first_member_leads_and_the_next_oldest_follows_it) {
  Group group("g");
  group.add(named("z"), "consumer");
  group.add(named("m"), "consumer");
  group.add(named("a"), "consumer");
  EXPECT_EQ(group.leader(), "z");
  group.remove("z");
  EXPECT_EQ(group.leader(), "m");
  group.remove("m");
  group.remove("a");
  EXPECT_EQ(group.leader(), std::nullopt);
}

TEST(Group, a_leader_that_has_not_joined_gives_way_to_the_oldest_that_has) {
  Group group("g");
  group.add(named("z"), "consumer");
  group.add(named("m"), "consumer");
  group.add(named("a"), "consumer");
  EXPECT_FALSE(group.elect_joined_leader());
  group.exchange_join(group.member("a"), RequestId(1));
  group.exchange_join(group.member("m"), RequestId(2));
  EXPECT_TRUE(group.elect_joined_leader());
  EXPECT_EQ(group.leader(), "m");
}

TEST(Group, a_protocol_must_be_known_to_all) {
  Group group("g");
  group.add(named("a", {"x", "y"}), "consumer");
  group.add(named("b", {"y", "z"}), "consumer");
  const auto supports = [&](const char* protocol) {
    return group.supports("consumer", {{protocol, {}}});
  };
  EXPECT_FALSE(supports("x"));
  EXPECT_TRUE(supports("y"));
  EXPECT_FALSE(group.supports("connect", {{"y", {}}}));
  EXPECT_EQ(group.selected_protocol(), "y");
  group.remove("b");
  EXPECT_EQ(group.selected_protocol(), "x");
  group.remove("a");
  EXPECT_TRUE(group.supports("connect", {{"w", {}}}));
}

TEST(Group, its_subscriptions_are_those_of_all_members) {
  Group group("g");
  EXPECT_FALSE(group.is_subscribed_to("t"));
  Member a = named("a");
  a.protocols[0].metadata = subscription_to("t");
  Member b = named("b");
  b.protocols[0].metadata = subscription_to("u");
  group.add(a, "consumer");
  group.add(b, "consumer");
  group.begin_generation(now);
  EXPECT_TRUE(group.is_subscribed_to("t"));
  EXPECT_TRUE(group.is_subscribed_to("u"));
  EXPECT_FALSE(group.is_subscribed_to("v"));
  group.remove("a");
  group.remove("b");
  group.begin_generation(now);
  EXPECT_TRUE(group.knows_subscriptions());
  EXPECT_FALSE(group.is_subscribed_to("t"));
}

TEST(Group, a_consumer_group_whose_metadata_cannot_be_read_counts_as_subscribed_to_all) {
  Group group("g");
  group.add(named("a"), "consumer");
  group.begin_generation(now);
  EXPECT_FALSE(group.knows_subscriptions());
  EXPECT_TRUE(group.is_subscribed_to("t"));
  Group other("h");
  other.add(named("a"), "connect");
  other.begin_generation(now);
  EXPECT_FALSE(other.is_subscribed_to("t"));
}

TEST(Group, subscriptions_are_read_at_any_version_and_never_past_their_end) {
  const OwnedBytes whole = subscription_to("orders");
  ASSERT_TRUE(subscribed_topics(whole).has_value());
  EXPECT_EQ(*subscribed_topics(whole), std::vector<std::string>{"orders"});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(subscribed_topics(ByteView(whole).first(size)).has_value()) << size;
  }
  OwnedBytes negative = whole;
  store_big_endian<std::int16_t>(negative.data(), -1);
  EXPECT_FALSE(subscribed_topics(negative).has_value());
}

TEST(Group, what_its_members_take_is_given_back_to_the_byte) {
  Group group("g");
  const std::size_t before = group.bytes();
  Member member = named("a");
  member.instance_id = "i";
  group.add(member, "consumer");
  group.assign(group.member("a"), OwnedBytes(1'000));
  EXPECT_GT(group.bytes(), before + 1'000);
  group.replace("a", "a-longer-name");
  JoinRequest request;
  request.protocols = {{"range", OwnedBytes(500)}};
  group.update(group.member("a-longer-name"), request);
  group.remove("a-longer-name");
  EXPECT_EQ(group.bytes(), before);
  group.add_pending("p");
  group.add_pending("p");
  group.add_pending("q");
  EXPECT_GT(group.bytes(), before);
  group.remove("p");
  Member joined = named("q");
  group.add(joined, "consumer");
  group.remove("q");
  EXPECT_EQ(group.bytes(), before);
}

TEST(Group, a_static_member_that_is_replaced_keeps_its_place) {
  Group group("g");
  Member member = named("a");
  member.instance_id = "i";
  group.add(member, "consumer");
  group.set_pending_sync(group.member("a"), true);
  group.replace("a", "b");
  EXPECT_EQ(group.leader(), "b");
  EXPECT_EQ(group.validate("b", "i"), ErrorCode::none);
  EXPECT_EQ(group.validate("a", "i"), ErrorCode::fenced_instance_id);
  EXPECT_EQ(group.validate("a", {}), ErrorCode::unknown_member_id);
  EXPECT_TRUE(group.any_pending_sync());
  group.remove("b");
  EXPECT_FALSE(group.any_pending_sync());
  EXPECT_EQ(group.static_member("i"), nullptr);
}

}  // namespace
}  // namespace millrace::groups
