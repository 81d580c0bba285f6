module;
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

std::string text_of(const HostPort& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", address.host, address.port)
                 : fmt::format("{}:{}", address.host, address.port);
}
std::string text_of(const ListenerAddress& listener) {
  return fmt::format("{}://{}", listener.listener, text_of(listener.address));
}
std::string text_of(const Voter& voter) {
  return fmt::format("{}@{}", voter.id.value(), text_of(voter.address));
}
std::string text_of(const NameValue& pair) {
  return fmt::format("{}:{}", pair.name, pair.value);
}
std::string text_of(const std::string& word) {
  return word;
}

template <class Element>
std::string joined(const std::vector<Element>& elements) {
  std::string text;
  for (const Element& element : elements) {
    if (!text.empty()) text += ',';
    text += text_of(element);
  }
  return text;
}

// Writes each alternative of Value.
struct Writer {
  const Definition& definition;

  std::string operator()(std::monostate) const { return {}; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t number) const {
    if (definition.meaning != Meaning::choice) return fmt::format("{}", number);
    return std::string(definition.choices.all()[static_cast<std::size_t>(number)]);
  }
  std::string operator()(double number) const { return fmt::format("{}", number); }
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(const Password&) const { return std::string(hidden_text); }
  std::string operator()(const ChoiceIndexes& indexes) const {
    std::vector<std::string> words;
    for (const std::uint8_t index : indexes) words.emplace_back(definition.choices.all()[index]);
    return joined(words);
  }
  template <class Element>
  std::string operator()(const std::vector<Element>& elements) const {
    return joined(elements);
  }
};

Setting default_setting(const Definition& definition) {
  const bool is_secret = definition.type == Type::password;
  return {.name = std::string(definition.name),
          .text = std::string(is_secret ? hidden_text : definition.default_value.text()),
          .source = {},
          .is_secret = is_secret};
}

}  // namespace

std::string to_text(const Definition& definition, const Value& value) {
  return std::visit(Writer{definition}, value);
}

const Value& Config::value(PropertyId id, std::string_view listener) const {
  const std::string name = upper_case(listener);
  for (const ForListener& own : for_listeners_) {
    if (own.id == id && own.listener == name) return own.value;
  }
  return value(id);
}

bool Config::is_set(PropertyId id) const {
  return !std::holds_alternative<std::monostate>(value(id));
}

const Config::Kept* Config::strongest(PropertyId id) const {
  const auto found =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.id == id; });
  return found == kept_.end() ? nullptr : &*found;
}

Source Config::source(PropertyId id) const {
  const Kept* const kept = strongest(id);
  return kept == nullptr ? Source{} : kept->setting.source;
}

std::vector<Setting> Config::settings(PropertyId id) const {
  std::vector<Setting> all;
  for (const Kept& kept : kept_) {
    if (kept.id == id) all.push_back(kept.setting);
  }
  const bool has_default = !all.empty() && all.back().source.kind == SourceKind::default_value;
  const Definition& definition = definitions_[id];
  const bool may_have_default =
      !definition.default_value.is_none() && !definition.default_value.is_required();
  if (!has_default && may_have_default) all.push_back(default_setting(definition));
  return all;
}

bool Config::is_secret(PropertyId id) const {
  const Kept* const kept = strongest(id);
  return definitions_[id].type == Type::password || (kept != nullptr && kept->setting.is_secret);
}

std::string Config::printed(PropertyId id) const {
  if (is_set(id) && is_secret(id)) return std::string(hidden_text);
  return to_text(definitions_[id], value(id));
}

std::vector<DescribedProperty> Config::describe() const {
  std::vector<DescribedProperty> rows;
  for (std::size_t i = 0; i < definitions_.definitions.size(); ++i) {
    const PropertyId id(static_cast<std::uint16_t>(i));
    const Definition& definition = definitions_[id];
    rows.push_back({.definition = &definition,
                    .text = is_secret(id) ? std::string() : to_text(definition, value(id)),
                    .has_value = is_set(id),
                    .is_secret = is_secret(id),
                    .source = source(id).kind,
                    .settings = settings(id)});
  }
  return rows;
}

}  // namespace millrace::config
