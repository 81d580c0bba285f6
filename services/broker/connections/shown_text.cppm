// What clients have written, as it is shown in the log.
module;
#include <cstddef>
#include <string>
#include <string_view>

export module millrace.broker.connections:shown_text;

export namespace millrace::broker {

// More of it is left out, and counted: a client id, a group or a topic that nobody has may have 32
// KiB.
inline constexpr std::size_t shown_bytes_max = 300;

// A view. Costs nothing where the line is not written; the log escapes what could mislead in it.
struct ShownText {
  std::string_view text;
};
[[nodiscard]] std::string to_string(const ShownText& shown);

[[nodiscard]] inline ShownText shown(std::string_view text) {
  return ShownText{text};
}

}  // namespace millrace::broker
