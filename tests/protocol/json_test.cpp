#include "json.hpp"

#include <gtest/gtest.h>

namespace millrace::table {
namespace {

std::optional<std::string> difference(std::string_view left, std::string_view right) {
  const auto expected = parse_json(left);
  const auto found = parse_json(right);
  EXPECT_TRUE(expected) << left << ": " << expected.error();
  EXPECT_TRUE(found) << right << ": " << found.error();
  return expected && found ? first_difference(*expected, *found) : "not parsed";
}

TEST(Json, reads_every_kind_of_value) {
  const auto json = parse_json(R"( {"a": [1, -2.5e3, true, false, null], "b": {}, "c": []} )");
  ASSERT_TRUE(json) << json.error();
  const auto& object = std::get<JsonObject>(json->held);
  ASSERT_EQ(object.size(), 3U);
  const auto& array = std::get<JsonArray>(object[0].value.held);
  EXPECT_EQ(std::get<std::int64_t>(array[0].held), 1);
  EXPECT_EQ(std::get<double>(array[1].held), -2500.0);
  EXPECT_TRUE(std::get<bool>(array[2].held));
  EXPECT_FALSE(std::get<bool>(array[3].held));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(array[4].held));
}

TEST(Json, reads_escapes_and_surrogate_pairs) {
  const auto json = parse_json(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00")");
  ASSERT_TRUE(json) << json.error();
  EXPECT_EQ(std::get<std::string>(json->held), "\"\\/\b\f\n\r\tA\u00e9\u20ac\U0001f600");
}

TEST(Json, refuses_what_is_not_json) {
  for (const char* text : {"",
                           "{",
                           "[",
                           "[1,]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{a:1}",
                           "1 2",
                           "nul",
                           "\"a",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud83d\"",
                           "\"\\ud83dx\"",
                           "\"\\ude00\"",
                           "\"\n\"",
                           "--1",
                           "1e",
                           "99999999999999999999",
                           "[1 2]"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
  EXPECT_FALSE(parse_json(std::string(10000, '[')));
}

TEST(Json, names_the_place_of_the_first_difference) {
  EXPECT_EQ(difference("{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":2}]}"), std::nullopt);
  EXPECT_EQ(difference("{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":3}]}"),
            "/a/1/b: expected 2, found 3");
  EXPECT_EQ(difference("[1]", "[1,2]"), ": expected an array of 1, found an array of 2");
  EXPECT_EQ(difference("{\"a\":1}", "{\"b\":1}"),
            ": expected an object of a, found an object of b");
  EXPECT_EQ(difference("[\"x\"]", "[null]"), "/0: expected \"x\", found null");
  EXPECT_EQ(difference("[true]", "[false]"), "/0: expected true, found false");
}

TEST(Json, takes_a_whole_number_and_its_decimal_form_as_equal) {
  EXPECT_EQ(difference("[5.0]", "[5]"), std::nullopt);
  EXPECT_NE(difference("[9007199254740993]", "[9007199254740992]"), std::nullopt);
}

}  // namespace
}  // namespace millrace::table
