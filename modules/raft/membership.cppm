// Who belongs to the group.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

export module millrace.raft:membership;

import millrace.base;
import :types;

export namespace millrace::raft {

enum class MemberChange : std::uint8_t {
  add_learner,      // a node that is not a member; it receives the log and has no vote
  promote_learner,  // it becomes a voter
  remove,           // a voter or a learner
};

// One step: any majority before it and any after it share a node.
struct MembershipChange {
  MemberChange change = MemberChange::add_learner;
  NodeId node = no_node;
};

// Voters and learners, as a value. Brokers that only read what is committed are no members.
class Membership {
 public:
  Membership() = default;
  // No node twice.
  explicit Membership(std::vector<NodeId> voters, std::vector<NodeId> learners = {});

  [[nodiscard]] const std::vector<NodeId>& voters() const { return voters_; }
  [[nodiscard]] const std::vector<NodeId>& learners() const { return learners_; }
  [[nodiscard]] bool is_voter(NodeId node) const;
  [[nodiscard]] bool is_learner(NodeId node) const;
  [[nodiscard]] bool contains(NodeId node) const { return is_voter(node) || is_learner(node); }
  [[nodiscard]] std::size_t majority() const { return voters_.size() / 2 + 1; }

  // Whether a majority of the voters is such.
  [[nodiscard]] bool majority_of(const std::function<bool(NodeId)>& such) const;
  // The highest index that a majority of the voters has reached.
  [[nodiscard]] LogIndex majority_index(const std::function<LogIndex(NodeId)>& reached) const;

  // The members after the change. Fails when it would change nothing, would remove the last voter
  // or would pass members_max.
  [[nodiscard]] Result<Membership> after(MembershipChange change) const;

  // As the data of an entry: docs/formats/raft-membership.md.
  [[nodiscard]] Payload encode() const;
  [[nodiscard]] static Result<Membership> decode(ByteView bytes);

  friend bool operator==(const Membership&, const Membership&) = default;

 private:
  std::vector<NodeId> voters_;  // both in ascending order
  std::vector<NodeId> learners_;
};

[[nodiscard]] std::string to_string(const Membership& membership);

// The members at each place of the log from its base on. A change holds from the moment that its
// entry is appended, and no longer when that entry is cut off.
class MembershipHistory {
 public:
  MembershipHistory(LogIndex base, Membership membership);

  [[nodiscard]] const Membership& latest() const { return steps_.back().second; }
  [[nodiscard]] LogIndex latest_index() const { return steps_.back().first; }
  // `index` is not below the base.
  [[nodiscard]] const Membership& at(LogIndex index) const;

  void append(LogIndex index, Membership membership);
  void truncate_from(LogIndex index);
  void compact_through(LogIndex index);

 private:
  std::vector<std::pair<LogIndex, Membership>> steps_;  // never empty
};

}  // namespace millrace::raft
