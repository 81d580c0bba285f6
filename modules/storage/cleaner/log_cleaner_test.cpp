// Also proves checkpoint.cpp, checkpoint.cppm.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "cleaner_machine.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;

void fill(CleanerMachine& machine, int records, int keys) {
  for (int i = 0; i < records; ++i) {
    machine.append({{.key = "k" + std::to_string(i % keys), .value = "v" + std::to_string(i)}});
  }
}

TEST(Cleaner, goes_on_where_it_stopped_after_a_start) {
  CleanerMachine machine(1);
  machine.open();
  fill(machine, 10, 2);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  machine.reopen();
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(10));
  EXPECT_FALSE(machine.clean());
  fill(machine, 10, 2);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(machine.items().size(), 2u);
}

TEST(Cleaner, waits_until_a_log_is_dirty_enough) {
  CleanerMachine machine(2);
  machine.machine.config.dirty_ratio_min = 0.5;
  machine.open();
  fill(machine, 10, 10);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  fill(machine, 5, 5);
  machine.settle();
  EXPECT_FALSE(machine.clean());
  fill(machine, 7, 7);
  machine.settle();
  EXPECT_TRUE(machine.clean());
}

TEST(Cleaner, cleans_compacted_topics_only) {
  CleanerMachine machine(3);
  machine.machine.config.compacts = false;
  machine.open();
  fill(machine, 10, 2);
  machine.settle();
  EXPECT_FALSE(machine.clean());
  LogConfig config = machine.log().config();
  config.compacts = true;
  machine.log().set_config(config);
  EXPECT_TRUE(machine.clean());
}

TEST(Cleaner, takes_the_dirtiest_log_first) {
  CleanerMachine machine(4);
  machine.open();
  fill(machine, 10, 10);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  fill(machine, 5, 5);
  machine.settle();

  LogOpening opening;
  opening.directory = std::string(test_root) + "/other-0";
  opening.partition = {"other", PartitionIndex(0)};
  opening.config = machine.machine.config;
  const auto make = [](FileSystem& files, std::string path) -> Task<bool> {
    co_return (co_await files.make_directory(path)).has_value();
  };
  ASSERT_TRUE(machine.machine.wait(make(machine.machine.process->files, opening.directory)));
  auto other = machine.machine.wait(Log::open(machine.machine.process->context, opening));
  ASSERT_TRUE(other);
  for (int i = 0; i < 3; ++i) {
    MemoryLog made;
    made.skip(i);
    Bytes batch = made.append({{.key = "k", .value = "v"}}, {.leader_epoch = LeaderEpoch(0)});
    const auto append = [](Log& log, Bytes& bytes) -> Task<bool> {
      co_return (co_await log.replicate(bytes)).has_value();
    };
    ASSERT_TRUE(machine.machine.wait(append(**other, batch)));
  }
  (*other)->set_high_watermark((*other)->end());
  ASSERT_TRUE(machine.machine.wait((*other)->roll()));
  ASSERT_TRUE(machine.machine.wait((*other)->flush()));
  machine.machine.executor.run_until_idle();

  machine.cleaner->add(**other, no_offset);
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(machine.cleaner->cleaned_end(**other), Offset(3));
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(10));
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(15));
  EXPECT_FALSE(machine.clean());
  EXPECT_EQ(machine.cleaner->counters().passes, 3u);
  EXPECT_EQ(machine.checkpoint->cleaned_end({"other", PartitionIndex(0)}), Offset(3));

  machine.machine.run(machine.cleaner->remove(**other));
  ASSERT_TRUE(machine.machine.wait(machine.checkpoint->forget({"other", PartitionIndex(0)})));
  EXPECT_EQ(machine.checkpoint->cleaned_end({"other", PartitionIndex(0)}), no_offset);
  ASSERT_TRUE(machine.machine.wait((*other)->close()));
}

