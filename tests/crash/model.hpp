// What the log must hold, in memory and without any file.
#pragma once

#include "cleaning.hpp"

namespace millrace::storage::crash {

// What was found in a log.
struct Found {
  Offset start;
  Offset end;
  // Those in the files, also below the start. In the order of the log.
  std::vector<Batch> batches;
  // What the transaction indexes of the segments say, one after the other.
  std::vector<AbortedTransaction> aborted;
};

// A batch that may have reached the log when the process ended.
struct Pending {
  Draft draft;
  LeaderEpoch epoch;
  // Replicated batches have theirs; the leader's begin where the log ends.
  std::optional<Offset> base;
};

// Batches in a row, what is known of their producers, and how far all of it is durable. A test
// tells it what was asked of the log and how that ended; after a crash it says whether what was
// found is one of the outcomes that are allowed, and takes it over.
class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  struct Entry {
    BatchPtr batch;
    // The log was to begin anew.
    bool may_be_missing = false;
    // It is no longer in the files; its producer is still known.
    bool gone = false;
  };

  // Also what lies below the start, as long as it is needed to know the producers.
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] Offset start() const { return start_; }
  [[nodiscard]] Offset end() const { return end_; }
  [[nodiscard]] Offset durable() const { return durable_; }
  [[nodiscard]] const ProducerStates& producers() const { return producers_; }
  [[nodiscard]] const std::vector<AbortedTransaction>& aborted() const { return aborted_; }
  // Whether records may be missing between batches.
  [[nodiscard]] bool compacted() const { return compacted_; }
  [[nodiscard]] std::optional<LeaderEpoch> latest_epoch() const;
  // The first batch that ends at or after the offset; entries().size() without one.
  [[nodiscard]] std::size_t index_of(Offset offset) const;

  // --- What was asked for and has ended well ---

  void appended(BatchPtr batch);
  void durable_up_to(Offset offset);
  void truncated(Offset offset);
  void restarted(Offset offset);
  void started_at(Offset offset);
  // There was no space to say so: after a crash the log may begin there again, until something is
  // appended.
  void start_not_saved(Offset before) { saved_starts_.push_back(before); }
  void start_saved() { saved_starts_.clear(); }

  // --- What is under way when the process may end ---

  void will_append(Pending batch) { pending_.push_back(std::move(batch)); }
  void will_truncate(Offset offset);
  void will_restart(Offset offset);
  void will_start_at(Offset offset) { starts_.push_back(offset); }
  // Those that will_ was said of may be found at any later start.
  void doubt_starts();
  void will_clean(const CleaningBounds& bounds);
  // Nothing is, any more.
  void settled();
  [[nodiscard]] bool restarting() const { return restart_.has_value(); }

  // Where truncating to an offset really cuts: batches stay whole.
  [[nodiscard]] Offset cut_of(Offset offset) const;

  // Throws a Difference if the log cannot begin there.
  void check_start(Offset found) const;
  // After a crash: throws a Difference if it cannot be. `required`: records below are there.
  void take_over(const Found& found, Offset required, Timestamp now);
  // After a cleaning; if it was not done as a `whole`, each batch may be as it was.
  void take_over_cleaned(const Found& found, bool whole, Timestamp now);
  // Of batches that are gone, what they said of their producers may be gone too: those that were
  // deleted before they were durable, and all of them when the log was to begin anew. The newest
  // is forgotten first. False if there is nothing more to be forgotten.
  [[nodiscard]] bool forget_producers();
  // What was cleaned away is known of its producer only from snapshots that were made before: if
  // what is found was known without some in a row of it, these are forgotten.
  [[nodiscard]] bool forget_cleaned(const std::vector<ProducerSnapshotEntry>& known);
  // Who knew these there, and then reads what is left behind it, knows those.
  [[nodiscard]] std::vector<ProducerSnapshotEntry> producers_after(
      const std::vector<ProducerSnapshotEntry>& snapshot, Offset at);
  // After a cut, the same for all producers: of what was cleaned away from there on nothing is
  // known any more. Whether there was something.
  [[nodiscard]] bool forget_cleaned_behind(Offset snapshot);
  // If the log was to begin anew, more than once: some in a row may be all that is known.
  [[nodiscard]] bool forget_all_but(const std::vector<ProducerSnapshotEntry>& known);
  // After a stop in order: all of it is there.
  void compare(const Found& found) const;

 private:
  [[nodiscard]] std::optional<BatchPtr> pending_match(const Batch& found, Offset end,
                                                      std::size_t& next) const;
  void rebuild();
  void forget_cleaned_from(Offset offset);
  [[nodiscard]] bool forget_newest(Offset from, Offset to);
  [[nodiscard]] std::vector<Entry> without_all_but(std::size_t first, std::size_t last,
                                                   std::size_t below) const;
  void learn(const Batch& batch);
  void learn_all(const std::vector<BatchPtr>& cleaned);
  [[nodiscard]] bool is_aborted(const Batch& batch) const;
  [[nodiscard]] bool is_last_of_producer(const Batch& batch) const;
  [[nodiscard]] Entry after_cleaning(const Entry& entry, const Batch& found);
  [[nodiscard]] bool forget_cleaned_of(ProducerId producer,
                                       const std::vector<ProducerSnapshotEntry>& known);
  [[nodiscard]] bool may_be_cleaned_away(const Entry& entry, Timestamp now) const;
  void cleaned_away(const BatchPtr& batch);

  std::vector<Entry> entries_;
  // Batches that cleaning has left out, and markers that it has left without what they say.
  std::vector<BatchPtr> all_cleaned_away_;
  std::vector<BatchPtr> cleaned_away_;  // of these, what is known of their producers
  // Of what was known of them before a cut transactions may still be told.
  std::vector<BatchPtr> forgotten_;
  std::optional<Cleaning> cleaning_;
  Offset start_{0};
  Offset end_{0};
  Offset durable_{0};
  bool compacted_ = false;
  // Those between the two may be forgotten.
  std::pair<Offset, Offset> not_durable_;
  // A log that was to begin anew, and did not, may forget what lies below at any time.
  std::optional<Offset> unsure_below_;
  std::vector<Offset> saved_starts_;
  std::vector<Offset> doubtful_starts_;
  ProducerBudget budget_;
  ProducerStates producers_{budget_};
  protocol::Decompressor decompressor_;
  std::vector<AbortedTransaction> aborted_;

  std::vector<Pending> pending_;
  std::vector<Offset> starts_;
  std::optional<Offset> restart_;
};

}  // namespace millrace::storage::crash
