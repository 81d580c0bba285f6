// Where the buckets of a histogram lie: each power of two is cut into equal parts, so that a
// bucket's width is a small fraction of its values; and cut again at the bounds that are shown as
// `le`, so that those counts are exact.
module;
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>

export module millrace.telemetry:scale;

import :limits;

export namespace millrace::telemetry {

// Each power of two is cut into this many parts.
inline constexpr unsigned sub_bucket_bits = 5;
inline constexpr std::uint64_t sub_buckets = std::uint64_t{1} << sub_bucket_bits;

// How far a quantile that is read is from the value that was recorded, relative to that value: half
// the width of a bucket. Small numbers have a bucket each and are exact.
inline constexpr double relative_error_max = 1.0 / (2 * sub_buckets);
static_assert(relative_error_max <= 0.03);

// The values of one bucket, both ends included.
struct BucketRange {
  std::uint64_t lowest = 0;
  std::uint64_t highest = 0;

  friend bool operator==(const BucketRange&, const BucketRange&) = default;
};

// An immutable table, made by the compiler; histograms refer to one of those below. Values from
// `largest` on share the last bucket.
class HistogramScale {
 public:
  // The largest power of two that a scale may end at.
  static constexpr unsigned largest_bits_max = 40;

  // `bounds` rise, are below `largest` and so far apart that no bucket is cut twice.
  consteval HistogramScale(std::span<const std::uint64_t> bounds, std::uint64_t largest)
      : largest_(largest), bound_count_(bounds.size()), position_count_(position_of(largest) + 1) {
    if (!std::has_single_bit(largest) || largest > std::uint64_t{1} << largest_bits_max ||
        largest < 2 * sub_buckets || bounds.empty() || bounds.size() > le_bounds_max) {
      the_scale_is_not_well_formed();
    }
    bounds_.fill(std::numeric_limits<std::uint64_t>::max());
    std::copy(bounds.begin(), bounds.end(), bounds_.begin());
    std::size_t below = 0;
    for (std::size_t position = 0; position < position_count_; ++position) {
      while (bounds_[below] < lowest_at(position)) ++below;
      bounds_below_[position] = static_cast<std::uint8_t>(below);
      if (below + 1 < bound_count_ && bounds_[below + 1] < lowest_at(position + 1)) {
        the_scale_is_not_well_formed();
      }
    }
    if (below != bound_count_) the_scale_is_not_well_formed();
  }

  // The bucket of a value. Rises with the value. A few instructions without a branch.
  [[nodiscard]] constexpr std::size_t bucket_of(std::uint64_t value) const {
    const std::uint64_t within = value < largest_ ? value : largest_;
    const std::size_t position = position_of(within);
    const std::size_t below = bounds_below_[position];
    return position + below + (within > bounds_[below] ? 1 : 0);
  }

  [[nodiscard]] constexpr std::size_t bucket_count() const {
    return position_count_ + bound_count_;
  }

  // The values that bucket_of() gives this bucket; the highest of the last bucket is the largest
  // number there is. Buckets just above a bound may hold no value: their range is empty, with the
  // highest below the lowest.
  [[nodiscard]] constexpr BucketRange range_of(std::size_t bucket) const {
    // Of the positions whose first bucket is not above this one, the last.
    std::size_t first = 0;
    std::size_t last = position_count_;
    while (last - first > 1) {
      const std::size_t middle = first + (last - first) / 2;
      (middle + bounds_below_[middle] <= bucket ? first : last) = middle;
    }
    const std::uint64_t bound = bounds_[bounds_below_[first]];
    const std::uint64_t highest = first + 1 == position_count_
                                      ? std::numeric_limits<std::uint64_t>::max()
                                      : lowest_at(first + 1) - 1;
    if (first + bounds_below_[first] == bucket) return {lowest_at(first), std::min(highest, bound)};
    return {bound + 1, highest};
  }

  [[nodiscard]] constexpr std::span<const std::uint64_t> bounds() const {
    return {bounds_.data(), bound_count_};
  }
  [[nodiscard]] constexpr std::uint64_t largest() const { return largest_; }

 private:
  // Never defined: a call ends the compilation.
  static void the_scale_is_not_well_formed();

  // Values below 2 * sub_buckets have a position each; from there on, each power of two has
  // sub_buckets of them.
  [[nodiscard]] static constexpr std::size_t position_of(std::uint64_t value) {
    constexpr unsigned top_bit_of_first = 63 - sub_bucket_bits;
    const auto zeros = static_cast<unsigned>(std::countl_zero(value | sub_buckets));
    const unsigned shift = top_bit_of_first - zeros;
    return (std::size_t{shift} << sub_bucket_bits) + static_cast<std::size_t>(value >> shift);
  }
  [[nodiscard]] static constexpr std::uint64_t lowest_at(std::size_t position) {
    if (position < 2 * sub_buckets) return position;
    const std::size_t shift = (position >> sub_bucket_bits) - 1;
    // NOLINTNEXTLINE(clang-analyzer-core.BitwiseShift): positions end at position_count_max
    return ((position & (sub_buckets - 1)) + sub_buckets) << shift;
  }

  static constexpr std::size_t position_count_max =
      ((largest_bits_max - sub_bucket_bits + 1) << sub_bucket_bits) + 1;

  std::uint64_t largest_;
  std::size_t bound_count_;
  std::size_t position_count_;
  // One more than can be shown: the last is above all values.
  std::array<std::uint64_t, le_bounds_max + 1> bounds_{};
  std::array<std::uint8_t, position_count_max> bounds_below_{};
};

// Nanoseconds: 1, 2 and 5 of each power of ten from a microsecond to 100 seconds are shown; buckets
// reach to 18 minutes.
inline constexpr std::array<std::uint64_t, 25> duration_bounds = [] {
  std::array<std::uint64_t, 25> bounds{};
  std::size_t count = 0;
  for (std::uint64_t power = 1000; power < 100'000'000'000; power *= 10) {
    for (const std::uint64_t factor : {1u, 2u, 5u}) bounds[count++] = factor * power;
  }
  bounds[count] = 100'000'000'000;
  return bounds;
}();
inline constexpr HistogramScale duration_scale{duration_bounds, std::uint64_t{1} << 40};

// Bytes: powers of two from 64 bytes to a gibibyte are shown; buckets reach to 4 gibibytes.
inline constexpr std::array<std::uint64_t, 25> byte_bounds = [] {
  std::array<std::uint64_t, 25> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] = std::uint64_t{64} << i;
  return bounds;
}();
inline constexpr HistogramScale byte_scale{byte_bounds, std::uint64_t{1} << 32};

// How many: powers of two from 1 to 65,536 are shown; buckets reach to 16 million.
inline constexpr std::array<std::uint64_t, 17> count_bounds = [] {
  std::array<std::uint64_t, 17> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] = std::uint64_t{1} << i;
  return bounds;
}();
inline constexpr HistogramScale count_scale{count_bounds, std::uint64_t{1} << 24};

}  // namespace millrace::telemetry
