// Also proves mock_consumer_core.cpp, mock_consumer_places.cpp.
#include "millrace/mock/mock_consumer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/millrace.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

static_assert(ConsumerLike<MockConsumer>);

using Partitions = std::vector<TopicPartition>;

const TopicPartition first{"orders", 0};
const TopicPartition second{"orders", 1};

Error refused() {
  return Error({.code = ErrorCode::group_authorization_failed, .origin = Origin::broker},
               "refused");
}

std::vector<std::string> values_of(const Result<Records>& batch) {
  std::vector<std::string> values;
  if (!batch) ADD_FAILURE() << batch.error();
  if (batch)
    for (const auto& record : *batch) values.emplace_back(record.value_text());
  return values;
}

using Values = std::vector<std::string>;

// A member of a group that has one partition with the records "0" to "4".
class MockConsumerTest : public testing::Test {
 protected:
  MockConsumerTest() {
    for (int number = 0; number < 5; ++number)
      consumer.add_record({.topic = "orders", .value = std::to_string(number)});
    EXPECT_TRUE(consumer.subscribe({"orders"}));
    consumer.rebalance({first});
  }

  MockConsumer consumer{MockConsumerOptions{.max_poll_records = 3}};
};

TEST_F(MockConsumerTest, gives_records_in_pieces_and_then_nothing) {
  const auto batch = consumer.poll(0ms);
  EXPECT_EQ(values_of(batch), (Values{"0", "1", "2"}));
  EXPECT_EQ(batch->size(), 3U);
  EXPECT_EQ((*batch)[1].topic(), "orders");
  EXPECT_EQ((*batch)[1].offset(), 1);
  EXPECT_EQ(values_of(consumer.poll(0ms)), (Values{"3", "4"}));
  EXPECT_EQ(values_of(consumer.poll(1h)), Values());
  EXPECT_EQ(consumer.add_record({.topic = "orders", .value = "5", .headers = {{"trace", "1"}}}), 5);
  const auto last = consumer.poll(0ms);
  ASSERT_EQ(last->size(), 1U);
  EXPECT_EQ((*last)[0].headers()[0].value.text(), "1");
}

TEST_F(MockConsumerTest, commits_what_polls_gave) {
  static_cast<void>(consumer.poll(0ms));
  ASSERT_TRUE(consumer.commit());
  EXPECT_EQ(consumer.committed_offsets(), (Offsets{{first, 3}}));
  ASSERT_TRUE(consumer.commit(Offsets{{first, 2}, {second, 9}}));
  EXPECT_EQ(consumer.committed({first, second, {"others", 0}}).value(),
            (Offsets{{first, 2}, {second, 9}}));
  consumer.fail_next_commit(refused());
  EXPECT_FALSE(consumer.commit());
  consumer.fail_next_commit(refused());
  std::optional<bool> is_done;
  consumer.commit_async([&](const Result<void>& committed) { is_done = committed.has_value(); });
  EXPECT_EQ(is_done, false);
  consumer.commit_async();
  EXPECT_EQ(consumer.commits().size(), 3U);
  EXPECT_EQ(consumer.commits().back(), (Offsets{{first, 3}}));
}

TEST(MockConsumer, begins_where_it_was_committed_or_as_told) {
  for (const auto [reset, position] :
       {std::pair{OffsetReset::earliest, 0}, std::pair{OffsetReset::latest, 2}}) {
    MockConsumer consumer({.offset_reset = reset});
    consumer.add_record({.topic = "orders"});
    consumer.add_record({.topic = "orders"});
    ASSERT_TRUE(consumer.assign({first}));
    EXPECT_EQ(consumer.position(first).value(), position);
    ASSERT_TRUE(consumer.commit(Offsets{{first, 1}}));
    ASSERT_TRUE(consumer.unsubscribe());
    ASSERT_TRUE(consumer.assign({first}));
    EXPECT_EQ(consumer.position(first).value(), 1);
  }
}

