// Fetches against partitions on several shards of a simulated machine. Also proves answer.cpp,
// fetch.cpp, part.cpp.
#include "fetch_machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace millrace::broker {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

using Values = std::vector<std::string>;

class Fetching : public testing::TestWithParam<std::uint64_t> {
 protected:
  Fetching() { machine.make_topic("orders", 4); }

  // A fetch, and what happens `after` milliseconds while it waits.
  template <class Event>
  FetchTold fetch_while(FetchAsk asked, int after, Event event) {
    FetchTold told;
    const auto both = [&]() -> Task<void> {
      TaskGroup tasks;
      const auto ask = [&]() -> Task<void> { told = co_await machine.ask(asked); };
      tasks.start(ask());
      co_await sleep_until(machine.executor, machine.executor.clock().now() + milliseconds(after));
      co_await event();
      co_await tasks.wait();
    };
    machine.run(both());
    return told;
  }
  Task<void> sleep_a_little() { co_await sleep_until(machine.executor, now() + milliseconds(10)); }
  static Task<void> all_of(TaskGroup& tasks) { co_await tasks.wait(); }
  [[nodiscard]] MonotonicTime now() { return machine.executor.clock().now(); }

  FetchMachine machine{GetParam()};
};

TEST_P(Fetching, gives_the_records_of_all_partitions_in_the_order_of_the_request) {
  for (std::int32_t i = 0; i < 4; ++i) {
    machine.append("orders", i, {"a" + std::to_string(i), "b" + std::to_string(i)});
  }
  for (const std::int16_t version : {std::int16_t{4}, version_by_name, version_by_id}) {
    const FetchTold told = machine.fetch(
        {.wanted = {{.partition = 2}, {.partition = 0, .offset = 1}, {.partition = 3}},
         .version = version});
    ASSERT_EQ(told.partitions.size(), 3U) << version;
    EXPECT_EQ(told.partitions[0].partition, 2);
    EXPECT_EQ(told.partitions[0].topic, "orders");
    EXPECT_EQ(told.partitions[0].values, (Values{"a2", "b2"}));
    EXPECT_EQ(told.partitions[0].high_watermark, 2);
    EXPECT_EQ(told.partitions[1].values, (Values{"b0"}));
    EXPECT_EQ(told.partitions[2].values, (Values{"a3", "b3"}));
  }
}

