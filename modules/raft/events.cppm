// What a node is told, and what it wants done.
module;
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

export module millrace.raft:events;

import millrace.base;
import :membership;
import :message;
import :types;

export namespace millrace::raft {

struct TimerExpired {};  // the time of Effects::deadline has come; harmless when too early
struct Received {
  Message message;
};
struct Propose {
  Payload data{};
};
struct ChangeMembership {
  MembershipChange change;
};
struct TransferLeadership {
  NodeId to = no_node;
};
struct Read {
  ReadId id;
};
// All writes up to this one are durable.
struct Persisted {
  WriteNumber write;
};
// A snapshot that was described by Node::describe_snapshot is durable, and is now the latest.
struct SnapshotSaved {
  SnapshotMeta meta;
};

using Event = std::variant<TimerExpired, Received, Propose, ChangeMembership, TransferLeadership,
                           Read, Persisted, SnapshotSaved>;

// Why something was not done. Nothing was changed then.
enum class Refusal : std::uint8_t {
  not_leader,
  transferring,    // leadership is about to go to another node
  busy,            // a limit of Options is reached; try again later
  too_large,       // the data of one entry
  term_not_begun,  // no entry of the leader's own term is committed yet
  change_pending,  // another membership change is not committed
  not_caught_up,   // the learner lacks too much
  invalid_change,  // it would change nothing, or leave no voter
  not_a_voter,     // leadership goes to voters only
};
[[nodiscard]] std::string_view name_of(Refusal refusal);

// The answer to Read. `index` says what it sees: all up to it is applied once this step's effects
// are carried out.
struct ReadAnswer {
  ReadId id;
  Result<LogIndex, Refusal> index;
};

// To be made durable, in order and after all writes before it; then comes Persisted. Parts of a
// write may be durable after a crash, from the front on; a snapshot is there whole or not at all.
struct Write {
  WriteNumber number;
  std::optional<HardState> hard_state;
  // The snapshot whose parts were received takes the place of state and log.
  std::optional<SnapshotMeta> install;
  // Entries take the place of all that the log held from the first one's index on.
  std::vector<Entry> entries;
};

// A piece of a snapshot that is being received; offset 0 begins anew. Need not be durable before
// it is installed.
struct SnapshotPart {
  SnapshotMeta meta;
  std::uint64_t offset = 0;
  Payload data{};
};

// What is to be done after a step. Messages may leave at once: those that rest on a write have been
// kept back until that was durable. The rest is carried out in the order of the fields.
struct Effects {
  std::optional<SnapshotPart> snapshot_part;
  std::optional<Write> write;
  std::vector<Message> messages;
  std::optional<SnapshotMeta> restore;  // the state machine begins anew from that snapshot
  std::vector<Entry> committed;         // to apply, each once; those of every kind
  std::vector<ReadAnswer> reads;
  std::optional<LogIndex> compact_through;  // entries up to it are not needed on disk any more
  // The answer to a proposal, a membership change (where its entry is, not yet committed) or a
  // transfer (the end of the log).
  std::optional<Result<LogPosition, Refusal>> answer;
  MonotonicTime deadline;  // when TimerExpired is due if nothing happens before
};

}  // namespace millrace::raft
