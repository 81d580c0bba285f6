#include "coverage.hpp"

namespace millrace::storage::crash {

std::string_view name_of(Action action) {
  constexpr std::array<std::string_view, actions> names = {
      "append",     "flush",   "roll",  "truncate", "restart", "delete_below", "retention",
      "checkpoint", "compact", "check", "reopen",   "kill",    "open"};
  return names[static_cast<std::size_t>(action)];
}

std::uint64_t Coverage::cuts_at(IoKind kind) const {
  std::uint64_t sum = 0;
  for (const auto& of_action : cuts) sum += of_action[static_cast<std::size_t>(kind)];
  return sum;
}

std::uint64_t Coverage::cuts_during(Action action) const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : cuts[static_cast<std::size_t>(action)]) sum += count;
  return sum;
}

std::string Coverage::text() const {
  std::string text = formatted(
      "{} sequences of {} operations; {} starts, {} kills, {} cleanings, {} cuts into what was "
      "cleaned, {} of which forgot producers, {} times offline, {} times short\n",
      sequences, operations, opened, killed, cleaned, cut_into_cleaned, cuts_that_forgot,
      went_offline, ran_short);
  for (std::size_t i = 0; i < actions; ++i) {
    const auto action = static_cast<Action>(i);
    text += formatted("  {}: {} times, power cut in {}:", name_of(action), done[i],
                      cuts_during(action));
    for (std::size_t kind = 0; kind < io_kinds; ++kind) {
      if (cuts[i][kind] == 0) continue;
      text += formatted(" {} {}", millrace::name_of(static_cast<IoKind>(kind)), cuts[i][kind]);
    }
    text += '\n';
  }
  text += "  made to fail:";
  for (std::size_t kind = 0; kind < io_kinds; ++kind) {
    if (failures[kind] == 0) continue;
    text += formatted(" {} {}", millrace::name_of(static_cast<IoKind>(kind)), failures[kind]);
  }
  text += '\n';
  return text;
}

}  // namespace millrace::storage::crash
