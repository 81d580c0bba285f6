module;
#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "planted.hpp"

module millrace.raft;

import millrace.base;

namespace millrace::raft {

Node::Node(NodeId self, Options options, Recovered recovered, MonotonicTime now)
    : self_(self),
      options_(options),
      random_(options.seed),
      now_(now),
      hard_state_(recovered.hard_state),
      written_(recovered.hard_state),
      log_(recovered.snapshot.last),
      members_(recovered.snapshot.last.index, recovered.snapshot.membership),
      snapshot_(std::move(recovered.snapshot)),
      persistence_(LogIndex{}),
      commit_(snapshot_.last.index),
      applied_(snapshot_.last.index) {
  check(validate(options_).has_value(), "options were validated");
  for (Entry& entry : recovered.entries) {
    if (entry.index <= snapshot_.last.index) continue;
    check(entry.term <= hard_state_.term, "the term is durable before its entries are");
    if (entry.kind == EntryKind::membership) {
      auto membership = Membership::decode(entry.data.bytes());
      check(membership.has_value(), "a membership was checked before it was appended");
      members_.append(entry.index, std::move(*membership));
    }
    log_.append(std::move(entry));
  }
  persistence_ = Persistence(log_.last().index);
  restart_election_timer();
  // There is nobody else to wait for.
  if (is_voter() && membership().voters().size() == 1) election_at_ = now_;
}

Effects Node::step(Event event, MonotonicTime now) {
  now_ = std::max(now_, now);
  effects_ = Effects{};
  std::visit([this](auto& what) { on(what); }, event);
  finish();
  return std::exchange(effects_, Effects{});
}

void Node::on(TimerExpired) {
  if (role_ != Role::leader) {
    if (now_ < election_at_) return;
    if (may_stand()) {
      ask_for_pre_votes();
    } else {
      leader_ = no_node;
      restart_election_timer();
    }
    return;
  }
  if (now_ >= quorum_check_at_) check_quorum();
  if (role_ != Role::leader) return;
  if (transfer_ && now_ >= transfer_->until) transfer_.reset();
  if (now_ >= heartbeat_at_) send_heartbeats();
}

void Node::on(Received& received) {
  Message& message = received.message;
  if (message.to != self_ || message.from == self_ || !well_formed(message)) return;
  // Who grants a pre-vote may be in an earlier term: it has changed nothing.
  const bool pre_vote = std::holds_alternative<PreVoteAnswer>(message.body);
  if (message.term < term() && !pre_vote) return answer_old_term(message);
  if (message.term <= term()) return dispatch(message);

  // Whoever asks for a pre-vote is in no later term yet that concerns others.
  if (std::holds_alternative<PreVoteRequest>(message.body) &&
      !planted(Planted::pre_vote_raises_term)) {
    return dispatch(message);
  }
  const auto* vote = std::get_if<VoteRequest>(&message.body);
  // A node that was removed, or cut off, must not depose a leader that others hear.
  if (vote != nullptr && !vote->transfer && leader_is_alive()) return;
  if (!planted(Planted::higher_term_ignored)) become_follower(message.term, no_node);
  dispatch(message);
}

void Node::dispatch(Message& message) {
  if (Progress* progress = follower(message.from)) progress->hear(now_);
  std::visit([&](auto& body) { on(message, body); }, message.body);
}

// The sender learns the term from any answer. A leader of an old term stops to lead by that, even
// if this node would not get through with a vote request.
void Node::answer_old_term(const Message& message) {
  if (std::holds_alternative<AppendRequest>(message.body) ||
      std::holds_alternative<Heartbeat>(message.body) ||
      std::holds_alternative<SnapshotChunk>(message.body)) {
    send(message.from, HeartbeatAnswer{});
  } else if (const auto* request = std::get_if<PreVoteRequest>(&message.body)) {
    send(message.from, PreVoteAnswer{request->wanted, false});
  } else if (std::holds_alternative<VoteRequest>(message.body)) {
    send(message.from, VoteAnswer{false});
  }
}

void Node::on(Persisted persisted) {
  const LogIndex durable_before = durable();
  persistence_.persisted(persisted.write);
  for (Message& message : persistence_.release()) effects_.messages.push_back(std::move(message));
  if (role_ == Role::candidate) count_votes();
  if (role_ == Role::leader) advance_commit();
  if (durable() > durable_before) send_owed_acknowledgement();
}

void Node::become_follower(Term term, NodeId leader) {
  check(term >= this->term(), "a term never goes back");
  const bool led = role_ == Role::leader;
  role_ = Role::follower;
  leader_ = leader;
  granted_.clear();
  denied_.clear();
  followers_.clear();
  transfer_.reset();
  uncommitted_bytes_ = 0;
  if (led) reads_.refuse_all(effects_.reads);
  restart_election_timer();
  if (term == this->term()) return;
  // What was promised or half received was for the leader of an earlier term.
  acknowledgement_owed_.reset();
  incoming_.reset();
  set_hard_state({term, no_node});
}

void Node::set_hard_state(HardState hard_state) {
  if (hard_state == hard_state_) return;
  hard_state_ = hard_state;
  persistence_.hard_state_changes();
}

// No message leaves before the term that it names, and the vote in it, are durable.
void Node::send(NodeId to, MessageBody body) {
  Message message{self_, to, term(), std::move(body)};
  if (persistence_.hard_state_durable() || planted(Planted::vote_not_synced)) {
    effects_.messages.push_back(std::move(message));
  } else {
    persistence_.hold(std::move(message));
  }
}

void Node::append(Entry entry) {
  const LogIndex index = entry.index;
  if (entry.kind == EntryKind::membership) {
    auto membership = Membership::decode(entry.data.bytes());
    check(membership.has_value(), "a membership is checked before it is appended");
    members_.append(index, std::move(*membership));
  }
  if (!effects_.write) effects_.write.emplace();
  effects_.write->entries.push_back(entry);
  log_.append(std::move(entry));
  persistence_.log_changes(index, index);
}

void Node::truncate_from(LogIndex index) {
  check(index > commit_, "what is committed is never cut off");
  log_.truncate_from(index);
  if (!planted(Planted::change_kept_after_truncation)) members_.truncate_from(index);
}

void Node::finish() {
  // Applied is what is durable here: a state machine is never ahead of the log on disk.
  while (applied_ < std::min(commit_, persistence_.durable())) {
    // A snapshot was installed: the state machine takes its state in one go.
    if (applied_ < log_.base().index) {
      effects_.restore = snapshot_;
      applied_ = snapshot_.last.index;
      continue;
    }
    applied_ = applied_.next();
    effects_.committed.push_back(log_.at(applied_));
  }
  if (role_ == Role::leader) advance_reads();
  if (persistence_.open()) {
    if (!effects_.write) effects_.write.emplace();
    if (hard_state_ != written_) effects_.write->hard_state = written_ = hard_state_;
    effects_.write->number = persistence_.seal();
  }
  effects_.deadline = election_at_;
  if (role_ != Role::leader) return;
  effects_.deadline = std::min(heartbeat_at_, quorum_check_at_);
  if (transfer_) effects_.deadline = std::min(effects_.deadline, transfer_->until);
}

}  // namespace millrace::raft
