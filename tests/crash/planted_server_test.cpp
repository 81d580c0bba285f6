// The crash test of a server's storage finds what it is there for: each mistake that is planted
// into it is seen within a bounded number of lives.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <iostream>

#include "../../modules/storage/segment/planted.hpp"
// After all that includes standard headers.
#include "../../modules/storage/manager/server_life.hpp"

namespace millrace::storage {
namespace {

struct Mistake {
  Planted planted = Planted::none;
  const char* name = nullptr;
  life::Flushing flushing = life::Flushing::before_answers;
};

#define MISTAKE(name) Planted::name, #name
constexpr Mistake mistakes[] = {
    {MISTAKE(checkpoint_before_data), life::Flushing::left_to_the_system},
    {MISTAKE(mark_before_flush)},
    {MISTAKE(mark_not_removed)},
    {MISTAKE(topic_id_not_saved)},
    {MISTAKE(partition_not_synced)},
};
#undef MISTAKE
static_assert(std::size(mistakes) == planted_in_servers, "each mistake is looked for");

constexpr std::uint64_t lives_max = 2'000;

// What the checks of a life say; nothing if all is well.
[[nodiscard]] std::string problem_of_life(std::uint64_t seed, life::Flushing flushing) {
  testing::TestPartResultArray failures;
  {
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    life::live_at_random(seed, flushing);
  }
  return failures.size() == 0 ? std::string() : failures.GetTestPartResult(0).message();
}

class PlantedServerMistake : public testing::TestWithParam<Mistake> {
 protected:
  ~PlantedServerMistake() override { planted_now<Planted> = Planted::none; }
};

TEST_P(PlantedServerMistake, is_found) {
  planted_now<Planted> = GetParam().planted;
  std::string problem;
  std::uint64_t seed = 0;
  while (problem.empty() && seed < lives_max) {
    problem = problem_of_life(++seed, GetParam().flushing);
  }
  ASSERT_FALSE(problem.empty()) << "not found in " << lives_max << " lives";
  std::cout << "found by life " << seed << ": " << problem << '\n';
  planted_now<Planted> = Planted::none;
  EXPECT_EQ(problem_of_life(seed, GetParam().flushing), "") << "without the mistake";
}

INSTANTIATE_TEST_SUITE_P(Server, PlantedServerMistake, testing::ValuesIn(mistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PlantedServerMistake, without_one_nothing_is_found) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    EXPECT_EQ(problem_of_life(seed, life::Flushing::before_answers), "");
    EXPECT_EQ(problem_of_life(seed, life::Flushing::left_to_the_system), "");
  }
}

}  // namespace
}  // namespace millrace::storage
