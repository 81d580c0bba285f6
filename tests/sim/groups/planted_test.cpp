// The simulator finds what it is there for: each mistake that is planted into the coordinator is
// seen within the runs that the test of the coordinator makes. This program alone can make the
// mistakes.
#include <gtest/gtest.h>

#include <iostream>

#include "../../../modules/groups/planted.hpp"
#include "trial.hpp"

namespace millrace::groups::sim {
namespace {

struct Mistake {
  Planted planted = Planted::none;
  const char* name = nullptr;
};

#define MISTAKE(name) {Planted::name, #name}
constexpr Mistake mistakes[] = {
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

class PlantedMistake : public testing::TestWithParam<Mistake> {
 protected:
  ~PlantedMistake() override { planted_now<Planted> = Planted::none; }
};

TEST_P(PlantedMistake, is_found) {
  planted_now<Planted> = GetParam().planted;
  Coverage coverage;
  std::optional<std::string> problem;
  std::uint64_t seed = 0;
  while (!problem && seed < MILLRACE_SIM_RUNS_DEFAULT) problem = run(++seed, coverage).problem;
  ASSERT_TRUE(problem) << "not found in " << seed << " runs";
  std::cout << "found: " << *problem << '\n';
}

INSTANTIATE_TEST_SUITE_P(Groups, PlantedMistake, testing::ValuesIn(mistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PlantedMistake, without_one_nothing_is_found) {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const auto problem = run(seed, coverage).problem;
    ASSERT_FALSE(problem) << *problem;
  }
}

}  // namespace
}  // namespace millrace::groups::sim
