module;
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

module millrace.telemetry;

import millrace.base;

namespace millrace::telemetry {

void Distribution::record(std::uint64_t value) {
  counts_[scale_->bucket_of(value)] += 1;
  sum_ += value;
  max_ = std::max(max_, value);
}

void Distribution::merge(const Distribution& other) {
  check(scale_ == other.scale_, "distributions of the same scale are merged");
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

void Distribution::merge(std::span<const Word> words) {
  check(words.size() == Distribution::words(*scale_), "the words are those of a histogram");
  sum_ += words[sum_word].load(std::memory_order_relaxed);
  max_ = std::max(max_, words[max_word].load(std::memory_order_relaxed));
  const auto counts = words.subspan(first_count_word);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] += counts[i].load(std::memory_order_relaxed);
  }
}

std::uint64_t Distribution::count() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

std::uint64_t Distribution::quantile(double part) const {
  check(part >= 0 && part <= 1, "a quantile lies between 0 and 1");
  const std::uint64_t recorded = count();
  if (recorded == 0) return 0;
  const double wanted = std::ceil(part * static_cast<double>(recorded));
  // The product may be rounded up past the count.
  const auto rank = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{1}, recorded);
  std::size_t bucket = 0;
  for (std::uint64_t seen = counts_[0]; seen < rank; seen += counts_[bucket]) ++bucket;
  if (bucket + 1 == counts_.size()) return max_;
  const BucketRange range = scale_->range_of(bucket);
  return std::min(max_, range.lowest + (range.highest - range.lowest) / 2);
}

std::vector<std::uint64_t> Distribution::counts_up_to_bounds() const {
  std::vector<std::uint64_t> counts;
  counts.reserve(scale_->bounds().size());
  std::size_t bucket = 0;
  std::uint64_t seen = 0;
  for (const std::uint64_t bound : scale_->bounds()) {
    for (const std::size_t last = scale_->bucket_of(bound); bucket <= last; ++bucket) {
      seen += counts_[bucket];
    }
    counts.push_back(seen);
  }
  return counts;
}

}  // namespace millrace::telemetry
