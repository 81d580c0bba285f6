// How often a time was how long.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

export module millrace.cli.records:histogram;

export namespace millrace::cli {

// Of microseconds, each to one part in 16. For one thread.
class Histogram {
 public:
  void add(std::int64_t microseconds);

  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t max() const { return max_; }
  [[nodiscard]] double mean() const;
  // So long or shorter were that part of all: 0.99. Never above max().
  [[nodiscard]] std::int64_t quantile(double part) const;
  // Each doubling that has any: so long at most, and how often. The last one ends with max().
  struct Doubling {
    std::int64_t upper_bound = 0;
    std::int64_t count = 0;
  };
  [[nodiscard]] std::vector<Doubling> doublings() const;
  // A line for each of them, with a bar.
  [[nodiscard]] std::string bars() const;

 private:
  static constexpr std::size_t steps = 16;  // in each doubling
  static constexpr std::size_t doublings_max = 44;
  [[nodiscard]] static std::size_t bucket_of(std::int64_t microseconds);
  [[nodiscard]] static std::int64_t upper_bound_of(std::size_t bucket);

  std::array<std::int64_t, steps * doublings_max> buckets_{};
  std::int64_t count_ = 0;
  std::int64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace millrace::cli
