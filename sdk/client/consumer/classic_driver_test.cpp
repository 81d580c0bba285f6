// Consumers of a classic group. Also proves group_driver.cpp.
#include "consumer_machine.hpp"

namespace millrace::client {
namespace {

using mock::ApiKey;
using mock::ErrorCode;
using mock::FaultKind;

class Groups : public testing::Test {
 protected:
  void SetUp() override {
    machine.create("orders", 6);
    for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 10);
    machine.settings.session_timeout = 10s;
  }
  void use(AssignorKind strategy) { machine.settings.partition_assignment_strategy = {strategy}; }
  // All partitions are held, by members that agree on how many each has.
  void expect_even(std::size_t members, Duration within = 60s) {
    machine.poll_all([&] { return is_even(members); }, within);
    EXPECT_TRUE(is_even(members)) << machine.holders.of.size() << " partitions are held";
    EXPECT_EQ(machine.holders.conflicts, 0u);
  }
  [[nodiscard]] bool is_even(std::size_t members) const {
    std::map<std::string, std::size_t> counts;
    for (const auto& [partition, holder] : machine.holders.of) ++counts[holder];
    return machine.holders.of.size() == 6 && counts.size() == members &&
           std::ranges::all_of(counts,
                               [&](const auto& count) { return count.second == 6 / members; });
  }
  void vanish(Application& application) {
    // As one that was killed: its connections end, and nobody says goodbye.
    machine.cluster->inject(
        {.api = ApiKey::leave_group, .kind = FaultKind::drop_before, .times = 1});
    machine.close(application);
  }

  ConsumerMachine machine{{.brokers = 3}};
};

TEST_F(Groups, share_partitions_as_members_come_and_go) {
  for (const AssignorKind strategy : {AssignorKind::range, AssignorKind::round_robin,
                                      AssignorKind::sticky, AssignorKind::cooperative_sticky}) {
    SCOPED_TRACE(name_of(strategy));
    use(strategy);
    machine.settings.group_id = "group of " + std::string(name_of(strategy));
    Application& one = machine.subscribe("one");
    expect_even(1);
    Application& two = machine.subscribe("two");
    expect_even(2);
    Application& three = machine.subscribe("three");
    expect_even(3);
    machine.close(one);
    expect_even(2);
    machine.close(three);
    expect_even(1);
    machine.close(two);
    EXPECT_TRUE(machine.holders.of.empty()) << "what is held is revoked at the end";
  }
}

TEST_F(Groups, with_members_of_several_strategies_agree_on_one) {
  machine.settings.partition_assignment_strategy = {AssignorKind::range,
                                                    AssignorKind::cooperative_sticky};
  machine.subscribe("one");
  machine.subscribe("two");
  expect_even(2);
  machine.settings.partition_assignment_strategy = {AssignorKind::cooperative_sticky};
  machine.subscribe("three");
  expect_even(3);
}

TEST_F(Groups, cooperative_members_keep_what_they_have_while_others_join) {
  use(AssignorKind::cooperative_sticky);
  Application& one = machine.subscribe("one");
  expect_even(1);
  machine.subscribe("two");
  expect_even(2);
  EXPECT_EQ(one.listener.times_revoked, 3u);
  machine.subscribe("three");
  expect_even(3);
  EXPECT_EQ(one.listener.times_revoked, 4u);
}

TEST_F(Groups, eager_members_give_everything_up_first) {
  use(AssignorKind::range);
  Application& one = machine.subscribe("one");
  expect_even(1);
  machine.subscribe("two");
  expect_even(2);
  EXPECT_EQ(one.listener.times_revoked, 6u);
  ASSERT_GE(one.listener.events.size(), 3u);
  EXPECT_EQ(one.listener.events[1].substr(0, 7), "revoked");
}

TEST_F(Groups, read_each_record_once_when_members_change_in_order) {
  use(AssignorKind::cooperative_sticky);
  Application& one = machine.subscribe("one");
  machine.poll(one, 60);
  Application& two = machine.subscribe("two");
  expect_even(2);
  for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 10);
  machine.poll_all([&] { return one.count + two.count >= 120; });
  machine.close(one);
  for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 10);
  const std::size_t before = two.count;
  machine.poll_all([&] { return two.count >= before + 60; });
  EXPECT_EQ(two.count, before + 60);
}

TEST_F(Groups, take_over_what_a_dead_member_had) {
  machine.subscribe("one");
  Application& two = machine.subscribe("two");
  expect_even(2);
  vanish(two);
  machine.holders.of.clear();
  Application& three = machine.subscribe("three");
  machine.poll_all([&] { return three.client.assignment().size() == 3; });
  EXPECT_EQ(three.client.assignment().size(), 3u);
}

