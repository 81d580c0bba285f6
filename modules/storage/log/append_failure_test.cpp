#include "test_batches.hpp"

namespace millrace::storage {
namespace {

TEST(Append, without_space_nothing_is_left_of_the_group_and_later_it_goes_on) {
  LogMachine machine(13);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"a"}}));
  const auto before = machine.contents(machine.path(0, SegmentFileKind::log));
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space, .done = 100});
  std::vector<Appending> results;
  for (int i = 0; i < 5; ++i) results.push_back(machine.start(machine.append_task({{"b"}})));
  machine.finish_started();
  for (const auto& result : results) {
    EXPECT_EQ(fault_of(result->value()), AppendFault::storage);
    EXPECT_EQ(result->value().error().storage, StorageFault::no_space);
  }
  EXPECT_EQ(machine.contents(machine.path(0, SegmentFileKind::log)), before);
  ASSERT_TRUE(machine.append({{"c"}}));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "c"}));
  EXPECT_TRUE(machine.process->keeper.offline.empty());
  ASSERT_TRUE(machine.close());
}

TEST(Append, a_device_that_fails_takes_the_log_offline_and_nothing_is_tried_again) {
  LogMachine machine(14);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"a"}}));
  machine.disk.faults().plan({.kind = IoKind::write});
  std::vector<Appending> results;
  for (int i = 0; i < 5; ++i) results.push_back(machine.start(machine.append_task({{"b"}})));
  machine.finish_started();
  for (const auto& result : results) {
    EXPECT_EQ(result->value().error().storage, StorageFault::offline);
  }
  EXPECT_TRUE(machine.log->offline());
  EXPECT_EQ(machine.process->keeper.offline.size(), 1u);
  const std::uint64_t steps = machine.disk.steps();
  EXPECT_EQ(machine.append({{"c"}}).error().storage, StorageFault::offline);
  EXPECT_FALSE(machine.wait(machine.log->flush()));
  EXPECT_FALSE(machine.wait(machine.log->roll()));
  EXPECT_FALSE(machine.wait(machine.log->truncate(Offset(0))));
  EXPECT_EQ(machine.disk.steps(), steps);
  EXPECT_EQ(machine.process->keeper.offline.size(), 1u);
  machine.disk.faults().clear();
  machine.end_of_process();
}

// A rolled segment is made durable in the background, and fails at that.
TEST(Append, closing_does_not_try_again_what_failed_in_the_background) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    LogMachine machine(seed, slowly);
    ASSERT_TRUE(machine.open());
    ASSERT_TRUE(machine.append({{"a"}}));
    ASSERT_TRUE(machine.wait(machine.log->roll()));
    machine.disk.faults().plan({.kind = IoKind::write, .path_part = ".timeindex"});
    const auto closed = machine.close();
    ASSERT_FALSE(closed) << seed;
    EXPECT_EQ(closed.error().fault, StorageFault::offline);
    EXPECT_EQ(machine.process->keeper.offline.size(), 1u);
  }
}

TEST(Append, a_sync_that_fails_is_told_to_whoever_appended) {
  LogMachine machine(15);
  machine.config.flush_records = 1;
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"a"}}));
  machine.disk.faults().plan({.kind = IoKind::sync_data, .path_part = ".log"});
  EXPECT_EQ(machine.append({{"b"}}).error().storage, StorageFault::offline);
  EXPECT_TRUE(machine.log->offline());
  machine.disk.faults().clear();
  machine.end_of_process();
}

// The second one is refused because of the first one, which then is not there.
TEST(Append, a_refusal_does_not_stand_where_what_it_was_held_against_is_not_written) {
  LogMachine machine(18);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(from_producer(0, {"a"})));
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  const auto bumped = machine.start(machine.append_task(from_producer(0, {"b"}, 1)));
  const auto older = machine.start(machine.append_task(from_producer(1, {"c"})));
  machine.finish_started();
  EXPECT_EQ(fault_of(bumped->value()), AppendFault::storage);
  EXPECT_EQ(fault_of(older->value()), AppendFault::storage);
  ASSERT_TRUE(machine.append(from_producer(1, {"c"})));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "c"}));
  ASSERT_TRUE(machine.close());
}

// The file of the epochs is written before the batch.
TEST(Append, an_epoch_whose_first_batch_found_no_space_is_not_remembered) {
  LogMachine machine(16);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"a"}}, LeaderEpoch(1)));
  machine.disk.faults().plan(
      {.kind = IoKind::write, .fault = IoFault::no_space, .path_part = ".log"});
  EXPECT_EQ(fault_of(machine.append({{"b"}}, LeaderEpoch(2))), AppendFault::storage);
  for (int i = 1; i < 4; ++i) ASSERT_TRUE(machine.replicate(replicated(i, {"b"}, 1)));
  ASSERT_TRUE(machine.wait(machine.log->flush()));
  machine.reopen();
  EXPECT_EQ(machine.log->epochs().latest()->epoch, LeaderEpoch(1));
  ASSERT_TRUE(machine.replicate(replicated(4, {"c"}, 1)));
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.records().size(), 5u);
  EXPECT_EQ(machine.log->epochs().entries().size(), 1u);
  ASSERT_TRUE(machine.close());
}

