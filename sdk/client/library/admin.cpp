#include "millrace/admin.hpp"

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.client.admin;
import millrace.client.core;
import millrace.client.bridge;

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using KafkaUuid = decltype(client::CreatedTopic::id);

client::AdminOptions inner(const AdminOptions& options) {
  client::AdminOptions converted;
  if (options.timeout) converted.timeout = *options.timeout;
  converted.validate_only = options.validate_only;
  return converted;
}

client::TopicPartition inner(const TopicPartition& partition) {
  return {partition.topic, PartitionIndex(partition.partition)};
}

client::ConfigResource inner(const ConfigResource& resource) {
  return {static_cast<client::ResourceType>(resource.type), resource.name};
}

client::NewTopic inner(NewTopic topic) {
  client::NewTopic converted{.name = std::move(topic.name),
                             .partitions = topic.partitions,
                             .replication_factor = topic.replication_factor,
                             .configs = std::move(topic.configs)};
  for (const std::vector<std::int32_t>& replicas : topic.assignment) {
    std::vector<BrokerId>& into = converted.assignment.emplace_back();
    for (const std::int32_t replica : replicas) into.emplace_back(replica);
  }
  return converted;
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

Uuid outer(const KafkaUuid& uuid) {
  return {uuid.bytes};
}

std::string outer(std::string text) {
  return text;
}

std::int64_t outer(Offset offset) {
  return offset.value();
}

std::int64_t outer(const client::CommittedOffset& committed) {
  return committed.offset.value();
}

TopicPartition outer(const client::TopicPartition& partition) {
  return {partition.topic, partition.partition.value()};
}

ConfigResource outer(const client::ConfigResource& resource) {
  return {static_cast<ResourceType>(resource.type), resource.name};
}

CreatedTopic outer(const client::CreatedTopic& topic) {
  return {outer(topic.id), topic.partitions, topic.replication_factor};
}

std::vector<std::int32_t> outer(const std::vector<BrokerId>& brokers) {
  std::vector<std::int32_t> converted;
  for (const BrokerId broker : brokers) converted.push_back(broker.value());
  return converted;
}

DescribedTopic outer(const client::DescribedTopic& topic) {
  DescribedTopic converted{
      .name = topic.name, .id = outer(topic.id), .is_internal = topic.internal};
  for (const client::PartitionView& partition : topic.partitions) {
    converted.partitions.push_back({.partition = partition.index.value(),
                                    .leader = partition.leader.value(),
                                    .replicas = outer(partition.replicas),
                                    .in_sync = outer(partition.isr)});
  }
  return converted;
}

std::vector<ListedTopic> outer(const std::vector<client::ListedTopic>& topics) {
  std::vector<ListedTopic> converted;
  for (const client::ListedTopic& topic : topics)
    converted.push_back({topic.name, outer(topic.id), topic.internal, topic.partitions});
  return converted;
}

std::vector<ConfigEntry> outer(const std::vector<client::ConfigEntry>& entries) {
  std::vector<ConfigEntry> converted;
  for (const client::ConfigEntry& entry : entries)
    converted.push_back({.name = entry.name,
                         .value = entry.value,
                         .is_default = entry.source == client::ConfigSource::default_value,
                         .is_read_only = entry.read_only,
                         .is_sensitive = entry.sensitive});
  return converted;
}

DescribedCluster outer(const client::DescribedCluster& cluster) {
  DescribedCluster converted{.id = cluster.id, .controller = cluster.controller.value()};
  for (const client::DescribedBroker& broker : cluster.brokers)
    converted.brokers.push_back({.id = broker.id.value(),
                                 .host = broker.address.host,
                                 .port = static_cast<std::uint16_t>(broker.address.port.value()),
                                 .rack = broker.rack});
  return converted;
}

ListedGroups outer(const client::ListedGroups& listed) {
  ListedGroups converted;
  for (const client::ListedGroup& group : listed.groups)
    converted.groups.push_back({group.id, group.protocol_type, group.state});
  for (const client::ClientError& error : listed.errors)
    converted.errors.push_back(client::public_error(error));
  return converted;
}

DescribedGroup outer(const client::DescribedGroup& group) {
  DescribedGroup converted{.id = group.id,
                           .state = group.state,
                           .protocol = group.protocol,
                           .coordinator = group.coordinator.value()};
  for (const client::GroupMember& member : group.members) {
    GroupMember& into = converted.members.emplace_back();
    into.id = member.id;
    into.instance_id = member.instance_id;
    into.client_id = member.client_id;
    into.host = member.host;
    for (const client::TopicPartition& partition : member.assignment)
      into.assignment.push_back(outer(partition));
  }
  return converted;
}

template <class To, class Key, class Value>
To outer_outcomes(client::Outcomes<Key, Value> outcomes) {
  To converted;
  for (auto& [key, outcome] : outcomes) {
    if (!outcome)
      converted.emplace_back(outer(key), client::public_error(outcome.error()));
    else if constexpr (std::is_void_v<Value>)
      converted.emplace_back(outer(key), Result<void>());
    else
      converted.emplace_back(outer(key), outer(*outcome));
  }
  return converted;
}

// The same for every thing that was asked for, where nothing can be asked.
template <class To, class Key>
To refused_outcomes(const std::vector<Key>& keys, const client::ClientError& error) {
  To refused;
  for (const Key& key : keys) refused.emplace_back(key, client::public_error(error));
  return refused;
}

template <class Key, class Item, class KeyOf>
std::vector<Key> keys_of(const std::vector<Item>& items, KeyOf key_of) {
  std::vector<Key> keys;
  for (const Item& item : items) keys.push_back(key_of(item));
  return keys;
}

}  // namespace

