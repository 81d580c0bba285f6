// What a client knows of its cluster: when it asks, what it keeps, and who waits for what.
// Also proves topic_merge.cpp, topic_merge.cppm.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metadata_machine.hpp"

import millrace.client.core;
import millrace.protocol;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

TEST(Metadata, tells_the_leader_of_a_partition_of_a_topic_that_it_did_not_know) {
  MetadataMachine machine;
  machine.topics["orders"] = {.partitions = {{1, 4}, {1, 7}}};
  Metadata& metadata = machine.start_metadata();
  const auto leader = machine.run(metadata.leader(place("orders", 1), machine.now() + 10s));
  ASSERT_TRUE(leader.has_value()) << to_string(leader.error());
  EXPECT_EQ(*leader, (LeaderOf{BrokerId(1), LeaderEpoch(7), uuid_of(1)}));
  const auto view = metadata.view();
  EXPECT_EQ(view->cluster_id, "cluster");
  EXPECT_EQ(view->controller, BrokerId(1));
  EXPECT_EQ(view->find(uuid_of(1)), view->find("orders"));
  EXPECT_EQ(view->find(BrokerId(1))->address.port, Port(9092));
  EXPECT_EQ(machine.asked(), 1U);
  machine.executor.advance(1min);
  EXPECT_EQ(machine.asked(), 1U) << "nothing asks again without a reason";
}

TEST(Metadata, refuses_names_that_no_topic_can_have_and_asks_for_the_others) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 0);
  Metadata& metadata = machine.start_metadata();
  // The last one does not fit into any request.
  for (const std::size_t size : {0UL, 250UL, 40'000UL}) {
    const auto none = machine.run(metadata.topic(std::string(size, 'x'), machine.now() + 10s));
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().code, ErrorCode::invalid_topic_exception) << to_string(none.error());
    metadata.want(std::string(size, 'x'));
  }
  const auto known = machine.run(metadata.topic("orders", machine.now() + 10s));
  EXPECT_TRUE(known.has_value()) << to_string(known.error());
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
}

TEST(Metadata, asks_for_new_topics_only_when_new_topics_are_wanted) {
  MetadataMachine machine;
  machine.topics["a"] = one_partition(1, 0);
  machine.topics["b"] = {.partitions = {{1, 0}}, .error = ErrorCode::none, .id = 2};
  Metadata& metadata = machine.start_metadata();
  EXPECT_TRUE(machine.run(metadata.topic("a", machine.now() + 10s)).has_value());
  EXPECT_TRUE(machine.run(metadata.topic("b", machine.now() + 10s)).has_value());
  EXPECT_EQ(machine.names_asked(), std::vector<std::string>{"b"});
  EXPECT_NE(metadata.view()->find("a"), nullptr) << "what was known stays";
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(machine.names_asked(), (std::vector<std::string>{"a", "b"}));
}

TEST(Metadata, callers_at_one_time_share_a_request) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 0);
  machine.delay = 500ms;
  Metadata& metadata = machine.start_metadata();
  metadata.want("orders");
  std::size_t done = 0;
  TaskGroup group;
  const auto refresh = [&]() -> Task<void> {
    const auto refreshed = co_await metadata.refresh(machine.now() + 20s);
    EXPECT_TRUE(refreshed.has_value());
    ++done;
  };
  for (int i = 0; i < 10; ++i) group.start(refresh());
  machine.executor.advance(100ms);
  for (int i = 0; i < 10; ++i) group.start(refresh());
  machine.executor.advance(10s);
  EXPECT_EQ(done, 20U);
  EXPECT_LE(machine.asked(), 2U);
}

TEST(Metadata, a_refresh_covers_topics_that_were_wanted_before_it) {
  MetadataMachine machine;
  machine.topics["a"] = one_partition(1, 0);
  machine.topics["b"] = one_partition(1, 0);
  machine.delay = 500ms;
  Metadata& metadata = machine.start_metadata();
  TaskGroup group;
  const auto refresh = [&]() -> Task<void> {
    static_cast<void>(co_await metadata.refresh(machine.now() + 20s));
  };
  metadata.want("a");
  group.start(refresh());
  machine.executor.advance(100ms);
  metadata.want("b");
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 20s)).has_value());
  EXPECT_NE(metadata.view()->find("b"), nullptr);
  machine.executor.advance(5s);
}

