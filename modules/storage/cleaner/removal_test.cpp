// Also proves log_cleaner.cpp: who stops the cleaner, removes a log or cuts it does not wait for
// cleaning that goes on.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

// This one imports modules: it comes after all that includes standard headers.
#include "cleaner_machine.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;
using namespace std::chrono_literals;

// What is done at once takes less, and a pass at the slow rate much more.
constexpr Duration soon = 10s;
constexpr double slow_rate = 1'000;

// A machine with a second log, which the cleaner knows too.
struct TwoLogs {
  explicit TwoLogs(std::uint64_t seed) : machine(seed) {}
  ~TwoLogs() {
    if (other) machine.machine.run(take_other(*this));
  }

  void open() {
    machine.machine.config.segment_bytes = 300'000;
    machine.open();
    LogOpening opening;
    opening.directory = std::string(test_root) + "/other-0";
    opening.partition = {"other", PartitionIndex(0)};
    opening.config = machine.machine.config;
    const auto make = [](FileSystem& files, std::string path) -> Task<bool> {
      co_return (co_await files.make_directory(path)).has_value();
    };
    ASSERT_TRUE(machine.machine.wait(make(machine.machine.process->files, opening.directory)));
    auto opened = machine.machine.wait(Log::open(machine.machine.process->context, opening));
    ASSERT_TRUE(opened);
    other = std::move(*opened);
    machine.cleaner->add(*other, no_offset);
  }
  // Two megabytes in closed segments.
  void fill() {
    for (int i = 0; i < 30; ++i) {
      machine.append({{.key = "k" + std::to_string(i % 20), .value = std::string(60'000, 'v')}});
    }
    machine.settle();
  }
  void fill_other() {
    for (int i = 0; i < 3; ++i) {
      made.append({{.key = "k", .value = "v"}}, {.leader_epoch = LeaderEpoch(0)});
      const auto append = [](Log& log, Bytes& bytes) -> Task<bool> {
        co_return (co_await log.replicate(bytes)).has_value();
      };
      ASSERT_TRUE(machine.machine.wait(append(*other, made.batches.back())));
    }
    other->set_high_watermark(other->end());
    ASSERT_TRUE(machine.machine.wait(other->roll()));
    ASSERT_TRUE(machine.machine.wait(other->flush()));
    machine.machine.executor.run_until_idle();
  }
  [[nodiscard]] MonotonicTime now() const { return machine.machine.executor.clock().now(); }

  // Removed, and not there any more at once.
  static Task<void> take_other(TwoLogs& logs) {
    co_await logs.machine.cleaner->remove(*logs.other);
    co_await logs.other->abandon();
    logs.other.reset();
  }
  static Task<void> take_first(TwoLogs& logs, int turns) {
    for (int i = 0; i < turns; ++i) co_await yield(logs.machine.machine.executor);
    co_await logs.machine.cleaner->remove(logs.machine.log());
    co_await logs.machine.log().abandon();
    logs.machine.machine.log.reset();
  }

  CleanerMachine machine;
  MemoryLog made;
  std::unique_ptr<Log> other;
};

TEST(CleanerRemoval, nothing_of_another_log_waits_for_a_slow_pass_and_it_stops_when_told_to) {
  TwoLogs logs(1);
  CleanerMachine& machine = logs.machine;
  machine.options.io_bytes_per_second_max = slow_rate;
  logs.open();
  logs.fill_other();
  ASSERT_TRUE(machine.clean());
  logs.fill();
  const LastValues before = machine.last_values();
  const auto cleaned = machine.machine.start(machine.cleaner->clean_dirtiest());
  machine.machine.executor.advance(60s);
  ASSERT_FALSE(*cleaned);

  const MonotonicTime began = logs.now();
  ASSERT_TRUE(machine.machine.wait(machine.cleaner->cut(*logs.other, Offset(1))));
  EXPECT_EQ(machine.cleaner->cleaned_end(*logs.other), Offset(1));
  machine.machine.run(TwoLogs::take_other(logs));
  EXPECT_LT(logs.now() - began, soon);
  EXPECT_FALSE(*cleaned) << "it goes on";

  machine.cleaner->stop();
  machine.machine.finish_started();
  EXPECT_LT(logs.now() - began, soon);
  ASSERT_TRUE(*cleaned);
  EXPECT_FALSE(**cleaned);
  EXPECT_GT(machine.cleaner->counters().bytes_read, 0u);
  EXPECT_EQ(machine.cleaner->counters().failed_passes, 0u);
  EXPECT_EQ(machine.last_values(), before);
  EXPECT_FALSE(machine.clean()) << "none begins any more";
  EXPECT_LT(logs.now() - began, soon);
}

// Looking for what is overdue reads files.
void let_choosing_read(TwoLogs& logs) {
  logs.machine.machine.config.compaction_lag_max = 1ms;
  logs.machine.machine.executor.manual_clock().set_wall(Timestamp(1'000'000'000));
}

TEST(CleanerRemoval, a_log_that_goes_while_one_is_chosen_is_not_cleaned) {
  int unread = 0;
  for (int turns = 0; turns < 60; ++turns) {
    SCOPED_TRACE(turns);
    TwoLogs logs(2);
    CleanerMachine& machine = logs.machine;
    let_choosing_read(logs);
    machine.options.io_bytes_per_second_max = slow_rate;
    logs.open();
    logs.fill();
    const MonotonicTime began = logs.now();
    const auto cleaned = machine.machine.start(machine.cleaner->clean_dirtiest());
    ASSERT_FALSE(*cleaned);
    machine.machine.run(TwoLogs::take_first(logs, turns));
    machine.machine.finish_started();
    EXPECT_LT(logs.now() - began, soon);
    EXPECT_FALSE(cleaned->value());
    EXPECT_EQ(machine.cleaner->counters().failed_passes, 0u);
    if (machine.cleaner->counters().bytes_read == 0) ++unread;
  }
  EXPECT_GT(unread, 0);
}

TEST(CleanerRemoval, another_log_is_cleaned_in_the_place_of_one_that_goes) {
  int instead = 0;
  for (int turns = 0; turns < 60; ++turns) {
    SCOPED_TRACE(turns);
    TwoLogs logs(3);
    CleanerMachine& machine = logs.machine;
    let_choosing_read(logs);
    logs.open();
    logs.fill_other();
    ASSERT_TRUE(machine.clean());
    logs.fill_other();
    logs.fill();  // all of it is dirty, and half of the other one
    const auto cleaned = machine.machine.start(machine.cleaner->clean_dirtiest());
    ASSERT_FALSE(*cleaned);
    machine.machine.run(TwoLogs::take_first(logs, turns));
    machine.machine.finish_started();
    EXPECT_EQ(machine.cleaner->counters().failed_passes, 0u);
    const bool is_clean = machine.cleaner->cleaned_end(*logs.other) == Offset(6);
    if (is_clean) ++instead;
    EXPECT_EQ(machine.clean(), !is_clean);
    EXPECT_EQ(machine.cleaner->cleaned_end(*logs.other), Offset(6));
  }
  EXPECT_GT(instead, 0);
}

Task<StorageResult<void>> cut_after(TwoLogs& logs, int turns, Offset end) {
  for (int i = 0; i < turns; ++i) co_await yield(logs.machine.machine.executor);
  Cleaner& cleaner = *logs.machine.cleaner;
  if (auto cut = co_await cleaner.cut(logs.machine.log(), end); !cut) co_return cut;
  if (auto cut = co_await logs.machine.log().truncate(end); !cut) co_return cut;
  co_return co_await cleaner.cut(logs.machine.log(), end);
}

TEST(CleanerRemoval, a_cut_while_a_log_is_chosen_waits_for_no_pass) {
  for (int turns = 0; turns < 60; ++turns) {
    SCOPED_TRACE(turns);
    TwoLogs logs(4);
    CleanerMachine& machine = logs.machine;
    let_choosing_read(logs);
    logs.open();
    logs.fill();
    ASSERT_TRUE(machine.clean());
    machine.made.end = 30;
    logs.fill();
    machine.cleaner->set_io_rate(slow_rate);
    const MonotonicTime began = logs.now();
    const auto cleaned = machine.machine.start(machine.cleaner->clean_dirtiest());
    ASSERT_FALSE(*cleaned);
    ASSERT_TRUE(machine.machine.wait(cut_after(logs, turns, Offset(12))));
    EXPECT_LT(logs.now() - began, soon);
    EXPECT_LE(machine.cleaner->cleaned_end(machine.log()), Offset(12));
    machine.cleaner->stop();
    machine.machine.finish_started();
    EXPECT_LT(logs.now() - began, soon);
    EXPECT_FALSE(machine.cleaner->uncleanable(machine.log()));
  }
}

}  // namespace
}  // namespace millrace::storage
