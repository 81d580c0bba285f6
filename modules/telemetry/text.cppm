// The pieces of the text format: escaped values and numbers.
module;
#include <cstdint>
#include <string>
#include <string_view>

module millrace.telemetry:text;

namespace millrace::telemetry {

// `api="Fetch",topic="a"`: the name, and the value with what is not UTF-8 replaced, cut off at
// label_value_bytes_max and escaped. A comma comes first when `to` is not empty.
void append_label(std::string& to, std::string_view name, std::string_view value);

// Escapes line breaks and backslashes.
void append_help(std::string& to, std::string_view help);

void append_number(std::string& to, std::uint64_t value);
void append_number(std::string& to, std::int64_t value);

// Nanoseconds as seconds, exactly: 1500000000 is "1.5".
void append_seconds(std::string& to, std::uint64_t nanoseconds);
void append_seconds(std::string& to, std::int64_t nanoseconds);

}  // namespace millrace::telemetry
