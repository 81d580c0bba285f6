#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

import millrace.storage.cleaner;

namespace millrace::storage {
namespace {

using protocol::BatchAttributes;
using protocol::BatchError;
using protocol::BatchHeader;
using protocol::ControlRecordType;

BatchHeader data(std::int64_t producer, std::int64_t first, std::int64_t last) {
  BatchHeader header;
  header.base_offset = Offset(first);
  header.last_offset_delta = static_cast<std::int32_t>(last - first);
  header.producer.id = ProducerId(producer);
  header.attributes = BatchAttributes().with(BatchAttributes::transactional_bit, true);
  return header;
}

BatchHeader marker(std::int64_t producer, std::int64_t offset) {
  BatchHeader header = data(producer, offset, offset);
  header.attributes = header.attributes.with(BatchAttributes::control_bit, true);
  return header;
}

AbortedTransaction aborted(std::int64_t producer, std::int64_t first, std::int64_t last) {
  return {ProducerId(producer), Offset(first), Offset(last), Offset(last + 1)};
}

bool spent(CleanedTransactions& transactions, const BatchHeader& header, ControlRecordType type) {
  const auto answer = transactions.is_spent(header, type);
  EXPECT_TRUE(answer.has_value());
  return answer.value_or(false);
}

TEST(CleanedTransactions, tells_which_batches_were_aborted) {
  CleanedTransactions transactions;
  const std::vector index{aborted(1, 0, 6), aborted(2, 4, 9)};
  transactions.expect(index);
  EXPECT_TRUE(transactions.is_aborted(data(1, 0, 1)));
  EXPECT_FALSE(transactions.is_aborted(data(2, 2, 2))) << "committed before the aborted one began";
  EXPECT_FALSE(spent(transactions, marker(2, 3), ControlRecordType::commit));
  EXPECT_TRUE(transactions.is_aborted(data(2, 4, 5)));
  EXPECT_FALSE(spent(transactions, marker(1, 6), ControlRecordType::abort));
  EXPECT_FALSE(transactions.is_aborted(data(1, 7, 7))) << "the next transaction of the producer";
  EXPECT_FALSE(spent(transactions, marker(1, 8), ControlRecordType::commit));
  EXPECT_FALSE(spent(transactions, marker(2, 9), ControlRecordType::abort));
  EXPECT_EQ(transactions.take_needed(), index);
  EXPECT_TRUE(transactions.take_needed().empty());
}

TEST(CleanedTransactions, batches_without_transactions_are_not_aborted) {
  CleanedTransactions transactions;
  transactions.expect(std::vector{aborted(1, 0, 6)});
  BatchHeader plain = data(1, 1, 2);
  plain.attributes = BatchAttributes();
  EXPECT_FALSE(transactions.is_aborted(plain));
}

TEST(CleanedTransactions, a_marker_is_spent_when_no_batch_of_its_transaction_came) {
  CleanedTransactions transactions;
  transactions.expect(std::vector{aborted(1, 0, 6)});
  EXPECT_TRUE(spent(transactions, marker(1, 6), ControlRecordType::abort));
  EXPECT_TRUE(spent(transactions, marker(1, 7), ControlRecordType::abort)) << "an empty one";
  EXPECT_TRUE(spent(transactions, marker(1, 8), ControlRecordType::commit));
  EXPECT_TRUE(transactions.take_needed().empty()) << "the entry goes with the last batch";
}

TEST(CleanedTransactions, a_transaction_over_several_segments_is_expected_more_than_once) {
  CleanedTransactions transactions;
  const std::vector index{aborted(1, 0, 20)};
  transactions.expect(index);
  EXPECT_TRUE(transactions.is_aborted(data(1, 0, 5)));
  transactions.expect(index);
  EXPECT_TRUE(transactions.is_aborted(data(1, 10, 15)));
  EXPECT_FALSE(spent(transactions, marker(1, 20), ControlRecordType::abort));
  EXPECT_FALSE(transactions.is_aborted(data(1, 21, 22)));
  EXPECT_EQ(transactions.take_needed(), index) << "once";
}

TEST(CleanedTransactions, control_records_of_other_kinds_are_needed) {
  CleanedTransactions transactions;
  EXPECT_FALSE(spent(transactions, marker(-1, 3), ControlRecordType::leader_change));
  EXPECT_FALSE(spent(transactions, marker(-1, 4), static_cast<ControlRecordType>(77)));
}

TEST(CleanedTransactions, an_abort_that_the_index_does_not_know_is_found) {
  CleanedTransactions transactions;
  EXPECT_FALSE(transactions.is_aborted(data(1, 0, 5)));
  const auto answer = transactions.is_spent(marker(1, 6), ControlRecordType::abort);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error, BatchError::control_record_invalid);
}

}  // namespace
}  // namespace millrace::storage
