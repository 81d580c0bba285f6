// What happened in runs, so that a test can say that its faults took place.
#pragma once

#include <cstdint>
#include <string>

namespace millrace::metadata::sim {

struct Coverage {
  std::uint64_t runs = 0;
  std::uint64_t entries = 0;
  std::uint64_t answers = 0;  // that said success
  std::uint64_t leaders = 0;
  std::uint64_t stale_leaders = 0;
  std::uint64_t proposals_lost = 0;
  std::uint64_t controller_crashes = 0;
  std::uint64_t snapshots_restored = 0;
  std::uint64_t registrations = 0;
  std::uint64_t sessions_expired = 0;
  std::uint64_t shut_downs = 0;
  std::uint64_t stale_epochs = 0;  // that were refused
  std::uint64_t duplicates = 0;    // processes with the id of another one, refused
  std::uint64_t topics_made = 0;
  std::uint64_t topics_removed = 0;
  std::uint64_t topics_extended = 0;
  std::uint64_t settings_changed = 0;
  std::uint64_t leaders_changed = 0;
  std::uint64_t unclean_leaders = 0;
  std::uint64_t blocks = 0;

  [[nodiscard]] std::string text() const;
};

}  // namespace millrace::metadata::sim
