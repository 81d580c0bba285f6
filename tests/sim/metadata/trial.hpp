// One run: brokers, clients and controllers, faults for a while, then none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "coverage.hpp"

namespace millrace::metadata::sim {

struct Outcome {
  std::optional<std::string> problem;  // names the seed, which gives the same run again
  std::uint64_t digest = 0;            // of all entries and answers
};

[[nodiscard]] Outcome run(std::uint64_t seed, Coverage& coverage, bool trace = false);

}  // namespace millrace::metadata::sim
