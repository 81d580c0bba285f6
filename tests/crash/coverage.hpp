// What was done to the logs of many sequences, and where the power went away.
#pragma once

#include "support.hpp"

namespace millrace::storage::crash {

// What a log is asked to do, or what befalls it.
enum class Action : std::uint8_t {
  append,
  flush,
  roll,
  truncate,
  restart,
  delete_below,
  retention,
  checkpoint,
  compact,
  check,
  reopen,
  kill,
  open,  // what a new process does first
};
inline constexpr std::size_t actions = static_cast<std::size_t>(Action::open) + 1;
[[nodiscard]] std::string_view name_of(Action action);

// Where the power went away, over many sequences.
struct Coverage {
  std::uint64_t sequences = 0;
  std::uint64_t operations = 0;
  std::uint64_t opened = 0;
  std::uint64_t killed = 0;
  std::uint64_t cleaned = 0;
  std::uint64_t cut_into_cleaned = 0;
  std::uint64_t cuts_that_forgot = 0;  // of these; what was cleaned away of producers
  std::uint64_t went_offline = 0;
  std::uint64_t ran_short = 0;
  // By what the log was doing and the kind of the step.
  std::array<std::array<std::uint64_t, io_kinds>, actions> cuts{};
  // Operations that were made to fail, by their kind.
  std::array<std::uint64_t, io_kinds> failures{};
  std::array<std::uint64_t, actions> done{};

  [[nodiscard]] std::uint64_t cuts_at(IoKind kind) const;
  [[nodiscard]] std::uint64_t failures_of(IoKind kind) const {
    return failures[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::uint64_t cuts_during(Action action) const;
  [[nodiscard]] std::string text() const;
};

}  // namespace millrace::storage::crash
