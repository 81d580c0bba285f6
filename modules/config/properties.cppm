// Property files as Kafka's users write them, which are those of java.util.Properties, in UTF-8.
//
// Like Java: `name=value`, `name: value` and `name value`; # and ! begin a comment line; a
// backslash at the end of a line continues it; \t \n \r \f and \uXXXX, any other escaped character
// stands for itself; spaces after the value belong to it. Of a name given twice the last value
// counts. Unlike Java: bytes above 127 are UTF-8 instead of Latin-1, and a byte order mark at the
// beginning is skipped; bytes that are no UTF-8, half a surrogate pair and NUL are errors.
module;
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.config:properties;

import :problem;

export namespace millrace::config {

struct PropertyEntry {
  std::string name;
  std::string value;
  // Where it begins, from 1; 0 where there are no lines.
  std::uint32_t line = 0;

  friend bool operator==(const PropertyEntry&, const PropertyEntry&) = default;
};

struct ParsedProperties {
  // Each name once, in the order of first appearance.
  std::vector<PropertyEntry> entries;
  Problems problems;
};

// Reads as much as is well formed and reports all that is not. Values never appear in a problem.
[[nodiscard]] ParsedProperties parse_properties(std::string_view text, std::string_view file_name);

// One line, without a line break, from which parse_properties and Java's Properties read back the
// same name and value. Both are UTF-8.
[[nodiscard]] std::string format_property(std::string_view name, std::string_view value);

}  // namespace millrace::config
