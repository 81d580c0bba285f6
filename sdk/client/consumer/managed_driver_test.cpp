// Consumers of groups whose broker assigns.
#include "consumer_machine.hpp"

namespace millrace::client {
namespace {

using mock::ApiKey;
using mock::ErrorCode;
using mock::FaultKind;

class ManagedGroups : public testing::Test {
 protected:
  void SetUp() override {
    machine.create("orders", 6);
    for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 10);
    machine.settings.group_protocol = GroupProtocol::consumer;
  }
  // All partitions are held, by members that have as many each.
  void expect_even(std::size_t members) {
    const auto is_even = [&] {
      std::map<std::string, std::size_t> counts;
      for (const auto& [partition, holder] : machine.holders.of) ++counts[holder];
      return machine.holders.of.size() == 6 && counts.size() == members &&
             std::ranges::all_of(counts,
                                 [&](const auto& count) { return count.second == 6 / members; });
    };
    machine.poll_all(is_even);
    EXPECT_TRUE(is_even()) << machine.holders.of.size() << " partitions are held";
    EXPECT_EQ(machine.holders.conflicts, 0u);
  }
  void vanish(Application& application) {
    // As one that was killed: its connections end, and nobody says goodbye.
    machine.cluster->inject(
        {.api = ApiKey::consumer_group_heartbeat, .kind = FaultKind::drop_before, .times = 1});
    machine.close(application);
  }

  ConsumerMachine machine{{.brokers = 3}};
};

TEST_F(ManagedGroups, share_partitions_as_members_come_and_go) {
  Application& one = machine.subscribe("one");
  expect_even(1);
  Application& two = machine.subscribe("two");
  expect_even(2);
  EXPECT_EQ(one.listener.times_revoked, 3u) << "it keeps the rest";
  Application& three = machine.subscribe("three");
  expect_even(3);
  EXPECT_EQ(one.listener.times_revoked, 4u);
  machine.close(one);
  expect_even(2);
  machine.close(three);
  expect_even(1);
  EXPECT_EQ(two.client.assignment().size(), 6u);
  machine.close(two);
  EXPECT_TRUE(machine.holders.of.empty()) << "what is held is revoked at the end";
}

TEST_F(ManagedGroups, read_each_record_once_when_members_change_in_order) {
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
  for (const auto& request : machine.cluster->requests()) {
    EXPECT_NE(request.api, ApiKey::join_group);
    if (request.api == ApiKey::offset_commit) EXPECT_GE(request.version, 9);
  }
}

TEST_F(ManagedGroups, take_over_what_a_dead_member_had) {
  machine.subscribe("one");
  Application& two = machine.subscribe("two");
  expect_even(2);
  vanish(two);
  machine.holders.of.clear();
  Application& three = machine.subscribe("three");
  machine.poll_all([&] { return three.client.assignment().size() == 3; });
  EXPECT_EQ(three.client.assignment().size(), 3u);
}

TEST_F(ManagedGroups, commit_and_go_on_from_there) {
  Application& one = machine.subscribe("one");
  machine.poll(one, 60);
  const auto committed = machine.await(one.client.commit(machine.now() + 10s));
  EXPECT_TRUE(committed.has_value()) << committed.error().message;
  vanish(one);
  for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 1);
  Application& two = machine.subscribe("two");
  machine.poll(two, 6);
  EXPECT_EQ(two.count, 6u);
}

TEST_F(ManagedGroups, a_commit_of_an_epoch_that_has_passed_is_made_again_in_the_new_one) {
  Application& one = machine.subscribe("one");
  machine.poll(one, 60);
  machine.cluster->fail_next(ApiKey::offset_commit, ErrorCode::stale_member_epoch, 2);
  const auto committed = machine.await(one.client.commit(machine.now() + 10s));
  EXPECT_TRUE(committed.has_value()) << committed.error().message;
  machine.cluster->fail_next(ApiKey::offset_fetch, ErrorCode::stale_member_epoch, 2);
  const auto found = machine.await(one.client.committed({place("orders", 0)}, machine.now() + 10s));
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->at(place("orders", 0)).offset, Offset(10));
}