TEST(Metadata, leader_epochs_never_go_back) {
  MetadataMachine machine;
  machine.brokers_said = 3;
  machine.topics["orders"] = one_partition(2, 5);
  Metadata& metadata = machine.start_metadata();
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
  machine.topics["orders"] = one_partition(1, 4);
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(metadata.known_leader("orders", PartitionIndex(0))->broker, BrokerId(2));
  // Not even after an answer that knew nothing of the topic.
  machine.topics.erase("orders");
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(metadata.known_leader("orders", PartitionIndex(0)), std::nullopt);
  machine.topics["orders"] = one_partition(1, 4);
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(metadata.known_leader("orders", PartitionIndex(0))->epoch, LeaderEpoch(5));
  machine.topics["orders"] = one_partition(3, 6);
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(metadata.known_leader("orders", PartitionIndex(0))->broker, BrokerId(3));
}

TEST(Metadata, a_topic_that_was_made_anew_counts_its_epochs_anew) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 50);
  Metadata& metadata = machine.start_metadata();
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
  machine.topics["orders"] = {.partitions = {{1, 0}}, .error = ErrorCode::none, .id = 9};
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(metadata.known_leader("orders", PartitionIndex(0))->epoch, LeaderEpoch(0));
  EXPECT_EQ(metadata.view()->find(uuid_of(1)), nullptr);
  EXPECT_NE(metadata.view()->find(uuid_of(9)), nullptr);
}

TEST(Metadata, a_hint_of_a_newer_leader_counts_and_of_an_older_one_does_not) {
  MetadataMachine machine;
  machine.brokers_said = 2;
  machine.topics["orders"] = one_partition(1, 5);
  Metadata& metadata = machine.start_metadata();
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
  const PartitionIndex first(0);
  metadata.apply_leader_hint("orders", first, BrokerId(2), LeaderEpoch(5), std::nullopt);
  EXPECT_EQ(metadata.known_leader("orders", first)->broker, BrokerId(1)) << "no news";
  metadata.apply_leader_hint("orders", first, BrokerId(2), LeaderEpoch(6), std::nullopt);
  EXPECT_EQ(metadata.known_leader("orders", first)->broker, BrokerId(2));
  EXPECT_EQ(metadata.known_leader("orders", first)->epoch, LeaderEpoch(6));
  const BrokerEndpoint third{BrokerId(3), {"127.0.0.1", Port(9094)}};
  metadata.apply_leader_hint("orders", first, BrokerId(3), LeaderEpoch(7), third);
  EXPECT_EQ(metadata.known_leader("orders", first)->broker, BrokerId(3));
  EXPECT_TRUE(machine.brokers->knows(BrokerId(3)));
  // A leader whose address nobody knows is a reason to ask.
  machine.topics["orders"] = one_partition(2, 8);
  metadata.apply_leader_hint("orders", first, BrokerId(4), LeaderEpoch(8), std::nullopt);
  machine.executor.advance(5s);
  EXPECT_EQ(metadata.known_leader("orders", first)->broker, BrokerId(2));
  metadata.apply_leader_hint("nothing", first, BrokerId(2), LeaderEpoch(9), std::nullopt);
  metadata.apply_leader_hint("orders", PartitionIndex(7), BrokerId(2), LeaderEpoch(9), third);
}

TEST(Metadata, waits_for_a_leader_that_is_being_elected) {
  MetadataMachine machine;
  machine.topics["orders"] = {.partitions = {{-1, 3, ErrorCode::leader_not_available}}};
  Metadata& metadata = machine.start_metadata();
  std::optional<ClientResult<LeaderOf>> leader;
  TaskGroup group;
  const auto ask = [&]() -> Task<void> {
    leader.emplace(co_await metadata.leader(place("orders"), machine.now() + 1min));
  };
  group.start(ask());
  machine.executor.advance(10s);
  EXPECT_FALSE(leader.has_value());
  EXPECT_GE(machine.asked(), 5U);
  EXPECT_LE(machine.asked(), 30U) << "not more often than the pauses allow";
  machine.topics["orders"] = one_partition(1, 4);
  machine.executor.advance(3s);
  ASSERT_TRUE(leader.has_value());
  EXPECT_EQ((*leader)->epoch, LeaderEpoch(4));
}

