module;
#include <string_view>

module millrace.raft;

import millrace.base;

namespace millrace::raft {

std::string_view name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::not_leader:
      return "this node does not lead";
    case Refusal::transferring:
      return "leadership is about to go to another node";
    case Refusal::busy:
      return "too much waits already";
    case Refusal::too_large:
      return "the entry is too large";
    case Refusal::term_not_begun:
      return "no entry of the leader's own term is committed yet";
    case Refusal::change_pending:
      return "another membership change is not committed yet";
    case Refusal::not_caught_up:
      return "the learner lacks too many entries";
    case Refusal::invalid_change:
      return "the members do not allow this change";
    case Refusal::not_a_voter:
      return "leadership goes to voters only";
  }
  return "unknown";
}

}  // namespace millrace::raft
