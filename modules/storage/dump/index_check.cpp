module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

module millrace.storage.dump;

import :findings;
import :index_check;

namespace millrace::storage {

namespace {

// Read of an index at once.
constexpr std::size_t window_bytes_wanted = 16 * kibibyte;

std::string number(Offset offset) {
  return std::to_string(offset.value());
}
std::string number(Timestamp timestamp) {
  return std::to_string(timestamp.value());
}

}  // namespace

Task<StorageResult<void>> IndexCheck::open() {
  const std::string& path = findings_.file();
  const auto opened = co_await context_.files.open(path, OpenMode::read);
  if (!opened) {
    if (storage_fault(opened.error().fault) == StorageFault::offline) {
      co_return storage_failure(opened.error(), path);
    }
    findings_.add(FindingSeverity::loss, FindingKind::unreadable, 0,
                  describe(opened.error(), path));
    co_return StorageResult<void>();
  }
  file_ = *opened;
  const auto bytes = co_await context_.files.file_size(file_);
  if (!bytes) co_return storage_failure(bytes.error(), path);
  const std::uint64_t rest = *bytes % entry_bytes_;
  file_bytes_ = *bytes - rest;
  if (rest > 0) {
    position_ = file_bytes_;
    wrong(FindingKind::index_cut_off, std::to_string(rest) + " bytes of an entry at the end");
    position_ = 0;
  }
  ended_ = file_bytes_ == 0;
  window_ = context_.buffers.acquire(window_bytes_wanted / entry_bytes_ * entry_bytes_);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> IndexCheck::read_on() {
  const std::uint64_t left = file_bytes_ - read_;
  const MutableBytes room = window_.bytes().first(
      static_cast<std::size_t>(std::min<std::uint64_t>(window_.size(), left)));
  const auto count = co_await context_.files.read(file_, read_, room);
  if (!count) co_return storage_failure(count.error(), findings_.file());
  at_ = 0;
  window_bytes_ = static_cast<std::size_t>(*count) / entry_bytes_ * entry_bytes_;
  read_ += window_bytes_;
  if (window_bytes_ == 0) ended_ = true;
  co_return StorageResult<void>();
}

// A first entry of the time index may be all zeros: a record of 1970 at the base offset. Then it
// stands alone or others follow it.
bool IndexCheck::is_padding() const {
  if (!are_zeros(entry())) return false;
  if (entry_bytes_ != time_index_entry_bytes || index_ > 0) return true;
  return window_bytes_ > entry_bytes_ &&
         are_zeros(window_.bytes().subspan(entry_bytes_, entry_bytes_));
}

Task<StorageResult<void>> IndexCheck::pass_padding() {
  if (!rules_.padding_allowed) {
    wrong(FindingKind::index_padding, "zeros instead of entries");
  }
  for (;;) {
    const ByteView rest = ByteView(window_.bytes()).first(window_bytes_).subspan(at_);
    if (!are_zeros(rest)) {
      position_ = read_ - rest.size();
      wrong(FindingKind::index_padding, "entries behind zeros");
      break;
    }
    if (read_ >= file_bytes_) break;
    if (auto done = co_await read_on(); !done) co_return done;
    if (ended_) break;
    co_await yield(context_.executor);
  }
  ended_ = true;
  co_return StorageResult<void>();
}

void IndexCheck::step() {
  at_ += entry_bytes_;
  position_ += entry_bytes_;
  ++index_;
  looked_at_ = false;
  if (at_ == window_bytes_ && read_ >= file_bytes_) ended_ = true;
}

Task<StorageResult<bool>> IndexCheck::ready() {
  for (;;) {
    if (ended_) co_return false;
    if (at_ == window_bytes_) {
      if (auto done = co_await read_on(); !done) co_return failure(done.error());
      continue;
    }
    if (looked_at_) co_return true;
    if (is_padding()) {
      if (auto done = co_await pass_padding(); !done) co_return failure(done.error());
      continue;
    }
    std::string message = look_at(entry());
    if (message.empty()) {
      looked_at_ = true;
      co_return true;
    }
    wrong(FindingKind::index_order, std::move(message));
    step();
  }
}

Task<StorageResult<void>> IndexCheck::see(const CheckedBatch& batch) {
  for (;;) {
    const auto more = co_await ready();
    if (!more) co_return failure(more.error());
    if (!*more || !concerns(entry(), batch)) co_return StorageResult<void>();
    compare(entry(), &batch);
    step();
  }
}

Task<StorageResult<void>> IndexCheck::finish() {
  StorageResult<void> done;
  for (;;) {
    const auto more = co_await ready();
    if (!more) done = failure(more.error());
    if (!more || !*more) break;
    compare(entry(), nullptr);
    step();
    if (at_ == window_bytes_) co_await yield(context_.executor);
  }
  if (file_ == no_file) co_return done;
  const auto closed = co_await context_.files.close(file_);
  file_ = no_file;
  if (!closed && done) done = storage_failure(closed.error(), findings_.file());
  co_return done;
}

// --- Offsets ---

bool OffsetIndexCheck::concerns(ByteView entry, const CheckedBatch& batch) const {
  return OffsetIndexView(entry, rules_.base).entry(0).position <= batch.position;
}

std::string OffsetIndexCheck::look_at(ByteView bytes) {
  const OffsetPosition entry = OffsetIndexView(bytes, rules_.base).entry(0);
  if (last_ && (entry.offset <= last_->offset || entry.position <= last_->position)) {
    return "offset " + number(entry.offset) + " at " + std::to_string(entry.position) +
           " behind offset " + number(last_->offset) + " at " + std::to_string(last_->position);
  }
  last_ = entry;
  return {};
}

void OffsetIndexCheck::compare(ByteView bytes, const CheckedBatch* batch) {
  const OffsetPosition entry = OffsetIndexView(bytes, rules_.base).entry(0);
  if (entry.position >= gap_from_ && entry.position < gap_to_) return;
  if (batch == nullptr) {
    wrong(FindingKind::index_entry_wrong, "offset " + number(entry.offset) + " at " +
                                              std::to_string(entry.position) +
                                              ", where no batch begins any more");
  } else if (entry.position != batch->position) {
    wrong(FindingKind::index_entry_wrong,
          "offset " + number(entry.offset) + " at " + std::to_string(entry.position) +
              ", but no batch begins before " + std::to_string(batch->position));
  } else if (batch->believed && entry.offset != batch->header.last_offset()) {
    wrong(FindingKind::index_entry_wrong,
          "offset " + number(entry.offset) + " at " + std::to_string(entry.position) +
              ", where the batch ends with offset " + number(batch->header.last_offset()));
  }
}

// --- Timestamps ---

bool TimeIndexCheck::concerns(ByteView entry, const CheckedBatch& batch) const {
  return TimeIndexView(entry, rules_.base).entry(0).offset <= batch.header.last_offset();
}

std::string TimeIndexCheck::look_at(ByteView bytes) {
  const TimestampOffset entry = TimeIndexView(bytes, rules_.base).entry(0);
  if (last_ && (entry.timestamp <= last_->timestamp || entry.offset < last_->offset)) {
    return "timestamp " + number(entry.timestamp) + " of offset " + number(entry.offset) +
           " behind timestamp " + number(last_->timestamp) + " of offset " + number(last_->offset);
  }
  last_ = entry;
  return {};
}

void TimeIndexCheck::compare(ByteView bytes, const CheckedBatch* batch) {
  if (doubtful()) return;
  const TimestampOffset entry = TimeIndexView(bytes, rules_.base).entry(0);
  const std::string said =
      "timestamp " + number(entry.timestamp) + " of offset " + number(entry.offset);
  if (batch == nullptr) {
    wrong(FindingKind::index_entry_wrong, said + ", which lies beyond the log");
  } else if (entry.offset < batch->header.base_offset) {
    wrong(FindingKind::index_entry_wrong,
          said + ", but no batch holds it before offset " + number(batch->header.base_offset));
  } else if (entry.timestamp != batch->largest) {
    wrong(FindingKind::index_entry_wrong,
          said + ", but the largest up to there is " + number(batch->largest));
  } else if (entry.timestamp != batch->header.max_timestamp) {
    wrong(FindingKind::index_entry_wrong,
          said + ", but that of its batch is " + number(batch->header.max_timestamp));
  }
}

// --- Aborted transactions ---

bool AbortedIndexCheck::concerns(ByteView entry, const CheckedBatch& batch) const {
  return TransactionIndexView(entry).entry(0).last_offset <= batch.header.last_offset();
}

std::string AbortedIndexCheck::look_at(ByteView bytes) {
  const auto version = load_big_endian<std::int16_t>(bytes.data());
  if (version != 0) return "version " + std::to_string(version);
  const AbortedTransaction entry = TransactionIndexView(bytes).entry(0);
  if (entry.first_offset < Offset(0) || entry.first_offset >= entry.last_offset ||
      entry.last_stable_offset < Offset(0) ||
      entry.last_stable_offset.plus(-1) > entry.last_offset) {
    return "a transaction from " + number(entry.first_offset) + " to " + number(entry.last_offset) +
           " with the last stable offset at " + number(entry.last_stable_offset);
  }
  if (last_ && entry.last_offset <= last_->last_offset) {
    return "the marker at " + number(entry.last_offset) + " behind the one at " +
           number(last_->last_offset);
  }
  last_ = entry;
  return {};
}

void AbortedIndexCheck::compare(ByteView bytes, const CheckedBatch* batch) {
  if (doubtful()) return;
  const AbortedTransaction entry = TransactionIndexView(bytes).entry(0);
  const bool found = batch != nullptr && batch->may_abort &&
                     batch->header.last_offset() == entry.last_offset &&
                     batch->header.producer.id == entry.producer;
  if (found) {
    found_ = entry;
    return;
  }
  wrong(FindingKind::aborted_wrong, "no marker at offset " + number(entry.last_offset) +
                                        " ends a transaction of producer " +
                                        std::to_string(entry.producer.value()));
}

}  // namespace millrace::storage
