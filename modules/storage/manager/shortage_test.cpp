// A shortage of descriptors or memory at any step of what is done to the directories of partitions.
// It is no failure of a disk: nothing goes offline, and later the same succeeds.
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

using namespace std::chrono_literals;
using Values = std::vector<std::string>;

constexpr IoKind refusable[] = {IoKind::open,           IoKind::write,          IoKind::status,
                                IoKind::set_size,       IoKind::rename,         IoKind::remove,
                                IoKind::make_directory, IoKind::sync_directory, IoKind::list,
                                IoKind::free_bytes};

// Gives `attempt` a machine that lacks something at its n-th step of a kind, for all there are;
// then `afterwards`, where there is enough again.
template <class Prepare, class Attempt, class Afterwards>
void try_all(Prepare prepare, Attempt attempt, Afterwards afterwards) {
  std::uint64_t steps = 0;
  for (const IoKind kind : refusable) {
    for (const std::uint64_t times : {std::uint64_t{1}, PlannedFault::always}) {
      for (std::uint64_t step = 0;; ++step) {
        SCOPED_TRACE(std::string(name_of(kind)) + " " + std::to_string(step) + " x " +
                     std::to_string(times));
        ManagerMachine machine(step + 1, {"/one", "/two"});
        machine.files.completion = SimulatedCompletion::immediate;
        prepare(machine);
        const std::uint64_t before = machine.disk.faults().injected(kind);
        machine.disk.faults().plan(
            {.kind = kind, .fault = IoFault::too_many_open, .after = step, .times = times});
        const StorageResult<void> done = attempt(machine);
        const bool took_place = machine.disk.faults().injected(kind) > before;
        machine.disk.faults().clear();
        if (!done) EXPECT_EQ(done.error().fault, StorageFault::limit) << done.error().message;
        if (machine.process) EXPECT_EQ(machine.process->observer.failed, Values());
        afterwards(machine, done.has_value());
        if (machine.process) EXPECT_EQ(machine.process->observer.failed, Values());
        if (testing::Test::HasFailure()) return;
        if (!took_place) break;
        ++steps;
      }
    }
  }
  EXPECT_GT(steps, 0u);
}

// Where a lost power would show what was not durable.
void start_after_power_cut(ManagerMachine& machine, std::uint64_t seed) {
  machine.power_cut(seed);
  const auto started = machine.start();
  ASSERT_TRUE(started) << started.error().message;
}

TEST(DirectoryShortage, of_making_a_partition) {
  try_all([](ManagerMachine& machine) { ASSERT_TRUE(machine.start()); },
          [](ManagerMachine& machine) { return machine.create(orders_0); },
          [](ManagerMachine& machine, bool) {
            machine.config.flush_records = 1;
            ASSERT_TRUE(machine.create(orders_0));
            ASSERT_TRUE(machine.append(orders_0, "a"));
            start_after_power_cut(machine, 1);
            ASSERT_EQ(machine.values(orders_0), Values({"a"}));
          });
}

TEST(DirectoryShortage, of_removing_a_partition) {
  const auto prepare = [](ManagerMachine& machine) {
    machine.config.flush_records = 1;
    ASSERT_TRUE(machine.start());
    ASSERT_TRUE(machine.create(orders_0));
    ASSERT_TRUE(machine.append(orders_0, "a"));
  };
  const auto remove = [](ManagerMachine& machine) { return machine.remove(orders_0); };
  // It is there until it is gone: what is appended meanwhile is not lost.
  try_all(prepare, remove, [](ManagerMachine& machine, bool removed) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      ASSERT_TRUE(machine.create(orders_0));
      const Values before = machine.values(orders_0);
      if (seed == 1) ASSERT_EQ(before, removed ? Values() : Values({"a"}));
      ASSERT_TRUE(machine.append(orders_0, "b"));
      start_after_power_cut(machine, seed);
      ASSERT_EQ(machine.values(orders_0).size(), before.size() + 1);
    }
  });
  // A topic that is made anew gets nothing of it.
  try_all(prepare, remove, [](ManagerMachine& machine, bool) {
    ASSERT_TRUE(machine.create(orders_0, test_topic_id(2)));
    ASSERT_EQ(machine.values(orders_0), Values());
    ASSERT_TRUE(machine.append(orders_0, "b"));
    start_after_power_cut(machine, 1);
    ASSERT_EQ(machine.values(orders_0), Values({"b"}));
    machine.executor.advance(2min);
  });
}

