// Also proves quorum_files.cpp, wakeup.cppm.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "controller_machine.hpp"

namespace millrace::controller {
namespace {

TEST(Quorum, a_new_controller_makes_a_cluster_and_keeps_it_over_restarts) {
  ControllerMachine machine(1);
  machine.start();
  const Uuid cluster = machine.quorum->image()->cluster_id();
  EXPECT_FALSE(cluster.is_zero());
  machine.start_broker(1);
  EXPECT_TRUE(machine.create("orders", 3).ok());
  const Uuid topic = machine.quorum->image()->topic("orders")->id;
  for (int restart = 0; restart < 3; ++restart) {
    machine.stop();
    machine.boot();
    machine.start();
    EXPECT_EQ(machine.quorum->image()->cluster_id(), cluster);
    EXPECT_EQ(machine.quorum->image()->topic("orders")->id, topic);
    EXPECT_EQ(machine.quorum->image()->topic("orders")->partitions.size(), 3u);
  }
}

TEST(Quorum, says_in_the_log_when_a_broker_is_fenced_or_serves_again) {
  ControllerMachine machine(8);
  machine.start();
  machine.start_broker(1);
  EXPECT_EQ(machine.count_logged("broker 1 is unfenced"), 1u);
  EXPECT_EQ(machine.count_logged("broker 1 is fenced"), 0u);
  machine.executor.advance(std::chrono::minutes{1});
  EXPECT_EQ(machine.count_logged("broker 1 is fenced"), 1u) << "it was silent";
  machine.start_broker(1);
  EXPECT_EQ(machine.count_logged("broker 1 is unfenced"), 2u);
  machine.stop();
  machine.boot();
  machine.start();
  EXPECT_EQ(machine.count_logged("broker 1 is unfenced"), 2u) << "it is as it was";
}

TEST(Quorum, what_was_answered_is_there_after_the_power_was_lost) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ControllerMachine machine(seed);
    machine.start();
    machine.start_broker(1);
    std::vector<std::string> answered;
    for (std::uint64_t life = 0; life < 4; ++life) {
      for (int i = 0; i < 5; ++i) {
        const std::string name = formatted("t-{}-{}", life, i);
        if (machine.create(name).ok()) answered.push_back(name);
      }
      machine.power_cut(seed * 100 + life);
      machine.start();
      for (const std::string& name : answered) {
        EXPECT_TRUE(machine.quorum->image()->topic(name)) << "seed " << seed << " " << name;
      }
    }
    EXPECT_EQ(answered.size(), 20u);
  }
}

TEST(Quorum, a_change_is_in_a_snapshot_when_the_interval_has_passed) {
  using namespace std::chrono_literals;
  ControllerMachine machine(4);
  machine.snapshot_interval = 10min;
  machine.start();
  machine.start_broker(1);
  machine.executor.advance(5min);
  machine.start_broker(1);  // it was silent for too long
  EXPECT_TRUE(machine.create("orders").ok());
  machine.executor.advance(4min);
  EXPECT_EQ(machine.quorum->snapshot().last.index.value(), 0);
  machine.executor.advance(2min);
  const std::int64_t first = machine.quorum->snapshot().last.index.value();
  EXPECT_GT(first, 0);
  // The broker is fenced meanwhile, which is a change; then nothing changes.
  machine.executor.advance(30min);
  const std::int64_t second = machine.quorum->snapshot().last.index.value();
  machine.executor.advance(24h);
  EXPECT_EQ(machine.quorum->snapshot().last.index.value(), second);
  machine.start_broker(1);
  EXPECT_TRUE(machine.create("bills").ok());
  machine.executor.advance(11min);
  EXPECT_GT(machine.quorum->snapshot().last.index.value(), second);
}

