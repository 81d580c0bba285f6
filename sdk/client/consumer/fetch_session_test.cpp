// What a consumer tells brokers of what it wants, from one request to the next.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.client.consumer;
import millrace.client.core;
import millrace.protocol.api;

namespace millrace::client {
namespace {

using protocol::ErrorCode;

Uuid id_of(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = std::byte{number};
  return id;
}

FetchItem item(std::string topic, std::int32_t partition, std::int64_t offset,
               Uuid topic_id = id_of(1)) {
  return {std::make_shared<const TopicPartition>(std::move(topic), PartitionIndex(partition)),
          {.topic_id = topic_id,
           .leader_epoch = LeaderEpoch(0),
           .offset = Offset(offset),
           .bytes_max = 100},
          true};
}

std::string words_of(const std::vector<FetchItem>& items) {
  std::string words;
  for (const FetchItem& one : items) words += to_string(*one.name) + " ";
  return words;
}

class Sessions : public testing::Test {
 protected:
  FetchSession::Request ask(std::vector<FetchItem> items, bool uses_ids = true) {
    return session.ask(std::move(items), uses_ids);
  }
  void open() {
    static_cast<void>(ask({item("a", 0, 5), item("a", 1, 5), item("b", 0, 5)}));
    session.answered(77, true);
  }

