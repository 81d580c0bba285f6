// Also proves cleaned_segment.cpp, cleaned_segment.cppm: the segments that a pass writes are read.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "cleaner_machine.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;

std::vector<std::int64_t> offsets_of(const std::vector<Item>& items) {
  std::vector<std::int64_t> offsets;
  for (const Item& item : items) offsets.push_back(item.offset);
  return offsets;
}

// Keys k0 to k<keys - 1> again and again, one record a batch.
void fill(CleanerMachine& machine, int records, int keys, std::size_t value_bytes = 10) {
  for (int i = 0; i < records; ++i) {
    machine.append({{.timestamp = 1000 + machine.made.end,
                     .key = "k" + std::to_string(i % keys),
                     .value = std::string(value_bytes, static_cast<char>('a' + i % 26))}});
  }
}

TEST(CleaningPass, closed_segments_keep_the_last_record_of_each_key) {
  CleanerMachine machine(1);
  machine.machine.config.segment_bytes = 400;
  machine.open();
  fill(machine, 40, 3);
  machine.settle();
  fill(machine, 2, 2);
  const LastValues before = machine.last_values();
  ASSERT_GT(machine.log().segments().size(), 5u);
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(offsets_of(machine.items()), (std::vector<std::int64_t>{37, 38, 39, 40, 41}))
      << "the segment that is written to is as it was";
  EXPECT_EQ(machine.last_values(), before);
  EXPECT_EQ(machine.log().segments().size(), 2u) << "small segments are put together";
  EXPECT_EQ(machine.log().segments()[0]->base(), Offset(0));
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(40));
  EXPECT_EQ(machine.files_with(".cleaned"), 0u);
  EXPECT_EQ(machine.files_with(".swap"), 0u);
  EXPECT_FALSE(machine.clean()) << "nothing is dirty";
}

TEST(CleaningPass, cleaned_segments_are_found_by_offset_and_time_and_after_a_start) {
  CleanerMachine machine(2);
  machine.machine.config.segment_bytes = 4000;
  machine.open();
  fill(machine, 200, 90);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  const auto look = [&] {
    EXPECT_EQ(machine.items().size(), 90u);
    EXPECT_GT(machine.log().segments()[0]->offset_index().entries(), 3u);
    const auto end = machine.log().end();
    for (const Item& item : machine.items()) {
      const auto slice = machine.machine.wait(machine.log().read({Offset(item.offset), end, 1}));
      ASSERT_TRUE(slice);
      EXPECT_EQ(slice->base_offset, Offset(item.offset));
      const auto found =
          machine.machine.wait(machine.log().find_timestamp(Timestamp(item.timestamp), end));
      ASSERT_TRUE(found && *found);
      EXPECT_EQ((*found)->offset, Offset(item.offset));
    }
    // An offset that is gone gives the next one that is there.
    const auto gap = machine.machine.wait(machine.log().read({Offset(50), end, 1}));
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->base_offset, Offset(110));
  };
  look();
  machine.reopen();
  EXPECT_EQ(machine.log().recovery().scanned_bytes, 0u);
  look();
}

TEST(CleaningPass, a_pass_gives_what_the_filter_gives) {
  CleanerMachine machine(3);
  machine.machine.config.segment_bytes = 900;
  machine.open();
  Random random(3);
  for (int i = 0; i < 60; ++i) {
    std::vector<Item> items(1 + random.below(4));
    for (Item& item : items) {
      item.key = "k" + std::to_string(random.below(9));
      if (!random.chance(0.2)) item.value = "value " + std::to_string(i);
    }
    machine.append(items, {.compression = CompressionOptions(static_cast<Codec>(i % 5))});
  }
  machine.settle();
  const auto now = machine.machine.executor.clock().wall_now().value();
  const auto expected = clean(machine.made, {.to = machine.made.end, .now = now});
  ASSERT_TRUE(expected);
  EXPECT_TRUE(machine.clean());
  const std::vector<Taken> found = machine.batches();
  ASSERT_EQ(found.size(), expected->batches.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].header, taken(expected->batches[i]).header);
    EXPECT_EQ(found[i].items, taken(expected->batches[i]).items);
  }
}

