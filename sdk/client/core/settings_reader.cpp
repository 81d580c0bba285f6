module;
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.config;
import :settings_reader;

namespace millrace::client {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view spaces = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(spaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(spaces) - begin + 1);
}

char lower_letter(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

std::optional<std::int64_t> number_from(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc{} || stopped != end) return std::nullopt;
  return number;
}

// One field of an ISO duration: digits, for seconds with a fraction, then its letter. Moves `text`
// behind it.
std::optional<Duration> take_field(std::string_view& text, Duration unit, bool may_have_fraction) {
  const std::size_t letter = text.find_first_not_of("0123456789.");
  if (letter == std::string_view::npos || letter == 0) return std::nullopt;
  const std::string_view digits = text.substr(0, letter);
  text.remove_prefix(letter + 1);
  const std::size_t point = digits.find('.');
  if (point != std::string_view::npos && !may_have_fraction) return std::nullopt;
  const auto whole = number_from(digits.substr(0, point));
  if (!whole || *whole > Duration::max() / unit) return std::nullopt;
  Duration result = unit * *whole;
  if (point == std::string_view::npos) return result;
  const std::string_view fraction = digits.substr(point + 1);
  if (fraction.empty() || fraction.size() > 9) return std::nullopt;
  const auto parts = number_from(std::string(fraction) + std::string(9 - fraction.size(), '0'));
  if (!parts || Duration(*parts) > Duration::max() - result) return std::nullopt;
  return result + Duration(*parts);
}

}  // namespace

Duration duration_of_milliseconds(std::int64_t milliseconds) {
  constexpr auto most = std::chrono::duration_cast<std::chrono::milliseconds>(Duration::max());
  if (milliseconds >= most.count()) return Duration::max();
  return std::chrono::milliseconds{milliseconds};
}

std::optional<Duration> duration_from_iso(std::string_view text) {
  using std::chrono::hours;
  struct Field {
    char letter;
    Duration unit;
    bool is_of_time;
  };
  static constexpr std::array fields = {Field{'D', hours{24}, false}, Field{'H', hours{1}, true},
                                        Field{'M', std::chrono::minutes{1}, true},
                                        Field{'S', std::chrono::seconds{1}, true}};
  if (!text.starts_with('P')) return std::nullopt;
  text.remove_prefix(1);
  Duration total{};
  bool is_time = false;
  bool has_field = false;
  std::size_t next = 0;
  while (!text.empty()) {
    if (!is_time && text.front() == 'T') {
      is_time = true;
      text.remove_prefix(1);
      has_field = false;
      continue;
    }
    const std::size_t at = text.find_first_not_of("0123456789.");
    if (at == std::string_view::npos) return std::nullopt;
    while (next < fields.size() && fields[next].letter != text[at]) ++next;
    if (next == fields.size() || fields[next].is_of_time != is_time) return std::nullopt;
    const Field& field = fields[next++];
    const auto value = take_field(text, field.unit, field.letter == 'S');
    if (!value || *value > Duration::max() - total) return std::nullopt;
    total += *value;
    has_field = true;
  }
  if (!has_field) return std::nullopt;
  return total;
}

SettingsReader::SettingsReader(const Properties& given, std::string_view client) : client_(client) {
  for (const auto& [name, value] : given) given_[name] = std::string(trimmed(value));
}

const std::string* SettingsReader::text(std::string_view name) {
  known_.insert(name);
  const auto found = given_.find(name);
  return found == given_.end() ? nullptr : &found->second;
}

void SettingsReader::text(std::string_view name, std::string& into) {
  if (const std::string* value = text(name)) into = *value;
}

std::optional<std::int64_t> SettingsReader::number(std::string_view name, std::int64_t min,
                                                   std::int64_t max) {
  const std::string* value = text(name);
  if (value == nullptr) return std::nullopt;
  const auto number = number_from(*value);
  if (number && *number >= min && *number <= max) return number;
  if (max == long_max) {
    problem(formatted("{} must be a whole number, {} or more; it is \"{}\"", name, min, *value));
  } else {
    problem(formatted("{} must be a whole number, {} to {}; it is \"{}\"", name, min, max, *value));
  }
  return std::nullopt;
}

