// The records of one partition, in memory.
module;
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

export module millrace.mock:partition_log;

import millrace.base;
import millrace.protocol.batch;
import millrace.protocol.wire;

export namespace millrace::mock {

// What was produced, batch by batch, as a broker would keep it on disk. Who appends has checked the
// batch. One thread.
class PartitionLog {
 public:
  struct Found {
    Timestamp timestamp = no_timestamp;
    Offset offset = no_offset;
    LeaderEpoch epoch = no_leader_epoch;
  };
  // Where the records of a leader's time end.
  struct EpochEnd {
    LeaderEpoch epoch = no_leader_epoch;
    Offset end = no_offset;
  };

  [[nodiscard]] Offset start() const { return start_; }
  [[nodiscard]] Offset end() const { return end_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // The batch gets the next offsets and this epoch; gives the first of the offsets.
  Offset append(std::vector<std::byte> batch, const protocol::BatchHeader& header,
                LeaderEpoch epoch);

  // Whole batches from the one that holds `offset` on and before `end`, as long as they fit; the
  // first one always if `first_always`. Views into the log, valid until the next change of it.
  [[nodiscard]] std::vector<protocol::RecordChunk> read(Offset offset, std::size_t bytes_max,
                                                        bool first_always, Offset end) const;

  // The first record that is not older.
  [[nodiscard]] std::optional<Found> find(Timestamp timestamp) const;
  // The first record with the largest timestamp.
  [[nodiscard]] std::optional<Found> newest() const;
  [[nodiscard]] LeaderEpoch epoch_of(Offset offset) const;
  // Of the largest epoch that is not above `epoch`.
  [[nodiscard]] EpochEnd end_of(LeaderEpoch epoch) const;

  // Records before `offset`, which is not past the end, cannot be read any more.
  void delete_before(Offset offset);
  // Records from `offset` on are lost, as after an unclean election.
  void truncate(Offset offset);

 private:
  struct Batch {
    Offset first;
    Offset last;
    Timestamp timestamp_max;
    LeaderEpoch epoch;
    std::vector<std::byte> bytes;
  };

  [[nodiscard]] std::optional<Found> find_in(const Batch& batch, Timestamp timestamp) const;

  std::deque<Batch> batches_;
  Offset start_{0};
  Offset end_{0};
  std::size_t bytes_ = 0;
};

}  // namespace millrace::mock
