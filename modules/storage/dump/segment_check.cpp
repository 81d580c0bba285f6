module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

module millrace.storage.dump;

import :findings;
import :index_check;
import :partition_check;

namespace millrace::storage {

using protocol::BatchHeader;
using protocol::ControlRecordKey;
using protocol::ControlRecordType;
using protocol::RecordView;

struct PartitionCheck::Reading {
  Reading(PartitionCheck& check, Offset first, std::optional<Offset> next)
      : base(first),
        next_base(next),
        severity(
            next ? check.severity_at(*next)
                 : (check.facts_.recovers_from ? FindingSeverity::note : FindingSeverity::wrong)),
        findings(check.target_, check.path(segment_file_name(first, SegmentFileKind::log))),
        offsets(check.context_, check.target_, path_of(check, SegmentFileKind::offset_index),
                rules()),
        times(check.context_, check.target_, path_of(check, SegmentFileKind::time_index), rules()),
        aborted(check.context_, check.target_, path_of(check, SegmentFileKind::transaction_index),
                {base, severity, false}) {}

  [[nodiscard]] std::string path_of(PartitionCheck& check, SegmentFileKind kind) const {
    return check.path(segment_file_name(base, kind));
  }
  [[nodiscard]] IndexRules rules() const {
    return {base, severity, severity == FindingSeverity::note};
  }

