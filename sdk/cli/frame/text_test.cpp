#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

import millrace.cli.frame;

namespace millrace::cli {
namespace {

using testing::ElementsAre;

TEST(Text, is_joined_split_and_counted) {
  EXPECT_EQ(joined("a ", 3, 'x', std::string("b")), "a 3xb");
  EXPECT_THAT(split("a,,b", ','), ElementsAre("a", "", "b"));
  EXPECT_EQ(counted(1, "record"), "1 record");
  EXPECT_EQ(counted(0, "record"), "0 records");
  EXPECT_EQ(whole_number("-12"), -12);
  EXPECT_EQ(whole_number("12x"), std::nullopt);
  EXPECT_EQ(whole_number(""), std::nullopt);
}

TEST(Text, that_was_mistyped_is_known) {
  EXPECT_EQ(nearest_word("orderz", {"orders", "paid"}), "orders");
  EXPECT_EQ(nearest_word("invoices", {"orders", "paid"}), std::nullopt);
}

TEST(Text, is_told_from_bytes) {
  EXPECT_TRUE(is_text("gr\xC3\xB6\xC3\x9F"));
  EXPECT_TRUE(is_text("\xF0\x9F\x98\x80"));
  EXPECT_FALSE(is_text("\xC3"));
  EXPECT_FALSE(is_text("\xC0\x80"));
  EXPECT_FALSE(is_text("\xED\xA0\x80"));
  EXPECT_FALSE(is_text("\xF4\x90\x80\x80"));
}

TEST(Text, is_quoted_for_json) {
  std::string text;
  append_quoted(text, "a\"b\\c\n\x01\xFF\xC3\xB6");
  EXPECT_EQ(text, "\"a\\\"b\\\\c\\n\\u0001\\ufffd\xC3\xB6\"");
}

TEST(Text, survives_base64) {
  for (const std::string bytes : {"", "f", "fo", "foo", "foob", "\xFF\xFE\x01"}) {
    EXPECT_EQ(bytes_of_base64(base64_of(bytes)), bytes);
  }
  EXPECT_EQ(base64_of("fo"), "Zm8=");
  EXPECT_EQ(base64_of("f"), "Zg==");
  EXPECT_EQ(bytes_of_base64("Zg="), std::nullopt);
  EXPECT_EQ(bytes_of_base64("Z!=="), std::nullopt);
}

}  // namespace
}  // namespace millrace::cli
