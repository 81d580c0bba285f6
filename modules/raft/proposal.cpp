module;
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

#include "planted.hpp"

module millrace.raft;

import millrace.base;

namespace millrace::raft {

std::optional<Refusal> Node::refusal_of(std::size_t bytes) const {
  if (role_ != Role::leader) return Refusal::not_leader;
  if (transfer_) return Refusal::transferring;
  if (bytes > options_.entry_bytes_max) return Refusal::too_large;
  const auto uncommitted = static_cast<std::size_t>(log_.last().index.since(commit_));
  if (uncommitted >= options_.uncommitted_entries_max) return Refusal::busy;
  if (uncommitted_bytes_ + bytes + entry_overhead_bytes > options_.uncommitted_bytes_max) {
    return Refusal::busy;
  }
  return std::nullopt;
}

bool Node::own_term_committed() const {
  return log_.term_at(commit_) == term();
}

// Two changes that are both uncommitted, or one that begins before the term has committed anything,
// may take majorities that share no node.
std::optional<Refusal> Node::refusal_of(MembershipChange change) const {
  if (!own_term_committed() && !planted(Planted::change_before_own_term)) {
    return Refusal::term_not_begun;
  }
  if (members_.latest_index() > commit_ && !planted(Planted::two_changes_at_once)) {
    return Refusal::change_pending;
  }
  if (change.change != MemberChange::promote_learner) return std::nullopt;
  const auto learner = followers_.find(change.node);
  if (learner == followers_.end()) return Refusal::invalid_change;
  const auto lag = static_cast<std::size_t>(log_.last().index.since(learner->second.match()));
  if (lag > options_.learner_lag_max) return Refusal::not_caught_up;
  return std::nullopt;
}

LogPosition Node::append_own(EntryKind kind, Payload data) {
  Entry entry{log_.last().index.next(), term(), kind, std::move(data)};
  const LogPosition position = entry.position();
  uncommitted_bytes_ += bytes_of(entry);
  append(std::move(entry));
  if (kind == EntryKind::membership) follow_membership();
  // They may have the entry on their disks before it is on this one.
  send_entries_to_all(EmptyAppend::no);
  if (planted(Planted::leader_counts_unsynced)) advance_commit();
  return position;
}

void Node::on(Propose& proposal) {
  if (const auto refusal = refusal_of(proposal.data.size())) {
    effects_.answer = failure(*refusal);
    return;
  }
  effects_.answer = append_own(EntryKind::command, std::move(proposal.data));
}

void Node::on(ChangeMembership change) {
  auto refusal = refusal_of(std::size_t{0});
  if (!refusal) refusal = refusal_of(change.change);
  if (refusal) {
    effects_.answer = failure(*refusal);
    return;
  }
  const auto members = membership().after(change.change);
  effects_.answer =
      members ? Result<LogPosition, Refusal>(append_own(EntryKind::membership, members->encode()))
              : failure(Refusal::invalid_change);
}

// Begins and ends to send to those who came and went.
void Node::follow_membership() {
  std::erase_if(followers_,
                [this](const auto& item) { return !membership().contains(item.first); });
  const auto add = [this](NodeId node) {
    if (node != self_) followers_.try_emplace(node, log_.last().index.next(), now_);
  };
  for (const NodeId node : membership().voters()) add(node);
  for (const NodeId node : membership().learners()) add(node);
}

void Node::on(TransferLeadership transfer) {
  if (auto refusal = refusal_of(std::size_t{0})) {
    effects_.answer = failure(*refusal);
    return;
  }
  if (!membership().is_voter(transfer.to)) {
    effects_.answer = failure(Refusal::not_a_voter);
    return;
  }
  effects_.answer = log_.last();
  if (transfer.to == self_) return;
  transfer_ = Transfer{transfer.to, now_ + options_.election_timeout_min};
  continue_transfer();
}

// The new leader must have all entries, so that it wins at once; none are added meanwhile.
void Node::continue_transfer() {
  if (!transfer_ || transfer_->told) return;
  const Progress* progress = follower(transfer_->to);
  if (progress == nullptr || progress->match() < log_.last().index) return;
  transfer_->told = true;
  send(transfer_->to, TimeoutNow{});
}

}  // namespace millrace::raft
