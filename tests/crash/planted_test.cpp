// The crash test finds what it is there for: each mistake that is planted into the log is seen
// within a bounded number of sequences. This program alone can make the mistakes.
#include <gtest/gtest.h>

#include <iostream>

#include "../../modules/storage/segment/planted.hpp"
#include "trial.hpp"

namespace millrace::storage::crash {
namespace {

struct Mistake {
  Planted planted = Planted::none;
  const char* name = nullptr;
  Trouble trouble = Trouble::none;  // without which it is never made
};

#define MISTAKE(name) Planted::name, #name
constexpr Mistake mistakes[] = {
    {MISTAKE(directory_not_synced)},
    {MISTAKE(flush_of_the_last_only)},
    {MISTAKE(recovery_point_before_data)},
    {MISTAKE(indexes_not_synced)},
    {MISTAKE(snapshots_kept_above_cut)},
    {MISTAKE(recovery_point_not_lowered)},
    {MISTAKE(cut_not_synced)},
    {MISTAKE(removal_not_synced)},
    {MISTAKE(log_start_not_saved)},
    {MISTAKE(lower_start_not_saved)},
    {MISTAKE(swap_before_sync)},
    {MISTAKE(gap_taken_for_compaction)},
    {MISTAKE(epochs_not_saved)},
    {MISTAKE(time_index_without_last_entry)},
    {MISTAKE(offset_index_left_empty)},
    {MISTAKE(time_index_left_empty)},
    {MISTAKE(transaction_index_left_empty)},
    {MISTAKE(failure_not_noted), Trouble::device},
    {MISTAKE(sync_tried_again), Trouble::device},
    {MISTAKE(part_of_write_kept), Trouble::space},
    {MISTAKE(cleaned_not_synced)},
    {MISTAKE(tombstone_dropped_early)},
    {MISTAKE(last_of_producer_dropped)},
};
#undef MISTAKE
static_assert(std::size(mistakes) == planted_in_logs, "each mistake is looked for");

constexpr std::uint64_t sequences_max = 20'000;

class PlantedMistake : public testing::TestWithParam<Mistake> {
 protected:
  ~PlantedMistake() override { planted_now<Planted> = Planted::none; }
};

TEST_P(PlantedMistake, is_found) {
  planted_now<Planted> = GetParam().planted;
  TrialOptions options;
  options.trouble = GetParam().trouble;
  Coverage coverage;
  std::optional<std::string> problem;
  std::uint64_t seed = 0;
  while (!problem && seed < sequences_max) problem = problem_of_trial(++seed, options, coverage);
  ASSERT_TRUE(problem) << "not found in " << sequences_max << " sequences";
  std::cout << "found by sequence " << seed << ": " << *problem << '\n';
  planted_now<Planted> = Planted::none;
  const auto without = problem_of_trial(seed, options, coverage);
  EXPECT_FALSE(without) << "without the mistake: " << *without;
}

INSTANTIATE_TEST_SUITE_P(Log, PlantedMistake, testing::ValuesIn(mistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PlantedMistake, without_one_nothing_is_found) {
  for (const Trouble trouble : {Trouble::none, Trouble::device, Trouble::space}) {
    TrialOptions options;
    options.trouble = trouble;
    Coverage coverage;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      const auto problem = problem_of_trial(seed, options, coverage);
      ASSERT_FALSE(problem) << *problem << "\ntrouble " << static_cast<int>(trouble);
    }
  }
}

}  // namespace
}  // namespace millrace::storage::crash
