#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

DescribedGroup described(Bench& bench, std::string group, bool unknown_is_error = false) {
  DescribeRequest request{{std::move(group)}, unknown_is_error};
  return bench.reply<DescribeReply>(bench.ask(std::move(request))).groups.at(0);
}

ErrorCode deleted(Bench& bench, std::string group) {
  return bench.reply<DeleteReply>(bench.ask(DeleteRequest{{std::move(group)}})).groups.at(0).error;
}

std::vector<std::string> listed(Bench& bench, ListRequest request) {
  std::vector<std::string> names;
  for (const auto& group : bench.reply<ListReply>(bench.ask(std::move(request))).groups) {
    names.push_back(group.group);
  }
  return names;
}

TEST(GroupDescribe, shows_members_and_what_they_agreed_on_once_the_group_is_stable) {
  Bench bench;
  const auto members = bench.stable(2, {.instance = "i"});
  const DescribedGroup stable = described(bench, "g");
  EXPECT_EQ(stable.state, GroupState::stable);
  EXPECT_EQ(stable.protocol_type, "consumer");
  EXPECT_EQ(stable.protocol_name, "range");
  ASSERT_EQ(stable.members.size(), 2u);
  EXPECT_EQ(stable.members[0].client_id, "app");
  EXPECT_EQ(stable.members[0].client_host, "/127.0.0.1");
  EXPECT_EQ(stable.members[0].instance_id, "i0");
  EXPECT_EQ(stable.members[0].metadata, subscription_to("orders"));
  EXPECT_EQ(text_of(stable.members[0].assignment), "for " + stable.members[0].member_id);
  bench.join({.member = members[0], .instance = "i0"});
  const DescribedGroup joining = described(bench, "g");
  EXPECT_EQ(joining.state, GroupState::preparing_rebalance);
  EXPECT_EQ(joining.protocol_name, "");
  ASSERT_EQ(joining.members.size(), 2u);
  EXPECT_TRUE(joining.members[0].metadata.empty());
  EXPECT_TRUE(joining.members[0].assignment.empty());
}

TEST(GroupDescribe, says_of_an_unknown_group_what_the_version_knows) {
  Bench bench;
  const DescribedGroup dead = described(bench, "h");
  EXPECT_EQ(dead.state, GroupState::dead);
  EXPECT_EQ(dead.error, ErrorCode::none);
  const DescribedGroup unknown = described(bench, "h", true);
  EXPECT_EQ(unknown.error, ErrorCode::group_id_not_found);
  EXPECT_EQ(unknown.error_message, "Group h not found.");
}

TEST(GroupList, can_be_filtered_by_state_and_type_in_any_case) {
  Bench bench;
  bench.stable(1);
  bench.join({.group = "h"});
  using Names = std::vector<std::string>;
  EXPECT_EQ(listed(bench, {}), (Names{"g", "h"}));
  EXPECT_EQ(listed(bench, {{"stable"}, {}}), Names{"g"});
  EXPECT_EQ(listed(bench, {{"Empty", "PREPARINGREBALANCE"}, {}}), Names{"h"});
  EXPECT_EQ(listed(bench, {{"nonsense"}, {}}), Names{});
  EXPECT_EQ(listed(bench, {{}, {"Classic"}}), (Names{"g", "h"}));
  EXPECT_EQ(listed(bench, {{}, {"consumer"}}), Names{});
}

TEST(GroupDelete, takes_an_empty_group_with_its_offsets) {
  Bench bench;
  const auto members = bench.stable(1);
  CommitRequest commit;
  commit.group = "g";
  commit.member_id = members[0];
  commit.generation = Generation(1);
  commit.topics = {{"orders", {}, {{PartitionIndex(0), Offset(1), no_leader_epoch, ""}}}};
  bench.ask(commit);
  EXPECT_EQ(deleted(bench, "g"), ErrorCode::non_empty_group);
  EXPECT_EQ(deleted(bench, "h"), ErrorCode::group_id_not_found);
  bench.leave(members[0]);
  EXPECT_EQ(deleted(bench, "g"), ErrorCode::none);
  EXPECT_EQ(deleted(bench, "g"), ErrorCode::group_id_not_found);
  EXPECT_EQ(bench.log().back().back(), group_tombstone("g"));
  EXPECT_EQ(bench.log().back().size(), 2u);
  EXPECT_EQ(bench.coordinator().state_bytes(), 0u);
  EXPECT_TRUE(bench.restarted().coordinator().groups().empty());
}

TEST(GroupDelete, nobody_learns_that_a_group_is_gone_before_that_is_committed) {
  Bench bench;
  const auto members = bench.stable(1);
  bench.leave(members[0]);
  bench.hold_commits();
  const RequestId deletion = bench.ask(DeleteRequest{{"g"}});
  const RequestId description = bench.ask(DescribeRequest{{"g"}, false});
  const RequestId list = bench.ask(ListRequest{});
  const RequestId fetch = bench.ask(FetchRequest{"g", {}});
  for (const RequestId id : {deletion, description, list, fetch}) {
    EXPECT_FALSE(bench.answered(id));
  }
  bench.commit_all();
  EXPECT_EQ(bench.answers(), bench.requests());
}

}  // namespace
}  // namespace millrace::groups
