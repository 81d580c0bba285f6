// Which leader wrote which part of a log.
module;
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

export module millrace.storage.producers:epochs;

import millrace.base;
import millrace.storage.files;

export namespace millrace::storage {

// The leader epochs of one partition with the offset at which each began: both ascend. Belongs to
// the log of the partition, on its shard. Functions that change it say whether they did: then the
// log saves the entries (save_leader_epoch_checkpoint) before it goes on as the format demands.
class LeaderEpochCache {
 public:
  LeaderEpochCache() = default;
  // Entries as parse_leader_epoch_checkpoint gives them.
  explicit LeaderEpochCache(std::vector<EpochEntry> entries);

  // The first record of `epoch` has this offset. Entries that contradict it, with a later epoch or
  // at a later offset, are dropped. Neither is negative.
  [[nodiscard]] bool assign(LeaderEpoch epoch, Offset start_offset);
  // Records from this offset on are gone.
  [[nodiscard]] bool truncate_from_end(Offset end_offset);
  // Records before this offset are gone. The epoch that it lies in begins there now.
  [[nodiscard]] bool truncate_from_start(Offset start_offset);
  [[nodiscard]] bool clear();

  // The epoch of the leader that wrote the record at this offset; nothing before the first entry.
  [[nodiscard]] std::optional<LeaderEpoch> epoch_for_offset(Offset offset) const;

  // Where the records of `epoch` end, or of the last epoch before it that is known: the answer to
  // OffsetForLeaderEpoch. -1 and -1 if nothing can be said.
  struct EpochEnd {
    LeaderEpoch epoch = no_leader_epoch;
    Offset end_offset = no_offset;

    friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
  };
  [[nodiscard]] EpochEnd end_offset_for(LeaderEpoch epoch, Offset log_end_offset) const;

  [[nodiscard]] std::optional<EpochEntry> earliest() const;
  [[nodiscard]] std::optional<EpochEntry> latest() const;
  // Of the last epoch before this one, of the first after it, of this one.
  [[nodiscard]] std::optional<EpochEntry> previous(LeaderEpoch epoch) const;
  [[nodiscard]] std::optional<EpochEntry> next(LeaderEpoch epoch) const;
  [[nodiscard]] std::optional<EpochEntry> find(LeaderEpoch epoch) const;
  [[nodiscard]] std::span<const EpochEntry> entries() const { return entries_; }
  [[nodiscard]] bool empty() const { return entries_.empty(); }

 private:
  std::vector<EpochEntry> entries_;
};

}  // namespace millrace::storage
