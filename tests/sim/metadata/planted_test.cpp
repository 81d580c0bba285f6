// The simulator finds what it is there for: each mistake that is planted into the machine and its
// images is seen within the runs that the test of the machine makes. This program alone can make
// the mistakes.
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>

#include "../../../modules/metadata/planted.hpp"
#include "../mistakes.hpp"
#include "trial.hpp"

namespace millrace::metadata::sim {
namespace {

#define MISTAKE(name) {Planted::name, #name}
constexpr millrace::sim::Mistake<Planted> mistakes[] = {
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

std::optional<std::string> problem_of(std::uint64_t seed) {
  Coverage coverage;
  return run(seed, coverage).problem;
}

using PlantedMistake = millrace::sim::PlantedMistake<Planted>;

TEST_P(PlantedMistake, is_found) {
  millrace::sim::expect_found(GetParam(), MILLRACE_SIM_RUNS_DEFAULT, problem_of);
}

INSTANTIATE_TEST_SUITE_P(Metadata, PlantedMistake, testing::ValuesIn(mistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(NothingPlanted, nothing_is_found) {
  millrace::sim::expect_nothing_found(30, problem_of);
}

}  // namespace
}  // namespace millrace::metadata::sim
