// Also proves trial.cpp, trial.hpp, appends.cpp, changes.cpp, compaction.cpp, model.cpp, model.hpp,
// machine.cpp, machine.hpp, checks.cpp, checks.hpp, found.cpp, batches.cpp, batches.hpp.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "trial.hpp"

namespace millrace::storage::crash {
namespace {

[[nodiscard]] std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// MILLRACE_CRASH_SEED=seed runs that one, and says what happens in it.
TEST(Crash, leaves_what_was_flushed_and_nothing_that_was_not_appended) {
  Coverage coverage;
  const std::uint64_t one = number_of("MILLRACE_CRASH_SEED", 0);
  const std::uint64_t sequences =
      number_of("MILLRACE_CRASH_SEQUENCES", MILLRACE_CRASH_SEQUENCES_DEFAULT);
  const std::uint64_t first = one > 0 ? one : 1 + MILLRACE_CRASH_SHARD * std::uint64_t{1'000'000};
  TrialOptions options;
  options.trace = one > 0;
  std::uint64_t failures = 0;
  for (std::uint64_t seed = first; seed < first + (one > 0 ? 1 : sequences); ++seed) {
    const auto problem = problem_of_trial(seed, options, coverage);
    if (!problem) continue;
    ADD_FAILURE() << *problem;
    if (++failures == 20) break;
  }
  std::cout << coverage.text();
}

}  // namespace
}  // namespace millrace::storage::crash