void SettingsReader::number(std::string_view name, std::int32_t& into, std::int64_t min,
                            std::int64_t max) {
  if (const auto value = number(name, min, max)) into = static_cast<std::int32_t>(*value);
}

void SettingsReader::bytes(std::string_view name, std::size_t& into, std::int64_t min,
                           std::int64_t max) {
  if (const auto value = number(name, min, max)) into = static_cast<std::size_t>(*value);
}

void SettingsReader::milliseconds(std::string_view name, Duration& into, std::int64_t min,
                                  std::int64_t max) {
  if (const auto value = number(name, min, max)) into = duration_of_milliseconds(*value);
}

void SettingsReader::flag(std::string_view name, bool& into) {
  const std::string* value = text(name);
  if (value == nullptr) return;
  std::string lower = *value;
  std::ranges::transform(lower, lower.begin(), lower_letter);
  if (lower == "true") {
    into = true;
  } else if (lower == "false") {
    into = false;
  } else {
    not_one_of(name, "true, false");
  }
}

std::optional<std::vector<std::string>> SettingsReader::list(std::string_view name) {
  const std::string* value = text(name);
  if (value == nullptr) return std::nullopt;
  std::vector<std::string> elements;
  std::string_view rest = *value;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view element = trimmed(rest.substr(0, comma));
    if (!element.empty()) elements.emplace_back(element);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return elements;
}

void SettingsReader::not_one_of(std::string_view name, std::string_view choices) {
  problem(
      formatted("{} must be one of {}; it is \"{}\"", name, choices, given_.at(std::string(name))));
}

SettingsProblems SettingsReader::finish(std::span<const UnsupportedName> unsupported) {
  for (const auto& [name, value] : given_) {
    if (!known_.contains(name)) leftover(name, value, unsupported);
  }
  return std::move(problems_);
}

namespace {

// What a name of Kafka's asks for that is not there yet; empty: nothing that ever will be.
std::string_view missing_for(std::string_view name) {
  if (name.starts_with("ssl.")) return "TLS";
  if (name.starts_with("sasl.")) return "SASL";
  return name == "security.protocol" ? "TLS and SASL" : "";
}

bool is_equal_without_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower_letter, lower_letter);
}

}  // namespace

// Never shows the value: it may be a password.
void SettingsReader::leftover(const std::string& name, const std::string& value,
                              std::span<const UnsupportedName> unsupported) {
  std::vector<std::string_view> names(known_.begin(), known_.end());
  for (const auto& list : {unsupported, unsupported_everywhere()}) {
    for (const UnsupportedName& other : list) {
      names.push_back(other.name);
      if (other.name != name) continue;
      const std::string_view missing = missing_for(name);
      const bool is_security = !missing.empty();
      if (other.has_harmless &&
          (is_security ? is_equal_without_case(value, other.harmless) : value == other.harmless)) {
        return;
      }
      // An empty one asks for nothing.
      if (is_security && value.empty()) return;
      const std::string why =
          is_security
              ? formatted("this client does not support {} yet", missing)
              : std::string("a setting of Kafka's clients that this client does not support");
      problem(other.has_harmless && !other.harmless.empty()
                  ? formatted("{} is supported as \"{}\" only: {}", name, other.harmless, why)
                  : formatted("{}: {}", name, why));
      return;
    }
  }
  const auto near = config::nearest(name, names);
  const std::string_view article = client_.starts_with('a') ? "an" : "a";
  problem(
      near ? formatted("{} {} has no setting {}; did you mean {}?", article, client_, name, *near)
           : formatted("{} {} has no setting {}", article, client_, name));
}

}  // namespace millrace::client
