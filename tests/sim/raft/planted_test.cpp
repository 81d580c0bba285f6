// The simulator finds what it is there for: each mistake that is planted into the core is seen
// within the runs that the test of the core makes. This program alone can make the mistakes.
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>

#include "../../../modules/raft/planted.hpp"
#include "../mistakes.hpp"
#include "trial.hpp"

namespace millrace::raft::sim {
namespace {

#define MISTAKE(name) {Planted::name, #name}
constexpr millrace::sim::Mistake<Planted> mistakes[] = {
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

std::optional<std::string> problem_of(std::uint64_t seed) {
  Coverage coverage;
  return problem_of_run(seed, coverage);
}

using PlantedMistake = millrace::sim::PlantedMistake<Planted>;

TEST_P(PlantedMistake, is_found) {
  millrace::sim::expect_found(GetParam(), MILLRACE_SIM_RUNS_DEFAULT, problem_of);
}

INSTANTIATE_TEST_SUITE_P(Raft, PlantedMistake, testing::ValuesIn(mistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(NothingPlanted, nothing_is_found) {
  millrace::sim::expect_nothing_found(100, problem_of);
}

}  // namespace
}  // namespace millrace::raft::sim
