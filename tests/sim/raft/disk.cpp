#include "disk.hpp"

#include <utility>

namespace millrace::raft::sim {

Disk::Disk(Membership first) {
  snapshot_.meta.membership = std::move(first);
}

void Disk::submit(const Write& write, std::string installed) {
  pending_.emplace_back(PendingWrite{write, std::move(installed)});
}

void Disk::submit(SavedSnapshot snapshot) {
  pending_.emplace_back(std::move(snapshot));
}

void Disk::carry_out(const PendingWrite& pending, std::size_t entries) {
  const Write& write = pending.write;
  if (write.hard_state) hard_state_ = *write.hard_state;
  if (write.install) {
    entries_.clear();
    snapshot_ = {*write.install, pending.installed};
  }
  for (std::size_t i = 0; i < entries; ++i) {
    const Entry& entry = write.entries[i];
    while (!entries_.empty() && entries_.back().index >= entry.index) entries_.pop_back();
    entries_.push_back(entry);
  }
}

Event Disk::sync_first() {
  const Pending first = std::move(pending_.front());
  pending_.pop_front();
  if (const auto* saved = std::get_if<SavedSnapshot>(&first)) {
    if (saved->meta.last.index > snapshot_.meta.last.index) snapshot_ = *saved;
    return SnapshotSaved{saved->meta};
  }
  const auto& pending = std::get<PendingWrite>(first);
  carry_out(pending, pending.write.entries.size());
  return Persisted{pending.write.number};
}

void Disk::crash(Random& random) {
  const std::size_t whole = random.below(pending_.size() + 1);
  for (std::size_t i = 0; i < whole; ++i) static_cast<void>(sync_first());
  if (!pending_.empty()) {
    if (const auto* torn = std::get_if<PendingWrite>(&pending_.front())) {
      if (random.chance(0.5)) carry_out(*torn, random.below(torn->write.entries.size() + 1));
    }
  }
  pending_.clear();
}

Recovered Disk::recover() const {
  return {hard_state_, snapshot_.meta, {entries_.begin(), entries_.end()}};
}

bool Disk::holds(LogPosition position) const {
  if (position.index <= snapshot_.meta.last.index) return true;
  if (entries_.empty() || position.index < entries_.front().index ||
      position.index > entries_.back().index) {
    return false;
  }
  const auto place = static_cast<std::size_t>(position.index.since(entries_.front().index));
  return entries_[place].term == position.term;
}

void Disk::compact_through(LogIndex index) {
  while (!entries_.empty() && entries_.front().index <= index) entries_.pop_front();
}

}  // namespace millrace::raft::sim
