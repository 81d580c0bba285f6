// How long the turns of a shard's event loop take. What runs in one turn makes all else on that
// shard wait.
module;
#include <atomic>
#include <chrono>
#include <cstdint>

export module millrace.telemetry:stall_meter;

import millrace.base;
import :handles;
import :registry;

export namespace millrace::telemetry {

// A turn that takes longer counts as a stall: people who wait for a shard should not wait longer
// for its event loop than for a disk.
inline constexpr Duration stall_threshold_default = std::chrono::milliseconds{20};

// The longest turn "of late" is that of the last one to two of these. A scrape each minute sees
// every peak.
inline constexpr Duration stall_period = std::chrono::minutes{1};
static_assert(stall_threshold_default < stall_period);

// The metrics of one shard's turns, under the label `shard`.
struct StallMetrics {
  DurationHistogram turns;
  Counter stalls;
  DurationGauge longest;
  DurationGauge longest_of_late;

  [[nodiscard]] static Result<StallMetrics> create(Registry& registry, ShardIndex shard);
};

// Told by an event loop when each turn begins (it woke up with work) and ends (it will wait again).
// Owned by the loop and used on its thread, except turn_running_for(). Reads no clock; a time that
// goes back counts as a turn of no length. A turn that ends without having begun stops the process.
class StallMeter {
 public:
  explicit StallMeter(StallMetrics metrics, Duration threshold = stall_threshold_default);

  void turn_began(MonotonicTime now);
  void turn_ended(MonotonicTime now);

  // Since the shard started, and of late.
  [[nodiscard]] Duration longest() const { return metrics_.longest.value(); }
  [[nodiscard]] Duration longest_of_late() const { return metrics_.longest_of_late.value(); }
  // How many turns took longer than the threshold.
  [[nodiscard]] std::uint64_t stalls() const { return metrics_.stalls.value(); }
  [[nodiscard]] Duration threshold() const { return threshold_; }

  // How long the turn that is running has taken until now; zero between turns. Any thread may ask:
  // a shard that hangs cannot tell it itself.
  [[nodiscard]] Duration turn_running_for(MonotonicTime now) const;

 private:
  static constexpr Duration::rep no_turn = Duration::min().count();

  StallMetrics metrics_;
  Duration threshold_;
  std::atomic<Duration::rep> turn_began_ = no_turn;
  MonotonicTime period_began_ = MonotonicTime::min();
  Duration longest_of_period_{};
  Duration longest_of_last_period_{};
};

}  // namespace millrace::telemetry
