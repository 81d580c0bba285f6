// What one cleaning makes of the batches of a log, by the rules of docs/formats/compaction.md.
#pragma once

#include <set>

#include "batches.hpp"

namespace millrace::storage::crash {

struct CleaningBounds {
  std::vector<Offset> segments;  // where they begin; what lies below is in no file
  Offset start;                  // of the log
  Offset from;                   // of the records whose keys are noted
  Offset to;
  Timestamp begun;
  std::int64_t tombstones_kept_ms = 0;
};

// Of a record or a batch. Either: its time comes while the cleaning goes on.
enum class Fate : std::uint8_t { stays, goes, either };

// Is given all batches that are in the files, one after the other; then says of each what may be
// left of it. Below the start of the log, where nobody reads, anything may be.
class Cleaning {
 public:
  explicit Cleaning(const CleaningBounds& bounds) : bounds_(bounds) {}

  [[nodiscard]] const CleaningBounds& bounds() const { return bounds_; }
  // `last`: the last that is known of its producer.
  void add(const Batch& batch, bool aborted, bool last);

  // Whether the batch is there afterwards, with or without records.
  [[nodiscard]] Fate fate_of(const Batch& batch, Timestamp now) const;
  // Whether `found` is what the cleaning leaves of the batch, also if that is all of it.
  [[nodiscard]] bool leaves(const Batch& batch, const Batch& found, Timestamp now) const;

 private:
  [[nodiscard]] bool below_start(const Batch& batch) const { return batch.last() < bounds_.start; }
  [[nodiscard]] Fate fate_of(const Batch& batch, const RecordPlace& record, Timestamp now) const;
  [[nodiscard]] Fate fate_by_time(const Batch& batch, Timestamp now) const;
  [[nodiscard]] bool horizon_is_right(const Batch& batch, const Batch& found, Timestamp now) const;

  CleaningBounds bounds_;
  std::map<int, Offset> last_of_key_;
  // By their base offsets.
  std::set<Offset> aborted_;
  std::set<Offset> needed_;
  // The last ones of their segments: they may be kept without records, to say where it ends.
  std::set<Offset> at_segment_ends_;
  std::optional<Offset> before_;
  std::set<Offset> spent_;  // markers of which no batch of the transaction was left
  std::set<ProducerId> with_records_;
};

// The batch as it was found, with what is known of its records.
[[nodiscard]] BatchPtr left_of(const Batch& batch, const Batch& found);

}  // namespace millrace::storage::crash
