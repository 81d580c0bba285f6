module;
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.raft;

import millrace.base;

namespace millrace::raft {

Progress* Node::follower(NodeId node) {
  const auto found = followers_.find(node);
  return found == followers_.end() ? nullptr : &found->second;
}

void Node::send_entries(NodeId to, Progress& progress, EmptyAppend empty) {
  bool send_empty = empty == EmptyAppend::yes;
  while (progress.may_send(options_)) {
    const LogIndex previous{progress.next().value() - 1};
    const auto term = log_.term_at(previous);
    if (!term) {
      progress.begin_snapshot(snapshot_);
      send_chunk(to, progress, 0);
      return;
    }
    std::vector<Entry> entries =
        log_.slice(progress.next(), log_.last().index, options_.append_bytes_max);
    // The first probe may be empty: it finds out where the logs agree.
    if (entries.empty() && !send_empty) return;
    send_empty = false;
    std::size_t bytes = 0;
    for (const Entry& entry : entries) bytes += bytes_of(entry);
    progress.sent(previous.plus(static_cast<std::int64_t>(entries.size())), bytes, now_);
    send(to, AppendRequest{{previous, *term}, std::move(entries), commit_});
  }
}

void Node::send_entries_to_all(EmptyAppend empty) {
  for (auto& [node, progress] : followers_) send_entries(node, progress, empty);
}

void Node::send_heartbeats() {
  heartbeat_at_ = now_ + options_.heartbeat_interval;
  for (const auto& [node, progress] : followers_) {
    send(node, Heartbeat{std::min(commit_, progress.match()), round_});
  }
}

void Node::on(const Message& message, AppendAnswer& answer) {
  Progress* progress = follower(message.from);
  if (progress == nullptr) return;
  if (!answer.accepted) {
    const LogPosition agree = log_.last_possible_match(answer.possible.index, answer.possible.term);
    if (!progress->refused(answer.rejected, agree.index.next())) return;
    send_entries(message.from, *progress, EmptyAppend::yes);
    return;
  }
  if (answer.match > log_.last().index) return;
  const bool probing = progress->state() != ProgressState::replicate;
  if (progress->acknowledged(answer.match)) advance_commit();
  // This may have ended the leadership.
  progress = follower(message.from);
  if (progress == nullptr) return;
  // Who was being probed may not know what is committed.
  send_entries(message.from, *progress, probing ? EmptyAppend::yes : EmptyAppend::no);
  continue_transfer();
}

void Node::on(const Message& message, HeartbeatAnswer& answer) {
  Progress* progress = follower(message.from);
  if (progress == nullptr) return;
  progress->answer_round(answer.round);
  if (progress->overdue(options_, now_)) {
    if (progress->state() == ProgressState::snapshot) {
      send_chunk(message.from, *progress, progress->snapshot().offset);
      return;
    }
    progress->become_probe();
  }
  // While probing each heartbeat is a chance to find out where the logs agree.
  const bool behind = progress->match() < log_.last().index;
  send_entries(message.from, *progress, behind ? EmptyAppend::yes : EmptyAppend::no);
}

// An entry of this term that a majority has on its disks is committed, and with it all before.
// Entries of earlier terms are not counted: a leader that lacks them could still be elected.
void Node::advance_commit() {
  const LogIndex reached = membership().majority_index([this](NodeId node) {
    if (node == self_) {
      return planted(Planted::leader_counts_unsynced) ? log_.last().index : durable();
    }
    const Progress* progress = follower(node);
    return progress == nullptr ? LogIndex{} : progress->match();
  });
  if (reached <= commit_) return;
  if (log_.term_at(reached) != term() && !planted(Planted::old_term_committed)) return;
  for (LogIndex index = commit_.next(); index <= reached; index = index.next()) {
    uncommitted_bytes_ -= bytes_of(log_.at(index));
  }
  commit_ = reached;
  if (members_.latest_index() <= commit_ && !is_voter()) {
    // The change that removed this node is committed: others go on without it.
    send_entries_to_all(EmptyAppend::yes);
    send_heartbeats();
    become_follower(term(), no_node);
    return;
  }
  // Followers learn what is committed without waiting for the next entry.
  send_entries_to_all(EmptyAppend::yes);
}

}  // namespace millrace::raft
