// One node of the group: the algorithm itself.
module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <variant>
#include <vector>

export module millrace.raft:node;

import millrace.base;
import :events;
import :log;
import :membership;
import :message;
import :options;
import :persistence;
import :progress;
import :reads;
import :types;

export namespace millrace::raft {

// What was durable when the node stopped.
struct Recovered {
  HardState hard_state;
  // The latest snapshot, or where a group begins: position 0 and its first members. No members in
  // a node that is to join a group: it learns them from the log.
  SnapshotMeta snapshot;
  // Consecutive. Those that the snapshot covers are skipped; the rest begins directly above it.
  std::vector<Entry> entries;
};

// A piece of what is committed, for those who follow the group without being its members.
struct CommittedEntries {
  std::vector<Entry> entries;
  LogIndex commit;
  // Set when what was asked for is compacted away: begin with this snapshot.
  std::optional<SnapshotMeta> snapshot;
};

// Decides for one member of the group: takes what happened and the time, returns what is to be
// done. It has no thread, file, socket, clock or randomness of its own: the same events and seed
// give the same effects. Its owner calls it from one thread, carries out the effects of a step
// before the next one begins, and keeps the state machine. What is old, or what no node that works
// can have sent, is dropped. What would break a promise of the algorithm (a second leader in a
// term, another entry where one is committed) ends the process. Effects that the owner cannot carry
// out (a failed sync) end the node: the owner stops calling it, and makes a new one from what is
// durable.
class Node {
 public:
  // `options` are valid; `recovered` is what this node itself wrote, and is checked. The first step
  // is TimerExpired.
  Node(NodeId self, Options options, Recovered recovered, MonotonicTime now);

  // `now` never goes back.
  [[nodiscard]] Effects step(Event event, MonotonicTime now);

  [[nodiscard]] NodeId self() const { return self_; }
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] Term term() const { return hard_state_.term; }
  [[nodiscard]] const HardState& hard_state() const { return hard_state_; }
  [[nodiscard]] NodeId leader() const { return leader_; }  // as far as this node knows
  [[nodiscard]] const Log& log() const { return log_; }
  [[nodiscard]] LogIndex durable() const { return persistence_.durable(); }
  [[nodiscard]] LogIndex commit() const { return commit_; }
  [[nodiscard]] LogIndex applied() const { return applied_; }
  [[nodiscard]] const Membership& membership() const { return members_.latest(); }
  [[nodiscard]] const SnapshotMeta& snapshot() const { return snapshot_; }

  // What describes a snapshot of the state after the last applied entry. Nothing when there is
  // nothing new since the latest one, while one is being installed, or while a node that joins does
  // not know the members yet.
  [[nodiscard]] std::optional<SnapshotMeta> describe_snapshot(std::uint64_t bytes) const;
  // For followers that are no members. Every node can serve them; it may be behind the leader.
  [[nodiscard]] CommittedEntries committed_from(LogIndex from, std::size_t bytes_max) const;
  // How far each other member is; empty unless this node leads.
  [[nodiscard]] const std::map<NodeId, Progress>& followers() const { return followers_; }

 private:
  struct Transfer {
    NodeId to;
    MonotonicTime until;
    bool told = false;
  };
  struct Incoming {  // a snapshot
    SnapshotMeta meta;
    std::uint64_t received = 0;
  };
  enum class EmptyAppend : bool { no, yes };

  // --- node.cpp: events, terms, and the end of a step ---
  void on(TimerExpired);
  void on(Received& received);
  void on(Persisted persisted);
  void on(SnapshotSaved& saved);
  void dispatch(Message& message);
  void answer_old_term(const Message& message);
  void become_follower(Term term, NodeId leader);
  void set_hard_state(HardState hard_state);
  void send(NodeId to, MessageBody body);
  void append(Entry entry);
  void truncate_from(LogIndex index);
  void finish();

  // --- election.cpp ---
  void restart_election_timer();
  [[nodiscard]] bool leader_is_alive() const;
  [[nodiscard]] bool is_voter() const { return membership().is_voter(self_); }
  [[nodiscard]] bool may_stand() const;
  void ask_for_pre_votes();
  void stand_for_election(bool transfer);
  void count_votes();
  void become_leader();
  void check_quorum();
  void on(const Message& message, PreVoteRequest& request);
  void on(const Message& message, PreVoteAnswer& answer);
  void on(const Message& message, VoteRequest& request);
  void on(const Message& message, VoteAnswer& answer);
  void on(const Message& message, TimeoutNow& request);

  // --- follower.cpp: what a leader sends ---
  void hear_leader(NodeId leader);
  void on(const Message& message, AppendRequest& request);
  void on(const Message& message, Heartbeat& heartbeat);
  void take_entries(std::vector<Entry>& entries);
  void commit_to(LogIndex index);
  void acknowledge(LogIndex match);
  void send_owed_acknowledgement();

  // --- replication.cpp: what a leader does about its followers ---
  [[nodiscard]] Progress* follower(NodeId node);
  void send_entries(NodeId to, Progress& progress, EmptyAppend empty);
  void send_entries_to_all(EmptyAppend empty);
  void send_heartbeats();
  void on(const Message& message, AppendAnswer& answer);
  void on(const Message& message, HeartbeatAnswer& answer);
  void advance_commit();

  // --- proposal.cpp: entries, members, leadership, as asked for ---
  void on(Propose& proposal);
  void on(ChangeMembership change);
  void on(TransferLeadership transfer);
  [[nodiscard]] std::optional<Refusal> refusal_of(std::size_t bytes) const;
  [[nodiscard]] std::optional<Refusal> refusal_of(MembershipChange change) const;
  [[nodiscard]] bool own_term_committed() const;
  [[nodiscard]] LogPosition append_own(EntryKind kind, Payload data);
  void follow_membership();
  void continue_transfer();

  // --- snapshot.cpp ---
  void send_chunk(NodeId to, Progress& progress, std::uint64_t offset);
  void on(const Message& message, SnapshotChunk& chunk);
  void on(const Message& message, SnapshotAnswer& answer);
  void install(const SnapshotMeta& meta);

  // --- read.cpp ---
  void on(Read read);
  void advance_reads();

  const NodeId self_;
  const Options options_;
  std::uint64_t random_;
  MonotonicTime now_;

  HardState hard_state_;
  HardState written_;  // as it was last handed out
  Role role_ = Role::follower;
  NodeId leader_ = no_node;
  MonotonicTime leader_heard_;
  MonotonicTime election_at_;
  Log log_;
  MembershipHistory members_;
  SnapshotMeta snapshot_;  // the latest that is durable
  Persistence persistence_;
  LogIndex commit_;
  LogIndex applied_;  // handed out

  // As a follower.
  std::optional<LogIndex> acknowledgement_owed_;
  std::optional<Incoming> incoming_;

  // As one who wants to be elected.
  std::vector<NodeId> granted_;
  std::vector<NodeId> denied_;

  // As a leader.
  std::map<NodeId, Progress> followers_;
  MonotonicTime heartbeat_at_;
  MonotonicTime quorum_check_at_;
  Round round_;
  Reads reads_;
  std::size_t uncommitted_bytes_ = 0;
  std::optional<Transfer> transfer_;

  Effects effects_;  // of the step under way
};

}  // namespace millrace::raft
