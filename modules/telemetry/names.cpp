module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

module millrace.telemetry;

import millrace.base;
import :names;

namespace millrace::telemetry {
namespace {

// Each of these would be read as something else than it is: as a part of a histogram, or as a
// number in a unit that Prometheus does not use.
constexpr std::array<std::string_view, 4> endings_of_parts = {"_bucket", "_count", "_sum",
                                                              "_created"};
constexpr std::array<std::string_view, 21> endings_of_other_units = {
    "_ns",        "_us",        "_ms",       "_nanos",     "_micros",       "_millis",
    "_minutes",   "_hours",     "_days",     "_bits",      "_nanoseconds",  "_microseconds",
    "_kb",        "_mb",        "_gb",       "_kilobytes", "_milliseconds", "_megabytes",
    "_gigabytes", "_kibibytes", "_mebibytes"};
static_assert(std::ranges::none_of(endings_of_other_units, &std::string_view::empty));

bool is_histogram(Kind kind) {
  return kind == Kind::histogram || kind == Kind::duration_histogram;
}

bool is_letter(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

// A metric of ours has no colon: those are for the rules of whoever collects it.
bool is_name(std::string_view name) {
  const auto may_stand = [](char character) {
    return is_letter(character) || character == '_' || (character >= '0' && character <= '9');
  };
  return !name.empty() && name.size() <= metric_name_bytes_max &&
         (is_letter(name.front()) || name.front() == '_') && std::ranges::all_of(name, may_stand);
}

bool is_utf8(std::string_view text) {
  for (ByteView rest = as_bytes(text); !rest.empty();) {
    const Utf8Character next = first_utf8_character(rest);
    if (!next.valid) return false;
    rest = rest.subspan(next.bytes);
  }
  return true;
}

template <std::size_t count>
bool ends_with_one_of(std::string_view name, const std::array<std::string_view, count>& endings) {
  return std::ranges::any_of(endings,
                             [name](std::string_view ending) { return name.ends_with(ending); });
}

// The rule that a metric's name breaks; empty when it keeps them all.
std::string_view broken_rule(std::string_view name, Kind kind) {
  const bool is_counter = kind == Kind::counter || kind == Kind::duration_counter;
  const bool is_duration = is_counter
                               ? kind == Kind::duration_counter
                               : kind == Kind::duration_gauge || kind == Kind::duration_histogram;
  if (!is_name(name)) {
    return "a name is made of letters, digits and underscores, begins with no digit and has at "
           "most 128 bytes";
  }
  if (name.ends_with("_total") != is_counter) {
    return "counters end in _total, and nothing else does";
  }
  const std::string_view quantity = name.substr(0, name.size() - (is_counter ? 6 : 0));
  if (quantity.ends_with("_seconds") != is_duration) {
    return "durations end in _seconds (before _total), and nothing else does";
  }
  if (ends_with_one_of(quantity, endings_of_other_units)) {
    return "durations are shown in _seconds and sizes in _bytes";
  }
  if (ends_with_one_of(name, endings_of_parts)) {
    return "_bucket, _count, _sum and _created are endings of the parts of a histogram";
  }
  if (name.ends_with("_info") && kind != Kind::gauge) return "only a gauge may end in _info";
  return {};
}

std::string_view broken_rule_of_labels(const std::vector<std::string_view>& labels, Kind kind) {
  if (labels.size() > labels_max) return "a metric has at most 8 labels";
  for (auto label = labels.begin(); label != labels.end(); ++label) {
    if (!is_name(*label) || label->starts_with("__")) {
      return "a label is made of letters, digits and underscores, and begins with no digit and no "
             "double underscore";
    }
    if (is_histogram(kind) && *label == "le") return "a histogram's label le is its own";
    if (std::find(labels.begin(), label, *label) != label) return "a label stands there twice";
  }
  return {};
}

std::string_view broken_rule_of_rest(const Definition& definition, Kind kind) {
  if (definition.help.empty() || definition.help.size() > help_bytes_max ||
      !is_utf8(definition.help)) {
    return "the help is a sentence in UTF-8 of at most 1024 bytes";
  }
  if (definition.series_max == 0 || definition.series_max > series_per_metric_max) {
    return "the limit of series lies between 1 and 32768";
  }
  if (is_histogram(kind) && definition.series_max > histogram_series_max) {
    return "the limit of a histogram's series is at most 1024";
  }
  if (definition.combination != Combination::sum && kind != Kind::gauge &&
      kind != Kind::duration_gauge) {
    return "only gauges are combined by their maximum";
  }
  return {};
}

static_assert(metric_name_bytes_max == 128 && labels_max == 8 && help_bytes_max == 1024 &&
                  series_per_metric_max == 32'768 && histogram_series_max == 1024,
              "the sentences above name these limits");

}  // namespace

Result<void> check_definition(const Definition& definition, Kind kind) {
  std::string_view rule = broken_rule(definition.name, kind);
  if (rule.empty()) rule = broken_rule_of_labels(definition.labels, kind);
  if (rule.empty()) rule = broken_rule_of_rest(definition, kind);
  if (rule.empty()) return {};
  return failure(
      ErrorKind::invalid_argument,
      formatted("metric '{}': {}", definition.name.substr(0, metric_name_bytes_max), rule));
}

}  // namespace millrace::telemetry
