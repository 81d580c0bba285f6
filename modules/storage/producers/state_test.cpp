#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using enum ProducerVerdict;
constexpr std::int32_t sequence_max = std::numeric_limits<std::int32_t>::max();
constexpr std::int16_t epoch_max = std::numeric_limits<std::int16_t>::max();

ProducerVerdict verdict(const ProducerState& state, const ProducerBatch& batch,
                        AppendOrigin origin = AppendOrigin::client) {
  return state.check(batch, origin).verdict;
}
ProducerVerdict verdict(const ProducerState& state, const ProducerMarker& marker,
                        std::int16_t transaction_version,
                        AppendOrigin origin = AppendOrigin::coordinator) {
  return state.check(marker, origin, transaction_version).verdict;
}

TEST(ProducerState, takes_a_producer_that_it_does_not_know_at_any_sequence) {
  const ProducerState state;
  for (const std::int32_t sequence : {0, 1, 77, sequence_max}) {
    EXPECT_EQ(verdict(state, batch({.epoch = 0, .sequence = sequence})), accepted);
    EXPECT_EQ(verdict(state, batch({.epoch = 9, .sequence = sequence})), accepted);
  }
}

TEST(ProducerState, wants_each_sequence_after_the_last) {
  ProducerState state;
  state.update(batch({.sequence = 0, .count = 10}));
  EXPECT_EQ(verdict(state, batch({.sequence = 10})), accepted);
  for (const std::int32_t sequence : {9, 11, 100, sequence_max}) {
    EXPECT_EQ(verdict(state, batch({.sequence = sequence})), out_of_order_sequence_number);
  }
}

TEST(ProducerState, sequences_go_on_at_zero_after_the_highest) {
  ProducerState state;
  state.update(batch({.sequence = sequence_max - 1, .count = 2}));
  EXPECT_EQ(verdict(state, batch({.sequence = 0})), accepted);
  EXPECT_EQ(verdict(state, batch({.sequence = 1})), out_of_order_sequence_number);
  state.update(batch({.sequence = 0, .count = 3, .offset = 2}));
  EXPECT_EQ(verdict(state, batch({.sequence = 3})), accepted);
}

TEST(ProducerState, a_batch_across_the_highest_sequence_is_known_again) {
  ProducerState state;
  const ProducerBatch across = batch({.sequence = sequence_max - 1, .count = 5, .offset = 70});
  EXPECT_EQ(across.last_sequence, Sequence(2));
  state.update(across);
  EXPECT_EQ(verdict(state, batch({.sequence = 3})), accepted);
  const ProducerCheck again = state.check(across, AppendOrigin::client);
  EXPECT_EQ(again.verdict, duplicate);
  EXPECT_EQ(again.original.first_sequence(), Sequence(sequence_max - 1));
  EXPECT_EQ(again.original.first_offset(), Offset(70));
  EXPECT_EQ(again.original.last_offset, Offset(74));
}

TEST(ProducerState, answers_the_last_five_batches_with_their_offsets) {
  ProducerState state;
  std::vector<ProducerBatch> sent;
  for (std::int32_t number = 0; number < 8; ++number) {
    sent.push_back(batch({.sequence = 3 * number, .count = 3, .offset = 100 + 3 * number}));
    state.update(sent.back());
  }
  for (std::size_t number = 0; number < sent.size(); ++number) {
    const ProducerCheck check = state.check(sent[number], AppendOrigin::client);
    if (number < 3) {
      EXPECT_EQ(check.verdict, out_of_order_sequence_number) << number;
    } else {
      EXPECT_EQ(check.verdict, duplicate) << number;
      EXPECT_EQ(check.original.first_offset(), sent[number].first_offset);
      EXPECT_EQ(check.original.last_offset, sent[number].last_offset);
      EXPECT_EQ(check.original.timestamp, sent[number].max_timestamp);
    }
  }
}

