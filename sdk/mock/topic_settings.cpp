module;
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.config;
import :topic_settings;

namespace millrace::mock {
namespace {

config::ServerConfig default_server() {
  auto made = config::make_server_config({}, {}, nullptr);
  check(made.has_value(), "a server's defaults are legal");
  return std::move(made->config);
}

std::vector<config::PropertyEntry> entries_of(const std::map<std::string, std::string>& own) {
  std::vector<config::PropertyEntry> entries;
  for (const auto& [name, value] : own) {
    entries.push_back({.name = name, .value = value, .line = 0});
  }
  return entries;
}

}  // namespace

TopicSettings::TopicSettings() : server_(default_server()) {}

std::optional<std::string> TopicSettings::problem(
    const std::map<std::string, std::string>& own) const {
  const auto made = config::make_topic_config(server_, entries_of(own));
  if (made) return std::nullopt;
  return made.error().text();
}

std::vector<TopicSettings::Row> TopicSettings::rows(
    const std::map<std::string, std::string>& own) const {
  std::vector<Row> rows;
  const auto made = config::make_topic_config(server_, entries_of(own));
  if (!made) return rows;
  for (const config::DescribedProperty& property : made->config.untyped().describe()) {
    Row& row = rows.emplace_back();
    row.name = property.definition->name;
    if (property.has_value) row.value = property.text;
    row.is_own = property.source == config::SourceKind::per_topic;
    row.type = property.definition->type;
    row.documentation = property.definition->doc;
  }
  return rows;
}

}  // namespace millrace::mock
