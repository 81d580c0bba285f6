#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

#include "millrace/records.hpp"

import millrace.cli.frame;
import millrace.cli.records;

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

v1::OwnedRecord record() {
  return {.topic = "orders",
          .partition = 3,
          .offset = 7,
          .timestamp = v1::Timestamp(1'763'712'902'113ms),
          .key = "alice",
          .value = "paid 200",
          .headers = {{"trace", "1"}, {"null", std::nullopt}}};
}

std::string formatted_as(std::string_view format, const v1::OwnedRecord& what) {
  const auto parsed = RecordFormat::parse(format);
  if (const auto* wrong = std::get_if<Failure>(&parsed)) return "wrong: " + wrong->message;
  std::string text;
  std::get<RecordFormat>(parsed).append(text, what);
  return text;
}

TEST(RecordFormat, knows_all_that_a_record_has) {
  EXPECT_EQ(formatted_as(R"(%p@%o %T %k=%v\n)", record()),
            "3@7 2025-11-21T08:15:02.113Z alice=paid 200\n");
  EXPECT_EQ(formatted_as(R"(%t %h %s%%\t\x41\\)", record()), "orders trace=1,null= 8%\tA\\");
  EXPECT_EQ(formatted_as("%k|%v|%s", {}), "||0");
}

TEST(RecordFormat, refuses_what_means_nothing) {
  for (const char* format : {"%x", "%", "\\", "\\q", "\\x4", "\\xZZ"})
    EXPECT_TRUE(formatted_as(format, record()).starts_with("wrong: ")) << format;
}

TEST(RecordFormat, writes_lines_of_json) {
  EXPECT_EQ(json_line_of(record()),
            R"({"topic":"orders","partition":3,"offset":7,"timestamp":"2025-11-21T08:15:02.113Z",)"
            R"("key":"alice","value":"paid 200","headers":[{"key":"trace","value":"1"},)"
            R"({"key":"null","value":null}]})"
            "\n");
  v1::OwnedRecord bytes = record();
  bytes.key.reset();
  bytes.value = "\xFF\n";
  bytes.headers.clear();
  EXPECT_EQ(json_line_of(bytes),
            R"({"topic":"orders","partition":3,"offset":7,"timestamp":"2025-11-21T08:15:02.113Z",)"
            R"("key":null,"value_base64":"/wo=","headers":[]})"
            "\n");
}

TEST(RecordFormat, writes_lines_of_tsv) {
  EXPECT_EQ(tsv_line_of(record()), "orders\t3\t7\t2025-11-21T08:15:02.113Z\talice\tpaid 200\n");
}

}  // namespace
}  // namespace millrace::cli
