// Opening the log of a partition: what its directory holds, put in order.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

export module millrace.storage.log:loader;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.producers;
import millrace.storage.segment;
import :partition_log;

namespace millrace::storage {

// Fills a log from its directory; a local of Log::open().
//
// After a clean stop all files are believed and no record is read. Otherwise: what was being
// written, replaced or removed when the process ended is finished or thrown away by the names of
// the files; then every batch from the recovery point on is checked, the first one that is not
// whole is cut off with all that follows, and the indexes, the producers and the leader epochs are
// made again from what is left. What was found good is synced, and the recovery point moves to the
// end.
class LogLoader {
 public:
  // Both outlive it.
  LogLoader(Log& log, RecoveryProgress& progress) : log_(log), progress_(progress) {}
  ~LogLoader();
  LogLoader(const LogLoader&) = delete;
  LogLoader& operator=(const LogLoader&) = delete;

  [[nodiscard]] Task<StorageResult<void>> load(bool clean);

 private:
  [[nodiscard]] Task<StorageResult<void>> list();
  [[nodiscard]] Task<StorageResult<void>> remove_leftovers();
  [[nodiscard]] Task<StorageResult<void>> finish_swap(Offset base);
  [[nodiscard]] Task<StorageResult<Offset>> end_of_swap(Offset base);
  [[nodiscard]] Task<StorageResult<void>> held_against_index(Offset base, const BatchPlace& last);
  [[nodiscard]] Task<StorageResult<void>> held_against_replaced(Offset base,
                                                                const BatchPlace& last);
  [[nodiscard]] Task<StorageResult<bool>> may_be_left_of(Offset base,
                                                         const protocol::BatchHeader& cleaned);
  [[nodiscard]] bool has_file(const std::string& name) const;
  [[nodiscard]] Task<StorageResult<void>> open_segments();
  [[nodiscard]] Task<StorageResult<void>> load_epochs();
  [[nodiscard]] Task<StorageResult<void>> trust();
  [[nodiscard]] Task<StorageResult<void>> look_for_aborted();
  [[nodiscard]] Task<StorageResult<void>> recover();
  [[nodiscard]] Task<StorageResult<void>> recall_producers(Offset base);
  [[nodiscard]] Task<StorageResult<std::uint64_t>> start_of_scan(Segment& segment, Offset from);
  [[nodiscard]] Task<StorageResult<bool>> batches_lead_to(Segment& segment, Offset from,
                                                          std::uint64_t position);
  [[nodiscard]] Task<StorageResult<bool>> recover_segment(std::size_t index,
                                                          std::uint64_t position);
  // What progress is told of.
  void will_check(std::uint64_t bytes);
  void has_checked(std::uint64_t bytes);
  [[nodiscard]] bool was_settled(Offset base) const;
  [[nodiscard]] bool follows(const protocol::BatchHeader& header, Offset base) const;
  void add(Segment& segment, const protocol::BatchView& batch);
  [[nodiscard]] Task<StorageResult<void>> drop_from(std::size_t index, std::string reason);
  [[nodiscard]] Task<StorageResult<void>> remove(const std::string& name);
  [[nodiscard]] SegmentContext& context() const;

  Log& log_;
  RecoveryProgress& progress_;
  std::uint64_t left_bytes_ = 0;  // of this log
  std::vector<std::string> names_;
  bool changed_names_ = false;
  std::vector<EpochEntry> epochs_found_;  // in the file
  // Recovery: where the next batch may begin at the earliest, and of which epoch it is at least.
  Offset next_;
  LeaderEpoch epoch_ = no_leader_epoch;
  // Producers are added from here on: what lies before is in the snapshot.
  Offset producers_from_;
  bool knows_producers_before_ = false;  // of those who wrote before what is scanned
};

}  // namespace millrace::storage
