// JSON for types of the application. A type says its members once, for both ways:
//
//   struct Order {
//     std::int64_t amount = 0;
//     std::optional<std::string> note;
//     template <class Self, class Fields>
//     static void json_fields(Self& order, Fields& fields) {
//       fields("amount", order.amount)("note", order.note);
//     }
//   };
//
// Members may be bool, numbers, std::string, std::optional (absent or null when empty),
// std::vector, and types that say their members themselves.
#pragma once
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/bytes.hpp"
#include "millrace/result.hpp"
#include "millrace/serializers.hpp"

namespace millrace::inline v1 {

// A JSON text that was read.
struct JsonValue {
  enum class Kind : std::uint8_t { null, boolean, number, text, array, object };
  // As deep as arrays and objects may lie in one another.
  static constexpr std::size_t depth_max = 64;

  Kind kind = Kind::null;
  std::string text;              // of a number its digits as they were written; "true", "false"
  std::vector<JsonValue> items;  // of arrays and objects
  std::vector<std::string>
      names;  // of objects: the names of the items; the last of equal ones counts

  // The item of that name; null when there is none.
  [[nodiscard]] MILLRACE_API const JsonValue* find(std::string_view name) const noexcept;
};

[[nodiscard]] MILLRACE_API Result<JsonValue> parse_json(std::string_view text);

namespace detail {

struct NoFields {
  template <class Member>
  NoFields& operator()(std::string_view, Member&) {
    return *this;
  }
};

template <class T>
concept HasJsonFields = requires(T& value, NoFields& fields) { T::json_fields(value, fields); };

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

MILLRACE_API void append_json_text(std::string& buffer, std::string_view text);
// Numbers that JSON has no way to write, NaN and infinity, become null.
MILLRACE_API void append_json_number(std::string& buffer, double number);
[[nodiscard]] MILLRACE_API Error json_mismatch(std::string_view name, std::string_view expected);

template <class T>
void append_json(std::string& buffer, const T& value);

struct JsonWriter {
  std::string& buffer;
  bool is_first = true;

  template <class Member>
  JsonWriter& operator()(std::string_view name, const Member& member) {
    if constexpr (IsOptional<Member>::value) {
      if (!member) return *this;
    }
    if (!std::exchange(is_first, false)) buffer += ',';
    append_json_text(buffer, name);
    buffer += ':';
    append_json(buffer, member);
    return *this;
  }
};

template <class T>
void append_json(std::string& buffer, const T& value) {
  if constexpr (std::same_as<T, bool>) {
    buffer += value ? "true" : "false";
  } else if constexpr (std::integral<T>) {
    buffer += std::to_string(value);
  } else if constexpr (std::floating_point<T>) {
    append_json_number(buffer, static_cast<double>(value));
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    append_json_text(buffer, value);
  } else if constexpr (IsOptional<T>::value) {
    if (value)
      append_json(buffer, *value);
    else
      buffer += "null";
  } else if constexpr (IsVector<T>::value) {
    buffer += '[';
    bool is_first = true;
    for (const typename T::value_type& item : value) {
      if (!std::exchange(is_first, false)) buffer += ',';
      append_json(buffer, item);
    }
    buffer += ']';
  } else {
    static_assert(HasJsonFields<const T>, "the type has no json_fields()");
    buffer += '{';
    JsonWriter writer{buffer};
    T::json_fields(value, writer);
    buffer += '}';
  }
}

// Each gives nothing on success, or what was expected and where.
template <class T>
[[nodiscard]] std::optional<Error> read_json(const JsonValue& from, std::string_view name, T& into);

struct JsonReader {
  const JsonValue& from;
  std::optional<Error> error = {};

  template <class Member>
  JsonReader& operator()(std::string_view name, Member& member) {
    if (error) return *this;
    if (const JsonValue* found = from.find(name))
      error = read_json(*found, name, member);
    else if constexpr (IsOptional<Member>::value)
      member.reset();
    else
      error = json_mismatch(name, "a value, and there is none");
    return *this;
  }
};

template <class Number>
[[nodiscard]] std::optional<Error> read_json_number(const JsonValue& from, std::string_view name,
                                                    Number& into) {
  if (from.kind == JsonValue::Kind::number) {
    const char* end = from.text.data() + from.text.size();
    const auto [rest, problem] = std::from_chars(from.text.data(), end, into);
    if (problem == std::errc() && rest == end) return std::nullopt;
  }
  return json_mismatch(name, std::integral<Number> ? "a whole number within its range"
                                                   : "a number within its range");
}

template <class T>
[[nodiscard]] std::optional<Error> read_json_array(const JsonValue& from, std::string_view name,
                                                   std::vector<T>& into) {
  if (from.kind != JsonValue::Kind::array) return json_mismatch(name, "an array");
  into.clear();
  for (const JsonValue& item : from.items) {
    T value{};
    if (auto error = read_json(item, name, value)) return error;
    into.push_back(std::move(value));
  }
  return std::nullopt;
}

template <class T>
std::optional<Error> read_json(const JsonValue& from, std::string_view name, T& into) {
  if constexpr (std::same_as<T, bool>) {
    if (from.kind != JsonValue::Kind::boolean) return json_mismatch(name, "true or false");
    into = from.text == "true";
    return std::nullopt;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return read_json_number(from, name, into);
  } else if constexpr (std::same_as<T, std::string>) {
    if (from.kind != JsonValue::Kind::text) return json_mismatch(name, "text");
    into = from.text;
    return std::nullopt;
  } else if constexpr (IsOptional<T>::value) {
    if (from.kind == JsonValue::Kind::null) {
      into.reset();
      return std::nullopt;
    }
    return read_json(from, name, into.emplace());
  } else if constexpr (IsVector<T>::value) {
    return read_json_array(from, name, into);
  } else {
    static_assert(HasJsonFields<T>, "the type has no json_fields()");
    if (from.kind != JsonValue::Kind::object) return json_mismatch(name, "an object");
    JsonReader reader{from};
    T::json_fields(into, reader);
    return std::move(reader.error);
  }
}

}  // namespace detail

// Names that the type does not have are passed over, so that writers may add some.
template <class T>
class JsonSerializer {
 public:
  void serialize(const T& value, std::string& buffer) const { detail::append_json(buffer, value); }
  [[nodiscard]] Result<T> deserialize(BytesView bytes) const {
    const Result<JsonValue> parsed = parse_json(bytes.text());
    if (!parsed) return parsed.error();
    T value{};
    if (auto error = detail::read_json(*parsed, "", value)) return *std::move(error);
    return value;
  }
};

template <class T>
[[nodiscard]] constexpr JsonSerializer<T> json() {
  return {};
}

}  // namespace millrace::inline v1
