module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.dump;

import :findings;
import :partition_check;

namespace millrace::storage {

std::string_view name_of(FindingSeverity severity) {
  constexpr std::string_view names[] = {"note", "wrong", "loss"};
  return names[static_cast<std::size_t>(severity)];
}

std::string_view name_of(FindingKind kind) {
  constexpr std::string_view names[] = {"unreadable",
                                        "leftover",
                                        "unknown_file",
                                        "no_log_file",
                                        "no_batch",
                                        "torn_tail",
                                        "crc_mismatch",
                                        "bad_records",
                                        "bad_control_record",
                                        "offset_out_of_range",
                                        "max_timestamp_wrong",
                                        "index_missing",
                                        "index_cut_off",
                                        "index_padding",
                                        "index_order",
                                        "index_entry_wrong",
                                        "index_incomplete",
                                        "aborted_missing",
                                        "aborted_wrong",
                                        "epoch_wrong",
                                        "snapshot_corrupt",
                                        "snapshot_wrong",
                                        "file_corrupt",
                                        "checkpoint_wrong",
                                        "more"};
  static_assert(std::size(names) == static_cast<std::size_t>(FindingKind::more) + 1);
  return names[static_cast<std::size_t>(kind)];
}

std::optional<FindingSeverity> VerifySummary::worst() const {
  for (const FindingSeverity severity :
       {FindingSeverity::loss, FindingSeverity::wrong, FindingSeverity::note}) {
    if (count(severity) > 0) return severity;
  }
  return std::nullopt;
}

namespace {

// A log directory while it is checked.
class DirectoryCheck {
 public:
  DirectoryCheck(DumpContext& context, FindingTarget& target, std::string directory)
      : context_(context), target_(target), directory_(std::move(directory)) {}

  Task<StorageResult<void>> run();

 private:
  struct Partition {
    std::string name;
    TopicPartition partition;
    PartitionDirectoryKind kind = PartitionDirectoryKind::current;
  };
  using Offsets = std::map<TopicPartition, Offset>;

  Task<StorageResult<void>> list();
  [[nodiscard]] StorageResult<void> refuse_other(const std::vector<DirectoryEntry>& entries) const;
  void note_directory(const std::string& name);
  Task<StorageResult<Offsets>> load(std::string_view name);
  Task<StorageResult<void>> check_metadata();
  Task<StorageResult<void>> check_partition(const Partition& partition, std::size_t done);
  void check_ends(std::string_view name, const Offsets& offsets);

