// The values that were recorded, as far as a histogram knows them: how many, their sum, the
// largest, and any quantile.
module;
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

export module millrace.telemetry:distribution;

import :scale;

export namespace millrace::telemetry {

// What one shard adds to a metric: numbers that only the owning shard stores and any thread may
// load. All accesses are relaxed: each number stands for itself.
using Word = std::atomic<std::uint64_t>;

// A plain value: owned by whoever made it, one thread at a time. It is what reading a histogram
// gives, and it may be recorded into where nobody else looks on, as in a benchmark. The scale
// outlives it. Nothing here fails.
class Distribution {
 public:
  explicit Distribution(const HistogramScale& scale)
      : scale_(&scale), counts_(scale.bucket_count()) {}

  void record(std::uint64_t value);
  // As if all that was recorded in `other`, which is of the same scale, had been recorded here.
  void merge(const Distribution& other);

  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  // Exact; 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t max() const { return max_; }

  // The smallest value that at least this part of the recorded values does not exceed. Off by at
  // most relative_error_max of that value; values from the scale's largest on are given as max().
  // `part` lies between 0 and 1. 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t quantile(double part) const;

  // How many were at most the scale's bound of this index. Exact.
  [[nodiscard]] std::vector<std::uint64_t> counts_up_to_bounds() const;

  [[nodiscard]] const HistogramScale& scale() const { return *scale_; }

  friend bool operator==(const Distribution&, const Distribution&) = default;

  // The numbers of one shard: sum, largest, then one count a bucket.
  static constexpr std::size_t sum_word = 0;
  static constexpr std::size_t max_word = 1;
  static constexpr std::size_t first_count_word = 2;
  [[nodiscard]] static constexpr std::size_t words(const HistogramScale& scale) {
    return first_count_word + scale.bucket_count();
  }
  void merge(std::span<const Word> words);

 private:
  const HistogramScale* scale_;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
  std::vector<std::uint64_t> counts_;
};

}  // namespace millrace::telemetry
