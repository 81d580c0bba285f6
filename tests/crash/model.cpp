#include "model.hpp"

namespace millrace::storage::crash {

std::optional<LeaderEpoch> Model::latest_epoch() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back().batch->header.leader_epoch;
}

std::size_t Model::index_of(Offset offset) const {
  const auto found =
      std::partition_point(entries_.begin(), entries_.end(),
                           [&](const Entry& entry) { return entry.batch->last() < offset; });
  return static_cast<std::size_t>(found - entries_.begin());
}

void Model::learn(const Batch& batch) {
  const auto completed = add_to_producers(producers_, batch.view(), decompressor_);
  if (!completed || !completed->aborted) return;
  aborted_.push_back({completed->producer, completed->first_offset, completed->last_offset,
                      completed->last_stable_offset});
}

// The batches that there are, and those of `cleaned`, in the order of the log.
void Model::learn_all(const std::vector<BatchPtr>& cleaned) {
  producers_.clear();
  aborted_.clear();
  auto away = cleaned.begin();
  for (const Entry& entry : entries_) {
    for (; away != cleaned.end() && (*away)->base() <= entry.batch->base(); ++away) {
      learn(**away);
    }
    learn(*entry.batch);
  }
  for (; away != cleaned.end(); ++away) learn(**away);
}

void Model::rebuild() {
  std::vector<AbortedTransaction> aborted;
  if (!forgotten_.empty()) {
    std::vector<BatchPtr> all;
    std::merge(cleaned_away_.begin(), cleaned_away_.end(), forgotten_.begin(), forgotten_.end(),
               std::back_inserter(all),
               [](const BatchPtr& a, const BatchPtr& b) { return a->base() < b->base(); });
    learn_all(all);
    aborted = std::move(aborted_);
  }
  learn_all(cleaned_away_);
  if (!forgotten_.empty()) aborted_ = std::move(aborted);
}

void Model::forget_cleaned_from(Offset offset) {
  for (std::vector<BatchPtr>* batches : {&cleaned_away_, &all_cleaned_away_, &forgotten_}) {
    std::erase_if(*batches, [&](const BatchPtr& batch) { return batch->base() >= offset; });
  }
}

void Model::started_at(Offset offset) {
  if (offset == start_) return;
  start_ = offset;
  saved_starts_.clear();
}

void Model::appended(BatchPtr batch) {
  saved_starts_.clear();
  learn(*batch);
  end_ = batch->last().next();
  entries_.push_back({std::move(batch)});
}

void Model::durable_up_to(Offset offset) {
  durable_ = std::max(durable_, std::min(offset, end_));
}

Offset Model::cut_of(Offset offset) const {
  std::size_t index = index_of(offset);
  while (index < entries_.size() && entries_[index].gone) ++index;
  if (index == entries_.size()) return offset;
  return std::min(offset, entries_[index].batch->base());
}

void Model::will_truncate(Offset offset) {
  durable_ = std::min(durable_, cut_of(offset));
  starts_.push_back(cut_of(offset));
}

void Model::truncated(Offset offset) {
  const Offset cut = cut_of(offset);
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index_of(offset)), entries_.end());
  forget_cleaned_from(cut);
  end_ = cut;
  start_ = std::min(start_, end_);
  durable_ = std::min(durable_, end_);
  rebuild();
}

void Model::will_restart(Offset offset) {
  restart_ = offset;
  durable_ = std::min(start_, offset);
  for (Entry& entry : entries_) entry.may_be_missing = true;
}

void Model::restarted(Offset offset) {
  entries_.clear();
  forget_cleaned_from(Offset(0));
  start_ = end_ = durable_ = offset;
  unsure_below_.reset();
  rebuild();
}

void Model::doubt_starts() {
  doubtful_starts_.insert(doubtful_starts_.end(), starts_.begin(), starts_.end());
  doubtful_starts_.push_back(start_);
  if (restart_) doubtful_starts_.push_back(*restart_);
}

void Model::settled() {
  pending_.clear();
  starts_.clear();
  restart_.reset();
  cleaning_.reset();
  for (Entry& entry : entries_) entry.may_be_missing = false;
}

namespace {

[[nodiscard]] std::string place_of(const Batch& batch) {
  return formatted("{} to {}", batch.base(), batch.last());
}

}  // namespace

// Those that were refused are passed over.
std::optional<BatchPtr> Model::pending_match(const Batch& found, Offset end,
                                             std::size_t& next) const {
  for (; next < pending_.size(); ++next) {
    const Pending& pending = pending_[next];
    BatchPtr batch = placed(pending.draft, pending.base.value_or(end), pending.epoch);
    if (batch->bytes != found.bytes) continue;
    ++next;
    return batch;
  }
  return std::nullopt;
}

void Model::check_start(Offset found) const {
  if (found == start_ || restart_) return;
  for (const std::vector<Offset>* others : {&starts_, &saved_starts_, &doubtful_starts_}) {
    if (std::find(others->begin(), others->end(), found) != others->end()) return;
  }
  differ("the log begins at {} and should begin at {}", found, start_);
}

