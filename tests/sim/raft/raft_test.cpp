// Also proves disk.cpp, disk.hpp, random.hpp, reference.cpp, reference.hpp, trial.cpp, trial.hpp,
// world.cpp, world.hpp.
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>

#include "../runs.hpp"
#include "trial.hpp"

namespace millrace::raft::sim {
namespace {

TEST(RaftSimulation, keeps_all_promises_through_faults_and_settles_after_them) {
  Coverage coverage;
  const std::uint64_t runs = millrace::sim::make_runs(
      MILLRACE_SIM_RUNS_DEFAULT,
      [&](std::uint64_t seed, bool trace) { return problem_of_run(seed, coverage, trace); });
  std::cout << coverage.text();
  constexpr std::uint64_t runs_for_coverage_min = 100;
  if (runs < runs_for_coverage_min) return;
  // Each kind of fault took place, on average at least once in two runs.
  EXPECT_GT(coverage.elections, runs);
  EXPECT_GT(coverage.committed, 50 * runs);
  EXPECT_GT(coverage.crashes, runs);
  EXPECT_GT(coverage.crashes_between_effects, runs / 2);
  EXPECT_GT(coverage.partitions, runs);
  EXPECT_GT(coverage.messages_lost, runs);
  EXPECT_GT(coverage.messages_doubled, runs);
  EXPECT_GT(coverage.membership_changes, runs);
  EXPECT_GT(coverage.transfers, runs);
  EXPECT_GT(coverage.snapshots_saved, runs);
  EXPECT_GT(coverage.snapshots_installed, runs / 2);
  EXPECT_GT(coverage.tails_cut, runs / 4);
  EXPECT_GT(coverage.reads, 10 * runs);
  EXPECT_GT(coverage.observed, 10 * runs);
}

TEST(RaftSimulation, a_seed_gives_the_same_run_again) {
  Coverage first;
  Coverage second;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(problem_of_run(seed, first), problem_of_run(seed, second));
  }
  EXPECT_EQ(first.text(), second.text());
}

}  // namespace
}  // namespace millrace::raft::sim