TEST(MockConsumer, says_that_it_does_not_know_where_to_begin) {
  MockConsumer consumer({.offset_reset = OffsetReset::none});
  ASSERT_TRUE(consumer.assign({first}));
  const auto nowhere = consumer.poll(0ms);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().message(),
            "orders-0 has no committed offset, and auto.offset.reset is none: seek");
  ASSERT_TRUE(consumer.seek(first, 5));
  EXPECT_EQ(consumer.poll(0ms).error().code(), ErrorCode::offset_out_of_range);
  ASSERT_TRUE(consumer.seek(first, 0));
  EXPECT_TRUE(consumer.poll(0ms));
}

TEST_F(MockConsumerTest, records_that_are_gone_are_passed_over) {
  consumer.set_beginning(first, 2);
  EXPECT_EQ(values_of(consumer.poll(0ms)), (Values{"2", "3", "4"}));
  EXPECT_EQ(consumer.beginning_offsets({first})->at(first), 2);
  EXPECT_EQ(consumer.end_offsets({first, second}).value(), (Offsets{{first, 5}, {second, 0}}));
  consumer.add_record_at(OwnedRecord{.topic = "orders", .offset = 10, .value = "10"});
  EXPECT_EQ(values_of(consumer.poll(0ms)), (Values{"10"}));
  EXPECT_EQ(consumer.position(first).value(), 11);
  EXPECT_THROW(consumer.add_record_at(OwnedRecord{.topic = "orders", .offset = 10}), Failed);
}

TEST_F(MockConsumerTest, tells_of_rebalances_within_the_poll) {
  std::vector<std::string> told;
  const auto note = [&](const char* what) {
    return [&told, what](const Partitions& partitions) {
      for (const auto& partition : partitions)
        told.push_back(what + std::to_string(partition.partition));
    };
  };
  consumer.on_assigned(note("+")).on_revoked(note("-")).on_lost(note("!"));
  EXPECT_TRUE(told.empty());
  EXPECT_TRUE(consumer.assignment()->empty());
  static_cast<void>(consumer.poll(0ms));
  EXPECT_EQ(consumer.assignment().value(), Partitions{first});
  consumer.rebalance({first, second});
  consumer.rebalance({second});
  static_cast<void>(consumer.poll(0ms));
  consumer.lose();
  static_cast<void>(consumer.poll(0ms));
  EXPECT_EQ(told, (Values{"+0", "+1", "-0", "!1"}));
  EXPECT_TRUE(consumer.assignment()->empty());
}

TEST_F(MockConsumerTest, handlers_may_commit_and_seek) {
  consumer.on_assigned([&](const Partitions&) { EXPECT_TRUE(consumer.seek(first, 4)); });
  consumer.on_revoked([&](const Partitions&) { EXPECT_TRUE(consumer.commit()); });
  EXPECT_EQ(values_of(consumer.poll(0ms)), (Values{"4"}));
  consumer.rebalance({});
  static_cast<void>(consumer.poll(0ms));
  EXPECT_EQ(consumer.committed_offsets(), (Offsets{{first, 5}}));
}

TEST_F(MockConsumerTest, leaving_revokes_what_it_had) {
  int revoked = 0;
  consumer.on_revoked([&](const Partitions& partitions) { revoked += !partitions.empty(); });
  static_cast<void>(consumer.poll(0ms));
  ASSERT_TRUE(consumer.unsubscribe());
  EXPECT_EQ(revoked, 1);
  EXPECT_TRUE(consumer.subscription().empty());
  EXPECT_FALSE(consumer.poll(0ms));
  ASSERT_TRUE(consumer.subscribe_pattern("ord.*"));
  EXPECT_EQ(consumer.subscription(), Values{"ord.*"});
  EXPECT_FALSE(consumer.subscribe({"orders"}));
  EXPECT_FALSE(consumer.assign({first}));
  EXPECT_FALSE(consumer.subscribe_pattern("("));
  ASSERT_TRUE(consumer.subscribe_broker_pattern("bill.*"));
  EXPECT_EQ(consumer.subscription(), Values{"bill.*"});
  consumer.rebalance({first});
  static_cast<void>(consumer.poll(0ms));
  ASSERT_TRUE(consumer.close());
  EXPECT_EQ(revoked, 2);
}

