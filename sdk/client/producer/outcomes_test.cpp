#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using mock::ApiKey;
using mock::FaultKind;

class ProducerOutcomes : public testing::Test {
 protected:
  void start(std::int32_t brokers = 1) {
    machine = std::make_unique<ProducerMachine>(mock::Options{.brokers = brokers});
    ASSERT_TRUE(machine->cluster->create_topic("orders"));
    machine->settings.batch_size = 60;
    if (adjust) adjust(machine->settings);
    machine->start();
    machine->load("orders");
  }
  void flush_and_expect(std::size_t delivered, std::size_t failed) {
    ASSERT_TRUE(machine->flush());
    EXPECT_EQ(machine->outcomes.delivered_count(), delivered);
    EXPECT_EQ(machine->outcomes.all.size(), delivered + failed);
    machine->expect_truth();
  }
  void inject(FaultKind kind, std::uint32_t times = 1) {
    machine->cluster->inject({.api = ApiKey::produce, .kind = kind, .times = times});
  }

  void (*adjust)(ProducerSettings&) = nullptr;
  std::unique_ptr<ProducerMachine> machine;
};

TEST_F(ProducerOutcomes, errors_that_pass_are_tried_again_in_order) {
  for (const ErrorCode code : {ErrorCode::not_leader_or_follower, ErrorCode::not_enough_replicas,
                               ErrorCode::request_timed_out, ErrorCode::kafka_storage_error,
                               ErrorCode::unknown_topic_or_partition, ErrorCode::corrupt_message}) {
    SCOPED_TRACE(name_of(code));
    start();
    machine->cluster->fail_next(ApiKey::produce, code, 3);
    machine->send_all(0, 100);
    flush_and_expect(100, 0);
  }
}

TEST_F(ProducerOutcomes, lost_connections_and_damaged_answers_repeat_nothing) {
  for (const FaultKind kind : {FaultKind::drop_before, FaultKind::drop_after, FaultKind::cut_short,
                               FaultKind::garbage, FaultKind::wrong_id}) {
    SCOPED_TRACE(static_cast<int>(kind));
    start();
    inject(kind, 3);
    machine->send_all(0, 100);
    flush_and_expect(100, 0);
  }
}

TEST_F(ProducerOutcomes, a_broker_that_does_not_answer_is_asked_again) {
  adjust = [](ProducerSettings& settings) { settings.common.request_timeout = 1s; };
  start();
  inject(FaultKind::silence, 2);
  machine->send_all(0, 50);
  flush_and_expect(50, 0);
}

TEST_F(ProducerOutcomes, the_leader_is_followed_while_requests_are_under_way) {
  start(3);
  for (std::uint64_t round = 0; round < 10; ++round) {
    machine->send_all(round * 50, round * 50 + 50);
    machine->executor.advance(std::chrono::milliseconds(round));
    ASSERT_TRUE(machine->cluster->move_leader("orders", PartitionIndex(0),
                                              BrokerId(static_cast<std::int32_t>(round % 3) + 1)));
  }
  flush_and_expect(500, 0);
}

TEST_F(ProducerOutcomes, without_acks_too_the_leader_is_followed) {
  adjust = [](ProducerSettings& settings) {
    settings.acks = Acks::none;
    settings.enable_idempotence = false;
    settings.common.metadata_max_age = 1h;
  };
  start(3);
  machine->send_all(0, 10);
  machine->executor.advance(1s);
  ASSERT_EQ(machine->stored().size(), 10u);
  const BrokerId old = *machine->cluster->leader("orders", PartitionIndex(0));
  ASSERT_TRUE(
      machine->cluster->move_leader("orders", PartitionIndex(0), BrokerId(old.value() % 3 + 1)));
  for (std::uint64_t token = 10; token < 100; ++token) {
    machine->send_all(token, token + 1);
    machine->executor.advance(100ms);
  }
  ASSERT_TRUE(machine->flush());
  EXPECT_EQ(machine->outcomes.delivered_count(), 100u);
  // The old leader told by the end of its connection that it leads no more. What it was sent until
  // then is lost.
  const auto there = machine->stored();
  EXPECT_GE(there.size(), 98u);
  EXPECT_EQ(std::ranges::count(there, 99u), 1);
}

