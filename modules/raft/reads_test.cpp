#include <gtest/gtest.h>

#include <vector>

import millrace.base;
import millrace.raft;

namespace millrace::raft {
namespace {

TEST(Reads, those_that_come_during_a_round_wait_for_the_next) {
  Reads reads;
  reads.add(ReadId{1});
  ASSERT_TRUE(reads.round_wanted());
  reads.begin_round(Round{1}, LogIndex{5});
  reads.add(ReadId{2});
  EXPECT_FALSE(reads.round_wanted());
  reads.round_confirmed();
  std::vector<ReadAnswer> answers;
  reads.answer(LogIndex{5}, answers);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, ReadId{1});
  EXPECT_EQ(answers[0].index.value(), LogIndex{5});
  EXPECT_TRUE(reads.round_wanted());
}

TEST(Reads, wait_until_what_they_see_is_applied) {
  Reads reads;
  reads.add(ReadId{1});
  reads.begin_round(Round{1}, LogIndex{5});
  reads.round_confirmed();
  std::vector<ReadAnswer> answers;
  reads.answer(LogIndex{4}, answers);
  EXPECT_TRUE(answers.empty());
  reads.answer(LogIndex{6}, answers);
  EXPECT_EQ(answers.size(), 1u);
}

TEST(Reads, all_are_refused_when_leadership_ends) {
  Reads reads;
  reads.add(ReadId{1});
  reads.begin_round(Round{1}, LogIndex{5});
  reads.round_confirmed();
  reads.add(ReadId{2});
  reads.begin_round(Round{2}, LogIndex{6});
  reads.add(ReadId{3});
  EXPECT_EQ(reads.size(), 3u);
  std::vector<ReadAnswer> answers;
  reads.refuse_all(answers);
  ASSERT_EQ(answers.size(), 3u);
  for (const ReadAnswer& answer : answers) EXPECT_EQ(answer.index.error(), Refusal::not_leader);
  EXPECT_EQ(reads.size(), 0u);
}

}  // namespace
}  // namespace millrace::raft
