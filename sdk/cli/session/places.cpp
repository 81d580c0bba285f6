module;
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/consumer.hpp"

module millrace.cli.session;

import millrace.cli.frame;

namespace millrace::cli {

std::optional<Place> parse_place(std::string_view text, TimePoint now) {
  using Kind = Place::Kind;
  if (text == "start" || text == "earliest") return Place{.kind = Kind::start};
  if (text == "end" || text == "latest") return Place{.kind = Kind::end};
  if (text.starts_with('@')) {
    const auto time = parse_time(text.substr(1), now);
    return time ? std::optional(Place{.kind = Kind::time, .time = *time}) : std::nullopt;
  }
  const auto number = whole_number(text);
  if (!number || *number == INT64_MIN) return std::nullopt;
  if (text.starts_with('-')) return Place{.kind = Kind::before_end, .number = -*number};
  return Place{.kind = Kind::offset, .number = *number};
}

std::optional<Place> place_of(std::string_view option, std::string_view text, Failures& failures) {
  const auto place = parse_place(text, current_time());
  if (!place)
    failures.push_back(usage_failure(
        joined(option, " '", text, "' is no place"),
        "start, end, an offset, -N for N records before the end, or @TIME as @2026-11-21T08:15:02Z "
        "or @-1h"));
  return place;
}

std::optional<PartitionBounds> bounds_of(const v1::Consumer& consumer,
                                         const std::vector<v1::TopicPartition>& partitions,
                                         std::chrono::milliseconds time, Failures& failures) {
  if (partitions.empty()) return PartitionBounds();
  const auto starts = consumer.beginning_offsets(partitions, time);
  const auto ends = starts ? consumer.end_offsets(partitions, time) : starts;
  if (!ends) {
    failures.push_back(failure_of(ends.error()));
    return std::nullopt;
  }
  PartitionBounds bounds;
  for (const auto& [partition, start] : *starts) bounds[partition].start = start;
  for (const auto& [partition, end] : *ends) bounds[partition].end = end;
  return bounds;
}

std::optional<v1::Offsets> offsets_at(const v1::Consumer& consumer, const PartitionBounds& bounds,
                                      const Place& place, std::chrono::milliseconds time,
                                      Failures& failures) {
  std::map<v1::TopicPartition, v1::FoundOffset> found;
  if (place.kind == Place::Kind::time && !bounds.empty()) {
    std::map<v1::TopicPartition, v1::Timestamp> times;
    for (const auto& [partition, within] : bounds) times[partition] = place.time;
    auto answer = consumer.offsets_for_times(times, time);
    if (!answer) {
      failures.push_back(failure_of(answer.error()));
      return std::nullopt;
    }
    found = *std::move(answer);
  }
  v1::Offsets offsets;
  for (const auto& [partition, within] : bounds) {
    std::int64_t offset = within.start;
    switch (place.kind) {
      case Place::Kind::start:
        break;
      case Place::Kind::end:
        offset = within.end;
        break;
      case Place::Kind::offset:
        offset = place.number;
        break;
      case Place::Kind::before_end:
        offset = place.number > within.end ? within.start : within.end - place.number;
        break;
      case Place::Kind::time: {
        const auto entry = found.find(partition);
        const bool is_there = entry != found.end() && entry->second.offset >= 0;
        offset = is_there ? entry->second.offset : within.end;
        break;
      }
    }
    offsets[partition] = std::clamp(offset, within.start, std::max(within.start, within.end));
  }
  return offsets;
}

}  // namespace millrace::cli
