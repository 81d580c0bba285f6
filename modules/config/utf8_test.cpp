#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

import millrace.config;

namespace millrace::config {
namespace {

TEST(Utf8, takes_every_length_of_sequence) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\x7f"));
  EXPECT_TRUE(is_utf8("\xc2\x80\xdf\xbf"));
  EXPECT_TRUE(is_utf8("\xe0\xa0\x80\xef\xbf\xbf"));
  EXPECT_TRUE(is_utf8("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}

TEST(Utf8, refuses_what_the_standard_refuses) {
  const std::vector<std::string_view> refused = {
      "\x80",              // a continuation without a beginning
      "\xc3",              // cut off
      "\xe2\x82",          // cut off
      "\xc3(",             // no continuation
      "\xc0\x80",          // longer than needed
      "\xe0\x9f\xbf",      // longer than needed
      "\xf0\x8f\xbf\xbf",  // longer than needed
      "\xed\xa0\x80",      // a surrogate
      "\xed\xbf\xbf",      // a surrogate
      "\xf4\x90\x80\x80",  // beyond U+10FFFF
      "\xff",
  };
  for (const std::string_view bytes : refused) {
    EXPECT_FALSE(is_utf8(bytes)) << testing::PrintToString(std::string(bytes));
  }
}

RC_GTEST_PROP(Utf8, reads_back_every_code_point, ()) {
  const auto drawn = *rc::gen::inRange<std::uint32_t>(0, 0x110000);
  const bool is_surrogate = is_high_surrogate(drawn) || is_low_surrogate(drawn);
  const std::uint32_t code_point = is_surrogate ? drawn - 0xd800 : drawn;
  std::string text;
  append_utf8(text, code_point);
  RC_ASSERT(is_utf8(text));
  std::string_view rest = text;
  RC_ASSERT(take_code_point(rest) == code_point);
  RC_ASSERT(rest.empty());
}

TEST(Utf8, joins_surrogates_to_the_code_points_beyond_sixteen_bits) {
  EXPECT_EQ(join_surrogates(0xd800, 0xdc00), 0x10000u);
  EXPECT_EQ(join_surrogates(0xd83d, 0xde00), 0x1f600u);
  EXPECT_EQ(join_surrogates(0xdbff, 0xdfff), 0x10ffffu);
}

}  // namespace
}  // namespace millrace::config