  Offset base;
  std::optional<Offset> next_base;
  FindingSeverity severity;  // of what recovery may make again
  FileFindings findings;
  OffsetIndexCheck offsets;
  TimeIndexCheck times;
  AbortedIndexCheck aborted;
  Timestamp largest = no_timestamp;
  bool damaged = false;
};

Task<StorageResult<void>> PartitionCheck::check_segment(Offset base, Files files,
                                                        std::optional<Offset> next_base) {
  Reading reading(*this, base, next_base);
  ++target_.summary.segments;
  if (checked_.end < base) checked_.end = base;
  const std::string& path = reading.findings.file();
  const auto opened = co_await context_.files.open(path, OpenMode::read);
  if (!opened) {
    if (opened.error().fault == IoFault::failed) co_return storage_failure(opened.error(), path);
    reading.findings.add(FindingSeverity::loss, FindingKind::unreadable, 0,
                         describe(opened.error(), path));
    co_return StorageResult<void>();
  }
  StorageResult<void> done;
  const auto bytes = co_await context_.files.file_size(*opened);
  if (!bytes) done = storage_failure(bytes.error(), path);
  const bool is_empty = bytes && *bytes == 0;  // its indexes are made with the first batch
  const std::pair<IndexCheck*, bool> indexes[] = {{&reading.offsets, files.offset_index},
                                                  {&reading.times, files.time_index},
                                                  {&reading.aborted, files.transaction_index}};
  for (const auto& [index, there] : indexes) {
    if (done && there) done = co_await index->open();
    const bool is_needed = index != &reading.aborted && !is_empty;
    if (!there && is_needed && reading.severity != FindingSeverity::note) {
      index->findings().add(FindingSeverity::wrong, FindingKind::index_missing, 0,
                            "the segment lacks this index");
    }
  }
  if (done) {
    target_.summary.log_bytes += *bytes;
    done = co_await read_log(reading, *opened, *bytes);
  }
  for (const auto& [index, there] : indexes) {
    // A device that failed is not asked again, but the files are closed.
    if (checked_.stopped || !done) index->doubt();
    const auto finished = co_await index->finish();
    if (done) done = finished;
    target_.summary.index_entries += index->entries();
  }
  const auto closed = co_await context_.files.close(*opened);
  if (!closed && done) done = storage_failure(closed.error(), path);
  const bool complete = done && !checked_.stopped && !reading.damaged && files.time_index;
  if (complete && reading.severity != FindingSeverity::note &&
      reading.times.last_timestamp() != reading.largest) {
    reading.times.findings().add(
        FindingSeverity::wrong, FindingKind::index_incomplete, 0,
        "the last entry has timestamp " + std::to_string(reading.times.last_timestamp().value()) +
            ", the latest of the segment is " + std::to_string(reading.largest.value()));
  }
  co_return done;
}

Task<StorageResult<void>> PartitionCheck::read_log(Reading& reading, FileHandle file,
                                                   std::uint64_t bytes) {
  LogWalk walk(context_.files, context_.buffers, file, reading.findings.file(), bytes);
  std::uint64_t position = 0;
  for (;;) {
    const auto more = co_await walk.fill();
    if (!more) co_return failure(more.error());
    if (!*more) break;
    while (const auto scanned = walk.next()) {
      if (auto done = co_await check_batch(reading, *scanned); !done) co_return done;
      position = scanned->position + scanned->batch.bytes().size();
    }
    if (const auto gap = walk.take_gap()) {
      position = gap->position + gap->bytes;
      reading.offsets.skip(gap->position, position);
      report_gap(reading, gap->position, gap->bytes, position == bytes,
                 gap->all_zeros ? "only zeros" : gap->reason);
    }
    VerifyProgress now = progress_;
    now.partition = facts_.directory;
    now.log_bytes_done += target_.summary.log_bytes - bytes + position;
    if (!target_.observer.progress(now)) {
      checked_.stopped = true;
      break;
    }
    co_await yield(context_.executor);
  }
  co_return StorageResult<void>();
}

void PartitionCheck::report_gap(Reading& reading, std::uint64_t position, std::uint64_t bytes,
                                bool at_end, std::string message) {
  // What the last write before a crash left: never acknowledged as durable, cut by recovery.
  const bool torn = at_end && !reading.next_base && facts_.recovers_from;
  reading.findings.add(torn ? FindingSeverity::note : FindingSeverity::loss,
                       torn ? FindingKind::torn_tail : FindingKind::no_batch, position,
                       std::to_string(bytes) + " bytes that are no batch: " + std::move(message));
  note_damage(reading);
}

// A batch that cannot be believed: what it said of times, producers and transactions is not known.
void PartitionCheck::note_damage(Reading& reading) {
  reading.damaged = true;
  reading.times.doubt();
  reading.aborted.doubt();
  producers_.clear();
}

Task<StorageResult<void>> PartitionCheck::compare_indexes(Reading& reading, CheckedBatch batch) {
  for (IndexCheck* index :
       {static_cast<IndexCheck*>(&reading.offsets), static_cast<IndexCheck*>(&reading.times),
        static_cast<IndexCheck*>(&reading.aborted)}) {
    if (!index->must_see(batch)) continue;
    if (auto done = co_await index->see(batch); !done) co_return done;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> PartitionCheck::check_batch(Reading& reading,
                                                      const ScannedBatch& scanned) {
  const BatchHeader& header = scanned.batch.header();
  ++target_.summary.batches;
  if (header.record_count > 0) {
    target_.summary.records += static_cast<std::uint64_t>(header.record_count);
  }
  if (header.last_offset() >= checked_.end) checked_.end = header.last_offset().next();
  if (target_.options.depth != VerifyDepth::headers && !scanned.batch.crc_matches()) {
    reading.findings.add(FindingSeverity::loss, FindingKind::crc_mismatch, scanned.position,
                         "the batch of offsets " + std::to_string(header.base_offset.value()) +
                             " to " + std::to_string(header.last_offset().value()) +
                             " has another CRC");
    note_damage(reading);
    const CheckedBatch batch{header, scanned.position, reading.largest, false, false};
    co_return co_await compare_indexes(reading, batch);
  }
  check_range(reading, scanned);
  if (next_snapshot_ < snapshots_.size() && snapshots_[next_snapshot_] <= header.base_offset) {
    if (auto done = co_await check_snapshots(header.base_offset); !done) co_return done;
  }
  reading.largest = std::max(reading.largest, header.max_timestamp);
  check_epoch(reading, scanned);
  std::optional<ControlRecordKey> marker;
  if (header.attributes.is_control()) marker = read_marker(reading, scanned);
  if (target_.options.depth == VerifyDepth::records) check_records(reading, scanned);
  const bool aborts = marker && marker->type == ControlRecordType::abort;
  const bool emptied = header.attributes.is_control() && header.record_count == 0;
  const CheckedBatch batch{header, scanned.position, reading.largest, aborts || emptied, true};
  if (auto done = co_await compare_indexes(reading, batch); !done) co_return done;
  follow_producer(reading, scanned, marker);
  co_return StorageResult<void>();
}

void PartitionCheck::check_range(Reading& reading, const ScannedBatch& scanned) {
  const BatchHeader& header = scanned.batch.header();
  const auto wrong = [&](std::string message) {
    reading.findings.add(FindingSeverity::wrong, FindingKind::offset_out_of_range, scanned.position,
                         "offsets " + std::to_string(header.base_offset.value()) + " to " +
                             std::to_string(header.last_offset().value()) + message);
  };
  if (header.base_offset < reading.base) {
    wrong(" lie below the segment");
  } else if (header.base_offset < next_offset_) {
    wrong(", where at least " + std::to_string(next_offset_.value()) + " was expected");
  } else if (reading.next_base && header.last_offset() >= *reading.next_base) {
    wrong(" reach into the next segment, which begins at " +
          std::to_string(reading.next_base->value()));
  }
}

void PartitionCheck::check_records(Reading& reading, const ScannedBatch& scanned) {
  const BatchHeader& header = scanned.batch.header();
  const auto bad = [&](std::string message) {
    reading.findings.add(FindingSeverity::loss, FindingKind::bad_records, scanned.position,
                         std::move(message));
  };
  protocol::RecordReader reader(context_.decompressor);
  if (const auto opened = reader.open(scanned.batch); !opened) {
    return bad(protocol::sentence(opened.error()));
  }
  std::int32_t last_delta = -1;
  Timestamp largest = no_timestamp;
  for (RecordView record; reader.next(record);) {
    if (record.offset_delta <= last_delta || record.offset_delta > header.last_offset_delta) {
      return bad("a record has offset delta " + std::to_string(record.offset_delta) + " behind " +
                 std::to_string(last_delta) + ", the last one of the batch is " +
                 std::to_string(header.last_offset_delta));
    }
    last_delta = record.offset_delta;
    largest = std::max(largest, record.timestamp);
  }
  if (const auto finished = reader.finish(); !finished) {
    return bad(protocol::sentence(finished.error()));
  }
  if (header.record_count > 0 && largest != header.max_timestamp) {
    reading.findings.add(FindingSeverity::wrong, FindingKind::max_timestamp_wrong, scanned.position,
                         "the max timestamp is " + std::to_string(header.max_timestamp.value()) +
                             ", that of the records " + std::to_string(largest.value()));
  }
}

std::optional<ControlRecordKey> PartitionCheck::read_marker(Reading& reading,
                                                            const ScannedBatch& scanned) {
  if (scanned.batch.header().record_count == 0) return std::nullopt;
  protocol::RecordReader reader(context_.decompressor);
  RecordView record;
  if (reader.open(scanned.batch) && reader.next(record)) {
    if (const auto key = protocol::read_control_record_key(record.key)) return *key;
  }
  reading.findings.add(FindingSeverity::loss, FindingKind::bad_control_record, scanned.position,
                       "a control batch without a control record");
  return std::nullopt;
}

void PartitionCheck::check_epoch(Reading& reading, const ScannedBatch& scanned) {
  const BatchHeader& header = scanned.batch.header();
  if (header.leader_epoch == no_leader_epoch || header.last_offset() < facts_.log_start) return;
  const auto wrong = [&](std::string message) {
    reading.findings.add(severity_at(header.last_offset()), FindingKind::epoch_wrong,
                         scanned.position, std::move(message));
  };
  if (!has_epochs_) {
    if (!std::exchange(missing_epochs_told_, true)) {
      wrong("the partition has no " + std::string(leader_epoch_checkpoint_name));
    }
    return;
  }
  const auto epoch = epochs_.epoch_for_offset(std::max(header.base_offset, facts_.log_start));
  if (epoch && *epoch == header.leader_epoch) return;
  wrong("a batch of epoch " + std::to_string(header.leader_epoch.value()) + " at offset " +
        std::to_string(header.base_offset.value()) + ", which is of " +
        (epoch ? "epoch " + std::to_string(epoch->value()) : std::string("no epoch")) + " in " +
        std::string(leader_epoch_checkpoint_name));
}

void PartitionCheck::follow_producer(Reading& reading, const ScannedBatch& scanned,
                                     const std::optional<ControlRecordKey>& marker) {
  const BatchHeader& header = scanned.batch.header();
  if (!header.has_producer_id() || !follows_producers_) return;
  if (producers_.size() >= followed_producers_max) {
    follows_producers_ = false;
    producers_.clear();
    return;
  }
  Producer& producer = producers_[header.producer.id];
  if (header.producer.epoch > producer.epoch) {
    producer.epoch = header.producer.epoch;
    producer.last_sequence = no_sequence;
    producer.last_offset = no_offset;
  }
  if (!header.attributes.is_control()) {
    producer.last_sequence = header.last_sequence();
    producer.last_offset = header.last_offset();
    if (header.attributes.is_transactional() && !producer.transaction_start &&
        header.record_count > 0) {
      producer.transaction_start = header.base_offset;
    }
    return;
  }
  const auto start = std::exchange(producer.transaction_start, std::nullopt);
  if (start && marker && marker->type == ControlRecordType::abort && !reading.damaged &&
      !reading.aborted.has(header.last_offset(), *start)) {
    reading.aborted.findings().add(reading.severity, FindingKind::aborted_missing, 0,
                                   "no entry for the transaction of producer " +
                                       std::to_string(header.producer.id.value()) +
                                       " from offset " + std::to_string(start->value()) + " to " +
                                       std::to_string(header.last_offset().value()));
  }
}

}  // namespace millrace::storage
