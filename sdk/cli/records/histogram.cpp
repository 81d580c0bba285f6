module;
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

module millrace.cli.records;

import millrace.cli.frame;

namespace millrace::cli {

// The first 16 buckets are those of 0 to 15; then each doubling has 16.
std::size_t Histogram::bucket_of(std::int64_t microseconds) {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(microseconds, 0));
  if (value < steps) return static_cast<std::size_t>(value);
  const auto doubling = static_cast<std::size_t>(std::bit_width(value)) - 5;  // of 16..31: 0
  const std::size_t step = (value >> doubling) - steps;
  return std::min((doubling + 1) * steps + step, steps * doublings_max - 1);
}

std::int64_t Histogram::upper_bound_of(std::size_t bucket) {
  if (bucket < steps) return static_cast<std::int64_t>(bucket);
  const std::size_t doubling = bucket / steps - 1;
  const std::uint64_t first = (steps + bucket % steps) << doubling;
  return static_cast<std::int64_t>(first + (std::uint64_t{1} << doubling) - 1);
}

void Histogram::add(std::int64_t microseconds) {
  ++buckets_[bucket_of(microseconds)];
  ++count_;
  max_ = std::max(max_, microseconds);
  sum_ += static_cast<double>(microseconds);
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

std::int64_t Histogram::quantile(double part) const {
  const double wanted = part * static_cast<double>(count_);
  std::int64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    const bool is_last = bucket + 1 == buckets_.size();  // takes all that is longer
    if (seen > 0 && static_cast<double>(seen) >= wanted)
      return is_last ? max_ : std::min(upper_bound_of(bucket), max_);
  }
  return max_;
}

std::vector<Histogram::Doubling> Histogram::doublings() const {
  std::vector<Doubling> found;
  for (std::size_t doubling = 0; doubling < doublings_max; ++doubling) {
    const auto begin = buckets_.begin() + static_cast<std::ptrdiff_t>(doubling * steps);
    const std::int64_t count = std::accumulate(begin, begin + steps, std::int64_t{0});
    if (count > 0) found.push_back({upper_bound_of(doubling * steps + steps - 1), count});
  }
  if (!found.empty()) found.back().upper_bound = max_;
  return found;
}

std::string Histogram::bars() const {
  constexpr std::int64_t width = 40;
  const std::vector<Doubling> found = doublings();
  std::int64_t most = 1;
  for (const Doubling& doubling : found) most = std::max(most, doubling.count);
  std::string text;
  for (const auto& [upper_bound, count] : found) {
    const auto bar = static_cast<std::size_t>((count * width + most - 1) / most);
    text += joined("  up to ", upper_bound, " us: ", count, " ", std::string(bar, '#'), "\n");
  }
  return text;
}

}  // namespace millrace::cli
