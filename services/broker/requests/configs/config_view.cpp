module;
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.requests.configs;

import millrace.base;
import millrace.config;
import millrace.metadata;

namespace millrace::broker {
namespace {

using config::Layer;
using config::PropertyEntry;
using config::PropertyId;
using config::SourceKind;
using metadata::ConfigKind;
using metadata::ConfigMap;

std::vector<PropertyEntry> entries_of(const ConfigMap* settings) {
  std::vector<PropertyEntry> entries;
  if (settings == nullptr) return entries;
  for (const auto& [name, value] : *settings) {
    entries.push_back({.name = name, .value = value, .line = 0});
  }
  return entries;
}

// What the metadata says for all brokers, and what it says for this one.
struct BrokerSettings {
  const ConfigMap* all = nullptr;
  const ConfigMap* own = nullptr;

  friend bool operator==(const BrokerSettings&, const BrokerSettings&) = default;
};

BrokerSettings settings_of(const metadata::Image& image, BrokerId self) {
  return {.all = image.config(ConfigKind::broker, ""),
          .own = image.config(ConfigKind::broker, fmt::format("{}", self.value()))};
}

}  // namespace

Result<ServerConfig, config::Problems> with_cluster_settings(const ServerConfig& start,
                                                             const metadata::Image& image,
                                                             BrokerId self) {
  const config::Config& untyped = start.untyped();
  config::ConfigBuilder builder(untyped.definitions(), {}, nullptr);
  for (std::size_t i = 0; i < untyped.definitions().definitions.size(); ++i) {
    const PropertyId id(static_cast<std::uint16_t>(i));
    if (untyped.source(id).kind == SourceKind::default_value) continue;
    builder.inherit({.id = id, .value = untyped.value(id), .settings = untyped.settings(id)});
  }
  const BrokerSettings settings = settings_of(image, self);
  builder.add(
      Layer{.kind = SourceKind::cluster_wide, .file = {}, .entries = entries_of(settings.all)});
  builder.add(
      Layer{.kind = SourceKind::per_broker, .file = {}, .entries = entries_of(settings.own)});
  config::Built built = std::move(builder).finish();
  if (!built.config) return failure(std::move(built.problems));
  return ServerConfig(std::move(*built.config));
}

ConfigView::ConfigView(std::shared_ptr<const ServerConfig> start, BrokerId self, Logger log)
    : start_(std::move(start)),
      server_(start_),
      image_(metadata::empty_image()),
      self_(self),
      log_(std::move(log)) {}

void ConfigView::update(std::shared_ptr<const metadata::Image> image) {
  const BrokerSettings before = settings_of(*image_, self_);
  const BrokerSettings now = settings_of(*image, self_);
  image_ = std::move(image);
  if (before == now) return;
  const bool has_none = now == BrokerSettings{};
  auto made = has_none ? Result<ServerConfig, config::Problems>(*start_)
                       : with_cluster_settings(*start_, *image_, self_);
  if (!made) {
    log_.error("settings of the cluster do not count: {}", made.error().text());
    return;
  }
  server_ = std::make_shared<const ServerConfig>(std::move(*made));
}

TopicConfig ConfigView::topic(const metadata::Image& image, std::string_view name) const {
  auto made =
      config::make_topic_config(*server_, entries_of(image.config(ConfigKind::topic, name)));
  if (made) return std::move(made->config);
  log_.error("settings of topic {} do not count: {}", name, made.error().text());
  auto plain = config::make_topic_config(*server_, {});
  check(plain.has_value(), "a topic without settings of its own has legal ones");
  return std::move(plain->config);
}

}  // namespace millrace::broker