// Whatever comes between its attempts: others may have committed what they have read since.
TEST_F(ManagedGroups, a_commit_that_is_tried_again_leaves_out_what_was_taken_away) {
  machine.settings.enable_auto_commit = false;
  for (const bool is_lost : {true, false}) {
    SCOPED_TRACE(is_lost ? "lost" : "revoked");
    Application& one = machine.subscribe("one");
    one.may_repeat = true;
    expect_even(1);
    machine.cluster->fail_next(ApiKey::offset_commit, ErrorCode::stale_member_epoch, 100'000);
    std::optional<ClientResult<void>> outcome;
    CommittedOffsets places;
    for (const TopicPartition& name : one.client.assignment())
      places[name] = {Offset(3), no_leader_epoch, ""};
    TaskGroup committing;
    committing.start([](Application& by, CommittedOffsets what, MonotonicTime until,
                        std::optional<ClientResult<void>>& told) -> Task<void> {
      told = co_await by.client.commit(std::move(what), until);
    }(one, places, machine.now() + 10min, outcome));
    machine.run(one.poll_until([] { return false; }, 1s));
    ASSERT_FALSE(outcome.has_value());
    if (is_lost) {
      machine.cluster->fail_next(ApiKey::consumer_group_heartbeat, ErrorCode::fenced_member_epoch);
      machine.poll_all([&] { return one.listener.times_revoked == 6; });
      expect_even(1);
    } else {
      machine.subscribe("two");
      expect_even(2);
    }
    machine.cluster->clear_faults();
    machine.run([](TaskGroup& all) -> Task<void> { co_await all.wait(); }(committing));
    ASSERT_TRUE(outcome.has_value());
    EXPECT_FALSE(outcome->has_value());
    const Partitions kept = is_lost ? Partitions() : one.client.assignment();
    std::vector<TopicPartition> all;
    for (const auto& [name, offset] : places) all.push_back(name);
    const auto found = machine.await(one.client.committed(all, machine.now() + 10s));
    ASSERT_TRUE(found.has_value()) << to_string(found.error());
    for (const TopicPartition& name : all) {
      EXPECT_EQ(found->contains(name), std::ranges::find(kept, name) != kept.end())
          << to_string(name);
    }
    while (!machine.applications.empty()) machine.close(*machine.applications.back());
  }
}

// For many times its session.
TEST_F(ManagedGroups, heartbeats_go_on_while_the_application_works) {
  Application& one = machine.subscribe("one");
  Application& two = machine.subscribe("two");
  machine.poll_all([&] { return one.count + two.count == 60; });
  expect_even(2);
  const Partitions held = two.client.assignment();
  const auto events = two.listener.events.size();
  machine.cluster->clear_requests();
  machine.run(one.poll_until([] { return false; }, machine.settings.max_poll_interval - 30s));
  EXPECT_EQ(one.client.assignment().size(), 3u) << "the other one is still a member";
  EXPECT_GT(machine.cluster->request_count(ApiKey::consumer_group_heartbeat), 2 * 240u)
      << "not one of each member each second";
  for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 10);
  machine.poll_all([&] { return one.count + two.count == 120; });
  EXPECT_EQ(one.count + two.count, 120u) << "each record comes once";
  EXPECT_EQ(two.client.assignment(), held);
  EXPECT_EQ(two.listener.events.size(), events) << "it is still the same member";
  EXPECT_TRUE(two.errors.empty());
  const auto committed = machine.await(two.client.commit(machine.now() + 10s));
  EXPECT_TRUE(committed.has_value()) << committed.error().message;
}

// Others have read on and committed meanwhile: their place in the partitions stays.
TEST_F(ManagedGroups, who_worked_for_too_long_commits_nothing) {
  machine.settings.enable_auto_commit = false;
  Application& one = machine.subscribe("one");
  Application& two = machine.subscribe("two");
  one.may_repeat = true;
  expect_even(2);
  CommittedOffsets places;
  for (const TopicPartition& name : two.client.assignment())
    places[name] = {Offset(3), no_leader_epoch, ""};
  ASSERT_EQ(places.size(), 3u);
  const auto has_all = [&] { return one.client.assignment().size() == 6; };
  machine.run(one.poll_until(has_all, machine.settings.max_poll_interval + 1min));
  ASSERT_TRUE(has_all());
  machine.run(one.poll_until([] { return false; }, 5s));
  const auto others = machine.await(one.client.commit(machine.now() + 10s));
  ASSERT_TRUE(others.has_value()) << others.error().message;
  const auto late = machine.await(two.client.commit(places, machine.now() + 10s));
  EXPECT_FALSE(late.has_value());
  std::vector<TopicPartition> all;
  for (const auto& [name, offset] : places) all.push_back(name);
  const auto found = machine.await(one.client.committed(all, machine.now() + 10s));
  ASSERT_TRUE(found.has_value()) << found.error().message;
  for (const TopicPartition& name : all) EXPECT_EQ(found->at(name).offset, Offset(10));
  machine.run(two.poll_until([] { return false; }, 100ms));
  ASSERT_FALSE(two.errors.empty());
  EXPECT_NE(two.errors[0].message.find("max.poll.interval.ms"), std::string::npos);
}

