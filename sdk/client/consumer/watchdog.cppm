// Finds partitions that have data and do not advance.
module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

export module millrace.client.consumer:watchdog;

import millrace.base;
import millrace.client.core;
import :positions;

export namespace millrace::client {

// How long a partition may stand still before it is reported, and how often they are looked at.
inline constexpr Duration stall_after = std::chrono::seconds{30};
inline constexpr Duration watchdog_interval = std::chrono::seconds{10};
static_assert(watchdog_interval < stall_after);

struct StalledPartition {
  TopicPartition partition;
  Offset position = no_offset;  // no_offset where it is not known, as the end
  Offset end = no_offset;
  MonotonicTime since{};
  std::string why;

  friend bool operator==(const StalledPartition&, const StalledPartition&) = default;
};

// Looks at positions now and then. A partition stands still when the application has not got
// anything of it for stall_after though there is something, or when nobody can tell whether there
// is. A paused one is not looked at. Each is reported once, to the log, until it advances. One per
// consumer, on its thread.
class Watchdog {
 public:
  Watchdog(Positions& positions, const Metadata& metadata, Logger logger)
      : positions_(positions), metadata_(metadata), logger_(std::move(logger)) {}

  // Those whose end must be asked for, since no fetch has told it for long.
  [[nodiscard]] std::vector<TopicPartition> suspects(MonotonicTime now) const;
  void look(MonotonicTime now);
  // Those of the last look that stand still since.
  [[nodiscard]] std::vector<StalledPartition> stalled() const;

 private:
  [[nodiscard]] std::string reason(const PartitionProgress& partition, MonotonicTime now) const;

  Positions& positions_;
  const Metadata& metadata_;
  Logger logger_;
  std::vector<StalledPartition> stalled_;
};

}  // namespace millrace::client