TEST(CleaningPass, a_full_table_takes_several_passes) {
  CleanerMachine machine(4);
  machine.machine.config.segment_bytes = 400;
  machine.options.dedupe_buffer_bytes = 24 * 12;
  machine.open();
  fill(machine, 100, 30);
  machine.settle();
  const LastValues before = machine.last_values();
  int passes = 0;
  while (machine.clean()) {
    ASSERT_LT(++passes, 30);
    EXPECT_EQ(machine.last_values(), before);
  }
  EXPECT_GT(passes, 5);
  EXPECT_EQ(machine.items().size(), 30u);
}

TEST(CleaningPass, a_segment_that_loses_nothing_is_left_alone) {
  CleanerMachine machine(5);
  machine.open();
  fill(machine, 20, 20);
  machine.settle();
  const auto segment = machine.log().segments()[0];
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(machine.log().segments()[0], segment);
  EXPECT_EQ(machine.files_with(".deleted"), 0u);
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(20));
}

TEST(CleaningPass, a_log_of_which_nothing_is_left_goes_on) {
  CleanerMachine machine(6);
  machine.machine.config.segment_bytes = 200;
  machine.open();
  for (int i = 0; i < 10; ++i) machine.append({{.value = "no key"}});
  machine.settle();
  EXPECT_TRUE(machine.clean());
  const auto batches = machine.batches();
  ASSERT_EQ(batches.size(), 1u) << "the last batch says how far the log went";
  EXPECT_EQ(batches[0].header.record_count, 0);
  fill(machine, 5, 1);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(offsets_of(machine.items()), std::vector<std::int64_t>{14});
  machine.reopen();
  EXPECT_EQ(offsets_of(machine.items()), std::vector<std::int64_t>{14});
  EXPECT_EQ(machine.log().end(), Offset(15));
}

TEST(CleaningPass, transactions_are_cleaned_with_the_indexes_of_the_log) {
  CleanerMachine machine(7);
  machine.machine.config.segment_bytes = 500;
  machine.open();
  Random random(7);
  for (int i = 0; i < 60; ++i) {
    const ProducerId producer(static_cast<std::int64_t>(random.below(2)));
    machine.append({{.key = "k" + std::to_string(random.below(5)), .value = std::to_string(i)}},
                   {.producer = {producer, ProducerEpoch(0), Sequence(0)}, .transactional = true});
    const auto type = random.chance(0.5) ? ControlRecordType::abort : ControlRecordType::commit;
    machine.replicate(
        machine.made.end_transaction(producer, ProducerEpoch(0), type, Timestamp(1000)));
    if (i % 10 == 9) {
      machine.settle();
      const LastValues before = machine.last_values();
      EXPECT_TRUE(machine.clean());
      EXPECT_EQ(machine.last_values(), before);
      machine.machine.executor.advance(std::chrono::milliseconds(700));
    }
    if (i % 20 == 19) {
      const LastValues before = machine.last_values();
      machine.reopen();
      EXPECT_EQ(machine.last_values(), before);
    }
  }
  EXPECT_EQ(machine.last_values().size(), 5u);
  EXPECT_LT(machine.batches().size(), 60u) << "aborted records and spent markers are gone";
}

