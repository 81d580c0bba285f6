#include <gtest/gtest.h>

#include <chrono>

import millrace.base;
import millrace.raft;

namespace millrace::raft {
namespace {

constexpr MonotonicTime start{};

Options two_in_flight() {
  Options options;
  options.inflight_messages_max = 2;
  options.inflight_bytes_max = 100;
  return options;
}

TEST(Progress, probes_with_one_message_at_a_time) {
  const Options options = two_in_flight();
  Progress progress(LogIndex{10}, start);
  EXPECT_TRUE(progress.may_send(options));
  progress.sent(LogIndex{9}, 0, start);
  EXPECT_FALSE(progress.may_send(options));
  EXPECT_TRUE(progress.refused(LogIndex{9}, LogIndex{4}));
  EXPECT_EQ(progress.next(), LogIndex{4});
  EXPECT_TRUE(progress.may_send(options));
}

TEST(Progress, a_doubled_refusal_moves_nothing) {
  Progress progress(LogIndex{10}, start);
  ASSERT_TRUE(progress.refused(LogIndex{9}, LogIndex{4}));
  EXPECT_FALSE(progress.refused(LogIndex{9}, LogIndex{4}));
  EXPECT_EQ(progress.next(), LogIndex{4});
}

TEST(Progress, sends_ahead_within_limits_once_the_logs_agree) {
  const Options options = two_in_flight();
  Progress progress(LogIndex{10}, start);
  EXPECT_TRUE(progress.acknowledged(LogIndex{9}));
  ASSERT_EQ(progress.state(), ProgressState::replicate);
  progress.sent(LogIndex{10}, 1, start);
  EXPECT_TRUE(progress.may_send(options));
  progress.sent(LogIndex{11}, 1, start);
  EXPECT_FALSE(progress.may_send(options)) << "two messages";
  EXPECT_TRUE(progress.acknowledged(LogIndex{10}));
  EXPECT_TRUE(progress.may_send(options));
  progress.sent(LogIndex{12}, 100, start);
  EXPECT_TRUE(progress.acknowledged(LogIndex{11}));
  EXPECT_FALSE(progress.may_send(options)) << "too many bytes";
}

TEST(Progress, what_is_not_answered_in_time_is_lost) {
  const Options options;
  Progress progress(LogIndex{10}, start);
  progress.acknowledged(LogIndex{9});
  progress.sent(LogIndex{12}, 10, start);
  EXPECT_FALSE(progress.overdue(options, start));
  EXPECT_TRUE(progress.overdue(options, start + options.resend_after));
  progress.become_probe();
  EXPECT_EQ(progress.next(), LogIndex{10});
}

TEST(Progress, sends_no_entries_while_a_snapshot_is_on_its_way) {
  const Options options;
  Progress progress(LogIndex{3}, start);
  progress.begin_snapshot({{LogIndex{20}, Term{1}}, Membership({NodeId{1}}), 5});
  EXPECT_FALSE(progress.may_send(options));
  EXPECT_TRUE(progress.acknowledged(LogIndex{19}));
  EXPECT_EQ(progress.state(), ProgressState::snapshot) << "not there yet";
  EXPECT_TRUE(progress.acknowledged(LogIndex{20}));
  EXPECT_EQ(progress.state(), ProgressState::replicate);
  EXPECT_EQ(progress.next(), LogIndex{21});
}

}  // namespace
}  // namespace millrace::raft
