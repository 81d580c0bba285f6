// Times as people write them.
module;
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.cli.session:times;

export namespace millrace::cli {

using TimePoint = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

// "2026-11-21T08:15:02.113Z"
[[nodiscard]] std::string iso_text(TimePoint time);
// That, without the milliseconds, the seconds or the time of day too, or with more digits of the
// second; in UTC, or with "+01:00" for Z; or milliseconds since 1970; or "-90s", "-5m", "-2h",
// "-7d" before now.
[[nodiscard]] std::optional<TimePoint> parse_time(std::string_view text, TimePoint now);
[[nodiscard]] TimePoint current_time();

}  // namespace millrace::cli
