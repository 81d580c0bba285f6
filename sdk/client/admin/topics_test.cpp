// Also proves admin_client.cppm, rounds.cppm, state.cpp, state.cppm, types.cppm.
#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using Codes = std::vector<ErrorCode>;

TEST(AdminTopics, are_created_described_listed_and_deleted) {
  AdminMachine machine;
  const auto created =
      machine.run(machine.admin->create_topics({{.name = "orders",
                                                 .partitions = 6,
                                                 .replication_factor = 3,
                                                 .configs = {{"cleanup.policy", "compact"}}},
                                                {.name = "bills"}}));
  ASSERT_EQ(created.size(), 2u);
  EXPECT_EQ(created[0].first, "orders");
  ASSERT_TRUE(created[0].second) << to_string(created[0].second.error());
  EXPECT_EQ(created[0].second->partitions, 6);
  EXPECT_EQ(created[0].second->replication_factor, 3);
  EXPECT_EQ(created[0].second->id, *machine.cluster->topic_id("orders"));
  const auto listed = machine.run(machine.admin->list_topics());
  ASSERT_TRUE(listed && listed->size() == 2);
  EXPECT_EQ((*listed)[1].name, "orders");
  EXPECT_EQ((*listed)[1].partitions, 6u);
  const auto described = machine.run(machine.admin->describe_topics({"orders", "nothing"}));
  ASSERT_TRUE(described[0].second);
  EXPECT_EQ(described[0].second->partitions.size(), 6u);
  EXPECT_EQ(described[0].second->partitions[1].leader, BrokerId(2));
  EXPECT_EQ(described[0].second->partitions[1].replicas.size(), 3u);
  EXPECT_EQ(outcome(described[1].second), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->delete_topics({"orders", "nothing"}))),
            (Codes{ErrorCode::none, ErrorCode::unknown_topic_or_partition}));
  EXPECT_FALSE(machine.cluster->topic_id("orders"));
}

TEST(AdminTopics, each_has_its_own_outcome_and_the_broker_s_words) {
  AdminMachine machine;
  machine.make_topic("there");
  const auto created = machine.run(machine.admin->create_topics(
      {{.name = "there"},
       {.name = "bad name"},
       {.name = "wide", .replication_factor = 9},
       {.name = "wrong", .configs = {{"retention.ms", "soon"}}},
       {.name = "placed", .assignment = {{BrokerId(2)}, {BrokerId(1)}}},
       {.name = "good"}}));
  EXPECT_EQ(outcomes_of(created),
            (Codes{ErrorCode::topic_already_exists, ErrorCode::invalid_topic_exception,
                   ErrorCode::invalid_replication_factor, ErrorCode::invalid_config,
                   ErrorCode::none, ErrorCode::none}));
  EXPECT_NE(created[3].second.error().message.find("retention.ms"), std::string::npos)
      << created[3].second.error().message;
  EXPECT_FALSE(created[3].second.error().retriable);
}

TEST(AdminTopics, are_only_validated_where_that_is_asked_for) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  const AdminOptions validate{.validate_only = true};
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->create_topics({{.name = "new"}}, validate))),
            Codes{ErrorCode::none});
  EXPECT_FALSE(machine.cluster->topic_id("new"));
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->create_partitions({{"orders", 5}}, validate))),
            Codes{ErrorCode::none});
  EXPECT_FALSE(machine.cluster->leader("orders", PartitionIndex(2)));
}

TEST(AdminTopics, named_twice_are_asked_for_twice) {
  AdminMachine machine;
  auto codes =
      outcomes_of(machine.run(machine.admin->create_topics({{.name = "a"}, {.name = "a"}})));
  std::ranges::sort(codes);
  EXPECT_EQ(codes, (Codes{ErrorCode::none, ErrorCode::topic_already_exists}));
}

TEST(AdminTopics, grow) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->create_partitions(
                {{"orders", 4}, {"nothing", 4}, {"orders", 3, {{BrokerId(1)}}}}))),
            (Codes{ErrorCode::none, ErrorCode::unknown_topic_or_partition,
                   ErrorCode::invalid_partitions}));
  EXPECT_TRUE(machine.cluster->leader("orders", PartitionIndex(3)));
}

