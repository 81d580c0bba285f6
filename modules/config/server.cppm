// The two configurations of a cluster: of its servers and of its topics.
module;
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.config:server;

import millrace.base;
import :broker_registry;
import :controller_registry;
import :coordinator_registry;
import :definition;
import :foreign_registry;
import :load;
import :log_registry;
import :problem;
import :properties;
import :records_registry;
import :references;
import :store;
import :topic_registry;
import :typed;
import :value;

export namespace millrace::config {

template <std::size_t... sizes>
[[nodiscard]] constexpr auto concatenate(const std::array<Definition, sizes>&... areas) {
  std::array<Definition, (sizes + ...)> all{};
  std::size_t count = 0;
  const auto append = [&](const auto& area) {
    for (const Definition& definition : area) all[count++] = definition;
  };
  (append(areas), ...);
  return all;
}

inline constexpr auto server_definitions =
    concatenate(broker_definitions, log_definitions, records_definitions, controller_definitions,
                coordinator_definitions);

inline constexpr auto server_relations = std::to_array<Relation>({
    {"replica.fetch.wait.max.ms", "replica.lag.time.max.ms"},
    {"log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"},
    {"broker.heartbeat.interval.ms", "broker.session.timeout.ms"},
    {"group.min.session.timeout.ms", "group.max.session.timeout.ms"},
    {"group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"},
    {"group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
    {"group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"},
    {"group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"},
    {"group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms"},
});

inline constexpr auto topic_relations = std::to_array<Relation>({
    {"min.compaction.lag.ms", "max.compaction.lag.ms"},
});

// What broker, controller and coordinator take; one file may serve all three.
struct ServerSet {
  [[nodiscard]] static constexpr DefinitionSet definitions() {
    return {.definitions = server_definitions,
            .foreign_names = server_foreign_names,
            .relations = server_relations,
            .topic_definitions = topic_definitions};
  }
};

struct TopicSet {
  [[nodiscard]] static constexpr DefinitionSet definitions() {
    return {.definitions = topic_definitions,
            .foreign_names = topic_foreign_names,
            .relations = topic_relations,
            .topic_definitions = topic_definitions};
  }
};

using ServerConfig = TypedConfig<ServerSet>;
using TopicConfig = TypedConfig<TopicSet>;

template <class Loaded>
struct WithWarnings {
  Loaded config;
  Problems warnings;
};

struct ServerArguments {
  // The property file; without one only `overrides` and defaults count.
  std::optional<std::string> file;
  // The arguments of --set, each name=value.
  std::vector<std::string> overrides;
  LoadRules rules;
};

// What a process does at its start. The error holds all problems of all sources.
[[nodiscard]] Result<WithWarnings<ServerConfig>, Problems> load_server_config(
    const ServerArguments& arguments, Surroundings& surroundings);

// The same from layers: for tests, and for settings of the running cluster.
[[nodiscard]] Result<WithWarnings<ServerConfig>, Problems> make_server_config(
    std::vector<Layer> layers, const LoadRules& rules, Surroundings* surroundings);

// `start` with settings of the running cluster over it.
[[nodiscard]] Result<ServerConfig, Problems> with_settings(const ServerConfig& start,
                                                           std::vector<Layer> settings);

// What of some settings can count over `start`, each looked at by itself; `problems` gets those
// that cannot, because another version let them in.
[[nodiscard]] Layer usable_settings(const ServerConfig& start, Layer settings, Problems& problems);

// As with_settings(), without those that cannot count; where two contradict each other, without
// all that may contradict one another. What was left out is among the warnings, as errors.
[[nodiscard]] WithWarnings<ServerConfig> with_usable_settings(const ServerConfig& start,
                                                              std::vector<Layer> settings);

// A topic's properties: its own where given, else the brokers' defaults by the order of the
// synonyms (log.retention.ms before log.retention.minutes before log.retention.hours). Topics
// without settings of their own have equal values: share one TopicConfig among them.
[[nodiscard]] Result<WithWarnings<TopicConfig>, Problems> make_topic_config(
    const ServerConfig& server, std::vector<PropertyEntry> own);

// As make_topic_config(), without those that cannot count, in the same way.
[[nodiscard]] WithWarnings<TopicConfig> usable_topic_config(const ServerConfig& server,
                                                            std::vector<PropertyEntry> own);

// log.dirs, or log.dir where that is not set.
[[nodiscard]] std::vector<std::string> log_directories(const ServerConfig& config);

}  // namespace millrace::config
