#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

import millrace.storage.segment;

namespace millrace::storage {
namespace {

TEST(BatchSpans, are_found_by_segment_position_and_last_offset) {
  BatchSpans spans(4 * kibibyte);
  const std::uint32_t first = spans.new_owner();
  const std::uint32_t second = spans.new_owner();
  EXPECT_FALSE(spans.find({first, 100, 20}));
  spans.add({first, 100, 20}, 7);
  EXPECT_EQ(spans.find({first, 100, 20}), 7);
  EXPECT_FALSE(spans.find({first, 101, 20}));
  EXPECT_FALSE(spans.find({first, 100, 21}));
  EXPECT_FALSE(spans.find({second, 100, 20}));
  spans.add({second, 100, 20}, 0);
  spans.add({first, 100, 20}, 8);
  EXPECT_EQ(spans.find({first, 100, 20}), 8);
  EXPECT_EQ(spans.find({second, 100, 20}), 0);
  // At one position lies one batch.
  spans.add({first, 100, 22}, 9);
  EXPECT_EQ(spans.find({first, 100, 22}), 9);
  EXPECT_FALSE(spans.find({first, 100, 20}));
}

TEST(BatchSpans, take_no_memory_before_the_first_and_never_more_than_the_limit) {
  for (const std::size_t limit : {0ul, 64ul, 1'000ul, 64ul * 1'024}) {
    BatchSpans spans(limit);
    EXPECT_EQ(spans.bytes(), 0u);
    const std::uint32_t owner = spans.new_owner();
    for (std::uint32_t i = 0; i < 10'000; ++i) {
      spans.add({owner, i * 16'384, i}, static_cast<std::int32_t>(i));
      ASSERT_EQ(spans.find({owner, i * 16'384, i}), static_cast<std::int32_t>(i));
    }
    EXPECT_LE(spans.bytes(), limit < 64 ? 64 : limit);
    EXPECT_GE(2 * spans.bytes(), limit) << "the limit is made use of";
  }
}

// Of positions with steps in common as of others.
TEST(BatchSpans, of_half_as_many_batches_as_there_is_room_for_nearly_all_are_kept) {
  constexpr std::size_t room = 4'096;
  for (const std::uint32_t step : {61u, 4'096u, 16'384u, 65'536u}) {
    BatchSpans spans(room * 16);
    std::size_t kept = 0;
    constexpr std::uint32_t each = room / 8;
    for (std::uint32_t owner = 1; owner <= 4; ++owner) {
      for (std::uint32_t i = 0; i < each; ++i) spans.add({owner, i * step, i}, 3);
    }
    for (std::uint32_t owner = 1; owner <= 4; ++owner) {
      for (std::uint32_t i = 0; i < each; ++i) kept += spans.find({owner, i * step, i}) ? 1 : 0;
    }
    EXPECT_GT(kept, 4 * each * 9 / 10) << step;
  }
}

TEST(BatchSpans, the_newest_ones_are_kept) {
  BatchSpans spans(64);
  for (std::uint32_t i = 1; i <= 6; ++i) spans.add({1, i, i}, 0);
  spans.add({1, 4, 4}, 1);
  spans.add({1, 7, 7}, 0);
  for (const std::uint32_t gone : {1u, 2u, 3u}) EXPECT_FALSE(spans.find({1, gone, gone})) << gone;
  for (const std::uint32_t kept : {4u, 5u, 6u, 7u})
    EXPECT_TRUE(spans.find({1, kept, kept})) << kept;
}

}  // namespace
}  // namespace millrace::storage
