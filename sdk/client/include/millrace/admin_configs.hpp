// Settings of topics, brokers and groups.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

// Numbers that are not listed are those of newer brokers.
enum class ResourceType : std::int8_t {
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32,
};
[[nodiscard]] MILLRACE_API std::string_view to_string(ResourceType type);

struct ConfigResource {
  ResourceType type = ResourceType::topic;
  std::string name;  // of a broker its number; empty: what counts for all brokers

  [[nodiscard]] friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};

// Where a value comes from. Numbers that are not listed are those of newer brokers.
enum class ConfigSource : std::int8_t {
  unknown = 0,
  topic = 1,
  dynamic_broker = 2,
  dynamic_broker_default = 3,
  static_broker = 4,
  default_value = 5,
  dynamic_broker_logger = 6,
  client_metrics = 7,
  group = 8,
};
[[nodiscard]] MILLRACE_API std::string_view to_string(ConfigSource source);

struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value = {};
  ConfigSource source = ConfigSource::unknown;
};

struct ConfigEntry {
  std::string name;
  std::optional<std::string> value = {};  // none: it has none, or it is secret
  bool is_default = false;
  bool is_read_only = false;
  bool is_sensitive = false;
  ConfigSource source = ConfigSource::unknown;
  std::vector<ConfigSynonym> synonyms = {};  // the strongest first
  std::string documentation = {};            // where it was asked for
};

enum class ConfigOperation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };
[[nodiscard]] MILLRACE_API std::string_view to_string(ConfigOperation operation);

struct ConfigChange {
  std::string name;
  std::string value = {};  // of remove: nothing
  ConfigOperation operation = ConfigOperation::set;
};

struct ConfigChanges {
  ConfigResource resource;
  std::vector<ConfigChange> changes;
};

}  // namespace millrace::inline v1