TEST(Cleaner, damage_makes_a_log_uncleanable_and_is_not_copied) {
  CleanerMachine machine(5);
  machine.machine.config.segment_bytes = 300;
  machine.open();
  fill(machine, 20, 20);
  machine.settle();
  const auto segments = machine.log().segments();
  const std::string path = segments[2]->log_path();
  const auto before = machine.machine.disk.contents(segments[0]->log_path());
  ASSERT_TRUE(machine.machine.disk.flip_bit(path, 8 * 80));
  EXPECT_FALSE(machine.clean());
  const auto why = machine.cleaner->uncleanable(machine.log());
  ASSERT_TRUE(why);
  EXPECT_NE(why->find(path), std::string::npos) << *why;
  EXPECT_TRUE(machine.machine.lines->says("is not cleaned any more"));
  EXPECT_EQ(machine.cleaner->counters().uncleanable_logs, 1u);
  EXPECT_EQ(machine.machine.disk.contents(segments[0]->log_path()), before);
  EXPECT_EQ(machine.files_with(".cleaned"), 0u);
  EXPECT_FALSE(machine.log().offline());
  fill(machine, 3, 3);

  const auto steps = machine.machine.disk.steps();
  EXPECT_FALSE(machine.clean());
  EXPECT_EQ(machine.machine.disk.steps(), steps) << "it is not tried again";
}

// Where the last batch of a segment begins.
std::uint64_t last_batch(const std::string& contents) {
  const auto bytes = std::as_bytes(std::span(contents));
  std::size_t position = 0;
  for (std::size_t next = 0; next < bytes.size();) {
    position = next;
    next += static_cast<std::size_t>(load_big_endian<std::int32_t>(bytes.data() + next + 8)) + 12;
  }
  return position;
}

// The CRC of a batch does not cover them.
TEST(Cleaner, a_flipped_bit_in_an_offset_or_a_leader_epoch_is_not_cleaned_by) {
  for (const bool last : {false, true}) {
    for (std::uint64_t bit = 0; bit < 16 * 8; ++bit) {
      SCOPED_TRACE(std::string(last ? "last" : "first") + " batch, bit " + std::to_string(bit));
      CleanerMachine machine(5);
      machine.machine.config.segment_bytes = 300;
      machine.open();
      fill(machine, 20, 20);
      machine.settle();
      std::map<std::string, std::string> before;
      for (const auto& segment : machine.log().segments()) {
        before[segment->log_path()] = machine.machine.disk.contents(segment->log_path()).value();
      }
      const std::string path = machine.log().segments()[2]->log_path();
      const std::uint64_t position = last ? last_batch(before[path]) : 0;
      ASSERT_TRUE(machine.machine.disk.flip_bit(path, 8 * position + bit));
      before[path] = machine.machine.disk.contents(path).value();
      EXPECT_FALSE(machine.clean());
      ASSERT_TRUE(machine.cleaner->uncleanable(machine.log()));
      for (const auto& [name, contents] : before) {
        EXPECT_EQ(machine.machine.disk.contents(name), contents) << name;
      }
    }
  }
}

// Damage in the part that was cleaned before is met when it is read again.
TEST(Cleaner, damage_in_the_clean_part_leaves_that_part_as_it_is) {
  CleanerMachine machine(6);
  machine.open();
  fill(machine, 20, 20);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  fill(machine, 20, 20);
  machine.settle();
  const std::string path = machine.log().segments()[0]->log_path();
  ASSERT_TRUE(machine.machine.disk.flip_bit(path, 8 * 80));
  const auto before = machine.machine.disk.contents(path);
  EXPECT_FALSE(machine.clean());
  EXPECT_TRUE(machine.cleaner->uncleanable(machine.log()));
  EXPECT_EQ(machine.machine.disk.contents(path), before);
  EXPECT_EQ(machine.files_with(".cleaned"), 0u);
}

TEST(Cleaner, a_failing_device_takes_the_log_offline) {
  const PlannedFault faults[] = {
      {.kind = IoKind::read, .path_part = ".log"},
      {.kind = IoKind::write, .path_part = ".log.cleaned"},
      {.kind = IoKind::write, .path_part = ".index.cleaned"},
      {.kind = IoKind::sync_data, .path_part = ".log.cleaned"},
      {.kind = IoKind::sync_data, .path_part = ".timeindex.cleaned"},
      {.kind = IoKind::open, .path_part = ".cleaned"},
      {.kind = IoKind::rename, .path_part = ".cleaned"},
      {.kind = IoKind::sync_directory},
      {.kind = IoKind::write, .path_part = "cleaner-offset-checkpoint"},
      {.kind = IoKind::sync_data, .path_part = "cleaner-offset-checkpoint"}};
  for (const PlannedFault& fault : faults) {
    SCOPED_TRACE(std::string(name_of(fault.kind)) + " " + fault.path_part);
    CleanerMachine machine(7);
    machine.open();
    fill(machine, 10, 2);
    machine.settle();
    machine.machine.disk.faults().plan(fault);
    EXPECT_FALSE(machine.clean());
    EXPECT_EQ(machine.machine.disk.faults().injected(), 1u);
    EXPECT_TRUE(machine.log().offline());
    EXPECT_EQ(machine.machine.process->keeper.offline.size(), 1u);
    EXPECT_EQ(machine.cleaner->uncleanable(machine.log()), std::nullopt);
    EXPECT_FALSE(machine.clean()) << "nothing is retried";
    EXPECT_EQ(machine.cleaner->counters().failed_passes, 1u);
  }
}

