// When a log begins a new segment by its age.
#include <set>

#include "test_batches.hpp"

namespace millrace::storage {
namespace {

constexpr std::int64_t hour = 60ll * 60 * 1'000;
constexpr std::int64_t step = 100;

void set_wall(LogMachine& machine, std::int64_t ms) {
  machine.executor.manual_clock().set_wall(Timestamp(ms));
}

// How old the first record is when a batch goes to a new segment. Times are in the records.
std::int64_t age_at_roll(LogMachine& machine, std::int64_t restart_at = -1) {
  EXPECT_TRUE(machine.open());
  const std::int64_t begin = 1'000'000;
  EXPECT_TRUE(machine.append({{"v"}, Timestamp(begin)}));
  for (std::int64_t age = 0; age <= 2 * hour; age += step) {
    if (age == restart_at) machine.reopen();
    EXPECT_TRUE(machine.append({{"v"}, Timestamp(begin + age)}));
    if (machine.log->segments().size() == 1) continue;
    EXPECT_TRUE(machine.close());
    return age;
  }
  ADD_FAILURE() << "it never rolled";
  return 0;
}

void configure(LogMachine& machine, std::int64_t age_max, std::int64_t jitter_max) {
  machine.config.segment_age_max = Milliseconds(age_max);
  machine.config.segment_jitter_max = Milliseconds(jitter_max);
}

TEST(Roll, without_jitter_comes_at_the_age_that_was_asked_for) {
  for (std::int32_t partition = 0; partition < 5; ++partition) {
    LogMachine machine(1);
    machine.partition.partition = PartitionIndex(partition);
    configure(machine, 20'000, 0);
    EXPECT_EQ(age_at_roll(machine), 20'000 + step);
  }
}

TEST(Roll, jitter_spreads_the_partitions_and_stays_within_its_limit) {
  std::set<std::int64_t> ages;
  for (std::int32_t partition = 0; partition < 40; ++partition) {
    LogMachine machine(1);
    machine.partition.partition = PartitionIndex(partition);
    configure(machine, 20'000, 8'000);
    const std::int64_t age = age_at_roll(machine);
    EXPECT_GT(age, 12'000);
    EXPECT_LE(age, 20'000 + step);
    ages.insert(age);
  }
  // Of 80 steps.
  EXPECT_GT(ages.size(), 20u);
  EXPECT_LT(*ages.begin(), 14'000);
  EXPECT_GT(*ages.rbegin(), 18'000);
}

TEST(Roll, jitter_differs_by_topic_and_from_segment_to_segment) {
  std::set<std::int64_t> ages;
  for (const std::string topic : {"orders", "payments", "shipments", "returns"}) {
    LogMachine machine(1);
    machine.partition.topic = topic;
    configure(machine, 20'000, 8'000);
    ages.insert(age_at_roll(machine));
  }
  EXPECT_GT(ages.size(), 1u);
  LogMachine machine(1);
  configure(machine, 20'000, 8'000);
  ASSERT_TRUE(machine.open());
  std::set<std::int64_t> between;
  std::int64_t last = 0;
  std::size_t segments = 1;
  for (std::int64_t age = 0; between.size() < 3 && age < hour; age += step) {
    ASSERT_TRUE(machine.append({{"v"}, Timestamp(age)}));
    if (machine.log->segments().size() == segments) continue;
    segments = machine.log->segments().size();
    between.insert(age - std::exchange(last, age));
  }
  EXPECT_EQ(between.size(), 3u);
  ASSERT_TRUE(machine.close());
}

TEST(Roll, jitter_of_a_segment_is_the_same_after_a_restart) {
  for (std::int32_t partition = 0; partition < 5; ++partition) {
    std::set<std::int64_t> ages;
    for (const std::int64_t restart_at : {std::int64_t{-1}, 2 * step, 100 * step}) {
      LogMachine machine(1);
      machine.partition.partition = PartitionIndex(partition);
      configure(machine, 20'000, 8'000);
      ages.insert(age_at_roll(machine, restart_at));
    }
    EXPECT_EQ(ages.size(), 1u);
  }
}

// As in Kafka: a jitter that is longer than the age itself is cut to it.
TEST(Roll, jitter_that_is_longer_than_the_age_makes_no_segment_for_each_batch) {
  for (std::int32_t partition = 0; partition < 20; ++partition) {
    LogMachine machine(1);
    machine.partition.partition = PartitionIndex(partition);
    configure(machine, 20'000, 100 * hour);
    const std::int64_t age = age_at_roll(machine);
    EXPECT_GT(age, 0);
    EXPECT_LE(age, 20'000 + step);
  }
}

TEST(Roll, goes_by_the_timestamps_of_the_records_and_not_by_the_clock) {
  LogMachine machine(1);
  configure(machine, hour, 0);
  set_wall(machine, 100 * hour);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(hour)}));
  set_wall(machine, 200 * hour);
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(2 * hour)}));
  EXPECT_EQ(machine.log->segments().size(), 1u);
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(2 * hour + 1)}));
  EXPECT_EQ(machine.log->segments().size(), 2u);
  // It counts from the first record of the new one; older records do not roll.
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(0)}));
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(3 * hour + 1)}));
  EXPECT_EQ(machine.log->segments().size(), 2u);
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(3 * hour + 2)}));
  EXPECT_EQ(machine.log->segments().size(), 3u);
  // After a restart, too.
  machine.reopen();
  set_wall(machine, 300 * hour);
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(4 * hour + 2)}));
  EXPECT_EQ(machine.log->segments().size(), 3u);
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(4 * hour + 3)}));
  EXPECT_EQ(machine.log->segments().size(), 4u);
  ASSERT_TRUE(machine.close());
}