TEST(Quorum, snapshots_shorten_the_log_and_hold_what_it_held) {
  ControllerMachine machine(3, 20'000);
  machine.start();
  machine.start_broker(1);
  // Raft keeps a number of entries below a snapshot: enough that some go.
  for (int i = 0; i < 1500; ++i) ASSERT_TRUE(machine.create(formatted("topic-{}", i)).ok());
  EXPECT_TRUE(machine.logged("wrote a snapshot"));
  EXPECT_GT(machine.quorum->snapshot().last.index.value(), 1000);
  machine.stop();
  machine.boot();
  machine.start();
  EXPECT_EQ(machine.quorum->image()->topic_count(), 1500u);
  // Who follows from the beginning needs the snapshot, and makes the same image of it.
  const Followed followed =
      machine.run(machine.quorum->follow(MetadataOffset(1), mebibyte, machine.soon()));
  ASSERT_TRUE(followed.snapshot);
  metadata::ImageBuilder builder(metadata::empty_image());
  builder.begin_snapshot();
  for (std::uint64_t at = 0; at < followed.snapshot->bytes;) {
    const auto part = machine.run(machine.quorum->read_snapshot(*followed.snapshot, at, 7000));
    ASSERT_TRUE(part);
    ASSERT_TRUE(builder.apply_snapshot(*part));
    at += part->size();
  }
  MetadataOffset next(followed.snapshot->last.index.value());
  ASSERT_TRUE(builder.end_snapshot(next));
  while (next < machine.quorum->image()->offset()) {
    const Followed more = machine.run(machine.quorum->follow(next.next(), 3000, machine.soon()));
    for (const Followed::Entry& entry : more.entries) {
      ASSERT_TRUE(builder.apply(entry.bytes.bytes(), entry.offset));
    }
    ASSERT_GT(more.through, next);
    next = more.through;
  }
  EXPECT_TRUE(builder.take().first->same_cluster(*machine.quorum->image()));
}

TEST(Quorum, who_follows_waits_for_the_next_entry_or_its_time) {
  ControllerMachine machine(4);
  machine.start();
  const MetadataOffset next = MetadataOffset(machine.quorum->node().applied().value() + 1);
  const MonotonicTime before = machine.executor.clock().now();
  const Followed nothing =
      machine.run(machine.quorum->follow(next, mebibyte, before + std::chrono::milliseconds{300}));
  EXPECT_TRUE(nothing.entries.empty());
  EXPECT_EQ(nothing.through.next(), next);
  EXPECT_GE(machine.executor.clock().now(), before + std::chrono::milliseconds{300});

  TaskGroup group;
  std::optional<Followed> found;
  const auto follow = [&]() -> Task<void> {
    found = co_await machine.quorum->follow(next, mebibyte, machine.soon());
  };
  group.start(follow());
  EXPECT_FALSE(found);
  machine.start_broker(1);
  machine.executor.run_until_idle();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->entries.at(0).offset, next);
}

TEST(Quorum, ends_long_polls_and_open_requests_when_it_stops) {
  ControllerMachine machine(5);
  machine.start();
  TaskGroup group;
  std::optional<Followed> followed;
  std::optional<metadata::Reply> reply;
  const auto follow = [&]() -> Task<void> {
    followed = co_await machine.quorum->follow(MetadataOffset(100), mebibyte, machine.soon());
  };
  const auto ask = [&]() -> Task<void> {
    reply = co_await machine.quorum->ask(machine.registration(1));
  };
  group.start(follow());
  group.start(ask());
  machine.quorum->begin_stop();
  machine.executor.run_until_idle();
  EXPECT_TRUE(followed);
  ASSERT_TRUE(reply);
  EXPECT_EQ(std::get<metadata::RegisterBrokerReply>(*reply).outcome.error,
            metadata::ErrorCode::not_controller);
}

