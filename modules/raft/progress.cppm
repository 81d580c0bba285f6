// What a leader knows of one other member, and what it may send it.
module;
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

export module millrace.raft:progress;

import millrace.base;
import :message;
import :options;
import :types;

export namespace millrace::raft {

enum class ProgressState : std::uint8_t {
  probe,      // where the logs agree is not known: one message at a time
  replicate,  // they agree: messages follow each other without waiting, up to limits
  snapshot,   // it needs entries that are compacted away: a snapshot goes first
};

// Where one snapshot is on its way.
struct SnapshotTransfer {
  SnapshotMeta meta;
  std::uint64_t offset = 0;  // of the piece that was sent last
  std::uint64_t size = 0;
};

// Owned by a leader, one for each other member; ends with its term.
class Progress {
 public:
  // `next` is the first guess of what it lacks.
  Progress(LogIndex next, MonotonicTime now) : next_(next), heard_(now) {}

  [[nodiscard]] ProgressState state() const { return state_; }
  [[nodiscard]] LogIndex match() const { return match_; }  // durable there
  [[nodiscard]] LogIndex next() const { return next_; }    // to be sent
  [[nodiscard]] const SnapshotTransfer& snapshot() const { return snapshot_; }

  // When it was last heard of, and the newest round that it answered.
  [[nodiscard]] MonotonicTime heard() const { return heard_; }
  void hear(MonotonicTime now) { heard_ = now; }
  [[nodiscard]] Round round() const { return round_; }
  void answer_round(Round round);

  // Whether entries may be sent now.
  [[nodiscard]] bool may_send(const Options& options) const;
  // Entries up to `last`, none if it is below next(), have been sent.
  void sent(LogIndex last, std::size_t bytes, MonotonicTime now);
  // All up to `match` is durable there. False if that is no news.
  bool acknowledged(LogIndex match);
  // It lacks the entry at `rejected`. False if that is old news.
  bool refused(LogIndex rejected, LogIndex next);
  // What was sent and not answered for too long counts as lost.
  [[nodiscard]] bool overdue(const Options& options, MonotonicTime now) const;

  void become_probe();
  void begin_snapshot(const SnapshotMeta& meta);
  void snapshot_sent(std::uint64_t offset, std::uint64_t size, MonotonicTime now);

 private:
  struct Inflight {
    LogIndex last;
    std::size_t bytes = 0;
    MonotonicTime sent;
  };

  void become_replicate();
  void clear_inflight();

  ProgressState state_ = ProgressState::probe;
  LogIndex match_;
  LogIndex next_;
  MonotonicTime heard_;
  Round round_;
  // Sent and not answered. While probing at most one.
  std::deque<Inflight> inflight_;
  std::size_t inflight_bytes_ = 0;
  SnapshotTransfer snapshot_;
};

}  // namespace millrace::raft
