#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.storage.dump;

namespace millrace::storage {
namespace {

std::string escaped(std::string_view text) {
  std::string to;
  append_json_escaped(to, text);
  return to;
}

TEST(Json, escapes_what_json_asks_for_and_nothing_else) {
  EXPECT_EQ(escaped("plain / text"), "plain / text");
  EXPECT_EQ(escaped("\"\\\n\r\t"), R"(\"\\\n\r\t)");
  EXPECT_EQ(escaped(std::string_view("\0\x01\x1f\x7f", 4)), R"(\u0000\u0001\u001f\u007f)");
  EXPECT_EQ(escaped("gr\u00fc\u00df \U0001f600"), "gr\u00fc\u00df \U0001f600");
}

TEST(Json, replaces_what_is_no_utf8) {
  EXPECT_EQ(escaped("a\xff"
                    "b"),
            R"(a\ufffdb)");
  EXPECT_EQ(escaped("\xe2\x82"), R"(\ufffd)");
  EXPECT_FALSE(is_utf8(as_bytes("\xc0\x80")));
  EXPECT_TRUE(is_utf8(as_bytes("gr\u00fcn")));
  EXPECT_TRUE(is_utf8({}));
}

TEST(Json, bytes_as_base64_are_those_of_the_standard) {
  const std::vector<std::pair<std::string_view, std::string_view>> vectors = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xff\xfe\xfd", "//79"}};
  for (const auto& [plain, base64] : vectors) {
    std::string to;
    append_base64(to, as_bytes(plain));
    EXPECT_EQ(to, base64);
  }
}

TEST(Json, bytes_as_hex_have_two_digits_each) {
  std::string to;
  append_hex(to, as_bytes(std::string_view("\x00\x0f\xa0\xff", 4)));
  EXPECT_EQ(to, "000fa0ff");
}

TEST(Json, values_stand_in_objects_with_commas_between_them) {
  JsonWriter json;
  json.open_object();
  json.key("a");
  json.value(std::int32_t{-1});
  json.key("b");
  json.text({}, true);
  json.key("c");
  json.open_object();
  json.close_object();
  json.key("d");
  json.value(true);
  json.key("e");
  json.value(as_bytes("f"));
  json.close_object();
  EXPECT_EQ(json.take(), R"({"a":-1,"b":null,"c":{},"d":true,"e":"Zg=="})");
}

}  // namespace
}  // namespace millrace::storage
