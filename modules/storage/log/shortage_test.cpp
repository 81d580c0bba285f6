// A shortage of descriptors or memory at any step of what a log does. Afterwards the log works, or
// it is offline and says why; no record is lost that was acknowledged, and nothing stands still.
#include "test_batches.hpp"

namespace millrace::storage {
namespace {

// What a system may refuse for lack of descriptors or memory. A sync of a file has its descriptor,
// and lost bytes if it fails.
constexpr IoKind refusable[] = {IoKind::open,   IoKind::read,           IoKind::write,
                                IoKind::status, IoKind::set_size,       IoKind::rename,
                                IoKind::remove, IoKind::sync_directory, IoKind::list};

// Where the middle of a change cannot be kept the log may go offline.
enum class Middle : std::uint8_t { is_kept, may_be_lost };

struct Attempt {
  std::string name;
  std::function<StorageResult<void>(LogMachine&)> work;
  // Records from here on may be gone, if they were to be cut; from the last one on if none were.
  Offset cut{0};
  Middle middle = Middle::is_kept;
};

StorageResult<void> outcome_of(const AppendResult& appended) {
  if (appended) return {};
  return storage_failure(appended.error().storage, appended.error().message);
}

TestBatch numbered(int number) {
  return {.values = {std::to_string(1'000 + number) + std::string(28, 'v')},
          .timestamp = Timestamp(1'000 + number)};
}

constexpr int records_before = 17;

// Three full segments and two records, of which the last one is not on the disk.
void prepare(LogMachine& machine) {
  machine.config.segment_bytes = 500;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < records_before; ++i) {
    if (i == records_before - 1) ASSERT_TRUE(machine.wait(machine.log->flush()));
    ASSERT_TRUE(machine.append(numbered(i), LeaderEpoch(i / 4)));
  }
  machine.executor.advance(std::chrono::seconds(1));
  ASSERT_TRUE(machine.wait(machine.process->keeper.save_recovery_point(*machine.log)));
  machine.log->set_high_watermark(machine.log->end());
}

// Values by offset: what was there before and below the cut is there, in a row.
void expect_kept(const std::vector<TestRecord>& records, Offset from, Offset to,
                 const std::string& place) {
  std::int64_t next = from.value();
  for (const TestRecord& record : records) {
    if (record.offset >= to) break;
    ASSERT_EQ(record.offset, Offset(next)) << place;
    ASSERT_EQ(record.value, numbered(static_cast<int>(next)).values.front()) << place;
    ++next;
  }
  ASSERT_GE(next, to.value()) << place;
}

void expect_usable(LogMachine& machine, const std::string& place) {
  ASSERT_TRUE(machine.append({{"next"}}, LeaderEpoch(100))) << place;
  ASSERT_TRUE(machine.wait(machine.log->roll())) << place;
  ASSERT_TRUE(machine.append({{"last"}}, LeaderEpoch(100))) << place;
  ASSERT_TRUE(machine.wait(machine.log->flush())) << place;
  const auto before = machine.records();
  ASSERT_EQ(before.back().value, "last") << place;
  const Offset start = machine.log->start();
  for (const bool power_cut : {false, true}) {
    power_cut ? machine.power_cut(1) : machine.reopen();
    if (power_cut) ASSERT_TRUE(machine.open()) << place;
    ASSERT_EQ(machine.records(), before) << place;
    ASSERT_EQ(machine.log->start(), start) << place;
  }
  ASSERT_TRUE(machine.close()) << place;
}

// So that all are opened anew.
Task<void> close_files(OpenFiles& files) {
  co_await files.close_all();
}

// False if there was no such step.
bool try_without(const Attempt& attempt, IoKind kind, std::uint64_t step, std::uint64_t times,
                 std::uint64_t seed) {
  const std::string place = attempt.name + ", " + name_of(kind) + " " + std::to_string(step) +
                            " x " + std::to_string(times) + ", seed " + std::to_string(seed);
  LogMachine machine(seed, seed % 2 == 0 ? slowly : at_once);
  prepare(machine);
  if (seed > 2) machine.run(close_files(machine.process->open_files));
  const std::uint64_t before = machine.disk.faults().injected(kind);
  machine.disk.faults().plan(
      {.kind = kind, .fault = IoFault::too_many_open, .after = step, .times = times});
  const auto done = attempt.work(machine);
  machine.executor.advance(std::chrono::seconds(1));
  const bool took_place = machine.disk.faults().injected(kind) > before;
  machine.disk.faults().clear();
  if (!machine.log) {
    // It was closed.
    machine.restart();
    const auto opened = machine.open(done.has_value());
    EXPECT_TRUE(opened) << place;
  }
  const bool offline = machine.log->offline();
  const Offset kept = std::min(attempt.cut, machine.log->end());
  if (!done) {
    EXPECT_EQ(done.error().fault, offline ? StorageFault::offline : StorageFault::limit)
        << place << ": " << done.error().message;
    EXPECT_NE(done.error().message.find("too many open"), std::string::npos)
        << place << ": " << done.error().message;
  }
  if (offline) {
    EXPECT_EQ(attempt.middle, Middle::may_be_lost) << place;
    EXPECT_FALSE(done) << place;
    EXPECT_EQ(machine.process->keeper.offline.size(), 1u) << place;
    seed % 3 == 0 ? machine.power_cut(seed) : machine.kill(seed);
    EXPECT_TRUE(machine.open()) << place;
  }
  expect_kept(machine.records(), machine.log->start(), kept, place);
  if (!testing::Test::HasFatalFailure()) expect_usable(machine, place);
  return took_place;
}

void try_all(const Attempt& attempt) {
  std::uint64_t steps = 0;
  for (const IoKind kind : refusable) {
    for (const std::uint64_t times : {std::uint64_t{1}, PlannedFault::always}) {
      for (std::uint64_t step = 0;; step += MILLRACE_SLOWNESS) {
        bool took_place = false;
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
          took_place = try_without(attempt, kind, step, times, seed) || took_place;
          if (testing::Test::HasFailure()) return;
        }
        if (!took_place) break;
        ++steps;
      }
    }
  }
  EXPECT_GT(steps, 0u) << attempt.name;
}

constexpr Offset all{records_before};

TEST(Shortage, of_an_append) {
  try_all(
      {"append",
       [](LogMachine& machine) { return outcome_of(machine.append(numbered(17), LeaderEpoch(9))); },
       all});
}

TEST(Shortage, of_an_append_that_is_flushed) {
  try_all({"append and flush",
           [](LogMachine& machine) {
             machine.config.flush_records = 1;
             machine.log->set_config(machine.config);
             const auto done = outcome_of(machine.append(numbered(17), LeaderEpoch(9)));
             if (done) EXPECT_EQ(machine.log->flushed_end(), Offset(18));
             return done;
           },
           all});
}

// Also what the flush needs besides the file that it writes to: what is refused is not there.
TEST(Shortage, of_appends_that_are_flushed_and_roll) {
  try_all({"append, roll and flush",
           [](LogMachine& machine) {
             machine.config.flush_records = 1;
             machine.log->set_config(machine.config);
             StorageResult<void> done;
             for (int i = 0; i < 7; ++i) {
               const Offset end = machine.log->end();
               auto appended = outcome_of(
                   machine.append(numbered(static_cast<int>(end.value())), LeaderEpoch(9)));
               EXPECT_EQ(machine.log->end(), appended ? end.plus(1) : end);
               if (appended) EXPECT_EQ(machine.log->flushed_end(), end.plus(1));
               if (!appended) done = std::move(appended);
             }
             return done;
           },
           all});
}

TEST(Shortage, of_appends_that_save_indexes) {
  try_all({"append with indexes",
           [](LogMachine& machine) {
             machine.config.segment_bytes = mebibyte;
             machine.config.index_interval_bytes = 1;
             machine.log->set_config(machine.config);
             StorageResult<void> done;
             const Offset before = machine.log->end();
             std::int64_t count = 0;
             for (int i = 0; i < 300; ++i) {
               auto appended = outcome_of(machine.append({{"v"}}, LeaderEpoch(9)));
               if (appended) ++count;
               if (!appended) done = std::move(appended);
             }
             // What is refused is not there.
             EXPECT_EQ(machine.log->end(), before.plus(count));
             return done;
           },
           all});
}

// What was cut back is not found later.
TEST(Shortage, of_an_append_that_cannot_be_cut_back) {
  for (const std::uint64_t times : {std::uint64_t{1}, std::uint64_t{2}}) {
    for (const bool rolls : {false, true}) {
      LogMachine machine(1);
      prepare(machine);
      machine.disk.faults().plan(
          {.kind = IoKind::write, .fault = IoFault::no_space, .path_part = ".log", .done = 100});
      machine.disk.faults().plan({.kind = IoKind::set_size,
                                  .fault = IoFault::too_many_open,
                                  .path_part = ".log",
                                  .times = times});
      ASSERT_FALSE(machine.append(numbered(17), LeaderEpoch(9)));
      ASSERT_FALSE(machine.log->offline());
      if (times == 2) {
        EXPECT_EQ(machine.append({{"short"}}, LeaderEpoch(9)).error().storage, StorageFault::limit);
      }
      if (rolls) {
        ASSERT_TRUE(machine.wait(machine.log->roll()));
      } else {
        ASSERT_TRUE(machine.append({{"short"}}, LeaderEpoch(9)));
      }
      expect_kept(machine.records(), Offset(0), all, "cut back");
      expect_usable(machine, "cut back");
    }
  }
}

TEST(Shortage, of_a_flush) {
  try_all({"flush",
           [](LogMachine& machine) {
             const auto done = machine.wait(machine.log->flush());
             if (done) EXPECT_EQ(machine.log->flushed_end(), Offset(17));
             return done;
           },
           all});
}

TEST(Shortage, of_a_roll_and_of_what_settles_it) {
  try_all({"roll",
           [](LogMachine& machine) {
             auto done = machine.wait(machine.log->roll());
             machine.executor.advance(std::chrono::seconds(1));
             return done;
           },
           all});
}

TEST(Shortage, of_a_checkpoint) {
  try_all({"checkpoint",
           [](LogMachine& machine) {
             machine.config.flush_records = 1'000;
             machine.log->set_config(machine.config);
             return machine.wait(machine.log->checkpoint());
           },
           all});
}

// A batch from far away takes a segment of its own.
TEST(Shortage, of_a_batch_behind_a_gap) {
  for (const IoKind kind : refusable) {
    for (std::uint64_t step = 0;; ++step) {
      const std::string place = std::string(name_of(kind)) + " " + std::to_string(step);
      LogMachine machine(1, at_once);
      prepare(machine);
      const std::int64_t far = std::int64_t{1} << 33;
      machine.disk.faults().plan({.kind = kind, .fault = IoFault::too_many_open, .after = step});
      const auto done = machine.replicate(replicated(far, {"far"}, 9));
      const bool took_place = machine.disk.faults().injected(kind) > 0;
      machine.disk.faults().clear();
      ASSERT_FALSE(machine.log->offline()) << place;
      if (!done) {
        ASSERT_EQ(done.error().storage, StorageFault::limit) << place;
        ASSERT_TRUE(machine.append({{"near"}}, LeaderEpoch(9))) << place;
        ASSERT_TRUE(machine.replicate(replicated(far, {"far"}, 9))) << place;
      }
      ASSERT_EQ(machine.records().back().offset, Offset(far)) << place;
      expect_kept(machine.records(), Offset(0), all, place);
      expect_usable(machine, place);
      if (HasFatalFailure() || !took_place) break;
    }
  }
}

TEST(Shortage, of_closing) {
  try_all({"close",
           [](LogMachine& machine) {
             const auto done = machine.wait(machine.log->close());
             machine.disk.faults().clear();
             const auto saved =
                 machine.wait(machine.process->keeper.save_recovery_point(*machine.log));
             EXPECT_TRUE(saved);
             machine.log.reset();
             return done;
           },
           all});
}

TEST(Shortage, of_deleting_records) {
  try_all({"delete records",
           [](LogMachine& machine) {
             const auto done = machine.wait(machine.log->delete_below(Offset(11)));
             if (done) EXPECT_EQ(machine.log->start(), Offset(11));
             return done;
           },
           all});
}

TEST(Shortage, of_retention) {
  try_all({"retention",
           [](LogMachine& machine) {
             machine.config.retention_bytes = 700;
             machine.log->set_config(machine.config);
             const auto done = machine.wait(machine.log->apply_retention());
             return done ? StorageResult<void>() : failure(done.error());
           },
           all});
}

TEST(Shortage, of_retention_of_everything) {
  try_all({"retention of everything",
           [](LogMachine& machine) {
             machine.config.retention = Milliseconds(1);
             machine.log->set_config(machine.config);
             machine.executor.manual_clock().set_wall(Timestamp(1'000'000'000));
             const auto done = machine.wait(machine.log->apply_retention());
             return done ? StorageResult<void>() : failure(done.error());
           },
           all});
}

TEST(Shortage, of_a_cut) {
  for (const Offset offset : {Offset(16), Offset(12), Offset(7), Offset(5), Offset(0)}) {
    try_all({"truncate to " + std::to_string(offset.value()),
             [offset](LogMachine& machine) {
               const auto done = machine.wait(machine.log->truncate(offset));
               if (done) EXPECT_EQ(machine.log->end(), offset);
               return done;
             },
             offset, Middle::may_be_lost});
    if (HasFailure()) return;
  }
}

TEST(Shortage, of_a_new_beginning) {
  for (const Offset offset : {Offset(0), Offset(7), Offset(10), Offset(100)}) {
    try_all({"restart at " + std::to_string(offset.value()),
             [offset](LogMachine& machine) {
               const auto done = machine.wait(machine.log->restart_at(offset));
               if (done) EXPECT_EQ(machine.log->start(), offset);
               return done;
             },
             Offset(0), Middle::may_be_lost});
    if (HasFailure()) return;
  }
}

// Of opening after a crash and after a stop in order.
TEST(Shortage, of_opening) {
  for (const bool clean : {false, true}) {
    for (const IoKind kind : refusable) {
      for (std::uint64_t step = 0;; ++step) {
        const std::string place =
            std::string(name_of(kind)) + " " + std::to_string(step) + (clean ? " clean" : "");
        LogMachine machine(1, at_once);
        prepare(machine);
        if (clean) {
          ASSERT_TRUE(machine.close());
          machine.restart();
        } else {
          machine.kill(step);
          machine.write_file("/data/recovery-point-offset-checkpoint", "0\n1\norders 0 3\n");
        }
        machine.disk.faults().plan({.kind = kind, .fault = IoFault::too_many_open, .after = step});
        const auto opened = machine.open(clean);
        machine.executor.advance(std::chrono::seconds(1));
        const bool took_place = machine.disk.faults().injected(kind) > 0;
        machine.disk.faults().clear();
        if (!opened) {
          ASSERT_EQ(opened.error().fault, StorageFault::limit) << place;
          ASSERT_TRUE(machine.open()) << place;
        }
        ASSERT_FALSE(machine.log->offline()) << place;
        expect_kept(machine.records(), Offset(0), all, place);
        expect_usable(machine, place);
        if (HasFatalFailure() || !took_place) break;
      }
    }
  }
}

// A snapshot that cannot be read for want of a descriptor is not a damaged one: what it says of
// producers whose records are deleted stands nowhere else.
TEST(Shortage, does_not_make_anybody_forget_the_producers) {
  for (std::uint64_t step = 0; step < 20; ++step) {
    LogMachine machine(step + 1, at_once);
    machine.config.segment_bytes = 300;
    ASSERT_TRUE(machine.open());
    ASSERT_TRUE(machine.append(from_producer(0, {"first"})));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append({{std::string(32, 'v')}}));
    machine.log->set_high_watermark(machine.log->end());
    ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(18))));
    machine.kill(1);
    machine.disk.faults().plan({.kind = IoKind::open,
                                .fault = IoFault::too_many_open,
                                .path_part = ".snapshot",
                                .after = step});
    if (!machine.open()) ASSERT_TRUE(machine.open()) << step;
    const auto again = machine.append(from_producer(0, {"first"}));
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->duplicate) << step;
    ASSERT_TRUE(machine.close());
  }
}

}  // namespace
}  // namespace millrace::storage
