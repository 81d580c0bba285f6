// One partition of a log directory, checked.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

export module millrace.storage.dump:partition_check;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.index;
import millrace.storage.producers;
import millrace.storage.segment;
import :dumper;
import :findings;
import :index_check;
import :verify;

namespace millrace::storage {

// Producers and open transactions of a partition that are followed; past it the rest is not, and
// less is compared.
inline constexpr std::size_t followed_producers_max = 1'000'000;

// What the log directory says of a partition.
struct PartitionFacts {
  std::string directory;  // its path
  Offset log_start{0};
  // What recovery looks at begins here: files above are made again. Nothing after an orderly stop.
  std::optional<Offset> recovers_from;
};

// What was found out about it.
struct CheckedPartition {
  Offset end{0};  // behind the last record
  bool stopped = false;
};

// Reads a partition from front to back. A local of the check of its log directory.
class PartitionCheck {
 public:
  PartitionCheck(DumpContext& context, FindingTarget& target, PartitionFacts facts,
                 VerifyProgress progress)
      : context_(context), target_(target), facts_(std::move(facts)), progress_(progress) {}

  [[nodiscard]] Task<StorageResult<CheckedPartition>> run();

 private:
  // The files of a segment; those that are not there are zero.
  struct Files {
    bool log = false;
    bool offset_index = false;
    bool time_index = false;
    bool transaction_index = false;
  };
  // What is followed of a producer.
  struct Producer {
    ProducerEpoch epoch = no_producer_epoch;
    Sequence last_sequence = no_sequence;
    Offset last_offset = no_offset;
    // Of its open transaction, as far as there are records of it.
    std::optional<Offset> transaction_start;
  };
  // The segment that is read.
  struct Reading;

  // partition_check.cpp
  [[nodiscard]] Task<StorageResult<void>> list();
  void note_name(const DirectoryEntry& entry);
  [[nodiscard]] Task<StorageResult<void>> load_epochs();
  [[nodiscard]] Task<StorageResult<void>> check_metadata();
  [[nodiscard]] Task<StorageResult<void>> check_snapshots(Offset up_to);
  void compare_snapshot(const std::vector<ProducerSnapshotEntry>& entries, FileFindings& findings,
                        FindingSeverity severity);
  [[nodiscard]] FindingSeverity severity_at(Offset offset) const;
  [[nodiscard]] std::string path(std::string_view name) const {
    return path_in(facts_.directory, name);
  }

  // segment_check.cpp
  [[nodiscard]] Task<StorageResult<void>> check_segment(Offset base, Files files,
                                                        std::optional<Offset> next_base);
  [[nodiscard]] Task<StorageResult<void>> read_log(Reading& reading, FileHandle file,
                                                   std::uint64_t bytes);
  [[nodiscard]] Task<StorageResult<void>> check_batch(Reading& reading,
                                                      const ScannedBatch& scanned);
  [[nodiscard]] Task<StorageResult<void>> compare_indexes(Reading& reading, CheckedBatch batch);
  void note_damage(Reading& reading);
  void check_range(Reading& reading, const ScannedBatch& scanned);
  void check_records(Reading& reading, const ScannedBatch& scanned);
  [[nodiscard]] std::optional<protocol::ControlRecordKey> read_marker(Reading& reading,
                                                                      const ScannedBatch& scanned);
  void check_epoch(Reading& reading, const ScannedBatch& scanned);
  void follow_producer(Reading& reading, const ScannedBatch& scanned,
                       const std::optional<protocol::ControlRecordKey>& marker);
  void report_gap(Reading& reading, std::uint64_t position, std::uint64_t bytes, bool at_end,
                  std::string message);

  DumpContext& context_;
  FindingTarget& target_;
  PartitionFacts facts_;
  VerifyProgress progress_;
  CheckedPartition checked_;
  std::map<Offset, Files> segments_;
  std::vector<Offset> snapshots_;  // ascending
  std::size_t next_snapshot_ = 0;
  Offset next_offset_{0};  // of the next batch at the least; of batches that can be believed
  bool has_epochs_ = false;
  bool missing_epochs_told_ = false;
  LeaderEpochCache epochs_;
  std::unordered_map<ProducerId, Producer> producers_;
  bool follows_producers_ = true;
};

}  // namespace millrace::storage
