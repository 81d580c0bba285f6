module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.dump;

import :findings;
import :partition_check;

namespace millrace::storage {

namespace {

// The snapshots that are left are compared.
constexpr Offset no_more_batches{std::numeric_limits<std::int64_t>::max()};

}  // namespace

Task<StorageResult<CheckedPartition>> PartitionCheck::run() {
  if (auto done = co_await list(); !done) co_return failure(done.error());
  if (auto done = co_await check_metadata(); !done) co_return failure(done.error());
  if (auto done = co_await load_epochs(); !done) co_return failure(done.error());
  for (auto segment = segments_.begin(); segment != segments_.end(); ++segment) {
    const auto next = std::next(segment);
    const auto next_base =
        next == segments_.end() ? std::nullopt : std::optional<Offset>(next->first);
    auto done = co_await check_segment(segment->first, segment->second, next_base);
    if (!done) co_return failure(done.error());
    if (checked_.stopped) co_return checked_;
  }
  auto done = co_await check_snapshots(no_more_batches);
  if (!done) co_return failure(done.error());
  ++target_.summary.partitions;
  co_return checked_;
}

Task<StorageResult<void>> PartitionCheck::list() {
  const auto listed = co_await context_.files.list(facts_.directory);
  if (!listed) co_return storage_failure(listed.error(), facts_.directory);
  for (const DirectoryEntry& entry : *listed) note_name(entry);
  std::sort(snapshots_.begin(), snapshots_.end());
  for (auto segment = segments_.begin(); segment != segments_.end();) {
    if (segment->second.log) {
      ++segment;
      continue;
    }
    FileFindings findings(target_, path(segment_file_name(segment->first, SegmentFileKind::log)));
    findings.add(FindingSeverity::wrong, FindingKind::no_log_file, 0,
                 "the segment has indexes, but no log file");
    segment = segments_.erase(segment);
  }
  co_return StorageResult<void>();
}

void PartitionCheck::note_name(const DirectoryEntry& entry) {
  const auto name = parse_segment_file_name(entry.name);
  const bool possible = name && name->base_offset <= segment_base_max;
  if (possible && name->stage == FileStage::current && entry.kind == EntryKind::file) {
    switch (name->kind) {
      case SegmentFileKind::log:
        segments_[name->base_offset].log = true;
        return;
      case SegmentFileKind::offset_index:
        segments_[name->base_offset].offset_index = true;
        return;
      case SegmentFileKind::time_index:
        segments_[name->base_offset].time_index = true;
        return;
      case SegmentFileKind::transaction_index:
        segments_[name->base_offset].transaction_index = true;
        return;
      case SegmentFileKind::producer_snapshot:
        snapshots_.push_back(name->base_offset);
        return;
    }
  }
  FileFindings findings(target_, path(entry.name));
  if (possible && name->stage == FileStage::current) {
    findings.add(FindingSeverity::wrong, FindingKind::unknown_file, 0,
                 "is no regular file: a broker passes over it");
  } else if (name && !possible) {
    findings.add(FindingSeverity::wrong, FindingKind::unknown_file, 0,
                 "has an offset in its name that no log reaches");
  } else if (name || entry.name.ends_with(temporary_suffix)) {
    findings.add(FindingSeverity::note, FindingKind::leftover, 0,
                 "left by something that did not end; the next start puts it right");
  } else if (entry.name != leader_epoch_checkpoint_name && entry.name != partition_metadata_name) {
    findings.add(FindingSeverity::note, FindingKind::unknown_file, 0, "is no file of a partition");
  }
}

Task<StorageResult<void>> PartitionCheck::check_metadata() {
  const auto metadata = co_await load_partition_metadata(context_.files, facts_.directory);
  if (metadata || metadata.error().fault == StorageFault::not_found) {
    co_return StorageResult<void>();
  }
  if (metadata.error().fault == StorageFault::offline) co_return failure(metadata.error());
  FileFindings findings(target_, path(partition_metadata_name));
  findings.add(FindingSeverity::wrong, FindingKind::file_corrupt, 0, metadata.error().message);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> PartitionCheck::load_epochs() {
  auto entries = co_await load_leader_epoch_checkpoint(context_.files, facts_.directory);
  if (entries) {
    has_epochs_ = true;
    epochs_ = LeaderEpochCache(std::move(*entries));
    co_return StorageResult<void>();
  }
  if (entries.error().fault == StorageFault::offline) co_return failure(entries.error());
  if (entries.error().fault != StorageFault::not_found) {
    missing_epochs_told_ = true;
    FileFindings findings(target_, path(leader_epoch_checkpoint_name));
    findings.add(FindingSeverity::wrong, FindingKind::file_corrupt, 0, entries.error().message);
  }
  co_return StorageResult<void>();
}

FindingSeverity PartitionCheck::severity_at(Offset offset) const {
  return facts_.recovers_from && offset > *facts_.recovers_from ? FindingSeverity::note
                                                                : FindingSeverity::wrong;
}

// A snapshot holds what was appended below its offset: it is compared when all of that was seen.
Task<StorageResult<void>> PartitionCheck::check_snapshots(Offset up_to) {
  for (; next_snapshot_ < snapshots_.size() && snapshots_[next_snapshot_] <= up_to;
       ++next_snapshot_) {
    const Offset offset = snapshots_[next_snapshot_];
    const FindingSeverity severity = severity_at(offset);
    FileFindings findings(target_,
                          path(segment_file_name(offset, SegmentFileKind::producer_snapshot)));
    if (up_to == no_more_batches && offset > checked_.end && !segments_.empty()) {
      findings.add(severity, FindingKind::snapshot_wrong, 0,
                   "the log ends before it, at offset " + std::to_string(checked_.end.value()));
    }
    const auto entries = co_await load_producer_snapshot(context_.files, facts_.directory, offset);
    if (entries) {
      compare_snapshot(*entries, findings, severity);
    } else if (entries.error().fault == StorageFault::offline) {
      co_return failure(entries.error());
    } else {
      findings.add(severity, FindingKind::snapshot_corrupt, 0, entries.error().message);
    }
  }
  co_return StorageResult<void>();
}

// Only what can never be right: the log may have lost older batches of a producer to compaction and
// retention, and a snapshot producers to their expiry.
void PartitionCheck::compare_snapshot(const std::vector<ProducerSnapshotEntry>& entries,
                                      FileFindings& findings, FindingSeverity severity) {
  constexpr std::uint64_t header_bytes = 10;
  constexpr std::uint64_t entry_bytes = 46;
  std::uint64_t position = header_bytes;
  for (const ProducerSnapshotEntry& entry : entries) {
    const auto found = producers_.find(entry.producer);
    const std::uint64_t at = std::exchange(position, position + entry_bytes);
    if (found == producers_.end()) continue;
    const Producer& producer = found->second;
    const std::string said = "producer " + std::to_string(entry.producer.value());
    if (entry.epoch < producer.epoch) {
      findings.add(severity, FindingKind::snapshot_wrong, at,
                   said + " has epoch " + std::to_string(entry.epoch.value()) +
                       ", and a batch with epoch " + std::to_string(producer.epoch.value()));
    } else if (entry.epoch == producer.epoch && entry.last_offset < producer.last_offset) {
      findings.add(severity, FindingKind::snapshot_wrong, at,
                   said + " ends at offset " + std::to_string(entry.last_offset.value()) +
                       ", and has a batch at " + std::to_string(producer.last_offset.value()));
    } else if (entry.last_offset == producer.last_offset && entry.epoch == producer.epoch &&
               entry.last_sequence != producer.last_sequence) {
      findings.add(severity, FindingKind::snapshot_wrong, at,
                   said + " ends with sequence " + std::to_string(entry.last_sequence.value()) +
                       ", and its last batch with " +
                       std::to_string(producer.last_sequence.value()));
    } else if (producer.transaction_start && entry.transaction_start < Offset(0)) {
      findings.add(severity, FindingKind::snapshot_wrong, at,
                   said + " has no open transaction, and one that began at offset " +
                       std::to_string(producer.transaction_start->value()));
    }
  }
}

}  // namespace millrace::storage
