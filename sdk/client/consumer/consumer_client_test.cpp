// Also proves group_coordinator.cpp, offset_lookup.cpp, polling.cpp, positions.cpp.
#include "consumer_machine.hpp"

namespace millrace::client {
namespace {

TEST(Consumer, reads_all_that_assigned_partitions_have) {
  ConsumerMachine machine({.brokers = 3});
  machine.create("orders", 6);
  for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 50);
  Application& one = machine.start();
  Partitions all;
  for (std::int32_t i = 0; i < 6; ++i) all.push_back(place("orders", i));
  ASSERT_TRUE(one.client.assign(all).has_value());
  machine.poll(one, 300);
  EXPECT_EQ(one.values.size(), 6u);
  for (const auto& [name, values] : one.values) EXPECT_EQ(values.size(), 50u);
  EXPECT_TRUE(one.errors.empty());
}

TEST(Consumer, sees_records_that_come_while_it_waits) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  machine.run(one.poll_until([] { return false; }, 3s));
  EXPECT_EQ(one.count, 0u);
  machine.append("orders", 0, 5);
  machine.poll(one, 5, 2s);
}

TEST(Consumer, gives_no_more_than_max_poll_records_at_once) {
  ConsumerMachine machine;
  machine.create("orders", 2);
  machine.append("orders", 0, 35);
  machine.append("orders", 1, 35);
  machine.settings.max_poll_records = 7;
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  std::size_t polls = 0;
  while (one.count < 70 && polls < 100) {
    const auto polled = machine.await(one.client.poll(machine.now() + 1s));
    ASSERT_TRUE(polled.has_value());
    EXPECT_LE(polled->size(), 7u);
    one.take(*polled);
    ++polls;
  }
  EXPECT_EQ(one.count, 70u);
}

TEST(Consumer, goes_on_where_its_group_has_committed) {
  ConsumerMachine machine;
  machine.create("orders", 2);
  machine.append("orders", 0, 20);
  machine.append("orders", 1, 20);
  machine.settings.enable_auto_commit = false;
  {
    Application& one = machine.subscribe();
    machine.poll(one, 40);
    const auto committed = machine.await(one.client.commit(machine.now() + 5s));
    EXPECT_TRUE(committed.has_value()) << to_string(committed.error());
    machine.close(one);
  }
  machine.append("orders", 1, 5);
  Application& two = machine.subscribe("two");
  machine.poll(two, 5);
  EXPECT_EQ(two.count, 5u);
  EXPECT_EQ(two.values[place("orders", 1)].front().first, 20);
  const auto committed = machine.await(
      two.client.committed({place("orders", 0), place("orders", 1)}, machine.now() + 5s));
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->at(place("orders", 0)).offset, Offset(20));
  EXPECT_EQ(committed->at(place("orders", 1)).offset, Offset(20));
}

TEST(Consumer, reads_on_from_new_leaders_while_committed_offsets_are_not_found) {
  ConsumerMachine machine({.brokers = 2});
  machine.create("orders", 2);
  machine.append("orders", 0, 20);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  machine.poll(one, 20);
  machine.cluster->fail_next(mock::ApiKey::offset_fetch, mock::ErrorCode::unstable_offset_commit,
                             100'000);
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  machine.run(one.poll_until([] { return false; }, 1s));
  for (std::int32_t broker = 1; broker <= 2; ++broker) {
    ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(0), BrokerId(broker)));
    machine.append("orders", 0, 10);
    machine.poll(one, 20 + 10 * static_cast<std::size_t>(broker), 20s);
  }
  machine.cluster->clear_faults();
}

TEST(Consumer, commits_by_itself_what_polls_gave) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 20);
  machine.settings.auto_commit_interval = 1s;
  Application& one = machine.subscribe();
  machine.poll(one, 20);
  machine.run(one.poll_until([] { return false; }, 3s));
  const auto committed =
      machine.await(one.client.committed({place("orders", 0)}, machine.now() + 5s));
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->at(place("orders", 0)).offset, Offset(20));
}

TEST(Consumer, commits_by_itself_though_the_way_to_the_broker_is_longer_than_the_interval) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 20);
  machine.cluster->delay(mock::ApiKey::offset_commit, 20ms);
  machine.settings.auto_commit_interval = 10ms;
  Application& one = machine.subscribe();
  machine.poll(one, 20);
  machine.close(one);
  EXPECT_FALSE(machine.was_logged("were not committed"));
  Application& two = machine.subscribe("two");
  machine.run(two.poll_until([] { return false; }, 5s));
  EXPECT_EQ(two.count, 0u);
}

