// Records to be sent, as lines say them.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "millrace/record.hpp"

export module millrace.cli.records:record_input;

import millrace.cli.frame;
import millrace.cli.session;

export namespace millrace::cli {

struct InputRecord {
  std::optional<std::string> key = {};
  std::optional<std::string> value = {};
  std::vector<v1::OwnedHeader> headers = {};
  std::optional<std::int32_t> partition = {};
  std::optional<TimePoint> timestamp = {};

  [[nodiscard]] friend bool operator==(const InputRecord&, const InputRecord&) = default;
};

struct InputRules {
  bool is_json = false;            // a line is an object as consume -o json writes it
  std::string key_separator = {};  // what stands before the first one is the key
  bool is_empty_null = false;      // an empty value is none: it deletes the key in compacted topics
  InputRecord defaults = {};       // what the line does not say
};

[[nodiscard]] std::variant<InputRecord, Failure> parse_record(std::string_view line,
                                                              const InputRules& rules);

}  // namespace millrace::cli
