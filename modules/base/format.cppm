// Text for people, in the style of fmt: `formatted("{} is at {}", name, offset)`. fmt itself stays
// inside: its headers cost more than a second in each file that sees them.
module;
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

export module millrace.base:format;

import :types;

export namespace millrace {

enum class FormatKind : std::uint8_t {
  boolean,
  character,
  signed_integer,
  unsigned_integer,
  floating_point,
  text,
};

template <class Value>
inline constexpr bool is_strong_type = false;
template <class Tag, class Integer>
inline constexpr bool is_strong_type<Strong<Tag, Integer>> = true;

template <class Value>
concept Text = std::convertible_to<const Value&, std::string_view>;
// Found beside the type: to_string(uuid), name_of(error_kind).
template <class Value>
concept HasToString = requires(const Value& value) {
  { to_string(value) } -> std::convertible_to<std::string>;
};
template <class Value>
concept HasName = requires(const Value& value) {
  { name_of(value) } -> std::convertible_to<std::string_view>;
};

// How a value of this type is written: numbers as numbers, a strong type as its number, and what
// has a to_string() or name_of() by that.
template <class Value>
[[nodiscard]] consteval FormatKind format_kind() {
  if constexpr (std::same_as<Value, bool>) {
    return FormatKind::boolean;
  } else if constexpr (std::same_as<Value, char>) {
    return FormatKind::character;
  } else if constexpr (std::signed_integral<Value>) {
    return FormatKind::signed_integer;
  } else if constexpr (std::unsigned_integral<Value>) {
    return FormatKind::unsigned_integer;
  } else if constexpr (std::floating_point<Value>) {
    return FormatKind::floating_point;
  } else if constexpr (is_strong_type<Value>) {
    return format_kind<typename Value::integer_type>();
  } else {
    static_assert(Text<Value> || HasName<Value> || HasToString<Value>,
                  "a type to be formatted has a to_string() or name_of() beside it");
    return FormatKind::text;
  }
}

// One value to be written. Views text that outlives it, and owns text that was made for it.
class FormatArgument {
 public:
  template <class Value>
  explicit FormatArgument(const Value& value) : kind(format_kind<Value>()) {
    if constexpr (is_strong_type<Value>) {
      *this = FormatArgument(value.value());
    } else if constexpr (std::floating_point<Value>) {
      floating_point = static_cast<double>(value);
    } else if constexpr (std::integral<Value>) {
      integer = static_cast<std::uint64_t>(value);
    } else if constexpr (Text<Value>) {
      viewed = value;
    } else if constexpr (HasName<Value>) {
      viewed = name_of(value);
    } else {
      owned = to_string(value);
    }
  }

  [[nodiscard]] std::string_view text() const {
    return owned.empty() ? viewed : std::string_view(owned);
  }

  FormatKind kind;
  std::uint64_t integer = 0;
  double floating_point = 0;
  std::string_view viewed;
  std::string owned;
};

}  // namespace millrace

// Inside the module: the check of a format string while it is compiled.
namespace millrace::format_check {

// Never defined: a call ends the compilation, and the compiler shows the name.
void a_brace_stands_alone();
void a_field_is_empty_or_begins_with_a_colon();
void the_number_of_arguments_differs_from_the_format_string();
void the_conversion_does_not_suit_the_argument();

// `field` is what stands between the braces.
consteval void check_field(std::string_view field, FormatKind kind) {
  if (field.empty()) return;
  if (field.front() != ':' || field.find('{') != std::string_view::npos) {
    a_field_is_empty_or_begins_with_a_colon();
  }
  const char conversion = field.back();
  const bool for_integers = std::string_view("dxXob").find(conversion) != std::string_view::npos;
  const bool for_fractions = std::string_view("eEfFgG").find(conversion) != std::string_view::npos;
  const bool is_integer =
      kind == FormatKind::signed_integer || kind == FormatKind::unsigned_integer;
  if ((for_integers && !is_integer) || (for_fractions && kind != FormatKind::floating_point)) {
    the_conversion_does_not_suit_the_argument();
  }
}

consteval void check(std::string_view text, std::span<const FormatKind> kinds) {
  std::size_t arguments = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '{' && text[at] != '}') continue;
    if (at + 1 < text.size() && text[at + 1] == text[at]) {
      ++at;
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (text[at] == '}' || end == std::string_view::npos) a_brace_stands_alone();
    if (arguments == kinds.size()) the_number_of_arguments_differs_from_the_format_string();
    check_field(text.substr(at + 1, end - at - 1), kinds[arguments++]);
    at = end;
  }
  if (arguments != kinds.size()) the_number_of_arguments_differs_from_the_format_string();
}

}  // namespace millrace::format_check

export namespace millrace {

// A format string that was checked when it was compiled: as many {} as arguments, in their order,
// and conversions that suit them. `{{` and `}}` stand for braces.
template <class... Args>
class FormatString {
 public:
  template <std::convertible_to<std::string_view> Literal>
  consteval FormatString(const Literal& literal) : text_(literal) {
    const std::array<FormatKind, sizeof...(Args)> kinds = {format_kind<Args>()...};
    format_check::check(text_, kinds);
  }

  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

// Never fails: a specification that fmt refuses at run time is named in the text.
[[nodiscard]] std::string format_arguments(std::string_view format,
                                           std::span<const FormatArgument> arguments);

template <class... Args>
[[nodiscard]] std::string formatted(FormatString<std::type_identity_t<Args>...> format,
                                    const Args&... args) {
  if constexpr (sizeof...(Args) == 0) {
    return format_arguments(format.text(), {});
  } else {
    const std::array<FormatArgument, sizeof...(Args)> arguments = {FormatArgument(args)...};
    return format_arguments(format.text(), arguments);
  }
}

}  // namespace millrace
