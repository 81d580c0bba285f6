// As much of JSON as golden files and the generated to_json() need: a tree, a parser, and where two
// trees differ.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <variant>
#include <vector>

#include "schema.hpp"
#include "value.hpp"

namespace millrace::table {

struct Json;
struct JsonMember;
using JsonArray = std::vector<Json>;
using JsonObject = std::vector<JsonMember>;  // in the order of the text

struct Json {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, JsonArray, JsonObject> held;
};

struct JsonMember {
  std::string name;
  Json value;
};

[[nodiscard]] tl::expected<Json, std::string> parse_json(std::string_view text);

// A message's value as Kafka's own JSON has it: names start in lower case, bytes are base64, uuids
// URL-safe base64 without padding; fields of other versions and tagged fields that have their
// default are left out, unknown tags too.
[[nodiscard]] Json to_json(const Message& message, int version, const Value& value);

// Where and how two trees differ first; nothing when they are equal. Members must come in the same
// order.
[[nodiscard]] std::optional<std::string> first_difference(const Json& expected, const Json& found);

}  // namespace millrace::table
