// Also proves clients.cpp, clients.hpp, coverage.hpp, reference.cpp, reference.hpp,
// states.cpp, trial.cpp, trial.hpp, world.cpp, world.hpp.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "trial.hpp"

namespace millrace::groups::sim {
namespace {

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// MILLRACE_SIM_SEED=seed runs that seed alone and says what happens in it. MILLRACE_SIM_RUNS=number
// says how many there are, MILLRACE_SIM_FIRST=seed where they begin.
TEST(GroupSimulation, keeps_all_promises_and_ends_with_members_that_have_an_assignment) {
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
