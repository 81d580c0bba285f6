// Names that Kafka users have in their files and that do nothing here, each with the reason. With
// the definitions these are all names of Kafka 4.3, and the well-known ones that Kafka has dropped.
module;
#include <array>
#include <string_view>

export module millrace.config:foreign_registry;

import :definition;

namespace millrace::config::foreign {

constexpr auto ignored = ForeignName::Treatment::ignored;
constexpr auto refused = ForeignName::Treatment::refused;

constexpr std::string_view by_shards = "work is shared among shards, see millrace.shards";
constexpr std::string_view dropped = "Kafka itself has dropped it";
constexpr std::string_view internal = "it is internal to Kafka";
constexpr std::string_view java_class = "it names a Java class, and none can be loaded";
constexpr std::string_view metrics = "metrics are served as Prometheus text";
constexpr std::string_view no_purgatory = "waiting requests need no purging";
constexpr std::string_view no_security = "TLS and SASL are not supported yet";
constexpr std::string_view no_share = "share groups are not supported yet";
constexpr std::string_view no_streams = "streams groups are not supported yet";
constexpr std::string_view no_tiering = "tiered storage is not supported yet";
constexpr std::string_view not_supported = "it is not supported";
constexpr std::string_view own_metadata = "the metadata log is organised differently";
constexpr std::string_view own_rpc = "servers speak to one another over connections of their own";
constexpr std::string_view own_writes = "writes of the coordinator are grouped by themselves";

}  // namespace millrace::config::foreign

