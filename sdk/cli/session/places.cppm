// Places in partitions, as people name them: start, end, 42, -10, @time.
module;
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/consumer.hpp"

export module millrace.cli.session:places;

import millrace.cli.frame;
import :failures;
import :times;

export namespace millrace::cli {

struct Place {
  enum class Kind : std::uint8_t { start, end, offset, before_end, time };
  Kind kind = Kind::start;
  std::int64_t number = 0;  // an offset, or how many records before the end
  TimePoint time = {};

  [[nodiscard]] friend bool operator==(const Place&, const Place&) = default;
};

// "start" or "earliest", "end" or "latest", "42", "-10" (records before the end),
// "@2026-11-21T08:15:02Z", "@-1h".
[[nodiscard]] std::optional<Place> parse_place(std::string_view text, TimePoint now);
// Adds a failure that names the option where it is none.
[[nodiscard]] std::optional<Place> place_of(std::string_view option, std::string_view text,
                                            Failures& failures);

struct Bounds {
  std::int64_t start = 0;
  std::int64_t end = 0;
};
using PartitionBounds = std::map<v1::TopicPartition, Bounds>;

// What the partitions hold now.
[[nodiscard]] std::optional<PartitionBounds> bounds_of(
    const v1::Consumer& consumer, const std::vector<v1::TopicPartition>& partitions,
    std::chrono::milliseconds time, Failures& failures);

// Where the place is in each, within what is there. A time after the last record is the end.
[[nodiscard]] std::optional<v1::Offsets> offsets_at(const v1::Consumer& consumer,
                                                    const PartitionBounds& bounds,
                                                    const Place& place,
                                                    std::chrono::milliseconds time,
                                                    Failures& failures);

}  // namespace millrace::cli
