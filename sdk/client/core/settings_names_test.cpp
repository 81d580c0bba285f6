// Every name that Kafka's own clients know is known here too.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settings_help.hpp"

import millrace.client.core;
import millrace.protocol.compression;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

// What kafka-clients 4.3.1 has.
constexpr std::string_view producer_names[] = {"acks",
                                               "batch.size",
                                               "bootstrap.servers",
                                               "buffer.memory",
                                               "client.dns.lookup",
                                               "client.id",
                                               "compression.gzip.level",
                                               "compression.lz4.level",
                                               "compression.type",
                                               "compression.zstd.level",
                                               "config.providers",
                                               "connections.max.idle.ms",
                                               "delivery.timeout.ms",
                                               "enable.idempotence",
                                               "enable.metrics.push",
                                               "interceptor.classes",
                                               "key.serializer",
                                               "linger.ms",
                                               "max.block.ms",
                                               "max.in.flight.requests.per.connection",
                                               "max.request.size",
                                               "metadata.max.age.ms",
                                               "metadata.max.idle.ms",
                                               "metadata.recovery.rebootstrap.trigger.ms",
                                               "metadata.recovery.strategy",
                                               "metric.reporters",
                                               "metrics.num.samples",
                                               "metrics.recording.level",
                                               "metrics.sample.window.ms",
                                               "partitioner.adaptive.partitioning.enable",
                                               "partitioner.availability.timeout.ms",
                                               "partitioner.class",
                                               "partitioner.ignore.keys",
                                               "receive.buffer.bytes",
                                               "reconnect.backoff.max.ms",
                                               "reconnect.backoff.ms",
                                               "request.timeout.ms",
                                               "retries",
                                               "retry.backoff.max.ms",
                                               "retry.backoff.ms",
                                               "security.protocol",
                                               "security.providers",
                                               "send.buffer.bytes",
                                               "socket.connection.setup.timeout.max.ms",
                                               "socket.connection.setup.timeout.ms",
                                               "transaction.timeout.ms",
                                               "transaction.two.phase.commit.enable",
                                               "transactional.id",
                                               "value.serializer"};

constexpr std::string_view consumer_names[] = {"allow.auto.create.topics",
                                               "auto.commit.interval.ms",
                                               "auto.offset.reset",
                                               "bootstrap.servers",
                                               "check.crcs",
                                               "client.dns.lookup",
                                               "client.id",
                                               "client.rack",
                                               "config.providers",
                                               "connections.max.idle.ms",
                                               "default.api.timeout.ms",
                                               "enable.auto.commit",
                                               "enable.metrics.push",
                                               "exclude.internal.topics",
                                               "fetch.max.bytes",
                                               "fetch.max.wait.ms",
                                               "fetch.min.bytes",
                                               "group.id",
                                               "group.instance.id",
                                               "group.protocol",
                                               "group.remote.assignor",
                                               "heartbeat.interval.ms",
                                               "interceptor.classes",
                                               "internal.throw.on.fetch.stable.offset.unsupported",
                                               "isolation.level",
                                               "key.deserializer",
                                               "max.partition.fetch.bytes",
                                               "max.poll.interval.ms",
                                               "max.poll.records",
                                               "metadata.max.age.ms",
                                               "metadata.recovery.rebootstrap.trigger.ms",
                                               "metadata.recovery.strategy",
                                               "metric.reporters",
                                               "metrics.num.samples",
                                               "metrics.recording.level",
                                               "metrics.sample.window.ms",
                                               "partition.assignment.strategy",
                                               "receive.buffer.bytes",
                                               "reconnect.backoff.max.ms",
                                               "reconnect.backoff.ms",
                                               "request.timeout.ms",
                                               "retry.backoff.max.ms",
                                               "retry.backoff.ms",
                                               "security.protocol",
                                               "security.providers",
                                               "send.buffer.bytes",
                                               "session.timeout.ms",
                                               "share.acknowledgement.mode",
                                               "share.acquire.mode",
                                               "socket.connection.setup.timeout.max.ms",
                                               "socket.connection.setup.timeout.ms",
                                               "value.deserializer"};

constexpr std::string_view admin_names[] = {"bootstrap.controllers",
                                            "bootstrap.servers",
                                            "client.dns.lookup",
                                            "client.id",
                                            "config.providers",
                                            "connections.max.idle.ms",
                                            "default.api.timeout.ms",
                                            "enable.metrics.push",
                                            "metadata.max.age.ms",
                                            "metadata.recovery.rebootstrap.trigger.ms",
                                            "metadata.recovery.strategy",
                                            "metric.reporters",
                                            "metrics.num.samples",
                                            "metrics.recording.level",
                                            "metrics.sample.window.ms",
                                            "receive.buffer.bytes",
                                            "reconnect.backoff.max.ms",
                                            "reconnect.backoff.ms",
                                            "request.timeout.ms",
                                            "retries",
                                            "retry.backoff.max.ms",
                                            "retry.backoff.ms",
                                            "security.protocol",
                                            "security.providers",
                                            "send.buffer.bytes",
                                            "socket.connection.setup.timeout.max.ms",
                                            "socket.connection.setup.timeout.ms"};

constexpr std::string_view security_names[] = {
    "sasl.client.callback.handler.class",
    "sasl.jaas.config",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.service.name",
    "sasl.kerberos.ticket.renew.jitter",
    "sasl.kerberos.ticket.renew.window.factor",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.login.connect.timeout.ms",
    "sasl.login.read.timeout.ms",
    "sasl.login.refresh.buffer.seconds",
    "sasl.login.refresh.min.period.seconds",
    "sasl.login.refresh.window.factor",
    "sasl.login.refresh.window.jitter",
    "sasl.login.retry.backoff.max.ms",
    "sasl.login.retry.backoff.ms",
    "sasl.mechanism",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.template.file",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.clock.skew.seconds",
    "sasl.oauthbearer.expected.audience",
    "sasl.oauthbearer.expected.issuer",
    "sasl.oauthbearer.header.urlencode",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
    "sasl.oauthbearer.jwks.endpoint.url",
    "sasl.oauthbearer.jwt.retriever.class",
    "sasl.oauthbearer.jwt.validator.class",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.scope.claim.name",
    "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.token.endpoint.url",
    "ssl.cipher.suites",
    "ssl.enabled.protocols",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.factory.class",
    "ssl.key.password",
    "ssl.keymanager.algorithm",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type"};

TEST(Settings, know_every_name_that_kafkas_clients_know) {
  const auto is_known = [](std::string_view name, const std::string& problems) {
    EXPECT_FALSE(contains(problems, "has no setting")) << name << ": " << problems;
  };
  for (const std::string_view name : producer_names) {
    is_known(name, producer_problems({{std::string(name), "x"}}));
  }
  for (const std::string_view name : consumer_names) {
    is_known(name, consumer_problems({{std::string(name), "x"}}));
  }
  for (const std::string_view name : admin_names) {
    is_known(name, problems_of(admin_settings(with({{std::string(name), "x"}}))));
  }
  for (const std::string_view name : security_names) {
    is_known(name, producer_problems({{std::string(name), "x"}}));
    is_known(name, consumer_problems({{std::string(name), "x"}}));
    is_known(name, problems_of(admin_settings(with({{std::string(name), "x"}}))));
  }
}

}  // namespace
}  // namespace millrace::client
