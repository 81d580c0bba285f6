#include "table_codec.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <limits>

#include "byte_difference.hpp"

namespace millrace::table {
namespace {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

// Fields of every type, in a version that is not flexible (0) and one that is (1).
constexpr std::string_view every_type =
    "data Thing versions=0-1 flexible=1+\n"
    "Flag     bool      0+\n"
    "Small    int8      0+\n"
    "Port     uint16    0+\n"
    "Id       int32     0+\n"
    "Big      int64     0+\n"
    "Real     float64   0+\n"
    "Uuid     uuid      0+\n"
    "Text     string    0+  nullable=0+\n"
    "Old      string    0+  nullable=0+ flexible=none\n"
    "Data     bytes     0+  nullable=0+\n"
    "Numbers  []int16   0+  nullable=0+\n"
    "Place    Place     0+  nullable=0+\n"
    "  Word   string    0+\n";

Message parsed(std::string_view text) {
  auto message = parse_message(text, "x.schema");
  EXPECT_TRUE(message) << message.error();
  return message ? std::move(*message) : Message{};
}

Value integer(std::int64_t value) {
  return Value(value);
}
Value text(std::string_view value) {
  return Value(std::string(value));
}
Value fields(std::vector<Value> members) {
  return Value(Fields{std::move(members), {}});
}

Value value_of_every_type() {
  return fields({Value(true), integer(-2), integer(0x8001), integer(-3), integer(1LL << 40),
                 Value(-2.0), text("0123456789abcdef"), text("hi"), text("o"), text("\x00\xff"sv),
                 Value(List{integer(1), integer(-1)}), fields({text("w")})});
}

void expect_both_ways(const Message& message, int version, const Value& value,
                      std::string_view bytes) {
  const auto encoded = encode(message, version, value);
  ASSERT_TRUE(encoded) << encoded.error().what;
  EXPECT_EQ(byte_difference(bytes, *encoded).value_or("equal"), "equal");
  const auto decoded = decode(message, version, bytes, UnknownTags::keep);
  ASSERT_TRUE(decoded) << decoded.error().what << " at " << decoded.error().position;
  EXPECT_EQ(decoded->value, value);
  EXPECT_EQ(decoded->consumed, bytes.size());
}

std::string decode_error(const Message& message, int version, std::string_view bytes) {
  const auto decoded = decode(message, version, bytes, UnknownTags::keep);
  return decoded ? "no error" : decoded.error().what;
}

std::string encode_error(const Message& message, int version, const Value& value) {
  const auto encoded = encode(message, version, value);
  return encoded ? "no error" : encoded.error().what;
}

TEST(TableCodec, writes_every_type_with_fixed_lengths_where_not_flexible) {
  expect_both_ways(parsed(every_type), 0, value_of_every_type(),
                   "\x01\xfe\x80\x01\xff\xff\xff\xfd\x00\x00\x01\x00\x00\x00\x00\x00"
                   "\xc0\x00\x00\x00\x00\x00\x00\x00"
                   "0123456789abcdef"
                   "\x00\x02hi\x00\x01o\x00\x00\x00\x02\x00\xff"
                   "\x00\x00\x00\x02\x00\x01\xff\xff"
                   "\x01\x00\x01w"sv);
}

TEST(TableCodec, writes_every_type_with_varint_lengths_and_tags_where_flexible) {
  expect_both_ways(parsed(every_type), 1, value_of_every_type(),
                   "\x01\xfe\x80\x01\xff\xff\xff\xfd\x00\x00\x01\x00\x00\x00\x00\x00"
                   "\xc0\x00\x00\x00\x00\x00\x00\x00"
                   "0123456789abcdef"
                   "\x03hi\x00\x01o\x03\x00\xff"
                   "\x03\x00\x01\xff\xff"
                   "\x01\x02w\x00"
                   "\x00"sv);
}

TEST(TableCodec, writes_null_of_every_type_that_may_be_null) {
  Value value = value_of_every_type();
  for (std::size_t i = 7; i < 12; ++i) value.fields()->members[i] = Value();
  const std::string start =
      "\x01\xfe\x80\x01\xff\xff\xff\xfd"
      "\x00\x00\x01\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x00"
      "0123456789abcdef"s;
  const Message message = parsed(every_type);
  expect_both_ways(message, 0, value,
                   start + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s);
  expect_both_ways(message, 1, value, start + "\x00\xff\xff\x00\x00\xff\x00"s);
}

TEST(TableCodec, keeps_the_bits_of_unusual_numbers) {
  const Message message = parsed("data X versions=0 flexible=none\nA float64 0\n");
  for (const double number :
       {-0.0, std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    const auto encoded = encode(message, 0, fields({Value(number)}));
    ASSERT_TRUE(encoded);
    EXPECT_EQ(decode(message, 0, *encoded, UnknownTags::keep)->value, fields({Value(number)}));
  }
}

TEST(TableCodec, reads_any_byte_but_zero_as_true) {
  const Message message = parsed("data X versions=0 flexible=none\nA bool 0\n");
  EXPECT_EQ(decode(message, 0, "\x02", UnknownTags::keep)->value, fields({Value(true)}));
  EXPECT_EQ(decode(message, 0, "\xff", UnknownTags::keep)->value, fields({Value(true)}));
}

TEST(TableCodec, leaves_what_follows_to_the_caller) {
  const Message message = parsed("data X versions=0 flexible=none\nA int8 0\n");
  const auto decoded = decode(message, 0, "\x01rest", UnknownTags::keep);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->consumed, 1U);
}

TEST(TableCodec, refuses_a_version_that_the_message_does_not_have) {
  const Message message = parsed("data X versions=1-2 flexible=none\n");
  EXPECT_EQ(decode_error(message, 0, ""), "X has no version 0");
  EXPECT_EQ(encode_error(message, 3, fields({})), "X has no version 3");
}

constexpr std::string_view with_tags =
    "data X versions=0-1 flexible=0+\n"
    "A  int8    0+\n"
    "B  int32   0+  tag=1 default=7\n"
    "C  string  1+  nullable=1+ tag=3 default=null\n";

TEST(TableCodec, writes_tags_that_differ_from_their_default_in_ascending_order) {
  const Message message = parsed(with_tags);
  expect_both_ways(message, 0, fields({integer(1), integer(7), Value()}), "\x01\x00"sv);
  expect_both_ways(message, 1, fields({integer(1), integer(8), text("")}),
                   "\x01\x02\x01\x04\x00\x00\x00\x08\x03\x01\x01"sv);
}

TEST(TableCodec, keeps_unknown_tags_among_the_known_ones_or_skips_them) {
  const Message message = parsed(with_tags);
  const auto bytes = "\x01\x04\x00\x01x\x01\x04\x00\x00\x00\x08\x02\x00\x80\x01\x02yz"sv;
  Value value = fields({integer(1), integer(8), Value()});
  value.fields()->unknown_tags = {{0, "x"}, {2, ""}, {128, "yz"}};
  expect_both_ways(message, 1, value, bytes);
  const auto skipped = decode(message, 1, bytes, UnknownTags::skip);
  ASSERT_TRUE(skipped);
  EXPECT_EQ(skipped->value, fields({integer(1), integer(8), Value()}));
  EXPECT_EQ(skipped->consumed, bytes.size());
}

TEST(TableCodec, takes_a_tag_of_another_version_as_unknown) {
  const auto decoded = decode(parsed(with_tags), 0, "\x01\x01\x03\x01\x01"sv, UnknownTags::keep);
  ASSERT_TRUE(decoded) << decoded.error().what;
  EXPECT_EQ(decoded->value.fields()->unknown_tags, (std::vector<UnknownTag>{{3, "\x01"}}));
}

TEST(TableCodec, marks_a_struct_inside_a_tag_as_kafka_does) {
  const Message message = parsed(
      "data X versions=0 flexible=0+\n"
      "A    T     0+  nullable=0+ tag=0\n"
      "  B  int8  0+\n");
  expect_both_ways(message, 0, fields({fields({integer(0)})}), "\x00"sv);
  expect_both_ways(message, 0, fields({Value()}), "\x01\x00\x01\x00"sv);
  expect_both_ways(message, 0, fields({fields({integer(5)})}), "\x01\x00\x03\x01\x05\x00"sv);
}

TEST(TableCodec, refuses_tags_that_descend_repeat_or_have_the_wrong_size) {
  const Message message = parsed(with_tags);
  EXPECT_EQ(decode_error(message, 1, "\x01\x02\x05\x00\x04\x00"sv),
            "tag 4 is not above the one before it");
  EXPECT_EQ(decode_error(message, 1, "\x01\x02\x05\x00\x05\x00"sv),
            "tag 5 is not above the one before it");
  EXPECT_EQ(decode_error(message, 1, "\x01\x01\x01\x05\x00\x00\x00\x08\x00"sv),
            "tag 1 is not read to its end");
  EXPECT_EQ(decode_error(message, 1, "\x01\x01\x01\x03\x00\x00\x00\x08"sv),
            "a value passes the end");
  EXPECT_EQ(decode_error(message, 1, "\x01\x01\x05\x02x"sv), "a tagged field passes the end");
  EXPECT_EQ(decode_error(message, 1, "\x01\x02\x05\x00"sv), "a value passes the end");
}

TEST(TableCodec, refuses_null_where_it_is_not_allowed) {
  const Message message = parsed(
      "data X versions=0-2 flexible=2+\n"
      "A  string  0+  nullable=1\n"
      "B  []int8  0+  nullable=1\n");
  EXPECT_EQ(decode_error(message, 0, "\xff\xff\x00\x00\x00\x00"sv), "A may not be null");
  EXPECT_EQ(decode_error(message, 1, "\xff\xff\xff\xff\xff\xff"sv), "no error");
  EXPECT_EQ(decode_error(message, 2, "\x00\x01\x00"sv), "A may not be null");
  EXPECT_EQ(decode_error(message, 2, "\x01\x00\x00"sv), "B may not be null");
  EXPECT_EQ(encode_error(message, 0, fields({Value(), Value(List())})), "A: may not be null");
  EXPECT_EQ(encode_error(message, 0, fields({text(""), Value()})), "B: may not be null");
}

TEST(TableCodec, refuses_lengths_that_are_negative_or_not_backed_by_bytes) {
  const Message message = parsed(
      "data X versions=0-1 flexible=1+\n"
      "A    []T   0+\n"
      "  B  int32 0+\n");
  EXPECT_EQ(decode_error(message, 0, "\xff\xff\xff\xfe"sv), "a negative length of A");
  EXPECT_EQ(decode_error(message, 0, "\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"sv),
            "more elements of A than bytes");
  EXPECT_EQ(decode_error(message, 0, "\x7f\xff\xff\xff"sv), "more elements of A than bytes");
  EXPECT_EQ(decode_error(message, 1, "\xff\xff\xff\xff\x0f"sv), "more elements of A than bytes");
  EXPECT_EQ(decode_error(message, 1, "\xff\xff\xff\xff\x1f"sv), "a varint is larger than 32 bits");
  EXPECT_EQ(decode_error(message, 1, "\x80\x80\x80\x80\x80\x00"sv),
            "a varint is longer than five bytes");
  EXPECT_EQ(decode_error(message, 1, "\x80"sv), "a value passes the end");
  EXPECT_EQ(decode_error(message, 1, ""sv), "a value passes the end");
}

TEST(TableCodec, drops_or_refuses_a_field_that_the_version_does_not_have) {
  const Message message = parsed(
      "data X versions=0-1 flexible=none\n"
      "A  int8  1+  default=3\n"
      "B  int8  1+  ignorable\n");
  EXPECT_EQ(encode_error(message, 0, fields({integer(4), integer(0)})),
            "A: set, but not in version 0");
  EXPECT_EQ(encode(message, 0, fields({integer(3), integer(9)})), "");
  EXPECT_EQ(decode(message, 0, "", UnknownTags::keep)->value, fields({integer(3), integer(0)}));
}

TEST(TableCodec, refuses_values_that_do_not_fit_their_type) {
  const Message message = parsed(
      "data X versions=0 flexible=none\n"
      "A  int8    0\n"
      "B  string  0\n"
      "C  []uuid  0\n");
  const auto error = [&](Value a, Value b, Value c) {
    return encode_error(message, 0, fields({std::move(a), std::move(b), std::move(c)}));
  };
  EXPECT_EQ(error(integer(128), text(""), Value(List())),
            "A: the value is not an integer of this width");
  EXPECT_EQ(error(text(""), text(""), Value(List())),
            "A: the value is not an integer of this width");
  EXPECT_EQ(error(integer(1), integer(1), Value(List())), "B: the value is not text or bytes");
  EXPECT_EQ(error(integer(1), text(std::string(32768, 'x')), Value(List())),
            "B: the text is too long");
  EXPECT_EQ(error(integer(1), text(""), text("")), "C: the value is not an array");
  EXPECT_EQ(error(integer(1), text(""), Value(List{text("short")})), "C: the value is not a uuid");
  EXPECT_EQ(error(integer(1), text(""), Value(List{Value()})), "C: an element may not be null");
  EXPECT_EQ(encode_error(message, 0, fields({})), "X: the value is not this struct");
}

TEST(TableCodec, refuses_unknown_tags_that_cannot_be_written) {
  const Message message = parsed("data X versions=0-1 flexible=1+\nA int8 1+ tag=0\n");
  Value value = fields({integer(1)});
  value.fields()->unknown_tags = {{0, "x"}};
  EXPECT_EQ(encode_error(message, 1, value), "X: has a tag twice");
  value.fields()->members[0] = integer(0);
  EXPECT_EQ(encode_error(message, 0, value), "X: has tags, but the version is not flexible");
}

TEST(TableCodec, says_which_byte_differs_first) {
  EXPECT_EQ(byte_difference("abc", "abc"), std::nullopt);
  EXPECT_EQ(byte_difference("abc", "axc"),
            "byte 1: expected ...616263, found ...617863 (3 and 3 bytes)");
  EXPECT_EQ(byte_difference("0123456789", "012345678"),
            "byte 9: expected ...313233343536373839, found ...3132333435363738 (10 and 9 bytes)");
}

}  // namespace
}  // namespace millrace::table
