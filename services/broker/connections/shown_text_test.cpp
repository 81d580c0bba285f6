#include <gtest/gtest.h>

#include <string>
#include <string_view>

import millrace.base;
import millrace.broker.connections;

namespace millrace::broker {
namespace {

std::string line_of(std::string_view text) {
  return formatted("client \"{}\"", shown(text));
}

TEST(ShownText, of_an_ordinary_name_is_the_name) {
  EXPECT_EQ(line_of("consumer-1"), "client \"consumer-1\"");
  EXPECT_EQ(line_of(""), "client \"\"");
  const std::string longest(shown_bytes_max, 'x');
  EXPECT_EQ(line_of(longest), "client \"" + longest + "\"");
}

TEST(ShownText, of_a_long_name_is_its_beginning_and_how_much_is_left_out) {
  const std::string text(32'767, 'x');
  EXPECT_EQ(line_of(text),
            "client \"" + std::string(shown_bytes_max, 'x') + "... (32467 more bytes)\"");
}

TEST(ShownText, ends_between_characters) {
  const std::string euro = "\u20ac";  // three bytes
  std::string text = "x";
  while (text.size() < 2 * shown_bytes_max) text += euro;
  std::string beginning = text.substr(0, 1 + 3 * ((shown_bytes_max - 1) / 3));
  EXPECT_EQ(to_string(shown(text)),
            formatted("{}... ({} more bytes)", beginning, text.size() - beginning.size()));
  // What is no text is cut all the same.
  const std::string tail_bytes(2 * shown_bytes_max, '\x80');
  EXPECT_LT(to_string(shown(tail_bytes)).size(), shown_bytes_max + 30);
}

}  // namespace
}  // namespace millrace::broker
