#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "../../protocol/compression/heap_calls.h"
// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using enum ProducerVerdict;

TEST(ProducerStates, without_producers_takes_no_memory) {
  const std::uint64_t before = compression_test::heap_calls();
  ProducerBudget budget;
  const ProducerStates states(budget);
  EXPECT_TRUE(states.empty());
  EXPECT_EQ(states.first_unstable_offset(), std::nullopt);
  EXPECT_EQ(compression_test::heap_calls(), before);
  EXPECT_LE(sizeof(ProducerStates), 256u) << "one for each partition of a broker";
}

TEST(ProducerStates, change_places_with_all_that_is_known_and_counted) {
  ProducerBudget budget;
  std::optional<ProducerStates> states(budget);
  std::optional<ProducerStates> others(budget);
  states->update(batch({.producer = 1, .offset = 3, .transactional = true}));
  states->update(batch({.producer = 2, .offset = 4}));
  others->update(batch({.producer = 2, .offset = 9}));
  EXPECT_EQ(budget.count(), 3u);
  states->swap(*others);
  EXPECT_EQ(states->size(), 1u);
  EXPECT_EQ(states->first_unstable_offset(), std::nullopt);
  EXPECT_EQ(others->size(), 2u);
  EXPECT_EQ(others->first_unstable_offset(), Offset(3));
  EXPECT_EQ(budget.count(), 3u);
  others.reset();
  EXPECT_EQ(budget.count(), 1u);
  states.reset();
  EXPECT_EQ(budget.count(), 0u);
}

TEST(ProducerStates, an_open_transaction_holds_readers_back) {
  ProducerBudget budget;
  ProducerStates states(budget);
  states.update(batch({.producer = 1, .count = 5, .offset = 0}));
  EXPECT_EQ(states.first_unstable_offset(), std::nullopt);
  states.update(batch({.producer = 2, .offset = 5, .transactional = true}));
  states.update(batch({.producer = 3, .offset = 6, .transactional = true}));
  EXPECT_EQ(states.first_undecided_offset(), Offset(5));
  EXPECT_EQ(states.first_unstable_offset(), Offset(5));

  const auto second = states.update(marker({.producer = 3, .offset = 7, .aborts = true}));
  EXPECT_EQ(second, (CompletedTransaction{.producer = ProducerId(3),
                                          .first_offset = Offset(6),
                                          .last_offset = Offset(7),
                                          .last_stable_offset = Offset(5),
                                          .aborted = true}));
  EXPECT_EQ(states.first_undecided_offset(), Offset(5));
  const auto first = states.update(marker({.producer = 2, .offset = 8}));
  EXPECT_EQ(first, (CompletedTransaction{.producer = ProducerId(2),
                                         .first_offset = Offset(5),
                                         .last_offset = Offset(8),
                                         .last_stable_offset = Offset(9),
                                         .aborted = false}));
  EXPECT_EQ(states.first_undecided_offset(), std::nullopt);
}

TEST(ProducerStates, an_ended_transaction_holds_readers_back_until_its_marker_is_replicated) {
  ProducerBudget budget;
  ProducerStates states(budget);
  states.update(batch({.producer = 1, .offset = 10, .transactional = true}));
  states.update(batch({.producer = 2, .offset = 11, .transactional = true}));
  EXPECT_TRUE(states.update(marker({.producer = 2, .offset = 12})));
  EXPECT_TRUE(states.update(marker({.producer = 1, .offset = 13})));
  EXPECT_EQ(states.first_undecided_offset(), std::nullopt);
  EXPECT_EQ(states.first_unstable_offset(), Offset(10));
  states.high_watermark_moved(Offset(13));
  EXPECT_EQ(states.first_unstable_offset(), Offset(10)) << "the marker itself is not below it";
  states.high_watermark_moved(Offset(14));
  EXPECT_EQ(states.first_unstable_offset(), std::nullopt);
}

TEST(ProducerStates, a_transaction_below_the_log_start_holds_nobody_back) {
  ProducerBudget budget;
  ProducerStates states(budget);
  states.update(batch({.producer = 1, .offset = 10, .transactional = true}));
  EXPECT_TRUE(states.update(marker({.producer = 1, .offset = 13})));
  states.log_start_moved(Offset(13));
  EXPECT_EQ(states.first_unstable_offset(), Offset(10));
  states.log_start_moved(Offset(14));
  EXPECT_EQ(states.first_unstable_offset(), std::nullopt);
}