TEST(AdminTopics, lose_records_at_the_leaders_of_their_partitions) {
  AdminMachine machine;
  machine.make_topic("orders", 3);
  for (const std::int32_t partition : {0, 1, 2}) machine.append("orders", partition, 5);
  const auto deleted =
      machine.run(machine.admin->delete_records({{place("orders", 0), Offset(2)},
                                                 {place("orders", 1), Offset(-1)},
                                                 {place("orders", 2), Offset(9)},
                                                 {place("orders", 7), Offset(0)},
                                                 {place("nothing", 0), Offset(0)}}));
  EXPECT_EQ(outcomes_of(deleted),
            (Codes{ErrorCode::none, ErrorCode::none, ErrorCode::offset_out_of_range,
                   ErrorCode::unknown_topic_or_partition, ErrorCode::unknown_topic_or_partition}));
  EXPECT_EQ(*deleted[0].second, Offset(2));
  EXPECT_EQ(*deleted[1].second, Offset(5));
}

TEST(AdminCalls, try_again_what_may_pass_and_say_how_often_they_tried) {
  AdminMachine machine;
  machine.cluster->fail_next(ApiKey::create_topics, ErrorCode::not_controller, 2);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->create_topics({{.name = "a"}}))),
            Codes{ErrorCode::none});
  EXPECT_EQ(machine.cluster->request_count(ApiKey::create_topics), 3u);
  machine.cluster->fail_next(ApiKey::create_topics, ErrorCode::request_timed_out, mock::always);
  const auto late = machine.run(machine.admin->create_topics({{.name = "b"}}, {.timeout = 5s}));
  ASSERT_FALSE(late[0].second);
  EXPECT_EQ(late[0].second.error().code, ErrorCode::request_timed_out);
  EXPECT_NE(late[0].second.error().message.find(" tries in "), std::string::npos)
      << late[0].second.error().message;
  const auto once = machine.run(machine.admin->create_topics({{.name = "b"}}, {.timeout = 50ms}));
  ASSERT_FALSE(once[0].second);
  EXPECT_NE(once[0].second.error().message.find("(1 try in "), std::string::npos)
      << once[0].second.error().message;
}

TEST(AdminCalls, go_on_when_brokers_die_and_connections_break) {
  AdminMachine machine;
  machine.make_topic("orders", 3);
  machine.append("orders", 0, 5);
  EXPECT_TRUE(machine.run(machine.admin->list_topics()));
  machine.cluster->drop_next(ApiKey::metadata, 2);
  EXPECT_TRUE(machine.run(machine.admin->list_topics()));
  // The controller, the bootstrap server and the leader of partition 0 are one broker.
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)));
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->create_topics({{.name = "later"}}))),
            Codes{ErrorCode::none});
  const auto deleted =
      machine.run(machine.admin->delete_records({{place("orders", 0), Offset(3)}}));
  ASSERT_TRUE(deleted[0].second) << to_string(deleted[0].second.error());
}

TEST(AdminCalls, find_the_new_leader_of_a_partition) {
  AdminMachine machine;
  machine.make_topic("orders");
  machine.append("orders", 0, 5);
  machine.cluster->fail_next(ApiKey::delete_records, ErrorCode::not_leader_or_follower, 2);
  EXPECT_EQ(
      outcomes_of(machine.run(machine.admin->delete_records({{place("orders", 0), Offset(3)}}))),
      Codes{ErrorCode::none});
  EXPECT_EQ(machine.cluster->request_count(ApiKey::delete_records), 3u);
}

TEST(AdminCalls, live_with_answers_that_are_garbage) {
  AdminMachine machine;
  for (const mock::FaultKind kind :
       {mock::FaultKind::garbage, mock::FaultKind::cut_short, mock::FaultKind::wrong_id,
        mock::FaultKind::drop_after, mock::FaultKind::drop_before}) {
    SCOPED_TRACE(static_cast<int>(kind));
    machine.cluster->inject({.api = ApiKey::metadata, .kind = kind});
    EXPECT_TRUE(machine.run(machine.admin->list_topics()));
    EXPECT_EQ(machine.cluster->faults_left(), 0u);
  }
}

TEST(AdminCalls, say_what_an_old_broker_cannot_do) {
  AdminMachine machine;
  machine.cluster->withdraw(ApiKey::describe_producers);
  machine.make_topic("orders");
  const auto told = machine.run(machine.admin->describe_producers({place("orders", 0)}));
  ASSERT_FALSE(told[0].second);
  EXPECT_EQ(told[0].second.error().failure, Failure::unsupported_version);
}