TEST(Metadata, says_what_was_missing_at_the_deadline) {
  MetadataMachine machine;
  machine.topics["orders"] = {.partitions = {{-1, 3, ErrorCode::leader_not_available}}};
  Metadata& metadata = machine.start_metadata();
  const auto leader = machine.run(metadata.leader(place("orders"), machine.now() + 3s));
  EXPECT_EQ(leader.error().failure, Failure::timed_out);
  EXPECT_NE(leader.error().message.find("orders-0 has no leader"), std::string::npos);
  const auto partition = machine.run(metadata.leader(place("orders", 5), machine.now() + 3s));
  EXPECT_EQ(partition.error().failure, Failure::unknown_topic);
  const auto topic = machine.run(metadata.topic("payments", machine.now() + 3s));
  EXPECT_EQ(topic.error().failure, Failure::unknown_topic);
  EXPECT_NE(topic.error().message.find("payments"), std::string::npos);
}

TEST(Metadata, does_not_wait_for_what_waiting_cannot_help) {
  MetadataMachine machine;
  machine.topics["secret"] = {.partitions = {}, .error = ErrorCode::topic_authorization_failed};
  machine.topics["wrong name"] = {.partitions = {}, .error = ErrorCode::invalid_topic_exception};
  Metadata& metadata = machine.start_metadata();
  const MonotonicTime begun = machine.now();
  const auto secret = machine.run(metadata.topic("secret", begun + 1min));
  EXPECT_EQ(secret.error().code, ErrorCode::topic_authorization_failed);
  const auto wrong = machine.run(metadata.leader(place("wrong name"), begun + 1min));
  EXPECT_EQ(wrong.error().code, ErrorCode::invalid_topic_exception);
  EXPECT_LT(machine.now() - begun, 1s);
}

TEST(Metadata, asks_again_for_what_was_refused_when_somebody_needs_it_again) {
  MetadataMachine machine;
  machine.topics["secret"] = {.partitions = {}, .error = ErrorCode::topic_authorization_failed};
  Metadata& metadata = machine.start_metadata();
  EXPECT_FALSE(machine.run(metadata.topic("secret", machine.now() + 1min)).has_value());
  machine.topics["secret"] = one_partition(1, 0);
  EXPECT_EQ(machine.run(metadata.topic("secret", machine.now())).error().code,
            ErrorCode::topic_authorization_failed)
      << "nobody waits for that";
  machine.executor.advance(3s);
  EXPECT_TRUE(machine.run(metadata.topic("secret", machine.now())).has_value());
  const std::size_t asked = machine.asked();
  machine.executor.advance(1min);
  EXPECT_EQ(machine.asked(), asked) << "nothing asks again without a reason";
}

TEST(Metadata, asks_again_when_what_it_knows_is_old) {
  MetadataMachine machine;
  machine.settings.metadata_max_age = 60s;
  machine.topics["orders"] = one_partition(1, 0);
  Metadata& metadata = machine.start_metadata();
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
  machine.executor.advance(5min);
  EXPECT_GE(machine.asked(), 5U);
  EXPECT_LE(machine.asked(), 6U);
}

TEST(Metadata, does_not_ask_without_a_pause_when_settings_say_zero) {
  MetadataMachine machine;
  machine.settings.metadata_max_age = 0ms;
  machine.topics["orders"] = one_partition(1, 0);
  Metadata& metadata = machine.start_metadata();
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
  machine.executor.advance(10s);
  EXPECT_LE(machine.asked(), 30U);
  MetadataMachine failing;
  failing.settings.retry_backoff = failing.settings.retry_backoff_max = 0ms;
  failing.settings.reconnect_backoff = failing.settings.reconnect_backoff_max = 0ms;
  failing.settings.bootstrap = {{"no-such-host", Port(1)}};
  Metadata& none = failing.start_metadata();
  EXPECT_FALSE(failing.run(none.topic("orders", failing.now() + 1s)).has_value());
  EXPECT_LE(failing.brokers->counters().connections_failed, 101U);
}

TEST(Metadata, invalidating_many_times_asks_as_often_as_the_pauses_allow) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 0);
  Metadata& metadata = machine.start_metadata();
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
  for (int i = 0; i < 1000; ++i) {
    metadata.invalidate();
    machine.executor.advance(10ms);
  }
  EXPECT_GE(machine.asked(), 9U);
  EXPECT_LE(machine.asked(), 30U);
}

