#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

using std::chrono::seconds;

CommitRequest commit_of(std::int64_t offset, std::string member = "",
                        Generation generation = no_generation) {
  CommitRequest request;
  request.group = "g";
  request.member_id = std::move(member);
  request.generation = generation;
  request.topics = {{"orders", {}, {{PartitionIndex(0), Offset(offset), LeaderEpoch(4), "note"}}}};
  return request;
}

ErrorCode committed(Bench& bench, CommitRequest request) {
  const auto reply = bench.reply<CommitReply>(bench.ask(std::move(request)));
  if (reply.error != ErrorCode::none) return reply.error;
  return reply.topics.at(0).partitions.at(0).error;
}

FetchedPartition fetched(Bench& bench, std::string topic = "orders", std::int32_t partition = 0) {
  FetchRequest request{"g", std::vector<WantedTopic>{{topic, {}, {PartitionIndex(partition)}}}};
  return bench.reply<FetchReply>(bench.ask(std::move(request))).topics.at(0).partitions.at(0);
}

TEST(OffsetCommit, is_answered_when_it_is_committed_and_nobody_reads_it_before) {
  Bench bench;
  const auto members = bench.stable(1);
  bench.hold_commits();
  const RequestId commit = bench.ask(commit_of(42, members[0], Generation(1)));
  const RequestId fetch = bench.ask(FetchRequest{"g", {}});
  EXPECT_FALSE(bench.answered(commit));
  EXPECT_FALSE(bench.answered(fetch));
  bench.commit_all();
  EXPECT_EQ(bench.reply<CommitReply>(commit).topics[0].partitions[0].error, ErrorCode::none);
  const auto reply = bench.reply<FetchReply>(fetch);
  ASSERT_EQ(reply.topics.size(), 1u);
  EXPECT_EQ(reply.topics[0].name, "orders");
  EXPECT_EQ(reply.topics[0].partitions[0].offset, Offset(42));
  EXPECT_EQ(reply.topics[0].partitions[0].leader_epoch, LeaderEpoch(4));
  EXPECT_EQ(reply.topics[0].partitions[0].metadata, "note");
}

TEST(OffsetCommit, needs_a_member_of_the_generation) {
  Bench bench;
  const auto members = bench.stable(2, {.instance = "i"});
  const Generation now(1);
  EXPECT_EQ(committed(bench, commit_of(1, members[0], now)), ErrorCode::none);
  EXPECT_EQ(committed(bench, commit_of(1, "who", now)), ErrorCode::unknown_member_id);
  EXPECT_EQ(committed(bench, commit_of(1, members[0], Generation(2))),
            ErrorCode::illegal_generation);
  EXPECT_EQ(committed(bench, commit_of(1)), ErrorCode::unknown_member_id);
  EXPECT_EQ(committed(bench, commit_of(1, members[0])), ErrorCode::illegal_generation);
  CommitRequest fenced = commit_of(1, members[0], now);
  fenced.instance_id = "i1";
  EXPECT_EQ(committed(bench, fenced), ErrorCode::fenced_instance_id);
}

TEST(OffsetCommit, goes_on_while_members_join_and_not_before_they_are_assigned) {
  Bench bench;
  const auto members = bench.stable(2);
  bench.join({.member = members[0]});
  EXPECT_EQ(committed(bench, commit_of(5, members[1], Generation(1))), ErrorCode::none);
  bench.join({.member = members[1]});
  EXPECT_EQ(bench.state(), GroupState::completing_rebalance);
  EXPECT_EQ(committed(bench, commit_of(6, members[1], Generation(2))),
            ErrorCode::rebalance_in_progress);
  EXPECT_EQ(fetched(bench).offset, Offset(5));
}

TEST(OffsetCommit, is_a_sign_of_life) {
  Bench bench;
  const auto members = bench.stable(1, {.session_s = 10});
  for (int i = 0; i < 4; ++i) {
    bench.pass(seconds(6));
    EXPECT_EQ(committed(bench, commit_of(i, members[0], Generation(1))), ErrorCode::none);
  }
}

TEST(OffsetCommit, of_one_who_is_no_member_makes_a_group_of_its_own) {
  Bench bench;
  EXPECT_EQ(committed(bench, commit_of(7)), ErrorCode::none);
  EXPECT_EQ(fetched(bench).offset, Offset(7));
  EXPECT_EQ(bench.state(), GroupState::empty);
  EXPECT_EQ(committed(bench, commit_of(8, "who", Generation(0))), ErrorCode::unknown_member_id);
}

