// Which settings topics may have. Inside this module only.
module;
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

module millrace.mock:topic_settings;

import millrace.base;
import millrace.config;

namespace millrace::mock {

// The settings of all topics under Kafka's names, with the brokers' defaults. A value.
class TopicSettings {
 public:
  struct Row {
    std::string name;
    std::optional<std::string> value;
    bool is_own = false;  // the topic says so, not the default
    config::Type type = config::Type::string;
    std::string_view documentation;
  };

  TopicSettings();

  // What is wrong with a topic's own settings, for people.
  [[nodiscard]] std::optional<std::string> problem(
      const std::map<std::string, std::string>& own) const;
  // All settings of a topic, which has legal ones.
  [[nodiscard]] std::vector<Row> rows(const std::map<std::string, std::string>& own) const;

 private:
  config::ServerConfig server_;
};

}  // namespace millrace::mock