TEST(Quorum, many_requests_at_once_share_syncs_and_are_all_answered) {
  ControllerMachine machine(6);
  machine.start();
  machine.start_broker(1);
  TaskGroup group;
  int answered = 0;
  const auto create = [&](int i) -> Task<void> {
    const metadata::Reply reply =
        co_await machine.quorum->ask(machine.creation(formatted("t{}", i), 100));
    answered += std::get<metadata::CreateTopicsReply>(reply).topics[0].outcome.ok() ? 1 : 0;
  };
  for (int i = 0; i < 200; ++i) group.start(create(i));
  EXPECT_EQ(answered, 0);
  while (group.running() > 0) {
    if (machine.executor.run_until_idle() == 0 && !machine.executor.advance_to_next_timer()) break;
  }
  EXPECT_EQ(answered, 200);
  EXPECT_EQ(machine.quorum->image()->partition_count(), 20'000u);
}

TEST(Quorum, a_log_that_cannot_be_made_durable_ends_it_and_answers_nothing) {
  ControllerMachine machine(8);
  machine.start();
  machine.disk.faults().rates.sync = 1;
  const auto reply = machine.ask<metadata::RegisterBrokerReply>(machine.registration(1));
  EXPECT_EQ(reply.outcome.error, metadata::ErrorCode::not_controller);
  ASSERT_TRUE(machine.failure);
  EXPECT_FALSE(machine.failure->message.empty());
  EXPECT_GT(machine.disk.faults().injected(), 0u);
  EXPECT_EQ(machine.ask<metadata::RegisterBrokerReply>(machine.registration(1)).outcome.error,
            metadata::ErrorCode::not_controller);
}

TEST(Quorum, the_reserve_that_a_full_disk_needed_is_made_again) {
  ControllerMachine machine(9);
  machine.reserve_bytes = 64 * kibibyte;
  machine.start();
  machine.start_broker(1);
  EXPECT_FALSE(machine.logged("reserve"));
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  EXPECT_TRUE(machine.create("orders").ok());
  EXPECT_EQ(machine.count_logged("nothing left for when the disk is full"), 1u);
  // There is no room for it at first.
  machine.disk.set_capacity(100 * kibibyte);
  machine.executor.advance(std::chrono::minutes{1});
  EXPECT_FALSE(machine.logged("has its reserve again"));
  machine.disk.set_capacity(mebibyte);
  machine.executor.advance(std::chrono::seconds{15});
  EXPECT_EQ(machine.count_logged("has its reserve again"), 1u);
  EXPECT_EQ(machine.disk.contents("/metadata/reserve")->size(), machine.reserve_bytes);
  EXPECT_EQ(machine.count_logged("nothing left for when the disk is full"), 1u);
  EXPECT_FALSE(machine.failure);
}

TEST(Quorum, while_the_disk_is_full_clients_are_told_and_what_was_asked_before_goes_on_later) {
  ControllerMachine machine(10);
  machine.start();
  machine.start_broker(1);
  EXPECT_TRUE(machine.create("before").ok());
  machine.disk.faults().rates.no_space = 1;
  TaskGroup group;
  std::optional<metadata::Reply> waiting;
  const auto ask = [&]() -> Task<void> {
    waiting = co_await machine.quorum->ask(machine.creation("waits"));
  };
  group.start(ask());
  machine.executor.advance(std::chrono::seconds{20});
  EXPECT_FALSE(waiting);
  EXPECT_EQ(machine.count_logged("waits for space"), 1u);
  machine.executor.advance(std::chrono::seconds{20});
  EXPECT_EQ(machine.count_logged("waits for space"), 2u);
  EXPECT_FALSE(waiting);
  const metadata::Outcome refused =
      machine.ask<metadata::CreateTopicsReply>(machine.creation("later")).outcome;
  EXPECT_EQ(refused.error, metadata::ErrorCode::kafka_storage_error);
  EXPECT_NE(refused.message.find("nothing was done"), std::string::npos) << refused.message;

  machine.disk.faults().rates.no_space = 0;
  machine.executor.advance(std::chrono::seconds{2});
  ASSERT_TRUE(waiting);
  EXPECT_TRUE(std::get<metadata::CreateTopicsReply>(*waiting).topics.at(0).outcome.ok());
  EXPECT_EQ(machine.count_logged("has space again"), 1u);
  machine.start_broker(1);  // it was silent
  EXPECT_TRUE(machine.create("later").ok());
  EXPECT_FALSE(machine.failure);
}

TEST(Quorum, a_power_cut_while_the_disk_is_full_takes_nothing_that_was_answered) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    ControllerMachine machine(seed);
    machine.start();
    machine.start_broker(1);
    EXPECT_TRUE(machine.create("answered").ok());
    machine.disk.faults().rates.no_space = 1;
    TaskGroup group;
    const auto ask = [&]() -> Task<void> {
      static_cast<void>(co_await machine.quorum->ask(machine.creation("waits")));
    };
    group.start(ask());
    machine.executor.advance(std::chrono::seconds{10});
    machine.power_cut(seed);
    machine.disk.faults().rates.no_space = 0;
    machine.start();
    EXPECT_TRUE(machine.quorum->image()->topic("answered")) << "seed " << seed;
    EXPECT_TRUE(machine.create("after").ok()) << "seed " << seed;
  }
}

TEST(Quorum, the_directory_of_another_controller_is_refused) {
  ControllerMachine machine(7);
  machine.start();
  machine.stop();
  QuorumOptions options = machine.options();
  options.self = raft::NodeId(2);
  const auto opened = machine.run(
      Quorum::open(machine.executor, machine.files(), options, machine.log, [](const Error&) {}));
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("node.id is 2"), std::string::npos);
}

}  // namespace
}  // namespace millrace::controller
