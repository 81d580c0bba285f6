module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

module millrace.raft;

import millrace.base;

namespace millrace::raft {

std::optional<Term> Log::term_at(LogIndex index) const {
  if (index == base_.index) return base_.term;
  if (index < base_.index || index > last().index) return std::nullopt;
  return entries_[place_of(index)].term;
}

const Entry& Log::at(LogIndex index) const {
  check(index > base_.index && index <= last().index, "the log holds the entry");
  return entries_[place_of(index)];
}

std::size_t Log::first_missing(std::span<const Entry> entries) const {
  const auto missing = std::ranges::find_if(
      entries, [this](const Entry& entry) { return !holds(entry.position()); });
  return static_cast<std::size_t>(missing - entries.begin());
}

LogPosition Log::last_possible_match(LogIndex index, Term term) const {
  index = std::min(index, last().index);
  while (index > base_.index && entries_[place_of(index)].term > term) {
    index = LogIndex{index.value() - 1};
  }
  if (index <= base_.index) return base_;
  return entries_[place_of(index)].position();
}

std::vector<Entry> Log::slice(LogIndex from, LogIndex through, std::size_t bytes_max) const {
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  through = std::min(through, last().index);
  for (LogIndex index = from; index <= through; index = index.next()) {
    const Entry& entry = at(index);
    bytes += bytes_of(entry);
    if (bytes > bytes_max && !entries.empty()) break;
    entries.push_back(entry);
  }
  return entries;
}

void Log::append(Entry entry) {
  check(entry.index == last().index.next(), "entries are appended in order");
  check(entry.term >= last().term, "terms do not fall along a log");
  entries_.push_back(std::move(entry));
}

void Log::truncate_from(LogIndex index) {
  check(index > base_.index, "what is compacted cannot be cut off");
  while (last().index >= index) entries_.pop_back();
}

void Log::compact_through(LogIndex index) {
  if (index <= base_.index) return;
  const Term term = at(index).term;
  const auto count = index.since(base_.index);
  entries_.erase(entries_.begin(), entries_.begin() + count);
  base_ = {index, term};
}

void Log::reset(LogPosition base) {
  entries_.clear();
  base_ = base;
}

}  // namespace millrace::raft