class Admin::Implementation {
 public:
  Implementation(client::AdminSettings settings, const ClientOptions& options)
      : host_("millrace-admin", options), settings_(std::move(settings)) {}
  ~Implementation();
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  std::optional<Error> start();

  // `call` gives a Task<client::Outcomes<...>>; `keys` is what it names.
  template <class To, class Key, class Call>
  Future<To> ask_each(std::vector<Key> keys, Call call) {
    return host_.begin_value<To>(
        [this, call = std::move(call)]() mutable -> Task<To> {
          co_return outer_outcomes<To>(co_await call(*client_));
        },
        [keys = std::move(keys)](const client::ClientError& error) {
          return refused_outcomes<To>(keys, error);
        });
  }
  // `call` gives a Task<client::ClientResult<...>>.
  template <class To, class Call>
  Future<Result<To>> ask(Call call) {
    return host_.begin<To>(
        [this, call = std::move(call)]() mutable -> Task<client::ClientResult<To>> {
          auto answer = co_await call(*client_);
          if (!answer) co_return failure(std::move(answer.error()));
          co_return outer(*answer);
        });
  }
  client::ClientHost& host() { return host_; }
  Client& client() { return *client_; }

 private:
  client::ClientHost host_;
  const client::AdminSettings settings_;
  std::unique_ptr<Client> client_;
};

std::optional<Error> Admin::Implementation::start() {
  if (const auto started = host_.start(); !started) return client::public_error(started.error());
  host_.thread().run([this]() -> Task<void> {
    client::ClientThread& thread = host_.thread();
    client_ =
        std::make_unique<Client>(settings_, thread.executor(), thread.network(), thread.resolver(),
                                 host_.logger(), Random(client::random_seed()));
    co_return;
  });
  return std::nullopt;
}

Admin::Implementation::~Implementation() {
  if (!client_) return;
  if (host_.cannot_ask()) {
    // What lives on the thread can be ended there only, and in a forked process it is not there.
    static_cast<void>(client_.release());
    return;
  }
  host_.thread().run([this]() -> Task<void> { co_await client_->close(); });
  host_.wait_for_all();
  host_.thread().run([this]() -> Task<void> {
    client_.reset();
    co_return;
  });
}

Admin::Admin(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}

Admin::Admin(const Config& config, const ClientOptions& options)
    : Admin(open(config, options).value()) {}

Result<Admin> Admin::open(const Config& config, const ClientOptions& options) {
  auto settings = client::admin_settings(client::properties_of(config));
  if (!settings) return client::settings_error("admin client", settings.error());
  auto implementation = std::make_unique<Implementation>(*std::move(settings), options);
  if (auto error = implementation->start()) return *std::move(error);
  return Admin(std::move(implementation));
}

Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

Future<Outcomes<std::string, CreatedTopic>> Admin::create_topics(std::vector<NewTopic> topics,
                                                                 AdminOptions options) {
  auto names = keys_of<std::string>(topics, [](const NewTopic& topic) { return topic.name; });
  return implementation_->ask_each<Outcomes<std::string, CreatedTopic>>(
      std::move(names), [topics = std::move(topics), options](Client& client) mutable {
        std::vector<client::NewTopic> converted;
        for (NewTopic& topic : topics) converted.push_back(inner(std::move(topic)));
        return client.create_topics(std::move(converted), inner(options));
      });
}

Future<Outcomes<std::string, void>> Admin::delete_topics(std::vector<std::string> topics,
                                                         AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, void>>(
      topics,
      [topics, options](Client& client) { return client.delete_topics(topics, inner(options)); });
}

Future<Result<std::vector<ListedTopic>>> Admin::list_topics(AdminOptions options) {
  return implementation_->ask<std::vector<ListedTopic>>(
      [options](Client& client) { return client.list_topics(inner(options)); });
}

Future<Outcomes<std::string, DescribedTopic>> Admin::describe_topics(
    std::vector<std::string> topics, AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, DescribedTopic>>(
      topics,
      [topics, options](Client& client) { return client.describe_topics(topics, inner(options)); });
}

