// Settings under Kafka's names: defaults, ranges, what excludes what, and what is said about it.
// Also proves settings_clients.cpp, settings_names.cpp, settings_reader.cpp, settings_reader.cppm.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

Properties with(Properties more) {
  more.emplace_back("bootstrap.servers", "localhost:9092");
  return more;
}
std::string problems_of(const auto& result) {
  std::string all;
  if (result) return all;
  for (const std::string& problem : result.error()) all += problem + "\n";
  return all;
}
std::string producer_problems(Properties more) {
  return problems_of(producer_settings(with(std::move(more))));
}
std::string consumer_problems(Properties more) {
  return problems_of(consumer_settings(with(std::move(more))));
}
bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Settings, have_kafkas_defaults) {
  const auto producer = producer_settings(with({}));
  ASSERT_TRUE(producer.has_value()) << problems_of(producer);
  EXPECT_EQ(producer->common.bootstrap, (std::vector<HostPort>{{"localhost", Port(9092)}}));
  EXPECT_EQ(producer->acks, Acks::all);
  EXPECT_EQ(producer->batch_size, 16384U);
  EXPECT_EQ(producer->linger, 5ms);
  EXPECT_EQ(producer->buffer_memory, 33554432U);
  EXPECT_EQ(producer->delivery_timeout, 2min);
  EXPECT_TRUE(producer->enable_idempotence);
  EXPECT_EQ(producer->common.receive_buffer_bytes, 32768);
  EXPECT_EQ(producer->common.connections_max_idle, 9min);
  const auto consumer = consumer_settings(with({}));
  ASSERT_TRUE(consumer.has_value()) << problems_of(consumer);
  EXPECT_EQ(consumer->common.receive_buffer_bytes, 65536);
  EXPECT_EQ(consumer->max_poll_records, 500);
  EXPECT_EQ(consumer->session_timeout, 45s);
  EXPECT_FALSE(consumer->enable_auto_commit) << "there is no group to commit for";
  const auto admin = admin_settings(with({}));
  ASSERT_TRUE(admin.has_value()) << problems_of(admin);
  EXPECT_EQ(admin->common.connections_max_idle, 5min);
}

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

TEST(Settings, what_is_not_supported_is_said_without_showing_its_value) {
  const std::string problems = producer_problems({{"sasl.jaas.config", "secret"}});
  EXPECT_TRUE(contains(problems, "sasl.jaas.config"));
  EXPECT_TRUE(contains(problems, "does not support"));
  EXPECT_FALSE(contains(problems, "secret"));
  EXPECT_EQ(producer_problems({{"security.protocol", "PLAINTEXT"}}), "");
  EXPECT_TRUE(contains(producer_problems({{"security.protocol", "SSL"}}), "PLAINTEXT"));
}

TEST(Settings, an_unknown_name_is_an_error_that_names_the_nearest) {
  EXPECT_TRUE(contains(producer_problems({{"lingr.ms", "5"}}), "did you mean linger.ms?"));
  EXPECT_TRUE(contains(producer_problems({{"boostrap.servers", "a:1"}}), "bootstrap.servers"));
  EXPECT_TRUE(contains(consumer_problems({{"sasl.mechansim", "x"}}), "sasl.mechanism"));
  EXPECT_TRUE(contains(consumer_problems({{"linger.ms", "5"}}), "a consumer has no setting"));
  EXPECT_TRUE(contains(producer_problems({{"something.else.altogether", "5"}}), "no setting"));
}

TEST(Settings, all_problems_are_told_at_once) {
  const auto result = producer_settings({{"acks", "2"}, {"retries", "-1"}, {"lingr.ms", "1"}});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().size(), 4U) << problems_of(result);
}

TEST(Settings, of_equal_names_the_last_counts) {
  const auto result = producer_settings(with({{"acks", "nonsense"}, {"acks", "1"}}));
  ASSERT_TRUE(result.has_value()) << problems_of(result);
  EXPECT_EQ(result->acks, Acks::leader);
}

TEST(Settings, numbers_outside_their_range_are_refused) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"batch.size", "-1"},
           {"batch.size", "2147483648"},
           {"batch.size", "1x"},
           {"batch.size", ""},
           {"batch.size", "1e3"},
           {"batch.size", "99999999999999999999"},
           {"retry.backoff.ms", "-1"},
           {"request.timeout.ms", "2147483648"},
           {"metadata.max.idle.ms", "4999"},
           {"send.buffer.bytes", "-2"},
           {"enable.idempotence", "yes"},
           {"compression.zstd.level", "23"},
           {"compression.gzip.level", "0"},
           {"compression.lz4.level", "18"},
           {"transactional.id", " "},
           {"max.in.flight.requests.per.connection", "0"}}) {
    EXPECT_TRUE(contains(producer_problems({{name, value}}), name)) << name << "=" << value;
  }
}

