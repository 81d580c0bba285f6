// The runs of a simulator, one for each seed, as the tests of all simulators make them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>

namespace millrace::sim {

inline std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// `problem_of(seed, trace)` makes one run and gives what was wrong in it, if anything was: each
// fails the test. Gives how many runs were asked for.
// MILLRACE_SIM_SEED=seed runs that seed alone and says what happens in it. MILLRACE_SIM_RUNS=number
// says how many there are, MILLRACE_SIM_FIRST=seed where they begin.
template <class ProblemOf>
std::uint64_t make_runs(std::uint64_t runs_default, ProblemOf problem_of) {
  constexpr int failures_max = 10;
  const std::uint64_t one = number_of("MILLRACE_SIM_SEED", 0);
  const std::uint64_t first = one > 0 ? one : number_of("MILLRACE_SIM_FIRST", 1);
  const std::uint64_t runs = one > 0 ? 1 : number_of("MILLRACE_SIM_RUNS", runs_default);
  int failures = 0;
  for (std::uint64_t seed = first; seed < first + runs && failures < failures_max; ++seed) {
    const auto problem = problem_of(seed, one > 0);
    if (!problem) continue;
    ADD_FAILURE() << *problem;
    ++failures;
  }
  return runs;
}

}  // namespace millrace::sim
