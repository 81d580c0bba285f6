module;
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {
namespace {

Outcome invalid(std::string message) {
  return {ErrorCode::invalid_config, std::move(message)};
}

std::vector<config::PropertyEntry> entries_of(const ConfigMap& settings) {
  std::vector<config::PropertyEntry> entries;
  for (const auto& [name, value] : settings) entries.push_back({name, value});
  return entries;
}

std::string sentence_of(const config::Problems& problems) {
  std::string sentence;
  for (const config::Problem& problem : problems.list()) {
    if (problem.severity != config::Severity::error) continue;
    if (!sentence.empty()) sentence += "; ";
    sentence += problem.message;
  }
  return sentence;
}

config::DefinitionSet definitions_of(ConfigKind kind) {
  return kind == ConfigKind::topic ? config::TopicSet::definitions()
                                   : config::ServerSet::definitions();
}

std::string joined(const std::vector<std::string>& elements) {
  std::string text;
  for (const std::string& element : elements) {
    if (!text.empty()) text += ',';
    text += element;
  }
  return text;
}

std::vector<std::string> elements_of(std::string_view list) {
  std::vector<std::string> elements;
  for (const std::string_view element : config::split_list(list)) elements.emplace_back(element);
  return elements;
}

Outcome check_broker(const Image& image, std::string_view name) {
  if (name.empty()) return {};
  std::int32_t id = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size() || id < 0) {
    return {ErrorCode::invalid_request,
            formatted("'{}' is not the id of a broker", config::printable(name))};
  }
  if (image.broker(BrokerId(id)) == nullptr) {
    return {ErrorCode::broker_id_not_registered, formatted("broker {} is not registered", id)};
  }
  return {};
}

}  // namespace

SettingRules::SettingRules(std::shared_ptr<const config::ServerConfig> server)
    : server_(std::move(server)) {
  check(server_ != nullptr, "settings are checked by those of a server");
}

Outcome SettingRules::check_resource(const Image& image, std::int8_t kind, std::string_view name) {
  if (kind == static_cast<std::int8_t>(ConfigKind::broker)) return check_broker(image, name);
  if (kind != static_cast<std::int8_t>(ConfigKind::topic)) {
    return {ErrorCode::invalid_request,
            formatted("resources of type {} have no settings here; topics (2) and brokers (4) have",
                      kind)};
  }
  if (name.empty()) return {ErrorCode::invalid_request, "there are no defaults of all topics"};
  if (image.topic(name)) return {};
  return {ErrorCode::unknown_topic_or_partition,
          formatted("there is no topic '{}'", config::printable(name))};
}

Outcome SettingRules::check_settings(ConfigKind kind, std::string_view resource,
                                     const ConfigMap& settings) const {
  if (settings.empty()) return {};
  if (settings.size() > config_entries_max) {
    return invalid(formatted("{} settings; {} are allowed", settings.size(), config_entries_max));
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : settings) {
    bytes += name.size() + value.size();
    if (name.size() > config_name_bytes_max || value.size() > config_value_bytes_max) {
      return invalid(formatted("{}: names have at most {} bytes, values {}",
                               config::printable(name), config_name_bytes_max,
                               config_value_bytes_max));
    }
  }
  if (bytes > config_bytes_max) {
    return invalid(
        formatted("the settings have {} bytes; {} are allowed", bytes, config_bytes_max));
  }
  if (kind == ConfigKind::topic) {
    const auto made = config::make_topic_config(*server_, entries_of(settings));
    return made ? Outcome() : invalid(sentence_of(made.error()));
  }
  config::Layer layer;
  layer.kind = resource.empty() ? config::SourceKind::cluster_wide : config::SourceKind::per_broker;
  layer.entries = entries_of(settings);
  const auto made = config::make_server_config({std::move(layer)}, {}, nullptr);
  return made ? Outcome() : invalid(sentence_of(made.error()));
}

Outcome SettingRules::change(const ResourceChange& resource, bool replaces,
                             ConfigMap& settings) const {
  const auto kind = static_cast<ConfigKind>(resource.kind);
  const config::DefinitionSet definitions = definitions_of(kind);
  if (replaces) settings.clear();
  std::set<std::string_view> seen;
  for (const SettingChange& change : resource.changes) {
    if (change.name.empty()) return {ErrorCode::invalid_request, "a setting has no name"};
    if (!seen.insert(change.name).second) {
      return {ErrorCode::invalid_request,
              formatted("'{}' is changed twice", config::printable(change.name))};
    }
    if (change.operation == SettingOperation::unset) {
      settings.erase(change.name);
      continue;
    }
    if (!change.value) {
      return {replaces ? ErrorCode::invalid_config : ErrorCode::invalid_request,
              formatted("'{}' is set to null", config::printable(change.name))};
    }
    if (change.operation == SettingOperation::set) {
      settings[change.name] = *change.value;
      continue;
    }
    const auto id = definitions.find(change.name);
    if (!id || definitions[*id].type != config::Type::list) {
      return invalid(
          formatted("'{}' is no list, to which one could add and from which one could "
                    "take away",
                    config::printable(change.name)));
    }
    if (Outcome outcome = change_list(definitions[*id], kind, change, settings); !outcome.ok()) {
      return outcome;
    }
  }
  return {};
}

Outcome SettingRules::change_list(const config::Definition& definition, ConfigKind kind,
                                  const SettingChange& change, ConfigMap& settings) const {
  const auto set = settings.find(change.name);
  const std::string before = set != settings.end() ? set->second : default_of(kind, definition);
  std::vector<std::string> elements = elements_of(before);
  for (const std::string& element : elements_of(*change.value)) {
    const auto found = std::ranges::find(elements, element);
    if (change.operation == SettingOperation::append) {
      if (found == elements.end()) elements.push_back(element);
    } else if (change.operation == SettingOperation::subtract) {
      if (found != elements.end()) elements.erase(found);
    } else {
      return {ErrorCode::invalid_request, "the operation on a setting is not known"};
    }
  }
  settings[change.name] = joined(elements);
  return {};
}

std::string SettingRules::default_of(ConfigKind kind, const config::Definition& definition) const {
  if (kind != ConfigKind::topic) {
    const auto id = server_->untyped().definitions().find(definition.name);
    return id ? server_->untyped().printed(*id) : std::string();
  }
  const auto made = config::make_topic_config(*server_, {});
  if (!made) return {};
  const auto id = made->config.untyped().definitions().find(definition.name);
  return id ? made->config.untyped().printed(*id) : std::string();
}

}  // namespace millrace::metadata
