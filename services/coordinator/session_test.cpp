// One session against a broker that a test plays. Also proves state_partition.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <variant>

// This one imports modules: it comes after all that includes standard headers.
#include "session_machine.hpp"

namespace millrace::coordinator {
namespace {

using namespace coordination;

TEST(Session, loads_what_it_is_told_to_lead) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  EXPECT_TRUE(played.partition().is_loading());
  played.carry_out();
  EXPECT_TRUE(played.partition().is_active());
  played.commit(1);
  played.commit(2);
  EXPECT_EQ(played.log.size(), 2u);
  Played next(executor, played.log);
  next.greet();
  next.carry_out();
  EXPECT_TRUE(next.partition().is_active());
  EXPECT_EQ(next.reads, 2u);
  protocol::ListGroupsRequest list;
  next.ask(list, 4);
  EXPECT_EQ(next.error(), ErrorCode::none);
}

TEST(Session, counts_what_it_does_and_what_there_is) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  played.commit(7);
  played.commit(8);
  EXPECT_EQ(played.metrics.loads.value(), 1U);
  EXPECT_EQ(played.metrics.commits.value(), 2U);
  EXPECT_EQ(played.metrics.appends.value(), 2U);
  played.loses = true;
  played.commit(9);
  EXPECT_EQ(played.metrics.failed_appends.value(), 1U);
  EXPECT_EQ(played.metrics.loads.value(), 2U) << "it reads anew";
  const auto figures = executor.run(played.session->figures());
  ASSERT_TRUE(figures.has_value());
  EXPECT_EQ(figures->partitions, 1);
  EXPECT_EQ(figures->loaded_partitions, 1);
  EXPECT_EQ(figures->groups[static_cast<std::size_t>(groups::GroupState::empty)], 1);
  EXPECT_EQ(figures->offsets, 1);
  EXPECT_EQ(figures->members, 0);
}

TEST(Session, while_a_partition_is_loaded_clients_are_told_so) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  const auto reads = std::exchange(played.said, {});
  protocol::ListGroupsRequest list;
  played.ask(list, 4);
  EXPECT_EQ(played.error(), ErrorCode::coordinator_load_in_progress);
  played.said = reads;
  played.carry_out();
  played.ask(list, 4);
  EXPECT_EQ(played.error(), ErrorCode::none);
}

TEST(Session, after_an_append_that_failed_it_loads_the_partition_again) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  played.loses = true;
  played.commit(1);
  ASSERT_EQ(played.answers.size(), 1u) << "answered, though not done";
  EXPECT_EQ(played.reads, 2u);
  EXPECT_TRUE(played.partition().is_active());
  played.loses = false;
  played.commit(2);
  EXPECT_EQ(played.log.size(), 1u);
}

TEST(Session, a_partition_that_cannot_be_read_is_tried_again) {
  SimulatedExecutor executor;
  Played played(executor, {OwnedBytes(100, std::byte{1})});
  played.log.clear();
  played.greet();
  const Read read = std::get<Read>(played.said.back());
  ASSERT_TRUE(played.say(Batches{read.of, ErrorCode::kafka_storage_error, {}, {}, {}}).has_value());
  EXPECT_FALSE(played.partition().is_loading());
  played.said.clear();
  executor.advance(std::chrono::milliseconds{30});
  ASSERT_FALSE(played.said.empty());
  const Read again = std::get<Read>(played.said.back());
  EXPECT_GT(again.of.load, read.of.load);
  // Damage is no reason to go on without what is lost.
  ASSERT_TRUE(played
                  .say(Batches{again.of, ErrorCode::none, Offset(1), Offset(1),
                               OwnedBytes(100, std::byte{1})})
                  .has_value());
  EXPECT_FALSE(played.partition().is_active());
  played.said.clear();
  executor.advance(std::chrono::milliseconds{50});
  played.carry_out();
  EXPECT_TRUE(played.partition().is_active());
}

