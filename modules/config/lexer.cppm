// The lines of a property file as java.util.Properties sees them: blank lines and comments skipped,
// lines that end in a backslash joined with the next. Escapes are still in the text.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.config:lexer;

export namespace millrace::config {

struct LogicalLine {
  // Valid until the next call of PropertyLines::next().
  std::string_view text;
  // Where it begins, from 1.
  std::uint32_t line = 0;
  // It passed line_bytes_max; `text` is its beginning.
  bool is_too_long = false;
};

// Walks over a text that it does not own and that must outlive it. Cannot fail: any bytes are
// lines.
class PropertyLines {
 public:
  explicit PropertyLines(std::string_view text) : text_(text) {}

  [[nodiscard]] std::optional<LogicalLine> next();

 private:
  struct Terminator {
    bool found = false;
    bool is_pair = false;
  };

  [[nodiscard]] Terminator take_terminator();
  void skip_comment();
  void append(char character);
  LogicalLine finish(bool drop_backslash);

  std::string_view text_;
  std::size_t position_ = 0;
  std::uint32_t line_ = 1;

  std::string joined_;
  std::uint32_t first_line_ = 1;
  bool is_too_long_ = false;
};

// Space, tab and form feed: what may surround names and values.
[[nodiscard]] constexpr bool is_property_space(char character) {
  return character == ' ' || character == '\t' || character == '\f';
}

}  // namespace millrace::config
