#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>

import millrace.base;
import millrace.groups;

namespace millrace::groups {
namespace {

TEST(GroupTypes, states_have_the_names_that_clients_know) {
  EXPECT_EQ(name_of(GroupState::empty), "Empty");
  EXPECT_EQ(name_of(GroupState::preparing_rebalance), "PreparingRebalance");
  EXPECT_EQ(name_of(GroupState::completing_rebalance), "CompletingRebalance");
  EXPECT_EQ(name_of(GroupState::stable), "Stable");
  EXPECT_EQ(name_of(GroupState::dead), "Dead");
}

TEST(GroupTypes, a_member_id_is_the_prefix_and_a_random_id_of_version_4) {
  Uuid random;
  random.bytes.fill(std::byte{0xff});
  EXPECT_EQ(member_id_of("app", random), "app-ffffffff-ffff-4fff-bfff-ffffffffffff");
  EXPECT_EQ(member_id_of("", Uuid{}), "-00000000-0000-4000-8000-000000000000");
}

TEST(GroupTypes, length_counts_as_java_does) {
  EXPECT_EQ(java_length(""), 0u);
  EXPECT_EQ(java_length("abc"), 3u);
  EXPECT_EQ(java_length("\xc3\xa4"), 1u);          // ä
  EXPECT_EQ(java_length("\xf0\x9f\x98\x80"), 2u);  // an emoji
}

TEST(GroupTypes, no_retention_passes_the_ends_of_time) {
  constexpr auto end = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(later(Timestamp(5), Milliseconds(7)), Timestamp(12));
  EXPECT_EQ(later(Timestamp(5), Milliseconds(end)), Timestamp(end));
  EXPECT_EQ(later(Timestamp(5), Milliseconds(-7)), Timestamp(0));
  EXPECT_EQ(later(Timestamp(-5), Milliseconds(-end)), Timestamp(0));
}

}  // namespace
}  // namespace millrace::groups