TEST_F(Groups, heartbeats_go_on_while_the_application_works) {
  Application& one = machine.subscribe("one");
  expect_even(1);
  const auto events = one.listener.events.size();
  machine.executor.advance(4min);
  machine.run(one.poll_until([] { return false; }, 5s));
  EXPECT_EQ(one.listener.events.size(), events) << "it is still the same member";
  EXPECT_TRUE(one.errors.empty());
}

TEST_F(Groups, a_member_that_does_not_poll_leaves_says_so_and_comes_back) {
  Application& one = machine.subscribe("one");
  Application& two = machine.subscribe("two");
  expect_even(2);
  machine.run(one.poll_until([&] { return one.client.assignment().size() == 6; }, 10min));
  EXPECT_EQ(one.client.assignment().size(), 6u) << "the other did not poll for too long";
  machine.run(two.poll_until([] { return false; }, 100ms));
  ASSERT_FALSE(two.errors.empty());
  EXPECT_NE(two.errors[0].message.find("max.poll.interval.ms"), std::string::npos);
  EXPECT_EQ(two.errors[0].failure, Failure::not_in_group);
  EXPECT_FALSE(two.errors[0].fatal);
  EXPECT_EQ(two.listener.events.back().substr(0, 4), "lost");
  // It could not be told before the other got them.
  machine.holders.conflicts = 0;
  expect_even(2);
}

TEST_F(Groups, a_coordinator_that_fails_in_many_ways_is_found_again) {
  Application& one = machine.subscribe("one");
  Application& two = machine.subscribe("two");
  // Of a join that gets no answer: it may be that the others have not joined yet.
  const Duration patience = 3 * machine.settings.max_poll_interval;
  for (const ErrorCode error :
       {ErrorCode::not_coordinator, ErrorCode::coordinator_not_available,
        ErrorCode::coordinator_load_in_progress, ErrorCode::unknown_member_id,
        ErrorCode::illegal_generation, ErrorCode::rebalance_in_progress}) {
    for (const ApiKey api : {ApiKey::join_group, ApiKey::sync_group, ApiKey::heartbeat,
                             ApiKey::offset_commit, ApiKey::offset_fetch}) {
      SCOPED_TRACE(formatted("{} to {}", protocol::name_of(error), protocol::name_of(api)));
      machine.cluster->fail_next(api, error, 1);
      machine.poll_all([] { return false; }, 12s);
      expect_even(2, patience);
    }
  }
  for (const FaultKind kind : {FaultKind::drop_before, FaultKind::drop_after, FaultKind::garbage,
                               FaultKind::cut_short, FaultKind::silence}) {
    for (const ApiKey api : {ApiKey::find_coordinator, ApiKey::join_group, ApiKey::sync_group,
                             ApiKey::heartbeat, ApiKey::offset_commit, ApiKey::offset_fetch}) {
      SCOPED_TRACE(formatted("{} of {}", static_cast<int>(kind), protocol::name_of(api)));
      machine.cluster->inject({.api = api, .kind = kind, .times = 2});
      machine.poll_all([] { return false; }, 12s);
      machine.holders.conflicts = 0;
      expect_even(2, patience);
    }
  }
  for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 10);
  const std::size_t before = one.count + two.count;
  one.may_repeat = two.may_repeat = true;
  machine.poll_all([&] { return one.count + two.count >= before + 60; });
}

TEST_F(Groups, nobody_waits_for_the_member_that_one_was_before_its_generation_had_passed) {
  machine.settings.session_timeout = 45s;
  Application& one = machine.subscribe("one");
  Application& two = machine.subscribe("two");
  one.may_repeat = two.may_repeat = true;
  expect_even(2);
  const auto lost = [&] { return one.listener.times_revoked + two.listener.times_revoked; };
  const std::size_t before = lost();
  machine.cluster->fail_next(ApiKey::heartbeat, ErrorCode::illegal_generation, 1);
  machine.poll_all([&] { return lost() > before && is_even(2); }, 30s);
  EXPECT_GT(lost(), before);
  EXPECT_TRUE(is_even(2)) << "sooner than a session ends";
}

TEST_F(Groups, a_member_without_an_id_soon_asks_again_for_an_answer_that_got_lost) {
  machine.cluster->inject({.api = ApiKey::join_group, .kind = FaultKind::silence, .times = 1});
  machine.subscribe("one");
  const MonotonicTime begun = machine.now();
  expect_even(1);
  EXPECT_LT(machine.now() - begun, machine.settings.common.request_timeout + 10s);
}

