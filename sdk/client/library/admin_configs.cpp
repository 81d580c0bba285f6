// Settings, as the public admin client tells and changes them.
#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using client::inner;
using client::outer;

client::ConfigResource inner(const ConfigResource& resource) {
  return {static_cast<client::ResourceType>(resource.type), resource.name};
}

client::ConfigChanges inner(ConfigChanges changes) {
  client::ConfigChanges converted;
  converted.resource = inner(changes.resource);
  for (ConfigChange& change : changes.changes)
    converted.changes.push_back(
        {.name = std::move(change.name),
         .operation = static_cast<client::ConfigOperation>(change.operation),
         .value = std::move(change.value)});
  return converted;
}

ConfigResource outer(const client::ConfigResource& resource) {
  return {static_cast<ResourceType>(resource.type), resource.name};
}

ConfigEntry outer(const client::ConfigEntry& entry) {
  ConfigEntry converted{.name = entry.name,
                        .value = entry.value,
                        .is_default = entry.source == client::ConfigSource::default_value,
                        .is_read_only = entry.read_only,
                        .is_sensitive = entry.sensitive,
                        .source = static_cast<ConfigSource>(entry.source)};
  for (const client::ConfigSynonym& synonym : entry.synonyms) {
    converted.synonyms.push_back(
        {synonym.name, synonym.value, static_cast<ConfigSource>(synonym.source)});
  }
  converted.documentation = entry.documentation;
  return converted;
}

std::vector<ConfigEntry> outer(const std::vector<client::ConfigEntry>& entries) {
  return client::outer_list(entries, [](const client::ConfigEntry& entry) { return outer(entry); });
}

constexpr auto to_outer = [](const auto& value) { return outer(value); };

}  // namespace

Future<Outcomes<ConfigResource, std::vector<ConfigEntry>>> Admin::describe_configs(
    std::vector<ConfigResource> resources, AdminOptions options) {
  return implementation_->ask_each<Outcomes<ConfigResource, std::vector<ConfigEntry>>>(
      resources,
      [resources, options](Client& client) {
        client::DescribeConfigsOptions wanted{inner(options)};
        wanted.synonyms = true;
        wanted.documentation = options.documentation;
        return client.describe_configs(
            client::outer_list(resources, [](const ConfigResource& item) { return inner(item); }),
            wanted);
      },
      to_outer);
}

Future<Outcomes<ConfigResource, void>> Admin::alter_configs(std::vector<ConfigChanges> changes,
                                                            AdminOptions options) {
  auto resources =
      client::keys_of(changes, [](const ConfigChanges& item) { return item.resource; });
  return implementation_->ask_each<Outcomes<ConfigResource, void>>(
      std::move(resources),
      [changes = std::move(changes), options](Client& client) mutable {
        std::vector<client::ConfigChanges> converted;
        for (ConfigChanges& change : changes) converted.push_back(inner(std::move(change)));
        return client.alter_configs(std::move(converted), inner(options));
      },
      to_outer);
}

Future<Result<std::vector<ConfigResource>>> Admin::list_config_resources(
    std::vector<ResourceType> types, AdminOptions options) {
  return implementation_->ask<std::vector<ConfigResource>>(
      [types = std::move(types), options](Client& client) {
        return client.list_config_resources(
            client::outer_list(
                types, [](ResourceType type) { return static_cast<client::ResourceType>(type); }),
            inner(options));
      },
      [](const auto& resources) { return client::outer_list(resources, to_outer); });
}

}  // namespace millrace::inline v1
