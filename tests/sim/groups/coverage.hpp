// What happened in runs, so that a test can say that its faults took place.
#pragma once

#include <cstdint>
#include <string>

namespace millrace::groups::sim {

struct Coverage {
  std::uint64_t runs = 0;
  std::uint64_t joined = 0;
  std::uint64_t assigned = 0;
  std::uint64_t committed = 0;
  std::uint64_t fetched = 0;
  std::uint64_t generations = 0;  // that were written
  std::uint64_t id_rounds = 0;    // members that were told their id first
  std::uint64_t fenced_members = 0;
  std::uint64_t rebalances_told = 0;
  std::uint64_t sessions_lost = 0;  // clients that learned that they are members no more
  std::uint64_t full = 0;           // joins that found no room
  std::uint64_t crashes = 0;
  std::uint64_t fenced_coordinators = 0;
  std::uint64_t appends_lost = 0;
  std::uint64_t compactions = 0;
  std::uint64_t offsets_expired = 0;
  std::uint64_t groups_deleted = 0;
  std::uint64_t static_returns = 0;  // that kept what they had

  [[nodiscard]] std::string text() const;
};

}  // namespace millrace::groups::sim
