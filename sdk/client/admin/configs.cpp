// Settings of topics, brokers and groups.
module;
#include <algorithm>
#include <charconv>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

module millrace.client.admin;

import millrace.base;
import millrace.client.core;
import millrace.protocol;
import millrace.runtime;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::ListConfigResourcesRequest;

constexpr std::int16_t documentation_from = 3;
// From here on other resources than client metrics are listed.
constexpr std::int16_t types_from = 1;

std::string name_of(const ConfigResource& resource) {
  switch (resource.type) {
    case ResourceType::topic:
      return formatted("settings of topic {}", resource.name);
    case ResourceType::broker:
    case ResourceType::broker_logger:
      return resource.name.empty() ? std::string("settings of all brokers")
                                   : formatted("settings of broker {}", resource.name);
    case ResourceType::client_metrics:
      return formatted("client metrics {}", resource.name);
    case ResourceType::group:
      return formatted("settings of group {}", resource.name);
  }
  return formatted("settings of {}", resource.name);
}

// What concerns one broker is asked of that broker; the rest of any.
std::optional<BrokerId> own_broker(const ConfigResource& resource) {
  const bool of_broker =
      resource.type == ResourceType::broker || resource.type == ResourceType::broker_logger;
  std::int32_t id = 0;
  const char* const end = resource.name.data() + resource.name.size();
  const auto read = std::from_chars(resource.name.data(), end, id);
  if (!of_broker || read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return BrokerId(id);
}

ConfigEntry entry_of(const DescribeConfigsResponse::DescribeConfigsResourceResult& in) {
  ConfigEntry out;
  out.name = in.name;
  out.value = owned(in.value);
  out.source = static_cast<ConfigSource>(in.config_source);
  out.read_only = in.read_only;
  out.sensitive = in.is_sensitive;
  for (const auto& synonym : in.synonyms) {
    out.synonyms.push_back({std::string(synonym.name), owned(synonym.value),
                            static_cast<ConfigSource>(synonym.source)});
  }
  out.documentation = owned(in.documentation).value_or("");
  return out;
}

// While `patient`, a broker that does not know a topic is asked again.
template <class Value, class Rows, class Use>
void match(Items<ConfigResource, Value>& items, const Rows& rows, BrokerId broker, bool patient,
           Use use) {
  for (auto* const item : items) {
    const auto row = std::ranges::find_if(rows, [&](const auto& candidate) {
      return candidate.resource_name == item->key.name &&
             candidate.resource_type == static_cast<std::int8_t>(item->key.type);
    });
    const std::string what = name_of(item->key);
    if (row == rows.end()) {
      item->fail(left_out(broker, what));
    } else if (code_of(row->error_code) == ErrorCode::unknown_topic_or_partition && !patient) {
      item->fail_for_good(refused(row->error_code, broker, what, row->error_message));
    } else if (code_of(row->error_code) != ErrorCode::none) {
      item->fail(refused(row->error_code, broker, what, row->error_message));
    } else {
      use(*item, *row);
    }
  }
}

// To whom requests about settings go; `elsewhere` is for what concerns no single broker. The active
// controller keeps those of all brokers.
template <class Value>
void to_owners(Items<ConfigResource, Value>& items, const Brokers& brokers, BrokerId elsewhere,
               bool are_controllers) {
  for (auto* const item : items) {
    const auto broker = are_controllers ? std::nullopt : own_broker(item->key);
    item->target = broker.value_or(elsewhere);
    if (broker && !brokers.knows(*broker)) {
      item->fail_for_good(client_error(Failure::unknown_broker,
                                       formatted("the cluster has no broker {}", item->key.name)));
    }
  }
}

}  // namespace

