// The power goes away at every step of making, deleting, stopping, starting and saving: what was
// answered is there afterwards, and nothing of what was deleted comes back under a new name.
#include "server_life.hpp"

namespace millrace::storage {
namespace {

using namespace life;

TEST(Crash, at_every_step_of_a_servers_life_loses_nothing_that_was_answered) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const std::uint64_t steps = steps_of_a_life(seed);
    ASSERT_GT(steps, 200u);
    for (std::uint64_t step = 1; step <= steps; step += MILLRACE_SLOWNESS) {
      live_until(seed, step, 0);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

TEST(Crash, in_the_start_after_a_crash_changes_nothing) {
  const std::uint64_t steps = steps_of_a_life(4);
  for (std::uint64_t step = 1; step <= steps; step += 3) {
    live_until(4, step, 1 + step % 29);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST(Crash, at_a_random_step_of_random_lives_loses_nothing_that_was_answered) {
  for (std::uint64_t seed = 1; seed <= 500 / MILLRACE_SLOWNESS && !HasFailure(); ++seed) {
    live_at_random(seed, Flushing::before_answers);
  }
}

TEST(Crash, at_a_random_step_loses_nothing_that_was_flushed_where_the_system_writes_the_rest) {
  for (std::uint64_t seed = 1; seed <= 200 / MILLRACE_SLOWNESS && !HasFailure(); ++seed) {
    live_at_random(seed, Flushing::left_to_the_system);
  }
}

// What fails instead of the power.
TEST(Crash, a_device_that_fails_at_any_step_of_a_life_loses_nothing_either) {
  constexpr IoKind kinds[] = {IoKind::write, IoKind::sync_data, IoKind::sync_directory,
                              IoKind::rename, IoKind::open};
  for (const IoKind kind : kinds) {
    for (std::uint64_t after = 0; after < 400; after += 3) {
      SCOPED_TRACE(formatted("{} fails after {}", name_of(kind), after));
      const auto owned = server(5, Flushing::before_answers);
      ManagerMachine& machine = *owned;
      Client client(machine);
      machine.disk.faults().plan({.kind = kind, .fault = IoFault::failed, .after = after});
      if (live(machine, client)) break;
      EXPECT_EQ(machine.disk.faults().injected(), 1u);
      machine.disk.faults().clear();
      if (machine.process) machine.end_of_process();
      // What a failed sync gave up is gone, whatever was answered before it is not.
      machine.disk.power_cut(after + 1);
      const auto started = machine.start();
      ASSERT_TRUE(started) << started.error().message;
      client.check();
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

TEST(Crash, a_full_disk_at_any_step_of_a_life_stops_nobody_for_good) {
  for (std::uint64_t after = 0; after < 300; after += 2) {
    SCOPED_TRACE(formatted("no space after {} writes", after));
    const auto owned = server(7, Flushing::before_answers);
    ManagerMachine& machine = *owned;
    Client client(machine);
    machine.disk.faults().plan(
        {.kind = IoKind::write, .fault = IoFault::no_space, .after = after, .times = 3});
    const bool ended = live(machine, client);
    machine.disk.faults().clear();
    if (machine.process) {
      EXPECT_EQ(machine.process->observer.all_failed, 0);
      EXPECT_TRUE(machine.stop());
    }
    const auto started = machine.start();
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_EQ(machine.report.failed, 0u);
    client.check();
    if (HasFatalFailure() || HasNonfatalFailure()) return;
    if (ended && after > 250) break;
  }
}

}  // namespace
}  // namespace millrace::storage