TEST_F(Groups, a_member_waits_for_others_longer_than_for_an_answer) {
  machine.settings.session_timeout = 45s;
  Application& slow = machine.subscribe("slow");
  expect_even(1);
  // It does not poll, and so does not join again, for longer than requests are waited for.
  Application& two = machine.subscribe("two");
  machine.cluster->clear_requests();
  machine.run(two.poll_until([] { return false; }, machine.settings.common.request_timeout + 20s));
  const auto& asked = machine.cluster->requests();
  EXPECT_EQ(std::ranges::count(asked, ApiKey::join_group, &mock::LoggedRequest::api), 2)
      << "it gets its id, then it waits";
  EXPECT_TRUE(two.client.assignment().empty());
  EXPECT_EQ(slow.client.assignment().size(), 6u);
  expect_even(2);
}

TEST_F(Groups, a_lost_assignment_is_soon_asked_for_again) {
  machine.cluster->inject({.api = ApiKey::sync_group, .kind = FaultKind::silence, .times = 1});
  machine.subscribe("one");
  const MonotonicTime begun = machine.now();
  expect_even(1);
  EXPECT_LT(machine.now() - begun, machine.settings.common.request_timeout + 10s);
}

TEST_F(Groups, a_connection_that_came_late_and_gives_no_answer_to_a_join_is_given_up) {
  machine.sink->set_threshold(LogLevel::debug);
  machine.cluster->delay(ApiKey::api_versions, 3s);
  machine.cluster->inject({.api = ApiKey::join_group, .kind = FaultKind::silence, .times = 1});
  machine.subscribe("one");
  machine.poll_all([&] { return is_even(1); }, 3min);
  EXPECT_TRUE(is_even(1));
  EXPECT_TRUE(machine.was_logged("no answer to JoinGroup in time"));
  EXPECT_FALSE(machine.was_logged("no answer to JoinGroup before the deadline"));
}

TEST_F(Groups, a_connection_that_came_late_and_gives_no_answer_to_a_sync_is_given_up) {
  machine.sink->set_threshold(LogLevel::debug);
  // The leader asks for metadata between its join and its sync.
  machine.cluster->delay(ApiKey::metadata, 2s);
  machine.cluster->inject({.api = ApiKey::sync_group, .kind = FaultKind::silence, .times = 1});
  Application& one = machine.subscribe("one");
  machine.run(one.poll_until([&] { return machine.was_logged("joined generation"); }, 60s));
  machine.cluster->delay(ApiKey::api_versions, 3s);
  machine.cluster->drop_connections();
  machine.poll_all([&] { return is_even(1); }, 3min);
  EXPECT_TRUE(is_even(1));
  EXPECT_TRUE(machine.was_logged("no answer to SyncGroup in time"));
  EXPECT_FALSE(machine.was_logged("no answer to SyncGroup before the deadline"));
}

TEST_F(Groups, a_coordinator_that_dies_is_replaced) {
  machine.subscribe("one");
  machine.subscribe("two");
  expect_even(2);
  for (std::int32_t broker = 1; broker <= 3; ++broker) {
    ASSERT_TRUE(machine.cluster->kill(BrokerId(broker)).has_value());
    machine.poll_all([] { return false; }, 40s);
    expect_even(2);
    ASSERT_TRUE(machine.cluster->revive(BrokerId(broker)).has_value());
  }
}

TEST_F(Groups, static_members_come_back_to_what_they_had) {
  machine.settings.session_timeout = 45s;
  machine.settings.group_instance_id = "instance-1";
  Application& one = machine.subscribe("one");
  machine.settings.group_instance_id = "instance-2";
  Application& two = machine.subscribe("two");
  expect_even(2);
  const Partitions held = one.client.assignment();
  const auto events = two.listener.events.size();
  machine.close(one);
  machine.settings.group_instance_id = "instance-1";
  Application& again = machine.subscribe("again");
  machine.poll_all([&] { return again.client.assignment() == held; }, 20s);
  EXPECT_EQ(again.client.assignment(), held);
  EXPECT_EQ(two.listener.events.size(), events) << "others notice nothing";
}

TEST_F(Groups, a_static_member_whose_place_is_taken_says_so_for_good) {
  machine.settings.group_instance_id = "instance-1";
  Application& one = machine.subscribe("one");
  expect_even(1);
  Application& two = machine.subscribe("two");
  machine.poll_all([&] { return !one.errors.empty() && two.client.assignment().size() == 6; });
  ASSERT_FALSE(one.errors.empty());
  EXPECT_TRUE(one.errors.back().fatal);
  EXPECT_EQ(one.errors.back().failure, Failure::fenced);
  EXPECT_EQ(one.listener.events.back().substr(0, 4), "lost");
}