TEST(OffsetCommit, to_a_group_that_is_not_there_is_refused_as_the_version_knows) {
  Bench bench;
  CommitRequest request = commit_of(1, "who", Generation(3));
  EXPECT_EQ(committed(bench, request), ErrorCode::illegal_generation);
  request.may_lack_group = true;
  EXPECT_EQ(committed(bench, request), ErrorCode::group_id_not_found);
  EXPECT_EQ(bench.group(), nullptr);
}

TEST(OffsetCommit, answers_each_partition_by_itself) {
  Bench bench({.offset_metadata_length_max = 4});
  CommitRequest request = commit_of(1);
  request.topics[0].partitions.push_back({PartitionIndex(1), Offset(2), no_leader_epoch, "12345"});
  request.topics[0].partitions.push_back(
      {PartitionIndex(2), Offset(3), no_leader_epoch, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"});
  const auto reply = bench.reply<CommitReply>(bench.ask(request));
  ASSERT_EQ(reply.topics[0].partitions.size(), 3u);
  EXPECT_EQ(reply.topics[0].partitions[0].error, ErrorCode::none);
  EXPECT_EQ(reply.topics[0].partitions[1].error, ErrorCode::offset_metadata_too_large);
  EXPECT_EQ(reply.topics[0].partitions[2].error, ErrorCode::none);
  EXPECT_EQ(bench.coordinator().offsets(), 2u);
}

TEST(OffsetCommit, no_more_offsets_than_allowed_but_known_ones_go_on) {
  Bench bench({.offsets_max = 1});
  EXPECT_EQ(committed(bench, commit_of(1)), ErrorCode::none);
  CommitRequest other = commit_of(1);
  other.topics[0].name = "bills";
  EXPECT_EQ(committed(bench, other), ErrorCode::invalid_commit_offset_size);
  EXPECT_EQ(committed(bench, commit_of(2)), ErrorCode::none);
  EXPECT_EQ(bench.coordinator().offsets(), 1u);
}

TEST(OffsetCommit, while_too_much_is_not_committed_is_refused_for_now) {
  Bench bench({.uncommitted_bytes_max = 100});
  bench.hold_commits();
  for (int i = 0; i < 10; ++i) bench.ask(commit_of(i));
  EXPECT_EQ(committed(bench, commit_of(11)), ErrorCode::coordinator_not_available);
  bench.commit_all();
  const RequestId later = bench.ask(commit_of(12));
  bench.commit_all();
  EXPECT_EQ(bench.reply<CommitReply>(later).error, ErrorCode::none);
}

TEST(OffsetCommit, while_too_many_appends_are_not_committed_is_refused_for_now) {
  Bench bench({.uncommitted_appends_max = 10});
  bench.hold_commits();
  for (int i = 0; i < 11; ++i) bench.ask(commit_of(i));
  EXPECT_EQ(committed(bench, commit_of(11)), ErrorCode::coordinator_not_available);
  bench.commit_all();
  const RequestId later = bench.ask(commit_of(12));
  bench.commit_all();
  EXPECT_EQ(bench.reply<CommitReply>(later).error, ErrorCode::none);
}

TEST(OffsetFetch, of_what_was_never_committed_gives_no_offset_and_no_error) {
  Bench bench;
  EXPECT_EQ(fetched(bench).offset, no_offset);
  EXPECT_EQ(fetched(bench).error, ErrorCode::none);
  EXPECT_TRUE(bench.reply<FetchReply>(bench.ask(FetchRequest{"g", {}})).topics.empty());
  committed(bench, commit_of(7));
  EXPECT_EQ(fetched(bench, "orders", 1).offset, no_offset);
  EXPECT_EQ(fetched(bench, "bills").leader_epoch, no_leader_epoch);
}

// Of three partitions with long metadata two fit.
// So many partitions of the topic, from `first` on.
CommitRequest wide_commit(const std::string& group, std::int32_t first, std::int32_t count) {
  CommitRequest request;
  request.group = group;
  request.topics = {{"orders", {}, {}}};
  for (std::int32_t i = first; i < first + count; ++i) {
    request.topics[0].partitions.push_back({PartitionIndex(i), Offset(1), no_leader_epoch, ""});
  }
  return request;
}

std::size_t written(const Bench& bench) {
  std::size_t bytes = 0;
  for (const auto& records : bench.log()) {
    for (const Record& record : records) bytes += record.framed_bytes();
  }
  return bytes;
}

// Each record names the group: a request of a megabyte made gigabytes of them.
TEST(OffsetCommit, that_would_write_more_than_fits_is_refused_from_there_on) {
  Bench bench({.commit_bytes_max = 10'000});
  const std::string name(3'000, 'g');
  const auto reply = bench.reply<CommitReply>(bench.ask(wide_commit(name, 0, 1'000)));
  ASSERT_EQ(reply.topics.at(0).partitions.size(), 1'000u);
  for (std::size_t i = 0; i < 1'000; ++i) {
    EXPECT_EQ(reply.topics[0].partitions[i].error,
              i < 4 ? ErrorCode::none : ErrorCode::invalid_commit_offset_size);
  }
  EXPECT_EQ(bench.coordinator().offsets(), 4u);
  EXPECT_LT(written(bench), 14'000u);
  const auto rest = bench.reply<CommitReply>(bench.ask(wide_commit(name, 4, 3)));
  for (const auto& partition : rest.topics[0].partitions) {
    EXPECT_EQ(partition.error, ErrorCode::none) << "in a commit of its own";
  }
}

TEST(OffsetCommit, of_more_partitions_than_can_be_deleted_with_their_group_is_refused) {
  Bench bench({.erasure_bytes_max = 10'000});
  const std::string name(1'000, 'g');
  const auto reply = bench.reply<CommitReply>(bench.ask(wide_commit(name, 0, 20)));
  const auto errors = [&](ErrorCode error) {
    return std::ranges::count(reply.topics.at(0).partitions, error, &PartitionError::error);
  };
  EXPECT_EQ(errors(ErrorCode::none), 10);
  EXPECT_EQ(errors(ErrorCode::invalid_commit_offset_size), 10);
  const auto again = bench.reply<CommitReply>(bench.ask(wide_commit(name, 0, 10)));
  for (const auto& partition : again.topics[0].partitions) {
    EXPECT_EQ(partition.error, ErrorCode::none) << "what it has goes on";
  }
  const std::size_t before = written(bench);
  EXPECT_EQ(bench.reply<DeleteReply>(bench.ask(DeleteRequest{{name}})).groups.at(0).error,
            ErrorCode::none);
  EXPECT_LT(written(bench) - before, 12'000u);
}

// Fifty partitions of a broker together held fifty times as much as one may.
TEST(OffsetCommit, what_others_hold_counts_against_the_limit) {
  Bench bench;
  EXPECT_EQ(committed(bench, commit_of(1)), ErrorCode::none);
  bench.coordinator().others_hold(Options().state_bytes_max);
  EXPECT_EQ(bench.reply<CommitReply>(bench.ask(wide_commit("new", 0, 1))).error,
            ErrorCode::policy_violation);
  EXPECT_EQ(committed(bench, wide_commit("g", 5, 1)), ErrorCode::invalid_commit_offset_size);
  EXPECT_EQ(bench.joined(bench.join({.group = "newer"})).error, ErrorCode::policy_violation);
  EXPECT_EQ(committed(bench, commit_of(2)), ErrorCode::none) << "who is there goes on";
  bench.coordinator().others_hold(0);
  EXPECT_EQ(bench.reply<CommitReply>(bench.ask(wide_commit("new", 0, 1))).error, ErrorCode::none);
}

TEST(OffsetFetch, of_more_than_an_answer_may_take_is_refused_as_a_whole) {
  Bench bench({.fetch_bytes_max = 9'000});
  CommitRequest commit = commit_of(1);
  commit.topics[0].partitions[0].metadata = std::string(4'000, 'm');
  commit.topics[0].partitions.resize(2, commit.topics[0].partitions[0]);
  commit.topics[0].partitions[1].partition = PartitionIndex(1);
  EXPECT_EQ(committed(bench, commit), ErrorCode::none);
  const FetchRequest all{"g", {}};
  EXPECT_EQ(bench.reply<FetchReply>(bench.ask(all)).topics.at(0).partitions.size(), 2u);
  commit.topics[0].name = "bills";
  commit.topics[0].partitions.pop_back();
  EXPECT_EQ(committed(bench, commit), ErrorCode::none);
  const auto reply = bench.reply<FetchReply>(bench.ask(all));
  EXPECT_EQ(reply.error, ErrorCode::invalid_request);
  EXPECT_TRUE(reply.topics.empty());
  EXPECT_EQ(reply.bytes, 0u);
  const PartitionIndex zero(0);
  const PartitionIndex one(1);
  const FetchRequest named{
      "g", std::vector<WantedTopic>{{"bills", {}, {zero, one}}, {"orders", {}, {zero, one}}}};
  EXPECT_EQ(bench.reply<FetchReply>(bench.ask(named)).error, ErrorCode::invalid_request);
  const FetchRequest fewer{
      "g", std::vector<WantedTopic>{{"bills", {}, {zero, one}}, {"orders", {}, {one}}}};
  EXPECT_EQ(bench.reply<FetchReply>(bench.ask(fewer)).error, ErrorCode::none);
}

TEST(OffsetFetch, of_more_partitions_than_fit_is_refused_whether_they_are_there_or_not) {
  Bench bench({.fetch_bytes_max = 9'000});
  FetchRequest request{"nobody", std::vector<WantedTopic>{{"orders", {}, {}}}};
  for (std::int32_t i = 0; i < 300; ++i) request.topics->at(0).partitions.emplace_back(i);
  EXPECT_EQ(bench.reply<FetchReply>(bench.ask(request)).error, ErrorCode::none);
  for (std::int32_t i = 300; i < 400; ++i) request.topics->at(0).partitions.emplace_back(i);
  EXPECT_EQ(bench.reply<FetchReply>(bench.ask(request)).error, ErrorCode::invalid_request);
}

OffsetDeleteRequest deletion(std::string topic) {
  return {"g", {{std::move(topic), {}, {PartitionIndex(0), PartitionIndex(9)}}}};
}

TEST(OffsetDelete, forgets_offsets_of_topics_that_nobody_reads) {
  Bench bench;
  const auto members = bench.stable(1);
  CommitRequest request = commit_of(1, members[0], Generation(1));
  request.topics.push_back(request.topics[0]);
  request.topics[1].name = "bills";
  committed(bench, request);
  const auto kept = bench.reply<OffsetDeleteReply>(bench.ask(deletion("orders")));
  EXPECT_EQ(kept.topics[0].partitions[0].error, ErrorCode::group_subscribed_to_topic);
  const auto gone = bench.reply<OffsetDeleteReply>(bench.ask(deletion("bills")));
  EXPECT_EQ(gone.topics[0].partitions[0].error, ErrorCode::none);
  EXPECT_EQ(gone.topics[0].partitions[1].error, ErrorCode::none);
  EXPECT_EQ(fetched(bench).offset, Offset(1));
  EXPECT_EQ(fetched(bench, "bills").offset, no_offset);
  EXPECT_EQ(bench.log().back().size(), 1u);
  EXPECT_FALSE(bench.log().back()[0].value.has_value());
}

TEST(OffsetDelete, needs_a_group_and_of_other_kinds_an_empty_one) {
  Bench bench;
  EXPECT_EQ(bench.reply<OffsetDeleteReply>(bench.ask(deletion("orders"))).error,
            ErrorCode::group_id_not_found);
  EXPECT_EQ(bench.reply<OffsetDeleteReply>(bench.ask(OffsetDeleteRequest{"g", {}})).error,
            ErrorCode::group_id_not_found)
      << "as Apache Kafka says also where no topic is named";
  const auto members = bench.stable(1, {.type = "connect"});
  EXPECT_EQ(bench.reply<OffsetDeleteReply>(bench.ask(deletion("orders"))).error,
            ErrorCode::non_empty_group);
  bench.leave(members[0]);
  EXPECT_EQ(bench.reply<OffsetDeleteReply>(bench.ask(deletion("orders"))).error, ErrorCode::none);
}

// Offsets may be kept in the group without a name, but not be deleted there.
TEST(OffsetDelete, is_refused_of_the_group_without_a_name) {
  Bench bench;
  OffsetDeleteRequest nameless = deletion("orders");
  nameless.group.clear();
  EXPECT_EQ(bench.reply<OffsetDeleteReply>(bench.ask(nameless)).error, ErrorCode::invalid_group_id);
  CommitRequest request = commit_of(1);
  request.group.clear();
  EXPECT_EQ(bench.reply<CommitReply>(bench.ask(request)).topics[0].partitions[0].error,
            ErrorCode::none);
  const OffsetDeleteReply refused = bench.reply<OffsetDeleteReply>(bench.ask(nameless));
  EXPECT_EQ(refused.error, ErrorCode::invalid_group_id);
  EXPECT_TRUE(refused.topics.empty());
}

TEST(Fetching, of_a_group_that_was_deleted_and_is_made_anew_waits_for_the_deletion) {
  Bench bench;
  CommitRequest commit;
  commit.group = "g";
  commit.topics = {{"orders", {}, {{PartitionIndex(0), Offset(1), no_leader_epoch, ""}}}};
  bench.ask(std::move(commit));
  bench.hold_commits();
  bench.ask(DeleteRequest{{"g"}});
  bench.join({.ask_twice = true});
  const RequestId fetch = bench.ask(FetchRequest{"g", {}});
  EXPECT_FALSE(bench.answered(fetch)) << "were the deletion lost, the offset would be back";
  bench.commit_all();
  EXPECT_TRUE(bench.reply<FetchReply>(fetch).topics.empty());
}

}  // namespace
}  // namespace millrace::groups