export namespace millrace::config {

inline constexpr auto server_foreign_names = std::to_array<ForeignName>({
    {"process.roles", foreign::ignored, "each role is a program of its own"},

    // Security: a broker that passed over these would be open where it was meant to be closed.
    {"ssl.", foreign::refused, foreign::no_security},
    {"sasl.", foreign::refused, foreign::no_security},
    {"delegation.token.", foreign::refused, foreign::no_security},
    {"password.encoder.", foreign::ignored, foreign::dropped},
    {"connections.max.reauth.ms", foreign::refused, foreign::no_security, "0"},
    {"security.inter.broker.protocol", foreign::refused, foreign::no_security, "PLAINTEXT"},
    {"security.providers", foreign::refused, foreign::java_class},
    {"authorizer.class.name", foreign::refused, foreign::java_class},
    {"super.users", foreign::refused, "access control lists are not supported yet"},
    {"allow.everyone.if.no.acl.found", foreign::refused,
     "access control lists are not supported yet", "true"},
    {"principal.builder.class", foreign::refused, foreign::java_class},
    {"early.start.listeners", foreign::ignored, foreign::internal},

    // Policies and plug-ins that decide what is allowed.
    {"alter.config.policy.class.name", foreign::refused, foreign::java_class},
    {"create.topic.policy.class.name", foreign::refused, foreign::java_class},
    {"client.quota.callback.class", foreign::refused, foreign::java_class},
    {"replica.selector.class", foreign::ignored,
     "consumers that name their rack are always sent to a replica in it"},

    // Threads and memory.
    {"background.threads", foreign::ignored, foreign::by_shards},
    {"log.cleaner.threads", foreign::ignored, foreign::by_shards},
    {"num.io.threads", foreign::ignored, foreign::by_shards},
    {"num.network.threads", foreign::ignored, foreign::by_shards},
    {"num.replica.fetchers", foreign::ignored, foreign::by_shards},
    {"num.replica.alter.log.dirs.threads", foreign::ignored, foreign::by_shards},
    {"group.coordinator.threads", foreign::ignored, foreign::by_shards},
    {"group.coordinator.background.threads", foreign::ignored, foreign::by_shards},
    {"queued.max.request.bytes", foreign::ignored, "all request memory is under one budget"},
    {"log.cleaner.io.buffer.size", foreign::ignored, "compaction sizes its buffers itself"},
    {"log.cleaner.io.buffer.load.factor", foreign::ignored, "compaction sizes its table itself"},
    {"producer.purgatory.purge.interval.requests", foreign::ignored, foreign::no_purgatory},
    {"fetch.purgatory.purge.interval.requests", foreign::ignored, foreign::no_purgatory},
    {"delete.records.purgatory.purge.interval.requests", foreign::ignored, foreign::no_purgatory},
    {"max.request.partition.size.limit", foreign::ignored, "answers are bounded by their size"},

    // Between servers.
    {"controller.quorum.append.linger.ms", foreign::ignored, foreign::own_metadata},
    {"controller.quorum.auto.join.enable", foreign::refused, foreign::not_supported, "false"},
    {"controller.quorum.fetch.max.bytes", foreign::ignored, foreign::own_metadata},
    {"controller.quorum.fetch.snapshot.max.bytes", foreign::ignored, foreign::own_metadata},
    {"controller.quorum.retry.backoff.ms", foreign::ignored, foreign::own_metadata},
    {"controller.performance.", foreign::ignored, foreign::internal},
    {"controller.socket.timeout.ms", foreign::ignored, foreign::own_rpc},
    {"metadata.log.segment.bytes", foreign::ignored, foreign::own_metadata},
    {"metadata.log.segment.ms", foreign::ignored, foreign::own_metadata},
    {"metadata.max.idle.interval.ms", foreign::ignored, foreign::own_metadata},
    {"metadata.max.retention.bytes", foreign::ignored, foreign::own_metadata},
    {"metadata.max.retention.ms", foreign::ignored, foreign::own_metadata},
    {"internal.metadata.", foreign::ignored, foreign::internal},
    {"replica.socket.receive.buffer.bytes", foreign::ignored, foreign::own_rpc},
    {"replica.socket.timeout.ms", foreign::ignored, foreign::own_rpc},
    {"request.timeout.ms", foreign::ignored, foreign::own_rpc},
    {"socket.connection.setup.timeout.ms", foreign::ignored, foreign::own_rpc},
    {"socket.connection.setup.timeout.max.ms", foreign::ignored, foreign::own_rpc},
    {"add.partitions.to.txn.retry.backoff.ms", foreign::ignored, foreign::own_rpc},
    {"add.partitions.to.txn.retry.backoff.max.ms", foreign::ignored, foreign::own_rpc},
    {"replication.quota.window.num", foreign::ignored, "replication is throttled continuously"},
    {"replication.quota.window.size.seconds", foreign::ignored,
     "replication is throttled continuously"},
    {"alter.log.dirs.replication.quota.window.num", foreign::ignored,
     "replication is throttled continuously"},
    {"alter.log.dirs.replication.quota.window.size.seconds", foreign::ignored,
     "replication is throttled continuously"},

    // Groups and transactions.
    {"group.consumer.assignment.interval.ms", foreign::ignored, foreign::own_writes},
    {"group.consumer.min.assignment.interval.ms", foreign::ignored, foreign::own_writes},
    {"group.consumer.max.assignment.interval.ms", foreign::ignored, foreign::own_writes},
    {"group.consumer.regex.refresh.interval.ms", foreign::ignored, foreign::internal},
    {"group.coordinator.append.linger.ms", foreign::ignored, foreign::own_writes},
    {"group.coordinator.cached.buffer.max.bytes", foreign::ignored, foreign::own_writes},
    {"group.coordinator.rebalance.protocols", foreign::ignored,
     "the cluster's feature versions decide which protocols there are"},
    {"group.share.", foreign::ignored, foreign::no_share},
    {"share.coordinator.", foreign::ignored, foreign::no_share},
    {"share.fetch.", foreign::ignored, foreign::no_share},
    {"group.streams.", foreign::ignored, foreign::no_streams},
    {"offsets.topic.compression.codec", foreign::ignored, "internal topics are not compressed"},
    {"producer.id.expiration.check.interval.ms", foreign::ignored, foreign::internal},
    {"transaction.two.phase.commit.enable", foreign::refused, foreign::not_supported, "false"},

    // Logs.
    {"remote.log.storage.system.enable", foreign::refused, foreign::no_tiering, "false"},
    {"remote.", foreign::ignored, foreign::no_tiering},
    {"rlmm.config.", foreign::ignored, foreign::no_tiering},
    {"rsm.config.", foreign::ignored, foreign::no_tiering},
    {"log.local.retention.bytes", foreign::ignored, foreign::no_tiering},
    {"log.local.retention.ms", foreign::ignored, foreign::no_tiering},
    {"follower.fetch.last.tiered.offset.enable", foreign::ignored, foreign::no_tiering},
    {"cordoned.log.dirs", foreign::refused, foreign::not_supported},
    {"log.initial.task.delay.ms", foreign::ignored, foreign::internal},

    // Metrics and internals.
    {"metric.reporters", foreign::ignored, foreign::metrics},
    {"auto.include.jmx.reporter", foreign::ignored, foreign::metrics},
    {"kafka.metrics.", foreign::ignored, foreign::metrics},
    {"metrics.", foreign::ignored, foreign::metrics},
    {"telemetry.max.bytes", foreign::ignored, "clients are not asked for their metrics"},
    {"server.max.startup.time.ms", foreign::ignored, foreign::internal},
    {"unclean.leader.election.interval.ms", foreign::ignored, foreign::internal},
    {"unstable.", foreign::ignored, foreign::internal},

    // Dropped by Kafka, still in many files.
    {"zookeeper.", foreign::ignored, foreign::dropped},
    {"advertised.host.name", foreign::ignored, foreign::dropped},
    {"advertised.port", foreign::ignored, foreign::dropped},
    {"host.name", foreign::ignored, foreign::dropped},
    {"port", foreign::ignored, foreign::dropped},
    {"broker.id.generation.enable", foreign::ignored, foreign::dropped},
    {"reserved.broker.max.id", foreign::ignored, foreign::dropped},
    {"control.plane.listener.name", foreign::ignored, foreign::dropped},
    {"inter.broker.protocol.version", foreign::ignored, foreign::dropped},
    {"log.message.format.version", foreign::ignored, foreign::dropped},
    {"log.message.downconversion.enable", foreign::ignored, foreign::dropped},
    {"log.message.timestamp.difference.max.ms", foreign::ignored, foreign::dropped},
    {"offsets.commit.required.acks", foreign::ignored, foreign::dropped},
    {"controlled.shutdown.max.retries", foreign::ignored, foreign::dropped},
    {"controlled.shutdown.retry.backoff.ms", foreign::ignored, foreign::dropped},
    {"leader.imbalance.per.broker.percentage", foreign::ignored, foreign::dropped},
});

inline constexpr auto topic_foreign_names = std::to_array<ForeignName>({
    {"leader.replication.throttled.replicas", foreign::refused, foreign::not_supported},
    {"follower.replication.throttled.replicas", foreign::refused, foreign::not_supported},
    {"remote.storage.enable", foreign::refused, foreign::no_tiering, "false"},
    {"remote.log.copy.disable", foreign::ignored, foreign::no_tiering},
    {"remote.log.delete.on.disable", foreign::ignored, foreign::no_tiering},
    {"local.retention.bytes", foreign::ignored, foreign::no_tiering},
    {"local.retention.ms", foreign::ignored, foreign::no_tiering},
    {"internal.segment.bytes", foreign::ignored, foreign::internal},
    {"message.format.version", foreign::ignored, foreign::dropped},
    {"message.downconversion.enable", foreign::ignored, foreign::dropped},
    {"message.timestamp.difference.max.ms", foreign::ignored, foreign::dropped},
});

}  // namespace millrace::config
