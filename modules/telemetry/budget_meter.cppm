// What a memory budget looks like from outside.
module;
#include <cstddef>
#include <cstdint>
#include <string_view>

export module millrace.telemetry:budget_meter;

import millrace.base;
import :handles;
import :registry;

export namespace millrace::telemetry {

// Shows how much of a budget is in use on one shard; what all shards tell of one budget is shown as
// one series. The budget itself, with its rules, belongs to whoever owns this, and tells it what
// happens; used on the shard that it was made for.
class BudgetMeter {
 public:
  // `budget` is the value of the label: "requests", "fetch". `limit` is that of all shards
  // together.
  [[nodiscard]] static Result<BudgetMeter> create(Registry& registry, ShardIndex shard,
                                                  std::string_view budget, std::size_t limit);

  void limit_is(std::size_t bytes) { limit_.set(as_gauge(bytes)); }
  // What is in use on this shard.
  void used_is(std::size_t bytes) { used_.set(as_gauge(bytes)); }
  // What all shards together have taken of the budget by now.
  void taken_is(std::size_t bytes) { highest_.raise_to(as_gauge(bytes)); }
  // Something found no room and waits, or is turned away.
  void refused() { refusals_.add(); }

  [[nodiscard]] std::size_t limit() const { return as_bytes(limit_); }
  [[nodiscard]] std::size_t used() const { return as_bytes(used_); }
  // The most that was ever taken, as far as this shard saw it.
  [[nodiscard]] std::size_t highest() const { return as_bytes(highest_); }
  [[nodiscard]] std::uint64_t refusals() const { return refusals_.value(); }

 private:
  BudgetMeter(Gauge limit, Gauge used, Gauge highest, Counter refusals);
  [[nodiscard]] static std::int64_t as_gauge(std::size_t bytes) {
    return static_cast<std::int64_t>(bytes);
  }
  [[nodiscard]] static std::size_t as_bytes(const Gauge& gauge) {
    return static_cast<std::size_t>(gauge.value());
  }

  Gauge limit_;
  Gauge used_;
  Gauge highest_;
  Counter refusals_;
};

}  // namespace millrace::telemetry