TEST_F(MockConsumerTest, failures_come_when_they_are_told_to) {
  consumer.fail_next_poll(refused());
  EXPECT_EQ(consumer.poll(0ms).error().code(), ErrorCode::group_authorization_failed);
  ASSERT_TRUE(consumer.wake());
  const auto woken = consumer.poll(0ms);
  ASSERT_FALSE(woken);
  EXPECT_TRUE(woken.error().is_retriable());
  EXPECT_EQ(values_of(consumer.poll(0ms)), (Values{"0", "1", "2"}));
}

TEST_F(MockConsumerTest, functions_of_the_test_run_in_polls_one_in_each) {
  int called = 0;
  for (int count = 0; count < 2; ++count)
    consumer.at_next_poll([&] {
      ++called;
      consumer.add_record({.topic = "orders", .value = "late"});
    });
  static_cast<void>(consumer.poll(0ms));
  EXPECT_EQ(called, 1);
  EXPECT_EQ(values_of(consumer.poll(0ms)), (Values{"3", "4", "late"}));
  EXPECT_EQ(called, 2);
}

TEST_F(MockConsumerTest, places_are_those_of_assigned_partitions) {
  static_cast<void>(consumer.poll(0ms));
  EXPECT_FALSE(consumer.seek(second, 0));
  EXPECT_FALSE(consumer.pause({second}));
  EXPECT_FALSE(consumer.position(second));
  EXPECT_FALSE(consumer.seek(first, -1));
  ASSERT_TRUE(consumer.pause({first}));
  EXPECT_EQ(consumer.paused().value(), Partitions{first});
  EXPECT_EQ(values_of(consumer.poll(0ms)), Values());
  ASSERT_TRUE(consumer.resume({first}));
  ASSERT_TRUE(consumer.seek_to_end(first));
  EXPECT_EQ(values_of(consumer.poll(0ms)), Values());
  ASSERT_TRUE(consumer.seek_to_beginning(first));
  EXPECT_EQ(consumer.lag()->at(first).records(), 5);
  EXPECT_EQ(values_of(consumer.poll(0ms)), (Values{"0", "1", "2"}));
}

TEST_F(MockConsumerTest, says_which_partitions_stand_still_as_the_test_says) {
  static_cast<void>(consumer.poll(0ms));
  EXPECT_EQ(consumer.stalled().value(), std::vector<StalledPartition>());
  const StalledPartition here{
      .partition = first, .position = 3, .end = 5, .stalled_for = 40s, .why = "no leader"};
  const StalledPartition elsewhere{.partition = second};
  consumer.set_stalled({here, elsewhere});
  EXPECT_EQ(consumer.stalled().value(), std::vector{here});
  ASSERT_TRUE(consumer.pause({first}));
  EXPECT_EQ(consumer.stalled().value(), std::vector<StalledPartition>());
  ASSERT_TRUE(consumer.resume({first}));
  EXPECT_EQ(consumer.stalled().value(), std::vector{here});
  consumer.set_stalled({});
  EXPECT_EQ(consumer.stalled().value(), std::vector<StalledPartition>());
}

TEST(MockConsumer, finds_records_by_their_time) {
  MockConsumer consumer;
  for (const std::int64_t time : {10, 20, 30})
    consumer.add_record(
        {.topic = "orders", .timestamp = Timestamp(std::chrono::milliseconds(time))});
  ASSERT_TRUE(consumer.assign({first}));
  ASSERT_TRUE(consumer.seek_to_time(first, Timestamp(15ms)));
  EXPECT_EQ(consumer.position(first).value(), 1);
  ASSERT_TRUE(consumer.seek_to_time(first, Timestamp(31ms)));
  EXPECT_EQ(consumer.position(first).value(), 3);
  const auto found = consumer.offsets_for_times({{first, Timestamp(30ms)}, {second, Timestamp()}});
  EXPECT_EQ(found->at(first).offset, 2);
  EXPECT_EQ(found->at(second).offset, -1);
}