TEST_F(ManagedGroups, a_member_that_does_not_poll_leaves_says_so_and_comes_back) {
  Application& one = machine.subscribe("one");
  Application& two = machine.subscribe("two");
  expect_even(2);
  machine.run(one.poll_until([&] { return one.client.assignment().size() == 6; }, 10min));
  EXPECT_EQ(one.client.assignment().size(), 6u) << "the other did not poll for too long";
  machine.run(two.poll_until([] { return false; }, 100ms));
  ASSERT_FALSE(two.errors.empty());
  EXPECT_NE(two.errors[0].message.find("max.poll.interval.ms"), std::string::npos);
  EXPECT_EQ(two.errors[0].failure, Failure::not_in_group);
  EXPECT_EQ(two.listener.events.back().substr(0, 4), "lost");
  // It could not be told before the other got them.
  machine.holders.conflicts = 0;
  expect_even(2);
}

TEST_F(ManagedGroups, a_coordinator_that_fails_in_many_ways_is_found_again) {
  Application& one = machine.subscribe("one");
  Application& two = machine.subscribe("two");
  one.may_repeat = two.may_repeat = true;
  // Who is silent for too long learns late that others have what it had.
  const auto settle = [&](Duration faulty) {
    machine.poll_all([] { return false; }, faulty);
    const auto is_even = [&] {
      std::set<TopicPartition> held;
      for (const Application* member : {&one, &two}) {
        const Partitions mine = member->client.assignment();
        if (mine.size() != 3) return false;
        held.insert(mine.begin(), mine.end());
      }
      return held.size() == 6;
    };
    machine.poll_all(is_even);
    EXPECT_TRUE(is_even());
  };
  for (const ErrorCode error : {ErrorCode::not_coordinator, ErrorCode::coordinator_not_available,
                                ErrorCode::coordinator_load_in_progress,
                                ErrorCode::unknown_member_id, ErrorCode::fenced_member_epoch}) {
    for (const ApiKey api :
         {ApiKey::consumer_group_heartbeat, ApiKey::offset_commit, ApiKey::offset_fetch}) {
      SCOPED_TRACE(formatted("{} to {}", protocol::name_of(error), protocol::name_of(api)));
      machine.cluster->fail_next(api, error, 1);
      settle(12s);
    }
  }
  for (const FaultKind kind : {FaultKind::drop_before, FaultKind::drop_after, FaultKind::garbage,
                               FaultKind::cut_short, FaultKind::silence}) {
    for (const ApiKey api : {ApiKey::find_coordinator, ApiKey::consumer_group_heartbeat,
                             ApiKey::offset_commit, ApiKey::offset_fetch}) {
      SCOPED_TRACE(formatted("{} of {}", static_cast<int>(kind), protocol::name_of(api)));
      machine.cluster->inject({.api = api, .kind = kind, .times = 2});
      settle(45s);
    }
  }
  for (std::int32_t i = 0; i < 6; ++i) machine.append("orders", i, 10);
  const std::size_t before = one.count + two.count;
  machine.poll_all([&] { return one.count + two.count >= before + 60; });
}

TEST_F(ManagedGroups, static_members_come_back_to_what_they_had) {
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
  machine.poll_all([&] { return again.client.assignment() == held; }, 8s);
  EXPECT_EQ(again.client.assignment(), held);
  EXPECT_EQ(two.listener.events.size(), events) << "others notice nothing";
}

TEST_F(ManagedGroups, a_static_member_whose_place_is_held_is_told_so_for_good) {
  machine.settings.group_instance_id = "instance-1";
  Application& one = machine.subscribe("one");
  expect_even(1);
  Application& two = machine.subscribe("two");
  machine.poll_all([&] { return !two.errors.empty(); });
  ASSERT_FALSE(two.errors.empty());
  EXPECT_TRUE(two.errors.back().fatal);
  EXPECT_EQ(two.errors.back().code, ErrorCode::unreleased_instance_id);
  EXPECT_NE(two.errors.back().message.find("instance-1"), std::string::npos);
  EXPECT_EQ(one.client.assignment().size(), 6u);
}

