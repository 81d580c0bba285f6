// What the mutant programs of all simulators do with the mistakes that can be planted.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>

#include "../../modules/base/planted.hpp"

namespace millrace::sim {

template <class Planted>
struct Mistake {
  Planted planted = Planted::none;
  const char* name = nullptr;
};

// What is planted goes with the test.
template <class Planted>
class PlantedMistake : public testing::TestWithParam<Mistake<Planted>> {
 protected:
  ~PlantedMistake() override { planted_now<Planted> = Planted::none; }
};

// The mistake is seen within so many runs; `problem_of(seed)` makes one.
template <class Planted, class ProblemOf>
void expect_found(const Mistake<Planted>& mistake, std::uint64_t runs_max, ProblemOf problem_of) {
  planted_now<Planted> = mistake.planted;
  std::optional<std::string> problem;
  std::uint64_t seed = 0;
  while (!problem && seed < runs_max) problem = problem_of(++seed);
  ASSERT_TRUE(problem) << "not found in " << seed << " runs";
  std::cout << "found: " << *problem << '\n';
}

template <class ProblemOf>
void expect_nothing_found(std::uint64_t runs, ProblemOf problem_of) {
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    const auto problem = problem_of(seed);
    ASSERT_FALSE(problem) << *problem;
  }
}

}  // namespace millrace::sim
