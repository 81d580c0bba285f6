// The simulator finds what it is there for: each mistake that is planted into the coordinator is
// seen within the runs that the test of the coordinator makes. This program alone can make the
// mistakes.
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>

#include "../../../modules/groups/planted.hpp"
#include "../mistakes.hpp"
#include "trial.hpp"

namespace millrace::groups::sim {
namespace {

#define MISTAKE(name) {Planted::name, #name}
constexpr millrace::sim::Mistake<Planted> mistakes[] = {
    MISTAKE(answer_before_append),
    MISTAKE(read_before_append),
    MISTAKE(generation_kept),
    MISTAKE(sync_of_old_generation),
    MISTAKE(commit_of_old_generation),
    MISTAKE(heartbeat_of_old_generation),
    MISTAKE(anyone_assigns),
    MISTAKE(late_member_kept),
    MISTAKE(rebalance_without_end),
    MISTAKE(assignment_without_end),
    MISTAKE(silent_member_kept),
    MISTAKE(sessions_not_loaded),
    MISTAKE(restart_rebalances),
    MISTAKE(static_assignment_lost),
    MISTAKE(instance_not_fenced),
    MISTAKE(read_offsets_expire),
    MISTAKE(group_record_loses_offsets),
    MISTAKE(tombstone_forgotten),
};
#undef MISTAKE
static_assert(std::size(mistakes) == planted_mistakes, "each mistake is looked for");

std::optional<std::string> problem_of(std::uint64_t seed) {
  Coverage coverage;
  return run(seed, coverage).problem;
}

using PlantedMistake = millrace::sim::PlantedMistake<Planted>;

TEST_P(PlantedMistake, is_found) {
  millrace::sim::expect_found(GetParam(), MILLRACE_SIM_RUNS_DEFAULT, problem_of);
}

INSTANTIATE_TEST_SUITE_P(Groups, PlantedMistake, testing::ValuesIn(mistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(NothingPlanted, nothing_is_found) {
  millrace::sim::expect_nothing_found(30, problem_of);
}

}  // namespace
}  // namespace millrace::groups::sim
