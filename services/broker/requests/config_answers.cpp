module;
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.requests;

import millrace.base;
import millrace.broker.requests.configs;
import millrace.broker.requests.lookups;
import millrace.broker.requests.ports;
import millrace.config;
import millrace.metadata;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.security;

namespace millrace::broker {
namespace {

using metadata::ConfigKind;
using protocol::Arena;
using protocol::Array;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::ErrorCode;
using protocol::String;
using security::Operation;
using security::ResourceType;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;
using Told = DescribeConfigsResponse::DescribeConfigsResult;
using WireRow = DescribeConfigsResponse::DescribeConfigsResourceResult;
using WireSynonym = DescribeConfigsResponse::DescribeConfigsSynonym;

constexpr std::int16_t code(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

template <class T>
Array<T> keep(const std::vector<T>& items, Arena& arena) {
  if (items.empty()) return {};
  T* const kept = arena.make_array<T>(items.size());
  std::copy(items.begin(), items.end(), kept);
  return {kept, static_cast<std::int32_t>(items.size())};
}

String text_or_null(const std::optional<std::string>& text) {
  return text ? String(*text) : protocol::null_string;
}

class DescribingConfigs {
 public:
  DescribingConfigs(const DescribeConfigsRequest& request, const metadata::Image& image,
                    const Permissions& permissions, const HandlerSurroundings& around, Arena& arena)
      : request_(request),
        image_(image),
        permissions_(permissions),
        around_(around),
        arena_(arena),
        answer_(std::make_unique<ConfigsAnswer>()) {}

  std::unique_ptr<ConfigsAnswer> answer() {
    std::set<std::pair<std::int8_t, std::string_view>> seen;
    std::vector<Told> results;
    for (const Resource& resource : request_.resources) {
      if (!seen.emplace(resource.resource_type, resource.resource_name).second) continue;
      Told told = describe_resource(resource);
      told.resource_type = resource.resource_type;
      told.resource_name = resource.resource_name;
      results.push_back(told);
    }
    answer_->message.results = keep(results, arena_);
    return std::move(answer_);
  }

 private:
  Told describe_resource(const Resource& resource) {
    switch (static_cast<ConfigKind>(resource.resource_type)) {
      case ConfigKind::topic:
        return describe_topic(resource);
      case ConfigKind::broker:
        return describe_broker(resource);
      default:
        return failed(ErrorCode::invalid_request,
                      fmt::format("resources of type {} have no settings here: ask for topics (2) "
                                  "or brokers (4)",
                                  resource.resource_type));
    }
  }

  Told failed(ErrorCode error, std::string sentence) {
    Told told;
    told.error_code = code(error);
    told.error_message = answer_->sentences.emplace_back(std::move(sentence));
    return told;
  }

  Told describe_topic(const Resource& resource) {
    const std::string_view name = resource.resource_name;
    if (!permissions_.may(Operation::describe_configs, ResourceType::topic, name)) {
      return failed(ErrorCode::topic_authorization_failed,
                    "the principal may not describe the settings of this topic");
    }
    if (const auto legal = check_topic_name(name); !legal) {
      return failed(ErrorCode::invalid_topic_exception, legal.error());
    }
    if (image_.topic(name) == nullptr) {
      return failed(ErrorCode::unknown_topic_or_partition, "there is no such topic");
    }
    const bool has_own = image_.config(ConfigKind::topic, name) != nullptr;
    const bool wants_all = resource.configuration_keys.empty();
    // Topics without settings of their own share one description: there may be very many.
    if (!has_own && wants_all && plain_) return *plain_;
    const TopicConfig config = around_.configs.topic(image_, name);
    Told told = tell(broker::describe(config.untyped()), resource);
    if (!has_own && wants_all) plain_ = told;
    return told;
  }

  Told describe_broker(const Resource& resource) {
    if (!permissions_.may_on_cluster(Operation::describe_configs)) {
      return failed(ErrorCode::cluster_authorization_failed,
                    "the principal may not describe the settings of brokers");
    }
    const std::string_view name = resource.resource_name;
    if (name.empty()) {
      const metadata::ConfigMap* const settings = image_.config(ConfigKind::broker, "");
      return tell(
          settings == nullptr ? std::vector<ConfigRow>{} : describe_broker_default(*settings),
          resource);
    }
    if (name != fmt::format("{}", around_.self.value())) {
      return failed(ErrorCode::invalid_request,
                    fmt::format("this is broker {}: it describes itself, and with an empty name "
                                "what is set for all brokers",
                                around_.self.value()));
    }
    return tell(broker::describe(around_.configs.server()->untyped()), resource);
  }

  Told tell(std::vector<ConfigRow> rows, const Resource& resource) {
    const auto& kept = answer_->rows.emplace_back(std::move(rows));
    std::vector<WireRow> wire;
    if (resource.configuration_keys.empty()) {
      for (const ConfigRow& row : kept) wire.push_back(wire_row(row, row.name));
    } else {
      // There are few settings, and there may be millions of keys.
      const std::set<std::string_view> keys = wanted_keys(resource);
      for (const ConfigRow& row : kept) {
        for (const std::string_view name : names_of(row)) {
          if (keys.contains(name)) wire.push_back(wire_row(row, name));
        }
      }
      std::ranges::sort(wire, {}, &WireRow::name);
    }
    Told told;
    told.configs = keep(wire, arena_);
    return told;
  }

  static std::set<std::string_view> wanted_keys(const Resource& resource) {
    return {resource.configuration_keys.begin(), resource.configuration_keys.end()};
  }

  WireRow wire_row(const ConfigRow& row, String name) {
    WireRow wire;
    wire.name = name;
    wire.value = text_or_null(row.value);
    wire.read_only = row.is_read_only;
    wire.config_source = static_cast<std::int8_t>(row.source);
    wire.is_sensitive = row.is_sensitive;
    wire.config_type = static_cast<std::int8_t>(row.type);
    wire.documentation =
        request_.include_documentation ? String(row.documentation) : protocol::null_string;
    if (!request_.include_synonyms) return wire;
    std::vector<WireSynonym> synonyms;
    for (const ConfigSynonym& synonym : row.synonyms) {
      synonyms.push_back({.name = synonym.name,
                          .value = text_or_null(synonym.value),
                          .source = static_cast<std::int8_t>(synonym.source)});
    }
    wire.synonyms = keep(synonyms, arena_);
    return wire;
  }

  const DescribeConfigsRequest& request_;
  const metadata::Image& image_;
  const Permissions& permissions_;
  const HandlerSurroundings& around_;
  Arena& arena_;
  std::unique_ptr<ConfigsAnswer> answer_;
  std::optional<Told> plain_;
};

}  // namespace

std::unique_ptr<ConfigsAnswer> answer_configs(const DescribeConfigsRequest& request,
                                              const metadata::Image& image,
                                              const Permissions& permissions,
                                              const HandlerSurroundings& around, Arena& arena) {
  return DescribingConfigs(request, image, permissions, around, arena).answer();
}

std::unique_ptr<ConfigResourcesAnswer> answer_config_resources(
    const protocol::ListConfigResourcesRequest& request, std::int16_t version,
    const ClusterView& view, Arena& arena) {
  using WireResource = protocol::ListConfigResourcesResponse::ConfigResource;
  auto answer = std::make_unique<ConfigResourcesAnswer>();
  const auto fail = [&](ErrorCode error) {
    answer->message.error_code = code(error);
    return std::move(answer);
  };
  if (!view.permissions.may_on_cluster(Operation::describe_configs)) {
    return fail(ErrorCode::cluster_authorization_failed);
  }
  // Version 0 lists settings of client metrics, which are not there; none named means all.
  std::set<ConfigKind> kinds;
  for (const std::int8_t type : request.resource_types) {
    const auto kind = static_cast<ConfigKind>(type);
    const bool is_known = kind == ConfigKind::topic || kind == ConfigKind::broker ||
                          kind == ConfigKind::broker_logger || kind == ConfigKind::client_metrics ||
                          kind == ConfigKind::group;
    if (!is_known) return fail(ErrorCode::unsupported_version);
    kinds.insert(kind);
  }
  if (version >= 1 && kinds.empty()) kinds = {ConfigKind::topic, ConfigKind::broker};
  std::vector<WireResource> resources;
  if (kinds.contains(ConfigKind::broker)) {
    view.image.for_each_broker([&](const metadata::Broker& broker) {
      if (view.endpoint_of(broker.id) == nullptr) return;
      resources.push_back(
          {.resource_name = answer->names.emplace_back(fmt::format("{}", broker.id.value())),
           .resource_type = static_cast<std::int8_t>(ConfigKind::broker)});
    });
  }
  if (kinds.contains(ConfigKind::topic)) {
    view.image.for_each_topic([&](const metadata::Topic& topic) {
      resources.push_back({.resource_name = topic.name,
                           .resource_type = static_cast<std::int8_t>(ConfigKind::topic)});
    });
  }
  answer->message.config_resources = keep(resources, arena);
  return answer;
}

}  // namespace millrace::broker
