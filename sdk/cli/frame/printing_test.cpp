#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <variant>

import millrace.cli.frame;

namespace millrace::cli {
namespace {

Answer lag() {
  return {.fields = {{"group", "billing"}, {"lag", std::int64_t{1}}},
          .rows_name = "partitions",
          .columns = {{"topic"}, {"in_sync"}, {"leader"}, {"id", false}},
          .rows = {{"orders", Numbers{1, 2}, std::int64_t{1}, "x"},
                   {"a\tb", Numbers{}, std::monostate{}, "y"}}};
}

TEST(Printing, aligns_tables_and_lets_no_control_character_through) {
  EXPECT_EQ(text_of(lag(), Format::table),
            "TOPIC   IN-SYNC  LEADER\n"
            "orders  1,2      1\n"
            "a?b              -\n");
}

TEST(Printing, writes_json_as_one_object) {
  EXPECT_EQ(text_of(lag(), Format::json),
            R"({"group":"billing","lag":1,"partitions":[)"
            R"({"topic":"orders","in_sync":[1,2],"leader":1,"id":"x"},)"
            R"({"topic":"a\tb","in_sync":[],"leader":null,"id":"y"}]})"
            "\n");
}

TEST(Printing, writes_tsv_with_all_columns) {
  EXPECT_EQ(text_of(lag(), Format::tsv),
            "topic\tin_sync\tleader\tid\norders\t1,2\t1\tx\na\\tb\t\t\ty\n");
}

TEST(Printing, writes_tsv_of_the_fields_where_there_are_no_rows) {
  const Answer answer{.fields = {{"topic", "a\tb"},
                                 {"changed", true},
                                 {"changes", Texts{"x = 1", "y = 2"}},
                                 {"lag", std::monostate{}}},
                      .sentences = {"done"}};
  EXPECT_EQ(text_of(answer, Format::tsv),
            "topic\tchanged\tchanges\tlag\na\\tb\tyes\tx = 1,y = 2\t\n");
  EXPECT_EQ(text_of(failed(usage_failure("no")), Format::tsv), "");
}

TEST(Printing, tells_failures_on_the_side_or_within_json) {
  Answer answer = failed({.code = "TOPIC_ALREADY_EXISTS",
                          .message = "topic orders exists",
                          .hint = "`millrace topic describe orders` shows it"});
  EXPECT_EQ(complaints_of(answer, Format::table),
            "error: topic orders exists (TOPIC_ALREADY_EXISTS); `millrace topic describe orders` "
            "shows it\n");
  EXPECT_EQ(text_of(answer, Format::json),
            R"({"error":{"code":"TOPIC_ALREADY_EXISTS","message":"topic orders exists",)"
            R"("hint":"`millrace topic describe orders` shows it"}})"
            "\n");
  EXPECT_EQ(complaints_of(answer, Format::json), "");
  EXPECT_EQ(exit_code_of(answer), 1);
  answer.failures.push_back(usage_failure("no"));
  EXPECT_EQ(exit_code_of(answer), 2);
  answer.is_printed = true;
  EXPECT_TRUE(text_of(answer, Format::json).starts_with("{\"error\":"));
}

}  // namespace
}  // namespace millrace::cli
