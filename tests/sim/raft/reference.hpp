// What must hold in a whole group, checked at every step of every node.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.raft;

namespace millrace::raft::sim {

// What a node was before a step.
struct Before {
  HardState hard_state;
  Role role = Role::follower;
  LogIndex commit;
  bool pre_vote_request = false;  // that is what the step is about
};

// What a state machine is: a digest of all commands so far.
struct MachineState {
  LogIndex applied;
  std::uint64_t digest = 0;

  friend bool operator==(const MachineState&, const MachineState&) = default;
};
void apply(MachineState& state, const Entry& entry);

// Sees all nodes at once and remembers all that was ever decided. The first thing that is wrong
// stays in problem().
class Reference {
 public:
  explicit Reference(Membership first);

  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }
  void fail(std::string problem);

  // `durable` tells whether the disk of a machine holds an entry.
  using Durable = std::function<bool(NodeId, LogPosition)>;
  void check_step(const Before& before, const Node& node, const Effects& effects,
                  const Membership& own_first, const Durable& durable);
  void check_sent(const Message& message);
  void check_restart(NodeId id, const HardState& recovered);
  void check_applied(NodeId id, const MachineState& state);
  void check_snapshot(NodeId id, const SnapshotMeta& meta);
  void check_read(NodeId id, LogIndex required, LogIndex answered);

  [[nodiscard]] LogIndex committed() const {
    return LogIndex{static_cast<std::int64_t>(committed_.size()) - 1};
  }
  [[nodiscard]] std::uint64_t elections() const { return leaders_.size(); }
  [[nodiscard]] std::uint64_t membership_changes() const { return members_.size() - 1; }

 private:
  struct Committed {
    Entry entry;
    MachineState state;
  };
  struct Known {  // an entry that some log held once
    Entry entry;
    Term before;
  };

  void check_terms(const Before& before, const Node& node);
  void check_leader(const Before& before, const Node& node);
  void check_entries(const Before& before, const Node& node, const Effects& effects);
  void check_members(const Node& node, const Membership& own_first);
  void check_commit(const Before& before, const Node& node, const Durable& durable);
  void check_followers(const Node& node, const Durable& durable);
  [[nodiscard]] const Membership& members_at(LogIndex index) const;

  std::optional<std::string> problem_;
  std::vector<Committed> committed_;  // by index; what stands at 0 is before the first entry
  std::map<LogIndex, Membership> members_;
  std::map<std::pair<LogIndex, Term>, Known> known_;
  std::map<Term, NodeId> leaders_;
  std::map<NodeId, HardState> promised_;  // by messages that left
};

}  // namespace millrace::raft::sim
