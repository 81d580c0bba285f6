// One run: a group, faults for a while, then none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "world.hpp"

namespace millrace::raft::sim {

// Nothing if all went well. The text names the seed, which gives the same run again.
[[nodiscard]] std::optional<std::string> problem_of_run(std::uint64_t seed, Coverage& coverage,
                                                        bool trace = false);

}  // namespace millrace::raft::sim
