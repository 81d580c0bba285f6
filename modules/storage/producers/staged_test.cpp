#include <gtest/gtest.h>

#include <optional>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using enum ProducerVerdict;

TEST(StagedProducers, checks_batches_of_one_write_against_each_other) {
  ProducerBudget budget;
  ProducerStates states(budget);
  states.update(batch({.sequence = 0, .count = 2, .offset = 0}));
  StagedProducers staged(states);
  const ProducerBatch second = batch({.sequence = 2, .count = 2, .offset = 2});
  EXPECT_EQ(staged.add(second, AppendOrigin::client).verdict, accepted);
  EXPECT_EQ(staged.add(batch({.sequence = 2, .offset = 4}), AppendOrigin::client).verdict,
            out_of_order_sequence_number);
  EXPECT_EQ(staged.add(batch({.sequence = 4, .offset = 4}), AppendOrigin::client).verdict,
            accepted);
  const ProducerCheck again = staged.add(second, AppendOrigin::client);
  EXPECT_EQ(again.verdict, duplicate);
  EXPECT_EQ(again.original.first_offset(), Offset(2));
  EXPECT_EQ(states.find(ProducerId(1))->batch_count(), 1u) << "nothing has been written yet";

  std::vector<CompletedTransaction> completed;
  staged.apply(completed);
  EXPECT_TRUE(staged.empty());
  EXPECT_EQ(states.find(ProducerId(1))->batch_count(), 3u);
  EXPECT_TRUE(completed.empty());
}

TEST(StagedProducers, leave_no_trace_when_the_write_fails) {
  ProducerBudget budget;
  ProducerStates states(budget);
  StagedProducers staged(states);
  EXPECT_TRUE(staged.add(batch({.transactional = true}), AppendOrigin::client).accepted());
  EXPECT_TRUE(
      staged.add(marker({.epoch = 1, .offset = 1}), AppendOrigin::coordinator, 2).accepted());
  EXPECT_FALSE(staged.empty());
  staged.clear();
  EXPECT_TRUE(staged.empty());
  EXPECT_TRUE(states.empty());
  EXPECT_EQ(budget.count(), 0u);
  EXPECT_EQ(states.first_unstable_offset(), std::nullopt);
  EXPECT_TRUE(staged.add(batch({.sequence = 5}), AppendOrigin::client).accepted())
      << "nor in what is staged next";
}

TEST(StagedProducers, give_the_transactions_that_ended) {
  ProducerBudget budget;
  ProducerStates states(budget);
  StagedProducers staged(states);
  EXPECT_TRUE(
      staged.add(batch({.offset = 3, .transactional = true}), AppendOrigin::client).accepted());
  EXPECT_TRUE(
      staged.add(marker({.epoch = 1, .offset = 4, .aborts = true}), AppendOrigin::coordinator, 2)
          .accepted());
  EXPECT_EQ(staged.add(marker({.epoch = 0, .offset = 5}), AppendOrigin::coordinator, 2).verdict,
            invalid_producer_epoch);
  std::vector<CompletedTransaction> completed;
  staged.apply(completed);
  ASSERT_EQ(completed.size(), 1u);
  EXPECT_EQ(completed[0].first_offset, Offset(3));
  EXPECT_EQ(completed[0].last_offset, Offset(4));
  EXPECT_TRUE(completed[0].aborted);
}

TEST(StagedProducers, count_against_the_limits) {
  ProducerBudget budget(3, 10);
  ProducerStates states(budget);
  states.update(batch({.producer = 1}));
  StagedProducers staged(states);
  EXPECT_TRUE(staged.add(batch({.producer = 2}), AppendOrigin::client).accepted());
  EXPECT_TRUE(staged.add(batch({.producer = 3}), AppendOrigin::client).accepted());
  EXPECT_EQ(staged.add(batch({.producer = 4}), AppendOrigin::client).verdict, too_many_producers);
  EXPECT_TRUE(staged.add(batch({.producer = 3, .sequence = 1}), AppendOrigin::client).accepted());
  EXPECT_TRUE(staged.add(batch({.producer = 4}), AppendOrigin::replication).accepted());
}

}  // namespace
}  // namespace millrace::storage
