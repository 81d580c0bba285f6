// What nodes say to each other, as plain values. Any message may be lost, late, doubled or out of
// order.
module;
#include <cstdint>
#include <variant>
#include <vector>

export module millrace.raft:message;

import :membership;
import :types;

export namespace millrace::raft {

// Describes a snapshot: the state after the entry at `last`, and the members there.
struct SnapshotMeta {
  LogPosition last;
  Membership membership;
  std::uint64_t bytes = 0;

  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

// "Would you vote for me in that term?" Changes nothing where it arrives.
struct PreVoteRequest {
  Term wanted;
  LogPosition last;
};
struct PreVoteAnswer {
  Term wanted;
  bool granted = false;
};

struct VoteRequest {
  LogPosition last;
  bool transfer = false;  // the leader itself asked for this election
};
struct VoteAnswer {
  bool granted = false;
};

struct AppendRequest {
  LogPosition previous;  // what comes directly before `entries`
  std::vector<Entry> entries;
  LogIndex commit;
};
struct AppendAnswer {
  bool accepted = false;
  LogIndex match;        // accepted: durable here, and the same as at the leader, up to it
  LogIndex rejected;     // refused: the index of the `previous` that is not here
  LogPosition possible;  // refused: the last place where both logs may agree
};

struct Heartbeat {
  LogIndex commit;  // not above what the receiver is known to have
  Round round;
};
struct HeartbeatAnswer {
  Round round;
};

// A piece of the leader's latest snapshot. The node leaves `data` empty: whoever carries the
// message fills in `size` bytes from `offset`, or drops it when that snapshot is not there any
// more.
struct SnapshotChunk {
  SnapshotMeta meta;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  Payload data{};
};
struct SnapshotAnswer {
  LogIndex index;  // of the snapshot
  std::uint64_t received = 0;
};

// "Stand for election now": the end of a leadership transfer.
struct TimeoutNow {};

using MessageBody = std::variant<PreVoteRequest, PreVoteAnswer, VoteRequest, VoteAnswer,
                                 AppendRequest, AppendAnswer, Heartbeat, HeartbeatAnswer,
                                 SnapshotChunk, SnapshotAnswer, TimeoutNow>;

struct Message {
  NodeId from = no_node;
  NodeId to = no_node;
  Term term;  // in which the sender is
  MessageBody body;
};

// Whether a node that works can have sent it: consecutive entries, memberships that can be read,
// sizes that fit together.
[[nodiscard]] bool well_formed(const Message& message);

}  // namespace millrace::raft