TEST_P(Fetching, tells_each_partition_what_is_wrong_with_it) {
  machine.make_topic("far", 1, BrokerId(2));
  machine.make_topic("secret", 1);
  machine.append("orders", 0, {"a"});
  const FetchTold told = machine.fetch({.wanted = {{.partition = 0},
                                                   {.partition = 9},
                                                   {.partition = 0, .offset = 7},
                                                   {.topic = "far"},
                                                   {.topic = "nothing"},
                                                   {.topic = "secret"},
                                                   {.partition = 1, .leader_epoch = 2},
                                                   {.partition = 1, .leader_epoch = 4}},
                                        .wait_ms = 1000});
  ASSERT_EQ(told.partitions.size(), 8U);
  EXPECT_EQ(told.partitions[0].values, (Values{"a"}));
  EXPECT_EQ(told.partitions[1].error, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(told.partitions[2].error, ErrorCode::offset_out_of_range);
  EXPECT_EQ(told.partitions[3].error, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(told.partitions[3].leader, 2);
  EXPECT_EQ(told.partitions[4].error, ErrorCode::unknown_topic_id);
  EXPECT_EQ(told.partitions[5].error, ErrorCode::topic_authorization_failed);
  EXPECT_EQ(told.partitions[6].error, ErrorCode::fenced_leader_epoch);
  EXPECT_EQ(told.partitions[7].error, ErrorCode::unknown_leader_epoch);
  EXPECT_THAT(told.endpoints, testing::Contains("host2:9092"));
}

TEST_P(Fetching, tells_an_old_client_of_another_leader_without_its_name) {
  machine.make_topic("far", 1, BrokerId(2));
  for (const std::int16_t version : {std::int16_t{4}, version_by_name, std::int16_t{12}}) {
    const FetchTold told = machine.fetch({.wanted = {{.topic = "far"}}, .version = version});
    ASSERT_EQ(told.partitions.size(), 1U) << "version " << version;
    EXPECT_EQ(told.partitions[0].error, ErrorCode::not_leader_or_follower);
    EXPECT_EQ(told.partitions[0].leader, version >= 12 ? 2 : -1);
  }
}

TEST_P(Fetching, says_unknown_topic_of_names) {
  const FetchTold told =
      machine.fetch({.wanted = {{.topic = "nothing"}}, .version = version_by_name});
  ASSERT_EQ(told.partitions.size(), 1U);
  EXPECT_EQ(told.partitions[0].error, ErrorCode::unknown_topic_or_partition);
}

TEST_P(Fetching, waits_no_longer_than_it_was_told) {
  const MonotonicTime begin = now();
  const FetchTold told = machine.fetch(
      {.wanted = {{.partition = 0}, {.partition = 1}, {.partition = 2}}, .wait_ms = 500});
  EXPECT_EQ(now() - begin, milliseconds(500)) << "of simulated time";
  ASSERT_EQ(told.partitions.size(), 3U);
  EXPECT_THAT(told.partitions[0].values, IsEmpty());
  EXPECT_EQ(told.partitions[0].error, ErrorCode::none);
}

TEST_P(Fetching, does_not_wait_when_asked_for_no_bytes_or_no_partitions) {
  const MonotonicTime begin = now();
  static_cast<void>(machine.fetch({.wanted = {{.partition = 0}}, .wait_ms = 500, .bytes_min = 0}));
  static_cast<void>(machine.fetch({.wait_ms = 500}));
  EXPECT_LT(now() - begin, milliseconds(500)) << "of simulated time";
}

TEST_P(Fetching, a_record_ends_the_wait_on_whichever_shard_it_comes) {
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    const MonotonicTime begin = now();
    const FetchTold told = fetch_while(
        {.wanted = {{.partition = 0, .offset = partition > 0},
                    {.partition = 1, .offset = partition > 1},
                    {.partition = 2, .offset = partition > 2},
                    {.partition = 3}},
         .wait_ms = 60'000},
        100, [&] { return machine.append_all(machine.partition("orders", partition), {"new"}); });
    EXPECT_LT(now() - begin, milliseconds(60'000)) << "of simulated time";
    ASSERT_EQ(told.partitions.size(), 4U);
    EXPECT_EQ(told.partitions[static_cast<std::size_t>(partition)].values, (Values{"new"}));
  }
}

TEST_P(Fetching, waits_until_there_are_as_many_bytes_as_asked_for) {
  const std::string half(600, 'x');
  const FetchTold told = fetch_while(
      {.wanted = {{.partition = 0}, {.partition = 1}}, .wait_ms = 60'000, .bytes_min = 1200}, 10,
      [&]() -> Task<void> {
        co_await machine.append_all(machine.partition("orders", 0), {half});
        co_await sleep_until(machine.executor, now() + milliseconds(100));
        co_await machine.append_all(machine.partition("orders", 1), {half});
      });
  ASSERT_EQ(told.partitions.size(), 2U);
  EXPECT_THAT(told.partitions[0].values, ElementsAre(half));
  EXPECT_THAT(told.partitions[1].values, ElementsAre(half));
}

TEST_P(Fetching, a_topic_that_is_removed_ends_the_wait) {
  FetchTold told;
  TaskGroup tasks;
  const auto ask = [&]() -> Task<void> {
    told = co_await machine.ask({.wanted = {{.partition = 1}}, .wait_ms = 60'000});
  };
  tasks.start(ask());
  machine.run(sleep_a_little());
  machine.remove_topic("orders");
  machine.run(all_of(tasks));
  ASSERT_EQ(told.partitions.size(), 1U);
  EXPECT_NE(told.partitions[0].error, ErrorCode::none);
}

TEST_P(Fetching, gives_no_more_bytes_than_asked_for_but_one_batch) {
  const std::string large(3000, 'x');
  for (std::int32_t i = 0; i < 4; ++i) machine.append("orders", i, {large, large});
  const FetchAsk all{.wanted = {{.partition = 0, .bytes_max = 10},
                                {.partition = 1},
                                {.partition = 2},
                                {.partition = 3}},
                     .bytes_max = 10'000};
  const FetchTold told = machine.fetch(all);
  ASSERT_EQ(told.partitions.size(), 4U);
  EXPECT_EQ(told.partitions[0].values.size(), 1U) << "the first batch, though it is larger";
  std::size_t values = 0;
  for (const Told& partition : told.partitions) values += partition.values.size();
  EXPECT_LE(values, 3U);
  FetchAsk tiny = all;
  tiny.bytes_max = 1;
  const FetchTold one = machine.fetch(tiny);
  values = 0;
  for (const Told& partition : one.partitions) values += partition.values.size();
  EXPECT_EQ(values, 1U);
}

TEST_P(Fetching, tells_a_reader_where_its_log_leaves_this_one) {
  machine.append("orders", 0, {"a", "b"});
  const FetchTold told = machine.fetch(
      {.wanted = {{.partition = 0, .offset = 2, .last_fetched_epoch = 2}}, .wait_ms = 1000});
  ASSERT_EQ(told.partitions.size(), 1U);
  // Nothing is known of epoch 2, which was before the first record.
  EXPECT_EQ(told.partitions[0].diverging_end, 0);
  EXPECT_THAT(told.partitions[0].values, IsEmpty());
}

TEST_P(Fetching, a_session_names_only_what_is_new) {
  machine.append("orders", 0, {"a"});
  const FetchTold first =
      machine.fetch({.wanted = {{.partition = 0}, {.partition = 1}}, .epoch = 0});
  ASSERT_NE(first.session, 0);
  ASSERT_EQ(first.partitions.size(), 2U);
  FetchAsk next{.wanted = {{.partition = 0, .offset = 1}}, .session = first.session, .epoch = 1};
  EXPECT_THAT(machine.fetch(next).partitions, IsEmpty());
  machine.append("orders", 1, {"b"});
  next.wanted.clear();
  next.epoch = 2;
  const FetchTold second = machine.fetch(next);
  EXPECT_EQ(second.session, first.session);
  ASSERT_EQ(second.partitions.size(), 1U);
  EXPECT_EQ(second.partitions[0].values, (Values{"b"}));
  next.forgotten = {{.partition = 1}};
  next.epoch = 3;
  EXPECT_THAT(machine.fetch(next).partitions, IsEmpty());
}

TEST_P(Fetching, a_session_is_refused_with_a_wrong_epoch_and_ends_when_asked_to) {
  const FetchTold first = machine.fetch({.wanted = {{.partition = 0}}, .epoch = 0});
  ASSERT_NE(first.session, 0);
  EXPECT_EQ(machine.fetch({.session = first.session, .epoch = 5}).error,
            ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(machine.fetch({.version = version_by_name, .session = first.session, .epoch = 1}).error,
            ErrorCode::fetch_session_topic_id_error);
  const FetchTold last =
      machine.fetch({.wanted = {{.partition = 0}}, .session = first.session, .epoch = -1});
  EXPECT_EQ(last.session, 0);
  EXPECT_EQ(last.partitions.size(), 1U);
  EXPECT_EQ(machine.fetch({.session = first.session, .epoch = 1}).error,
            ErrorCode::fetch_session_id_not_found);
  EXPECT_EQ(machine.fetches[0]->sessions().sessions, 0U);
}

TEST_P(Fetching, a_session_that_comes_to_another_shard_is_not_known_there) {
  const FetchTold first = machine.fetch({.wanted = {{.partition = 0}}, .epoch = 0});
  EXPECT_EQ(machine.fetch({.session = first.session, .epoch = 1}, 1).error,
            ErrorCode::fetch_session_id_not_found);
}

TEST_P(Fetching, all_partitions_of_a_session_have_their_turn) {
  const std::string large(3000, 'x');
  for (std::int32_t i = 0; i < 4; ++i) machine.append("orders", i, {large, large, large});
  FetchAsk asked{.wanted = {{.partition = 0}, {.partition = 1}, {.partition = 2}, {.partition = 3}},
                 .bytes_max = 3500,
                 .epoch = 0};
  std::vector<bool> served(4, false);
  for (int round = 0; round < 8; ++round) {
    const FetchTold told = machine.fetch(asked);
    asked.session = told.session;
    ++asked.epoch;
    asked.wanted.clear();
    for (const Told& partition : told.partitions) {
      if (!partition.values.empty()) served[static_cast<std::size_t>(partition.partition)] = true;
    }
  }
  EXPECT_THAT(served, testing::Each(true));
}

TEST_P(Fetching, nobody_waits_for_a_connection_that_is_gone) {
  const MonotonicTime begin = now();
  static_cast<void>(fetch_while(
      {.wanted = {{.partition = 0}, {.partition = 1}}, .wait_ms = 60'000, .connection = 7}, 10,
      [&]() -> Task<void> {
        machine.fetches[0]->connection_closing(ConnectionId(8));
        co_await sleep_until(machine.executor, now() + milliseconds(100));
        machine.fetches[0]->connection_closing(ConnectionId(7));
      }));
  EXPECT_LT(now() - begin, milliseconds(1000)) << "of simulated time";
}

TEST_P(Fetching, the_end_answers_all_who_wait) {
  const FetchTold told = fetch_while(
      {.wanted = {{.partition = 0}, {.partition = 1}}, .wait_ms = 60'000}, 10, [&]() -> Task<void> {
        machine.fetches[0]->stop_waiting();
        co_return;
      });
  EXPECT_EQ(told.partitions.size(), 2U);
}

TEST_P(Fetching, tells_the_quota_of_the_bytes_of_records_that_it_gives) {
  machine.append("orders", 0, {std::string(5000, 'x')});
  machine.quotas.throttle = milliseconds(250);
  const FetchTold told = machine.fetch({.wanted = {{.partition = 0}, {.partition = 1}}});
  EXPECT_EQ(told.throttle_ms, 250);
  ASSERT_EQ(machine.quotas.told.size(), 1U);
  EXPECT_EQ(machine.quotas.told[0].kind, security::QuotaKind::fetch);
  EXPECT_EQ(machine.quotas.told[0].client_id, "reader");
  EXPECT_GE(machine.quotas.told[0].amount, 5000U);
  EXPECT_LE(machine.quotas.told[0].amount, 5200U) << "the header of the batch and its record";
  // Of nothing it is told too: how often somebody asks may count.
  static_cast<void>(machine.fetch({.wanted = {{.partition = 1}}}));
  ASSERT_EQ(machine.quotas.told.size(), 2U);
  EXPECT_EQ(machine.quotas.told[1].amount, 0U);
}

TEST_P(Fetching, closes_a_connection_that_sends_garbage_or_is_a_replica) {
  FetchAsk asked{.wanted = {{.partition = 0}}};
  asked.version = version_by_name;
  EXPECT_FALSE(machine.fetch(asked).closed);
  machine.garble_next = true;
  EXPECT_TRUE(machine.fetch(asked).closed);
}

// It would be kept with each of them.
TEST_P(Fetching, closes_a_connection_that_names_what_no_topic_can_be_called) {
  FetchAsk asked{.wanted = {{.topic = std::string(249, 't')}, {.topic = std::string(249, 't')}}};
  asked.version = version_by_name;
  const FetchTold told = machine.fetch(asked);
  ASSERT_EQ(told.partitions.size(), 2U);
  EXPECT_EQ(told.partitions[1].error, ErrorCode::unknown_topic_or_partition);
  asked.wanted[1].topic.push_back('t');
  EXPECT_TRUE(machine.fetch(asked).closed);
  asked.wanted.clear();
  asked.forgotten = {{.topic = std::string(250, 't')}};
  EXPECT_TRUE(machine.fetch(asked).closed);
}

// Each would be waited for, and take memory for as long.
TEST_P(Fetching, partitions_that_are_named_thousands_of_times_are_waited_for_once) {
  machine.append("orders", 1, {"a"});
  FetchAsk asked{.forgotten = {{.partition = 2}}};
  for (int i = 0; i < 2'000; ++i) asked.wanted.push_back({.partition = 2 - i % 3});
  for (const std::int16_t version : {version_by_name, version_by_id}) {
    asked.version = version;
    const FetchTold told = machine.fetch(asked);
    ASSERT_EQ(told.partitions.size(), 3U) << "version " << version;
    for (std::int32_t i = 0; i < 3; ++i) {
      const Told& partition = told.partitions[static_cast<std::size_t>(i)];
      EXPECT_EQ(partition.partition, 2 - i);
      EXPECT_EQ(partition.error, ErrorCode::none);
      EXPECT_EQ(partition.values, i == 1 ? Values{"a"} : Values{}) << "version " << version;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Fetching, testing::Range<std::uint64_t>(0, 20));

}  // namespace
}  // namespace millrace::broker