TEST_F(ProducerOutcomes, a_dead_broker_is_replaced_and_its_return_found) {
  start(3);
  machine->send_all(0, 50);
  const BrokerId leader = *machine->cluster->leader("orders", PartitionIndex(0));
  ASSERT_TRUE(machine->cluster->kill(leader));
  machine->send_all(50, 100);
  ASSERT_TRUE(machine->flush());
  ASSERT_TRUE(machine->cluster->revive(leader));
  ASSERT_TRUE(machine->cluster->move_leader("orders", PartitionIndex(0), leader));
  machine->send_all(100, 150);
  flush_and_expect(150, 0);
}

TEST_F(ProducerOutcomes, a_record_that_is_refused_fails_alone) {
  start();
  machine->send_all(0, 10);
  ASSERT_TRUE(machine->flush());
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::invalid_timestamp);
  machine->send_all(10, 11);
  ASSERT_TRUE(machine->flush());
  machine->send_all(11, 50);
  flush_and_expect(49, 1);
  const ClientError& error = *machine->outcomes.all.at(10).error;
  EXPECT_EQ(error.code, ErrorCode::invalid_timestamp);
  EXPECT_EQ(error.persistence, Persistence::not_persisted);
  EXPECT_EQ(error.broker, BrokerId(1));
  EXPECT_EQ(error.message.find("orders-0: INVALID_TIMESTAMP after 1 try in "), 0u) << error.message;
}

TEST_F(ProducerOutcomes, what_follows_a_refused_batch_gets_new_numbers) {
  start();
  machine->send_all(0, 10);
  ASSERT_TRUE(machine->flush());
  machine->send_all(10, 60);
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::invalid_record);
  ASSERT_TRUE(machine->flush());
  machine->expect_truth();
  EXPECT_EQ(machine->outcomes.all.size(), 60u);
  EXPECT_LT(machine->outcomes.delivered_count(), 60u);
  EXPECT_GT(machine->outcomes.delivered_count(), 40u);
  EXPECT_GT(machine->producer->metrics().sender.epochs_begun, 0u);
}

// The first batch is there, but its answer was lost; the second one is refused.
TEST_F(ProducerOutcomes, a_refused_batch_does_not_renumber_one_before_it_that_may_be_there) {
  for (std::uint64_t wait = 0; wait < 20; ++wait) {
    SCOPED_TRACE(wait);
    start();
    machine->send_all(0, 10);
    ASSERT_TRUE(machine->flush());
    inject(FaultKind::drop_after);
    machine->send_all(10, 11);
    machine->executor.advance(std::chrono::milliseconds(wait));
    machine->cluster->fail_next(ApiKey::produce, ErrorCode::invalid_record);
    machine->send_all(11, 12);
    machine->executor.advance(std::chrono::milliseconds(wait));
    machine->send_all(12, 20);
    ASSERT_TRUE(machine->flush());
    machine->expect_truth();
  }
}

// The broker remembers five batches: no sixth one is sent while the first may have to be repeated.
TEST_F(ProducerOutcomes, a_batch_is_repeated_only_while_the_broker_remembers_it) {
  start();
  machine->send_all(0, 10);
  ASSERT_TRUE(machine->flush());
  inject(FaultKind::drop_after);
  machine->send_all(10, 12);
  machine->executor.advance(50ms);
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::not_leader_or_follower);
  machine->send_all(12, 40);
  machine->executor.advance(90ms);
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::not_leader_or_follower);
  flush_and_expect(40, 0);
  EXPECT_EQ(machine->producer->metrics().sender.epochs_begun, 0u);
}