TEST(DirectoryShortage, of_a_start) {
  for (const bool in_order : {false, true}) {
    const auto prepare = [in_order](ManagerMachine& machine) {
      ASSERT_TRUE(machine.start());
      ASSERT_TRUE(machine.create(orders_0));
      ASSERT_TRUE(machine.create(orders_1));
      ASSERT_TRUE(machine.append(orders_0, "a"));
      ASSERT_TRUE(machine.append(orders_1, "b"));
      if (in_order) ASSERT_TRUE(machine.stop());
      if (!in_order) machine.end_of_process();
    };
    try_all(
        prepare, [](ManagerMachine& machine) { return machine.start(); },
        [](ManagerMachine& machine, bool started) {
          if (!started) {
            machine.end_of_process();
            const auto again = machine.start();
            ASSERT_TRUE(again) << again.error().message;
          }
          // What could not be opened is tried again.
          machine.executor.advance(2min);
          ASSERT_EQ(machine.values(orders_0), Values({"a"}));
          ASSERT_EQ(machine.values(orders_1), Values({"b"}));
          ASSERT_TRUE(machine.append(orders_0, "c"));
          ASSERT_TRUE(machine.append(orders_1, "d"));
        });
  }
}

TEST(DirectoryShortage, of_a_stop) {
  try_all(
      [](ManagerMachine& machine) {
        ASSERT_TRUE(machine.start());
        ASSERT_TRUE(machine.create(orders_0));
        ASSERT_TRUE(machine.append(orders_0, "a"));
      },
      [](ManagerMachine& machine) { return machine.stop(); },
      [](ManagerMachine& machine, bool) {
        ASSERT_TRUE(machine.start());
        ASSERT_EQ(machine.values(orders_0), Values({"a"}));
        ASSERT_TRUE(machine.append(orders_0, "b"));
        ASSERT_EQ(machine.values(orders_0), Values({"a", "b"}));
      });
}

// For an hour in which nothing can be opened.
TEST(DirectoryShortage, of_all_that_is_done_now_and_then) {
  for (const IoKind kind : refusable) {
    SCOPED_TRACE(name_of(kind));
    ManagerMachine machine(1, {"/one", "/two"});
    machine.config.flush_interval = 1s;
    machine.config.segment_bytes = 500;
    machine.config.retention_bytes = 1'000;
    machine.config.file_delete_delay = 1s;
    ASSERT_TRUE(machine.start());
    ASSERT_TRUE(machine.create(orders_0));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(100, 'v')));
    const auto log = machine.manager().find(orders_0);
    log->set_high_watermark(log->end());
    machine.disk.faults().plan(
        {.kind = kind, .fault = IoFault::too_many_open, .times = PlannedFault::always});
    machine.executor.advance(1h);
    EXPECT_EQ(machine.process->observer.failed, Values());
    machine.disk.faults().clear();
    machine.executor.advance(1h);
    EXPECT_EQ(machine.process->observer.failed, Values());
    EXPECT_EQ(log->flushed_end(), log->end());
    EXPECT_GE(log->recovery_point(), log->segments().back()->base());
    EXPECT_LE(log->size_bytes(), 1'500u);
    ASSERT_TRUE(machine.append(orders_0, "b"));
  }
}

}  // namespace
}  // namespace millrace::storage
