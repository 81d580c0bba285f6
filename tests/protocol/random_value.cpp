#include "random_value.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <set>
#include <string_view>
#include <utility>

namespace millrace::table {
namespace {

// Lengths around which the length of a varint changes.
constexpr std::array<std::size_t, 4> long_lengths{126, 127, 128, 300};

constexpr std::array<std::string_view, 6> texts{
    "a", "topic-7", "\"\\/\b\f\n\r\t", "\x01\x1f", "h\u00e9 \u20ac\U0001f600", "\x7f"};

class Generator {
 public:
  Generator(const Message& message, int version, Random& random, WithUnknownTags unknown_tags)
      : version_(version),
        unknown_tags_(unknown_tags == WithUnknownTags::yes && message.is_flexible(version)),
        random_(random) {}

  Value structure(const Struct& type, int depth) {
    Fields result;
    const bool all_left_alone = random_.one_in(8);
    for (const Field& field : type.fields) {
      const bool exists = field.versions.contains(version_);
      const bool left_alone =
          all_left_alone || (field.tagged.contains(version_) && random_.one_in(2));
      const bool may_be_left = !field.default_value.is_null() || field.nullable.contains(version_);
      result.members.push_back(exists && !(left_alone && may_be_left) ? value(field, depth)
                                                                      : field.default_value);
    }
    if (unknown_tags_ && random_.one_in(3)) result.unknown_tags = unknown_tags(type);
    return Value(std::move(result));
  }

 private:
  Value value(const Field& field, int depth) {
    if (field.nullable.contains(version_) && random_.one_in(4)) return Value();
    if (!field.is_array) return element(field, depth);
    List items(count(field, depth));
    for (Value& item : items) item = element(field, depth + 1);
    return Value(std::move(items));
  }

  std::size_t count(const Field& field, int depth) {
    if (field.type != Type::structure && random_.one_in(20)) return any_of(long_lengths);
    const auto most = static_cast<std::uint64_t>(std::max(1, 4 - depth));
    return random_.below(most + 1);
  }

  Value element(const Field& field, int depth) {
    switch (field.type) {
      case Type::boolean:
        return Value(random_.one_in(2));
      case Type::int8:
        return Value(std::int64_t{static_cast<std::int8_t>(integer())});
      case Type::int16:
        return Value(std::int64_t{static_cast<std::int16_t>(integer())});
      case Type::uint16:
        return Value(std::int64_t{static_cast<std::uint16_t>(integer())});
      case Type::int32:
        return Value(std::int64_t{static_cast<std::int32_t>(integer())});
      case Type::uint32:
        return Value(std::int64_t{static_cast<std::uint32_t>(integer())});
      case Type::int64:
        return Value(static_cast<std::int64_t>(integer()));
      case Type::float64:
        return Value(number());
      case Type::uuid:
        return Value(random_.one_in(4) ? std::string(16, '\0') : bytes(16));
      case Type::string:
        return Value(text());
      case Type::bytes:
      case Type::records:
        return Value(bytes(random_.one_in(10) ? any_of(long_lengths) : random_.below(9)));
      case Type::structure:
        return structure(*field.structure, depth);
    }
    return Value();
  }

  // As often small as large, as often negative: the number of bits is drawn first.
  std::uint64_t integer() {
    const std::uint64_t bits = random_.below(65);
    const std::uint64_t value = bits == 0 ? 0 : random_.next() >> (64 - bits);
    return random_.one_in(3) ? ~value : value;
  }

  double number() {
    const double value = std::bit_cast<double>(random_.next());
    if (random_.one_in(4) || !std::isfinite(value)) return random_.one_in(2) ? 0.0 : -2.5;
    return value;
  }

  std::string text() {
    if (random_.one_in(20)) return std::string(any_of(long_lengths), 'x');
    std::string result;
    while (!random_.one_in(3)) result += any_of(texts);
    return result;
  }

  std::string bytes(std::size_t size) {
    std::string result(size, '\0');
    for (char& byte : result) byte = static_cast<char>(random_.next());
    return result;
  }

  // Numbers that the struct knows in no version.
  std::vector<UnknownTag> unknown_tags(const Struct& type) {
    std::set<std::uint32_t> numbers;
    while (!random_.one_in(3)) {
      numbers.insert(static_cast<std::uint32_t>(random_.next() >> (32 + random_.below(32))));
    }
    for (const Field& field : type.fields) {
      if (!field.tagged.empty()) numbers.erase(field.tag);
    }
    std::vector<UnknownTag> result;
    for (const std::uint32_t number : numbers) {
      result.push_back(
          {number, bytes(random_.one_in(8) ? any_of(long_lengths) : random_.below(5))});
    }
    return result;
  }

  template <class Choices>
  typename Choices::value_type any_of(const Choices& choices) {
    return choices[random_.below(choices.size())];
  }

  int version_;
  bool unknown_tags_;
  Random& random_;
};

}  // namespace

Value random_value(const Message& message, int version, Random& random,
                   WithUnknownTags unknown_tags) {
  return Generator(message, version, random, unknown_tags).structure(*message.top, 0);
}

}  // namespace millrace::table
