#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

using std::chrono::seconds;

void commit(Bench& bench, std::int64_t offset, std::string group = "g") {
  CommitRequest request;
  request.group = std::move(group);
  request.topics = {{"orders", {}, {{PartitionIndex(0), Offset(offset), no_leader_epoch, ""}}}};
  bench.ask(std::move(request));
}

TEST(GroupLoading, members_go_on_in_their_generation_with_a_whole_session) {
  Bench before;
  const auto members = before.stable(2, {.instance = "i", .session_s = 10});
  before.pass(seconds(3));
  Bench bench = before.restarted();
  bench.pass(seconds(9));
  EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::none);
  EXPECT_EQ(bench.heartbeat(members[1], Generation(1), "i1"), ErrorCode::none);
  EXPECT_EQ(bench.heartbeat(members[1], Generation(1), "i0"), ErrorCode::fenced_instance_id);
  EXPECT_EQ(text_of(bench.synced(bench.sync(members[1], Generation(1))).assignment),
            "for " + members[1]);
  EXPECT_EQ(bench.state(), GroupState::stable);
  EXPECT_TRUE(bench.log().empty());
  EXPECT_EQ(bench.group()->leader(), members[0]);
}

TEST(GroupLoading, a_member_that_is_gone_is_put_out_after_its_session) {
  Bench before;
  const auto members = before.stable(2, {.session_s = 10});
  Bench bench = before.restarted();
  bench.pass(seconds(9));
  bench.heartbeat(members[0], Generation(1));
  bench.pass(seconds(2));
  EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(bench.group()->members().size(), 1u);
}

TEST(GroupLoading, a_group_that_is_larger_than_now_allowed_joins_again) {
  Bench before;
  before.stable(3);
  Bench bench({.group_size_max = 2}, false);
  for (const auto& records : before.log()) {
    for (const Record& record : records) {
      ASSERT_TRUE(bench.coordinator().replay(record.key, *record.value).has_value());
    }
  }
  bench.take(bench.coordinator().loaded(before.now()));
  EXPECT_EQ(bench.state(), GroupState::preparing_rebalance);
}

TEST(GroupLoading, the_last_record_of_each_key_counts_and_tombstones_too) {
  Bench before;
  commit(before, 1);
  commit(before, 2);
  commit(before, 3, "h");
  before.ask(DeleteRequest{{"h"}});
  Bench bench = before.restarted();
  EXPECT_EQ(bench.coordinator().groups().size(), 1u);
  EXPECT_EQ(bench.group()->offsets, before.group()->offsets);
  EXPECT_EQ(bench.coordinator().offsets(), 1u);
}

TEST(GroupLoading, offsets_stay_when_their_group_changes) {
  Bench before;
  commit(before, 1);
  before.stable(1);
  EXPECT_EQ(before.restarted().group()->offsets, before.group()->offsets);
}

TEST(GroupLoading, meanwhile_members_are_told_to_go_on_and_others_to_wait) {
  Bench bench({}, false);
  EXPECT_EQ(bench.heartbeat("who", Generation(7)), ErrorCode::none);
  EXPECT_EQ(bench.joined(bench.join({})).error, ErrorCode::coordinator_load_in_progress);
  EXPECT_EQ(bench.reply<ListReply>(bench.ask(ListRequest{})).error,
            ErrorCode::coordinator_load_in_progress);
}

TEST(GroupLoading, records_of_other_kinds_are_counted_and_damage_is_an_error) {
  Bench bench({}, false);
  const OwnedBytes other = {std::byte{0}, std::byte{5}};
  EXPECT_TRUE(bench.coordinator().replay(other, {}).has_value());
  EXPECT_EQ(bench.coordinator().skipped_records(), 1u);
  const OwnedBytes damaged = {std::byte{0}, std::byte{2}, std::byte{9}};
  EXPECT_FALSE(bench.coordinator().replay(damaged, {}).has_value());
}

}  // namespace
}  // namespace millrace::groups
