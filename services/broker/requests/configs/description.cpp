module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.requests.configs;

import millrace.config;
import millrace.metadata;

namespace millrace::broker {
namespace {

using config::Change;
using config::DescribedProperty;
using config::Setting;
using config::SourceKind;
using config::Type;

std::optional<std::string> shown(const std::string& text, bool is_secret) {
  return is_secret ? std::nullopt : std::optional(text);
}

ConfigRow row_of(const DescribedProperty& property) {
  ConfigRow row{.name = std::string(property.definition->name),
                .value = {},
                .is_read_only = property.definition->change == Change::read_only ||
                                !property.definition->without_effect.empty(),
                .is_sensitive = property.is_secret,
                .source = wire_source(property.source),
                .type = wire_type(property.definition->type),
                .synonyms = {},
                .documentation = property.definition->doc};
  if (property.has_value) row.value = shown(property.text, property.is_secret);
  for (const Setting& setting : property.settings) {
    row.synonyms.push_back({.name = setting.name,
                            .value = shown(setting.text, setting.is_secret),
                            .source = wire_source(setting.source.kind)});
  }
  return row;
}

}  // namespace

ConfigSource wire_source(SourceKind kind) {
  switch (kind) {
    case SourceKind::default_value:
      return ConfigSource::default_value;
    case SourceKind::file:
    case SourceKind::command_line:
      return ConfigSource::static_broker;
    case SourceKind::cluster_wide:
      return ConfigSource::dynamic_broker_default;
    case SourceKind::per_broker:
      return ConfigSource::dynamic_broker;
    case SourceKind::per_topic:
      return ConfigSource::topic;
  }
  return ConfigSource::unknown;
}

ConfigType wire_type(Type type) {
  switch (type) {
    case Type::boolean:
      return ConfigType::boolean;
    case Type::int16:
      return ConfigType::int16;
    case Type::int32:
      return ConfigType::int32;
    case Type::int64:
      return ConfigType::int64;
    case Type::real:
      return ConfigType::real;
    case Type::string:
      return ConfigType::string;
    case Type::list:
      return ConfigType::list;
    case Type::password:
      return ConfigType::password;
  }
  return ConfigType::unknown;
}

std::vector<ConfigRow> describe(const config::Config& config) {
  std::vector<ConfigRow> rows;
  for (const DescribedProperty& property : config.describe()) {
    rows.push_back(row_of(property));
  }
  return rows;
}

std::vector<ConfigRow> describe_broker_default(const metadata::ConfigMap& settings) {
  constexpr auto definitions = config::ServerSet::definitions();
  std::vector<ConfigRow> rows;
  for (const auto& [name, value] : settings) {
    const auto id = definitions.find(name);
    const bool is_secret = !id || definitions[*id].type == Type::password;
    ConfigRow row{.name = name,
                  .value = shown(value, is_secret),
                  .is_read_only = false,
                  .is_sensitive = is_secret,
                  .source = ConfigSource::dynamic_broker_default,
                  .type = id ? wire_type(definitions[*id].type) : ConfigType::unknown,
                  .synonyms = {},
                  .documentation = id ? definitions[*id].doc : std::string_view()};
    row.synonyms.push_back({.name = name, .value = row.value, .source = row.source});
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string_view> names_of(const ConfigRow& row) {
  std::vector<std::string_view> names = {row.name};
  const auto id = config::ServerSet::definitions().find(row.name);
  if (!id) return names;
  const std::string_view alias = config::ServerSet::definitions()[*id].alias;
  if (!alias.empty()) names.push_back(alias);
  return names;
}

}  // namespace millrace::broker