TEST_F(Groups, a_refusal_is_told_and_tried_again) {
  machine.cluster->fail_next(ApiKey::join_group, ErrorCode::group_authorization_failed, 1);
  Application& one = machine.subscribe("one");
  machine.run(one.poll_until([&] { return one.count >= 60; }, 60s));
  EXPECT_EQ(one.count, 60u);
  ASSERT_EQ(one.errors.size(), 1u);
  EXPECT_EQ(one.errors[0].code, ErrorCode::group_authorization_failed);
}

TEST_F(Groups, change_when_their_topics_do) {
  machine.settings.common.metadata_max_age = 5s;
  Application& one = machine.subscribe("one", {"orders", "payments"});
  expect_even(1);
  machine.create("payments", 2);
  machine.append("payments", 1, 5);
  machine.poll_all([&] { return one.client.assignment().size() == 8; });
  EXPECT_EQ(one.client.assignment().size(), 8u);
  ASSERT_TRUE(one.client.subscribe({"payments"}, &one.listener).has_value());
  machine.poll_all([&] { return one.client.assignment().size() == 2; });
  EXPECT_EQ(one.client.assignment(), (Partitions{place("payments", 0), place("payments", 1)}));
}

TEST_F(Groups, a_listener_may_seek_what_it_is_assigned) {
  Application& one = machine.start("one");
  one.listener.on_assigned = [&](const Partitions& partitions) {
    for (const TopicPartition& name : partitions) {
      EXPECT_TRUE(one.client.seek(name, Offset(8)).has_value());
    }
  };
  ASSERT_TRUE(one.client.subscribe({"orders"}, &one.listener).has_value());
  machine.poll(one, 12);
  machine.run(one.poll_until([] { return false; }, 2s));
  EXPECT_EQ(one.count, 12u);
}

// Whatever happens, everything is read at least once, and never do two members hold a partition.
TEST(GroupsAtRandom, lose_nothing_and_share_nothing) {
  for (std::uint64_t seed = 1; seed <= 24 / MILLRACE_SLOWNESS; ++seed) {
    SCOPED_TRACE(seed);
    ConsumerMachine machine({.brokers = 3, .seed = seed}, seed);
    machine.create("orders", 5);
    machine.settings.session_timeout = 10s;
    const auto strategy = static_cast<AssignorKind>(seed % 4);
    machine.settings.partition_assignment_strategy = {strategy};
    std::set<std::string> seen;
    Random random(seed);
    std::size_t names = 0;
    const auto note_all = [&] {
      for (const auto& application : machine.applications) {
        for (const auto& [partition, values] : application->values) {
          for (const auto& [offset, value] : values) seen.insert(value);
        }
      }
    };
    for (int step = 0; step < 25; ++step) {
      machine.append("orders", static_cast<std::int32_t>(random.below(5)), 1 + random.below(40));
      const std::uint64_t what = random.below(10);
      if (machine.applications.empty() || (what < 3 && machine.applications.size() < 5)) {
        Application& joined = machine.subscribe(formatted("member-{}", names++));
        joined.may_repeat = true;
      } else if (what == 3) {
        note_all();
        machine.close(*machine.applications[random.below(machine.applications.size())]);
      } else if (what == 4) {
        const auto api = static_cast<ApiKey>(8 + random.below(7));  // of groups and offsets
        machine.cluster->inject({.api = api, .kind = FaultKind::drop_after, .times = 1});
      } else if (what == 5) {
        const BrokerId broker(static_cast<std::int32_t>(1 + random.below(3)));
        ASSERT_TRUE(machine.cluster->kill(broker).has_value());
        machine.poll_all([] { return false; }, Duration(1ms) * random.below(20'000));
        ASSERT_TRUE(machine.cluster->revive(broker).has_value());
      }
      machine.poll_all([] { return false; }, Duration(1ms) * random.below(8'000));
    }
    if (machine.applications.empty()) machine.subscribe("last").may_repeat = true;
    machine.cluster->clear_faults();
    machine.poll_all(
        [&] {
          note_all();
          return seen.size() == machine.appended && machine.holders.of.size() == 5;
        },
        10min);
    EXPECT_EQ(seen.size(), machine.appended);
    EXPECT_EQ(machine.holders.of.size(), 5u);
    EXPECT_EQ(machine.holders.conflicts, 0u);
  }
}

}  // namespace
}  // namespace millrace::client
