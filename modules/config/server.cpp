module;
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

const ListenerAddress* find_listener(const std::vector<ListenerAddress>& listeners,
                                     std::string_view name) {
  const std::string wanted = upper_case(name);
  const auto found =
      std::find_if(listeners.begin(), listeners.end(),
                   [&](const ListenerAddress& other) { return other.listener == wanted; });
  return found == listeners.end() ? nullptr : &*found;
}

// A part of a property's value, as it may be printed.
std::string shown(const ServerConfig& config, PropertyId id, std::string_view part) {
  return config.untyped().is_secret(id) ? std::string(hidden_text) : printable(part);
}

// Values that are right each for itself and do not fit together.
void check_advertised(const ServerConfig& config, Problems& problems) {
  const auto advertised = config.get<"advertised.listeners">();
  if (!advertised) return;
  const Source source = config.source<"advertised.listeners">();
  for (const ListenerAddress& address : *advertised) {
    const std::string name =
        shown(config, id_of<ServerSet, "advertised.listeners">, address.listener);
    if (find_listener(config.get<"listeners">(), address.listener) == nullptr) {
      problems.fail(source,
                    fmt::format("advertised.listeners has {}, which listeners has not", name));
    }
    const std::string& host = address.address.host;
    if (host.empty() || host == "0.0.0.0" || host == "::") {
      problems.fail(
          source,
          fmt::format("advertised.listeners needs a host for {} that clients can connect to",
                      name));
    }
  }
}

void check_inter_broker_listener(const ServerConfig& config, Problems& problems) {
  const auto name = config.get<"inter.broker.listener.name">();
  if (!name) return;
  const auto advertised = config.get<"advertised.listeners">();
  const auto& listeners = advertised ? *advertised : config.get<"listeners">();
  if (find_listener(listeners, *name) != nullptr) return;
  problems.fail(config.source<"inter.broker.listener.name">(),
                fmt::format("inter.broker.listener.name={} is not in {}",
                            shown(config, id_of<ServerSet, "inter.broker.listener.name">, *name),
                            advertised ? "advertised.listeners" : "listeners"));
}

void check_security_protocols(const ServerConfig& config, Problems& problems) {
  constexpr Words protocols = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
  const PropertyId id = id_of<ServerSet, "listener.security.protocol.map">;
  for (const NameValue& pair : config.get<"listener.security.protocol.map">()) {
    if (protocols.find(upper_case(pair.value))) continue;
    problems.fail(config.source<"listener.security.protocol.map">(),
                  fmt::format("listener.security.protocol.map has {} for {}; allowed: PLAINTEXT, "
                              "SSL, SASL_PLAINTEXT, SASL_SSL",
                              shown(config, id, pair.value), shown(config, id, pair.name)));
  }
}

// The broker's value of a synonym in the unit of the topic property. Negative stands for "no
// limit", whatever the unit.
Value scaled(const Value& value, std::int64_t factor) {
  const auto* const number = std::get_if<std::int64_t>(&value);
  if (number == nullptr || factor == 1) return value;
  // Values with a factor are int32, so the product fits.
  return *number < 0 ? Value(std::int64_t{-1}) : Value(*number * factor);
}

InheritedValue inherited_by(PropertyId id, const Config& server) {
  InheritedValue inherited{.id = id, .value = {}, .settings = {}};
  for (const Synonym& synonym : TopicSet::definitions()[id].synonyms.all()) {
    const auto source = server.definitions().find(synonym.name);
    check(source.has_value(), "a synonym of a topic property is a server property");
    const bool is_open = std::holds_alternative<std::monostate>(inherited.value);
    if (is_open) inherited.value = scaled(server.value(*source), synonym.factor);
    for (Setting& setting : server.settings(*source)) {
      inherited.settings.push_back(std::move(setting));
    }
  }
  return inherited;
}

// Whether the property may contradict another one.
bool is_related(const DefinitionSet& set, std::string_view name) {
  return std::ranges::any_of(set.relations, [&](const Relation& relation) {
    return relation.smaller == name || relation.larger == name;
  });
}

void leave_out_related(const DefinitionSet& set, std::vector<PropertyEntry>& entries) {
  std::erase_if(entries, [&](const PropertyEntry& entry) { return is_related(set, entry.name); });
}

template <class Typed>
Result<WithWarnings<Typed>, Problems> finished(Built built) {
  if (!built.config) return failure(std::move(built.problems));
  return WithWarnings<Typed>{.config = Typed(std::move(*built.config)),
                             .warnings = std::move(built.problems)};
}

Result<WithWarnings<ServerConfig>, Problems> finish_server(ConfigBuilder builder,
                                                           Processes process) {
  auto loaded = finished<ServerConfig>(std::move(builder).finish());
  if (!loaded) return loaded;
  // A controller may share its file with a broker, but not the broker's listeners.
  if (process == Processes::none || overlaps(process, Processes::broker)) {
    check_advertised(loaded->config, loaded->warnings);
    check_inter_broker_listener(loaded->config, loaded->warnings);
  }
  check_security_protocols(loaded->config, loaded->warnings);
  if (loaded->warnings.has_errors()) return failure(std::move(loaded->warnings));
  return loaded;
}

}  // namespace

