module;
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
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

constexpr std::string_view unclean_election = "unclean.leader.election.enable";
constexpr std::string_view limits_of_addresses = "max.connections.per.ip.overrides";

Outcome invalid(std::string message) {
  return {ErrorCode::invalid_config, std::move(message)};
}

std::vector<config::PropertyEntry> entries_of(const ConfigMap& settings) {
  std::vector<config::PropertyEntry> entries;
  for (const auto& [name, value] : settings) entries.push_back({name, value});
  return entries;
}

config::Layer layer_of(config::SourceKind kind, const ConfigMap& settings) {
  return {.kind = kind, .file = {}, .entries = entries_of(settings)};
}

std::string name_of(BrokerId broker) {
  return std::to_string(broker.value());
}

// Those that may contradict a setting of the brokers.
std::vector<config::PropertyEntry> related_of(const ConfigMap& topic_settings) {
  std::vector<config::PropertyEntry> related;
  for (const config::Relation& relation : config::TopicSet::definitions().relations) {
    for (const std::string_view name : {relation.smaller, relation.larger}) {
      const auto found = topic_settings.find(name);
      if (found != topic_settings.end()) related.push_back({found->first, found->second});
    }
  }
  return related;
}

bool is_unchanged(const ConfigMap& before, const std::string& name, const std::string& value) {
  const auto known = before.find(name);
  return known != before.end() && known->second == value;
}

std::string_view value_in(const ConfigMap& settings, std::string_view name) {
  const auto found = settings.find(name);
  return found == settings.end() ? std::string_view() : found->second;
}

// Whether a change of brokers' settings may contradict what topics set.
bool concerns_topics(const ConfigMap& before, const ConfigMap& after) {
  return std::ranges::any_of(config::ServerSet::definitions().relations, [&](const auto& relation) {
    return value_in(before, relation.smaller) != value_in(after, relation.smaller) ||
           value_in(before, relation.larger) != value_in(after, relation.larger);
  });
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

// Brokers look names of hosts up at their start only.
Outcome check_limits_of_addresses(const config::ServerConfig& start,
                                  const config::ServerConfig& changed) {
  constexpr std::string_view name = limits_of_addresses;
  std::set<std::string_view> known;
  for (const config::NameValue& pair : start.get<"max.connections.per.ip.overrides">()) {
    known.insert(pair.name);
  }
  for (const config::NameValue& pair : changed.get<"max.connections.per.ip.overrides">()) {
    std::uint32_t count = 0;
    const char* const end = pair.value.data() + pair.value.size();
    const auto [stopped, error] = std::from_chars(pair.value.data(), end, count);
    if (error != std::errc() || stopped != end) {
      return invalid(
          formatted("{}: '{}' is no number of connections", name, config::printable(pair.value)));
    }
    if (!known.contains(pair.name) && !is_address(pair.name)) {
      return invalid(formatted("{}: '{}' is no address", name, config::printable(pair.name)));
    }
  }
  return {};
}

Outcome check_sizes(const ConfigMap& settings) {
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
  return {};
}

bool is_among(const config::Problems& problems, const config::Problem& problem) {
  return std::ranges::any_of(problems.list(), [&](const config::Problem& other) {
    return other.message == problem.message;
  });
}

// Of those that are not known already.
std::string sentence_of(const config::Problems& problems, const config::Problems& known = {}) {
  std::string sentence;
  for (const config::Problem& problem : problems.list()) {
    if (problem.severity != config::Severity::error || is_among(known, problem)) continue;
    if (!sentence.empty()) sentence += "; ";
    sentence += problem.message;
  }
  return sentence;
}

using Layers = std::vector<config::Layer>;
// What is wrong with settings that are to count together. None: they can.
using Judge = std::function<std::optional<config::Problems>(const Layers&)>;

bool has(const config::Layer& layer, const config::PropertyEntry& entry) {
  return std::ranges::find(layer.entries, entry) != layer.entries.end();
}

// Whether anything is set anew, rather than only taken away.
bool sets_something(const Layers& before, const Layers& after) {
  for (std::size_t i = 0; i < after.size(); ++i) {
    for (const config::PropertyEntry& entry : after[i].entries) {
      if (!has(before[i], entry)) return true;
    }
  }
  return false;
}

// Without what was there before and cannot count even alone.
Layers usable_of(const Judge& judge, Layers layers, const Layers& before) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    config::Layer& layer = layers[i];
    std::erase_if(layer.entries, [&](const config::PropertyEntry& entry) {
      const Layers alone = {{.kind = layer.kind, .file = layer.file, .entries = {entry}}};
      return has(before[i], entry) && judge(alone).has_value();
    });
  }
  return layers;
}