  DumpContext& context_;
  FindingTarget& target_;
  std::string directory_;
  bool clean_ = false;
  std::vector<Partition> partitions_;
  Offsets recovery_points_;
  Offsets log_starts_;
  Offsets ends_;
};

Task<StorageResult<void>> DirectoryCheck::run() {
  if (auto done = co_await list(); !done) co_return done;
  if (auto done = co_await check_metadata(); !done) co_return done;
  auto recovery_points = co_await load(recovery_point_checkpoint_name);
  if (!recovery_points) co_return failure(recovery_points.error());
  recovery_points_ = std::move(*recovery_points);
  auto log_starts = co_await load(log_start_checkpoint_name);
  if (!log_starts) co_return failure(log_starts.error());
  log_starts_ = std::move(*log_starts);
  const auto high_watermarks = co_await load(replication_checkpoint_name);
  if (!high_watermarks) co_return failure(high_watermarks.error());
  const auto cleaned = co_await load(cleaner_checkpoint_name);
  if (!cleaned) co_return failure(cleaned.error());
  std::size_t done = 0;
  for (const Partition& partition : partitions_) {
    if (auto checked = co_await check_partition(partition, done); !checked) co_return checked;
    if (target_.summary.stopped) co_return StorageResult<void>();
    ++done;
  }
  check_ends(recovery_point_checkpoint_name, recovery_points_);
  check_ends(log_start_checkpoint_name, log_starts_);
  check_ends(replication_checkpoint_name, *high_watermarks);
  check_ends(cleaner_checkpoint_name, *cleaned);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> DirectoryCheck::list() {
  const auto status = co_await context_.files.status(directory_);
  if (!status) co_return storage_failure(status.error(), directory_);
  if (status->kind != EntryKind::directory)
    co_return storage_failure(StorageFault::invalid, directory_ + " is no directory");
  auto listed = co_await context_.files.list(directory_);
  if (!listed) co_return storage_failure(listed.error(), directory_);
  if (auto refused = refuse_other(*listed); !refused) co_return refused;
  std::sort(listed->begin(), listed->end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const DirectoryEntry& entry : *listed) {
    if (entry.name == clean_shutdown_name) clean_ = true;
    if (entry.kind == EntryKind::directory) note_directory(entry.name);
    if (entry.kind != EntryKind::directory && entry.name.ends_with(temporary_suffix)) {
      FileFindings findings(target_, path_in(directory_, entry.name));
      findings.add(FindingSeverity::note, FindingKind::leftover, 0,
                   "left by something that did not end; the next start puts it right");
    }
  }
  co_return StorageResult<void>();
}

// One that has lost its meta.properties is told by what else only a log directory has.
StorageResult<void> DirectoryCheck::refuse_other(const std::vector<DirectoryEntry>& entries) const {
  bool has_segments = false;
  for (const DirectoryEntry& entry : entries) {
    const bool is_own_file =
        entry.name == meta_properties_name || entry.name == recovery_point_checkpoint_name ||
        entry.name == log_start_checkpoint_name || entry.name == replication_checkpoint_name;
    if (is_own_file) return {};
    if (entry.kind == EntryKind::directory && parse_partition_directory_name(entry.name)) return {};
    if (parse_segment_file_name(entry.name)) has_segments = true;
  }
  return storage_failure(
      StorageFault::invalid,
      directory_ + (has_segments ? " is the directory of a partition; the log directory "
                                   "is the one that it lies in"
                                 : " is no log directory: it has neither " +
                                       std::string(meta_properties_name) +
                                       " nor directories of partitions"));
}

void DirectoryCheck::note_directory(const std::string& name) {
  const auto parsed = parse_partition_directory_name(name);
  if (parsed && parsed->kind != PartitionDirectoryKind::deleted) {
    partitions_.push_back({name, parsed->partition, parsed->kind});
    return;
  }
  FileFindings findings(target_, path_in(directory_, name));
  findings.add(FindingSeverity::note, parsed ? FindingKind::leftover : FindingKind::unknown_file, 0,
               parsed ? "a partition that is being deleted" : "is no directory of a partition");
}

Task<StorageResult<void>> DirectoryCheck::check_metadata() {
  const auto properties = co_await load_meta_properties(context_.files, directory_);
  if (properties) co_return StorageResult<void>();
  if (properties.error().fault == StorageFault::offline) co_return failure(properties.error());
  FileFindings findings(target_, path_in(directory_, meta_properties_name));
  findings.add(FindingSeverity::wrong, FindingKind::file_corrupt, 0, properties.error().message);
  co_return StorageResult<void>();
}

Task<StorageResult<DirectoryCheck::Offsets>> DirectoryCheck::load(std::string_view name) {
  const auto entries = co_await load_offset_checkpoint(context_.files, directory_, name);
  Offsets offsets;
  if (entries) {
    for (const PartitionOffset& entry : *entries) offsets.emplace(entry.partition, entry.offset);
  } else if (entries.error().fault == StorageFault::offline) {
    co_return failure(entries.error());
  } else if (entries.error().fault != StorageFault::not_found) {
    FileFindings findings(target_, path_in(directory_, name));
    findings.add(FindingSeverity::wrong, FindingKind::file_corrupt, 0, entries.error().message);
  }
  co_return offsets;
}

Task<StorageResult<void>> DirectoryCheck::check_partition(const Partition& partition,
                                                          std::size_t done) {
  PartitionFacts facts;
  facts.directory = path_in(directory_, partition.name);
  const bool current = partition.kind == PartitionDirectoryKind::current;
  const auto start = log_starts_.find(partition.partition);
  if (current && start != log_starts_.end()) facts.log_start = start->second;
  if (!clean_) {
    const auto point = recovery_points_.find(partition.partition);
    facts.recovers_from = current && point != recovery_points_.end() ? point->second : Offset(0);
  }
  VerifyProgress progress;
  progress.partitions_done = done;
  progress.partitions = partitions_.size();
  PartitionCheck check(context_, target_, std::move(facts), progress);
  const auto checked = co_await check.run();
  if (!checked) co_return failure(checked.error());
  if (checked->stopped) target_.summary.stopped = true;
  if (current) ends_[partition.partition] = checked->end;
  co_return StorageResult<void>();
}

void DirectoryCheck::check_ends(std::string_view name, const Offsets& offsets) {
  FileFindings findings(target_, path_in(directory_, name));
  for (const auto& [partition, offset] : offsets) {
    const auto end = ends_.find(partition);
    if (end == ends_.end()) {
      findings.add(FindingSeverity::note, FindingKind::checkpoint_wrong, 0,
                   to_string(partition) + " is not in this directory");
    } else if (offset > end->second) {
      // What had not reached the disk was counted too.
      const bool harmless = !clean_ && name == replication_checkpoint_name;
      findings.add(harmless ? FindingSeverity::note : FindingSeverity::wrong,
                   FindingKind::checkpoint_wrong, 0,
                   to_string(partition) + " has offset " + std::to_string(offset.value()) +
                       ", its log ends at " + std::to_string(end->second.value()));
    }
  }
}

}  // namespace

Task<StorageResult<VerifySummary>> verify_log_directory(DumpContext& context, std::string directory,
                                                        const VerifyOptions& options,
                                                        VerifyObserver& observer) {
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  VerifySummary summary;
  FindingTarget target{observer, options, summary};
  DirectoryCheck check(context, target, std::move(directory));
  if (auto done = co_await check.run(); !done) co_return failure(done.error());
  co_return summary;
}

void print(ItemPrinter& printer, const Finding& finding) {
  printer.begin("finding");
  printer.field("severity", name_of(finding.severity));
  printer.field("kind", name_of(finding.kind));
  printer.field("file", finding.file);
  printer.field("position", finding.position);
  printer.field("message", finding.message);
  printer.end();
}

void print(ItemPrinter& printer, const VerifySummary& summary) {
  printer.begin("summary");
  printer.field("partitions", summary.partitions);
  printer.field("segments", summary.segments);
  printer.field("batches", summary.batches);
  printer.field("records", summary.records);
  printer.field("log_bytes", summary.log_bytes);
  printer.field("index_entries", summary.index_entries);
  printer.field("notes", summary.count(FindingSeverity::note));
  printer.field("wrong", summary.count(FindingSeverity::wrong));
  printer.field("losses", summary.count(FindingSeverity::loss));
  printer.field("stopped", summary.stopped);
  printer.end();
}

}  // namespace millrace::storage
