module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

module millrace.raft;

import millrace.base;

namespace millrace::raft {

void Progress::answer_round(Round round) {
  round_ = std::max(round_, round);
}

bool Progress::may_send(const Options& options) const {
  switch (state_) {
    case ProgressState::probe:
      return inflight_.empty();
    case ProgressState::replicate:
      return inflight_.size() < options.inflight_messages_max &&
             inflight_bytes_ < options.inflight_bytes_max;
    case ProgressState::snapshot:
      return false;
  }
  return false;
}

void Progress::sent(LogIndex last, std::size_t bytes, MonotonicTime now) {
  // A message without entries is counted while probing: its answer is waited for.
  if (last < next_ && state_ != ProgressState::probe) return;
  inflight_.push_back({last, bytes, now});
  inflight_bytes_ += bytes;
  if (state_ == ProgressState::replicate) next_ = last.next();
}

bool Progress::acknowledged(LogIndex match) {
  while (!inflight_.empty() && inflight_.front().last <= match) {
    inflight_bytes_ -= inflight_.front().bytes;
    inflight_.pop_front();
  }
  const bool news = match > match_;
  match_ = std::max(match_, match);
  next_ = std::max(next_, match_.next());
  if (state_ == ProgressState::snapshot && match_ < snapshot_.meta.last.index) return news;
  if (state_ != ProgressState::replicate) become_replicate();
  return news;
}

bool Progress::refused(LogIndex rejected, LogIndex next) {
  if (state_ == ProgressState::snapshot || rejected <= match_) return false;
  // While probing only the answer to the probe counts.
  if (state_ == ProgressState::probe && rejected.next() != next_) return false;
  become_probe();
  next_ = std::max(std::min(rejected, next), match_.next());
  return true;
}

bool Progress::overdue(const Options& options, MonotonicTime now) const {
  return !inflight_.empty() && now >= inflight_.front().sent + options.resend_after;
}

void Progress::become_probe() {
  state_ = ProgressState::probe;
  next_ = match_.next();
  clear_inflight();
}

void Progress::become_replicate() {
  state_ = ProgressState::replicate;
  next_ = match_.next();
  clear_inflight();
}

void Progress::begin_snapshot(const SnapshotMeta& meta) {
  state_ = ProgressState::snapshot;
  snapshot_ = {meta, 0, 0};
  clear_inflight();
}

void Progress::snapshot_sent(std::uint64_t offset, std::uint64_t size, MonotonicTime now) {
  snapshot_.offset = offset;
  snapshot_.size = size;
  clear_inflight();
  inflight_.push_back({snapshot_.meta.last.index, 0, now});
}

void Progress::clear_inflight() {
  inflight_.clear();
  inflight_bytes_ = 0;
}

}  // namespace millrace::raft
