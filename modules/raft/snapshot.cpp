module;
#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "planted.hpp"

module millrace.raft;

import millrace.base;

namespace millrace::raft {

std::optional<SnapshotMeta> Node::describe_snapshot(std::uint64_t bytes) const {
  if (applied_ <= snapshot_.last.index) return std::nullopt;
  // A node that joins does not know the members before the change that added it.
  if (members_.at(applied_).voters().empty()) return std::nullopt;
  const auto term = log_.term_at(applied_);
  check(term.has_value(), "what was applied after the last snapshot is in the log");
  return SnapshotMeta{{applied_, *term}, members_.at(applied_), bytes};
}

void Node::on(SnapshotSaved& saved) {
  // One that was installed meanwhile is newer.
  if (saved.meta.last.index <= snapshot_.last.index) return;
  check(saved.meta.last.index <= applied_, "a snapshot holds what was applied");
  snapshot_ = std::move(saved.meta);
  const auto kept = static_cast<std::int64_t>(options_.entries_kept);
  const LogIndex through{snapshot_.last.index.value() - kept};
  if (through <= log_.base().index) return;
  log_.compact_through(through);
  members_.compact_through(through);
  effects_.compact_through = through;
}

void Node::send_chunk(NodeId to, Progress& progress, std::uint64_t offset) {
  // A newer snapshot has taken the place of the one that was on its way.
  if (progress.snapshot().meta != snapshot_) {
    progress.begin_snapshot(snapshot_);
    offset = 0;
  }
  const std::uint64_t size =
      std::min<std::uint64_t>(snapshot_.bytes - offset, options_.snapshot_chunk_bytes_max);
  progress.snapshot_sent(offset, size, now_);
  send(to, SnapshotChunk{snapshot_, offset, size, {}});
}

void Node::on(const Message& message, SnapshotAnswer& answer) {
  Progress* progress = follower(message.from);
  if (progress == nullptr || progress->state() != ProgressState::snapshot) return;
  const SnapshotTransfer& sent = progress->snapshot();
  if (answer.index != sent.meta.last.index || answer.received > sent.meta.bytes) return;
  // An answer to an older piece. If what was sent since is lost, it is sent again in time.
  if (answer.received == sent.offset && sent.offset > 0) return;
  // That the whole is there, an AppendAnswer tells when it is durable.
  if (answer.received == sent.meta.bytes) return;
  // It may have more than was sent last: an answer that came late made this node send again.
  send_chunk(message.from, *progress, answer.received);
}

void Node::on(const Message& message, SnapshotChunk& chunk) {
  hear_leader(message.from);
  const SnapshotMeta& meta = chunk.meta;
  if (meta.last.index <= commit_) {
    incoming_.reset();
    acknowledge(commit_);
    return;
  }
  if (!incoming_ || incoming_->meta != meta) incoming_ = Incoming{meta, 0};
  if (chunk.offset == 0) incoming_->received = 0;
  if (chunk.offset == incoming_->received) {
    incoming_->received += chunk.size;
    effects_.snapshot_part = SnapshotPart{meta, chunk.offset, std::move(chunk.data)};
  }
  if (incoming_->received < meta.bytes) {
    send(message.from, SnapshotAnswer{meta.last.index, incoming_->received});
    return;
  }
  incoming_.reset();
  install(meta);
}

void Node::install(const SnapshotMeta& meta) {
  const LogPosition last = meta.last;
  if (log_.holds(last)) {
    // Nothing is missing here but the news that it is committed.
    commit_to(last.index);
  } else {
    log_.reset(last);
    members_ = MembershipHistory(
        last.index, planted(Planted::snapshot_loses_membership) ? membership() : meta.membership);
    commit_ = last.index;
    snapshot_ = meta;
    if (!effects_.write) effects_.write.emplace();
    effects_.write->install = meta;
    persistence_.log_changes(LogIndex{1}, last.index);
  }
  if (planted(Planted::snapshot_before_sync)) {
    send(leader_, AppendAnswer{true, last.index, {}, {}});
    return;
  }
  acknowledge(last.index);
}

}  // namespace millrace::raft