TEST_F(ProducerOutcomes, a_gap_at_the_broker_begins_a_new_epoch) {
  start();
  machine->send_all(0, 20);
  ASSERT_TRUE(machine->flush());
  // The end of the log is lost, and with it what the broker knew of the producer.
  ASSERT_TRUE(machine->cluster->lose_from("orders", PartitionIndex(0), Offset(10)));
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::out_of_order_sequence_number);
  machine->send_all(20, 60);
  ASSERT_TRUE(machine->flush());
  EXPECT_EQ(machine->outcomes.delivered_count(), 60u);
  EXPECT_EQ(machine->stored().size(), 50u);
  EXPECT_TRUE(std::ranges::is_sorted(machine->stored()));
  EXPECT_EQ(machine->producer->metrics().sender.epochs_begun, 1u);
}

TEST_F(ProducerOutcomes, what_is_there_already_is_delivered) {
  start();
  machine->send_all(0, 5);
  ASSERT_TRUE(machine->flush());
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::duplicate_sequence_number);
  machine->send_all(5, 6);
  ASSERT_TRUE(machine->flush());
  EXPECT_TRUE(machine->outcomes.all.at(5).is_delivered);
  EXPECT_EQ(machine->outcomes.all.at(5).offset, no_offset);
}

TEST_F(ProducerOutcomes, a_batch_that_is_too_large_goes_in_parts) {
  adjust = [](ProducerSettings& settings) { settings.batch_size = 10'000; };
  start();
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::message_too_large, 3);
  machine->send_all(0, 500);
  flush_and_expect(500, 0);
  EXPECT_EQ(machine->producer->metrics().sender.batches_split, 3u);
}

TEST_F(ProducerOutcomes, a_batch_that_may_be_there_is_not_split) {
  adjust = [](ProducerSettings& settings) { settings.batch_size = 10'000; };
  start();
  inject(FaultKind::drop_after);
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::message_too_large);
  machine->send_all(0, 10);
  flush_and_expect(0, 10);
  EXPECT_EQ(machine->stored().size(), 10u);
  EXPECT_EQ(machine->outcomes.all.at(0).error->persistence, Persistence::unknown);
}

TEST_F(ProducerOutcomes, a_single_record_that_is_too_large_fails) {
  start();
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::message_too_large);
  machine->send_all(0, 1);
  flush_and_expect(0, 1);
  EXPECT_EQ(machine->outcomes.all.at(0).error->code, ErrorCode::message_too_large);
}

