// One run: groups and their coordinators, faults for a while, then none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "coverage.hpp"

namespace millrace::groups::sim {

struct Outcome {
  std::optional<std::string> problem;  // names the seed, which gives the same run again
  std::uint64_t digest = 0;            // of all records and answers
};

[[nodiscard]] Outcome run(std::uint64_t seed, Coverage& coverage, bool trace = false);

}  // namespace millrace::groups::sim
