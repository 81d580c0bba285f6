// The simulator finds what it is there for: each mistake that is planted into the core is seen
// within the runs that the test of the core makes. This program alone can make the mistakes.
#include <gtest/gtest.h>

#include <iostream>

#include "../../../modules/raft/planted.hpp"
#include "trial.hpp"

namespace millrace::raft::sim {
namespace {

struct Mistake {
  Planted planted = Planted::none;
  const char* name = nullptr;
};

#define MISTAKE(name) {Planted::name, #name}
constexpr Mistake mistakes[] = {
    MISTAKE(vote_not_synced),
    MISTAKE(append_not_synced),
    MISTAKE(leader_counts_unsynced),
    MISTAKE(old_term_committed),
    MISTAKE(log_not_compared_at_vote),
    MISTAKE(second_vote_in_term),
    MISTAKE(higher_term_ignored),
    MISTAKE(pre_vote_raises_term),
    MISTAKE(conflicting_tail_kept),
    MISTAKE(matching_tail_truncated),
    MISTAKE(change_before_own_term),
    MISTAKE(two_changes_at_once),
    MISTAKE(change_kept_after_truncation),
    MISTAKE(snapshot_loses_membership),
    MISTAKE(snapshot_before_sync),
    MISTAKE(read_without_round),
    MISTAKE(read_by_older_round),
};
#undef MISTAKE
static_assert(std::size(mistakes) == planted_mistakes, "each mistake is looked for");

class PlantedMistake : public testing::TestWithParam<Mistake> {
 protected:
  ~PlantedMistake() override { planted_now<Planted> = Planted::none; }
};

TEST_P(PlantedMistake, is_found) {
  planted_now<Planted> = GetParam().planted;
  Coverage coverage;
  std::optional<std::string> problem;
  std::uint64_t seed = 0;
  while (!problem && seed < MILLRACE_SIM_RUNS_DEFAULT) problem = problem_of_run(++seed, coverage);
  ASSERT_TRUE(problem) << "not found in " << seed << " runs";
  std::cout << "found: " << *problem << '\n';
}

INSTANTIATE_TEST_SUITE_P(Raft, PlantedMistake, testing::ValuesIn(mistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PlantedMistake, without_one_nothing_is_found) {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const auto problem = problem_of_run(seed, coverage);
    ASSERT_FALSE(problem) << *problem;
  }
}

}  // namespace
}  // namespace millrace::raft::sim