TEST_F(ProducerOutcomes, a_topic_with_small_messages_gets_batches_that_fit) {
  ProducerMachine small;
  ASSERT_TRUE(small.cluster->create_topic("orders", {.configs = {{"max.message.bytes", "1000"}}}));
  small.settings.batch_size = 16'000;
  small.start();
  small.load("orders");
  small.send_all(0, 1'000);
  ASSERT_TRUE(small.flush());
  EXPECT_EQ(small.outcomes.delivered_count(), 1'000u);
  small.expect_truth();
}

TEST_F(ProducerOutcomes, batches_grow_while_they_wait_but_not_to_what_was_refused) {
  ProducerMachine small;
  ASSERT_TRUE(small.cluster->create_topic("orders", {.configs = {{"max.message.bytes", "1000"}}}));
  small.settings.batch_size = 400;
  small.settings.batch_growth = 16;
  small.settings.max_in_flight = 1;
  small.start();
  small.load("orders");
  small.send_all(0, 1'000);
  ASSERT_TRUE(small.flush());
  const std::uint64_t split = small.producer->metrics().sender.batches_split;
  EXPECT_GT(split, 0u);
  small.send_all(1'000, 3'000);
  ASSERT_TRUE(small.flush());
  // What had grown before the first was refused is all that is split.
  EXPECT_EQ(small.producer->metrics().sender.batches_split, split);
  EXPECT_EQ(small.outcomes.delivered_count(), 3'000u);
  small.expect_truth();
}

TEST_F(ProducerOutcomes, after_delivery_timeout_the_outcome_says_why_and_what_is_known) {
  adjust = [](ProducerSettings& settings) {
    settings.delivery_timeout = 5s;
    settings.common.request_timeout = 1s;
  };
  start();
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::not_enough_replicas, mock::always);
  machine->send_all(0, 3);
  ASSERT_TRUE(machine->flush());
  const ClientError refused = *machine->outcomes.all.at(0).error;
  EXPECT_EQ(refused.failure, Failure::timed_out);
  EXPECT_EQ(refused.persistence, Persistence::not_persisted);
  machine->cluster->clear_faults();
  inject(FaultKind::silence, mock::always);
  machine->send_all(3, 6);
  ASSERT_TRUE(machine->flush());
  const ClientError silent = *machine->outcomes.all.at(3).error;
  EXPECT_EQ(silent.persistence, Persistence::unknown);
  EXPECT_NE(silent.message.find("perhaps persisted"), std::string::npos) << silent.message;
  machine->cluster->clear_faults();
  machine->send_all(6, 50);
  ASSERT_TRUE(machine->flush());
  EXPECT_EQ(machine->outcomes.delivered_count(), 44u);
  machine->expect_truth();
}

TEST_F(ProducerOutcomes, what_was_persisted_in_a_try_that_nobody_answered_is_not_repeated_later) {
  adjust = [](ProducerSettings& settings) {
    settings.batch_size = 1'000;
    settings.delivery_timeout = 3s;
    settings.common.request_timeout = 1s;
  };
  start();
  machine->send_all(0, 3);
  ASSERT_TRUE(machine->flush());
  inject(FaultKind::drop_after, mock::always);
  machine->send_all(3, 6);
  ASSERT_TRUE(machine->flush());
  EXPECT_EQ(machine->outcomes.all.at(3).error->persistence, Persistence::unknown);
  machine->cluster->clear_faults();
  machine->send_all(6, 30);
  ASSERT_TRUE(machine->flush());
  machine->expect_truth();
  EXPECT_EQ(machine->stored().size(), 30u);
}

TEST_F(ProducerOutcomes, what_could_not_be_sent_in_time_says_what_stood_in_the_way) {
  adjust = [](ProducerSettings& settings) { settings.delivery_timeout = 5s; };
  start();
  machine->send_all(0, 3);
  ASSERT_TRUE(machine->flush());
  ASSERT_TRUE(machine->cluster->kill(BrokerId(1)));
  machine->executor.advance(1s);
  machine->send_all(3, 6);
  machine->executor.advance(10s);
  const ClientError late = *machine->outcomes.all.at(5).error;
  EXPECT_EQ(late.failure, Failure::timed_out);
  EXPECT_EQ(late.persistence, Persistence::not_persisted);
  EXPECT_NE(late.message.find("refused"), std::string::npos) << late.message;
}

TEST_F(ProducerOutcomes, without_acks_what_runs_out_of_time_while_it_is_written_may_be_there) {
  adjust = [](ProducerSettings& settings) {
    settings.acks = Acks::none;
    settings.enable_idempotence = false;
    settings.delivery_timeout = 5s;
    settings.batch_size = 4'096;
  };
  start();
  // The broker reads nothing more meanwhile: what follows stands in the connection.
  machine->cluster->delay(ApiKey::produce, 20s);
  for (std::uint64_t token = 0; token < 400; ++token) {
    ASSERT_TRUE(machine->send(token, 0, 1'000));
  }
  machine->executor.advance(10s);
  std::size_t unknown = 0;
  for (const auto& [token, outcome] : machine->outcomes.all) {
    if (!outcome.error) continue;
    EXPECT_EQ(outcome.error->failure, Failure::timed_out);
    unknown += outcome.error->persistence == Persistence::unknown ? 1u : 0u;
  }
  EXPECT_GT(unknown, 0u) << "a request was half written";
  machine->executor.advance(60s);
  // What was written without acks may be lost: only who is told that it is not there can rely on
  // it.
  const auto there = machine->stored();
  for (const auto& [token, outcome] : machine->outcomes.all) {
    if (!outcome.error || outcome.error->persistence != Persistence::not_persisted) continue;
    EXPECT_EQ(std::ranges::count(there, token), 0) << token << ": " << outcome.error->message;
  }
}

TEST_F(ProducerOutcomes, a_retry_count_is_kept_to) {
  adjust = [](ProducerSettings& settings) { settings.retries = 2; };
  start();
  machine->cluster->fail_next(ApiKey::produce, ErrorCode::not_enough_replicas, mock::always);
  machine->send_all(0, 1);
  flush_and_expect(0, 1);
  EXPECT_EQ(machine->outcomes.all.at(0).error->code, ErrorCode::not_enough_replicas);
  EXPECT_EQ(machine->cluster->request_count(ApiKey::produce), 3u);
}

// Whatever goes wrong: one outcome for each record, the truth in it, and the order kept.
TEST(ProducerChaos, every_record_has_one_true_outcome_under_random_faults) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    ProducerMachine machine({.brokers = 3, .seed = seed}, seed);
    Random random(seed);
    ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2}));
    machine.settings.batch_size = 60 + random.below(600);
    machine.settings.batch_growth = seed % 2 == 0 ? 1 : 8;
    machine.settings.max_in_flight = 1 + static_cast<std::int32_t>(random.below(5));
    machine.settings.delivery_timeout = 20s;
    machine.settings.common.request_timeout = 3s;
    if (random.chance(0.5)) {
      machine.settings.compression = protocol::CompressionOptions(protocol::Codec::lz4);
    }
    machine.start();
    machine.load("orders");
    std::uint64_t token = 0;
    for (int step = 0; step < 60; ++step) {
      for (std::uint64_t i = random.below(20); i > 0; --i) {
        ASSERT_TRUE(
            machine.send(token++, static_cast<std::int32_t>(random.below(2)), random.below(100)));
      }
      const auto broker = BrokerId(1 + static_cast<std::int32_t>(random.below(3)));
      constexpr std::array codes = {
          ErrorCode::not_leader_or_follower, ErrorCode::not_enough_replicas_after_append,
          ErrorCode::invalid_record, ErrorCode::message_too_large, ErrorCode::request_timed_out};
      constexpr std::array kinds = {FaultKind::drop_before, FaultKind::drop_after,
                                    FaultKind::silence, FaultKind::cut_short, FaultKind::garbage};
      switch (random.below(8)) {
        case 0:
          machine.cluster->fail_next(ApiKey::produce, codes.at(random.below(codes.size())));
          break;
        case 1:
          machine.cluster->inject(
              {.api = ApiKey::produce, .kind = kinds.at(random.below(kinds.size()))});
          break;
        case 2:
          static_cast<void>(machine.cluster->move_leader("orders", PartitionIndex(0), broker));
          break;
        case 3:
          machine.cluster->drop_connections();
          break;
        case 4:
          static_cast<void>(machine.cluster->kill(broker));
          machine.executor.advance(std::chrono::milliseconds(random.below(500)));
          static_cast<void>(machine.cluster->revive(broker));
          break;
        default:
          break;
      }
      machine.executor.advance(std::chrono::milliseconds(random.below(100)));
    }
    machine.cluster->clear_faults();
    machine.close(random.chance(0.3) ? 1ms : Duration(1h));
    EXPECT_EQ(machine.outcomes.all.size(), token);
    for (const std::int32_t partition : {0, 1}) machine.expect_truth(partition);
  }
}

}  // namespace
}  // namespace millrace::client