TEST(Consumer, commits_by_itself_in_one_long_poll_what_came_while_a_commit_was_under_way) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 10);
  machine.cluster->delay(mock::ApiKey::offset_commit, 2s);
  machine.settings.auto_commit_interval = 100ms;
  // Heartbeats would wake the poll.
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  machine.poll(one, 10);
  machine.run(one.poll_until([] { return false; }, 300ms));
  machine.append("orders", 0, 10);
  machine.poll(one, 20, 1s);
  TaskGroup polling;
  polling.start([](Application& by, MonotonicTime until) -> Task<void> {
    EXPECT_TRUE((co_await by.client.poll(until)).has_value());
  }(one, machine.now() + 1min));
  machine.executor.advance(10s);
  Application& two = machine.start("two");
  const auto committed =
      machine.await(two.client.committed({place("orders", 0)}, machine.now() + 5s));
  machine.run([](TaskGroup& all) -> Task<void> { co_await all.wait(); }(polling));
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->at(place("orders", 0)).offset, Offset(20));
}

// The earlier one waits to be tried again while the later one is made.
TEST(Consumer, never_commits_an_earlier_place_over_a_later_one) {
  for (const GroupProtocol protocol : {GroupProtocol::classic, GroupProtocol::consumer}) {
    ConsumerMachine machine;
    machine.create("orders", 2);
    machine.settings.group_protocol = protocol;
    machine.settings.enable_auto_commit = false;
    Application& one = machine.subscribe();
    machine.poll_all([&] { return one.client.assignment().size() == 2; });
    machine.cluster->fail_next(mock::ApiKey::offset_commit,
                               mock::ErrorCode::coordinator_load_in_progress, 100'000);
    std::optional<ClientResult<void>> earlier;
    TaskGroup committing;
    committing.start([](Application& by, MonotonicTime until,
                        std::optional<ClientResult<void>>& outcome) -> Task<void> {
      outcome = co_await by.client.commit({{place("orders", 0), {Offset(5), no_leader_epoch, ""}},
                                           {place("orders", 1), {Offset(6), no_leader_epoch, ""}}},
                                          until);
    }(one, machine.now() + 10s, earlier));
    machine.run(one.poll_until([] { return false; }, 1s));
    ASSERT_FALSE(earlier.has_value());
    machine.cluster->clear_faults();
    const auto later = machine.await(one.client.commit(
        {{place("orders", 0), {Offset(9), no_leader_epoch, ""}}}, machine.now() + 10s));
    EXPECT_TRUE(later.has_value()) << to_string(later.error());
    machine.run([](TaskGroup& all) -> Task<void> { co_await all.wait(); }(committing));
    const auto committed = machine.await(
        one.client.committed({place("orders", 0), place("orders", 1)}, machine.now() + 5s));
    ASSERT_TRUE(committed.has_value()) << to_string(committed.error());
    EXPECT_EQ(committed->at(place("orders", 0)).offset, Offset(9));
    EXPECT_EQ(committed->at(place("orders", 1)).offset, Offset(6)) << "of this one it is the last";
    EXPECT_FALSE(earlier->has_value()) << "not all of it was committed";
  }
}

TEST(Consumer, commits_when_it_closes) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 20);
  Application& one = machine.subscribe();
  machine.poll(one, 20);
  machine.close(one);
  Application& two = machine.start("two");
  const auto committed =
      machine.await(two.client.committed({place("orders", 0)}, machine.now() + 5s));
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->at(place("orders", 0)).offset, Offset(20));
}

