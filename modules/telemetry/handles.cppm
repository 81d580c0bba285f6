// What code holds to count and measure. Writing is one or two stores to memory that no other thread
// writes: no lock, no allocation, no atomic read-modify-write.
//
// A handle belongs to one thread at a time, the one of the shard for which it was made. It moves,
// does not copy, and the registry outlives it. While it lives, its series is shown. Its end, like
// its making, takes the registry's lock for a moment. A handle that was moved from may only end or
// be assigned to.
module;
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

export module millrace.telemetry:handles;

import millrace.base;
import :distribution;
import :scale;

namespace millrace::telemetry {

struct RegistryState;
struct Series;

inline void add_to(Word& word, std::uint64_t amount) {
  word.store(word.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}
inline void raise_to(Word& word, std::uint64_t value) {
  if (value > word.load(std::memory_order_relaxed)) word.store(value, std::memory_order_relaxed);
}
[[nodiscard]] inline std::uint64_t not_negative(Duration duration) {
  return static_cast<std::uint64_t>(std::max(duration.count(), Duration::rep{0}));
}

}  // namespace millrace::telemetry

export namespace millrace::telemetry {

// Who writes: a shard, or another thread that got a number of its own when the process was set up.
using ShardIndex = Strong<struct ShardIndexTag, std::uint32_t>;

// What Prometheus takes a metric for, and whether it is a duration, which is shown in seconds.
enum class Kind : std::uint8_t {
  counter,
  duration_counter,
  gauge,
  duration_gauge,
  histogram,
  duration_histogram,
};

// The part of a series that one shard writes, held for as long as this lives. Common to all
// handles.
class Lease {
 public:
  inline Lease(Lease&& other) noexcept { swap(other); }
  inline Lease& operator=(Lease&& other) noexcept {
    Lease(std::move(other)).swap(*this);
    return *this;
  }
  inline ~Lease() {
    if (words_ != nullptr) release();
  }

 protected:
  [[nodiscard]] inline Word* words() const { return words_; }
  [[nodiscard]] const HistogramScale& scale() const;

 private:
  friend class Registry;
  friend struct RegistryState;
  Lease(RegistryState& registry, Series& series, ShardIndex shard, Word* words)
      : registry_(&registry), series_(&series), words_(words), shard_(shard) {}
  inline void swap(Lease& other) noexcept {
    std::swap(registry_, other.registry_);
    std::swap(series_, other.series_);
    std::swap(words_, other.words_);
    std::swap(shard_, other.shard_);
  }
  void release() noexcept;

  RegistryState* registry_ = nullptr;
  Series* series_ = nullptr;
  Word* words_ = nullptr;
  ShardIndex shard_;
};

// Counts what only grows: requests, bytes.
class Counter : public Lease {
 public:
  static constexpr Kind kind = Kind::counter;
  using Value = std::uint64_t;

  explicit Counter(Lease lease) : Lease(std::move(lease)) {}

  inline void add(std::uint64_t amount = 1) { add_to(words()[0], amount); }
  // Takes over a total that is counted elsewhere. Never goes back.
  inline void advance_to(std::uint64_t total) { raise_to(words()[0], total); }
  // What this shard has counted.
  [[nodiscard]] inline std::uint64_t value() const {
    return words()[0].load(std::memory_order_relaxed);
  }
};

// Adds up time. A negative duration counts as none.
class DurationCounter : public Lease {
 public:
  static constexpr Kind kind = Kind::duration_counter;
  using Value = Duration;

  explicit DurationCounter(Lease lease) : Lease(std::move(lease)) {}

  inline void add(Duration amount) { add_to(words()[0], not_negative(amount)); }
  inline void advance_to(Duration total) { raise_to(words()[0], not_negative(total)); }
  [[nodiscard]] inline Duration value() const {
    return Duration(words()[0].load(std::memory_order_relaxed));
  }
};

// A number that goes up and down.
class Gauge : public Lease {
 public:
  static constexpr Kind kind = Kind::gauge;
  using Value = std::int64_t;

  explicit Gauge(Lease lease) : Lease(std::move(lease)) {}

  inline void set(std::int64_t value) {
    words()[0].store(static_cast<std::uint64_t>(value), std::memory_order_relaxed);
  }
  inline void add(std::int64_t amount) { add_to(words()[0], static_cast<std::uint64_t>(amount)); }
  inline void raise_to(std::int64_t value) { set(std::max(value, this->value())); }
  [[nodiscard]] inline std::int64_t value() const {
    return static_cast<std::int64_t>(words()[0].load(std::memory_order_relaxed));
  }
};

// A duration, or a point in time as the duration since 1970.
class DurationGauge : public Lease {
 public:
  static constexpr Kind kind = Kind::duration_gauge;
  using Value = Duration;

  explicit DurationGauge(Lease lease) : Lease(std::move(lease)) {}

  inline void set(Duration value) {
    words()[0].store(static_cast<std::uint64_t>(value.count()), std::memory_order_relaxed);
  }
  inline void raise_to(Duration value) { set(std::max(value, this->value())); }
  [[nodiscard]] inline Duration value() const {
    return Duration(static_cast<Duration::rep>(words()[0].load(std::memory_order_relaxed)));
  }
};

// How sizes or counts are distributed.
class Histogram : public Lease {
 public:
  static constexpr Kind kind = Kind::histogram;
  using Value = Distribution;

  explicit Histogram(Lease lease) : Lease(std::move(lease)), scale_(&scale()) {}

  inline void record(std::uint64_t value) {
    add_to(words()[Distribution::first_count_word + scale_->bucket_of(value)], 1);
    add_to(words()[Distribution::sum_word], value);
    raise_to(words()[Distribution::max_word], value);
  }
  // What this shard has recorded.
  [[nodiscard]] Distribution value() const;

 private:
  const HistogramScale* scale_;
};

// How durations are distributed. A negative duration counts as none.
class DurationHistogram : public Histogram {
 public:
  static constexpr Kind kind = Kind::duration_histogram;

  using Histogram::Histogram;

  inline void record(Duration duration) { Histogram::record(not_negative(duration)); }
};

}  // namespace millrace::telemetry
