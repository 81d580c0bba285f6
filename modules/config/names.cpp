// Which property a name means, and what to say about a name that means none.
module;
#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

constexpr std::string_view listener_prefix = "listener.name.";

// The part behind "listener.name.<listener>."; empty when the name has no such beginning.
struct ListenerName {
  std::string_view listener;
  std::string_view property;
};

ListenerName split_listener_name(std::string_view name) {
  if (!name.starts_with(listener_prefix)) return {};
  const std::string_view rest = name.substr(listener_prefix.size());
  const std::size_t dot = rest.find('.');
  if (dot == 0 || dot == std::string_view::npos) return {};
  return {.listener = rest.substr(0, dot), .property = rest.substr(dot + 1)};
}

const ForeignName* find_foreign(const DefinitionSet& definitions, std::string_view name) {
  for (const ForeignName& foreign : definitions.foreign_names) {
    const bool is_prefix = foreign.name.ends_with('.');
    if (is_prefix ? name.starts_with(foreign.name) : name == foreign.name) return &foreign;
  }
  return nullptr;
}

// As find_foreign, also for one listener and for one SASL mechanism of a listener.
const ForeignName* find_foreign_anywhere(const DefinitionSet& definitions, std::string_view name) {
  if (const ForeignName* const foreign = find_foreign(definitions, name)) return foreign;
  const std::string_view property = split_listener_name(name).property;
  if (property.empty()) return nullptr;
  if (const ForeignName* const foreign = find_foreign(definitions, property)) return foreign;
  const std::size_t dot = property.find('.');
  if (dot == std::string_view::npos) return nullptr;
  return find_foreign(definitions, property.substr(dot + 1));
}

bool asks_for_nothing(const ForeignName& foreign, std::string_view value) {
  const std::string text = lower_case(trim(value));
  return text.empty() || text == lower_case(foreign.harmless_value);
}

std::optional<Value> default_of(const Definition& definition) {
  const Default& text = definition.default_value;
  if (text.is_none() || text.is_required()) return std::nullopt;
  return *parse_value(definition, text.text());
}

// People mistake a topic property for the broker's default of it, and the other way round.
std::string confusion(const DefinitionSet& set, std::string_view name) {
  for (const Definition& topic : set.topic_definitions) {
    const auto synonyms = topic.synonyms.all();
    if (topic.name == name && !synonyms.empty() && set.find(synonyms.front().name)) {
      return fmt::format("; it is a property of topics, whose default is {}",
                         synonyms.front().name);
    }
    for (const Synonym& synonym : synonyms) {
      if (synonym.name == name && set.find(topic.name)) {
        return fmt::format("; it is a property of brokers, and {} is the one of topics",
                           topic.name);
      }
    }
  }
  return {};
}

std::string suggestion(const DefinitionSet& set, std::string_view name) {
  const ListenerName split = split_listener_name(name);
  std::vector<std::string_view> known;
  for (const Definition& definition : set.definitions) {
    if (!split.property.empty() && !definition.per_listener) continue;
    known.push_back(definition.name);
    if (!definition.alias.empty()) known.push_back(definition.alias);
  }
  const bool is_for_listener = !split.property.empty();
  const auto found = nearest(is_for_listener ? split.property : name, known);
  if (!found) return {};
  if (!is_for_listener) return fmt::format("; did you mean {}?", *found);
  return fmt::format("; did you mean {}{}.{}?", listener_prefix, printable(split.listener), *found);
}

}  // namespace

std::optional<std::string> without_effect(const DefinitionSet& definitions, std::string_view name,
                                          std::string_view value) {
  const auto sentence = [&](std::string_view reason) {
    return fmt::format("{} has no effect: {}", printable(name), reason);
  };
  auto id = definitions.find(name);
  if (!id) id = definitions.find(split_listener_name(name).property);
  if (id) {
    const Definition& definition = definitions[*id];
    if (definition.without_effect.empty()) return std::nullopt;
    const auto parsed = parse_value(definition, value);
    // Illegal values are reported as such.
    if (!parsed || *parsed == default_of(definition)) return std::nullopt;
    return sentence(definition.without_effect);
  }
  const ForeignName* const foreign = find_foreign_anywhere(definitions, name);
  if (foreign == nullptr || asks_for_nothing(*foreign, value)) return std::nullopt;
  return sentence(foreign->reason);
}

std::optional<ConfigBuilder::Given> ConfigBuilder::identify(const PropertyEntry& entry,
                                                            const Source& source) {
  const DefinitionSet& set = config_.definitions_;
  if (entry.name.empty()) {
    problems_.fail(source, "a property without a name");
    return std::nullopt;
  }
  if (const auto id = set.find(entry.name)) return Given{.id = *id, .listener = {}};
  const bool is_local = source.kind == SourceKind::file || source.kind == SourceKind::command_line;
  if (is_provider_property(entry.name) && is_local && set.find("config.providers")) {
    return std::nullopt;
  }
  const ListenerName split = split_listener_name(entry.name);
  if (const auto id = set.find(split.property)) {
    if (set[*id].per_listener) return Given{.id = *id, .listener = upper_case(split.listener)};
    problems_.fail(source, fmt::format("{}: {} cannot be set for one listener",
                                       printable(entry.name), split.property));
    return std::nullopt;
  }
  if (!take_foreign(entry, source)) report_unknown(entry.name, source);
  return std::nullopt;
}

bool ConfigBuilder::take_foreign(const PropertyEntry& entry, const Source& source) {
  const ForeignName* const foreign = find_foreign_anywhere(config_.definitions_, entry.name);
  if (foreign == nullptr) return false;
  const std::string message =
      fmt::format("{} has no effect: {}", printable(entry.name), foreign->reason);
  if (foreign->treatment == ForeignName::Treatment::refused &&
      !asks_for_nothing(*foreign, entry.value)) {
    problems_.fail(source, fmt::format("{}; remove it to go on without", message));
  } else {
    problems_.warn(source, message);
  }
  return true;
}

void ConfigBuilder::report_unknown(std::string_view name, const Source& source) {
  const DefinitionSet& set = config_.definitions_;
  std::string hint;
  if (!problems_.is_full()) hint = confusion(set, name);
  if (!problems_.is_full() && hint.empty()) hint = suggestion(set, name);
  std::string message = fmt::format("unknown property {}{}", printable(name), hint);
  if (source.kind == SourceKind::file && rules_.allow_unknown_in_files) {
    problems_.warn(source, std::move(message));
  } else {
    problems_.fail(source, std::move(message));
  }
}

}  // namespace millrace::config