TEST(Metadata, all_topics_are_asked_for_when_all_are_wanted) {
  MetadataMachine machine;
  machine.topics["a"] = one_partition(1, 0);
  machine.topics["b"] = one_partition(1, 0);
  Metadata& metadata = machine.start_metadata();
  metadata.want_all(true);
  machine.executor.advance(1s);
  EXPECT_EQ(machine.names_asked(), std::vector<std::string>{"*"});
  EXPECT_EQ(metadata.view()->topics().size(), 2U);
  machine.topics.erase("a");
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(metadata.view()->find("a"), nullptr) << "a topic that is gone is not kept";
  metadata.want_all(false);
  metadata.want("b");
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(machine.names_asked(), std::vector<std::string>{"b"});
}

TEST(Metadata, forgets_topics_that_nobody_wants_any_more) {
  MetadataMachine machine;
  machine.topics["a"] = one_partition(1, 0);
  machine.topics["b"] = one_partition(1, 0);
  Metadata& metadata = machine.start_metadata({.topic_idle_max = 60s});
  metadata.want("a");
  metadata.want("b");
  machine.executor.advance(50s);
  metadata.want("b");
  machine.executor.advance(20s);
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(machine.names_asked(), std::vector<std::string>{"b"});
  metadata.forget("b");
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_TRUE(machine.names_asked().empty());
  EXPECT_TRUE(metadata.view()->topics().empty());
}

TEST(Metadata, goes_on_asking_for_a_topic_that_somebody_waits_for) {
  MetadataMachine machine;
  Metadata& metadata = machine.start_metadata({.topic_idle_max = 60s});
  bool is_known = false;
  TaskGroup waiting;
  waiting.start([](Metadata& of, MonotonicTime until, bool& found) -> Task<void> {
    found = (co_await of.topic("late", until)).has_value();
  }(metadata, machine.now() + 5min, is_known));
  machine.executor.advance(2min);
  machine.topics["late"] = one_partition(1, 0);
  machine.executor.advance(4min);
  EXPECT_TRUE(is_known);
}

TEST(Metadata, a_failed_question_is_asked_again_and_the_failure_is_told_at_the_deadline) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 0);
  machine.brokers_said = 0;
  Metadata& metadata = machine.start_metadata();
  const auto refused = machine.run(metadata.topic("orders", machine.now() + 3s));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("named no broker"), std::string::npos);
  machine.brokers_said = 1;
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
}

TEST(Metadata, a_broker_that_sends_clients_back_to_the_bootstrap_servers_is_obeyed) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 0);
  Metadata& metadata = machine.start_metadata();
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
  machine.error = ErrorCode::rebootstrap_required;
  const auto refused = machine.run(metadata.refresh(machine.now() + 2s));
  EXPECT_EQ(refused.error().failure, Failure::timed_out);
  machine.error = ErrorCode::none;
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(machine.broker->connection_count(), 2U) << "one to the broker, one to the bootstrap";
}

TEST(Metadata, tells_of_each_new_picture) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 0);
  Metadata& metadata = machine.start_metadata();
  std::vector<std::uint64_t> generations;
  metadata.on_change([&](const std::shared_ptr<const ClusterView>& view) {
    generations.push_back(view->generation);
  });
  EXPECT_TRUE(machine.run(metadata.topic("orders", machine.now() + 10s)).has_value());
  const auto before = metadata.view();
  EXPECT_TRUE(machine.run(metadata.refresh(machine.now() + 10s)).has_value());
  EXPECT_EQ(generations, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(before->topics().at("orders"), metadata.view()->topics().at("orders"))
      << "what did not change is shared";
}

TEST(Metadata, who_waits_is_told_when_it_is_closed) {
  MetadataMachine machine;
  Metadata& metadata = machine.start_metadata();
  std::vector<Failure> failures;
  TaskGroup group;
  const auto wait_for = [&](int kind) -> Task<void> {
    const MonotonicTime late = machine.now() + 1h;
    if (kind == 0) {
      failures.push_back((co_await metadata.topic("orders", late)).error().failure);
    } else if (kind == 1) {
      failures.push_back((co_await metadata.leader(place("orders"), late)).error().failure);
    } else {
      machine.error = ErrorCode::unknown_server_error;
      failures.push_back((co_await metadata.refresh(late)).error().failure);
    }
  };
  for (int kind = 0; kind < 3; ++kind) group.start(wait_for(kind));
  machine.run(machine.brokers->close());
  machine.run(metadata.close());
  EXPECT_EQ(failures, std::vector<Failure>(3, Failure::closed));
}

}  // namespace
}  // namespace millrace::client
