#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

import millrace.base;

namespace millrace {
namespace {

struct Decoded {
  std::vector<char32_t> code_points;
  std::vector<int> lengths;

  friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded decoded(std::string_view text) {
  // Exactly as long as the text: under the address sanitizer a read past the end stops.
  const std::vector<char> exact(text.begin(), text.end());
  ByteView rest = as_bytes({exact.data(), exact.size()});
  Decoded seen;
  while (!rest.empty()) {
    const Utf8Character character = first_utf8_character(rest);
    if (!character.valid) EXPECT_EQ(character.code_point, replacement_character);
    seen.code_points.push_back(character.code_point);
    seen.lengths.push_back(character.bytes);
    rest = rest.subspan(character.bytes);
  }
  return seen;
}

constexpr char32_t bad = replacement_character;

TEST(Utf8, characters_of_every_length_are_read) {
  EXPECT_EQ(decoded("a\x7f"), (Decoded{{'a', 0x7f}, {1, 1}}));
  EXPECT_EQ(decoded("\xc2\x80\xdf\xbf"), (Decoded{{0x80, 0x7ff}, {2, 2}}));
  EXPECT_EQ(decoded("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
            (Decoded{{0x800, 0xd7ff, 0xe000, 0xffff}, {3, 3, 3, 3}}));
  EXPECT_EQ(decoded("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), (Decoded{{0x10000, 0x10ffff}, {4, 4}}));
}

TEST(Utf8, the_replacement_character_itself_is_valid) {
  const Utf8Character character = first_utf8_character(as_bytes("\xef\xbf\xbd"));
  EXPECT_TRUE(character.valid);
  EXPECT_EQ(character.code_point, replacement_character);
  EXPECT_FALSE(first_utf8_character(as_bytes("\xef\xbf")).valid);
}

TEST(Utf8, a_zero_byte_is_a_character) {
  EXPECT_EQ(decoded(std::string_view("\0a", 2)), (Decoded{{0, 'a'}, {1, 1}}));
}

TEST(Utf8, stray_and_impossible_bytes_are_replaced_one_by_one) {
  EXPECT_EQ(decoded("\x80\xbf"), (Decoded{{bad, bad}, {1, 1}}));
  EXPECT_EQ(decoded("\xf8\xff\xfe"), (Decoded{{bad, bad, bad}, {1, 1, 1}}));
}

TEST(Utf8, forms_longer_than_needed_are_refused) {
  EXPECT_EQ(decoded("\xc0\xaf"), (Decoded{{bad, bad}, {1, 1}}));
  EXPECT_EQ(decoded("\xc1\xbf"), (Decoded{{bad, bad}, {1, 1}}));
  EXPECT_EQ(decoded("\xe0\x9f\xbf"), (Decoded{{bad, bad, bad}, {1, 1, 1}}));
  EXPECT_EQ(decoded("\xf0\x8f\xbf\xbf"), (Decoded{{bad, bad, bad, bad}, {1, 1, 1, 1}}));
}

TEST(Utf8, code_points_above_the_last_are_refused) {
  EXPECT_EQ(decoded("\xf4\x90\x80\x80"), (Decoded{{bad, bad, bad, bad}, {1, 1, 1, 1}}));
  EXPECT_EQ(decoded("\xf5\x80\x80\x80"), (Decoded{{bad, bad, bad, bad}, {1, 1, 1, 1}}));
}

TEST(Utf8, a_surrogate_is_replaced_whole) {
  EXPECT_EQ(decoded("\xed\xa0\x80"), (Decoded{{bad}, {3}}));
  EXPECT_EQ(decoded("\xed\xbf\xbf!"), (Decoded{{bad, '!'}, {3, 1}}));
}

TEST(Utf8, the_start_of_a_good_character_is_replaced_as_one) {
  EXPECT_EQ(decoded("\xe2\x82"), (Decoded{{bad}, {2}}));
  EXPECT_EQ(decoded("\xe2\x82!"), (Decoded{{bad, '!'}, {2, 1}}));
  EXPECT_EQ(decoded("\xf0\x9f\x98"), (Decoded{{bad}, {3}}));
  EXPECT_EQ(decoded("\xf0\x9f\x98\xc2\xa9"), (Decoded{{bad, 0xa9}, {3, 2}}));
  EXPECT_EQ(decoded("\xc3("), (Decoded{{bad, '('}, {1, 1}}));
  EXPECT_EQ(decoded("\xc3"), (Decoded{{bad}, {1}}));
}

}  // namespace
}  // namespace millrace
