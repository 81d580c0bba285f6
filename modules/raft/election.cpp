module;
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "planted.hpp"

module millrace.raft;

import millrace.base;

namespace millrace::raft {
namespace {

// SplitMix64: a counter through a mixing function.
std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

void add_once(std::vector<NodeId>& nodes, NodeId node) {
  if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
}

bool among(const std::vector<NodeId>& nodes, NodeId node) {
  return std::ranges::find(nodes, node) != nodes.end();
}

}  // namespace

void Node::restart_election_timer() {
  const auto range = static_cast<std::uint64_t>(options_.election_timeout_min.count());
  const auto jitter = static_cast<std::int64_t>(next_random(random_) % range);
  election_at_ = now_ + options_.election_timeout_min + Duration(jitter);
}

// Whether an election would disturb: this node leads, or has heard of the leader just now.
bool Node::leader_is_alive() const {
  if (role_ == Role::leader) return true;
  return leader_ != no_node && now_ < leader_heard_ + options_.election_timeout_min;
}

// A node that is removed still stands until the change is known to be committed: it may be the only
// one that has the entry, and the others need its log to go on.
bool Node::may_stand() const {
  if (is_voter()) return true;
  const LogIndex changed = members_.latest_index();
  if (changed <= commit_) return false;
  return members_.at(LogIndex{changed.value() - 1}).is_voter(self_);
}

// First asks whether a majority would vote for it. So a node that was cut off for a while does not
// come back with a term that unseats the leader.
void Node::ask_for_pre_votes() {
  become_follower(term(), no_node);
  role_ = Role::pre_candidate;
  granted_ = {self_};
  for (const NodeId voter : membership().voters()) {
    if (voter != self_) send(voter, PreVoteRequest{term().next(), log_.last()});
  }
  count_votes();
}

void Node::stand_for_election(bool transfer) {
  become_follower(term(), no_node);
  role_ = Role::candidate;
  set_hard_state({term().next(), self_});
  for (const NodeId voter : membership().voters()) {
    if (voter != self_) send(voter, VoteRequest{log_.last(), transfer});
  }
}

void Node::count_votes() {
  // The own vote counts as any other: when it is durable.
  if (role_ == Role::candidate && persistence_.hard_state_durable()) add_once(granted_, self_);
  if (membership().majority_of([this](NodeId node) { return among(granted_, node); })) {
    if (role_ == Role::pre_candidate) {
      stand_for_election(false);
    } else {
      become_leader();
    }
  } else if (membership().majority_of([this](NodeId node) { return among(denied_, node); })) {
    become_follower(term(), no_node);
  }
}

void Node::become_leader() {
  check(persistence_.hard_state_durable() || planted(Planted::vote_not_synced),
        "a leader's term is durable");
  role_ = Role::leader;
  leader_ = self_;
  round_ = Round{};
  incoming_.reset();
  acknowledgement_owed_.reset();
  followers_.clear();
  follow_membership();
  uncommitted_bytes_ = 0;
  for (LogIndex index = commit_.next(); index <= log_.last().index; index = index.next()) {
    uncommitted_bytes_ += bytes_of(log_.at(index));
  }
  quorum_check_at_ = now_ + options_.election_timeout_min;
  // Entries of earlier terms are committed by one of this term that stands above them.
  static_cast<void>(append_own(EntryKind::leader, {}));
  send_heartbeats();
}

// A leader that is cut off must not believe for ever that it leads.
void Node::check_quorum() {
  const MonotonicTime since = now_ - options_.election_timeout_min;
  const bool heard = membership().majority_of([&](NodeId node) {
    if (node == self_) return true;
    const Progress* progress = follower(node);
    return progress != nullptr && progress->heard() >= since;
  });
  quorum_check_at_ = now_ + options_.election_timeout_min;
  if (!heard) become_follower(term(), no_node);
}

void Node::on(const Message& message, PreVoteRequest& request) {
  const bool granted =
      request.wanted > term() && !leader_is_alive() && up_to_date(request.last, log_.last());
  send(message.from, PreVoteAnswer{request.wanted, granted});
}

void Node::on(const Message& message, PreVoteAnswer& answer) {
  if (role_ != Role::pre_candidate || answer.wanted != term().next()) return;
  add_once(answer.granted ? granted_ : denied_, message.from);
  count_votes();
}

// Whether the asking node is a member does not matter: it may know of a change that this node has
// not heard of yet.
void Node::on(const Message& message, VoteRequest& request) {
  const NodeId vote = hard_state_.vote;
  const bool free = vote == message.from || (vote == no_node && leader_ == no_node) ||
                    planted(Planted::second_vote_in_term);
  const bool granted =
      free && (up_to_date(request.last, log_.last()) || planted(Planted::log_not_compared_at_vote));
  if (granted) {
    set_hard_state({term(), message.from});
    restart_election_timer();
  }
  send(message.from, VoteAnswer{granted});
}

void Node::on(const Message& message, VoteAnswer& answer) {
  if (role_ != Role::candidate) return;
  add_once(answer.granted ? granted_ : denied_, message.from);
  count_votes();
}

void Node::on(const Message& message, TimeoutNow&) {
  if (role_ == Role::leader || message.from != leader_ || !is_voter()) return;
  stand_for_election(true);
}

}  // namespace millrace::raft