TEST(Settings, very_long_times_are_the_longest_there_are) {
  const auto result = producer_settings(with({{"metadata.max.age.ms", "9223372036854775807"},
                                              {"max.block.ms", "9223372036854"},
                                              {"connections.max.idle.ms", "-1"},
                                              {"send.buffer.bytes", "-1"}}));
  ASSERT_TRUE(result.has_value()) << problems_of(result);
  EXPECT_EQ(result->common.metadata_max_age, Duration::max());
  EXPECT_EQ(result->max_block, Duration::max());
  EXPECT_EQ(result->common.connections_max_idle, Duration::max());
  EXPECT_EQ(result->common.send_buffer_bytes, std::nullopt);
  const auto linger = producer_settings(with({{"linger.ms", "9223372036854775807"}}));
  ASSERT_TRUE(linger.has_value()) << problems_of(linger);
  EXPECT_EQ(linger->delivery_timeout, Duration::max());
}

TEST(Settings, idempotence_yields_to_what_excludes_it_unless_it_was_asked_for) {
  EXPECT_FALSE(producer_settings(with({{"acks", "1"}}))->enable_idempotence);
  EXPECT_FALSE(producer_settings(with({{"retries", "0"}}))->enable_idempotence);
  EXPECT_TRUE(contains(producer_problems({{"acks", "0"}, {"enable.idempotence", "true"}}),
                       "enable.idempotence=true needs acks=all"));
  EXPECT_TRUE(
      contains(producer_problems({{"max.in.flight.requests.per.connection", "6"}}), "at most 5"));
  EXPECT_EQ(producer_problems({{"max.in.flight.requests.per.connection", "6"}, {"acks", "1"}}), "");
  EXPECT_TRUE(contains(producer_problems({{"transactional.id", "t"}, {"acks", "1"}}), "acks=all"));
  EXPECT_TRUE(
      contains(producer_problems({{"transactional.id", "t"}, {"enable.idempotence", "false"}}),
               "transactional.id needs"));
}

TEST(Settings, the_delivery_timeout_holds_a_request_and_the_linger) {
  EXPECT_TRUE(contains(producer_problems({{"delivery.timeout.ms", "30000"}}), "at least"));
  const auto longer = producer_settings(with({{"request.timeout.ms", "200000"}}));
  EXPECT_EQ(longer->delivery_timeout, 200s + 5ms);
}

TEST(Settings, compression_has_the_level_of_the_codec_that_is_chosen) {
  const auto zstd = producer_settings(with({{"compression.type", "zstd"},
                                            {"compression.zstd.level", "7"},
                                            {"compression.gzip.level", "-1"}}));
  ASSERT_TRUE(zstd.has_value()) << problems_of(zstd);
  EXPECT_EQ(zstd->compression, *protocol::CompressionOptions::with_level(
                                   protocol::Codec::zstd, protocol::CompressionLevel(7)));
  EXPECT_TRUE(contains(producer_problems({{"compression.type", "brotli"}}), "zstd"));
}

TEST(Settings, partitioners_have_our_names_and_javas) {
  EXPECT_EQ(producer_settings(with({{"partitioner.class", "murmur2_random"}}))->partitioner,
            PartitionerKind::murmur2_random);
  EXPECT_EQ(producer_settings(with({{"partitioner.class",
                                     "org.apache.kafka.clients.producer.RoundRobinPartitioner"}}))
                ->partitioner,
            PartitionerKind::round_robin);
  EXPECT_TRUE(contains(producer_problems({{"partitioner.class", "custom"}}), "in code"));
  for (int kind = 0; kind <= static_cast<int>(PartitionerKind::custom); ++kind) {
    EXPECT_FALSE(name_of(static_cast<PartitionerKind>(kind)).empty());
  }
}

TEST(Settings, a_first_reconnect_pause_alone_is_the_only_one) {
  const auto result = producer_settings(with({{"reconnect.backoff.ms", "700"}}));
  EXPECT_EQ(result->common.reconnect_backoff_max, 700ms);
  EXPECT_EQ(producer_settings(with({{"retry.backoff.ms", "700"}}))->common.retry_backoff_max, 1s);
}

