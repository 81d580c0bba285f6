// The simulator finds what it is there for: each mistake that is planted into the machine and its
// images is seen within the runs that the test of the machine makes. This program alone can make
// the mistakes.
#include <gtest/gtest.h>

#include <iostream>

#include "../../../modules/metadata/planted.hpp"
#include "trial.hpp"

namespace millrace::metadata::sim {
namespace {

struct Mistake {
  Planted planted = Planted::none;
  const char* name = nullptr;
};

#define MISTAKE(name) {Planted::name, #name}
constexpr Mistake mistakes[] = {
    MISTAKE(answer_before_commit),   MISTAKE(lost_proposal_answered),
    MISTAKE(broker_epoch_repeated),  MISTAKE(stale_epoch_heard),
    MISTAKE(taken_id_given),         MISTAKE(served_before_caught_up),
    MISTAKE(session_not_prolonged),  MISTAKE(sessions_forgotten),
    MISTAKE(fenced_broker_leads),    MISTAKE(shut_down_while_leading),
    MISTAKE(unclean_without_leave),  MISTAKE(last_in_sync_forgotten),
    MISTAKE(leader_epoch_kept),      MISTAKE(producer_ids_given_twice),
    MISTAKE(topic_id_by_name),       MISTAKE(names_forgotten),
    MISTAKE(validation_makes_topic), MISTAKE(settings_outlive_topic),
    MISTAKE(delta_without_settings), MISTAKE(snapshot_loses_broker_epoch),
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

INSTANTIATE_TEST_SUITE_P(Metadata, PlantedMistake, testing::ValuesIn(mistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PlantedMistake, without_one_nothing_is_found) {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const auto problem = run(seed, coverage).problem;
    ASSERT_FALSE(problem) << *problem;
  }
}

}  // namespace
}  // namespace millrace::metadata::sim