TEST(MockConsumer, commits_by_itself_when_told_to) {
  MockConsumer consumer({.max_poll_records = 1, .auto_commit = true});
  consumer.add_record({.topic = "orders"});
  consumer.add_record({.topic = "orders"});
  ASSERT_TRUE(consumer.assign({first}));
  static_cast<void>(consumer.poll(0ms));
  EXPECT_FALSE(consumer.committed_offsets().contains(first));
  static_cast<void>(consumer.poll(0ms));
  EXPECT_EQ(consumer.committed_offsets().at(first), 1);
  ASSERT_TRUE(consumer.close());
  EXPECT_EQ(consumer.committed_offsets().at(first), 2);
}

TEST(MockConsumer, waits_for_records_when_told_to) {
  MockConsumer consumer({.waits = true});
  ASSERT_TRUE(consumer.assign({first}));
  EXPECT_EQ(values_of(consumer.poll(1ms)), Values());
  std::thread adding([&] { consumer.add_record({.topic = "orders", .value = "x"}); });
  EXPECT_EQ(values_of(consumer.poll(1h)), Values{"x"});
  adding.join();
}

TEST(MockConsumer, next_ends_when_something_comes) {
  MockConsumer consumer;
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  consumer.add_record({.topic = "orders", .value = "1"});
  auto batch = consumer.next();
  EXPECT_FALSE(batch.is_ready());
  EXPECT_FALSE(consumer.poll(0ms)) << "one poll or next at a time";
  EXPECT_FALSE(consumer.next().get());
  consumer.rebalance({first});
  EXPECT_EQ(values_of(batch.get()), Values{"1"});
  auto failing = consumer.next();
  consumer.fail_next_poll(refused());
  EXPECT_FALSE(failing.get());
  auto woken = consumer.next();
  ASSERT_TRUE(consumer.wake());
  EXPECT_FALSE(woken.get());
  auto closed = consumer.next();
  ASSERT_TRUE(consumer.close());
  EXPECT_FALSE(closed.get());
}

TEST(MockConsumer, next_sees_what_a_rebalance_handler_adds) {
  MockConsumer consumer;
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  consumer.on_assigned(
      [&](const Partitions&) { consumer.add_record({.topic = "orders", .value = "added"}); });
  auto batch = consumer.next();
  consumer.rebalance({first});
  EXPECT_EQ(values_of(batch.get()), Values{"added"});
}

TEST(MockConsumer, a_closed_one_fails_every_call) {
  MockConsumer consumer;
  ASSERT_TRUE(consumer.assign({first}));
  ASSERT_TRUE(consumer.close());
  ASSERT_TRUE(consumer.close());
  EXPECT_TRUE(consumer.is_closed());
  EXPECT_FALSE(consumer.poll(0ms));
  EXPECT_FALSE(consumer.subscribe({"orders"}));
  EXPECT_FALSE(consumer.assign({first}));
  EXPECT_FALSE(consumer.unsubscribe());
  EXPECT_FALSE(consumer.assignment());
  EXPECT_FALSE(consumer.pause({first}));
  EXPECT_FALSE(consumer.paused());
  EXPECT_FALSE(consumer.seek(first, 0));
  EXPECT_FALSE(consumer.position(first));
  EXPECT_FALSE(consumer.lag());
  EXPECT_FALSE(consumer.stalled());
  EXPECT_FALSE(consumer.commit());
  EXPECT_FALSE(consumer.committed({first}));
  EXPECT_FALSE(consumer.end_offsets({first}));
  EXPECT_FALSE(consumer.offsets_for_times({}));
  EXPECT_FALSE(consumer.wake());
  EXPECT_FALSE(consumer.next().get());
}

TEST(MockConsumer, is_moved_with_all_it_has) {
  MockConsumer consumer;
  consumer.add_record({.topic = "orders", .value = "1"});
  ASSERT_TRUE(consumer.assign({first}));
  MockConsumer moved = std::move(consumer);
  EXPECT_EQ(values_of(moved.poll(0ms)), Values{"1"});
  moved = MockConsumer();
  EXPECT_FALSE(moved.poll(0ms)) << "nothing is assigned";
}

}  // namespace
