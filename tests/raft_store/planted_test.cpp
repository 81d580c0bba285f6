// The crash test finds what it is there for: each mistake that is planted into the store is seen
// within the sequences that the test makes. This program alone can make the mistakes.
#include <gtest/gtest.h>

#include <iostream>

#include "../../modules/raft/store/planted.hpp"
#include "trial.hpp"

namespace millrace::raft::store_crash {
namespace {

struct Mistake {
  StorePlanted planted = StorePlanted::none;
  const char* name = nullptr;
};

#define MISTAKE(name) {StorePlanted::name, #name}
constexpr Mistake mistakes[] = {
    MISTAKE(directory_not_synced),
    MISTAKE(acknowledged_before_sync),
    MISTAKE(snapshot_renamed_before_sync),
    MISTAKE(segments_deleted_first),
    MISTAKE(recovered_not_synced),
    MISTAKE(state_lost_at_roll),
    MISTAKE(tail_kept),
};
#undef MISTAKE
static_assert(std::size(mistakes) == store_planted_mistakes, "each mistake is looked for");

class PlantedStoreMistake : public testing::TestWithParam<Mistake> {
 protected:
  ~PlantedStoreMistake() override { planted_now<StorePlanted> = StorePlanted::none; }
};

TEST_P(PlantedStoreMistake, is_found) {
  planted_now<StorePlanted> = GetParam().planted;
  Coverage coverage;
  std::optional<std::string> problem;
  std::uint64_t seed = 0;
  const FaultRates rates{.sync = 0.01};
  while (!problem && seed < MILLRACE_SEQUENCES_DEFAULT) {
    ++seed;
    problem = problem_of({.seed = seed, .operations = 60, .power_cuts = 0.15}, coverage);
    if (problem) break;
    problem = problem_of({.seed = seed, .operations = 60, .rates = rates}, coverage);
  }
  ASSERT_TRUE(problem) << "not found in " << seed << " sequences";
  std::cout << "found at seed " << seed << '\n';
}

std::string name_of_mistake(const testing::TestParamInfo<Mistake>& mistake) {
  return mistake.param.name;
}
INSTANTIATE_TEST_SUITE_P(Each, PlantedStoreMistake, testing::ValuesIn(mistakes), name_of_mistake);

TEST(PlantedStore, without_a_mistake_nothing_is_found) {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    EXPECT_EQ(problem_of({.seed = seed, .operations = 60, .power_cuts = 0.15}, coverage),
              std::nullopt);
  }
}

}  // namespace
}  // namespace millrace::raft::store_crash
