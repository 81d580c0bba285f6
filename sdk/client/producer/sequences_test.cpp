// Also proves verdict.cpp, verdict.cppm.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.protocol.batch;

namespace millrace::client {
namespace {

using protocol::ProducerState;

TEST(PartitionSequences, count_records_from_zero_under_the_id_that_was_given) {
  PartitionSequences sequences;
  EXPECT_TRUE(sequences.needs_id());
  sequences.begin(ProducerId(9), ProducerEpoch(0));
  EXPECT_FALSE(sequences.needs_id());
  EXPECT_EQ(sequences.assign(10), (ProducerState{ProducerId(9), ProducerEpoch(0), Sequence(0)}));
  EXPECT_EQ(sequences.assign(1), (ProducerState{ProducerId(9), ProducerEpoch(0), Sequence(10)}));
  EXPECT_EQ(sequences.next(), Sequence(11));
}

TEST(PartitionSequences, go_from_the_last_number_to_zero) {
  PartitionSequences sequences;
  sequences.begin(ProducerId(9), ProducerEpoch(0));
  static_cast<void>(sequences.assign(std::numeric_limits<std::int32_t>::max()));
  EXPECT_EQ(sequences.assign(3).base_sequence, Sequence(0x7fff'ffff));
  EXPECT_EQ(sequences.assign(1).base_sequence, Sequence(2));
}

TEST(PartitionSequences, begin_again_under_the_next_epoch) {
  PartitionSequences sequences;
  sequences.begin(ProducerId(9), ProducerEpoch(0));
  const ProducerState before = sequences.assign(5);
  EXPECT_TRUE(sequences.is_current(before));
  sequences.bump();
  EXPECT_FALSE(sequences.is_current(before));
  EXPECT_EQ(sequences.assign(5), (ProducerState{ProducerId(9), ProducerEpoch(1), Sequence(0)}));
}

TEST(PartitionSequences, are_known_to_the_broker_when_it_took_a_batch_of_this_epoch) {
  PartitionSequences sequences;
  sequences.begin(ProducerId(9), ProducerEpoch(0));
  const ProducerState first = sequences.assign(5);
  EXPECT_FALSE(sequences.is_known());
  sequences.taken(first);
  EXPECT_TRUE(sequences.is_known());
  sequences.bump();
  EXPECT_FALSE(sequences.is_known());
  sequences.taken(first);
  EXPECT_FALSE(sequences.is_known());
}

TEST(PartitionSequences, need_a_new_id_after_the_last_epoch) {
  PartitionSequences sequences;
  sequences.begin(ProducerId(9), ProducerEpoch(std::numeric_limits<std::int16_t>::max()));
  sequences.bump();
  EXPECT_TRUE(sequences.needs_id());
}

TEST(Verdict, of_an_answer_says_what_becomes_of_the_batch) {
  const BatchFacts one{.record_count = 1, .is_idempotent = true};
  const BatchFacts many{.record_count = 2, .is_idempotent = true};
  const BatchFacts plain{.record_count = 2, .is_idempotent = false};
  EXPECT_EQ(verdict_of(ErrorCode::none, one), Verdict::delivered);
  EXPECT_EQ(verdict_of(ErrorCode::duplicate_sequence_number, one), Verdict::was_there);
  EXPECT_EQ(verdict_of(ErrorCode::message_too_large, many), Verdict::split);
  EXPECT_EQ(verdict_of(ErrorCode::message_too_large, one), Verdict::failed);
  EXPECT_EQ(verdict_of(ErrorCode::record_list_too_large, plain), Verdict::split);
  for (const ErrorCode code : {ErrorCode::out_of_order_sequence_number,
                               ErrorCode::unknown_producer_id, ErrorCode::invalid_producer_epoch}) {
    EXPECT_EQ(verdict_of(code, one), Verdict::gap);
    EXPECT_EQ(verdict_of(code, plain), Verdict::failed);
  }
  // In a transaction it is the end only where nothing before it waits for a retry.
  BatchFacts of_transaction{.record_count = 1, .is_idempotent = true, .is_transactional = true};
  EXPECT_EQ(verdict_of(ErrorCode::out_of_order_sequence_number, of_transaction), Verdict::failed);
  of_transaction.is_head = false;
  EXPECT_EQ(verdict_of(ErrorCode::out_of_order_sequence_number, of_transaction), Verdict::retry);
  EXPECT_EQ(verdict_of(ErrorCode::invalid_producer_epoch, of_transaction), Verdict::failed);
  for (const ErrorCode code :
       {ErrorCode::not_leader_or_follower, ErrorCode::leader_not_available,
        ErrorCode::unknown_topic_or_partition, ErrorCode::request_timed_out,
        ErrorCode::not_enough_replicas, ErrorCode::not_enough_replicas_after_append,
        ErrorCode::kafka_storage_error, ErrorCode::corrupt_message, ErrorCode::unknown_topic_id}) {
    EXPECT_EQ(verdict_of(code, one), Verdict::retry) << name_of(code);
  }
  for (const ErrorCode code : {ErrorCode::invalid_record, ErrorCode::invalid_timestamp,
                               ErrorCode::topic_authorization_failed,
                               ErrorCode::invalid_required_acks, ErrorCode::unknown_server_error}) {
    EXPECT_EQ(verdict_of(code, one), Verdict::failed) << name_of(code);
  }
  EXPECT_EQ(verdict_of(ErrorCode::cluster_authorization_failed, one), Verdict::failed_fatal);
}

}  // namespace
}  // namespace millrace::client
