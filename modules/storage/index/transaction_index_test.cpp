#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

import millrace.storage.index;

namespace millrace::storage {
namespace {

// Producer 1 aborted [0, 9], producer 2 [5, 19], producer 3 [30, 39].
GrowingIndex sample() {
  GrowingIndex index(transaction_index_entry_bytes);
  add_transaction_entry(index, {ProducerId(1), Offset(0), Offset(9), Offset(5)});
  add_transaction_entry(index, {ProducerId(2), Offset(5), Offset(19), Offset(20)});
  add_transaction_entry(index, {ProducerId(3), Offset(30), Offset(39), Offset(40)});
  return index;
}

std::vector<std::int64_t> producers_in(const GrowingIndex& index, int from, int to,
                                       bool* complete) {
  std::vector<AbortedTransaction> found;
  *complete = TransactionIndexView(index.bytes()).collect(Offset(from), Offset(to), found);
  std::vector<std::int64_t> producers;
  for (const AbortedTransaction& transaction : found) {
    producers.push_back(transaction.producer.value());
  }
  return producers;
}

TEST(TransactionIndex, collects_those_with_records_in_the_range) {
  const GrowingIndex index = sample();
  bool complete = false;
  EXPECT_EQ(producers_in(index, 0, 5, &complete), (std::vector<std::int64_t>{1}));
  EXPECT_TRUE(complete);
  EXPECT_EQ(producers_in(index, 0, 20, &complete), (std::vector<std::int64_t>{1, 2}));
  EXPECT_TRUE(complete);
  EXPECT_EQ(producers_in(index, 10, 31, &complete), (std::vector<std::int64_t>{2, 3}));
  EXPECT_TRUE(complete);
  EXPECT_EQ(producers_in(index, 20, 100, &complete), (std::vector<std::int64_t>{3}));
  EXPECT_FALSE(complete) << "a later segment may hold more";
}

TEST(TransactionIndex, a_transaction_whose_marker_lies_before_the_range_is_left_out) {
  const GrowingIndex index = sample();
  bool complete = false;
  EXPECT_EQ(producers_in(index, 40, 50, &complete), (std::vector<std::int64_t>{}));
}

TEST(TransactionIndex, gives_back_what_was_added) {
  const GrowingIndex index = sample();
  const TransactionIndexView view(index.bytes());
  ASSERT_EQ(view.entries(), 3u);
  EXPECT_EQ(view.entry(1), (AbortedTransaction{ProducerId(2), Offset(5), Offset(19), Offset(20)}));
  EXPECT_EQ(view.entries_below(Offset(19)), 1u);
  EXPECT_EQ(view.entries_below(Offset(20)), 2u);
}

TEST(TransactionIndex, a_file_that_no_segment_wrote_is_found_out) {
  const GrowingIndex index = sample();
  EXPECT_TRUE(TransactionIndexView(index.bytes()).check_against(Offset(0)).has_value());
  EXPECT_FALSE(TransactionIndexView(index.bytes()).check_against(Offset(10)).has_value());
  EXPECT_FALSE(TransactionIndexView(index.bytes().first(50)).check_against(Offset(0)).has_value());
  std::vector<std::byte> version(index.bytes().begin(), index.bytes().end());
  version[1] = std::byte{1};
  EXPECT_FALSE(TransactionIndexView(version).check_against(Offset(0)).has_value());
}

}  // namespace
}  // namespace millrace::storage
