module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.raft.store;

import millrace.base;
import millrace.raft;
import millrace.storage.files;

namespace millrace::raft {

using storage::StorageFault;
using storage::StorageResult;

namespace {

struct Record {
  RecordHeader header;
  ByteView data;
};

std::optional<Record> record_at(ByteView bytes, SegmentNumber segment, std::uint64_t at) {
  const ByteView rest = bytes.subspan(at);
  const auto header = decode_record_header(rest, segment, at);
  if (!header || header->length > rest.size() - record_header_bytes) return std::nullopt;
  const ByteView data = rest.subspan(record_header_bytes, header->length);
  if (crc32c(data) != header->data_crc) return std::nullopt;
  return Record{*header, data};
}

// Whether a write began above `at`: it did so only when all before it was durable.
bool written_after(ByteView bytes, SegmentNumber segment, std::uint64_t at) {
  for (std::uint64_t place = at + 1; place + record_header_bytes <= bytes.size(); ++place) {
    const auto header = decode_record_header(bytes.subspan(place), segment, place);
    if (header && header->write_from > at) return true;
  }
  return false;
}

auto corrupt(std::string_view path, std::uint64_t at, std::string_view what) {
  return storage::storage_failure(StorageFault::corrupt,
                                  formatted("{}, byte {}: {}", path, at, what));
}

}  // namespace

bool Replay::holds(LogPosition position) const {
  if (reset_ == position) return true;
  if (entries_.empty() || position.index < entries_.front().index) return false;
  const auto place = static_cast<std::size_t>(position.index.since(entries_.front().index));
  return place < entries_.size() && entries_[place].term == position.term;
}

std::vector<Entry> Replay::take_above(LogIndex index) {
  const auto first =
      std::ranges::find_if(entries_, [index](const Entry& entry) { return entry.index > index; });
  return {std::make_move_iterator(first), std::make_move_iterator(entries_.end())};
}

std::optional<std::string_view> Replay::apply_entry(const RecordHeader& header, ByteView data) {
  const LogIndex index = header.index;
  if (index.value() < 1 || header.term.value() < 1) return "an entry without index or term";
  if (header.term > hard_state_.term) return "an entry of a term that had not begun";
  if (reset_ && index <= reset_->index) return "an entry below an installed snapshot";
  if (header.entry_kind == EntryKind::membership && !Membership::decode(data)) {
    return "an entry with members that cannot be read";
  }
  if (entries_.empty()) {
    if (reset_ && index != reset_->index.next()) return "entries are missing before this one";
  } else {
    const LogIndex end = entries_.back().index.next();
    if (index > end) return "entries are missing before this one";
    // The log of a segment before that is gone may have begun lower.
    const auto kept = std::max<std::int64_t>(0, index.since(entries_.front().index));
    if (!(planted(StorePlanted::tail_kept) && index < end)) {
      entries_.resize(static_cast<std::size_t>(kept));
    } else {
      return std::nullopt;
    }
    if (!entries_.empty() && entries_.back().term > header.term) return "a term goes back";
  }
  Payload kept_data;
  if (index > covered_) kept_data = Payload(std::vector<std::byte>(data.begin(), data.end()));
  entries_.push_back({index, header.term, header.entry_kind, std::move(kept_data)});
  return std::nullopt;
}

std::optional<std::string_view> Replay::apply(const RecordHeader& header, ByteView data) {
  switch (header.kind) {
    case RecordKind::entry:
      return apply_entry(header, data);
    case RecordKind::hard_state:
      if (header.term < hard_state_.term) return "the term of the node goes back";
      hard_state_ = {header.term, header.vote};
      return std::nullopt;
    case RecordKind::reset:
      if (header.index.value() < 1) return "an installed snapshot without index";
      entries_.clear();
      reset_ = LogPosition{header.index, header.term};
      return std::nullopt;
  }
  return "a record of an unknown kind";
}

StorageResult<SegmentInfo> Replay::add(SegmentNumber number, ByteView bytes, std::string_view path,
                                       SegmentPlace place) {
  const auto header = decode_segment_header(bytes);
  if (!header) {
    const bool newer = header.error().kind == ErrorKind::unsupported;
    return storage::storage_failure(newer ? StorageFault::invalid : StorageFault::corrupt,
                                    formatted("{}: {}", path, header.error().message));
  }
  if (header->number != number) return corrupt(path, 0, "it is another segment than its name says");
  if (begun_ && header->hard_state != hard_state_) {
    return corrupt(path, 0, "its term and vote are not those at the end of the segment before");
  }
  begun_ = true;
  hard_state_ = header->hard_state;
  SegmentInfo info{number, LogIndex{}, segment_header_bytes, segment_header_bytes};
  while (info.size < bytes.size()) {
    const auto record = record_at(bytes, number, info.size);
    if (!record) {
      if (place == SegmentPlace::newest && !written_after(bytes, number, info.size)) break;
      return corrupt(path, info.size, "a record is damaged, and what was written later is there");
    }
    if (record->header.write_from < info.write_from) {
      return corrupt(path, info.size, "a write begins before the one before it");
    }
    if (const auto problem = apply(record->header, record->data)) {
      return corrupt(path, info.size, *problem);
    }
    info.write_from = record->header.write_from;
    info.highest = std::max(info.highest, record->header.index);
    info.size += record_header_bytes + record->header.length;
  }
  return info;
}

}  // namespace millrace::raft