TEST(Roll, goes_by_the_clock_where_records_have_no_timestamps) {
  LogMachine machine(2);
  configure(machine, hour, 0);
  set_wall(machine, 100 * hour);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"v"}, no_timestamp}));
  set_wall(machine, 101 * hour);
  ASSERT_TRUE(machine.append({{"v"}, no_timestamp}));
  EXPECT_EQ(machine.log->segments().size(), 1u);
  set_wall(machine, 101 * hour + 1);
  ASSERT_TRUE(machine.append({{"v"}, no_timestamp}));
  EXPECT_EQ(machine.log->segments().size(), 2u);
  // Where one of the two has none.
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(900 * hour)}));
  EXPECT_EQ(machine.log->segments().size(), 2u);
  set_wall(machine, 103 * hour);
  ASSERT_TRUE(machine.append({{"v"}, Timestamp(0)}));
  EXPECT_EQ(machine.log->segments().size(), 3u);
  ASSERT_TRUE(machine.append({{"v"}, no_timestamp}));
  EXPECT_EQ(machine.log->segments().size(), 3u);
  ASSERT_TRUE(machine.close());
}

// Of each that waits it is kept in memory what was known of the producers.
TEST(Roll, waits_for_the_disk_when_too_many_segments_are_not_durable) {
  constexpr std::size_t waiting_max = 64;
  LogMachine machine(5, {.completion = SimulatedCompletion::mixed, .slow = 1});
  machine.config.segment_bytes = 100;
  ASSERT_TRUE(machine.open());
  std::vector<Appending> appends;
  for (int i = 0; i < 300; ++i) {
    appends.push_back(machine.start(machine.append_task({{std::string(30, 'v')}})));
  }
  std::size_t most = 0;
  while (!*appends.back()) {
    machine.executor.run_until_idle();
    const auto segments = machine.log->segments();
    const auto durable =
        std::lower_bound(segments.begin(), segments.end(), machine.log->recovery_point(),
                         [](const auto& segment, Offset point) { return segment->base() < point; });
    // The one that is written to does not wait.
    most = std::max(most, static_cast<std::size_t>(segments.end() - durable) - 1);
    if (!*appends.back()) ASSERT_TRUE(machine.executor.advance_to_next_timer());
  }
  machine.finish_started();
  for (const Appending& each : appends) EXPECT_TRUE(each->value());
  EXPECT_EQ(machine.log->segments().size(), 300u);
  EXPECT_LE(most, waiting_max + 2);
  EXPECT_GE(most, waiting_max);
  ASSERT_TRUE(machine.close());
}