Task<Outcomes<ConfigResource, std::vector<ConfigEntry>>> AdminClient::describe_configs(
    std::vector<ConfigResource> resources, DescribeConfigsOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Value = std::vector<ConfigEntry>;
  using Open = Items<ConfigResource, Value>;
  const auto route = [&](Open& items) -> Task<void> {
    co_await state_->to_known_brokers(items, deadline);
    to_owners(items, state_->brokers, no_broker, state_->settings.asks_controllers);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<DescribeConfigsRequest::DescribeConfigsResource> rows;
    for (const auto* const item : items) {
      rows.push_back({.resource_type = static_cast<std::int8_t>(item->key.type),
                      .resource_name = item->key.name,
                      .configuration_keys = Array<protocol::String>::null()});
    }
    DescribeConfigsRequest request;
    request.resources = view_of(rows);
    request.include_synonyms = options.synonyms;
    request.include_documentation = options.documentation;
    CallOptions call{.deadline = deadline};
    if (options.documentation) call.version_min = documentation_from;
    auto reply = co_await state_->send(broker, request, call);
    if (!reply) co_return failure(std::move(reply.error()));
    match(items, reply->message.results, reply->broker, state_->is_patient(begun),
          [](auto& item, const auto& row) {
            Value entries;
            for (const auto& in : row.configs) entries.push_back(entry_of(in));
            item.settle(std::move(entries));
          });
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<ConfigResource, Value>(std::move(resources),
                                                      state_->rounds(deadline), route, ask);
}

Task<Outcomes<ConfigResource, void>> AdminClient::alter_configs(std::vector<ConfigChanges> changes,
                                                                AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Open = Items<ConfigResource, void>;
  const auto route = [&](Open& items) -> Task<void> {
    co_await state_->to_controller(items, deadline);
    to_owners(items, state_->brokers, state_->controller, state_->settings.asks_controllers);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<std::vector<IncrementalAlterConfigsRequest::AlterableConfig>> configs(items.size());
    std::vector<IncrementalAlterConfigsRequest::AlterConfigsResource> rows;
    for (std::size_t i = 0; i < items.size(); ++i) {
      for (const ConfigChange& change : changes[items[i]->place].changes) {
        const bool removes = change.operation == ConfigOperation::remove;
        configs[i].push_back(
            {.name = change.name,
             .config_operation = static_cast<std::int8_t>(change.operation),
             .value = removes ? protocol::null_string : protocol::String(change.value)});
      }
      rows.push_back({.resource_type = static_cast<std::int8_t>(items[i]->key.type),
                      .resource_name = items[i]->key.name,
                      .configs = view_of(configs[i])});
    }
    IncrementalAlterConfigsRequest request;
    request.resources = view_of(rows);
    request.validate_only = options.validate_only;
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    match(items, reply->message.responses, reply->broker, state_->is_patient(begun),
          [](auto& item, const auto&) { item.settle(); });
    co_return ClientResult<void>();
  };
  std::vector<ConfigResource> resources;
  for (const ConfigChanges& change : changes) resources.push_back(change.resource);
  co_return co_await in_rounds<ConfigResource, void>(std::move(resources), state_->rounds(deadline),
                                                     route, ask);
}

Task<ClientResult<std::vector<ConfigResource>>> AdminClient::list_config_resources(
    std::vector<ResourceType> types, AdminOptions options) {
  std::vector<std::int8_t> numbers;
  bool metrics_alone = !types.empty();
  for (const ResourceType type : types) {
    numbers.push_back(static_cast<std::int8_t>(type));
    metrics_alone &= type == ResourceType::client_metrics;
  }
  CallOptions call{.deadline = state_->deadline_of(options)};
  ListConfigResourcesRequest request;
  if (metrics_alone) {
    call.version_max = types_from - 1;
  } else {
    request.resource_types = view_of(numbers);
    if (!numbers.empty()) call.version_min = types_from;
  }
  const auto read = [](const auto& reply) -> ClientResult<std::vector<ConfigResource>> {
    if (code_of(reply.message.error_code) != ErrorCode::none) {
      return failure(
          refused(reply.message.error_code, reply.broker, "what has settings of its own"));
    }
    std::vector<ConfigResource> listed;
    for (const auto& in : reply.message.config_resources) {
      listed.push_back(
          {static_cast<ResourceType>(in.resource_type), std::string(in.resource_name)});
    }
    std::ranges::sort(listed);
    return listed;
  };
  co_return co_await state_->ask_one<std::vector<ConfigResource>>(Whom::any, request, call, read);
}

}  // namespace millrace::client
