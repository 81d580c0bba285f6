module;
#include <algorithm>
#include <cstddef>
#include <optional>

#include "planted.hpp"

module millrace.raft;

import millrace.base;

namespace millrace::raft {

void Node::on(Read read) {
  if (role_ != Role::leader) {
    effects_.reads.push_back({read.id, failure(Refusal::not_leader)});
  } else if (reads_.size() >= options_.reads_max) {
    effects_.reads.push_back({read.id, failure(Refusal::busy)});
  } else {
    reads_.add(read.id);
  }
}

// Part of the end of each step of a leader.
void Node::advance_reads() {
  if (reads_.asked()) {
    const bool confirmed = membership().majority_of([this](NodeId node) {
      if (node == self_) return true;
      const Progress* progress = follower(node);
      return progress != nullptr && progress->round() >= *reads_.asked();
    });
    if (confirmed) reads_.round_confirmed();
  }
  // Before the first entry of its term is committed, a leader does not know all that is.
  if (reads_.round_wanted() && own_term_committed()) {
    if (!planted(Planted::read_by_older_round)) round_ = round_.next();
    reads_.begin_round(round_, commit_);
    send_heartbeats();
    const bool alone = membership().majority_of([this](NodeId node) { return node == self_; });
    if (alone || planted(Planted::read_without_round)) reads_.round_confirmed();
  }
  reads_.answer(applied_, effects_.reads);
}

CommittedEntries Node::committed_from(LogIndex from, std::size_t bytes_max) const {
  // Only what is durable here is given: this node can give it again after a crash.
  CommittedEntries committed;
  committed.commit = applied_;
  if (from > applied_ || applied_ < log_.base().index) return committed;
  if (from <= log_.base().index) {
    committed.snapshot = snapshot_;
  } else {
    committed.entries = log_.slice(from, applied_, bytes_max);
  }
  return committed;
}

}  // namespace millrace::raft