// Refuses what a change makes wrong. What was wrong before, because another version let it in,
// does not count at the brokers: it stands in the way of no other change, nor of its own removal.
Outcome check_change(const Judge& judge, const Layers& before, const Layers& after) {
  const auto now = judge(after);
  if (!now) return {};
  const auto known = judge(before);
  if (known && !sets_something(before, after)) return {};
  std::string sentence = sentence_of(*now, known.value_or(config::Problems()));
  if (sentence.empty()) {
    // What is wrong by itself may hide what is wrong with others.
    const auto usable = judge(usable_of(judge, after, before));
    const auto usable_before = judge(usable_of(judge, before, before));
    if (!usable) return {};
    sentence = sentence_of(*usable, usable_before.value_or(config::Problems()));
  }
  return sentence.empty() ? Outcome() : invalid(std::move(sentence));
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

Outcome check_broker_name(const Image& image, std::string_view name) {
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

config::ServerConfig settings_of_brokers(const config::ServerConfig& server, const Image& image) {
  const ConfigMap* const all = image.config(ConfigKind::broker, "");
  if (all == nullptr) return server;
  return config::with_usable_settings(server, {layer_of(config::SourceKind::cluster_wide, *all)})
      .config;
}

SettingRules::SettingRules(std::shared_ptr<const config::ServerConfig> server)
    : server_(std::move(server)) {
  check(server_ != nullptr, "settings are checked by those of a server");
}

Outcome SettingRules::check_resource(const Image& image, std::int8_t kind, std::string_view name) {
  if (kind == static_cast<std::int8_t>(ConfigKind::broker)) return check_broker_name(image, name);
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

Outcome SettingRules::check_settings(const Image& image, ConfigKind kind, std::string_view resource,
                                     const ConfigMap& before, const ConfigMap& after) const {
  if (Outcome outcome = check_sizes(after); !outcome.ok()) return outcome;
  for (const auto& [name, value] : after) {
    if (is_unchanged(before, name, value)) continue;
    if (auto reason = config::without_effect(definitions_of(kind), name, value)) {
      return invalid(*std::move(reason));
    }
    if (kind == ConfigKind::broker && !resource.empty() && name == unclean_election) {
      return invalid(
          formatted("{} is asked by the controllers: it is set for all brokers or for a topic",
                    unclean_election));
    }
  }
  if (kind == ConfigKind::topic) return check_topic(image, before, after);
  return check_brokers(image, resource, before, after);
}

// Also by the settings of brokers that have their own: it may be on any of them.
Outcome SettingRules::check_topic(const Image& image, const ConfigMap& before,
                                  const ConfigMap& after) const {
  if (after.empty()) return {};
  const auto check_by = [&](const config::ServerConfig& server) {
    const Judge judge = [&](const Layers& layers) -> std::optional<config::Problems> {
      auto made = config::make_topic_config(server, layers.front().entries);
      if (made) return std::nullopt;
      return std::move(made).error();
    };
    return check_change(judge, {layer_of(config::SourceKind::per_topic, before)},
                        {layer_of(config::SourceKind::per_topic, after)});
  };
  const config::ServerConfig brokers = settings_of_brokers(*server_, image);
  Outcome outcome = check_by(brokers);
  image.for_each_broker([&](const Broker& broker) {
    const ConfigMap* const own = image.config(ConfigKind::broker, name_of(broker.id));
    if (own == nullptr || !outcome.ok()) return;
    outcome = check_by(
        config::with_usable_settings(brokers, {layer_of(config::SourceKind::per_broker, *own)})
            .config);
  });
  return outcome;
}

Outcome SettingRules::check_brokers(const Image& image, std::string_view resource,
                                    const ConfigMap& before, const ConfigMap& after) const {
  using config::SourceKind;
  if (Outcome outcome = check_addresses(before, after); !outcome.ok()) return outcome;
  const bool topics_too = concerns_topics(before, after);
  if (!resource.empty()) {
    const ConfigMap* const map = image.config(ConfigKind::broker, "");
    const config::Layer all =
        layer_of(SourceKind::cluster_wide, map == nullptr ? ConfigMap() : *map);
    return check_broker(image, {all, layer_of(SourceKind::per_broker, before)},
                        {all, layer_of(SourceKind::per_broker, after)}, topics_too);
  }
  const config::Layer all_before = layer_of(SourceKind::cluster_wide, before);
  const config::Layer all_after = layer_of(SourceKind::cluster_wide, after);
  Outcome outcome = check_broker(image, {all_before}, {all_after}, topics_too);
  image.for_each_broker([&](const Broker& broker) {
    const ConfigMap* const map = image.config(ConfigKind::broker, name_of(broker.id));
    if (!outcome.ok() || map == nullptr) return;
    const config::Layer own = layer_of(SourceKind::per_broker, *map);
    outcome = check_broker(image, {all_before, own}, {all_after, own}, topics_too);
  });
  return outcome;
}

Outcome SettingRules::check_addresses(const ConfigMap& before, const ConfigMap& after) const {
  const auto found = after.find(limits_of_addresses);
  if (found == after.end() || is_unchanged(before, found->first, found->second)) return {};
  const auto changed =
      config::with_settings(*server_, {layer_of(config::SourceKind::cluster_wide, {*found})});
  // What is no list of pairs is refused with all else.
  return changed ? check_limits_of_addresses(*server_, *changed) : Outcome();
}

Outcome SettingRules::check_broker(const Image& image, const std::vector<config::Layer>& before,
                                   const std::vector<config::Layer>& after, bool topics_too) const {
  const Judge judge = [&](const Layers& layers) -> std::optional<config::Problems> {
    auto made = config::with_settings(*server_, layers);
    if (made) return std::nullopt;
    return std::move(made).error();
  };
  Outcome outcome = check_change(judge, before, after);
  if (!topics_too || !outcome.ok()) return outcome;
  const config::ServerConfig was = config::with_usable_settings(*server_, before).config;
  const config::ServerConfig now = config::with_usable_settings(*server_, after).config;
  image.for_each_config([&](ConfigKind kind, const std::string& topic, const ConfigMap& settings) {
    if (kind != ConfigKind::topic || !outcome.ok()) return;
    const auto made = config::make_topic_config(now, related_of(settings));
    if (made || !config::make_topic_config(was, related_of(settings))) return;
    outcome = invalid(formatted("topic '{}': {}", topic, sentence_of(made.error())));
  });
  return outcome;
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
  // Before anything is done with it: it may be as large as a request.
  if (change.value->size() > config_value_bytes_max) {
    return invalid(formatted("{}: what is added or taken away has at most {} bytes",
                             config::printable(change.name), config_value_bytes_max));
  }
  const auto set = settings.find(change.name);
  const std::string before = set != settings.end() ? set->second : default_of(kind, definition);
  std::vector<std::string> elements = elements_of(before);
  const std::vector<std::string> named = elements_of(*change.value);
  if (change.operation == SettingOperation::append) {
    std::set<std::string> known(elements.begin(), elements.end());
    for (const std::string& element : named) {
      if (known.insert(element).second) elements.push_back(element);
    }
  } else if (change.operation == SettingOperation::subtract) {
    const std::set<std::string_view> gone(named.begin(), named.end());
    std::erase_if(elements, [&](const std::string& element) { return gone.contains(element); });
  } else {
    return {ErrorCode::invalid_request, "the operation on a setting is not known"};
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