TEST_F(ManagedGroups, an_assignor_that_the_broker_lacks_is_named) {
  machine.settings.group_remote_assignor = "sticky";
  Application& one = machine.subscribe("one");
  machine.run(one.poll_until([&] { return !one.errors.empty(); }, 10s));
  ASSERT_FALSE(one.errors.empty());
  EXPECT_EQ(one.errors[0].code, ErrorCode::unsupported_assignor);
  EXPECT_NE(one.errors[0].message.find("sticky"), std::string::npos);
}

TEST_F(ManagedGroups, brokers_without_the_protocol_are_named) {
  machine.cluster->withdraw(ApiKey::consumer_group_heartbeat);
  Application& one = machine.subscribe("one");
  machine.run(one.poll_until([&] { return !one.errors.empty(); }, 10s));
  ASSERT_FALSE(one.errors.empty());
  EXPECT_TRUE(one.errors[0].fatal);
  EXPECT_EQ(one.errors[0].failure, Failure::unsupported_version);
  EXPECT_NE(one.errors[0].message.find("the broker does not offer group.protocol=consumer"),
            std::string::npos);
}

TEST_F(ManagedGroups, change_when_their_topics_do) {
  machine.settings.common.metadata_max_age = 5s;
  Application& one = machine.subscribe("one", {"orders", "payments"});
  expect_even(1);
  machine.create("payments", 2);
  machine.poll_all([&] { return one.client.assignment().size() == 8; });
  EXPECT_EQ(one.client.assignment().size(), 8u);
  ASSERT_TRUE(one.client.subscribe({"payments"}, &one.listener).has_value());
  machine.poll_all([&] { return one.client.assignment().size() == 2; });
  EXPECT_EQ(one.client.assignment(), (Partitions{place("payments", 0), place("payments", 1)}));
}

TEST_F(ManagedGroups, patterns_are_matched_here_or_by_the_broker) {
  machine.create("other", 1);
  Application& one = machine.start("one");
  ASSERT_TRUE(one.client.subscribe_broker_pattern("ord.*", &one.listener).has_value());
  EXPECT_FALSE(one.client.subscribe_pattern("ord.*").has_value()) << "unsubscribe first";
  machine.poll_all([&] { return one.client.assignment().size() == 6; });
  EXPECT_EQ(one.client.assignment().size(), 6u);
  machine.create("ordinals", 2);
  machine.poll_all([&] { return one.client.assignment().size() == 8; });
  EXPECT_EQ(one.client.assignment().size(), 8u);
  machine.close(one);
  Application& two = machine.start("two");
  ASSERT_TRUE(two.client.subscribe_pattern("ord.*", &two.listener).has_value());
  machine.poll_all([&] { return two.client.assignment().size() == 8; });
  EXPECT_EQ(two.client.assignment().size(), 8u);
  machine.close(two);
  Application& three = machine.start("three");
  ASSERT_TRUE(three.client.subscribe_broker_pattern("(", &three.listener).has_value());
  machine.run(three.poll_until([&] { return !three.errors.empty(); }, 10s));
  ASSERT_FALSE(three.errors.empty());
  EXPECT_EQ(three.errors[0].code, ErrorCode::invalid_regular_expression);
}

TEST_F(ManagedGroups, patterns_of_brokers_need_the_protocol) {
  machine.settings.group_protocol = GroupProtocol::classic;
  Application& one = machine.start("one");
  const auto refused = one.client.subscribe_broker_pattern("ord.*", &one.listener);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().failure, Failure::bad_argument);
}

// Whatever happens, everything is read at least once, and never do two members hold a partition.
TEST(ManagedGroupsAtRandom, lose_nothing_and_share_nothing) {
  for (std::uint64_t seed = 1; seed <= 24 / MILLRACE_SLOWNESS; ++seed) {
    SCOPED_TRACE(seed);
    ConsumerMachine machine({.brokers = 3, .seed = seed}, seed);
    machine.create("orders", 5);
    machine.settings.group_protocol = GroupProtocol::consumer;
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
        const ApiKey api = random.chance(0.5) ? ApiKey::consumer_group_heartbeat
                                              : static_cast<ApiKey>(8 + random.below(3));
        machine.cluster->inject({.api = api, .kind = FaultKind::drop_after, .times = 1});
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