TEST(ProducerStates, a_marker_without_records_before_it_ends_nothing) {
  ProducerBudget budget;
  ProducerStates states(budget);
  EXPECT_EQ(states.update(marker({.producer = 1, .epoch = 4, .offset = 0})), std::nullopt);
  EXPECT_EQ(states.first_unstable_offset(), std::nullopt);
  ASSERT_NE(states.find(ProducerId(1)), nullptr);
  EXPECT_EQ(states.find(ProducerId(1))->epoch(), ProducerEpoch(4));
}

TEST(ProducerStates, transactions_that_wait_for_replication_take_bounded_memory) {
  ProducerBudget budget;
  ProducerStates states(budget);
  const auto total = static_cast<std::int64_t>(unreplicated_transactions_max) + 1000;
  for (std::int64_t number = 0; number < total; ++number) {
    states.update(batch({.offset = 2 * number, .transactional = true}));
    EXPECT_TRUE(states.update(marker({.offset = 2 * number + 1})));
  }
  // The first ones are told apart, the last ones are taken together.
  states.high_watermark_moved(Offset(200));
  EXPECT_EQ(states.first_unstable_offset(), Offset(200));
  const std::int64_t apart = 2 * (static_cast<std::int64_t>(unreplicated_transactions_max) - 1);
  states.high_watermark_moved(Offset(2 * total - 1));
  EXPECT_EQ(states.first_unstable_offset(), Offset(apart));
  states.high_watermark_moved(Offset(2 * total));
  EXPECT_EQ(states.first_unstable_offset(), std::nullopt);
}

TEST(ProducerStates, forgets_producers_that_were_silent_for_long) {
  ProducerBudget budget;
  ProducerStates states(budget);
  states.update(batch({.producer = 1, .timestamp = 1000}));
  states.update(batch({.producer = 2, .offset = 1, .timestamp = 1001}));
  states.update(batch({.producer = 3, .offset = 2, .timestamp = 0, .transactional = true}));
  EXPECT_EQ(states.remove_expired(Timestamp(1999), 1000), 0u);
  EXPECT_EQ(states.remove_expired(Timestamp(2000), 1000), 1u);
  EXPECT_EQ(states.find(ProducerId(1)), nullptr);
  EXPECT_NE(states.find(ProducerId(2)), nullptr);
  EXPECT_NE(states.find(ProducerId(3)), nullptr) << "its transaction is open";
  EXPECT_EQ(budget.count(), 2u);
  EXPECT_EQ(states.check(batch({.producer = 1, .sequence = 9}), AppendOrigin::client).verdict,
            accepted)
      << "it is unknown again";
}

TEST(ProducerStates, timestamps_of_clients_do_no_harm) {
  ProducerBudget budget;
  ProducerStates states(budget);
  constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
  states.update(batch({.producer = 1, .timestamp = lowest}));
  states.update(batch({.producer = 2, .offset = 1, .timestamp = highest}));
  EXPECT_EQ(states.remove_expired(Timestamp(5000), 1000), 1u);
  EXPECT_NE(states.find(ProducerId(2)), nullptr);
  EXPECT_EQ(states.remove_expired(Timestamp(lowest), 1000), 0u);
}

TEST(ProducerStates, refuses_clients_new_producers_beyond_the_limit_of_the_partition) {
  ProducerBudget budget(100, 2);
  ProducerStates states(budget);
  states.update(batch({.producer = 1}));
  states.update(batch({.producer = 2, .offset = 1}));
  const ProducerBatch third = batch({.producer = 3, .offset = 2});
  EXPECT_EQ(states.check(third, AppendOrigin::client).verdict, too_many_producers);
  EXPECT_EQ(states.check(third, AppendOrigin::coordinator).verdict, accepted);
  EXPECT_EQ(states.check(third, AppendOrigin::replication).verdict, accepted);
  EXPECT_EQ(states.check(batch({.producer = 1, .sequence = 1}), AppendOrigin::client).verdict,
            accepted)
      << "who is known goes on";
}

