// The cleaner of a shard.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

export module millrace.storage.cleaner:log_cleaner;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.log;
import millrace.storage.segment;
import :checkpoint;
import :key_offsets;
import :lag;
import :pass;
import :throttle;

export namespace millrace::storage {

struct CleanerOptions {
  // This shard's part of log.cleaner.dedupe.buffer.size.
  std::size_t dedupe_buffer_bytes = dedupe_buffer_bytes_default;
  // This shard's part of log.cleaner.io.max.bytes.per.second.
  double io_bytes_per_second_max = IoThrottle::unlimited;
  // For the hashes of keys; another one in each process.
  std::uint64_t seed = 0;
};

// What a cleaner has done since it was made.
struct CleanerCounters {
  std::uint64_t passes = 0;
  std::uint64_t failed_passes = 0;
  std::uint64_t records_read = 0;
  std::uint64_t records_kept = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  // Logs that are not cleaned any more because something is wrong with them.
  std::size_t uncleanable_logs = 0;
};

// Cleans the compacted logs of a shard, one at a time, the dirtiest first. One for each shard, on
// its thread; outlives the logs that were added and not removed.
//
// Failures: a device that fails takes the log and its directory offline. A full disk and a lack of
// descriptors end the pass; it is tried again. Anything else, as damage in a segment, makes the log
// uncleanable until it is added again: it goes on growing, and a line in the log says why.
class Cleaner {
 public:
  Cleaner(SegmentContext& context, protocol::Compressor& compressor, CleanerKeeper& keeper,
          const CleanerOptions& options);
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;
  ~Cleaner() { check(running_ == nullptr, "the cleaner goes when its pass has ended"); }

  // From now on the log is looked at; cleaned is it while its topic compacts. `cleaned_end` is what
  // the keeper saved last, no_offset without it.
  void add(Log& log, Offset cleaned_end);
  // No pass begins any more, and one that runs ends soon, in order.
  void stop();
  // Before the log is closed: a pass on it is stopped. One on another log is not waited for.
  [[nodiscard]] Task<void> remove(const Log& log);
  // Before the log is cut to `end`: what takes the place of cut records is not clean. Stops and
  // waits as remove() does.
  [[nodiscard]] Task<StorageResult<void>> cut(const Log& log, Offset end);

  // One pass over the dirtiest log. False if no log was dirty enough or the pass failed: then there
  // is nothing to do for log.cleaner.backoff.ms.
  [[nodiscard]] Task<bool> clean_dirtiest();

  void set_io_rate(double bytes_per_second_max) { throttle_.set_rate(bytes_per_second_max); }
  // From the next pass on.
  void set_dedupe_buffer(std::size_t bytes) { options_.dedupe_buffer_bytes = bytes; }
  [[nodiscard]] std::size_t dedupe_buffer_bytes() const { return options_.dedupe_buffer_bytes; }
  [[nodiscard]] const CleanerCounters& counters() const { return counters_; }
  // Why the log is not cleaned any more; nothing if it is.
  [[nodiscard]] std::optional<std::string> uncleanable(const Log& log) const;
  [[nodiscard]] Offset cleaned_end(const Log& log) const;

 private:
  struct Entry {
    Entry(Log& l, Offset end) : log(l), cleaned_end(end) {}

    Log& log;  // not to be touched when it is gone
    Offset cleaned_end;
    std::optional<std::string> uncleanable;
    bool unsaved = false;  // what was saved is higher
    bool gone = false;     // removed
    // Held by whoever needs the log to stay, and as it is for the cleaner, across an await.
    AsyncMutex use;
  };
  struct Chosen {
    std::shared_ptr<Entry> entry;  // null: none is dirty enough
    std::uint64_t version = 0;     // of the log, when it was looked at
    Offset limit = no_offset;      // records from there on are too young
    double dirty_ratio = 0;
  };

  [[nodiscard]] std::shared_ptr<Entry> find(const Log& log) const;
  [[nodiscard]] Task<Chosen> dirtiest();
  // The log is in use.
  [[nodiscard]] Task<bool> clean(Entry& entry, const CleaningRange& range);
  void failed(Entry& entry, const CleaningPass& pass, const StorageError& error);
  void count(const PassReport& report);

  SegmentContext& context_;
  protocol::Compressor& compressor_;
  CleanerKeeper& keeper_;
  CleanerOptions options_;
  IoThrottle throttle_;
  std::map<const Log*, std::shared_ptr<Entry>> logs_;
  AsyncMutex cleaning_;  // taken before any use of an entry, if both are
  bool stopped_ = false;
  CleaningPass* running_ = nullptr;
  const Log* running_log_ = nullptr;
  std::uint64_t passes_begun_ = 0;
  CleanerCounters counters_;
};

}  // namespace millrace::storage
