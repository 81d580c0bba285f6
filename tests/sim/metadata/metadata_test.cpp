// Also proves answers.cpp, coverage.hpp, processes.cpp, processes.hpp, reference.cpp,
// reference.hpp, trial.cpp, trial.hpp, world.cpp, world.hpp.
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>

#include "../runs.hpp"
#include "trial.hpp"

namespace millrace::metadata::sim {
namespace {

TEST(MetadataSimulation, keeps_all_that_was_answered_and_ends_with_brokers_that_serve) {
  Coverage coverage;
  const std::uint64_t runs = millrace::sim::make_runs(
      MILLRACE_SIM_RUNS_DEFAULT,
      [&](std::uint64_t seed, bool trace) { return run(seed, coverage, trace).problem; });
  std::cout << coverage.text();
  constexpr std::uint64_t runs_for_coverage_min = 30;
  if (runs < runs_for_coverage_min) return;
  // Each kind of fault took place, on average at least once in two runs.
  EXPECT_GT(coverage.entries, 100 * runs);
  EXPECT_GT(coverage.answers, 50 * runs);
  EXPECT_GT(coverage.leaders, 2 * runs);
  EXPECT_GT(coverage.stale_leaders, runs / 2);
  EXPECT_GT(coverage.proposals_lost, runs / 2);
  EXPECT_GT(coverage.controller_crashes, runs);
  EXPECT_GT(coverage.snapshots_restored, runs);
  EXPECT_GT(coverage.sessions_expired, runs / 2);
  EXPECT_GT(coverage.shut_downs, runs);
  EXPECT_GT(coverage.stale_epochs, runs);
  EXPECT_GT(coverage.duplicates, runs);
  EXPECT_GT(coverage.topics_made, 5 * runs);
  EXPECT_GT(coverage.topics_removed, 5 * runs);
  EXPECT_GT(coverage.topics_extended, runs);
  EXPECT_GT(coverage.settings_changed, 5 * runs);
  EXPECT_GT(coverage.leaders_changed, 10 * runs);
  EXPECT_GT(coverage.unclean_leaders, runs / 2);
  EXPECT_GT(coverage.blocks, 5 * runs);
}

TEST(MetadataSimulation, the_same_events_give_the_same_bytes) {
  Coverage first;
  Coverage second;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    EXPECT_EQ(run(seed, first).digest, run(seed, second).digest);
  }
  EXPECT_EQ(first.text(), second.text());
}

}  // namespace
}  // namespace millrace::metadata::sim
