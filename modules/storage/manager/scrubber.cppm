// Looks for records that went bad on the disk.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

export module millrace.storage.manager:scrubber;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.log;
import millrace.storage.segment;
import :ticker;

export namespace millrace::storage {

// A pass over all logs begins this long after the one before it began, or later.
inline constexpr Milliseconds scrub_pass_interval_default = std::chrono::hours(24);

// The first pass begins so long after the start, which has other things to do.
inline constexpr Milliseconds scrub_first_delay = std::chrono::minutes(5);

// Where the bytes are not those that were written.
struct Corruption {
  TopicPartition partition;
  Offset segment;  // its base offset
  std::string path;
  std::uint64_t position = 0;  // of the first batch that is not whole
  std::string reason;
};

struct ScrubberOptions {
  std::uint64_t bytes_per_second = 0;  // 0: nothing is read
  Milliseconds pass_interval = scrub_pass_interval_default;
  std::uint64_t seed = 0;  // of the places where passes begin
};

struct ScrubCounts {
  std::uint64_t bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t corruptions = 0;
  std::uint64_t passes = 0;
};

// Goes around the segments of a shard's logs that begin below the recovery point, the one that is
// written to as well, from a place that is drawn for each pass, so that a server which never lives
// through one gets everywhere in time. Checks every batch, a block at a time and never faster than
// told: the CRC; what the CRC does not cover, against the batches around it, the offset index and
// the leader epochs; that the transaction index has what the markers say. A member of the manager,
// on its shard. What it finds is told and left as it is, but for a transaction index, which is put
// right; a device that fails takes its directory offline.
class Scrubber {
 public:
  // The log behind the one of a partition in some order, the first one for null; null at the end.
  using NextLog = std::function<std::shared_ptr<Log>(const TopicPartition*)>;
  using Found = std::function<void(const Corruption&)>;

  Scrubber(Executor& executor, FileSystem& files, BufferPool& buffers, Logger log,
           ScrubberOptions options, NextLog next_log, Found found);

  // Ends after stop().
  [[nodiscard]] Task<void> run();
  // Whoever is in the middle of a segment ends soon.
  void stop();
  // The next pass begins now.
  void start_pass() { passes_.wake_now(); }

  [[nodiscard]] const ScrubCounts& counts() const { return counts_; }

 private:
  // The beginning of a segment.
  struct Place {
    std::optional<TopicPartition> before;  // the log that comes before it; none: it is the first
    std::shared_ptr<Log> log;
    Offset segment;
  };
  [[nodiscard]] Task<void> pass();
  // Every byte is as likely as any other; nothing if there are none.
  [[nodiscard]] Task<std::optional<Place>> draw();
  // The segments that begin in [from, to).
  [[nodiscard]] Task<void> scrub_log(std::shared_ptr<Log> log, Offset from, Offset to);
  [[nodiscard]] Task<void> scrub_segment(Log& log, std::shared_ptr<Segment> segment);
  [[nodiscard]] Task<void> check_aborted(Log& log, std::shared_ptr<Segment> segment,
                                         std::vector<Offset> markers);
  void report(const Log& log, const Segment& segment, std::string path, std::uint64_t position,
              const std::string& reason);
  // As long as reading so much takes at the most.
  [[nodiscard]] Task<void> pause(std::uint64_t bytes);

  Executor& executor_;
  FileSystem& files_;
  BufferPool& buffers_;
  Logger log_;
  ScrubberOptions options_;
  NextLog next_log_;
  Found found_;
  Random random_;
  Ticker passes_;
  Ticker pauses_;
  MonotonicTime free_{};  // before this nothing more is read
  ScrubCounts counts_;
};

}  // namespace millrace::storage
