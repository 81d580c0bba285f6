module;
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

std::string sentence(std::string_view what, const Definition& definition) {
  const std::string allowed = allowed_values(definition);
  return allowed.empty() ? std::string(what) : fmt::format("{}; allowed: {}", what, allowed);
}

Range limits_of(Type type) {
  switch (type) {
    case Type::int16:
      return between(std::numeric_limits<std::int16_t>::min(),
                     std::numeric_limits<std::int16_t>::max());
    case Type::int32:
      return between(std::numeric_limits<std::int32_t>::min(),
                     std::numeric_limits<std::int32_t>::max());
    default:
      return {};
  }
}

bool contains(const Range& range, std::int64_t number) {
  return (number >= range.min && number <= range.max) || (range.also && number == *range.also);
}

Result<Value, std::string> parse_boolean(const Definition& definition, std::string_view text) {
  const std::string word = lower_case(text);
  if (word == "true") return Value(true);
  if (word == "false") return Value(false);
  return failure(sentence("not a boolean", definition));
}

// Java takes a plus sign, from_chars does not.
std::string_view without_plus(std::string_view text) {
  const bool has_plus = text.starts_with('+') && !text.starts_with("+-");
  return has_plus ? text.substr(1) : text;
}

Result<Value, std::string> parse_integer(const Definition& definition, std::string_view text) {
  const std::string_view digits = without_plus(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool is_whole = !digits.empty() && end == digits.data() + digits.size();
  if (is_whole && error == std::errc::result_out_of_range) {
    return failure(sentence("out of range", definition));
  }
  if (!is_whole || error != std::errc{}) {
    return failure(sentence(fmt::format("not a {}", type_text(definition)), definition));
  }
  const Range limits = limits_of(definition.type);
  if (!contains(definition.range, number)) return failure(sentence("out of range", definition));
  if (!contains(limits, number)) {
    return failure(fmt::format("out of range; allowed: {} to {}",
                               std::max(limits.min, definition.range.min), limits.max));
  }
  return Value(number);
}

Result<Value, std::string> parse_real(const Definition& definition, std::string_view text) {
  const std::string_view digits = without_plus(text);
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(number)) {
    return failure(sentence("not a finite number", definition));
  }
  // An end of the range that was left open is the end of int64, which is no limit for a real
  // number.
  const Range& range = definition.range;
  const bool is_below = range.min != Range{}.min && number < static_cast<double>(range.min);
  const bool is_above = range.max != Range{}.max && number > static_cast<double>(range.max);
  if (is_below || is_above) return failure(sentence("out of range", definition));
  return Value(number);
}

Result<std::uint8_t, std::string> parse_choice(const Definition& definition,
                                               std::string_view text) {
  const auto words = definition.choices.all();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool is_equal =
        definition.ignores_case ? lower_case(words[i]) == lower_case(text) : words[i] == text;
    if (is_equal) return static_cast<std::uint8_t>(i);
  }
  return failure(sentence("not a known value", definition));
}

Result<std::string, std::string> parse_word(std::string_view text) {
  return std::string(text);
}

// What must not repeat within a list.
const std::string& key_of(const std::string& word) {
  return word;
}
std::uint8_t key_of(std::uint8_t choice) {
  return choice;
}
const std::string& key_of(const ListenerAddress& listener) {
  return listener.listener;
}
const HostPort& key_of(const HostPort& address) {
  return address;
}
std::int32_t key_of(const Voter& voter) {
  return voter.id.value();
}
const std::string& key_of(const NameValue& pair) {
  return pair.name;
}

template <class Element, class Parse>
Result<Value, std::string> parse_elements(const Definition& definition, std::string_view text,
                                          Parse parse_element) {
  const std::vector<std::string_view> words = split_list(text);
  if (words.empty() && !definition.list.may_be_empty) {
    return failure(sentence("must not be empty", definition));
  }
  if (words.size() > list_elements_max) {
    return failure(fmt::format("has more than {} elements", list_elements_max));
  }
  std::vector<Element> elements;
  for (const std::string_view word : words) {
    if (word.empty()) return failure(sentence("has an empty element", definition));
    auto element = parse_element(word);
    if (!element) return failure(element.error());
    const auto is_same = [&](const Element& other) { return key_of(other) == key_of(*element); };
    if (!definition.list.may_repeat && std::any_of(elements.begin(), elements.end(), is_same)) {
      return failure(std::string("has an element twice"));
    }
    elements.push_back(std::move(*element));
  }
  return Value(std::move(elements));
}

Result<Value, std::string> parse_list(const Definition& definition, std::string_view text) {
  switch (definition.meaning) {
    case Meaning::choice:
      return parse_elements<std::uint8_t>(
          definition, text, [&](std::string_view word) { return parse_choice(definition, word); });
    case Meaning::listeners:
      return parse_elements<ListenerAddress>(definition, text, parse_listener);
    case Meaning::host_ports:
      return parse_elements<HostPort>(definition, text, parse_peer);
    case Meaning::voters:
      return parse_elements<Voter>(definition, text, parse_voter);
    case Meaning::pairs:
      return parse_elements<NameValue>(definition, text, parse_pair);
    default:
      return parse_elements<std::string>(definition, text, parse_word);
  }
}

Result<Value, std::string> parse_string(const Definition& definition, std::string_view text) {
  if (definition.meaning == Meaning::pairs) return parse_list(definition, text);
  if (definition.meaning != Meaning::choice) return Value(std::string(text));
  const auto choice = parse_choice(definition, text);
  if (!choice) return failure(choice.error());
  return Value(std::int64_t{*choice});
}

}  // namespace

Result<Value, std::string> parse_value(const Definition& definition, std::string_view text) {
  const std::string_view trimmed = trim(text);
  switch (definition.type) {
    case Type::boolean:
      return parse_boolean(definition, trimmed);
    case Type::int16:
    case Type::int32:
    case Type::int64:
      return parse_integer(definition, trimmed);
    case Type::real:
      return parse_real(definition, trimmed);
    case Type::string:
      return parse_string(definition, trimmed);
    case Type::list:
      return parse_list(definition, trimmed);
    case Type::password:
      return Value(Password(std::string(trimmed)));
  }
  return failure(std::string("has a type that is not known"));
}

std::string_view trim(std::string_view text) {
  // As Java's String.trim: everything up to the space.
  const auto is_space = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> elements;
  if (trim(text).empty()) return elements;
  while (true) {
    const std::size_t comma = text.find(',');
    elements.push_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return elements;
    text.remove_prefix(comma + 1);
  }
}

std::string upper_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

}  // namespace millrace::config
