#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

import millrace.base;
import millrace.raft;

namespace millrace::raft {
namespace {

constexpr NodeId a{1};
constexpr NodeId b{2};
constexpr NodeId c{3};

std::vector<std::byte> bytes_of_values(std::vector<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(Membership, bytes_are_those_of_the_format_page) {
  const Payload encoded = Membership({b, a}, {c}).encode();
  const std::vector<std::byte> golden =
      bytes_of_values({0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3});
  EXPECT_EQ(as_text(encoded.bytes()), as_text(golden));
  EXPECT_EQ(Membership::decode(golden).value(), Membership({a, b}, {c}));
}

TEST(Membership, refuses_bytes_that_it_does_not_write) {
  const std::vector<std::vector<int>> wrong = {
      {},
      {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0},              // another version
      {0, 0, 0, 0, 0, 0, 0, 0, 0},                          // no voter
      {0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0},           // one byte more
      {0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0},                 // one byte less
      {0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},  // voter and learner
      {0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0},  // not in order
      {0, 127, 255, 255, 255, 0, 0, 0, 1, 0, 0, 0, 0},      // more than there is
      {0, 255, 255, 255, 255, 0, 0, 0, 1, 0, 0, 0, 0},      // a negative number
  };
  for (const auto& bytes : wrong) {
    EXPECT_FALSE(Membership::decode(bytes_of_values(bytes))) << testing::PrintToString(bytes);
  }
}

TEST(Membership, changes_one_node_at_a_time) {
  const Membership members({a, b});
  EXPECT_EQ(members.after({MemberChange::add_learner, c}).value(), Membership({a, b}, {c}));
  EXPECT_EQ(Membership({a, b}, {c}).after({MemberChange::promote_learner, c}).value(),
            Membership({a, b, c}));
  EXPECT_EQ(members.after({MemberChange::remove, a}).value(), Membership({b}));
  EXPECT_FALSE(members.after({MemberChange::add_learner, a}));
  EXPECT_FALSE(members.after({MemberChange::promote_learner, a}));
  EXPECT_FALSE(members.after({MemberChange::remove, c}));
  EXPECT_FALSE(Membership({a}, {b}).after({MemberChange::remove, a})) << "the last voter";
}

TEST(Membership, counts_voters_and_not_learners) {
  const Membership members({a, b}, {c});
  EXPECT_FALSE(members.majority_of([](NodeId node) { return node != b; }));
  EXPECT_TRUE(members.majority_of([](NodeId node) { return node != c; }));
  const auto index = [](NodeId node) { return LogIndex{node.value() * 10}; };
  EXPECT_EQ(members.majority_index(index), LogIndex{10});
  EXPECT_EQ(Membership({a, b, c}).majority_index(index), LogIndex{20});
  EXPECT_FALSE(Membership().majority_of([](NodeId) { return true; })) << "nobody is no majority";
}

TEST(MembershipHistory, goes_back_when_a_change_is_cut_off) {
  MembershipHistory history(LogIndex{0}, Membership({a}));
  history.append(LogIndex{5}, Membership({a, b}));
  history.append(LogIndex{9}, Membership({a, b, c}));
  EXPECT_EQ(history.at(LogIndex{4}), Membership({a}));
  EXPECT_EQ(history.at(LogIndex{5}), Membership({a, b}));
  history.truncate_from(LogIndex{9});
  EXPECT_EQ(history.latest(), Membership({a, b}));
  history.compact_through(LogIndex{7});
  EXPECT_EQ(history.at(LogIndex{7}), Membership({a, b}));
  EXPECT_EQ(history.latest_index(), LogIndex{5});
}

}  // namespace
}  // namespace millrace::raft
