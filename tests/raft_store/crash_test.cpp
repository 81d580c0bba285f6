// The durable log of a raft node holds what it promises, whatever goes wrong and when.
#include <gtest/gtest.h>

#include <array>
#include <iostream>

#include "trial.hpp"

namespace millrace::raft::store_crash {
namespace {

constexpr std::uint64_t short_sequences = MILLRACE_SEQUENCES_DEFAULT / 20;

TEST(RaftStoreCrash, short_sequences_are_cut_at_each_of_their_steps) {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= short_sequences; ++seed) {
    Plan plan{.seed = seed, .operations = 10};
    Coverage whole;
    ASSERT_EQ(problem_of(plan, whole), std::nullopt);
    for (plan.cut_step = 1; plan.cut_step <= whole.steps; ++plan.cut_step) {
      ASSERT_EQ(problem_of(plan, coverage), std::nullopt) << "step " << plan.cut_step;
    }
  }
  EXPECT_GT(coverage.cuts_in_operation, short_sequences * 10);
  EXPECT_GT(coverage.parts_kept, short_sequences);
}

TEST(RaftStoreCrash, short_sequences_meet_a_fault_at_each_of_their_operations) {
  Coverage coverage;
  constexpr std::array kinds = {IoKind::write,  IoKind::sync_data, IoKind::set_size,
                                IoKind::rename, IoKind::remove,    IoKind::sync_directory,
                                IoKind::open,   IoKind::close};
  for (std::uint64_t seed = 1; seed <= short_sequences / 5 + 1; ++seed) {
    for (const IoKind kind : kinds) {
      for (const IoFault fault : {IoFault::failed, IoFault::no_space}) {
        Plan plan{.seed = seed, .operations = 10};
        for (std::uint64_t after = 0; after < 200; ++after) {
          plan.fault = PlannedFault{.kind = kind, .fault = fault, .after = after};
          Coverage one;
          ASSERT_EQ(problem_of(plan, one), std::nullopt) << name_of(kind) << " " << after;
          coverage.faults += one.faults;
          coverage.shortages += one.shortages;
          if (one.faults == 0) break;
        }
      }
    }
  }
  EXPECT_GT(coverage.faults, 100u);
  EXPECT_GT(coverage.shortages, 10u);
}

TEST(RaftStoreCrash, long_sequences_with_random_power_cuts) {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= MILLRACE_SEQUENCES_DEFAULT; ++seed) {
    ASSERT_EQ(problem_of({.seed = seed, .operations = 60, .power_cuts = 0.15}, coverage),
              std::nullopt);
  }
  EXPECT_GT(coverage.installs, 0u);
  EXPECT_GT(coverage.saves, 0u);
  EXPECT_GT(coverage.conflicts, 0u);
  EXPECT_GT(coverage.parts_kept, 0u);
  EXPECT_GT(coverage.cuts_in_operation, MILLRACE_SEQUENCES_DEFAULT);
}

TEST(RaftStoreCrash, long_sequences_on_a_failing_and_full_disk) {
  Coverage coverage;
  const FaultRates rates{
      .write = 0.01, .sync = 0.01, .no_space = 0.03, .open = 0.02, .change = 0.01};
  for (std::uint64_t seed = 1; seed <= MILLRACE_SEQUENCES_DEFAULT; ++seed) {
    const Plan plan{.seed = seed, .operations = 60, .rates = rates, .power_cuts = 0.1};
    ASSERT_EQ(problem_of(plan, coverage), std::nullopt);
  }
  EXPECT_GT(coverage.shortages, 0u);
  EXPECT_GT(coverage.faults, MILLRACE_SEQUENCES_DEFAULT);
}

}  // namespace
}  // namespace millrace::raft::store_crash
