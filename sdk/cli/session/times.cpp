module;
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

module millrace.cli.session;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

using std::chrono::milliseconds;

// Reads digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int number = 0;
  for (const char letter : text.substr(0, digits)) {
    if (letter < '0' || letter > '9') return std::nullopt;
    number = number * 10 + (letter - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char letter) {
  if (!text.starts_with(letter)) return false;
  text.remove_prefix(1);
  return true;
}

// Up to nine digits of a second; what is shorter than a millisecond is dropped.
std::optional<milliseconds> take_fraction(std::string_view& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  constexpr std::size_t digits_max = 9;
  if (digits == 0 || digits > digits_max) return std::nullopt;
  int thousandths = 0;
  for (std::size_t place = 0; place < 3; ++place)
    thousandths = thousandths * 10 + (place < digits ? text[place] - '0' : 0);
  text.remove_prefix(digits);
  return milliseconds(thousandths);
}

std::optional<milliseconds> take_time_of_day(std::string_view& text) {
  const auto hours = take_number(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  milliseconds time = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  if (!take(text, ':')) return time;
  const auto seconds = take_number(text, 2);
  if (!seconds || *seconds > 60) return std::nullopt;
  time += std::chrono::seconds(*seconds);
  if (!take(text, '.')) return time;
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  return time + *fraction;
}

// "Z", "+01:00" or "-0530": what is to be subtracted. Without any it is UTC.
std::optional<milliseconds> take_zone(std::string_view& text) {
  if (text.empty() || take(text, 'Z')) return milliseconds(0);
  const bool is_east = text.front() == '+';
  if (!is_east && text.front() != '-') return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_number(text, 2);
  take(text, ':');
  const auto minutes = take_number(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const milliseconds offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return is_east ? offset : -offset;
}

std::optional<TimePoint> parse_iso(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const TimePoint midnight{std::chrono::sys_days(date)};
  if (text.empty()) return midnight;
  if (!take(text, 'T')) return std::nullopt;
  const auto time = take_time_of_day(text);
  const auto zone = time ? take_zone(text) : std::nullopt;
  return zone && text.empty() ? std::optional(midnight + *time - *zone) : std::nullopt;
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto count = whole_number(text.substr(0, text.size() - 1));
  constexpr std::int64_t count_max = 1'000'000'000;  // far from overflow in any unit
  if (!count || *count < 0 || *count > count_max) return std::nullopt;
  switch (text.back()) {
    case 's':
      return std::chrono::seconds(*count);
    case 'm':
      return std::chrono::minutes(*count);
    case 'h':
      return std::chrono::hours(*count);
    case 'd':
      return std::chrono::hours(24 * *count);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string iso_text(TimePoint time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text.data();
}

std::optional<TimePoint> parse_time(std::string_view text, TimePoint now) {
  if (text.starts_with('-')) {
    const auto ago = parse_duration(text.substr(1));
    return ago ? std::optional(now - *ago) : std::nullopt;
  }
  if (const auto since_epoch = whole_number(text); since_epoch && *since_epoch > 9999)
    return TimePoint(milliseconds(*since_epoch));
  return parse_iso(text);
}

TimePoint current_time() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

}  // namespace millrace::cli