TEST(ProducerState, a_batch_is_a_duplicate_only_as_a_whole) {
  ProducerState state;
  state.update(batch({.sequence = 0, .count = 4}));
  EXPECT_EQ(verdict(state, batch({.sequence = 0, .count = 4})), duplicate);
  EXPECT_EQ(verdict(state, batch({.sequence = 0, .count = 3})), out_of_order_sequence_number);
  EXPECT_EQ(verdict(state, batch({.sequence = 0, .count = 5})), out_of_order_sequence_number);
  EXPECT_EQ(verdict(state, batch({.sequence = 1, .count = 3})), out_of_order_sequence_number);
}

TEST(ProducerState, only_clients_repeat_themselves) {
  ProducerState state;
  state.update(batch({.sequence = 0}));
  EXPECT_EQ(verdict(state, batch({.sequence = 0}), AppendOrigin::coordinator), accepted)
      << "a coordinator does not count";
  EXPECT_EQ(verdict(state, batch({.sequence = 0}), AppendOrigin::replication), accepted);
}

TEST(ProducerState, a_new_epoch_begins_at_sequence_zero) {
  ProducerState state;
  state.update(batch({.epoch = 3, .sequence = 7}));
  EXPECT_EQ(verdict(state, batch({.epoch = 4, .sequence = 0})), accepted);
  EXPECT_EQ(verdict(state, batch({.epoch = 4, .sequence = 8})), out_of_order_sequence_number);
  EXPECT_EQ(verdict(state, batch({.epoch = 9, .sequence = 1})), out_of_order_sequence_number);
  state.update(batch({.epoch = 4, .sequence = 0}));
  EXPECT_EQ(state.batch_count(), 1u) << "batches of the old epoch cannot come again";
  EXPECT_EQ(verdict(state, batch({.epoch = 3, .sequence = 7})), invalid_producer_epoch);
}

TEST(ProducerState, an_older_epoch_is_fenced_but_for_what_a_leader_took) {
  ProducerState state;
  state.update(batch({.epoch = 3}));
  EXPECT_EQ(verdict(state, batch({.epoch = 2})), invalid_producer_epoch);
  EXPECT_EQ(verdict(state, batch({.epoch = 2}), AppendOrigin::coordinator), invalid_producer_epoch);
  EXPECT_EQ(verdict(state, batch({.epoch = 2}), AppendOrigin::replication), accepted);
}

TEST(ProducerState, after_a_marker_of_its_epoch_a_producer_begins_at_zero) {
  ProducerState state;
  state.update(marker({.epoch = 2}));
  EXPECT_EQ(verdict(state, batch({.epoch = 2, .sequence = 0})), accepted);
  EXPECT_EQ(verdict(state, batch({.epoch = 2, .sequence = 5})), out_of_order_sequence_number);
}

TEST(ProducerState, sequences_go_on_after_a_marker_of_the_same_epoch) {
  ProducerState state;
  state.update(batch({.epoch = 2, .sequence = 0, .count = 4, .transactional = true}));
  state.update(marker({.epoch = 2}));
  EXPECT_EQ(state.transaction_start(), std::nullopt);
  EXPECT_EQ(verdict(state, batch({.epoch = 2, .sequence = 4, .transactional = true})), accepted);
}

TEST(ProducerState, a_transaction_admits_no_other_records_of_its_producer) {
  ProducerState state;
  state.update(batch({.sequence = 0, .offset = 7, .transactional = true}));
  EXPECT_EQ(state.transaction_start(), Offset(7));
  EXPECT_EQ(verdict(state, batch({.sequence = 1})), invalid_transaction_state);
  EXPECT_EQ(verdict(state, batch({.sequence = 1}), AppendOrigin::replication),
            invalid_transaction_state);
  EXPECT_EQ(verdict(state, batch({.sequence = 1, .transactional = true})), accepted);
  state.update(batch({.sequence = 1, .offset = 9, .transactional = true}));
  EXPECT_EQ(state.transaction_start(), Offset(7)) << "it began with its first record";
}

