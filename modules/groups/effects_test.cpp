#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

import millrace.base;
import millrace.groups;

namespace millrace::groups {
namespace {

Record record(std::size_t bytes) {
  return {.key = OwnedBytes(bytes), .value = std::nullopt};
}
const std::size_t heartbeat = Request(HeartbeatRequest{}).index();
const Reply fine = HeartbeatReply{};

TEST(GroupOutbox, an_answer_leaves_when_what_it_rests_on_is_committed_and_not_before) {
  Outbox outbox(100);
  for (std::uint64_t id = 1; id <= 3; ++id) outbox.open(RequestId(id), heartbeat);
  const Ticket first = outbox.append({record(10)});
  const Ticket second = outbox.append({record(10)});
  outbox.answer(RequestId(2), fine, second);
  outbox.answer(RequestId(1), fine, first);
  outbox.answer(RequestId(3), fine, Ticket(0));
  Effects effects = outbox.take();
  EXPECT_EQ(effects.appends.size(), 2u);
  ASSERT_EQ(effects.answers.size(), 1u);
  EXPECT_EQ(effects.answers[0].request, RequestId(3));

  outbox.committed(first);
  effects = outbox.take();
  ASSERT_EQ(effects.answers.size(), 1u);
  EXPECT_EQ(effects.answers[0].request, RequestId(1));
  outbox.committed(first);
  EXPECT_TRUE(outbox.take().answers.empty());
  outbox.committed(second);
  EXPECT_EQ(outbox.take().answers.size(), 1u);
  EXPECT_EQ(outbox.open_count(), 0u);
}

TEST(GroupOutbox, records_are_split_into_batches_of_the_largest_size) {
  Outbox outbox(100 + 2 * record_framing_bytes_max);
  std::vector<Record> records;
  for (const std::size_t bytes : {60u, 40u, 1u, 116u}) records.push_back(record(bytes));
  EXPECT_EQ(outbox.append(std::move(records)), Ticket(3));
  const Effects effects = outbox.take();
  ASSERT_EQ(effects.appends.size(), 3u);
  EXPECT_EQ(effects.appends[0].records.size(), 2u);
  EXPECT_EQ(effects.appends[1].ticket, Ticket(2));
  EXPECT_EQ(effects.appends[2].records.size(), 1u);
}

// What a batch adds to each record is more than small records have themselves.
TEST(GroupOutbox, batches_of_many_small_records_are_no_larger_than_others) {
  Outbox outbox(10 * (1 + record_framing_bytes_max));
  static_cast<void>(outbox.append(std::vector<Record>(25, record(1))));
  const Effects effects = outbox.take();
  ASSERT_EQ(effects.appends.size(), 3u);
  EXPECT_EQ(effects.appends[0].records.size(), 10u);
  EXPECT_EQ(effects.appends[2].records.size(), 5u);
}

TEST(GroupOutbox, counts_the_bytes_that_are_not_committed) {
  Outbox outbox(100);
  const Ticket first = outbox.append({record(10)});
  static_cast<void>(outbox.append({record(30)}));
  EXPECT_EQ(outbox.uncommitted_bytes(), 40 + 2 * record_framing_bytes_max);
  outbox.committed(first);
  EXPECT_EQ(outbox.uncommitted_bytes(), 30 + record_framing_bytes_max);
}

TEST(GroupOutbox, counts_what_large_answers_hold_that_wait) {
  FetchReply fetched;
  fetched.bytes = 700;
  DescribeReply described;
  described.groups.emplace_back().members.emplace_back().metadata.resize(5'000);
  described.groups.front().members.front().assignment.resize(3'000);
  ListReply listed;
  listed.groups.emplace_back().group = std::string(400, 'g');
  EXPECT_EQ(held_bytes(fetched), 700u);
  EXPECT_GT(held_bytes(described), 8'000u);
  EXPECT_GT(held_bytes(listed), 400u);
  EXPECT_EQ(held_bytes(HeartbeatReply()), 0u);
  const std::size_t all = held_bytes(fetched) + held_bytes(described) + held_bytes(listed);
  Outbox outbox(1'000);
  const Ticket ticket = outbox.append({record(1)});
  std::uint64_t last = 0;
  for (const Reply& reply : std::vector<Reply>{fetched, described, listed}) {
    outbox.open(RequestId(++last), reply.index());
    outbox.answer(RequestId(last), reply, ticket);
  }
  EXPECT_EQ(outbox.waiting_bytes(), all);
  outbox.committed(ticket);
  EXPECT_EQ(outbox.waiting_bytes(), 0u);
}

TEST(GroupOutbox, when_all_fails_each_open_request_is_answered_with_its_own_kind_of_reply) {
  Outbox outbox(100);
  outbox.open(RequestId(1), Request(JoinRequest{}).index());
  outbox.open(RequestId(2), heartbeat);
  const Ticket ticket = outbox.append({record(1)});
  outbox.answer(RequestId(2), fine, ticket);
  outbox.fail_all(ErrorCode::not_coordinator);
  const Effects effects = outbox.take();
  ASSERT_EQ(effects.answers.size(), 2u);
  EXPECT_EQ(std::get<JoinReply>(effects.answers[0].reply).error, ErrorCode::not_coordinator);
  EXPECT_EQ(std::get<HeartbeatReply>(effects.answers[1].reply).error, ErrorCode::not_coordinator);
}

TEST(GroupOutbox, an_answer_that_is_given_twice_ends_the_process) {
  Outbox outbox(100);
  outbox.open(RequestId(1), heartbeat);
  outbox.answer(RequestId(1), fine, Ticket(0));
  EXPECT_DEATH(outbox.answer(RequestId(1), fine, Ticket(0)), "not open");
}

}  // namespace
}  // namespace millrace::groups
