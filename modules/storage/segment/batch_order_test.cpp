#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

import millrace.storage.segment;

namespace millrace::storage {
namespace {

protocol::BatchHeader header(std::int64_t base, std::int32_t delta = 2) {
  protocol::BatchHeader made;
  made.base_offset = Offset(base);
  made.last_offset_delta = delta;
  return made;
}

// The number of the batch that is blamed, of batches of three offsets.
std::optional<std::uint64_t> blamed(BatchOrder order, const std::vector<std::int64_t>& bases,
                                    std::optional<std::int64_t> end = std::nullopt) {
  for (std::uint64_t i = 0; i < bases.size(); ++i) {
    if (const auto misplaced = order.add(i, header(bases[i]))) return misplaced->position;
  }
  if (!end) return std::nullopt;
  const auto misplaced = order.end(Offset(*end));
  return misplaced ? std::optional(misplaced->position) : std::nullopt;
}

TEST(BatchOrder, takes_what_touches_and_what_leaves_gaps) {
  EXPECT_FALSE(blamed(BatchOrder(Offset(0)), {0, 3, 6}, 9));
  EXPECT_FALSE(blamed(BatchOrder(Offset(0)), {5, 9, 12, 100}, 103));
  EXPECT_FALSE(blamed(BatchOrder(), {5, 9, 12, 100}, 200));
  EXPECT_FALSE(blamed(BatchOrder(Offset(7)), {}, 7));
}

TEST(BatchOrder, blames_the_one_of_two_that_does_not_touch_the_others) {
  // Moved up, moved down; the first, a middle and the last one.
  EXPECT_EQ(blamed(BatchOrder(Offset(0)), {4, 3, 6}, 9), 0u);
  EXPECT_EQ(blamed(BatchOrder(Offset(8)), {0, 11, 14}, 17), 0u);
  EXPECT_EQ(blamed(BatchOrder(Offset(0)), {0, 7, 6}, 9), 1u);
  EXPECT_EQ(blamed(BatchOrder(Offset(0)), {0, 2, 6}, 9), 1u);
  EXPECT_EQ(blamed(BatchOrder(Offset(0)), {0, 3, 7}, 9), 2u);
  EXPECT_EQ(blamed(BatchOrder(Offset(0)), {0, 3, 4}, 9), 2u);
  EXPECT_EQ(blamed(BatchOrder(), {0, 3, 2}, 9), 2u);
}

TEST(BatchOrder, knows_what_no_batch_can_have) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const auto& impossible : {header(-1), header(most), header(most - 2), header(0, -1)}) {
    EXPECT_TRUE(BatchOrder(Offset(0)).add(0, impossible)) << impossible.base_offset.value();
    EXPECT_TRUE(BatchOrder().add(0, impossible)) << impossible.base_offset.value();
  }
  EXPECT_FALSE(BatchOrder().add(0, header(most - 3)));
}

TEST(BatchOrder, tells_where_a_gap_is) {
  BatchOrder order(Offset(0));
  EXPECT_FALSE(order.add(0, header(0)));
  EXPECT_FALSE(order.behind_gap());
  EXPECT_FALSE(order.add(1, header(4)));
  EXPECT_TRUE(order.behind_gap());
  EXPECT_FALSE(order.add(2, header(7)));
  EXPECT_FALSE(order.behind_gap());
}

}  // namespace
}  // namespace millrace::storage
