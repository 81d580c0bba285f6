// Names that Kafka users have in their files and that do nothing here, each with the reason. With
// the definitions these are all names of Kafka 4.3, and the well-known ones that Kafka has dropped.
module;
#include <array>
#include <string_view>

export module millrace.config:foreign_registry;

import :definition;
import :reasons;

namespace millrace::config::foreign {

constexpr auto ignored = ForeignName::Treatment::ignored;
constexpr auto refused = ForeignName::Treatment::refused;

}  // namespace millrace::config::foreign

export namespace millrace::config {

inline constexpr auto server_foreign_names = std::to_array<ForeignName>({
    {"process.roles", foreign::ignored, "each role is a program of its own"},

    // Security: a broker that passed over these would be open where it was meant to be closed.
    {"ssl.client.auth", foreign::refused, reasons::no_security, "none"},
    {"ssl.", foreign::refused, reasons::no_security},
    {"sasl.", foreign::refused, reasons::no_security},
    {"delegation.token.", foreign::refused, reasons::no_security},
    {"password.encoder.", foreign::ignored, reasons::dropped},
    {"connections.max.reauth.ms", foreign::refused, reasons::no_security, "0"},
    {"security.inter.broker.protocol", foreign::refused, reasons::no_security, "PLAINTEXT"},
    {"security.providers", foreign::refused, reasons::java_class},
    {"authorizer.class.name", foreign::refused, reasons::java_class},
    {"super.users", foreign::refused, reasons::no_acls},
    {"allow.everyone.if.no.acl.found", foreign::refused, reasons::no_acls, "true"},
    {"principal.builder.class", foreign::refused, reasons::java_class},
    {"early.start.listeners", foreign::ignored, reasons::internal},

    // Policies and plug-ins that decide what is allowed.
    {"alter.config.policy.class.name", foreign::refused, reasons::java_class},
    {"create.topic.policy.class.name", foreign::refused, reasons::java_class},
    {"client.quota.callback.class", foreign::refused, reasons::java_class},
    {"replica.selector.class", foreign::ignored,
     "consumers that name their rack are always sent to a replica in it"},

    // Threads and memory.
    {"background.threads", foreign::ignored, reasons::by_shards},
    {"log.cleaner.threads", foreign::ignored, reasons::by_shards},
    {"num.io.threads", foreign::ignored, reasons::by_shards},
    {"num.network.threads", foreign::ignored, reasons::by_shards},
    {"num.replica.fetchers", foreign::ignored, reasons::by_shards},
    {"num.replica.alter.log.dirs.threads", foreign::ignored, reasons::by_shards},
    {"group.coordinator.threads", foreign::ignored, reasons::by_shards},
    {"group.coordinator.background.threads", foreign::ignored, reasons::by_shards},
    {"queued.max.request.bytes", foreign::ignored, reasons::budgeted},
    {"log.cleaner.io.buffer.size", foreign::ignored, "compaction sizes its buffers itself"},
    {"log.cleaner.io.buffer.load.factor", foreign::ignored, "compaction sizes its table itself"},
    {"producer.purgatory.purge.interval.requests", foreign::ignored, reasons::no_purgatory},
    {"fetch.purgatory.purge.interval.requests", foreign::ignored, reasons::no_purgatory},
    {"delete.records.purgatory.purge.interval.requests", foreign::ignored, reasons::no_purgatory},
    {"max.request.partition.size.limit", foreign::ignored, "answers are bounded by their size"},

    // Between servers.
    {"controller.quorum.append.linger.ms", foreign::ignored, reasons::own_metadata},
    {"controller.quorum.auto.join.enable", foreign::refused, reasons::not_supported, "false"},
    {"controller.quorum.fetch.max.bytes", foreign::ignored, reasons::own_metadata},
    {"controller.quorum.fetch.snapshot.max.bytes", foreign::ignored, reasons::own_metadata},
    {"controller.quorum.retry.backoff.ms", foreign::ignored, reasons::own_metadata},
    {"controller.performance.", foreign::ignored, reasons::internal},
    {"controller.socket.timeout.ms", foreign::ignored, reasons::own_rpc},
    {"metadata.log.segment.bytes", foreign::ignored, reasons::own_metadata},
    {"metadata.log.segment.ms", foreign::ignored, reasons::own_metadata},
    {"metadata.max.idle.interval.ms", foreign::ignored, reasons::own_metadata},
    {"metadata.max.retention.bytes", foreign::ignored, reasons::own_metadata},
    {"metadata.max.retention.ms", foreign::ignored, reasons::own_metadata},
    {"internal.metadata.", foreign::ignored, reasons::internal},
    {"replica.socket.receive.buffer.bytes", foreign::ignored, reasons::own_rpc},
    {"replica.socket.timeout.ms", foreign::ignored, reasons::own_rpc},
    {"request.timeout.ms", foreign::ignored, reasons::own_rpc},
    {"socket.connection.setup.timeout.ms", foreign::ignored, reasons::own_rpc},
    {"socket.connection.setup.timeout.max.ms", foreign::ignored, reasons::own_rpc},
    {"add.partitions.to.txn.retry.backoff.ms", foreign::ignored, reasons::own_rpc},
    {"add.partitions.to.txn.retry.backoff.max.ms", foreign::ignored, reasons::own_rpc},
    {"replication.quota.window.num", foreign::ignored, "replication is throttled continuously"},
    {"replication.quota.window.size.seconds", foreign::ignored,
     "replication is throttled continuously"},
    {"alter.log.dirs.replication.quota.window.num", foreign::ignored,
     "replication is throttled continuously"},
    {"alter.log.dirs.replication.quota.window.size.seconds", foreign::ignored,
     "replication is throttled continuously"},

    // Groups and transactions.
    {"group.consumer.assignment.interval.ms", foreign::ignored, reasons::own_writes},
    {"group.consumer.min.assignment.interval.ms", foreign::ignored, reasons::own_writes},
    {"group.consumer.max.assignment.interval.ms", foreign::ignored, reasons::own_writes},
    {"group.consumer.regex.refresh.interval.ms", foreign::ignored, reasons::internal},
    {"group.coordinator.append.linger.ms", foreign::ignored, reasons::own_writes},
    {"group.coordinator.cached.buffer.max.bytes", foreign::ignored, reasons::own_writes},
    {"group.coordinator.rebalance.protocols", foreign::ignored,
     "the cluster's feature versions decide which protocols there are"},
    {"group.share.", foreign::ignored, reasons::no_share},
    {"share.coordinator.", foreign::ignored, reasons::no_share},
    {"share.fetch.", foreign::ignored, reasons::no_share},
    {"group.streams.", foreign::ignored, reasons::no_streams},
    {"offsets.topic.compression.codec", foreign::ignored, "internal topics are not compressed"},
    {"producer.id.expiration.check.interval.ms", foreign::ignored, reasons::internal},
    {"transaction.two.phase.commit.enable", foreign::refused, reasons::not_supported, "false"},

    // Logs.
    {"remote.log.storage.system.enable", foreign::refused, reasons::no_tiering, "false"},
    {"remote.", foreign::ignored, reasons::no_tiering},
    {"rlmm.config.", foreign::ignored, reasons::no_tiering},
    {"rsm.config.", foreign::ignored, reasons::no_tiering},
    {"log.local.retention.bytes", foreign::ignored, reasons::no_tiering},
    {"log.local.retention.ms", foreign::ignored, reasons::no_tiering},
    {"follower.fetch.last.tiered.offset.enable", foreign::ignored, reasons::no_tiering},
    {"cordoned.log.dirs", foreign::refused, reasons::not_supported},
    {"log.initial.task.delay.ms", foreign::ignored, reasons::internal},

    // Metrics and internals.
    {"metric.reporters", foreign::ignored, reasons::metrics},
    {"auto.include.jmx.reporter", foreign::ignored, reasons::metrics},
    {"kafka.metrics.", foreign::ignored, reasons::metrics},
    {"metrics.", foreign::ignored, reasons::metrics},
    {"telemetry.max.bytes", foreign::ignored, "clients are not asked for their metrics"},
    {"server.max.startup.time.ms", foreign::ignored, reasons::internal},
    {"unclean.leader.election.interval.ms", foreign::ignored, reasons::internal},
    {"unstable.", foreign::ignored, reasons::internal},

    // Dropped by Kafka, still in many files.
    {"zookeeper.", foreign::ignored, reasons::dropped},
    {"advertised.host.name", foreign::ignored, reasons::dropped},
    {"advertised.port", foreign::ignored, reasons::dropped},
    {"host.name", foreign::ignored, reasons::dropped},
    {"port", foreign::ignored, reasons::dropped},
    {"broker.id.generation.enable", foreign::ignored, reasons::dropped},
    {"reserved.broker.max.id", foreign::ignored, reasons::dropped},
    {"control.plane.listener.name", foreign::ignored, reasons::dropped},
    {"inter.broker.protocol.version", foreign::ignored, reasons::dropped},
    {"log.message.format.version", foreign::ignored, reasons::dropped},
    {"log.message.downconversion.enable", foreign::ignored, reasons::dropped},
    {"log.message.timestamp.difference.max.ms", foreign::ignored, reasons::dropped},
    {"offsets.commit.required.acks", foreign::ignored, reasons::dropped},
    {"controlled.shutdown.max.retries", foreign::ignored, reasons::dropped},
    {"controlled.shutdown.retry.backoff.ms", foreign::ignored, reasons::dropped},
    {"leader.imbalance.per.broker.percentage", foreign::ignored, reasons::dropped},
});

inline constexpr auto topic_foreign_names = std::to_array<ForeignName>({
    {"leader.replication.throttled.replicas", foreign::refused, reasons::not_supported},
    {"follower.replication.throttled.replicas", foreign::refused, reasons::not_supported},
    {"remote.storage.enable", foreign::refused, reasons::no_tiering, "false"},
    {"remote.log.copy.disable", foreign::ignored, reasons::no_tiering, "false"},
    {"remote.log.delete.on.disable", foreign::ignored, reasons::no_tiering, "false"},
    {"local.retention.bytes", foreign::ignored, reasons::no_tiering, "-2"},
    {"local.retention.ms", foreign::ignored, reasons::no_tiering, "-2"},
    {"internal.segment.bytes", foreign::ignored, reasons::internal},
    {"message.format.version", foreign::ignored, reasons::dropped},
    {"message.downconversion.enable", foreign::ignored, reasons::dropped},
    {"message.timestamp.difference.max.ms", foreign::ignored, reasons::dropped},
});

}  // namespace millrace::config
