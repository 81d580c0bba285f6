module;
#include <fmt/format.h>

#include <chrono>
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

// Clients may ask for a topic as often as they like.
constexpr LogRate described_rate{.lines_max = 10, .period = std::chrono::minutes{10}};

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

ConfigView::ConfigView(std::shared_ptr<const ServerConfig> start, BrokerId self, const Clock& clock,
                       const Logger& log)
    : start_(std::move(start)),
      server_(start_),
      image_(metadata::empty_image()),
      self_(self),
      log_(log),
      described_(log, clock, described_rate) {}

void ConfigView::update(std::shared_ptr<const metadata::Image> image) {
  const BrokerSettings before = settings_of(*image_, self_);
  const BrokerSettings now = settings_of(*image, self_);
  image_ = std::move(image);
  if (before == now) return;
  if (now == BrokerSettings{}) {
    server_ = start_;
    return;
  }
  std::vector<Layer> layers;
  layers.push_back({.kind = SourceKind::cluster_wide, .file = {}, .entries = entries_of(now.all)});
  layers.push_back({.kind = SourceKind::per_broker, .file = {}, .entries = entries_of(now.own)});
  auto made = config::with_usable_settings(*start_, std::move(layers));
  if (made.warnings.has_errors()) {
    log_.error("settings of the cluster that do not count: {}", made.warnings.text());
  }
  server_ = std::make_shared<const ServerConfig>(std::move(made.config));
}

TopicConfig ConfigView::topic(const metadata::Image& image, std::string_view name) const {
  auto made =
      config::usable_topic_config(*server_, entries_of(image.config(ConfigKind::topic, name)));
  if (made.warnings.has_errors()) {
    described_.error("settings of topic {} that do not count: {}", name, made.warnings.text());
  }
  return std::move(made.config);
}

}  // namespace millrace::broker