// Many records of one time fill the offset index, and leave the other one nearly empty.
TEST(Roll, comes_when_the_offset_index_alone_is_full) {
  LogMachine machine(4);
  machine.config.index_interval_bytes = 1;
  machine.config.segment_index_bytes = 10 * offset_index_entry_bytes;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(machine.append({{"v"}, Timestamp(1'000)}));
  // The first batch of a segment has no entry.
  const auto segments = machine.log->segments();
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[1]->base(), Offset(11));
  EXPECT_EQ(segments[2]->base(), Offset(22));
  EXPECT_EQ(segments[0]->offset_index().entries(), 10u);
  EXPECT_EQ(segments[0]->time_index().entries(), 1u);
  EXPECT_EQ(machine.records().size(), 30u);
  ASSERT_TRUE(machine.close());
}

// A batch from so far away that the empty segment cannot hold it, which is in its way.
TEST(Roll, for_a_batch_far_behind_that_is_refused_leaves_one_segment_of_each_base) {
  for (const IoKind refused : {IoKind::rename, IoKind::sync_directory}) {
    for (std::uint64_t after = 0; after < 4; ++after) {
      for (const bool more : {false, true}) {
        SCOPED_TRACE(std::string(name_of(refused)) + " after " + std::to_string(after));
        LogMachine machine(3);
        ASSERT_TRUE(machine.open());
        ASSERT_TRUE(machine.replicate(replicated(0, {"first"}, 1)));
        ASSERT_TRUE(machine.wait(machine.log->roll()));
        ASSERT_TRUE(machine.wait(machine.log->flush()));
        machine.finish_started();
        const std::int64_t far = 5'000'000'000;
        machine.disk.faults().plan(
            {.kind = refused, .fault = IoFault::too_many_open, .after = after});
        const auto there = machine.replicate(replicated(far, {"far"}, 1));
        machine.disk.faults().clear();
        std::size_t records = there ? 2 : 1;
        if (!there) EXPECT_EQ(there.error().storage, StorageFault::limit);
        if (!there && more) {
          ASSERT_TRUE(machine.replicate(replicated(1, {"near"}, 1)));
          ++records;
        }
        std::set<Offset> bases;
        for (const auto& segment : machine.log->segments()) {
          EXPECT_TRUE(bases.empty() || segment->base() > *bases.rbegin());
          EXPECT_TRUE(bases.insert(segment->base()).second) << segment->base().value();
        }
        EXPECT_EQ(machine.records().size(), records);
        if (!there) {
          ASSERT_TRUE(machine.replicate(replicated(far, {"far"}, 1)));
          ++records;
        }
        machine.reopen();
        EXPECT_EQ(machine.records().size(), records);
        machine.kill(1);
        ASSERT_TRUE(machine.open());
        EXPECT_EQ(machine.records().size(), records);
        ASSERT_TRUE(machine.close());
      }
    }
  }
}

// Else a start would go on at its offset, and what is appended meanwhile would be forgotten.
TEST(Roll, for_a_batch_far_behind_that_is_refused_leaves_nothing_to_a_power_cut) {
  std::size_t refusals = 0;
  for (const IoKind refused : {IoKind::rename, IoKind::sync_directory}) {
    for (std::uint64_t after = 0; after < 4; ++after) {
      for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        LogMachine machine(seed);
        ASSERT_TRUE(machine.open());
        ASSERT_TRUE(machine.replicate(replicated(0, {"first"}, 1)));
        ASSERT_TRUE(machine.wait(machine.log->roll()));
        ASSERT_TRUE(machine.wait(machine.log->flush()));
        machine.finish_started();
        machine.disk.faults().plan(
            {.kind = refused, .fault = IoFault::too_many_open, .after = after});
        const auto there = machine.replicate(replicated(5'000'000'000, {"far"}, 1));
        machine.disk.faults().clear();
        if (there) continue;
        ++refusals;
        ASSERT_TRUE(machine.replicate(replicated(1, {"near"}, 1)));
        machine.power_cut(seed);
        ASSERT_TRUE(machine.open());
        EXPECT_LE(machine.log->end(), Offset(2))
            << name_of(refused) << " after " << after << ", seed " << seed;
        ASSERT_TRUE(machine.close());
      }
    }
  }
  EXPECT_GE(refusals, 20u);
}

}  // namespace
}  // namespace millrace::storage
