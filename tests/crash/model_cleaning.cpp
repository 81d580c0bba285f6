// What cleaning does to the model of a log.
#include "model.hpp"

namespace millrace::storage::crash {

bool Model::is_aborted(const Batch& batch) const {
  if (!batch.header.attributes.is_transactional()) return false;
  return std::any_of(aborted_.begin(), aborted_.end(), [&](const AbortedTransaction& aborted) {
    return aborted.producer == batch.header.producer.id && aborted.first_offset <= batch.base() &&
           batch.base() <= aborted.last_offset;
  });
}

bool Model::is_last_of_producer(const Batch& batch) const {
  if (!batch.header.has_producer_id()) return false;
  const auto* const producer = producers_.find(batch.header.producer.id);
  if (producer == nullptr) return false;
  if (const auto last = producer->last_batch()) return last->last_offset == batch.last();
  return batch.header.attributes.is_control() && producer->epoch() == batch.header.producer.epoch;
}

void Model::will_clean(const CleaningBounds& bounds) {
  compacted_ = true;
  cleaning_.emplace(bounds);
  for (const Entry& entry : entries_) {
    if (entry.gone || entry.batch->base() < bounds.segments.front()) continue;
    cleaning_->add(*entry.batch, is_aborted(*entry.batch), is_last_of_producer(*entry.batch));
  }
}

bool Model::may_be_cleaned_away(const Entry& entry, Timestamp now) const {
  return cleaning_ && !entry.gone && entry.batch->base() >= cleaning_->bounds().segments.front() &&
         cleaning_->fate_of(*entry.batch, now) != Fate::stays;
}

namespace {

void insert_batch(std::vector<BatchPtr>& batches, const BatchPtr& batch) {
  const auto place =
      std::partition_point(batches.begin(), batches.end(),
                           [&](const BatchPtr& other) { return other->base() <= batch->base(); });
  batches.insert(place, batch);
}

}  // namespace

void Model::cleaned_away(const BatchPtr& batch) {
  if (!batch->header.has_producer_id()) return;
  insert_batch(cleaned_away_, batch);
  insert_batch(all_cleaned_away_, batch);
}

Model::Entry Model::after_cleaning(const Entry& entry, const Batch& found) {
  Entry after = entry;
  after.gone = false;
  if (entry.batch->bytes == found.bytes) return after;
  // A marker without its record says nothing any more.
  if (found.header.attributes.is_control() && found.header.record_count == 0) {
    cleaned_away(entry.batch);
  }
  after.batch = left_of(*entry.batch, found);
  return after;
}

void Model::take_over_cleaned(const Found& found, bool whole, Timestamp now) {
  check(cleaning_.has_value(), "a cleaning was begun");
  std::vector<Entry> taken;
  std::size_t index = 0;
  const auto missing = [&](const Entry& entry, Offset next) {
    const Batch& batch = *entry.batch;
    if (may_be_cleaned_away(entry, now)) {
      cleaned_away(entry.batch);
    } else if (entry.gone || batch.last() < found.start) {
      taken.push_back(entry);
      taken.back().gone = true;
    } else {
      differ("the batch {} to {} is not as a cleaning from {} to {} leaves it; there is {}",
             batch.base(), batch.last(), cleaning_->bounds().from, cleaning_->bounds().to, next);
    }
  };
  for (const Batch& batch : found.batches) {
    const auto is = [&](const Entry& entry) {
      return cleaning_->leaves(*entry.batch, batch, now) ||
             (!whole && entry.batch->bytes == batch.bytes);
    };
    while (index < entries_.size() && !is(entries_[index])) {
      missing(entries_[index++], batch.base());
    }
    if (index == entries_.size()) {
      differ("a cleaning from {} to {} should not leave the batch {} to {} as it is",
             cleaning_->bounds().from, cleaning_->bounds().to, batch.base(), batch.last());
    }
    taken.push_back(after_cleaning(entries_[index++], batch));
  }
  for (; index < entries_.size(); ++index) missing(entries_[index], found.end);
  entries_ = std::move(taken);
  settled();
  rebuild();
}

namespace {

using Entries = std::vector<ProducerSnapshotEntry>;

[[nodiscard]] std::optional<ProducerSnapshotEntry> entry_of(const Entries& entries, ProducerId id) {
  for (const ProducerSnapshotEntry& entry : entries) {
    if (entry.producer == id) return entry;
  }
  return std::nullopt;
}

}  // namespace

// Some in a row of those of one producer are not known; so few of them as may be.
bool Model::forget_cleaned_of(ProducerId producer, const Entries& known) {
  std::vector<BatchPtr> its;
  std::vector<BatchPtr> others;
  for (const BatchPtr& batch : all_cleaned_away_) {
    if (batch->header.producer.id == producer) its.push_back(batch);
  }
  for (const BatchPtr& batch : cleaned_away_) {
    if (batch->header.producer.id != producer) others.push_back(batch);
  }
  for (std::size_t count = 0; count <= its.size(); ++count) {
    for (std::size_t first = 0; first + count <= its.size(); ++first) {
      cleaned_away_ = others;
      for (std::size_t i = 0; i < its.size(); ++i) {
        if (i < first || i >= first + count) insert_batch(cleaned_away_, its[i]);
      }
      rebuild();
      if (entry_of(producers_.snapshot_entries(), producer) == entry_of(known, producer)) {
        return true;
      }
    }
  }
  return false;
}

Entries Model::producers_after(const Entries& snapshot, Offset at) {
  ProducerStates states(budget_);
  // Nobody expires: the snapshot is as old as the log.
  states.restore(snapshot, Timestamp(0), std::numeric_limits<std::int64_t>::max());
  for (const Entry& entry : entries_) {
    if (entry.gone || entry.batch->base() < at) continue;
    static_cast<void>(add_to_producers(states, entry.batch->view(), decompressor_));
  }
  return states.snapshot_entries();
}

bool Model::forget_cleaned_behind(Offset snapshot) {
  const auto is_behind = [&](const BatchPtr& batch) { return batch->base() >= snapshot; };
  bool forgets = false;
  for (const BatchPtr& batch : cleaned_away_) {
    if (!is_behind(batch)) continue;
    insert_batch(forgotten_, batch);
    forgets = true;
  }
  std::erase_if(cleaned_away_, is_behind);
  std::erase_if(all_cleaned_away_, is_behind);
  rebuild();
  return forgets;
}

bool Model::forget_cleaned(const Entries& known) {
  const std::vector<BatchPtr> all = cleaned_away_;
  const Entries before = producers_.snapshot_entries();
  std::set<ProducerId> producers;
  for (const BatchPtr& batch : all_cleaned_away_) producers.insert(batch->header.producer.id);
  for (const ProducerId producer : producers) {
    if (entry_of(before, producer) == entry_of(known, producer)) continue;
    if (!forget_cleaned_of(producer, known)) break;
  }
  if (producers_.snapshot_entries() == known) return true;
  cleaned_away_ = all;
  rebuild();
  return false;
}

}  // namespace millrace::storage::crash