TEST(Settings, bootstrap_servers_are_names_and_addresses_with_ports) {
  const auto result =
      producer_settings({{"bootstrap.servers", " a:1 ,[::1]:2,, PLAINTEXT://b.example:3,a:1"}});
  ASSERT_TRUE(result.has_value()) << problems_of(result);
  ASSERT_EQ(result->common.bootstrap.size(), 3U);
  EXPECT_EQ(to_string(result->common.bootstrap[1]), "[::1]:2");
  EXPECT_EQ(to_string(result->common.bootstrap[2]), "b.example:3");
  for (const char* wrong : {"", ",", "a", "a:", ":1", "a:0", "a:65536", "a:-1", "a b:1", "::1:9"}) {
    EXPECT_FALSE(producer_settings({{"bootstrap.servers", wrong}}).has_value()) << wrong;
  }
  EXPECT_FALSE(consumer_settings({}).has_value());
  EXPECT_FALSE(admin_settings({}).has_value());
}

TEST(ConsumerSettings, where_a_group_begins_may_be_a_time_ago) {
  const auto result = consumer_settings(with({{"auto.offset.reset", "by_duration:P1DT2H3M4.5S"}}));
  ASSERT_TRUE(result.has_value()) << problems_of(result);
  EXPECT_EQ(result->auto_offset_reset, OffsetReset::by_duration);
  EXPECT_EQ(result->auto_offset_reset_duration, 24h + 2h + 3min + 4500ms);
  EXPECT_EQ(consumer_settings(with({{"auto.offset.reset", "earliest"}}))->auto_offset_reset,
            OffsetReset::earliest);
  for (const char* wrong :
       {"Latest", "", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:-PT1S",
        "by_duration:PT1H1D", "by_duration:P1H", "by_duration:PT1M1H", "by_duration:PT1.5M",
        "by_duration:PT1.S", "by_duration:PT.S", "by_duration:P999999999999D",
        "by_duration:PT1S ago", "by_duration:P1DT"}) {
    EXPECT_TRUE(contains(consumer_problems({{"auto.offset.reset", wrong}}), "auto.offset.reset"))
        << wrong;
  }
}

TEST(ConsumerSettings, assignors_have_short_names_and_javas) {
  const auto result =
      consumer_settings(with({{"partition.assignment.strategy",
                               "sticky, org.apache.kafka.clients.consumer.RangeAssignor"}}));
  ASSERT_TRUE(result.has_value()) << problems_of(result);
  EXPECT_EQ(result->partition_assignment_strategy,
            (std::vector<AssignorKind>{AssignorKind::sticky, AssignorKind::range}));
  for (const char* wrong : {"", "range,range", "nearest"}) {
    EXPECT_TRUE(contains(consumer_problems({{"partition.assignment.strategy", wrong}}),
                         "partition.assignment.strategy"))
        << wrong;
  }
  EXPECT_EQ(name_of(AssignorKind::round_robin), "roundrobin");
}

TEST(ConsumerSettings, what_belongs_to_one_group_protocol_is_refused_with_the_other) {
  EXPECT_TRUE(contains(consumer_problems({{"group.remote.assignor", "uniform"}}), "consumer"));
  EXPECT_TRUE(
      contains(consumer_problems({{"group.protocol", "consumer"}, {"session.timeout.ms", "9000"}}),
               "session.timeout.ms is the broker's"));
  EXPECT_EQ(consumer_problems({{"group.protocol", "CONSUMER"}}), "");
  EXPECT_TRUE(contains(
      consumer_problems({{"session.timeout.ms", "9000"}, {"heartbeat.interval.ms", "9000"}}),
      "below"));
  EXPECT_TRUE(contains(consumer_problems({{"enable.auto.commit", "true"}}), "group.id"));
  EXPECT_TRUE(consumer_settings(with({{"group.id", "g"}}))->enable_auto_commit);
}

TEST(ConsumerSettings, an_answer_has_room_for_a_fetch) {
  EXPECT_TRUE(contains(consumer_problems({{"millrace.answer.max.bytes", "2000"}}),
                       "at least fetch.max.bytes"));
  EXPECT_TRUE(contains(consumer_problems({{"fetch.max.wait.ms", "30000"}}), "below"));
}

TEST(AdminSettings, a_call_may_take_as_long_as_a_request) {
  EXPECT_TRUE(contains(problems_of(admin_settings(with({{"default.api.timeout.ms", "1000"}}))),
                       "at least"));
  EXPECT_EQ(admin_settings(with({{"request.timeout.ms", "90000"}}))->default_api_timeout, 90s);
}

}  // namespace
}  // namespace millrace::client
