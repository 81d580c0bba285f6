// The cluster, as the public admin client tells and changes it.
#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using client::inner;
using client::outer;
using KafkaPort = decltype(client::HostPort::port);

client::ReplicaPlace inner(const ReplicaPlace& place) {
  return {inner(place.partition), BrokerId(place.broker)};
}

client::NewVoter inner(const NewVoter& voter) {
  client::NewVoter converted{.id = BrokerId(voter.id), .directory = inner(voter.directory)};
  for (const QuorumListener& listener : voter.listeners) {
    converted.listeners.push_back({listener.name, {listener.host, KafkaPort(listener.port)}});
  }
  converted.cluster_id = voter.cluster_id;
  return converted;
}

DescribedCluster outer(const client::DescribedCluster& cluster) {
  DescribedCluster converted{.id = cluster.id,
                             .controller = cluster.controller.value(),
                             .authorized_operations = cluster.authorized_operations};
  for (const client::DescribedBroker& broker : cluster.brokers)
    converted.brokers.push_back({.id = broker.id.value(),
                                 .host = broker.address.host,
                                 .port = static_cast<std::uint16_t>(broker.address.port.value()),
                                 .rack = broker.rack,
                                 .is_fenced = broker.fenced});
  return converted;
}

QuorumReplica outer(const client::QuorumReplica& replica) {
  return {replica.id.value(), replica.log_end.value(), client::outer_time(replica.last_fetch),
          client::outer_time(replica.last_caught_up), outer(replica.directory)};
}

QuorumNode outer(const client::QuorumNode& node) {
  QuorumNode converted{.id = node.id.value()};
  for (const client::QuorumListener& listener : node.listeners) {
    converted.listeners.push_back({listener.name, listener.address.host,
                                   static_cast<std::uint16_t>(listener.address.port.value())});
  }
  return converted;
}

Quorum outer(const client::Quorum& quorum) {
  constexpr auto replica = [](const client::QuorumReplica& one) { return outer(one); };
  return {.leader = quorum.leader.value(),
          .epoch = quorum.epoch.value(),
          .high_watermark = quorum.high_watermark.value(),
          .voters = client::outer_list(quorum.voters, replica),
          .observers = client::outer_list(quorum.observers, replica),
          .nodes = client::outer_list(quorum.nodes,
                                      [](const client::QuorumNode& one) { return outer(one); })};
}

Features outer(const client::Features& features) {
  Features converted{.epoch = features.epoch};
  for (const client::Feature& feature : features.features) {
    converted.features.push_back(
        {feature.name, feature.level_min, feature.level_max, feature.finalized});
  }
  return converted;
}

LogDir outer(const client::LogDir& directory) {
  LogDir converted{.path = directory.path,
                   .total_bytes = directory.total_bytes,
                   .usable_bytes = directory.usable_bytes,
                   .is_cordoned = directory.cordoned};
  if (directory.error != client::ErrorCode::none) {
    converted.error =
        client::public_error(client::broker_error(directory.error, no_broker, directory.path));
  }
  for (const client::LogDirPartition& replica : directory.partitions) {
    converted.replicas.push_back(
        {outer(replica.partition), replica.bytes, replica.offset_lag, replica.is_future});
  }
  return converted;
}

std::vector<LogDir> outer(const std::vector<client::LogDir>& directories) {
  return client::outer_list(directories, [](const client::LogDir& one) { return outer(one); });
}

ReplicaPlace outer(const client::ReplicaPlace& place) {
  return {outer(place.partition), place.broker.value()};
}

ReplicaLogDirs outer(const client::ReplicaLogDirs& directories) {
  return {directories.current, directories.offset_lag, directories.future,
          directories.future_offset_lag};
}

constexpr auto to_outer = [](const auto& value) { return outer(value); };

}  // namespace

Future<Result<DescribedCluster>> Admin::describe_cluster(AdminOptions options,
                                                         FencedBrokers fenced) {
  return implementation_->ask<DescribedCluster>(
      [options, fenced](Client& client) {
        return client.describe_cluster(inner(options), fenced == FencedBrokers::included);
      },
      to_outer);
}

Future<Result<Quorum>> Admin::describe_quorum(AdminOptions options) {
  return implementation_->ask<Quorum>(
      [options](Client& client) { return client.describe_quorum(inner(options)); }, to_outer);
}

Future<Result<void>> Admin::add_raft_voter(NewVoter voter, AdminOptions options) {
  return implementation_->ask_done([voter = std::move(voter), options](Client& client) {
    return client.add_raft_voter(inner(voter), inner(options));
  });
}

Future<Result<void>> Admin::remove_raft_voter(std::int32_t voter, Uuid directory,
                                              AdminOptions options) {
  return implementation_->ask_done([voter, directory, options](Client& client) {
    return client.remove_raft_voter(BrokerId(voter), inner(directory), std::nullopt,
                                    inner(options));
  });
}

Future<Result<Features>> Admin::describe_features(AdminOptions options) {
  return implementation_->ask<Features>(
      [options](Client& client) { return client.describe_features(inner(options)); }, to_outer);
}

Future<Outcomes<std::string, void>> Admin::update_features(std::vector<FeatureUpdate> updates,
                                                           AdminOptions options) {
  auto names = client::keys_of(updates, [](const FeatureUpdate& update) { return update.name; });
  return implementation_->ask_each<Outcomes<std::string, void>>(
      std::move(names),
      [updates = std::move(updates), options](Client& client) {
        std::vector<client::FeatureUpdate> converted;
        for (const FeatureUpdate& update : updates)
          converted.push_back(
              {update.name, update.level, static_cast<client::FeatureChange>(update.change)});
        return client.update_features(std::move(converted), inner(options));
      },
      to_outer);
}

Future<Result<void>> Admin::unregister_broker(std::int32_t broker, AdminOptions options) {
  return implementation_->ask_done([broker, options](Client& client) {
    return client.unregister_broker(BrokerId(broker), inner(options));
  });
}

Future<Outcomes<std::int32_t, std::vector<LogDir>>> Admin::describe_log_dirs(
    std::vector<std::int32_t> brokers, AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::int32_t, std::vector<LogDir>>>(
      brokers,
      [brokers, options](Client& client) {
        return client.describe_log_dirs(client::broker_ids_of(brokers), inner(options));
      },
      to_outer);
}

Future<Outcomes<ReplicaPlace, ReplicaLogDirs>> Admin::describe_replica_log_dirs(
    std::vector<ReplicaPlace> replicas, AdminOptions options) {
  return implementation_->ask_each<Outcomes<ReplicaPlace, ReplicaLogDirs>>(
      replicas,
      [replicas, options](Client& client) {
        return client.describe_replica_log_dirs(
            client::outer_list(replicas, [](const ReplicaPlace& place) { return inner(place); }),
            inner(options));
      },
      to_outer);
}

Future<Outcomes<ReplicaPlace, void>> Admin::alter_replica_log_dirs(
    std::vector<std::pair<ReplicaPlace, std::string>> places, AdminOptions options) {
  auto replicas = client::keys_of(places, [](const auto& item) { return item.first; });
  return implementation_->ask_each<Outcomes<ReplicaPlace, void>>(
      std::move(replicas),
      [places = std::move(places), options](Client& client) {
        std::vector<std::pair<client::ReplicaPlace, std::string>> converted;
        for (const auto& [place, directory] : places)
          converted.emplace_back(inner(place), directory);
        return client.alter_replica_log_dirs(std::move(converted), inner(options));
      },
      to_outer);
}

}  // namespace millrace::inline v1
