module;
#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.raft;

import millrace.base;

namespace millrace::raft {

void Node::hear_leader(NodeId leader) {
  check(role_ != Role::leader, "a term has one leader");
  if (role_ != Role::follower) become_follower(term(), leader);
  leader_ = leader;
  leader_heard_ = now_;
  restart_election_timer();
}

void Node::on(const Message& message, AppendRequest& request) {
  hear_leader(message.from);
  if (request.previous.index < commit_) {
    // Old, or from a leader that does not know yet how far this node is. What is committed is the
    // same everywhere.
    acknowledge(commit_);
    return;
  }
  if (!log_.holds(request.previous)) {
    const LogPosition possible =
        log_.last_possible_match(request.previous.index, request.previous.term);
    send(message.from, AppendAnswer{false, {}, request.previous.index, possible});
    return;
  }
  const LogIndex last =
      request.entries.empty() ? request.previous.index : request.entries.back().index;
  take_entries(request.entries);
  commit_to(std::min(request.commit, last));
  acknowledge(last);
}

// Cuts nothing off that agrees: the message may be older than what is here.
void Node::take_entries(std::vector<Entry>& entries) {
  std::size_t missing = log_.first_missing(entries);
  if (planted(Planted::matching_tail_truncated)) missing = 0;
  if (missing == entries.size()) return;
  if (entries[missing].index <= log_.last().index) {
    if (planted(Planted::conflicting_tail_kept)) {
      while (missing < entries.size() && entries[missing].index <= log_.last().index) ++missing;
    } else {
      truncate_from(entries[missing].index);
    }
  }
  for (Entry& entry : std::span(entries).subspan(missing)) append(std::move(entry));
}

void Node::on(const Message& message, Heartbeat& heartbeat) {
  hear_leader(message.from);
  commit_to(std::min(heartbeat.commit, log_.last().index));
  send(message.from, HeartbeatAnswer{heartbeat.round});
}

void Node::commit_to(LogIndex index) {
  commit_ = std::max(commit_, index);
}

// The leader counts on what is acknowledged, so it is said of durable entries only; of others
// later, when they are.
void Node::acknowledge(LogIndex match) {
  if (planted(Planted::append_not_synced)) {
    send(leader_, AppendAnswer{true, match, {}, {}});
    return;
  }
  acknowledgement_owed_ = acknowledgement_owed_ ? std::max(*acknowledgement_owed_, match) : match;
  if (*acknowledgement_owed_ <= durable()) send_owed_acknowledgement();
}

void Node::send_owed_acknowledgement() {
  if (!acknowledgement_owed_ || leader_ == no_node) return;
  send(leader_, AppendAnswer{true, std::min(*acknowledgement_owed_, durable()), {}, {}});
  if (*acknowledgement_owed_ <= durable()) acknowledgement_owed_.reset();
}

}  // namespace millrace::raft
