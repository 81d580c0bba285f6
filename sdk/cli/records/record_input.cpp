module;
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/json.hpp"
#include "millrace/record.hpp"

module millrace.cli.records;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

using Kind = v1::JsonValue::Kind;

Failure wrong(std::string_view what, std::string_view expected) {
  return {.code = "INPUT", .message = joined("the input's ", what, " is not ", expected)};
}

// `name` as text, or NAME_base64. None: neither is there.
std::optional<Failure> read_bytes(const v1::JsonValue& from, const std::string& name,
                                  std::optional<std::string>& into) {
  if (const v1::JsonValue* text = from.find(name)) {
    if (text->kind != Kind::text && text->kind != Kind::null) return wrong(name, "text or null");
    into.reset();
    if (text->kind == Kind::text) into = text->text;
  } else if (const v1::JsonValue* encoded = from.find(name + "_base64")) {
    into = encoded->kind == Kind::text ? bytes_of_base64(encoded->text) : std::nullopt;
    if (!into) return wrong(name + "_base64", "base64");
  }
  return std::nullopt;
}

std::optional<Failure> read_headers(const v1::JsonValue& from, std::vector<v1::OwnedHeader>& into) {
  const v1::JsonValue* headers = from.find("headers");
  if (headers == nullptr) return std::nullopt;
  if (headers->kind != Kind::array) return wrong("headers", "an array");
  into.clear();
  for (const v1::JsonValue& item : headers->items) {
    const v1::JsonValue* key = item.find("key");
    if (key == nullptr || key->kind != Kind::text) return wrong("header", "an object with a key");
    v1::OwnedHeader& header = into.emplace_back();
    header.key = key->text;
    if (auto failure = read_bytes(item, "value", header.value)) return failure;
  }
  return std::nullopt;
}

std::optional<Failure> read_place(const v1::JsonValue& from, InputRecord& record) {
  if (const v1::JsonValue* partition = from.find("partition")) {
    const auto number =
        partition->kind == Kind::number ? whole_number(partition->text) : std::nullopt;
    if (!number || *number < 0 || *number > std::numeric_limits<std::int32_t>::max())
      return wrong("partition", "a number of a partition");
    record.partition = static_cast<std::int32_t>(*number);
  }
  if (const v1::JsonValue* timestamp = from.find("timestamp")) {
    record.timestamp = parse_time(timestamp->text, current_time());
    if (!record.timestamp) return wrong("timestamp", "a time");
  }
  return std::nullopt;
}

std::variant<InputRecord, Failure> parse_json_record(std::string_view line,
                                                     const InputRules& rules) {
  const auto parsed = v1::parse_json(line);
  if (!parsed) return Failure{.code = "INPUT", .message = parsed.error().message()};
  if (parsed->kind != Kind::object) return wrong("line", "a JSON object");
  InputRecord record = rules.defaults;
  if (auto failure = read_bytes(*parsed, "key", record.key)) return *std::move(failure);
  if (auto failure = read_bytes(*parsed, "value", record.value)) return *std::move(failure);
  if (auto failure = read_headers(*parsed, record.headers)) return *std::move(failure);
  if (auto failure = read_place(*parsed, record)) return *std::move(failure);
  return record;
}

}  // namespace

std::variant<InputRecord, Failure> parse_record(std::string_view line, const InputRules& rules) {
  if (rules.is_json) return parse_json_record(line, rules);
  InputRecord record = rules.defaults;
  if (!rules.key_separator.empty()) {
    const std::size_t found = line.find(rules.key_separator);
    if (found == std::string_view::npos)
      return Failure{.code = "INPUT",
                     .message = joined("a line has no '", rules.key_separator, "' after a key")};
    record.key = std::string(line.substr(0, found));
    line.remove_prefix(found + rules.key_separator.size());
  }
  record.value.reset();
  if (!line.empty() || !rules.is_empty_null) record.value = std::string(line);
  return record;
}

}  // namespace millrace::cli