TEST(CleaningPass, an_open_transaction_holds_the_cleaning_back) {
  CleanerMachine machine(8);
  machine.open();
  fill(machine, 4, 1);
  machine.append(
      {{.key = "k0", .value = "open"}},
      {.producer = {ProducerId(1), ProducerEpoch(0), Sequence(0)}, .transactional = true});
  fill(machine, 4, 1);
  machine.settle();
  EXPECT_EQ(cleaning_range(machine.log(), no_offset).to, Offset(4));
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(offsets_of(machine.items()), (std::vector<std::int64_t>{3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(4));
}

TEST(CleaningPass, what_is_not_replicated_is_not_cleaned) {
  CleanerMachine machine(9);
  machine.open();
  fill(machine, 6, 1);
  machine.settle();
  machine.log().set_high_watermark(Offset(3));
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(offsets_of(machine.items()), (std::vector<std::int64_t>{2, 3, 4, 5}));
}

TEST(CleaningPass, others_run_meanwhile) {
  CleanerMachine machine(10, {.completion = SimulatedCompletion::immediate});
  machine.open();
  fill(machine, 40, 40, 100'000);
  machine.settle();
  struct Counter : Callback {
    explicit Counter(Executor& e)
        : Callback([](Callback& self) {
            auto& counter = static_cast<Counter&>(self);
            if (++counter.turns < 1'000'000) counter.executor.post(counter);
          }),
          executor(e) {}
    Executor& executor;
    int turns = 0;
  };
  Counter counter(machine.machine.executor);
  machine.machine.executor.post(counter);
  EXPECT_TRUE(machine.clean());
  const int turns = counter.turns;
  counter.turns = 1'000'000;
  machine.machine.executor.run_until_idle();
  // 4 MB are read twice and written once: a slice has at most one batch more than it should.
  EXPECT_GE(turns, 12'000'000 / static_cast<int>(cleaning_slice_bytes + 100'000));
}

TEST(CleaningPass, is_as_slow_as_the_throttle_says) {
  CleanerMachine machine(11, {.completion = SimulatedCompletion::immediate});
  machine.options.io_bytes_per_second_max = 1'000'000;
  machine.open();
  fill(machine, 40, 40, 100'000);
  machine.settle();
  const auto start = machine.machine.executor.clock().now();
  EXPECT_TRUE(machine.clean());
  EXPECT_GE(machine.machine.executor.clock().now() - start, std::chrono::seconds(11));
  EXPECT_LE(machine.machine.executor.clock().now() - start, std::chrono::seconds(13));
}

constexpr std::int64_t day = std::int64_t{24} * 60 * 60 * 1000;

// Without timestamps, written on the tenth day and, from the middle on, on the eleventh; cleaned on
// the twelfth.
void clean_without_timestamps(CleanerMachine& machine) {
  machine.machine.config.segment_bytes = 400;
  machine.machine.config.deletes = true;
  machine.machine.config.retention = Milliseconds(2 * day);
  machine.machine.executor.manual_clock().set_wall(Timestamp(10 * day));
  machine.open();
  for (int i = 0; i < 40; ++i) {
    if (i == 20) machine.machine.executor.manual_clock().set_wall(Timestamp(11 * day));
    machine.append({{.timestamp = -1, .key = "k" + std::to_string(i % 30), .value = "value"}});
  }
  machine.settle();
  // What is left becomes one segment.
  machine.machine.config.segment_bytes = 4000;
  machine.log().set_config(machine.machine.config);
  machine.machine.executor.manual_clock().set_wall(Timestamp(12 * day));
  ASSERT_TRUE(machine.clean());
  ASSERT_EQ(machine.log().segments().size(), 2u);
  ASSERT_GT(machine.cleaner->counters().bytes_written, 0u);
  ASSERT_EQ(machine.items().size(), 30u);
}

std::size_t left_at(CleanerMachine& machine, std::int64_t time) {
  machine.machine.executor.manual_clock().set_wall(Timestamp(time));
  EXPECT_TRUE(machine.machine.wait(machine.log().apply_retention()));
  return machine.items().size();
}

// As in Kafka: with compact,delete cleaning again and again would keep them for ever.
TEST(CleaningPass, cleaning_makes_a_segment_without_timestamps_no_younger) {
  CleanerMachine machine(12);
  clean_without_timestamps(machine);
  machine.reopen();
  EXPECT_EQ(left_at(machine, 13 * day - 1000), 30u) << "as young as the youngest of them";
  EXPECT_EQ(left_at(machine, 13 * day + 1000), 0u);
}

TEST(CleaningPass, after_a_power_cut_a_cleaned_segment_may_be_younger_and_never_older) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CleanerMachine machine(seed);
    clean_without_timestamps(machine);
    machine.part_now();
    machine.machine.power_cut(seed);
    machine.open();
    EXPECT_EQ(left_at(machine, 13 * day - 1000), 30u);
    EXPECT_EQ(left_at(machine, 14 * day + 1000), 0u);
  }
}

TEST(CleaningPass, a_file_system_that_cannot_set_times_is_cleaned_all_the_same) {
  CleanerMachine machine(13);
  machine.machine.disk.faults().plan(
      {.kind = IoKind::set_time, .fault = IoFault::denied, .times = PlannedFault::always});
  clean_without_timestamps(machine);
  EXPECT_TRUE(machine.machine.lines->says("set_time"));
  EXPECT_EQ(left_at(machine, 14 * day - 1000), 30u);
  EXPECT_EQ(left_at(machine, 14 * day + 1000), 0u);
}

TEST(CleaningPass, a_device_that_fails_to_set_a_time_is_left_alone) {
  CleanerMachine machine(14);
  machine.open();
  fill(machine, 10, 2);
  machine.settle();
  machine.machine.disk.faults().plan({.kind = IoKind::set_time});
  EXPECT_FALSE(machine.clean());
  EXPECT_TRUE(machine.log().offline());
}

}  // namespace
}  // namespace millrace::storage
