#include "millrace/json.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace millrace::v1;

struct Line {
  std::string item;
  double price = 0;

  template <class Self, class Fields>
  static void json_fields(Self& line, Fields& fields) {
    fields("item", line.item)("price", line.price);
  }
  friend bool operator==(const Line&, const Line&) = default;
};

struct Order {
  std::int64_t amount = 0;
  bool is_paid = false;
  std::optional<std::string> note;
  std::vector<Line> lines;

  template <class Self, class Fields>
  static void json_fields(Self& order, Fields& fields) {
    fields("amount", order.amount)("is_paid", order.is_paid)("note", order.note)("lines",
                                                                                 order.lines);
  }
  friend bool operator==(const Order&, const Order&) = default;
};

static_assert(SerializerOf<JsonSerializer<Order>, Order>);

std::string json_of(const Order& order) {
  std::string buffer;
  json<Order>().serialize(order, buffer);
  return buffer;
}

std::string problem_of(std::string_view text) {
  const auto order = json<Order>().deserialize(text);
  return order ? "none" : order.error().message();
}

TEST(Json, writes_the_members_that_a_type_names) {
  EXPECT_EQ(
      json_of({.amount = 200, .is_paid = true, .note = "a \"b\"\n", .lines = {{"x", 1.5}}}),
      R"({"amount":200,"is_paid":true,"note":"a \"b\"\u000a","lines":[{"item":"x","price":1.5}]})");
  EXPECT_EQ(json_of({}), R"({"amount":0,"is_paid":false,"lines":[]})");
}

TEST(Json, gives_back_what_it_was_given) {
  const Order order{.amount = std::numeric_limits<std::int64_t>::min(),
                    .is_paid = true,
                    .note = std::string("\0 \xe2\x82\xac \xf0\x9f\x90\x8e", 10),
                    .lines = {{"", 0.1}, {"y", 1e300}}};
  const auto back = json<Order>().deserialize(json_of(order));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, order);
}

TEST(Json, passes_over_names_that_it_does_not_know) {
  const auto order = json<Order>().deserialize(
      R"( { "more" : [1, {"a": null}], "amount":1,"is_paid":false,"lines":[], "note": null } )");
  ASSERT_TRUE(order) << order.error().message();
  EXPECT_EQ(order->amount, 1);
  EXPECT_EQ(order->note, std::nullopt);
}

TEST(Json, says_which_member_does_not_fit) {
  const std::string begin = "a record's bytes cannot be read as JSON: ";
  EXPECT_EQ(problem_of("{}"), begin + "\"amount\" is not a value, and there is none");
  EXPECT_EQ(problem_of(R"({"amount":"1"})"),
            begin + "\"amount\" is not a whole number within its range");
  EXPECT_EQ(problem_of(R"({"amount":1.5})"),
            begin + "\"amount\" is not a whole number within its range");
  EXPECT_EQ(problem_of(R"({"amount":9223372036854775808})"),
            begin + "\"amount\" is not a whole number within its range");
  EXPECT_EQ(problem_of(R"({"amount":1,"is_paid":0})"), begin + "\"is_paid\" is not true or false");
  EXPECT_EQ(problem_of("[]"), begin + "the whole is not an object");
}

TEST(Json, refuses_what_is_no_json) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "{\"a\"",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "[1 2]",
                                      "\"a",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\ud800\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\udc00\"",
                                      "01",
                                      "1.",
                                      "1e",
                                      "-",
                                      "tru",
                                      "nul",
                                      "1 1",
                                      "\"\n\"",
                                      "{1:2}",
                                      "+1",
                                      ".5",
                                      "\"\\"})
    EXPECT_FALSE(parse_json(text)) << text;
}

TEST(Json, reads_escapes) {
  const auto value = parse_json(R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\udc0e")");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->text, "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x90\x8e");
}

TEST(Json, takes_the_last_of_equal_names) {
  const auto value = parse_json(R"({"a":1,"a":2})");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->find("a")->text, "2");
  EXPECT_EQ(value->find("b"), nullptr);
}

TEST(Json, has_a_limit_to_its_depth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(JsonValue::depth_max)));
  const auto deep = parse_json(nested(100'000));
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().message().find("it lies too deep"), std::string::npos);
}

TEST(Json, survives_whatever_happened_to_a_text) {
  const std::string good =
      R"({"amount":-12,"is_paid":true,"note":"a\u00e9\n","lines":[{"item":"x","price":1.5e3}]})";
  std::mt19937_64 random(1);
  int read = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text = good;
    for (std::uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      const std::size_t place = random() % text.size();
      if (random() % 2 == 0)
        text[place] = static_cast<char>(random() % 256);
      else
        text.erase(place, 1 + random() % 3);
    }
    const auto order = json<Order>().deserialize(text);
    if (!order) continue;
    ++read;
    const auto again = json<Order>().deserialize(json_of(*order));
    ASSERT_TRUE(again) << text << ": " << again.error().message();
  }
  EXPECT_GT(read, 0);
}

TEST(Json, replaces_malformed_text_and_numbers_that_json_lacks) {
  EXPECT_EQ(json_of({.note = "a\xff", .lines = {{"", std::numeric_limits<double>::infinity()}}}),
            "{\"amount\":0,\"is_paid\":false,\"note\":\"a\xef\xbf\xbd\",\"lines\":[{\"item\":\"\","
            "\"price\":null}]}");
}

}  // namespace
