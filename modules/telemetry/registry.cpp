module;
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.telemetry;

import millrace.base;
import :names;
import :state;
import :text;

namespace millrace::telemetry {
namespace {

static_assert(Word::is_always_lock_free);
// A histogram's series take at most this much of a shard's memory.
static_assert(histogram_series_max * Distribution::words(duration_scale) * sizeof(Word) <=
              10 * mebibyte);
static_assert(duration_scale.largest() >= byte_scale.largest() &&
              duration_scale.largest() >= count_scale.largest());

const HistogramScale* scale_for(std::string_view name, Kind kind) {
  if (kind == Kind::duration_histogram) return &duration_scale;
  if (kind != Kind::histogram) return nullptr;
  return name.ends_with("_bytes") ? &byte_scale : &count_scale;
}

bool defines(const Metric& metric, const Definition& definition, Kind kind) {
  return metric.kind == kind && metric.help == definition.help &&
         metric.series_max == definition.series_max &&
         metric.combination == definition.combination &&
         std::ranges::equal(metric.labels, definition.labels);
}

std::string rendered_labels(const Metric& metric, LabelValues values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) append_label(text, metric.labels[i], values[i]);
  return text;
}

// The series with these labels, as it is known now; null when it is not.
const Series* find_series(const Metric& metric, LabelValues values) {
  check(values.size() == metric.labels.size(), "each label of a metric has a value");
  const auto found = metric.series.find(rendered_labels(metric, values));
  return found == metric.series.end() || !found->second.shown ? nullptr : &found->second;
}

Error no_series(const Metric& metric, LabelValues values) {
  return {ErrorKind::not_found,
          formatted("no series {}{{{}}}", metric.name, rendered_labels(metric, values))};
}

}  // namespace

std::size_t ShardMemory::bytes_for(std::size_t count) {
  return (count * sizeof(Word) + cache_line_bytes - 1) / cache_line_bytes * cache_line_bytes;
}

ShardMemory::Words ShardMemory::make_words(std::size_t count) {
  const std::size_t bytes = bytes_for(count);
  void* const memory = ::operator new(bytes, std::align_val_t{cache_line_bytes});
  Word* const words = static_cast<Word*>(memory);
  std::uninitialized_value_construct_n(words, bytes / sizeof(Word));
  bytes_ += bytes;
  return Words(words);
}

Word* ShardMemory::allocate(std::size_t count) {
  if (count > 1) {
    Words words = make_words(count);
    Word* const key = words.get();
    separate_.emplace(key, std::move(words));
    return key;
  }
  if (unused_.empty()) {
    slabs_.push_back(make_words(slab_words));
    unused_.reserve(slabs_.size() * slab_words);
    for (std::size_t i = slab_words; i > 0; --i) unused_.push_back(&slabs_.back()[i - 1]);
  }
  Word* const word = unused_.back();
  unused_.pop_back();
  word->store(0, std::memory_order_relaxed);
  return word;
}

void ShardMemory::give_back(Word* words, std::size_t count) noexcept {
  if (count > 1) {
    separate_.erase(words);
    bytes_ -= bytes_for(count);
  } else {
    unused_.push_back(words);  // there is room: it came from here
  }
}

Result<Metric*> RegistryState::add_metric(const Definition& definition, Kind kind) {
  if (const auto checked = check_definition(definition, kind); !checked) {
    return failure(checked.error());
  }
  if (const auto found = metrics.find(definition.name); found != metrics.end()) {
    if (defines(found->second, definition, kind)) return &found->second;
    return failure(ErrorKind::already_exists,
                   formatted("metric '{}' is there with another definition", definition.name));
  }
  if (metrics.size() == metrics_max) {
    return failure(ErrorKind::limit_exceeded, formatted("metric '{}': there are {} metrics already",
                                                        definition.name, metrics_max));
  }
  Metric& metric = metrics[std::string(definition.name)];
  metric.registry = this;
  metric.name = definition.name;
  metric.help = definition.help;
  metric.labels.assign(definition.labels.begin(), definition.labels.end());
  metric.series_max = definition.series_max;
  metric.combination = definition.combination;
  metric.kind = kind;
  metric.scale = scale_for(definition.name, kind);
  metric.words = metric.is_histogram() ? Distribution::words(*metric.scale) : 1;
  return &metric;
}

void RegistryState::count_over_limit(Metric& metric) {
  if (metric.over_limit == nullptr) {
    const std::string_view name = metric.name;
    Metric& counter = metrics.find(over_limit_metric)->second;
    Series& series = series_of(counter, {&name, 1});
    metric.over_limit = memory.back().allocate(1);
    series.cells.push_back({metric.over_limit, ShardIndex{shard_count}, 1});
    series.handles = 1;  // never released
  }
  add_to(*metric.over_limit, 1);
}

Series& RegistryState::series_of(Metric& metric, LabelValues label_values) {
  std::string labels = rendered_labels(metric, label_values);
  auto found = metric.series.find(labels);
  const bool is_over_limit = found == metric.series.end() && !metric.labels.empty() &&
                             metric.series.size() >= metric.series_max;
  if (is_over_limit) {
    count_over_limit(metric);
    const std::vector<std::string_view> other(metric.labels.size(), other_series);
    labels = rendered_labels(metric, other);
    found = metric.series.find(labels);
  }
  if (found == metric.series.end()) {
    found = metric.series.try_emplace(std::move(labels)).first;
    found->second.metric = &metric;
    found->second.labels = &found->first;
    found->second.shown = !is_over_limit || !metric.is_gauge();
  }
  return found->second;
}