Future<Outcomes<std::string, void>> Admin::create_partitions(
    std::vector<std::pair<std::string, std::int32_t>> topics, AdminOptions options) {
  auto names = keys_of<std::string>(topics, [](const auto& topic) { return topic.first; });
  return implementation_->ask_each<Outcomes<std::string, void>>(
      std::move(names), [topics = std::move(topics), options](Client& client) {
        std::vector<client::NewPartitions> converted;
        for (const auto& [topic, count] : topics)
          converted.push_back({.topic = topic, .count = count});
        return client.create_partitions(std::move(converted), inner(options));
      });
}

Future<Outcomes<TopicPartition, std::int64_t>> Admin::delete_records(
    std::vector<std::pair<TopicPartition, std::int64_t>> before, AdminOptions options) {
  auto partitions = keys_of<TopicPartition>(before, [](const auto& item) { return item.first; });
  return implementation_->ask_each<Outcomes<TopicPartition, std::int64_t>>(
      std::move(partitions), [before = std::move(before), options](Client& client) {
        std::vector<std::pair<client::TopicPartition, Offset>> converted;
        for (const auto& [partition, offset] : before)
          converted.emplace_back(inner(partition), Offset(offset));
        return client.delete_records(std::move(converted), inner(options));
      });
}

Future<Outcomes<ConfigResource, std::vector<ConfigEntry>>> Admin::describe_configs(
    std::vector<ConfigResource> resources, AdminOptions options) {
  return implementation_->ask_each<Outcomes<ConfigResource, std::vector<ConfigEntry>>>(
      resources, [resources, options](Client& client) {
        std::vector<client::ConfigResource> converted;
        for (const ConfigResource& resource : resources) converted.push_back(inner(resource));
        return client.describe_configs(std::move(converted), {inner(options)});
      });
}

Future<Outcomes<ConfigResource, void>> Admin::alter_configs(std::vector<ConfigChanges> changes,
                                                            AdminOptions options) {
  auto resources =
      keys_of<ConfigResource>(changes, [](const ConfigChanges& item) { return item.resource; });
  return implementation_->ask_each<Outcomes<ConfigResource, void>>(
      std::move(resources), [changes = std::move(changes), options](Client& client) mutable {
        std::vector<client::ConfigChanges> converted;
        for (ConfigChanges& change : changes) converted.push_back(inner(std::move(change)));
        return client.alter_configs(std::move(converted), inner(options));
      });
}

Future<Result<DescribedCluster>> Admin::describe_cluster(AdminOptions options) {
  return implementation_->ask<DescribedCluster>(
      [options](Client& client) { return client.describe_cluster(inner(options)); });
}

Future<Result<ListedGroups>> Admin::list_groups(AdminOptions options) {
  return implementation_->ask<ListedGroups>(
      [options](Client& client) { return client.list_groups({inner(options)}); });
}

Future<Outcomes<std::string, DescribedGroup>> Admin::describe_groups(
    std::vector<std::string> groups, AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, DescribedGroup>>(
      groups,
      [groups, options](Client& client) { return client.describe_groups(groups, inner(options)); });
}

Future<Outcomes<std::string, void>> Admin::delete_groups(std::vector<std::string> groups,
                                                         AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, void>>(
      groups,
      [groups, options](Client& client) { return client.delete_groups(groups, inner(options)); });
}

Future<Result<Outcomes<TopicPartition, std::int64_t>>> Admin::list_group_offsets(
    std::string group, std::vector<TopicPartition> partitions, AdminOptions options) {
  using Listed = Outcomes<TopicPartition, std::int64_t>;
  Implementation* implementation = implementation_.get();
  return implementation->host().begin<Listed>([implementation, group = std::move(group),
                                               partitions = std::move(partitions),
                                               options]() -> Task<client::ClientResult<Listed>> {
    std::vector<client::TopicPartition> of;
    for (const TopicPartition& partition : partitions) of.push_back(inner(partition));
    auto listed =
        co_await implementation->client().list_group_offsets(group, std::move(of), inner(options));
    if (!listed) co_return failure(std::move(listed.error()));
    co_return outer_outcomes<Listed>(*std::move(listed));
  });
}

Future<Outcomes<TopicPartition, void>> Admin::alter_group_offsets(
    std::string group, std::vector<std::pair<TopicPartition, std::int64_t>> offsets,
    AdminOptions options) {
  auto partitions = keys_of<TopicPartition>(offsets, [](const auto& item) { return item.first; });
  return implementation_->ask_each<Outcomes<TopicPartition, void>>(
      std::move(partitions),
      [group = std::move(group), offsets = std::move(offsets), options](Client& client) {
        std::vector<std::pair<client::TopicPartition, client::CommittedOffset>> converted;
        for (const auto& [partition, offset] : offsets)
          converted.emplace_back(inner(partition),
                                 client::CommittedOffset{.offset = Offset(offset)});
        return client.alter_group_offsets(group, std::move(converted), inner(options));
      });
}

}  // namespace millrace::inline v1
