// Also proves trial.cpp, trial.hpp, appends.cpp, changes.cpp, compaction.cpp, offline.cpp,
// model.cpp, model.hpp, model_cleaning.cpp, cleaning.cpp, cleaning.hpp, machine.cpp, machine.hpp,
// checks.cpp, checks.hpp, found.cpp, coverage.cpp, coverage.hpp, batches.cpp, batches.hpp.
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

// MILLRACE_CRASH_SEED=seed runs that sequence alone and says what happens in it.
// MILLRACE_CRASH_SEQUENCES=number says how many there are, MILLRACE_CRASH_FIRST=seed where they
// begin.
Coverage run_sequences(Trouble trouble, std::uint64_t count, Cuts cuts = Cuts::at_random) {
  constexpr std::uint64_t failures_max = 20;
  constexpr std::uint64_t shard = MILLRACE_CRASH_SHARD;
  const std::uint64_t one = number_of("MILLRACE_CRASH_SEED", 0);
  std::uint64_t first = number_of("MILLRACE_CRASH_FIRST", 1 + shard * 1'000'000);
  if (one > 0) first = one;
  count = one > 0 ? 1 : number_of("MILLRACE_CRASH_SEQUENCES", count);
  TrialOptions options;
  options.trace = one > 0;
  options.trouble = trouble;
  if (cuts == Cuts::at_one_step) options.operations_min = 10;
  Coverage coverage;
  std::uint64_t failures = 0;
  for (std::uint64_t seed = first; seed < first + count && failures < failures_max; ++seed) {
    const auto problem = cuts == Cuts::at_random ? problem_of_trial(seed, options, coverage)
                                                 : problem_at_any_step(seed, options, coverage);
    if (!problem) continue;
    ADD_FAILURE() << *problem;
    ++failures;
  }
  std::cout << coverage.text();
  return coverage;
}

// Enough of them that every kind of step is met.
constexpr std::uint64_t coverage_sequences_min = 2'000;

TEST(Crash, leaves_what_was_flushed_and_nothing_that_was_not_appended) {
  const Coverage coverage = run_sequences(Trouble::none, MILLRACE_CRASH_SEQUENCES_DEFAULT);
  if (coverage.sequences < coverage_sequences_min) return;
  for (const IoKind kind : {IoKind::open, IoKind::write, IoKind::sync_data, IoKind::set_size,
                            IoKind::rename, IoKind::remove, IoKind::sync_directory}) {
    EXPECT_GT(coverage.cuts_at(kind), 20u) << "the power is never cut at " << name_of(kind);
  }
  EXPECT_GT(coverage.cut_into_cleaned, coverage.sequences / 50);
  EXPECT_GT(coverage.cuts_that_forgot, coverage.sequences / 250)
      << "what a cut forgets of the producers is rarely seen";
  for (std::size_t i = 0; i < actions; ++i) {
    const auto action = static_cast<Action>(i);
    EXPECT_GT(coverage.done[i], 0u) << name_of(action);
    // These two do nothing themselves that a power cut could meet.
    if (action == Action::check || action == Action::kill) continue;
    EXPECT_GT(coverage.cuts_during(action), 0u) << "the power is never cut in " << name_of(action);
  }
}

TEST(Crash, a_device_that_fails_takes_the_log_offline_and_nothing_is_tried_again) {
  const Coverage coverage = run_sequences(Trouble::device, MILLRACE_CRASH_SEQUENCES_DEFAULT / 8);
  if (coverage.sequences < coverage_sequences_min / 8) return;
  EXPECT_GT(coverage.went_offline, coverage.sequences / 4);
  for (const IoKind kind : failing_kinds) {
    EXPECT_GT(coverage.failures_of(kind), 0u) << name_of(kind) << " never fails";
  }
}

TEST(Crash, a_full_disk_costs_nothing_that_was_appended_and_there_is_space_again) {
  const Coverage coverage = run_sequences(Trouble::space, MILLRACE_CRASH_SEQUENCES_DEFAULT / 8);
  if (coverage.sequences < coverage_sequences_min / 8) return;
  EXPECT_GT(coverage.ran_short, coverage.sequences / 4);
}

TEST(Crash, a_shortage_of_descriptors_costs_nothing_that_was_appended) {
  const Coverage coverage =
      run_sequences(Trouble::descriptors, MILLRACE_CRASH_SEQUENCES_DEFAULT / 16);
  if (coverage.sequences < coverage_sequences_min / 16) return;
  EXPECT_GT(coverage.ran_short, coverage.sequences / 4);
}

TEST(Crash, at_each_step_of_short_sequences_leaves_what_was_flushed) {
  const Coverage coverage =
      run_sequences(Trouble::none, MILLRACE_CRASH_SEQUENCES_DEFAULT / 250, Cuts::at_one_step);
  if (coverage.sequences < coverage_sequences_min) return;
  for (const Action action : {Action::append, Action::roll, Action::truncate, Action::compact,
                              Action::checkpoint, Action::delete_below}) {
    EXPECT_GT(coverage.cuts_during(action), 50u) << "rarely cut in " << name_of(action);
  }
}

}  // namespace
}  // namespace millrace::storage::crash