Lease RegistryState::acquire(Metric& metric, ShardIndex shard, LabelValues label_values) {
  Series& series = series_of(metric, label_values);
  auto cell = std::ranges::find(series.cells, shard, &Cell::shard);
  if (cell == series.cells.end()) {
    series.cells.push_back({memory[shard.value()].allocate(metric.words), shard});
    cell = series.cells.end() - 1;
  } else if (cell->handles == 0 && metric.is_gauge()) {
    cell->words[0].store(0, std::memory_order_relaxed);
  }
  ++cell->handles;
  ++series.handles;
  ++handles;
  return {*this, series, shard, cell->words};
}

void RegistryState::release(Series& series, ShardIndex shard) noexcept {
  const auto cell = std::ranges::find(series.cells, shard, &Cell::shard);
  --cell->handles;
  --series.handles;
  --handles;
  if (series.handles > 0) return;
  Metric& metric = *series.metric;
  for (const Cell& ended : series.cells) {
    memory[ended.shard.value()].give_back(ended.words, metric.words);
  }
  metric.series.erase(metric.series.find(*series.labels));
}

std::string_view type_of(const Metric& metric) {
  if (metric.is_histogram()) return "histogram";
  return metric.is_gauge() ? "gauge" : "counter";
}

std::uint64_t combined_number(const Series& series) {
  std::uint64_t sum = 0;
  std::int64_t maximum = 0;
  bool is_first = true;
  for (const Cell& cell : series.cells) {
    if (series.metric->is_gauge() && cell.handles == 0) continue;
    const std::uint64_t number = cell.words[0].load(std::memory_order_relaxed);
    const auto as_signed = static_cast<std::int64_t>(number);
    sum += number;
    maximum = is_first ? as_signed : std::max(maximum, as_signed);
    is_first = false;
  }
  return series.metric->combination == Combination::sum ? sum : static_cast<std::uint64_t>(maximum);
}

Distribution combined_distribution(const Series& series) {
  Distribution all(*series.metric->scale);
  for (const Cell& cell : series.cells) all.merge(std::span(cell.words, series.metric->words));
  return all;
}

const HistogramScale& Lease::scale() const {
  return *series_->metric->scale;
}

void Lease::release() noexcept {
  const std::scoped_lock lock(registry_->mutex);
  registry_->release(*series_, shard_);
}

Distribution Histogram::value() const {
  Distribution recorded(*scale_);
  recorded.merge(std::span<const Word>(words(), Distribution::words(*scale_)));
  return recorded;
}

Registry::Registry(std::uint32_t shard_count)
    : state_(std::make_unique<RegistryState>(shard_count)) {
  check(shard_count > 0 && shard_count <= shards_max, "a registry has 1 to shards_max shards");
  const auto added = state_->add_metric(
      {.name = over_limit_metric,
       .help = "New series of this metric that found no place below the metric's limit of series.",
       .labels = {"metric"},
       .series_max = metrics_max},
      Kind::counter);
  check(added.has_value(), "the registry's own metric keeps the rules");
}

Registry::~Registry() {
  check(state_->handles == 0, "the registry outlives all handles");
}

Result<Metric*> Registry::add_metric(const Definition& definition, Kind kind) {
  if (definition.name == over_limit_metric) {
    return failure(ErrorKind::already_exists,
                   formatted("metric '{}' is the registry's own", over_limit_metric));
  }
  const std::scoped_lock lock(state_->mutex);
  return state_->add_metric(definition, kind);
}

Lease Registry::lease(Metric& metric, ShardIndex shard, LabelValues label_values) {
  RegistryState& state = *metric.registry;
  check(shard.value() < state.shard_count, "a handle is for one of the registry's shards");
  check(label_values.size() == metric.labels.size(), "each label of a metric has a value");
  const std::scoped_lock lock(state.mutex);
  return state.acquire(metric, shard, label_values);
}

Result<std::uint64_t> Registry::read_number(Metric& metric, LabelValues label_values) {
  const std::scoped_lock lock(metric.registry->mutex);
  const Series* series = find_series(metric, label_values);
  if (series == nullptr) return failure(no_series(metric, label_values));
  return combined_number(*series);
}

Result<Distribution> Registry::read_distribution(Metric& metric, LabelValues label_values) {
  const std::scoped_lock lock(metric.registry->mutex);
  const Series* series = find_series(metric, label_values);
  if (series == nullptr) return failure(no_series(metric, label_values));
  return combined_distribution(*series);
}

std::size_t Registry::memory_bytes() const {
  const std::scoped_lock lock(state_->mutex);
  std::size_t bytes = 0;
  for (const ShardMemory& memory : state_->memory) bytes += memory.bytes();
  return bytes;
}

std::uint32_t Registry::shard_count() const {
  return state_->shard_count;
}

}  // namespace millrace::telemetry