void Model::take_over(const Found& found, Offset required, Timestamp now) {
  check_start(found.start);
  std::vector<Entry> taken;
  std::size_t index = 0;
  std::size_t next_pending = 0;
  Offset end{0};
  const auto passed_over = [&](const Entry& entry, const std::string& instead) {
    const Batch& batch = *entry.batch;
    if (may_be_cleaned_away(entry, now)) return cleaned_away(entry.batch);
    // What lies below the start may be gone; it is still what is known of the producers.
    if (batch.last() < found.start) {
      taken.push_back(entry);
      taken.back().gone = true;
      return;
    }
    if (entry.may_be_missing) return;
    differ("the batch {} is missing; {}", place_of(batch), instead);
  };
  for (const Batch& batch : found.batches) {
    const std::string here = "there is " + place_of(batch);
    const auto is = [&](const Entry& entry) {
      return entry.batch->bytes == batch.bytes ||
             (cleaning_ && cleaning_->leaves(*entry.batch, batch, now));
    };
    while (index < entries_.size() && !is(entries_[index])) {
      passed_over(entries_[index++], here);
    }
    if (index < entries_.size()) {
      taken.push_back(after_cleaning(entries_[index++], batch));
    } else {
      auto pending = pending_match(batch, std::max(end, end_), next_pending);
      if (!pending) differ("the batch {} was never appended", place_of(batch));
      taken.push_back({*pending});
    }
    end = batch.last().next();
  }
  for (; index < entries_.size(); ++index) {
    const Batch& batch = *entries_[index].batch;
    if (batch.last() < required || batch.last() < found.start) {
      passed_over(entries_[index], formatted("the log ends at {}", found.end));
    }
  }
  if (found.start > found.end || end > found.end) {
    differ("the log begins at {} and ends at {}; its last batch ends at {}", found.start, found.end,
           end);
  }
  const Offset end_max = std::max({end_, end, found.start, restart_.value_or(end_)});
  if (found.end > end_max) differ("the log ends at {}, not at {}", found.end, end_max);
  not_durable_ = {durable_, found.start};
  // An empty log may be one that begins anew.
  if (restart_ || found.batches.empty() || found.start == found.end) unsure_below_ = found.start;
  entries_ = std::move(taken);
  start_ = found.start;
  end_ = found.end;
  // What was found is not yet durable if it was not before.
  durable_ = std::min(durable_, end_);
  saved_starts_.clear();
  forget_cleaned_from(end_);
  settled();
  rebuild();
}

bool Model::forget_newest(Offset from, Offset to) {
  std::size_t below = index_of(to);
  while (below > 0 && !entries_[below - 1].gone) --below;
  if (below == 0 || entries_[below - 1].batch->last() < from) return false;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(below - 1));
  rebuild();
  return true;
}

bool Model::forget_producers() {
  if (forget_newest(not_durable_.first, not_durable_.second)) return true;
  if (unsure_below_ && forget_newest(Offset(0), *unsure_below_)) return true;
  if (cleaned_away_.empty()) return false;
  cleaned_away_.pop_back();
  rebuild();
  return true;
}

// Of those below that are gone only some in a row.
std::vector<Model::Entry> Model::without_all_but(std::size_t first, std::size_t last,
                                                 std::size_t below) const {
  std::vector<Entry> kept;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (i >= below || !entries_[i].gone || (i >= first && i < last)) kept.push_back(entries_[i]);
  }
  return kept;
}

bool Model::forget_all_but(const std::vector<ProducerSnapshotEntry>& known) {
  if (!unsure_below_) return false;
  const std::size_t below = index_of(*unsure_below_);
  const std::vector<Entry> all = entries_;
  for (std::size_t first = 0; first < below; ++first) {
    for (std::size_t last = first; last <= below; ++last) {
      entries_ = all;
      entries_ = without_all_but(first, last, below);
      rebuild();
      if (producers_.snapshot_entries() == known) return true;
    }
  }
  entries_ = all;
  rebuild();
  return false;
}

void Model::compare(const Found& found) const {
  if (found.start != start_ || found.end != end_) {
    differ("the log is {} to {} and should be {} to {}", found.start, found.end, start_, end_);
  }
  std::size_t index = index_of(start_);
  std::size_t there = 0;
  while (there < found.batches.size() && found.batches[there].last() < start_) ++there;
  for (; there < found.batches.size(); ++there, ++index) {
    const Batch& batch = found.batches[there];
    if (index == entries_.size()) differ("the batch {} was never appended", place_of(batch));
    if (entries_[index].batch->bytes != batch.bytes) {
      differ("the batch {} is in the place of {}", place_of(batch),
             place_of(*entries_[index].batch));
    }
  }
  if (index < entries_.size()) {
    differ("the batch {} is missing at the end", place_of(*entries_[index].batch));
  }
}

}  // namespace millrace::storage::crash
