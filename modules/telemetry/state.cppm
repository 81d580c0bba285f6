// What a registry holds, seen by the parts of this module only. Everything here is touched under
// RegistryState::mutex, except the words that handles write.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <vector>

module millrace.telemetry:state;

import millrace.base;
import :distribution;
import :handles;
import :registry;
import :scale;

namespace millrace::telemetry {

inline constexpr std::size_t cache_line_bytes = 64;

// Gives one shard its words, in whole cache lines, so that no store of a shard makes a line move
// from another's cache. Words that came back are used again.
class ShardMemory {
 public:
  // Zeroed.
  [[nodiscard]] Word* allocate(std::size_t count);
  void give_back(Word* words, std::size_t count) noexcept;
  // What was taken from the heap for words.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(Word* words) const noexcept {
      ::operator delete(words, std::align_val_t{cache_line_bytes});
    }
  };
  using Words = std::unique_ptr<Word[], Free>;
  static constexpr std::size_t slab_words = 512;

  [[nodiscard]] static std::size_t bytes_for(std::size_t count);
  [[nodiscard]] Words make_words(std::size_t count);

  std::vector<Words> slabs_;         // of single words
  std::vector<Word*> unused_;        // single words that are to be had
  std::map<Word*, Words> separate_;  // those of histograms
  std::size_t bytes_ = 0;
};

// The numbers that one shard adds to a series. It keeps them while the series lives, with or
// without a handle: a counter must not go back because one shard no longer counts.
struct Cell {
  Word* words = nullptr;
  ShardIndex shard;
  std::uint32_t handles = 0;
};

struct Metric;

struct Series {
  Metric* metric = nullptr;
  const std::string* labels = nullptr;  // its key in Metric::series
  std::vector<Cell> cells;
  std::size_t handles = 0;
  bool shown = true;
};

struct Metric {
  RegistryState* registry = nullptr;
  std::string name;
  std::string help;
  std::vector<std::string> labels;
  std::size_t series_max = 0;
  Combination combination = Combination::sum;
  Kind kind = Kind::counter;
  const HistogramScale* scale = nullptr;  // of histograms
  std::size_t words = 1;                  // of a cell
  Word* over_limit = nullptr;             // once there was one too many
  // By their labels as they are shown: `api="Fetch",version="13"`.
  std::map<std::string, Series, std::less<>> series;

  [[nodiscard]] bool is_histogram() const { return scale != nullptr; }
  [[nodiscard]] bool is_gauge() const {
    return kind == Kind::gauge || kind == Kind::duration_gauge;
  }
  [[nodiscard]] bool is_duration() const {
    return kind == Kind::duration_counter || kind == Kind::duration_gauge ||
           kind == Kind::duration_histogram;
  }
};

struct RegistryState {
  explicit RegistryState(std::uint32_t shards) : shard_count(shards), memory(shards + 1) {}

  [[nodiscard]] Result<Metric*> add_metric(const Definition& definition, Kind kind);
  [[nodiscard]] Lease acquire(Metric& metric, ShardIndex shard, LabelValues label_values);
  void release(Series& series, ShardIndex shard) noexcept;
  [[nodiscard]] Series& series_of(Metric& metric, LabelValues label_values);
  void count_over_limit(Metric& metric);

  std::mutex mutex;
  std::uint32_t shard_count;
  // One a shard; the last is written by whoever holds the mutex.
  std::vector<ShardMemory> memory;
  std::size_t handles = 0;
  std::map<std::string, Metric, std::less<>> metrics;
};

// `counter`, `gauge` or `histogram`.
[[nodiscard]] std::string_view type_of(const Metric& metric);

// What is shown for a series that is no histogram, its duration still in nanoseconds.
[[nodiscard]] std::uint64_t combined_number(const Series& series);
// What is shown for a histogram.
[[nodiscard]] Distribution combined_distribution(const Series& series);

}  // namespace millrace::telemetry
