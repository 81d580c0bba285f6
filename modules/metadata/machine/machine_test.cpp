// Also proves requests.cpp, options.cpp.
#include <gtest/gtest.h>

#include <chrono>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::metadata {
namespace {

using std::chrono::seconds;

TEST(Machine, the_first_leader_of_an_empty_log_gives_the_cluster_an_id) {
  Bench bench;
  EXPECT_TRUE(bench.image().cluster_id().is_zero());
  bench.lead();
  EXPECT_FALSE(bench.image().cluster_id().is_zero());
  EXPECT_EQ(bench.image().metadata_version(), metadata_version_latest);
  Bench other(2);
  EXPECT_NE(other.lead().image().cluster_id(), bench.image().cluster_id());
}

TEST(Machine, the_next_leader_keeps_the_id_of_the_cluster) {
  Bench bench;
  const Uuid id = bench.lead().image().cluster_id();
  bench.lose();
  EXPECT_EQ(bench.lead().image().cluster_id(), id);
}

TEST(Machine, answers_nothing_before_it_is_committed) {
  Bench bench;
  bench.lead().start_broker(1);
  bench.hold();
  const RequestId create = bench.ask(CreateTopics{{{.name = "orders"}}, false});
  EXPECT_EQ(bench.held(), 1u);
  EXPECT_FALSE(bench.answered(create));
  EXPECT_FALSE(bench.image().topic("orders"));
  EXPECT_TRUE(bench.machine().proposed()->topic("orders"));
  // That it is there already is known only once it is there.
  const RequestId again = bench.ask(CreateTopics{{{.name = "orders"}}, false});
  EXPECT_FALSE(bench.answered(again));
  bench.commit_one();
  EXPECT_EQ(bench.reply<CreateTopicsReply>(create).topics[0].outcome.error, ErrorCode::none);
  EXPECT_EQ(bench.reply<CreateTopicsReply>(again).topics[0].outcome.error,
            ErrorCode::topic_already_exists);
}

TEST(Machine, who_loses_leadership_answers_what_is_open_and_forgets_what_it_proposed) {
  Bench bench;
  bench.lead().start_broker(1);
  bench.hold();
  const RequestId create = bench.ask(CreateTopics{{{.name = "orders"}}, false});
  bench.lose_and_drop();
  EXPECT_EQ(bench.reply<CreateTopicsReply>(create).outcome.error, ErrorCode::not_controller);
  EXPECT_EQ(bench.reply<HeartbeatReply>(bench.ask(bench.heartbeat(1))).outcome.error,
            ErrorCode::not_controller);
  bench.hold(false);
  bench.lead();
  EXPECT_FALSE(bench.image().topic("orders"));
  EXPECT_EQ(bench.create("orders").outcome.error, ErrorCode::none);
}

TEST(Machine, a_new_leader_ends_what_the_one_before_began) {
  Bench bench;
  bench.lead().start_broker(1);
  bench.create("orders");
  bench.hold();
  bench.pass(seconds(10));
  // The broker is fenced in an entry of its own; its partitions come in the same one here, so an
  // entry with the first record alone stands for what a crash in between leaves.
  bench.lose_and_drop();
  bench.hold(false);
  Bench next;
  ImageBuilder builder(bench.machine().image());
  const Broker broker = *bench.image().broker(BrokerId(1));
  ASSERT_TRUE(builder.apply(BrokerChangeRecord{broker.id, broker.epoch, true, std::nullopt}));
  Machine machine(test_options(), [] { return 7u; });
  machine.restore(builder.take().first);
  const Effects effects = machine.become_leader(MonotonicTime{});
  EXPECT_EQ(effects.proposals.size(), 1u);
  EXPECT_EQ(machine.proposed()->topic("orders")->partitions[0].leader, no_broker);
}

TEST(Machine, too_many_proposals_that_are_not_committed_hold_up_changes_but_no_heartbeat) {
  Options options = test_options();
  options.uncommitted_bytes_max = 100;
  Bench bench(1, options);
  bench.lead().start_broker(1);
  bench.hold();
  const RequestId taken = bench.ask(CreateTopics{{{.name = "a", .partitions = 10}}, false});
  const RequestId refused = bench.ask(CreateTopics{{{.name = "b", .partitions = 10}}, false});
  EXPECT_FALSE(bench.answered(taken));
  EXPECT_EQ(bench.reply<CreateTopicsReply>(refused).outcome.error, ErrorCode::request_timed_out);
  const RequestId heartbeat = bench.ask(bench.heartbeat(1));
  bench.hold(false);
  EXPECT_TRUE(bench.reply<HeartbeatReply>(heartbeat).outcome.ok());
}

TEST(Machine, an_entry_of_a_newer_version_is_refused_by_name) {
  Machine machine(test_options(), [] { return 7u; });
  OwnedBytes entry = entry_of({ClusterRecord{uuid_of(1), metadata_version_latest, {}}});
  entry[1] = std::byte{200};
  const auto refused = machine.committed(MetadataOffset(1), ByteView(entry), MonotonicTime{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
}

TEST(Machine, creates_twenty_thousand_partitions_in_a_few_requests) {
  Bench bench;
  bench.lead().start_broker(1);
  for (int request = 0; request < 20; ++request) {
    CreateTopics create;
    for (int i = 0; i < 1000; ++i) {
      create.topics.push_back({.name = formatted("t-{}-{}", request, i)});
    }
    for (const CreatedTopic& topic : bench.call<CreateTopicsReply>(create).topics) {
      ASSERT_TRUE(topic.outcome.ok()) << topic.outcome.message;
    }
  }
  EXPECT_EQ(bench.image().partition_count(), 20'000u);
  bench.pass(seconds(10));
  EXPECT_EQ(bench.partition("t-19-999", 0).leader, no_broker);
  bench.ask(bench.heartbeat(1));
  EXPECT_EQ(bench.partition("t-19-999", 0).leader, BrokerId(1));
}

TEST(Machine, options_come_from_the_configuration_of_the_server) {
  const Options options = options_from(test_options().server);
  EXPECT_EQ(options.partitions_default, 1);
  EXPECT_EQ(options.replication_factor_default, 1);
  EXPECT_EQ(options.session_timeout, seconds(9));
}

TEST(Machine, a_refusal_has_the_kind_of_its_request) {
  for (std::size_t kind = 0; kind < std::variant_size_v<Request>; ++kind) {
    EXPECT_EQ(refusal(kind, {ErrorCode::not_controller, "no"}).index(), kind);
  }
}

}  // namespace
}  // namespace millrace::metadata