Result<WithWarnings<ServerConfig>, Problems> load_server_config(const ServerArguments& arguments,
                                                                Surroundings& surroundings) {
  Problems problems;
  LoadRules rules = arguments.rules;
  Layer layer{.kind = SourceKind::file, .file = arguments.file.value_or(""), .entries = {}};
  if (arguments.file) {
    const auto text = surroundings.read_file(layer.file, file_bytes_max);
    if (text) {
      ParsedProperties parsed = parse_properties(*text, layer.file);
      problems.add(parsed.problems);
      layer.entries = std::move(parsed.entries);
    } else {
      problems.fail({.kind = SourceKind::file, .file = layer.file, .line = 0},
                    text.error().message);
      // What is required may well stand in that file.
      rules.process = Processes::none;
    }
  }
  ConfigBuilder builder(ServerSet::definitions(), rules, &surroundings);
  if (arguments.file) builder.add(std::move(layer));
  builder.add(parse_overrides(arguments.overrides, problems));
  builder.add(problems);
  return finish_server(std::move(builder), rules.process);
}

Result<WithWarnings<ServerConfig>, Problems> make_server_config(std::vector<Layer> layers,
                                                                const LoadRules& rules,
                                                                Surroundings* surroundings) {
  ConfigBuilder builder(ServerSet::definitions(), rules, surroundings);
  for (Layer& layer : layers) builder.add(std::move(layer));
  return finish_server(std::move(builder), rules.process);
}

Result<ServerConfig, Problems> with_settings(const ServerConfig& start,
                                             std::vector<Layer> settings) {
  ConfigBuilder builder(ServerSet::definitions(), {}, nullptr);
  builder.begin_with(start.untyped());
  for (Layer& layer : settings) builder.add(std::move(layer));
  auto made = finished<ServerConfig>(std::move(builder).finish());
  if (!made) return failure(std::move(made).error());
  return std::move(made->config);
}

Layer usable_settings(const ServerConfig& start, Layer settings, Problems& problems) {
  std::erase_if(settings.entries, [&](const PropertyEntry& entry) {
    const Layer alone{.kind = settings.kind, .file = settings.file, .entries = {entry}};
    const auto made = with_settings(start, {alone});
    if (!made) problems.add(made.error());
    return !made.has_value();
  });
  return settings;
}

WithWarnings<ServerConfig> with_usable_settings(const ServerConfig& start,
                                                std::vector<Layer> settings) {
  auto made = with_settings(start, settings);
  if (made) return {.config = std::move(*made), .warnings = {}};
  Problems problems;
  for (Layer& layer : settings) layer = usable_settings(start, std::move(layer), problems);
  made = with_settings(start, settings);
  if (!made) {
    problems.add(made.error());
    for (Layer& layer : settings) leave_out_related(ServerSet::definitions(), layer.entries);
    made = with_settings(start, std::move(settings));
  }
  check(made.has_value(), "settings that are legal and contradict nothing can count");
  return {.config = std::move(*made), .warnings = std::move(problems)};
}

Result<WithWarnings<TopicConfig>, Problems> make_topic_config(const ServerConfig& server,
                                                              std::vector<PropertyEntry> own) {
  ConfigBuilder builder(TopicSet::definitions(), {}, nullptr);
  for (std::size_t i = 0; i < topic_definitions.size(); ++i) {
    const PropertyId id(static_cast<std::uint16_t>(i));
    if (topic_definitions[i].synonyms.all().empty()) continue;
    builder.inherit(inherited_by(id, server.untyped()));
  }
  builder.add(Layer{.kind = SourceKind::per_topic, .file = {}, .entries = std::move(own)});
  return finished<TopicConfig>(std::move(builder).finish());
}

WithWarnings<TopicConfig> usable_topic_config(const ServerConfig& server,
                                              std::vector<PropertyEntry> own) {
  auto made = make_topic_config(server, own);
  if (made) return {.config = std::move(made->config), .warnings = {}};
  Problems problems = std::move(made).error();
  std::erase_if(own, [&](const PropertyEntry& entry) {
    return !make_topic_config(server, {entry}).has_value();
  });
  made = make_topic_config(server, own);
  if (!made) {
    leave_out_related(TopicSet::definitions(), own);
    made = make_topic_config(server, std::move(own));
  }
  check(made.has_value(), "a server's settings, which fit together, are those of a topic");
  return {.config = std::move(made->config), .warnings = std::move(problems)};
}

std::vector<std::string> log_directories(const ServerConfig& config) {
  const auto directories = config.get<"log.dirs">();
  return directories ? *directories : config.get<"log.dir">();
}

}  // namespace millrace::config
