// Topics, partitions and records of the public admin client.
#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using client::inner;
using client::outer;

client::NewTopic inner(NewTopic topic) {
  client::NewTopic converted{.name = std::move(topic.name),
                             .partitions = topic.partitions,
                             .replication_factor = topic.replication_factor,
                             .configs = std::move(topic.configs)};
  for (const std::vector<std::int32_t>& replicas : topic.assignment) {
    converted.assignment.push_back(client::broker_ids_of(replicas));
  }
  return converted;
}

client::NewPartitions inner(const NewPartitions& topic) {
  client::NewPartitions converted{.topic = topic.topic, .count = topic.count};
  for (const std::vector<std::int32_t>& replicas : topic.assignment) {
    converted.assignment.push_back(client::broker_ids_of(replicas));
  }
  return converted;
}

CreatedTopic outer(const client::CreatedTopic& topic) {
  return {outer(topic.id), topic.partitions, topic.replication_factor};
}

DescribedTopic outer(const client::DescribedTopic& topic) {
  DescribedTopic converted{.name = topic.name,
                           .id = outer(topic.id),
                           .is_internal = topic.internal,
                           .authorized_operations = topic.authorized_operations};
  for (const client::PartitionView& partition : topic.partitions) {
    converted.partitions.push_back({.partition = partition.index.value(),
                                    .leader = partition.leader.value(),
                                    .replicas = outer(partition.replicas),
                                    .in_sync = outer(partition.isr),
                                    .offline = outer(partition.offline),
                                    .leader_epoch = partition.leader_epoch.value()});
  }
  return converted;
}

ListedTopic outer(const client::ListedTopic& topic) {
  return {topic.name, outer(topic.id), topic.internal, topic.partitions};
}

std::int64_t outer(Offset offset) {
  return offset.value();
}

PartitionOffset outer(const client::FoundOffset& found) {
  return {found.offset.value(), client::outer_time(found.timestamp),
          client::outer_epoch(found.leader_epoch)};
}

constexpr auto to_outer = [](const auto& value) { return outer(value); };

}  // namespace

Future<Outcomes<std::string, CreatedTopic>> Admin::create_topics(std::vector<NewTopic> topics,
                                                                 AdminOptions options) {
  auto names = client::keys_of(topics, [](const NewTopic& topic) { return topic.name; });
  return implementation_->ask_each<Outcomes<std::string, CreatedTopic>>(
      std::move(names),
      [topics = std::move(topics), options](Client& client) mutable {
        std::vector<client::NewTopic> converted;
        for (NewTopic& topic : topics) converted.push_back(inner(std::move(topic)));
        return client.create_topics(std::move(converted), inner(options));
      },
      to_outer);
}

Future<Outcomes<std::string, void>> Admin::delete_topics(std::vector<std::string> topics,
                                                         AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, void>>(
      topics,
      [topics, options](Client& client) { return client.delete_topics(topics, inner(options)); },
      to_outer);
}

Future<Result<std::vector<ListedTopic>>> Admin::list_topics(AdminOptions options) {
  return implementation_->ask<std::vector<ListedTopic>>(
      [options](Client& client) { return client.list_topics(inner(options)); },
      [](const auto& topics) { return client::outer_list(topics, to_outer); });
}

Future<Outcomes<std::string, DescribedTopic>> Admin::describe_topics(
    std::vector<std::string> topics, AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, DescribedTopic>>(
      topics,
      [topics, options](Client& client) { return client.describe_topics(topics, inner(options)); },
      to_outer);
}

Future<Outcomes<Uuid, DescribedTopic>> Admin::describe_topics_by_id(std::vector<Uuid> topics,
                                                                    AdminOptions options) {
  return implementation_->ask_each<Outcomes<Uuid, DescribedTopic>>(
      topics,
      [topics, options](Client& client) {
        return client.describe_topics_by_id(
            client::outer_list(topics, [](const Uuid& id) { return inner(id); }), inner(options));
      },
      to_outer);
}

Future<Outcomes<Uuid, void>> Admin::delete_topics_by_id(std::vector<Uuid> topics,
                                                        AdminOptions options) {
  return implementation_->ask_each<Outcomes<Uuid, void>>(
      topics,
      [topics, options](Client& client) {
        return client.delete_topics_by_id(
            client::outer_list(topics, [](const Uuid& id) { return inner(id); }), inner(options));
      },
      to_outer);
}

Future<Outcomes<std::string, void>> Admin::create_partitions(
    std::vector<std::pair<std::string, std::int32_t>> topics, AdminOptions options) {
  std::vector<NewPartitions> wanted;
  for (auto& [topic, count] : topics) wanted.push_back({.topic = std::move(topic), .count = count});
  return place_partitions(std::move(wanted), options);
}

Future<Outcomes<std::string, void>> Admin::place_partitions(std::vector<NewPartitions> topics,
                                                            AdminOptions options) {
  auto names = client::keys_of(topics, [](const NewPartitions& topic) { return topic.topic; });
  return implementation_->ask_each<Outcomes<std::string, void>>(
      std::move(names),
      [topics = std::move(topics), options](Client& client) {
        return client.create_partitions(
            client::outer_list(topics, [](const NewPartitions& topic) { return inner(topic); }),
            inner(options));
      },
      to_outer);
}

Future<Outcomes<TopicPartition, std::int64_t>> Admin::delete_records(
    std::vector<std::pair<TopicPartition, std::int64_t>> before, AdminOptions options) {
  auto partitions = client::keys_of(before, [](const auto& item) { return item.first; });
  return implementation_->ask_each<Outcomes<TopicPartition, std::int64_t>>(
      std::move(partitions),
      [before = std::move(before), options](Client& client) {
        std::vector<std::pair<client::TopicPartition, Offset>> converted;
        for (const auto& [partition, offset] : before)
          converted.emplace_back(inner(partition), Offset(offset));
        return client.delete_records(std::move(converted), inner(options));
      },
      to_outer);
}

Future<Outcomes<TopicPartition, PartitionOffset>> Admin::list_offsets(
    std::vector<std::pair<TopicPartition, OffsetSpec>> places, AdminOptions options,
    Isolation isolation) {
  auto partitions = client::keys_of(places, [](const auto& item) { return item.first; });
  return implementation_->ask_each<Outcomes<TopicPartition, PartitionOffset>>(
      std::move(partitions),
      [places = std::move(places), options, isolation](Client& client) {
        std::vector<std::pair<client::TopicPartition, client::OffsetSpec>> converted;
        for (const auto& [partition, place] : places)
          converted.emplace_back(inner(partition), client::OffsetSpec{place.value});
        return client.list_offsets(std::move(converted), inner(options),
                                   isolation == Isolation::read_committed
                                       ? client::IsolationLevel::read_committed
                                       : client::IsolationLevel::read_uncommitted);
      },
      to_outer);
}

}  // namespace millrace::inline v1