TEST(Append, closing_writes_what_was_asked_for_before) {
  for (const SimulatedFileOptions& options : {at_once, slowly}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      LogMachine machine(seed, options);
      ASSERT_TRUE(machine.open());
      std::vector<Appending> before;
      std::vector<Appending> after;
      for (int i = 0; i < 3; ++i) before.push_back(machine.start(machine.append_task({{"a"}})));
      if (seed % 2 == 0) machine.executor.advance(std::chrono::milliseconds(seed));
      const auto closed = machine.start(machine.log->close());
      while (!*closed) {
        after.push_back(machine.start(machine.append_task({{"b"}})));
        machine.executor.run_until_idle();
        if (!*closed) machine.executor.advance_to_next_timer();
      }
      machine.finish_started();
      ASSERT_TRUE(**closed);
      for (const auto& result : before) EXPECT_TRUE(result->value());
      // Those that came while it was written may still get in.
      std::size_t written = before.size();
      for (const auto& result : after) {
        if (result->value()) {
          ++written;
        } else {
          EXPECT_EQ(fault_of(result->value()), AppendFault::closed);
        }
      }
      machine.log.reset();
      machine.executor.run_until_idle();
      machine.restart();
      ASSERT_TRUE(machine.open());
      EXPECT_EQ(machine.records().size(), written);
      ASSERT_TRUE(machine.close());
    }
  }
}

// The writer was asked to come in the next turn, and finds nothing any more.
TEST(Append, a_log_that_is_closed_in_the_turn_of_an_append_may_go_at_once) {
  for (const bool saves : {true, false}) {
    LogMachine machine(17, at_once);
    ASSERT_TRUE(machine.open());
    const auto appended = machine.start(machine.append_task({{"a"}}));
    if (saves) {
      ASSERT_TRUE(machine.wait(machine.log->close()));
    } else {
      const auto ended = machine.executor.run(machine.log->abandon());
      ASSERT_TRUE(ended);
    }
    machine.log.reset();
    machine.finish_started();
    EXPECT_EQ(appended->value().has_value(), saves);
  }
}

// Two flushes run side by side: neither answers before the names of the files are durable.
TEST(Append, what_is_answered_as_flushed_is_there_after_a_power_cut) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    LogMachine machine(seed, slowly);
    machine.config.segment_bytes = 200;
    machine.config.flush_records = 1;
    ASSERT_TRUE(machine.open());
    std::vector<Appending> results;
    Random random(seed);
    for (int i = 0; i < 12; ++i) {
      results.push_back(machine.start(machine.append_task({{std::to_string(i)}})));
      static_cast<void>(machine.start(machine.log->flush()));
      machine.executor.advance(std::chrono::milliseconds(random.below(60)));
    }
    std::size_t answered = 0;
    for (const auto& result : results) answered += *result && **result ? 1 : 0;
    machine.disk.power_cut(seed);
    machine.finish_started();
    machine.end_of_process();
    ASSERT_TRUE(machine.open());
    ASSERT_GE(machine.records().size(), answered) << seed;
    ASSERT_TRUE(machine.close());
  }
}

// A flush that was asked for beside it counts what it made durable, and nothing else: while the
// indexes are saved, which takes many entries, another flush may end.
TEST(Append, what_is_answered_as_flushed_is_so_while_indexes_are_saved) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LogMachine machine(seed, slowly);
    machine.config.flush_records = 1;
    machine.config.index_interval_bytes = 1;
    ASSERT_TRUE(machine.open());
    Random random(seed);
    const auto append = [&](int number) -> Task<bool> {
      const auto appended = co_await machine.append_task({{std::to_string(number)}});
      EXPECT_TRUE(appended);
      co_return appended && appended->last_offset < machine.log->flushed_end();
    };
    std::vector<std::shared_ptr<const std::optional<bool>>> durable;
    for (int i = 0; i < 1'100; ++i) {
      durable.push_back(machine.start(append(i)));
      if (random.below(4) == 0) static_cast<void>(machine.start(machine.log->flush()));
      if (random.below(4) == 0) {
        machine.executor.advance(std::chrono::milliseconds(random.below(30)));
      }
    }
    machine.finish_started();
    for (const auto& each : durable) ASSERT_TRUE(each->value()) << seed;
    ASSERT_TRUE(machine.close());
  }
}

// The first time it was written, and the process ended before it was synced and answered.
TEST(Append, a_duplicate_is_durable_when_it_is_answered) {
  LogMachine machine(22);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(from_producer(0, {"a"})));
  machine.kill(1);
  machine.config.flush_records = 1;
  ASSERT_TRUE(machine.open());
  EXPECT_LT(machine.log->flushed_end(), Offset(1));
  const auto again = machine.append(from_producer(0, {"a"}));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(machine.log->flushed_end(), Offset(1));
  machine.power_cut(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.records().size(), 1u);
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
