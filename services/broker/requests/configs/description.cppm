// Settings as DescribeConfigs tells them: values, where they come from, types, synonyms.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.broker.requests.configs:description;

import millrace.config;
import millrace.metadata;

export namespace millrace::broker {

// Kafka's numbers on the wire.
enum class ConfigSource : std::int8_t {
  unknown = 0,
  topic = 1,
  dynamic_broker = 2,
  dynamic_broker_default = 3,
  static_broker = 4,
  default_value = 5,
};

enum class ConfigType : std::int8_t {
  unknown = 0,
  boolean = 1,
  string = 2,
  int32 = 3,
  int16 = 4,
  int64 = 5,
  real = 6,
  list = 7,
  password = 9,
};

[[nodiscard]] ConfigSource wire_source(config::SourceKind kind);
[[nodiscard]] ConfigType wire_type(config::Type type);

// One value that was given; no value: it is a secret.
struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source = ConfigSource::unknown;
};

struct ConfigRow {
  std::string name;
  std::optional<std::string> value;  // none: it has none, or it is a secret
  bool is_read_only = false;
  bool is_sensitive = false;
  ConfigSource source = ConfigSource::unknown;
  ConfigType type = ConfigType::unknown;
  std::vector<ConfigSynonym> synonyms;  // strongest first, the one that counts among them
  std::string_view documentation;       // constant
};

// All properties, in the order of their definitions.
[[nodiscard]] std::vector<ConfigRow> describe(const config::Config& config);
// What is set for all brokers, and nothing else.
[[nodiscard]] std::vector<ConfigRow> describe_broker_default(const metadata::ConfigMap& settings);

// By which it is asked for: its own, and Kafka's other name of the property.
[[nodiscard]] std::vector<std::string_view> names_of(const ConfigRow& row);

}  // namespace millrace::broker