TEST(Cleaner, a_full_disk_is_waited_for) {
  for (const char* part : {".log.cleaned", ".index.cleaned", ".timeindex.cleaned"}) {
    SCOPED_TRACE(part);
    CleanerMachine machine(8);
    machine.open();
    fill(machine, 10, 2);
    machine.settle();
    machine.machine.disk.faults().plan(
        {.kind = IoKind::write, .fault = IoFault::no_space, .path_part = part});
    EXPECT_FALSE(machine.clean());
    EXPECT_EQ(machine.machine.disk.faults().injected(), 1u);
    EXPECT_EQ(machine.files_with(".cleaned"), 0u) << "the space is given back";
    EXPECT_FALSE(machine.log().offline());
    EXPECT_EQ(machine.items().size(), 10u);
    EXPECT_TRUE(machine.clean());
    EXPECT_EQ(machine.items().size(), 2u);
  }
}

TEST(Cleaner, a_lack_of_descriptors_is_waited_for) {
  CleanerMachine machine(9);
  machine.open();
  fill(machine, 10, 2);
  machine.settle();
  machine.machine.disk.faults().plan(
      {.kind = IoKind::open, .fault = IoFault::too_many_open, .path_part = ".cleaned"});
  EXPECT_FALSE(machine.clean());
  EXPECT_EQ(machine.cleaner->uncleanable(machine.log()), std::nullopt);
  EXPECT_TRUE(machine.clean());
}

// Starts a pass and stops it after some turns of the executor.
Task<void> clean_and(Cleaner& cleaner, std::optional<bool>& result) {
  result = co_await cleaner.clean_dirtiest();
}
Task<void> remove_after(CleanerMachine& machine, int turns) {
  for (int i = 0; i < turns; ++i) co_await yield(machine.machine.executor);
  co_await machine.cleaner->remove(machine.log());
}
Task<void> both(CleanerMachine& machine, int turns, std::optional<bool>& result) {
  TaskGroup group;
  group.start(clean_and(*machine.cleaner, result));
  group.start(remove_after(machine, turns));
  co_await group.wait();
}

TEST(Cleaner, a_log_that_is_removed_is_left_in_order) {
  int stopped = 0;
  for (int turns = 0; turns < 400; turns += 7) {
    CleanerMachine machine(10);
    machine.machine.config.segment_bytes = 300'000;
    machine.open();
    for (int i = 0; i < 30; ++i) {
      machine.append({{.key = "k" + std::to_string(i % 20), .value = std::string(60'000, 'v')}});
    }
    machine.settle();
    const LastValues before = machine.last_values();
    std::optional<bool> result;
    machine.machine.run(both(machine, turns, result));
    if (result && !*result) ++stopped;
    EXPECT_EQ(machine.files_with(".cleaned"), 0u);
    EXPECT_EQ(machine.last_values(), before);
    EXPECT_EQ(machine.cleaner->counters().uncleanable_logs, 0u);
  }
  EXPECT_GT(stopped, 5);
}

TEST(Cleaner, what_is_cut_is_not_clean_any_more) {
  CleanerMachine machine(11);
  machine.open();
  fill(machine, 10, 2);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  ASSERT_TRUE(machine.machine.wait(machine.cleaner->cut(machine.log(), Offset(20))));
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(10));
  ASSERT_TRUE(machine.machine.wait(machine.cleaner->cut(machine.log(), Offset(9))));
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(9));
  machine.reopen();
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(9));
}

TEST(Cleaner, a_checkpoint_beyond_the_log_is_lowered) {
  CleanerMachine machine(12);
  machine.open();
  fill(machine, 10, 2);
  machine.machine.run(machine.cleaner->remove(machine.log()));
  machine.cleaner->add(machine.log(), Offset(500));
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(10));
}

