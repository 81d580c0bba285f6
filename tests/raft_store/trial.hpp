// One sequence of work on the durable log of a raft node, as a node would ask for it, with what
// goes wrong on the way. What is found after each restart is held against all that may be there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.raft.store;

namespace millrace::raft::store_crash {

struct Plan {
  std::uint64_t seed = 1;
  int operations = 12;
  std::uint64_t cut_step = 0;  // after the group was begun; 0: none
  std::optional<PlannedFault> fault{};
  FaultRates rates{};
  double power_cuts = 0;  // how likely one begins some steps after an operation did
};

// What happened, so that a test can show that it tested something.
struct Coverage {
  std::uint64_t steps = 0;
  std::uint64_t restarts = 0;
  std::uint64_t cuts_in_operation = 0;
  std::uint64_t parts_kept = 0;  // of what was not acknowledged
  std::uint64_t shortages = 0;
  std::uint64_t installs = 0;
  std::uint64_t saves = 0;
  std::uint64_t conflicts = 0;
  std::uint64_t compactions = 0;
  std::uint64_t faults = 0;
};

// Nothing if all that was promised held.
[[nodiscard]] std::optional<std::string> problem_of(const Plan& plan, Coverage& coverage);

}  // namespace millrace::raft::store_crash