  FetchSession session;
};

TEST_F(Sessions, name_everything_once_and_then_what_is_new) {
  const auto first = ask({item("a", 0, 5), item("b", 0, 5)});
  EXPECT_EQ(first.id, 0);
  EXPECT_EQ(first.epoch, 0);
  EXPECT_EQ(words_of(first.named), "a-0 b-0 ");
  session.answered(77, true);
  const auto same = ask({item("a", 0, 5), item("b", 0, 5)});
  EXPECT_EQ(same.id, 77);
  EXPECT_EQ(same.epoch, 1);
  EXPECT_TRUE(same.named.empty() && same.forgotten.empty());
  session.answered(77, true);
  const auto moved = ask({item("a", 0, 6), item("a", 1, 0)});
  EXPECT_EQ(moved.epoch, 2);
  EXPECT_EQ(words_of(moved.named), "a-0 a-1 ");
  EXPECT_EQ(words_of(moved.forgotten), "b-0 ");
}

TEST_F(Sessions, begin_anew_where_the_broker_does_not_go_on) {
  for (const auto error :
       {ErrorCode::fetch_session_id_not_found, ErrorCode::invalid_fetch_session_epoch,
        ErrorCode::fetch_session_topic_id_error, ErrorCode::unknown_server_error}) {
    SCOPED_TRACE(protocol::name_of(error));
    open();
    EXPECT_TRUE(ask({item("a", 0, 6)}).is_incremental());
    session.refused(error);
    const auto next = ask({item("a", 0, 6), item("b", 0, 5)});
    EXPECT_EQ(next.epoch, 0);
    EXPECT_EQ(next.id, error == ErrorCode::fetch_session_id_not_found ? 0 : 77);
    EXPECT_EQ(words_of(next.named), "a-0 b-0 ");
    EXPECT_TRUE(next.forgotten.empty());
    session.unanswered();
  }
}

TEST_F(Sessions, begin_anew_after_a_request_of_which_nothing_was_heard) {
  open();
  EXPECT_TRUE(ask({item("a", 0, 6)}).is_incremental());
  session.unanswered();
  const auto next = ask({item("a", 0, 6)});
  EXPECT_EQ(next.epoch, 0);
  EXPECT_EQ(next.id, 77);
  EXPECT_EQ(words_of(next.named), "a-0 ");
}

TEST_F(Sessions, are_ended_where_a_broker_may_remember_them) {
  EXPECT_FALSE(session.end().has_value()) << "nothing was asked";
  open();
  const auto last = session.end();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->id, 77);
  EXPECT_EQ(last->epoch, fetch_session_ends);
  EXPECT_TRUE(last->named.empty() && last->forgotten.empty());
  EXPECT_FALSE(session.end().has_value()) << "once";
  open();
  static_cast<void>(ask({item("a", 0, 5)}));
  session.unanswered();
  EXPECT_TRUE(session.end().has_value()) << "the broker has it, whatever became of the request";
  open();
  session.refused(ErrorCode::fetch_session_id_not_found);
  EXPECT_FALSE(session.end().has_value());
}

TEST_F(Sessions, begin_anew_after_an_answer_to_something_else) {
  open();
  EXPECT_TRUE(ask({item("a", 0, 6)}).is_incremental());
  session.answered(77, false);
  EXPECT_EQ(ask({item("a", 0, 6)}).epoch, 0);
  session.answered(78, true);
  EXPECT_EQ(ask({item("a", 0, 6)}).epoch, 1);
  session.answered(79, true);
  EXPECT_EQ(ask({item("a", 0, 6)}).epoch, 0) << "of another session";
  session.answered(0, true);
  EXPECT_EQ(ask({item("a", 0, 6)}).epoch, 0) << "the broker has no room for one";
  session.answered(-5, true);
  EXPECT_EQ(ask({item("a", 0, 6)}).id, 0) << "no broker has such a one";
}

TEST_F(Sessions, forget_a_topic_that_was_made_anew_by_its_id_only) {
  open();
  const auto anew = ask({item("a", 0, 5, id_of(2)), item("a", 1, 5), item("b", 0, 5)});
  EXPECT_EQ(words_of(anew.named), "a-0 ");
  ASSERT_EQ(anew.forgotten.size(), 1u);
  EXPECT_EQ(anew.forgotten[0].wanted.topic_id, id_of(1));
  session.answered(77, true);
  EXPECT_EQ(ask({item("a", 0, 5)}, false).epoch, 0) << "by names it is another session";
  session.answered(78, true);
  const auto by_name = ask({item("a", 0, 5, id_of(2))}, false);
  EXPECT_EQ(words_of(by_name.named), "a-0 ");
  EXPECT_TRUE(by_name.forgotten.empty()) << "what is named and forgotten is forgotten";
}

TEST_F(Sessions, begin_anew_for_a_partition_whose_ends_the_broker_would_not_repeat) {
  open();
  FetchItem came_back = item("b", 0, 5);
  came_back.knows_ends = false;
  const auto next = ask({item("a", 0, 5), came_back});
  EXPECT_EQ(next.epoch, 0);
  EXPECT_EQ(words_of(next.named), "a-0 b-0 ");
  session.answered(78, true);
  FetchItem is_new = item("c", 0, 0);
  is_new.knows_ends = false;
  EXPECT_EQ(words_of(ask({item("a", 0, 5), item("b", 0, 5), is_new}).named), "c-0 ");
}

// A broker that does what requests say has what the consumer wants, after any history.
TEST_F(Sessions, brokers_want_what_the_consumer_wants) {
  Random random(7);
  using Wanted = std::map<std::pair<TopicPartition, Uuid>, std::int64_t>;
  Wanted broker;
  std::size_t incremental = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<FetchItem> items;
    Wanted wanted;
    const auto topic_id = id_of(static_cast<std::uint8_t>(1 + random.below(40) / 39));
    for (std::int32_t partition = 0; partition < 5; ++partition) {
      if (random.below(4) == 0) continue;
      items.push_back(item("a", partition, static_cast<std::int64_t>(random.below(3)), topic_id));
      wanted[{*items.back().name, topic_id}] = items.back().wanted.offset.value();
    }
    const auto request = ask(items);
    const auto fate = random.below(10);
    if (fate != 0) {  // it arrives
      if (!request.is_incremental()) broker.clear();
      for (const FetchItem& named : request.named) {
        broker[{*named.name, named.wanted.topic_id}] = named.wanted.offset.value();
      }
      for (const FetchItem& forgotten : request.forgotten) {
        broker.erase({*forgotten.name, forgotten.wanted.topic_id});
      }
      ASSERT_EQ(broker, wanted) << "in round " << round;
      incremental += request.is_incremental();
    }
    if (fate < 2) {
      session.unanswered();
    } else {
      session.answered(round % 100 < 50 ? 77 : 78, true);
    }
  }
  EXPECT_GT(incremental, 5'000u);
}

}  // namespace
}  // namespace millrace::client
