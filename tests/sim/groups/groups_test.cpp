// Also proves clients.cpp, clients.hpp, coverage.hpp, reference.cpp, reference.hpp,
// states.cpp, trial.cpp, trial.hpp, world.cpp, world.hpp.
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>

#include "../runs.hpp"
#include "trial.hpp"

namespace millrace::groups::sim {
namespace {

TEST(GroupSimulation, keeps_all_promises_and_ends_with_members_that_have_an_assignment) {
  Coverage coverage;
  const std::uint64_t runs = millrace::sim::make_runs(
      MILLRACE_SIM_RUNS_DEFAULT,
      [&](std::uint64_t seed, bool trace) { return run(seed, coverage, trace).problem; });
  std::cout << coverage.text();
  constexpr std::uint64_t runs_for_coverage_min = 30;
  if (runs < runs_for_coverage_min) return;
  // Each kind of fault took place, on average at least once in two runs.
  EXPECT_GT(coverage.joined, 10 * runs);
  EXPECT_GT(coverage.assigned, 10 * runs);
  EXPECT_GT(coverage.committed, 30 * runs);
  EXPECT_GT(coverage.fetched, 10 * runs);
  EXPECT_GT(coverage.generations, 5 * runs);
  EXPECT_GT(coverage.id_rounds, runs);
  EXPECT_GT(coverage.fenced_members, runs / 2);
  EXPECT_GT(coverage.rebalances_told, runs);
  EXPECT_GT(coverage.sessions_lost, runs / 10);
  EXPECT_GT(coverage.full, runs / 10);
  EXPECT_GT(coverage.crashes, runs);
  EXPECT_GT(coverage.fenced_coordinators, runs);
  EXPECT_GT(coverage.appends_lost, runs / 2);
  EXPECT_GT(coverage.compactions, runs);
  EXPECT_GT(coverage.offsets_expired, runs);
  EXPECT_GT(coverage.groups_deleted, runs / 20);
  EXPECT_GT(coverage.static_returns, runs / 2);
}

TEST(GroupSimulation, the_same_events_give_the_same_bytes) {
  Coverage first;
  Coverage second;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    EXPECT_EQ(run(seed, first).digest, run(seed, second).digest);
  }
  EXPECT_EQ(first.text(), second.text());
}

}  // namespace
}  // namespace millrace::groups::sim