// Whoever waits until all is loaded would wait for ever.
TEST(Session, a_partition_that_cannot_be_read_for_long_has_no_coordinator_until_it_can) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  protocol::HeartbeatRequest heartbeat;
  heartbeat.group_id = "g";
  const protocol::ListGroupsRequest list;
  for (int failures = 1; failures <= 5; ++failures) {
    ASSERT_TRUE(played.session->partitions().at(only)->is_loading());
    const Read read = std::get<Read>(played.said.back());
    played.said.clear();
    ASSERT_TRUE(played
                    .say(Batches{read.of, ErrorCode::none, Offset(1), Offset(1),
                                 OwnedBytes(100, std::byte{1})})
                    .has_value());
    const bool is_told = failures >= 3;
    played.ask(heartbeat, 3);
    EXPECT_EQ(played.error(), is_told ? ErrorCode::not_coordinator : ErrorCode::none);
    played.ask(list, 4);
    EXPECT_EQ(played.error(), is_told ? ErrorCode::none : ErrorCode::coordinator_load_in_progress)
        << failures;
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(played.say(coordination::Ping{1}).has_value());
      std::erase_if(played.said, [](const ToBroker& one) { return std::get_if<Pong>(&one); });
      if (!played.said.empty()) break;
      executor.advance(std::chrono::milliseconds{100});
    }
  }
  const auto lines = played.sink->lines();
  EXPECT_EQ(std::ranges::count_if(lines,
                                  [](const auto& line) {
                                    return line.message.find("cannot be loaded") !=
                                           std::string::npos;
                                  }),
            3);
  played.carry_out();
  EXPECT_TRUE(played.partition().is_active());
  played.commit(1);
  EXPECT_EQ(played.log.size(), 1u);
}

TEST(Session, after_a_silence_it_decides_nothing_by_the_clock) {
  SimulatedExecutor executor;
  Played played(executor);
  played.options.initial_rebalance_delay = groups::Milliseconds(0);
  played.greet();
  played.carry_out();
  // A process that was stopped: time has passed, and no timer has run.
  executor.manual_clock().advance(std::chrono::seconds{30});
  EXPECT_FALSE(played.say(coordination::Ping{1}).has_value())
      << "what comes after the silence is not taken: others may be behind it";
  executor.run_until_idle();
  EXPECT_EQ(played.appends, 0u);
}

TEST(Session, gives_up_when_the_broker_says_nothing) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  for (int i = 0; i < 10; ++i) {
    executor.advance(ping_interval);
    ASSERT_TRUE(played.say(coordination::Ping{1}).has_value());
  }
  EXPECT_FALSE(played.given_up.has_value());
  executor.advance(silence_max + std::chrono::milliseconds{2});
  EXPECT_TRUE(played.given_up.has_value());
}

TEST(Session, what_breaks_the_protocol_is_an_error) {
  SimulatedExecutor executor;
  Played early(executor);
  EXPECT_FALSE(early.say(coordination::Ping{1}).has_value()) << "before the greeting";
  Played twice(executor);
  twice.greet();
  EXPECT_FALSE(twice.say(Hello{protocol_version, BrokerId(1), Uuid{}, SessionId(6)}).has_value());
  Played newer(executor);
  EXPECT_FALSE(
      newer.say(Hello{protocol_version + 1, BrokerId(1), Uuid{}, SessionId(6)}).has_value());
  Played invented(executor);
  invented.greet();
  invented.carry_out();
  EXPECT_FALSE(
      invented.say(Committed{{only, LeaderEpoch(3), LoadId(1)}, groups::Ticket(7)}).has_value())
      << "an append that nobody made";
  EXPECT_TRUE(
      invented.say(Committed{{only, LeaderEpoch(3), LoadId(99)}, groups::Ticket(7)}).has_value())
      << "of another load: dropped";
  EXPECT_FALSE(invented.session->take(OwnedBytes(8, std::byte{7})).has_value());
}

TEST(Session, a_lost_partition_answers_what_is_open) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  protocol::JoinGroupRequest join;
  join.group_id = "g";
  join.session_timeout_ms = 10'000;
  join.rebalance_timeout_ms = 10'000;
  join.protocol_type = "consumer";
  protocol::JoinGroupRequest::JoinGroupRequestProtocol range{"range", protocol::empty_bytes};
  join.protocols = {&range, 1};
  played.ask(join, 3);
  EXPECT_EQ(played.session->open_requests(), 1u);
  ASSERT_TRUE(played.say(Lost{only}).has_value());
  played.carry_out();
  EXPECT_EQ(played.session->open_requests(), 0u);
  EXPECT_EQ(played.error(), ErrorCode::not_coordinator);
}

}  // namespace
}  // namespace millrace::coordinator