TEST(ProducerStates, refuses_clients_new_producers_beyond_the_limit_of_the_shard) {
  ProducerBudget budget(3, 2);
  ProducerStates one(budget);
  one.update(batch({.producer = 1}));
  one.update(batch({.producer = 2}));
  ProducerStates other(budget);
  other.update(batch({.producer = 1}));
  EXPECT_EQ(budget.count(), 3u);
  EXPECT_EQ(other.check(batch({.producer = 3}), AppendOrigin::client).verdict, too_many_producers);
  one.clear();
  EXPECT_EQ(budget.count(), 1u);
  EXPECT_EQ(other.check(batch({.producer = 3}), AppendOrigin::client).verdict, accepted);
}

TEST(ProducerStates, gives_its_room_back_at_its_end) {
  ProducerBudget budget;
  {
    ProducerStates states(budget);
    states.update(batch({.producer = 1}));
    EXPECT_EQ(budget.count(), 1u);
  }
  EXPECT_EQ(budget.count(), 0u);
}

TEST(ProducerStates, comes_back_from_a_snapshot_with_the_last_batch_of_each) {
  ProducerBudget budget;
  ProducerStates states(budget);
  for (std::int32_t number = 0; number < 7; ++number) {
    states.update(batch({.producer = 4, .epoch = 2, .sequence = number, .offset = number}));
  }
  states.update(batch({.producer = 5, .offset = 7, .transactional = true}));
  EXPECT_FALSE(states.update(marker({.producer = 6, .epoch = 1, .coordinator_epoch = 3})));
  const auto entries = states.snapshot_entries();

  ProducerStates restored(budget);
  restored.update(batch({.producer = 99, .transactional = true}));
  restored.restore(entries, Timestamp(1500), 1000);
  EXPECT_EQ(restored.snapshot_entries(), entries);
  EXPECT_EQ(restored.find(ProducerId(99)), nullptr);
  EXPECT_EQ(restored.first_unstable_offset(), Offset(7));
  EXPECT_EQ(restored.find(ProducerId(4))->batch_count(), 1u);
  const auto verdict = [&restored](const ProducerBatch& sent) {
    return restored.check(sent, AppendOrigin::client).verdict;
  };
  EXPECT_EQ(verdict(batch({.producer = 4, .epoch = 2, .sequence = 7})), accepted);
  EXPECT_EQ(verdict(batch({.producer = 4, .epoch = 2, .sequence = 6})), duplicate);
  EXPECT_EQ(verdict(batch({.producer = 6, .epoch = 1, .sequence = 0})), accepted);
  EXPECT_EQ(verdict(batch({.producer = 6, .epoch = 1, .sequence = 1})),
            out_of_order_sequence_number);
}

TEST(ProducerStates, a_snapshot_brings_back_nobody_who_has_expired) {
  ProducerBudget budget;
  ProducerStates states(budget);
  states.update(batch({.producer = 1, .timestamp = 1000}));
  states.update(batch({.producer = 2, .offset = 1, .timestamp = 1000, .transactional = true}));
  const auto entries = states.snapshot_entries();
  states.restore(entries, Timestamp(2000), 1000);
  EXPECT_EQ(states.find(ProducerId(1)), nullptr);
  EXPECT_NE(states.find(ProducerId(2)), nullptr);
  EXPECT_EQ(budget.count(), 1u);
}

TEST(ProducerStates, tells_how_long_a_transaction_has_been_silent) {
  ProducerBudget budget;
  ProducerStates states(budget);
  EXPECT_EQ(states.oldest_open_transaction(), std::nullopt);
  states.update(batch({.producer = 1, .offset = 0, .timestamp = 2000, .transactional = true}));
  states.update(batch({.producer = 2, .offset = 1, .timestamp = 1000, .transactional = true}));
  EXPECT_EQ(states.oldest_open_transaction(), Timestamp(1000));
  states.update(
      batch({.producer = 2, .sequence = 1, .offset = 2, .timestamp = 3000, .transactional = true}));
  EXPECT_EQ(states.oldest_open_transaction(), Timestamp(2000));
}

}  // namespace
}  // namespace millrace::storage
