#include <gtest/gtest.h>

#include <limits>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

using std::chrono::minutes;

// An hour of retention, looked at each minute.
Options hourly() {
  Options options;
  options.offsets_retention = minutes(60);
  options.expiry_interval = minutes(1);
  return options;
}

void commit(Bench& bench, std::string topic, std::string member = "",
            Generation generation = no_generation, std::optional<Milliseconds> retention = {},
            std::string group = "g") {
  CommitRequest request;
  request.group = std::move(group);
  request.member_id = std::move(member);
  request.generation = generation;
  request.retention = retention;
  request.topics = {{std::move(topic), {}, {{PartitionIndex(0), Offset(1), no_leader_epoch, ""}}}};
  const auto reply = bench.reply<CommitReply>(bench.ask(std::move(request)));
  EXPECT_EQ(reply.error, ErrorCode::none);
}

TEST(OffsetExpiry, a_group_without_members_loses_its_offsets_after_the_retention_and_is_gone) {
  Bench bench(hourly());
  const auto members = bench.stable(1);
  commit(bench, "orders", members[0], Generation(1));
  bench.leave(members[0]);
  bench.pass(minutes(59));
  EXPECT_EQ(bench.coordinator().offsets(), 1u);
  bench.pass(minutes(2));
  EXPECT_EQ(bench.group(), nullptr);
  EXPECT_EQ(bench.coordinator().offsets(), 0u);
  EXPECT_EQ(bench.coordinator().state_bytes(), 0u);
  const auto& last = bench.log().back();
  ASSERT_EQ(last.size(), 2u);
  EXPECT_FALSE(last[0].value.has_value());
  EXPECT_EQ(last[1], group_tombstone("g"));
  EXPECT_EQ(bench.restarted().group(), nullptr);
}

TEST(OffsetExpiry, counts_from_when_the_group_became_empty_not_from_the_commit) {
  Bench bench(hourly());
  const auto members = bench.stable(1, {.session_s = 1'800});
  commit(bench, "orders", members[0], Generation(1));
  bench.pass(minutes(29));
  bench.heartbeat(members[0], Generation(1));
  bench.pass(minutes(29));
  bench.leave(members[0]);
  bench.pass(minutes(58));
  EXPECT_EQ(bench.coordinator().offsets(), 1u);
  bench.pass(minutes(3));
  EXPECT_EQ(bench.coordinator().offsets(), 0u);
}

TEST(OffsetExpiry, counts_from_the_commit_where_that_came_after_the_group_became_empty) {
  Bench bench(hourly());
  const auto members = bench.stable(1);
  bench.leave(members[0]);
  bench.pass(Milliseconds(1));
  commit(bench, "orders");
  bench.pass(minutes(50));
  commit(bench, "orders");
  bench.pass(minutes(50));
  EXPECT_EQ(bench.coordinator().offsets(), 1u);
  bench.pass(minutes(12));
  EXPECT_EQ(bench.coordinator().offsets(), 0u);
}

TEST(OffsetExpiry, of_one_who_is_no_member_counts_from_each_commit) {
  Bench bench(hourly());
  commit(bench, "orders");
  bench.pass(minutes(30));
  commit(bench, "bills");
  bench.pass(minutes(31));
  ASSERT_NE(bench.group(), nullptr);
  EXPECT_EQ(bench.group()->offsets.find("orders", PartitionIndex(0)), nullptr);
  EXPECT_NE(bench.group()->offsets.find("bills", PartitionIndex(0)), nullptr);
  bench.pass(minutes(31));
  EXPECT_EQ(bench.group(), nullptr);
}

TEST(OffsetExpiry, a_stable_group_keeps_what_it_reads_and_loses_the_rest) {
  Bench bench(hourly());
  const auto members = bench.stable(1, {.session_s = 1'800});
  commit(bench, "orders", members[0], Generation(1));
  commit(bench, "bills", members[0], Generation(1));
  for (int i = 0; i < 4; ++i) {
    bench.pass(minutes(20));
    EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::none);
  }
  EXPECT_NE(bench.group()->offsets.find("orders", PartitionIndex(0)), nullptr);
  EXPECT_EQ(bench.group()->offsets.find("bills", PartitionIndex(0)), nullptr);
}

TEST(OffsetExpiry, what_an_old_client_said_counts_first) {
  Bench bench(hourly());
  commit(bench, "orders", "", no_generation, minutes(5));
  commit(bench, "bills", "", no_generation, minutes(500));
  bench.pass(minutes(6));
  EXPECT_EQ(bench.coordinator().offsets(), 1u);
  bench.pass(minutes(400));
  EXPECT_EQ(bench.coordinator().offsets(), 1u);
}

TEST(OffsetExpiry, a_retention_without_end_has_none) {
  Bench bench(hourly());
  commit(bench, "orders", "", no_generation,
         Milliseconds(std::numeric_limits<std::int64_t>::max()));
  bench.pass(minutes(500));
  EXPECT_EQ(bench.coordinator().offsets(), 1u);
}

TEST(OffsetExpiry, goes_on_in_slices_until_all_groups_have_been_looked_at) {
  Bench bench(hourly());
  const std::size_t groups = 2 * expiry_groups_per_slice + 10;
  for (std::size_t i = 0; i < groups; ++i) {
    commit(bench, "orders", "", no_generation, {}, "g" + std::to_string(i));
  }
  EXPECT_EQ(bench.coordinator().groups().size(), groups);
  bench.pass(minutes(62));
  EXPECT_EQ(bench.coordinator().groups().size(), 0u);
}

// The log is slow: what has been written is not more than one slice takes, and the rest follows.
TEST(OffsetExpiry, waits_for_its_records_to_be_committed_where_they_are_many_bytes) {
  Options options = hourly();
  options.uncommitted_bytes_max = 100'000;
  Bench bench(options);
  constexpr std::size_t groups = 12;
  for (std::size_t i = 0; i < groups; ++i) {
    CommitRequest request;
    request.group = std::string(30'000, 'g') + std::to_string(i);
    request.topics = {{"orders", {}, {}}};
    for (std::int32_t partition = 0; partition < 20; ++partition) {
      request.topics[0].partitions.push_back(
          {PartitionIndex(partition), Offset(1), no_leader_epoch, ""});
    }
    bench.ask(std::move(request));
  }
  ASSERT_EQ(bench.coordinator().groups().size(), groups);
  bench.hold_commits();
  bench.pass(minutes(180));
  const std::size_t of_group = 20 * 30'050;
  EXPECT_LT(bench.coordinator().groups().size(), groups) << "some have gone";
  EXPECT_LT(bench.coordinator().uncommitted_bytes(), expiry_bytes_per_slice + of_group);
  for (int i = 0; i < 5; ++i) {
    bench.commit_all();
    bench.pass(minutes(1));
  }
  EXPECT_EQ(bench.coordinator().groups().size(), 0u);
}

}  // namespace
}  // namespace millrace::groups
