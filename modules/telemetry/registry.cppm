// All metrics of a process: where they are defined and where handles come from.
module;
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.telemetry:registry;

import millrace.base;
import :distribution;
import :handles;
import :limits;

namespace millrace::telemetry {

struct Metric;

}  // namespace millrace::telemetry

export namespace millrace::telemetry {

// How the gauges of several shards become one number. Counters and histograms are added up.
enum class Combination : std::uint8_t { sum, maximum };

// What a metric is. docs/metrics.md says how names are made; registration holds them to it.
struct Definition {
  std::string_view name;
  // A sentence for the one who reads it in a dashboard.
  std::string_view help;
  std::vector<std::string_view> labels = {};
  // Beyond it, counters and histograms go to one series in which each label is `other_series`, so
  // that sums stay right; gauges, which do not add up, are not shown.
  std::size_t series_max = series_per_metric_max_default;
  Combination combination = Combination::sum;
};

// The label value of what found no place. No topic and no broker can be called so.
inline constexpr std::string_view other_series = "(other)";

// The metric that counts, for each metric, how often a new series found no place.
inline constexpr std::string_view over_limit_metric = "millrace_telemetry_series_over_limit_total";

using LabelValues = std::span<const std::string_view>;

template <class Handle>
class Family;

// Owned by whoever sets up the process, and handed to all who measure. Any thread may call it: it
// takes a lock for each call, so handles are made when a topic or connection begins, not for each
// request. It outlives all handles, or stops the process. Metrics stay for its lifetime; a series
// lives while any shard holds a handle of it.
class Registry {
 public:
  // Shards are numbered from 0 to shard_count - 1, which is at most shards_max.
  explicit Registry(std::uint32_t shard_count);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Fails with invalid_argument, in a sentence, when the definition breaks a rule; with
  // already_exists when the name is taken by a different definition; with limit_exceeded past
  // metrics_max. Every shard may add the same definition: all get the same family.
  template <class Handle>
  [[nodiscard]] Result<Family<Handle>> add(const Definition& definition);

  // Defines a metric and takes one handle of it.
  template <class Handle>
  [[nodiscard]] Result<Handle> add(const Definition& definition, ShardIndex shard,
                                   std::initializer_list<std::string_view> label_values = {});

  [[nodiscard]] std::uint32_t shard_count() const;

  // What the numbers of all shards take, used or kept to be used again; names and labels come on
  // top.
  [[nodiscard]] std::size_t memory_bytes() const;

  // A table of all metrics in Markdown, ordered by name: name, type, labels, help.
  [[nodiscard]] std::string documentation() const;

 private:
  template <class Handle>
  friend class Family;
  friend class Exposition;

  [[nodiscard]] Result<Metric*> add_metric(const Definition& definition, Kind kind);
  static Lease lease(Metric& metric, ShardIndex shard, LabelValues label_values);
  static Result<std::uint64_t> read_number(Metric& metric, LabelValues label_values);
  static Result<Distribution> read_distribution(Metric& metric, LabelValues label_values);

  std::unique_ptr<RegistryState> state_;
};

// A metric with all its series; Handle is one of Counter, DurationCounter, Gauge, DurationGauge,
// Histogram and DurationHistogram. Cheap to copy; the registry outlives it. Any thread may call it.
template <class Handle>
class Family {
 public:
  // A handle of the series with these label values, one for each label of the definition and in
  // its order, for the thread of this shard. Several handles of one series and shard share its
  // numbers. What is not UTF-8 in a value is replaced, and what is beyond label_value_bytes_max cut
  // off. Never fails; past the limit of series see Definition::series_max.
  [[nodiscard]] Handle of(ShardIndex shard, LabelValues label_values) const {
    return Handle(Registry::lease(*metric_, shard, label_values));
  }
  [[nodiscard]] Handle of(ShardIndex shard,
                          std::initializer_list<std::string_view> label_values = {}) const {
    return of(shard, LabelValues(label_values.begin(), label_values.size()));
  }

  // What is shown for this series: all shards together. not_found when nobody holds a handle of it.
  [[nodiscard]] Result<typename Handle::Value> read(
      std::initializer_list<std::string_view> label_values = {}) const {
    const LabelValues values(label_values.begin(), label_values.size());
    if constexpr (std::same_as<typename Handle::Value, Distribution>) {
      return Registry::read_distribution(*metric_, values);
    } else {
      const auto number = Registry::read_number(*metric_, values);
      if (!number) return failure(number.error());
      return typename Handle::Value(*number);
    }
  }

 private:
  friend class Registry;
  explicit Family(Metric& metric) : metric_(&metric) {}

  Metric* metric_;
};

template <class Handle>
Result<Family<Handle>> Registry::add(const Definition& definition) {
  const auto metric = add_metric(definition, Handle::kind);
  if (!metric) return failure(metric.error());
  return Family<Handle>(**metric);
}

template <class Handle>
Result<Handle> Registry::add(const Definition& definition, ShardIndex shard,
                             std::initializer_list<std::string_view> label_values) {
  const auto family = add<Handle>(definition);
  if (!family) return failure(family.error());
  return family->of(shard, label_values);
}

}  // namespace millrace::telemetry