TEST(Consumer, begins_at_the_end_or_at_a_time_or_asks_as_its_policy_says) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 20);
  machine.settings.auto_offset_reset = OffsetReset::latest;
  Application& latest = machine.start("latest");
  ASSERT_TRUE(latest.client.assign({place("orders", 0)}).has_value());
  machine.run(latest.poll_until([] { return false; }, 1s));
  EXPECT_EQ(latest.count, 0u);
  const auto position =
      machine.await(latest.client.position(place("orders", 0), machine.now() + 1s));
  ASSERT_TRUE(position.has_value());
  EXPECT_EQ(*position, Offset(20));
  // Records have the times 1,000 and on.
  ASSERT_TRUE(latest.client.seek_to_time(place("orders", 0), Timestamp(1'012)).has_value());
  machine.poll(latest, 8);
  EXPECT_EQ(latest.count, 8u);
  // Later than all: the end.
  ASSERT_TRUE(latest.client.seek_to_time(place("orders", 0), Timestamp(5'000)).has_value());
  machine.run(latest.poll_until([] { return false; }, 1s));
  EXPECT_EQ(latest.count, 8u);

  machine.settings.auto_offset_reset = OffsetReset::none;
  Application& none = machine.start("none");
  ASSERT_TRUE(none.client.assign({place("orders", 0)}).has_value());
  machine.run(none.poll_until([&] { return !none.errors.empty(); }, 5s));
  ASSERT_FALSE(none.errors.empty());
  EXPECT_NE(none.errors[0].message.find("seek"), std::string::npos) << none.errors[0].message;
  ASSERT_TRUE(none.client.seek(place("orders", 0), Offset(15)).has_value());
  machine.poll(none, 5);
  EXPECT_EQ(none.count, 5u);
}

TEST(Consumer, seeks_pauses_and_resumes) {
  ConsumerMachine machine;
  machine.create("orders", 2);
  machine.append("orders", 0, 20);
  machine.append("orders", 1, 20);
  Application& one = machine.start();
  one.may_repeat = true;
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  ASSERT_TRUE(one.client.pause({place("orders", 1)}).has_value());
  machine.poll(one, 20);
  machine.run(one.poll_until([] { return false; }, 2s));
  EXPECT_EQ(one.count, 20u);
  EXPECT_EQ(one.client.paused(), Partitions{place("orders", 1)});
  ASSERT_TRUE(one.client.seek(place("orders", 0), Offset(13)).has_value());
  machine.poll(one, 27);
  EXPECT_EQ(one.values[place("orders", 0)][20].first, 13);
  ASSERT_TRUE(one.client.resume({place("orders", 1)}).has_value());
  machine.poll(one, 47);
  EXPECT_EQ(one.values[place("orders", 1)].size(), 20u);
  const auto lag = one.client.lag(place("orders", 1));
  ASSERT_TRUE(lag.has_value());
  EXPECT_EQ(lag->records(), 0);
  EXPECT_FALSE(one.client.seek(place("others", 0), Offset(1)).has_value());
  EXPECT_FALSE(one.client.seek(place("orders", 0), Offset(-1)).has_value());
  EXPECT_FALSE(one.client.pause({place("orders", 7)}).has_value());
}

TEST(Consumer, is_reset_when_its_offset_is_gone) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 40);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  ASSERT_TRUE(machine.cluster->delete_before("orders", PartitionIndex(0), Offset(30)).has_value());
  ASSERT_TRUE(one.client.seek(place("orders", 0), Offset(5)).has_value());
  machine.poll(one, 10);
  EXPECT_EQ(one.values[place("orders", 0)].front().first, 30);
  EXPECT_TRUE(machine.was_logged("offset 5 is not in the log"));
}

TEST(Consumer, finds_offsets_of_any_partition) {
  ConsumerMachine machine({.brokers = 2});
  machine.create("orders", 4);
  machine.append("orders", 2, 20);
  Application& one = machine.start();
  const auto ends = machine.await(one.client.offsets(
      {{place("orders", 0), latest_timestamp}, {place("orders", 2), latest_timestamp}},
      machine.now() + 5s));
  ASSERT_TRUE(ends.has_value()) << to_string(ends.error());
  EXPECT_EQ(ends->at(place("orders", 0)).offset, Offset(0));
  EXPECT_EQ(ends->at(place("orders", 2)).offset, Offset(20));
  machine.cluster->fail_next(mock::ApiKey::list_offsets, mock::ErrorCode::not_leader_or_follower,
                             2);
  const auto time = machine.await(
      one.client.offsets({{place("orders", 2), Timestamp(1'007)}}, machine.now() + 5s));
  ASSERT_TRUE(time.has_value()) << to_string(time.error());
  EXPECT_EQ(time->at(place("orders", 2)).offset, Offset(7));
  const auto nothing = machine.await(
      one.client.offsets({{place("no-such-topic", 0), latest_timestamp}}, machine.now() + 1s));
  EXPECT_FALSE(nothing.has_value());
}

TEST(Consumer, poll_is_ended_by_wake_and_by_close) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  one.client.wake();
  const auto woken = machine.await(one.client.poll(machine.now() + 1h));
  ASSERT_FALSE(woken.has_value());
  EXPECT_EQ(woken.error().failure, Failure::wakened);
  TaskGroup polling;
  polling.start(one.poll_until([] { return false; }, 1h));
  machine.executor.run_until_idle();
  machine.run(one.client.close(machine.now() + 1s));
  machine.run([](TaskGroup& all) -> Task<void> { co_await all.wait(); }(polling));
  ASSERT_FALSE(one.errors.empty());
  EXPECT_EQ(one.errors.back().failure, Failure::closed);
  machine.forget(one);
}

TEST(Consumer, is_woken_while_it_is_told_of_a_rebalance) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.settings.enable_auto_commit = false;
  Application& one = machine.start();
  // Nothing is to be found out or to be read, which would wake it by the way.
  one.listener.on_assigned = [&](const Partitions& partitions) {
    for (const TopicPartition& name : partitions) {
      EXPECT_TRUE(one.client.seek(name, Offset(0)).has_value());
    }
    one.client.wake();
  };
  ASSERT_TRUE(one.client.subscribe({"orders"}, &one.listener).has_value());
  const MonotonicTime begun = machine.now();
  const auto woken = machine.await(one.client.poll(begun + 1h));
  ASSERT_FALSE(woken.has_value());
  EXPECT_EQ(woken.error().failure, Failure::wakened);
  EXPECT_LT(machine.now() - begun, 1min);
}

TEST(Consumer, closes_by_the_deadline_when_no_broker_answers) {
  for (const bool silent : {false, true}) {
    ConsumerMachine machine;
    machine.create("orders", 1);
    machine.append("orders", 0, 20);
    machine.settings.session_timeout = 10s;
    Application& one = machine.subscribe();
    machine.poll(one, 20);
    if (silent) {
      for (const auto api : {mock::ApiKey::offset_commit, mock::ApiKey::leave_group}) {
        machine.cluster->inject(
            {.api = api, .kind = mock::FaultKind::silence, .times = mock::always});
      }
    } else {
      ASSERT_TRUE(machine.cluster->kill(BrokerId(1)).has_value());
    }
    const MonotonicTime start = machine.now();
    machine.close(one, 3s);
    EXPECT_LE(machine.now() - start, 4s);
    EXPECT_TRUE(machine.holders.of.empty());
  }
}

TEST(Consumer, leaves_at_once_though_a_fetch_waits) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.settings.fetch_max_wait = 20s;
  Application& one = machine.subscribe();
  machine.run(one.poll_until([&] { return !one.client.assignment().empty(); }, 60s));
  machine.run(one.poll_until([] { return false; }, 1s));
  const MonotonicTime begun = machine.now();
  machine.close(one, 60s);
  EXPECT_LT(machine.now() - begun, 1s);
}

TEST(Consumer, closes_while_it_is_still_finding_its_cluster) {
  ConsumerMachine machine;
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)).has_value());
  Application& one = machine.subscribe();
  machine.run(one.poll_until([] { return false; }, 2s));
  const MonotonicTime start = machine.now();
  machine.close(one, 1s);
  EXPECT_LE(machine.now() - start, 2s);
}

TEST(Consumer, says_what_cannot_be_done) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.settings.group_id.clear();
  Application& one = machine.start();
  EXPECT_EQ(one.client.subscribe({"orders"}).error().failure, Failure::bad_argument);
  EXPECT_FALSE(machine.await(one.client.poll(machine.now())).has_value());
  EXPECT_FALSE(machine.await(one.client.commit(machine.now())).has_value());
  EXPECT_FALSE(machine.await(one.client.committed({}, machine.now())).has_value());
  EXPECT_FALSE(one.client.assign({place("", 0)}).has_value());
  EXPECT_FALSE(one.client.assign({place("orders", -1)}).has_value());
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  machine.settings.group_id = "group";
  Application& two = machine.start("two");
  EXPECT_FALSE(two.client.subscribe({}).has_value());
  EXPECT_FALSE(two.client.subscribe({""}).has_value());
  EXPECT_FALSE(two.client.subscribe_pattern("orders[").has_value());
  ASSERT_TRUE(two.client.subscribe({"orders"}).has_value());
  EXPECT_FALSE(two.client.assign({place("orders", 0)}).has_value());
}

TEST(Consumer, follows_topics_that_match_its_pattern) {
  ConsumerMachine machine;
  machine.create("orders-1", 1);
  machine.create("payments", 1);
  machine.append("orders-1", 0, 3);
  machine.append("payments", 0, 3);
  machine.settings.common.metadata_max_age = 5s;
  Application& one = machine.start();
  ASSERT_TRUE(one.client.subscribe_pattern("orders-.*", &one.listener).has_value());
  machine.poll(one, 3);
  machine.create("orders-2", 2);
  machine.append("orders-2", 1, 4);
  machine.poll(one, 7);
  EXPECT_EQ(one.values.count(place("payments", 0)), 0u);
  EXPECT_EQ(one.values[place("orders-2", 1)].size(), 4u);
}

}  // namespace
}  // namespace millrace::client
