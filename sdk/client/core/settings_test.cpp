// Settings under Kafka's names: defaults, ranges, what excludes what, and what is said about it.
// Also proves settings_reader.cpp, settings_reader.cppm.
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

TEST(Settings, leave_the_buffers_of_sockets_to_the_system) {
  const auto untouched = consumer_settings(with({}));
  ASSERT_TRUE(untouched.has_value()) << problems_of(untouched);
  EXPECT_EQ(untouched->common.send_buffer_bytes, std::nullopt);
  EXPECT_EQ(untouched->common.receive_buffer_bytes, std::nullopt);
  const auto asked = consumer_settings(with({{"receive.buffer.bytes", "65536"}}));
  ASSERT_TRUE(asked.has_value()) << problems_of(asked);
  EXPECT_EQ(asked->common.receive_buffer_bytes, 65536);
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
  EXPECT_EQ(producer->common.connections_max_idle, 9min);
  const auto consumer = consumer_settings(with({}));
  ASSERT_TRUE(consumer.has_value()) << problems_of(consumer);
  EXPECT_EQ(consumer->max_poll_records, 500);
  EXPECT_EQ(consumer->session_timeout, 45s);
  EXPECT_FALSE(consumer->enable_auto_commit) << "there is no group to commit for";
  const auto admin = admin_settings(with({}));
  ASSERT_TRUE(admin.has_value()) << problems_of(admin);
  EXPECT_EQ(admin->common.connections_max_idle, 5min);
}

TEST(Settings, what_is_not_supported_is_said_without_showing_its_value) {
  const std::string problems = producer_problems({{"sasl.jaas.config", "secret"}});
  EXPECT_TRUE(contains(problems, "sasl.jaas.config"));
  EXPECT_TRUE(contains(problems, "does not support"));
  EXPECT_FALSE(contains(problems, "secret"));
  EXPECT_EQ(producer_problems({{"security.protocol", "PLAINTEXT"}}), "");
  EXPECT_TRUE(contains(producer_problems({{"security.protocol", "SSL"}}), "PLAINTEXT"));
}

TEST(Settings, security_that_is_not_there_yet_is_named) {
  EXPECT_TRUE(contains(producer_problems({{"security.protocol", "SASL_SSL"}}),
                       "security.protocol is supported as \"PLAINTEXT\" only: this client does "
                       "not support TLS and SASL yet"));
  EXPECT_TRUE(contains(consumer_problems({{"ssl.truststore.location", "trusted.jks"}}),
                       "ssl.truststore.location: this client does not support TLS yet"));
  EXPECT_TRUE(contains(consumer_problems({{"sasl.mechanism", "PLAIN"}}),
                       "sasl.mechanism: this client does not support SASL yet"));
  // What asks for nothing harms nobody.
  EXPECT_EQ(producer_problems({{"security.protocol", "plaintext"}}), "");
  EXPECT_EQ(producer_problems({{"ssl.endpoint.identification.algorithm", ""}}), "");
  EXPECT_TRUE(contains(producer_problems({{"key.serializer", ""}}), "key.serializer"));
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

TEST(Settings, of_admins_name_brokers_or_controllers) {
  const auto brokers =
      admin_settings({{"bootstrap.servers", "a:1"}, {"bootstrap.controllers", ""}});
  ASSERT_TRUE(brokers.has_value()) << problems_of(brokers);
  EXPECT_FALSE(brokers->asks_controllers);
  const auto controllers = admin_settings({{"bootstrap.controllers", "c:1,d:2"}});
  ASSERT_TRUE(controllers.has_value()) << problems_of(controllers);
  EXPECT_TRUE(controllers->asks_controllers);
  EXPECT_EQ(controllers->common.bootstrap, (std::vector<HostPort>{{"c", Port(1)}, {"d", Port(2)}}));
  EXPECT_TRUE(contains(problems_of(admin_settings(with({{"bootstrap.controllers", "c:1"}}))),
                       "exclude each other"));
  EXPECT_TRUE(contains(problems_of(admin_settings({{"bootstrap.controllers", "c"}})),
                       "bootstrap.controllers: "));
  EXPECT_TRUE(contains(producer_problems({{"bootstrap.controllers", "c:1"}}), "has no setting"));
  EXPECT_TRUE(contains(problems_of(admin_settings(with({{"something.else.altogether", "5"}}))),
                       "an admin client has no setting something.else.altogether"));
}

}  // namespace
}  // namespace millrace::client
