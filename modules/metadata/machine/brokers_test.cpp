#include <gtest/gtest.h>

#include <chrono>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::metadata {
namespace {

using std::chrono::seconds;

TEST(Brokers, a_registered_broker_is_fenced_until_it_has_caught_up_and_wants_to_serve) {
  Bench bench;
  bench.lead();
  const auto registered = bench.call<RegisterBrokerReply>(bench.registration(1));
  ASSERT_TRUE(registered.outcome.ok()) << registered.outcome.message;
  EXPECT_TRUE(bench.image().broker(BrokerId(1))->fenced);
  Heartbeat behind = bench.heartbeat(1);
  behind.applied = MetadataOffset(1);
  EXPECT_FALSE(bench.call<HeartbeatReply>(behind).is_caught_up);
  EXPECT_TRUE(bench.call<HeartbeatReply>(behind).is_fenced);
  Heartbeat starting = bench.heartbeat(1);
  starting.want_fence = true;
  EXPECT_TRUE(bench.call<HeartbeatReply>(starting).is_caught_up);
  EXPECT_TRUE(bench.call<HeartbeatReply>(starting).is_fenced);
  EXPECT_FALSE(bench.call<HeartbeatReply>(bench.heartbeat(1)).is_fenced);
  EXPECT_FALSE(bench.image().broker(BrokerId(1))->fenced);
}

TEST(Brokers, one_of_another_cluster_is_refused) {
  Bench bench;
  RegisterBroker request = bench.lead().registration(1);
  request.cluster_id = uuid_of(9);
  const auto reply = bench.call<RegisterBrokerReply>(request);
  EXPECT_EQ(reply.outcome.error, ErrorCode::inconsistent_cluster_id);
  EXPECT_NE(reply.outcome.message.find(to_string(uuid_of(9))), std::string::npos);
}

TEST(Brokers, another_process_with_the_same_id_is_refused_while_the_first_lives) {
  Bench bench;
  bench.lead().start_broker(1, 1);
  EXPECT_EQ(bench.call<RegisterBrokerReply>(bench.registration(1, 2)).outcome.error,
            ErrorCode::duplicate_broker_registration);
  bench.pass(seconds(9));
  EXPECT_TRUE(bench.call<RegisterBrokerReply>(bench.registration(1, 2)).outcome.ok());
}

TEST(Brokers, another_process_that_has_a_directory_of_the_first_takes_its_place_at_once) {
  Bench bench;
  RegisterBroker first = bench.lead().registration(1, 1);
  first.broker.directories = {uuid_of(50)};
  ASSERT_TRUE(bench.call<RegisterBrokerReply>(first).outcome.ok());
  RegisterBroker second = bench.registration(1, 2);
  second.broker.directories = {uuid_of(50)};
  const auto reply = bench.call<RegisterBrokerReply>(second);
  EXPECT_TRUE(reply.outcome.ok()) << reply.outcome.message;
}

TEST(Brokers, the_same_registration_again_has_the_same_epoch_and_another_one_a_higher) {
  Bench bench;
  bench.lead();
  const auto first = bench.call<RegisterBrokerReply>(bench.registration(1, 1)).epoch;
  EXPECT_EQ(bench.call<RegisterBrokerReply>(bench.registration(1, 1)).epoch, first);
  bench.pass(seconds(9));
  EXPECT_GT(bench.call<RegisterBrokerReply>(bench.registration(1, 2)).epoch, first);
}

TEST(Brokers, epochs_do_not_repeat_after_a_broker_is_gone_for_good) {
  Bench bench;
  bench.lead();
  const auto first = bench.call<RegisterBrokerReply>(bench.registration(1, 1)).epoch;
  EXPECT_TRUE(bench.call<UnregisterBrokerReply>(UnregisterBroker{BrokerId(1)}).outcome.ok());
  EXPECT_EQ(bench.image().broker_count(), 0u);
  EXPECT_GT(bench.call<RegisterBrokerReply>(bench.registration(1, 2)).epoch, first);
  EXPECT_EQ(bench.call<UnregisterBrokerReply>(UnregisterBroker{BrokerId(8)}).outcome.error,
            ErrorCode::broker_id_not_registered);
}

TEST(Brokers, heartbeats_of_an_old_process_or_an_unknown_broker_are_refused) {
  Bench bench;
  bench.lead().start_broker(1);
  Heartbeat old = bench.heartbeat(1);
  old.epoch = BrokerEpoch(0);
  EXPECT_EQ(bench.call<HeartbeatReply>(old).outcome.error, ErrorCode::stale_broker_epoch);
  EXPECT_EQ(bench.call<HeartbeatReply>(bench.heartbeat(2)).outcome.error,
            ErrorCode::broker_id_not_registered);
}

TEST(Brokers, a_silent_one_is_fenced_and_comes_back_by_its_next_heartbeat) {
  Bench bench;
  bench.lead().start_broker(1);
  bench.create("orders", 1, 1);
  const LeaderEpoch epoch = bench.partition("orders", 0).leader_epoch;
  EXPECT_EQ(bench.deadline(), bench.now() + seconds(9));
  bench.pass(seconds(8));
  EXPECT_FALSE(bench.image().broker(BrokerId(1))->fenced);
  bench.pass(seconds(1));
  EXPECT_TRUE(bench.image().broker(BrokerId(1))->fenced);
  EXPECT_EQ(bench.partition("orders", 0).leader, no_broker);
  EXPECT_EQ(bench.partition("orders", 0).isr, Replicas{BrokerId(1)});
  bench.ask(bench.heartbeat(1));
  EXPECT_EQ(bench.partition("orders", 0).leader, BrokerId(1));
  EXPECT_EQ(bench.partition("orders", 0).leader_epoch, epoch.plus(2));
}

TEST(Brokers, a_new_leader_gives_each_a_full_session) {
  Bench bench;
  bench.lead().start_broker(1);
  bench.pass(seconds(8));
  bench.lose();
  bench.lead();
  bench.pass(seconds(8));
  EXPECT_FALSE(bench.image().broker(BrokerId(1))->fenced);
  bench.pass(seconds(1));
  EXPECT_TRUE(bench.image().broker(BrokerId(1))->fenced);
}

TEST(Brokers, another_in_sync_replica_leads_when_the_leader_is_silent) {
  Bench bench;
  bench.lead();
  for (int id = 1; id <= 3; ++id) bench.start_broker(id);
  bench.create("orders", 3, 3);
  bench.pass(seconds(5));
  bench.ask(bench.heartbeat(1));
  bench.ask(bench.heartbeat(3));
  bench.pass(seconds(5));
  for (std::size_t i = 0; i < 3; ++i) {
    const Partition partition = bench.partition("orders", i);
    EXPECT_NE(partition.leader, BrokerId(2));
    EXPECT_NE(partition.leader, no_broker);
    EXPECT_EQ(partition.isr.size(), 2u);
  }
}

TEST(Brokers, one_that_stops_hands_over_what_it_leads_and_may_start_again_at_once) {
  Bench bench;
  bench.lead().start_broker(1);
  bench.start_broker(2);
  bench.create("orders", 2, 2);
  Heartbeat stop = bench.heartbeat(1);
  stop.want_shut_down = true;
  const auto reply = bench.call<HeartbeatReply>(stop);
  EXPECT_TRUE(reply.should_shut_down);
  EXPECT_TRUE(reply.is_fenced);
  EXPECT_EQ(bench.partition("orders", 0).leader, BrokerId(2));
  EXPECT_EQ(bench.partition("orders", 1).leader, BrokerId(2));
  EXPECT_TRUE(bench.call<HeartbeatReply>(stop).should_shut_down);
  EXPECT_TRUE(bench.call<RegisterBrokerReply>(bench.registration(1, 2)).outcome.ok());
}

TEST(Brokers, blocks_of_producer_ids_follow_one_another_also_over_leaders) {
  Bench bench;
  bench.lead().start_broker(1);
  const BrokerEpoch epoch = bench.image().broker(BrokerId(1))->epoch;
  const auto block = [&] {
    return bench.call<AllocateProducerIdsReply>(AllocateProducerIds{BrokerId(1), epoch}).block;
  };
  EXPECT_EQ(block(), (ProducerIdBlock{ProducerId(0), 1000}));
  EXPECT_EQ(block(), (ProducerIdBlock{ProducerId(1000), 1000}));
  bench.lose();
  bench.lead();
  EXPECT_EQ(block(), (ProducerIdBlock{ProducerId(2000), 1000}));
  EXPECT_EQ(bench.call<AllocateProducerIdsReply>(AllocateProducerIds{BrokerId(1), BrokerEpoch(0)})
                .outcome.error,
            ErrorCode::stale_broker_epoch);
}

}  // namespace
}  // namespace millrace::metadata
