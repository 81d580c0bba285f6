// Where a transactional producer stands. Also proves consequence.cpp.
#include <gtest/gtest.h>

#include <cstdint>

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.protocol.api;

namespace millrace::client {
namespace {

constexpr auto named = TransactionProtocol::named;
constexpr auto implicit = TransactionProtocol::implicit;

ClientError some_error() {
  return client_error(Failure::timed_out, "late");
}

TransactionState with_id() {
  TransactionState state;
  EXPECT_TRUE(state.begin_taking_id());
  state.took_id(ProducerId(7), ProducerEpoch(3), implicit);
  return state;
}

TEST(TransactionState, goes_from_the_id_over_transactions_to_transactions) {
  TransactionState state;
  EXPECT_FALSE(state.begin(implicit));
  ASSERT_TRUE(state.begin_taking_id());
  EXPECT_FALSE(state.begin_taking_id());
  state.took_none();
  ASSERT_TRUE(state.begin_taking_id());
  state.took_id(ProducerId(7), ProducerEpoch(3), implicit);
  ASSERT_TRUE(state.begin(named));
  EXPECT_EQ(state.protocol(), named);
  EXPECT_FALSE(state.begin(named));
  EXPECT_TRUE(state.may_send());
  EXPECT_FALSE(state.is_started());
  state.started();
  ASSERT_TRUE(state.begin_commit());
  ASSERT_TRUE(state.begin_commit());
  EXPECT_FALSE(state.begin_abort());
  state.ended(ProducerId(8), ProducerEpoch(0));
  ASSERT_TRUE(state.begin(implicit));
  EXPECT_EQ(state.number(), 2u);
  EXPECT_EQ(state.id(), ProducerId(8));
  EXPECT_FALSE(state.is_started());
  ASSERT_TRUE(state.begin_abort());
  EXPECT_TRUE(state.drops());
  EXPECT_FALSE(state.begin_commit());
  state.ended();
  EXPECT_EQ(state.phase(), TransactionPhase::ready);
}

TEST(TransactionState, what_fails_within_a_transaction_leaves_only_the_abort) {
  for (const bool is_committing : {false, true}) {
    TransactionState state = with_id();
    ASSERT_TRUE(state.begin(implicit));
    if (is_committing) ASSERT_TRUE(state.begin_commit());
    state.failed(Consequence::retry, some_error());
    EXPECT_TRUE(state.may_send());
    state.failed(Consequence::renew, some_error());
    EXPECT_FALSE(state.may_send());
    EXPECT_TRUE(state.drops());
    EXPECT_TRUE(state.needs_renewal());
    ASSERT_TRUE(state.error().has_value());
    EXPECT_TRUE(state.error()->needs_abort);
    EXPECT_FALSE(state.error()->retriable);
    EXPECT_EQ(state.begin_commit().error().message, "late");
    EXPECT_FALSE(state.begin(implicit));
    ASSERT_TRUE(state.begin_abort());
    // What fails while it is aborted loses nothing more.
    state.failed(Consequence::abort, some_error());
    EXPECT_EQ(state.phase(), TransactionPhase::aborting);
    state.renewed(ProducerId(7), ProducerEpoch(4));
    state.ended();
    ASSERT_TRUE(state.begin(implicit));
    EXPECT_FALSE(state.error().has_value());
  }
}

TEST(TransactionState, an_end_that_was_not_told_is_kept_until_it_is_or_the_next_begins) {
  constexpr auto committing = TransactionPhase::committing;
  constexpr auto aborting = TransactionPhase::aborting;
  TransactionState state = with_id();
  EXPECT_FALSE(state.tell_end(committing).has_value());
  ASSERT_TRUE(state.begin(implicit));
  ASSERT_TRUE(state.begin_commit());
  EXPECT_FALSE(state.tell_end(committing).has_value());
  state.ended();
  const auto told = state.tell_end(committing);
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->has_value());
  EXPECT_FALSE(state.tell_end(committing).has_value());
  ASSERT_TRUE(state.begin(implicit));
  ASSERT_TRUE(state.begin_abort());
  state.ended();
  const auto other = state.tell_end(committing);
  ASSERT_TRUE(other.has_value());
  ASSERT_FALSE(other->has_value());
  EXPECT_EQ(other->error().message, "the transaction was aborted");
  ASSERT_TRUE(state.begin(implicit));
  ASSERT_TRUE(state.begin_commit());
  state.ended();
  ASSERT_TRUE(state.begin(implicit));
  EXPECT_FALSE(state.tell_end(aborting).has_value());
}

TEST(TransactionState, who_is_fenced_does_nothing_more) {
  TransactionState state = with_id();
  ASSERT_TRUE(state.begin(implicit));
  state.failed(Consequence::abort, some_error());
  state.failed(Consequence::fenced, some_error());
  EXPECT_EQ(state.phase(), TransactionPhase::broken);
  EXPECT_TRUE(state.error()->fatal);
  EXPECT_EQ(state.error()->failure, Failure::fenced);
  for (const auto& refused : {state.begin(implicit), state.begin_commit(), state.begin_abort(),
                              state.begin_taking_id()}) {
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().fatal);
  }
}

TEST(Consequence, is_what_brokers_mean) {
  using Step = TransactionStep;
  const auto is = [](Step step, ErrorCode code, Consequence expected) {
    EXPECT_EQ(consequence_of(step, code), expected) << protocol::name_of(code);
  };
  is(Step::end, ErrorCode::none, Consequence::none);
  is(Step::take_id, ErrorCode::concurrent_transactions, Consequence::wait);
  is(Step::add_partitions, ErrorCode::coordinator_load_in_progress, Consequence::retry);
  is(Step::add_partitions, ErrorCode::unknown_topic_or_partition, Consequence::retry);
  is(Step::end, ErrorCode::not_coordinator, Consequence::find_coordinator);
  is(Step::find_coordinator, ErrorCode::coordinator_not_available, Consequence::retry);
  is(Step::commit_offsets, ErrorCode::illegal_generation, Consequence::abort);
  is(Step::add_offsets, ErrorCode::group_authorization_failed, Consequence::abort);
  is(Step::end, ErrorCode::transaction_abortable, Consequence::abort);
  is(Step::add_partitions, ErrorCode::invalid_producer_id_mapping, Consequence::renew);
  is(Step::produce, ErrorCode::invalid_producer_epoch, Consequence::renew);
  is(Step::end, ErrorCode::invalid_producer_epoch, Consequence::fenced);
  is(Step::take_id, ErrorCode::producer_fenced, Consequence::fenced);
  is(Step::produce, ErrorCode::invalid_txn_state, Consequence::fatal);
  is(Step::take_id, ErrorCode::transactional_id_authorization_failed, Consequence::fatal);
  is(Step::take_id, ErrorCode::invalid_transaction_timeout, Consequence::fatal);
}

TEST(Consequence, every_code_that_is_not_passing_ends_the_transaction_or_the_producer) {
  for (std::int16_t number = 1; number < 134; ++number) {
    const ErrorCode code = protocol::error_code_from(number);
    const Consequence within = consequence_of(TransactionStep::produce, code);
    EXPECT_NE(within, Consequence::none) << protocol::name_of(code);
    if (traits_of(code).retriable) EXPECT_TRUE(is_passing(within)) << protocol::name_of(code);
  }
}

}  // namespace
}  // namespace millrace::client
