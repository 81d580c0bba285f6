// Whether a log directory is what it should be.
module;
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.storage.dump:verify;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import :dumper;
import :printer;

export namespace millrace::storage {

enum class FindingSeverity : std::uint8_t {
  note,   // as a crash leaves it, and the next start puts it right; or nothing that matters
  wrong,  // no record is lost, but a file says what is not so
  loss    // records are lost or cannot be read
};
inline constexpr std::size_t finding_severities = 3;
[[nodiscard]] std::string_view name_of(FindingSeverity severity);

enum class FindingKind : std::uint8_t {
  unreadable,           // the file cannot be opened
  leftover,             // of a cleaning, a deletion or a replacement that did not end
  unknown_file,         // no name of a log directory
  no_log_file,          // an index or a snapshot alone
  no_batch,             // bytes that belong to no batch
  torn_tail,            // the last batch is not whole
  crc_mismatch,         // of a batch
  bad_records,          // what is in a batch is not what its header says
  bad_control_record,   // a control batch without a marker that can be read
  offset_out_of_range,  // below the segment, or beyond its end
  max_timestamp_wrong,  // of a batch, compared with its records
  index_missing,        // a closed segment lacks it
  index_cut_off,        // a part of an entry
  index_padding,        // zeros where there should be none
  index_order,          // entries do not ascend
  index_entry_wrong,    // it says what the log does not
  index_incomplete,     // the last entry is not that of the latest timestamp
  aborted_missing,      // an aborted transaction without an entry
  aborted_wrong,        // an entry without its transaction
  epoch_wrong,          // the leader epochs of batches and their file disagree
  snapshot_corrupt,     // of producers
  snapshot_wrong,       // it does not know what lies in the log before it, or knows too much
  file_corrupt,         // one of the small files
  checkpoint_wrong,     // it names a partition that is not there, or an offset beyond its end
  more                  // of one file than are reported one by one
};
[[nodiscard]] std::string_view name_of(FindingKind kind);

struct Finding {
  FindingSeverity severity = FindingSeverity::note;
  FindingKind kind = FindingKind::unknown_file;
  std::string file;
  std::uint64_t position = 0;  // in the file, in bytes
  std::string message;
};

// How deep batches are looked into.
enum class VerifyDepth : std::uint8_t { headers, crc, records };

struct VerifyOptions {
  VerifyDepth depth = VerifyDepth::records;
  // Of one file; what is above is counted and not reported one by one.
  std::size_t findings_per_file_max = 100;
};

struct VerifyProgress {
  std::string_view partition;  // the directory that is looked at
  std::size_t partitions_done = 0;
  std::size_t partitions = 0;
  std::uint64_t log_bytes_done = 0;
};

struct VerifySummary {
  std::size_t partitions = 0;
  std::uint64_t segments = 0;
  std::uint64_t batches = 0;
  std::uint64_t records = 0;  // as the headers of the batches count them
  std::uint64_t log_bytes = 0;
  std::uint64_t index_entries = 0;
  std::array<std::uint64_t, finding_severities> findings{};
  bool stopped = false;  // by the observer

  [[nodiscard]] std::uint64_t count(FindingSeverity severity) const {
    return findings[static_cast<std::size_t>(severity)];
  }
  // The worst of all findings; nothing where there are none.
  [[nodiscard]] std::optional<FindingSeverity> worst() const;
};

// Hears what is found as it is found. Owned by whoever asks; called on the thread of the check.
class VerifyObserver {
 public:
  virtual ~VerifyObserver() = default;

  virtual void found(const Finding& finding) = 0;
  // After each part of a log file. False ends the check early.
  [[nodiscard]] virtual bool progress(const VerifyProgress& progress) = 0;

 protected:
  VerifyObserver() = default;
  VerifyObserver(const VerifyObserver&) = delete;
  VerifyObserver& operator=(const VerifyObserver&) = delete;
};

// Checks a log directory that no process uses: every batch of every segment of every partition,
// the indexes against the log, snapshots, leader epochs and checkpoints. Where the last stop was
// not orderly, what recovery is going to make again counts as a note. Reads only; holds one batch,
// blocks of the indexes, the small files of a partition, and what is known of its producers. An
// error only where the device fails, or where it is no log directory: damage is a finding.
[[nodiscard]] Task<StorageResult<VerifySummary>> verify_log_directory(DumpContext& context,
                                                                      std::string directory,
                                                                      const VerifyOptions& options,
                                                                      VerifyObserver& observer);

// Items `finding` and `summary`.
void print(ItemPrinter& printer, const Finding& finding);
void print(ItemPrinter& printer, const VerifySummary& summary);

}  // namespace millrace::storage