TEST(AdminCalls, of_nothing_give_nothing) {
  AdminMachine machine;
  EXPECT_TRUE(machine.run(machine.admin->create_topics({})).empty());
  EXPECT_TRUE(machine.run(machine.admin->describe_topics({})).empty());
  EXPECT_TRUE(machine.run(machine.admin->list_offsets({})).empty());
}

TEST(AdminCalls, end_when_the_client_is_closed) {
  AdminMachine machine;
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)));
  bool ended = false;
  const auto call = [&]() -> Task<void> {
    const auto listed = co_await machine.admin->list_topics({.timeout = 10min});
    EXPECT_FALSE(listed);
    EXPECT_EQ(listed.error().failure, Failure::closed);
    ended = true;
  };
  TaskGroup group;
  group.start(call());
  machine.executor.advance(2s);
  EXPECT_FALSE(ended);
  machine.run(machine.admin->close());
  machine.executor.advance(2s);
  EXPECT_TRUE(ended);
}

TEST(AdminCalls, that_wait_before_another_try_end_at_once_when_the_client_is_closed) {
  AdminMachine machine;
  machine.cluster->fail_next(ApiKey::create_topics, ErrorCode::request_timed_out, mock::always);
  TaskGroup tasks;
  std::vector<Failure> failures;
  tasks.start([](AdminMachine& m, std::vector<Failure>& seen) -> Task<void> {
    const auto created = co_await m.admin->create_topics({{.name = "orders"}});
    EXPECT_EQ(created.size(), 1u);
    for (const auto& [name, outcome] : created) {
      EXPECT_FALSE(outcome.has_value());
      if (!outcome) seen.push_back(outcome.error().failure);
    }
  }(machine, failures));
  // By now it waits for a second before each try.
  machine.executor.advance(std::chrono::seconds{10});
  const std::size_t tries = machine.cluster->request_count(ApiKey::create_topics);
  EXPECT_GT(tries, 5u);
  while (machine.cluster->request_count(ApiKey::create_topics) == tries) {
    machine.executor.advance(std::chrono::milliseconds{10});
  }
  machine.executor.advance(std::chrono::milliseconds{200});
  EXPECT_TRUE(failures.empty());
  const MonotonicTime closed = machine.executor.clock().now();
  machine.run(machine.admin->close());
  machine.run([](TaskGroup& group) -> Task<void> { co_await group.wait(); }(tasks));
  EXPECT_EQ(failures, std::vector{Failure::closed});
  EXPECT_EQ(machine.executor.clock().now(), closed) << "the pause was slept out";
}

TEST(AdminCalls, say_where_an_earlier_try_may_have_done_what_is_refused_now) {
  AdminMachine machine;
  const auto lose_answer = [&](ApiKey api) {
    machine.cluster->inject({.api = api, .kind = mock::FaultKind::drop_after});
  };
  const auto is_told = [](const ClientError& error) {
    return error.persistence == Persistence::unknown &&
           error.message.find("earlier try") != std::string::npos;
  };
  lose_answer(ApiKey::create_topics);
  const auto created = machine.run(machine.admin->create_topics({{.name = "orders"}}));
  ASSERT_EQ(outcomes_of(created), Codes{ErrorCode::topic_already_exists});
  EXPECT_TRUE(is_told(created[0].second.error())) << to_string(created[0].second.error());
  const auto again = machine.run(machine.admin->create_topics({{.name = "orders"}}));
  ASSERT_EQ(outcomes_of(again), Codes{ErrorCode::topic_already_exists});
  EXPECT_FALSE(is_told(again[0].second.error())) << to_string(again[0].second.error());

  lose_answer(ApiKey::create_partitions);
  const auto grown = machine.run(machine.admin->create_partitions({{"orders", 5}}));
  ASSERT_EQ(outcomes_of(grown), Codes{ErrorCode::invalid_partitions});
  EXPECT_TRUE(is_told(grown[0].second.error())) << to_string(grown[0].second.error());

  lose_answer(ApiKey::delete_topics);
  const auto deleted = machine.run(machine.admin->delete_topics({"orders"}));
  ASSERT_EQ(outcomes_of(deleted), Codes{ErrorCode::unknown_topic_or_partition});
  EXPECT_TRUE(is_told(deleted[0].second.error())) << to_string(deleted[0].second.error());
}

}  // namespace
}  // namespace millrace::client
