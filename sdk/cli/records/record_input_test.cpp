#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "millrace/records.hpp"

import millrace.cli.frame;
import millrace.cli.records;

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

InputRecord parsed(std::string_view line, const InputRules& rules = {}) {
  const auto outcome = parse_record(line, rules);
  const auto* wrong = std::get_if<Failure>(&outcome);
  EXPECT_EQ(wrong, nullptr) << (wrong == nullptr ? "" : wrong->message);
  return wrong == nullptr ? std::get<InputRecord>(outcome) : InputRecord();
}

TEST(RecordInput, is_a_value_with_or_without_a_key) {
  EXPECT_EQ(parsed("paid 200"), (InputRecord{.value = "paid 200"}));
  EXPECT_EQ(parsed("alice::paid:200", {.key_separator = "::"}),
            (InputRecord{.key = "alice", .value = "paid:200"}));
  EXPECT_EQ(parsed("v", {.defaults = {.key = "k", .partition = 2}}),
            (InputRecord{.key = "k", .value = "v", .partition = 2}));
  EXPECT_TRUE(std::holds_alternative<Failure>(parse_record("paid", {.key_separator = ":"})));
}

TEST(RecordInput, that_is_empty_may_delete_a_key) {
  EXPECT_EQ(parsed("").value, "");
  EXPECT_EQ(parsed("", {.is_empty_null = true}).value, std::nullopt);
  EXPECT_EQ(parsed("a:", {.key_separator = ":", .is_empty_null = true}), (InputRecord{.key = "a"}));
}

TEST(RecordInput, takes_what_consume_prints_as_json) {
  const v1::OwnedRecord record{
      .topic = "orders",
      .partition = 3,
      .offset = 7,
      .timestamp = v1::Timestamp(1'763'712'902'113ms),
      .key = "\xFF",
      .value = std::nullopt,
      .headers = {{"trace", "1"}, {"bytes", "\xFE"}, {"no", std::nullopt}}};
  std::string line = json_line_of(record);
  line.pop_back();
  const InputRecord expected{.key = record.key,
                             .value = record.value,
                             .headers = record.headers,
                             .partition = 3,
                             .timestamp = record.timestamp};
  EXPECT_EQ(parsed(line, {.is_json = true}), expected);
}

TEST(RecordInput, that_is_wrong_json_is_refused) {
  for (const char* line :
       {"", "[]", "{", R"({"key":1})", R"({"value_base64":"%"})", R"({"partition":-1})",
        R"({"partition":"1"})", R"({"timestamp":"soon"})", R"({"headers":{}})",
        R"({"headers":[{"value":"x"}]})", R"({"headers":["x"]})"})
    EXPECT_TRUE(std::holds_alternative<Failure>(parse_record(line, {.is_json = true}))) << line;
}

}  // namespace
}  // namespace millrace::cli