TEST(Cleaner, an_aborted_transaction_below_the_start_of_the_log_is_no_damage) {
  CleanerMachine machine(21);
  machine.open();
  BatchOptions options;
  options.producer = {ProducerId(7), ProducerEpoch(0), Sequence(0)};
  options.transactional = true;
  machine.append({{.key = "k", .value = "aborted"}}, options);
  machine.replicate(machine.made.end_transaction(ProducerId(7), ProducerEpoch(0),
                                                 ControlRecordType::abort, Timestamp(1)));
  fill(machine, 3, 1);
  ASSERT_TRUE(machine.machine.wait(machine.log().delete_below(Offset(2))));
  machine.settle();
  EXPECT_TRUE(machine.clean());
  EXPECT_FALSE(machine.cleaner->uncleanable(machine.log()));
  EXPECT_EQ(machine.items().size(), 1u);
}

TEST(Cleaner, a_batch_that_is_left_without_records_has_not_the_latest_time) {
  CleanerMachine machine(25);
  machine.open();
  BatchOptions options;
  options.producer = {ProducerId(3), ProducerEpoch(0), Sequence(0)};
  machine.append({{.timestamp = 9'000, .key = "k", .value = "old"}}, options);
  machine.append({{.timestamp = 1'000, .key = "k", .value = "new"}});
  machine.settle();
  ASSERT_TRUE(machine.clean());
  ASSERT_EQ(machine.batches().size(), 2u);
  const auto latest = machine.machine.wait(machine.log().find_max_timestamp());
  ASSERT_TRUE(latest);
  EXPECT_EQ(*latest, (TimestampOffset{Timestamp(1'000), Offset(1)}));
}

TEST(Cleaner, a_segment_that_is_durable_in_part_is_left_for_later) {
  CleanerMachine machine(22);
  machine.machine.config.flush_records = 1;
  machine.open();
  fill(machine, 5, 1);
  ASSERT_TRUE(machine.machine.wait(machine.log().checkpoint()));
  fill(machine, 5, 1);
  // What is known of the producers at its end cannot be saved, so that it is not durable yet.
  machine.machine.disk.faults().plan({.kind = IoKind::open,
                                      .fault = IoFault::no_space,
                                      .path_part = ".snapshot",
                                      .times = PlannedFault::always});
  machine.settle();
  ASSERT_EQ(machine.log().recovery_point(), Offset(5));
  EXPECT_FALSE(machine.clean());
  EXPECT_FALSE(machine.cleaner->uncleanable(machine.log()));
  machine.machine.disk.faults().clear();
  fill(machine, 1, 1);
  machine.settle();
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(machine.items().size(), 1u);
}

TEST(Cleaner, a_cut_that_found_no_space_is_saved_when_it_is_asked_for_again) {
  CleanerMachine machine(24);
  machine.open();
  fill(machine, 10, 2);
  machine.settle();
  ASSERT_TRUE(machine.clean());
  const auto cut = [&] {
    return machine.machine.wait(machine.cleaner->cut(machine.log(), Offset(4)));
  };
  machine.machine.disk.faults().plan(
      {.kind = IoKind::write, .fault = IoFault::no_space, .path_part = "cleaner"});
  EXPECT_FALSE(cut());
  EXPECT_TRUE(cut());
  CleanerCheckpoint found(machine.machine.process->files, std::string(test_root));
  ASSERT_TRUE(machine.machine.wait(found.load()));
  EXPECT_EQ(found.cleaned_end(machine.log().partition()), Offset(4));
}

// Two segments become one, and of the second nothing is left.
bool cut_while_a_segment_goes(std::uint64_t step) {
  CleanerMachine machine(23);
  machine.machine.config.segment_bytes = 3'000;
  machine.open();
  fill(machine, 2, 2);
  machine.settle();
  machine.append({{.key = "x", .value = "old"}});
  machine.settle();
  machine.append({{.key = "x", .value = std::string(2'900, 'n')}});
  machine.settle();
  machine.machine.disk.cut_power_at(machine.machine.disk.steps() + step, step);
  const bool cleaned = machine.clean();
  if (cleaned) {
    EXPECT_EQ(machine.log().segments().size(), 3u);
    return false;
  }
  machine.part_now();
  machine.machine.end_of_process();
  machine.open();
  const std::string second = segment_file_name(Offset(2), SegmentFileKind::log);
  const std::string its_index = segment_file_name(Offset(2), SegmentFileKind::time_index);
  EXPECT_EQ(machine.files_with(second), machine.files_with(its_index));
  return true;
}

TEST(Cleaner, a_crash_leaves_no_half_of_a_segment_of_which_nothing_is_left) {
  std::uint64_t step = 1;
  while (cut_while_a_segment_goes(step) && !HasFailure()) ++step;
  EXPECT_GT(step, 20u);
}

}  // namespace
}  // namespace millrace::storage
