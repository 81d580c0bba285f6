module;
#include <cstdint>
#include <limits>
#include <variant>

module millrace.raft;

import millrace.base;

namespace millrace::raft {
namespace {

// Far beyond what a log reaches, and far from where counting ends.
constexpr std::int64_t count_max = std::numeric_limits<std::int64_t>::max() / 2;

bool plausible(std::int64_t count) {
  return count >= 0 && count < count_max;
}

bool plausible(LogPosition position) {
  return plausible(position.index.value()) && plausible(position.term.value());
}

bool plausible(const AppendRequest& request, Term term) {
  LogPosition before = request.previous;
  if (!plausible(before) || before.term > term || request.commit.value() < 0) return false;
  for (const Entry& entry : request.entries) {
    if (entry.index != before.index.next() || entry.term < before.term || entry.term > term) {
      return false;
    }
    if (entry.kind > EntryKind::leader) return false;
    if (entry.kind == EntryKind::membership && !Membership::decode(entry.data.bytes())) {
      return false;
    }
    before = entry.position();
  }
  return true;
}

bool plausible(const SnapshotChunk& chunk, Term term) {
  const SnapshotMeta& meta = chunk.meta;
  return plausible(meta.last) && meta.last.index.value() > 0 && meta.last.term <= term &&
         !meta.membership.voters().empty() && chunk.data.size() == chunk.size &&
         chunk.offset <= meta.bytes && chunk.size <= meta.bytes - chunk.offset &&
         (chunk.size > 0 || meta.bytes == 0);
}

}  // namespace

bool well_formed(const Message& message) {
  if (message.from.value() < 0 || !plausible(message.term.value())) return false;
  if (const auto* request = std::get_if<AppendRequest>(&message.body)) {
    return plausible(*request, message.term);
  }
  if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    return plausible(*chunk, message.term);
  }
  if (const auto* answer = std::get_if<AppendAnswer>(&message.body)) {
    return plausible(answer->match.value()) && plausible(answer->rejected.value()) &&
           plausible(answer->possible);
  }
  return true;
}

}  // namespace millrace::raft