TEST(ProducerState, a_marker_of_transaction_version_1_may_have_the_epoch_of_the_producer) {
  ProducerState state;
  state.update(batch({.epoch = 3, .transactional = true}));
  for (const std::int16_t version : {std::int16_t{0}, std::int16_t{1}}) {
    EXPECT_EQ(verdict(state, marker({.epoch = 2}), version), invalid_producer_epoch);
    EXPECT_EQ(verdict(state, marker({.epoch = 3}), version), accepted);
    EXPECT_EQ(verdict(state, marker({.epoch = 4}), version), accepted);
  }
}

TEST(ProducerState, a_marker_of_transaction_version_2_has_a_higher_epoch) {
  ProducerState state;
  state.update(batch({.epoch = 3, .transactional = true}));
  EXPECT_EQ(verdict(state, marker({.epoch = 2}), 2), invalid_producer_epoch);
  EXPECT_EQ(verdict(state, marker({.epoch = 3}), 2), invalid_producer_epoch)
      << "a late marker of the transaction before";
  EXPECT_EQ(verdict(state, marker({.epoch = 4}), 2), accepted);
}

TEST(ProducerState, a_marker_of_transaction_version_2_may_be_repeated) {
  ProducerState state;
  state.update(batch({.epoch = 3, .transactional = true}));
  state.update(marker({.epoch = 4}));
  EXPECT_EQ(verdict(state, marker({.epoch = 4}), 2), accepted);
  EXPECT_EQ(verdict(state, marker({.epoch = 3}), 2), invalid_producer_epoch);
  state.update(batch({.epoch = 4, .transactional = true}));
  EXPECT_EQ(verdict(state, marker({.epoch = 4}), 2), invalid_producer_epoch)
      << "it would end the next transaction";
}

TEST(ProducerState, the_highest_epoch_ends_by_a_marker_of_its_own) {
  ProducerState state;
  state.update(batch({.epoch = epoch_max, .transactional = true}));
  EXPECT_EQ(verdict(state, marker({.epoch = epoch_max}), 2), accepted);
}

TEST(ProducerState, an_older_coordinator_is_fenced) {
  ProducerState state;
  state.update(marker({.epoch = 1, .coordinator_epoch = 5}));
  EXPECT_EQ(verdict(state, marker({.epoch = 1, .coordinator_epoch = 4}), 1),
            transaction_coordinator_fenced);
  EXPECT_EQ(verdict(state, marker({.epoch = 1, .coordinator_epoch = 5}), 1), accepted);
  EXPECT_EQ(
      verdict(state, marker({.epoch = 0, .coordinator_epoch = 4}), 1, AppendOrigin::replication),
      accepted);
}

TEST(ProducerState, reads_a_batch_from_its_header) {
  protocol::BatchHeader header;
  header.base_offset = Offset(100);
  header.last_offset_delta = 4;
  header.producer = {ProducerId(7), ProducerEpoch(3), Sequence(sequence_max)};
  header.max_timestamp = Timestamp(55);
  header.attributes = header.attributes.with(protocol::BatchAttributes::transactional_bit, true);
  const ProducerBatch read = producer_batch(header);
  EXPECT_EQ(read.producer, ProducerId(7));
  EXPECT_EQ(read.epoch, ProducerEpoch(3));
  EXPECT_EQ(read.first_sequence, Sequence(sequence_max));
  EXPECT_EQ(read.last_sequence, Sequence(3));
  EXPECT_EQ(read.first_offset, Offset(100));
  EXPECT_EQ(read.last_offset, Offset(104));
  EXPECT_EQ(read.max_timestamp, Timestamp(55));
  EXPECT_TRUE(read.transactional);
}

TEST(ProducerState, every_verdict_has_a_name_of_its_own) {
  const std::vector<ProducerVerdict> verdicts = {accepted,
                                                 duplicate,
                                                 out_of_order_sequence_number,
                                                 invalid_producer_epoch,
                                                 transaction_coordinator_fenced,
                                                 invalid_transaction_state,
                                                 too_many_producers};
  for (const ProducerVerdict one : verdicts) {
    for (const ProducerVerdict other : verdicts) {
      EXPECT_EQ(name_of(one) == name_of(other), one == other);
    }
  }
}

}  // namespace
}  // namespace millrace::storage
