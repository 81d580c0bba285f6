module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

module millrace.telemetry;

import millrace.base;
import :state;
import :text;

namespace millrace::telemetry {
namespace {

void append_heading(std::string& to, const Metric& metric) {
  to += "# HELP ";
  to += metric.name;
  to += ' ';
  append_help(to, metric.help);
  to += "\n# TYPE ";
  to += metric.name;
  to += ' ';
  to += type_of(metric);
  to += '\n';
}

void append_name(std::string& to, const Series& series, std::string_view part) {
  to += series.metric->name;
  to += part;
  if (!series.labels->empty()) {
    to += '{';
    to += *series.labels;
    to += '}';
  }
  to += ' ';
}

void append_quantity(std::string& to, std::uint64_t value, bool is_duration) {
  if (is_duration) {
    append_seconds(to, value);
  } else {
    append_number(to, value);
  }
}

void append_bucket_name(std::string& to, const Series& series) {
  to += series.metric->name;
  to += "_bucket{";
  to += *series.labels;
  if (!series.labels->empty()) to += ',';
  to += "le=\"";
}

void append_histogram(std::string& to, const Series& series) {
  const bool is_duration = series.metric->is_duration();
  const Distribution distribution = combined_distribution(series);
  const std::vector<std::uint64_t> counts = distribution.counts_up_to_bounds();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    append_bucket_name(to, series);
    append_quantity(to, distribution.scale().bounds()[i], is_duration);
    to += "\"} ";
    append_number(to, counts[i]);
    to += '\n';
  }
  const std::uint64_t count = distribution.count();
  append_bucket_name(to, series);
  to += "+Inf\"} ";
  append_number(to, count);
  to += '\n';
  append_name(to, series, "_sum");
  append_quantity(to, distribution.sum(), is_duration);
  to += '\n';
  append_name(to, series, "_count");
  append_number(to, count);
  to += '\n';
}

void append_series(std::string& to, const Series& series) {
  const Metric& metric = *series.metric;
  if (metric.is_histogram()) {
    append_histogram(to, series);
    return;
  }
  const std::uint64_t number = combined_number(series);
  append_name(to, series, "");
  if (metric.is_gauge()) {
    const auto value = static_cast<std::int64_t>(number);
    metric.is_duration() ? append_seconds(to, value) : append_number(to, value);
  } else {
    append_quantity(to, number, metric.is_duration());
  }
  to += '\n';
}

}  // namespace

bool Exposition::next_metric() {
  const auto& metrics = registry_->state_->metrics;
  const auto next = metrics.upper_bound(metric_);
  if (next == metrics.end()) return false;
  metric_ = next->first;
  is_metric_begun_ = false;
  return true;
}

// Called with the lock held, so that the position is found again only once a chunk.
bool Exposition::next_series() {
  const auto metric = registry_->state_->metrics.find(metric_);
  if (metric == registry_->state_->metrics.end()) return false;  // before the first
  const auto& all = metric->second.series;
  auto next = is_metric_begun_ ? all.upper_bound(series_) : all.begin();
  auto last = all.end();
  for (; next != all.end() && chunk_.size() < exposition_chunk_bytes; ++next) {
    if (!next->second.shown) continue;
    if (!is_metric_begun_) append_heading(chunk_, metric->second);
    is_metric_begun_ = true;
    append_series(chunk_, next->second);
    last = next;
  }
  if (last != all.end()) series_ = last->first;
  return next != all.end();
}

void Exposition::make_chunk() {
  chunk_.clear();
  written_ = 0;
  const std::scoped_lock lock(registry_->state_->mutex);
  while (chunk_.size() < exposition_chunk_bytes) {
    if (next_series()) continue;
    if (!next_metric()) {
      is_at_end_ = true;
      return;
    }
  }
}

std::size_t Exposition::write(MutableBytes to) {
  std::size_t done = 0;
  while (done < to.size() && !finished()) {
    if (written_ == chunk_.size()) make_chunk();
    const std::size_t part = std::min(to.size() - done, chunk_.size() - written_);
    std::memcpy(to.data() + done, chunk_.data() + written_, part);
    done += part;
    written_ += part;
  }
  return done;
}

std::string exposition_text(const Registry& registry) {
  std::string text;
  std::array<std::byte, exposition_chunk_bytes> slice;
  for (Exposition exposition(registry); !exposition.finished();) {
    text += as_text(ByteView(slice).first(exposition.write(slice)));
  }
  return text;
}

}  // namespace millrace::telemetry
