// Also proves answers.cpp, coverage.hpp, processes.cpp, processes.hpp, reference.cpp,
// reference.hpp, trial.cpp, trial.hpp, world.cpp, world.hpp.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "trial.hpp"

namespace millrace::metadata::sim {
namespace {

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// MILLRACE_SIM_SEED=seed runs that seed alone and says what happens in it. MILLRACE_SIM_RUNS=number
// says how many there are, MILLRACE_SIM_FIRST=seed where they begin.
TEST(MetadataSimulation, keeps_all_that_was_answered_and_ends_with_brokers_that_serve) {
  constexpr int failures_max = 10;
  const std::uint64_t one = number_of("MILLRACE_SIM_SEED", 0);
  const std::uint64_t first = one > 0 ? one : number_of("MILLRACE_SIM_FIRST", 1);
  const std::uint64_t runs =
      one > 0 ? 1 : number_of("MILLRACE_SIM_RUNS", MILLRACE_SIM_RUNS_DEFAULT);
  Coverage coverage;
  int failures = 0;
  for (std::uint64_t seed = first; seed < first + runs && failures < failures_max; ++seed) {
    const Outcome outcome = run(seed, coverage, one > 0);
    if (!outcome.problem) continue;
    ADD_FAILURE() << *outcome.problem;
    ++failures;
  }
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
