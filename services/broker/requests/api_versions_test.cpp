// ApiVersions, by which a client learns how to talk to this broker.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

import millrace.protocol.metadata;

namespace millrace::broker {
namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;

ApiVersionsRequest asked_by(std::string_view name, std::string_view version) {
  ApiVersionsRequest request;
  request.client_software_name = name;
  request.client_software_version = version;
  return request;
}

std::string hex(ByteView bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[std::to_integer<std::size_t>(byte) >> 4];
    text += digits[std::to_integer<std::size_t>(byte) & 15];
  }
  return text;
}

TEST(ApiVersions, lists_all_that_is_served_in_every_version) {
  for (std::int16_t version = 0; version <= 4; ++version) {
    Bench bench;
    bench.set(Cluster().broker(1).image());
    const auto answer =
        bench.ask<ApiVersionsResponse>(asked_by("apache-kafka-java", "4.3.1"), version);
    EXPECT_EQ(answer.correlation_id, CorrelationId(77));
    EXPECT_EQ(answer.message.error_code, 0);
    ASSERT_EQ(answer.message.api_keys.size(), api_rules().size()) << "version " << version;
    EXPECT_EQ(answer.message.api_keys[0].api_key, 0);
    EXPECT_EQ(answer.message.api_keys[0].min_version, 0) << "trap: librdkafka chooses codecs by it";
    EXPECT_EQ(answer.message.api_keys[0].max_version, 13);
    if (version >= 3) {
      EXPECT_EQ(answer.message.finalized_features_epoch, 42);
      // Kafka 4.3's own level, and nothing that does not work: groups of the new protocol,
      // transactions of the second version and the like have features too.
      ASSERT_EQ(answer.message.supported_features.size(), 1U);
      const auto& supported = answer.message.supported_features[0];
      EXPECT_EQ(supported.name, "metadata.version");
      EXPECT_EQ(supported.min_version, 30);
      EXPECT_EQ(supported.max_version, 30);
      ASSERT_EQ(answer.message.finalized_features.size(), 1U);
      EXPECT_EQ(answer.message.finalized_features[0].name, "metadata.version");
      EXPECT_EQ(answer.message.finalized_features[0].max_version_level, 30);
    }
  }
}

TEST(ApiVersions, tell_no_level_of_a_feature_before_the_cluster_is_known) {
  Bench bench;
  const auto answer = bench.ask<ApiVersionsResponse>(asked_by("apache-kafka-java", "4.3.1"), 4);
  EXPECT_EQ(answer.message.supported_features.size(), 1U);
  EXPECT_EQ(answer.message.finalized_features.size(), 0U);
}

// The bytes are those that Apache Kafka 4.3.1 answers.
TEST(ApiVersions, in_a_version_too_new_are_told_in_version_0_and_name_only_themselves) {
  Bench bench;
  const std::vector<std::byte> body(3, std::byte{0x7f});
  Request request = bench.request(ApiKey::api_versions, 9, body);
  request.context.version_supported = false;
  const Response response = bench.serve(std::move(request));
  const auto answer = bench.read<ApiVersionsResponse>(response, 0);
  EXPECT_EQ(hex(ByteView(answer.bytes).subspan(4)), "002300000001001200000004");
}

TEST(ApiVersions, from_software_without_a_name_are_an_invalid_request) {
  Bench bench;
  for (const auto& [name, version] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"-kcat", "1"}, {"kcat", "1 2"}, {"kcat", "1."}}) {
    const auto answer = bench.ask<ApiVersionsResponse>(asked_by(name, version), 3);
    EXPECT_EQ(hex(ByteView(answer.bytes).subspan(4)), "002a010000000000") << name << version;
  }
}

TEST(ApiVersions, tell_features_that_may_be_off_only_to_clients_that_understand_that) {
  const std::vector<Feature> features = {{.name = "group.version", .level_min = 0, .level_max = 1},
                                         {.name = "old.version", .level_min = 1, .level_max = 7}};
  const auto image = Cluster()
                         .add(metadata::FeatureRecord{.name = "group.version", .level = 1})
                         .add(metadata::FeatureRecord{.name = "unknown", .level = 1})
                         .image();
  protocol::Arena arena(request_arena_bytes_max);
  const auto request = asked_by("kcat", "1.7");
  const auto newer = answer_api_versions(request, 4, true, features, *image, arena);
  ASSERT_EQ(newer.supported_features.size(), 2U);
  ASSERT_EQ(newer.finalized_features.size(), 1U);
  EXPECT_EQ(newer.finalized_features[0].name, "group.version");
  EXPECT_EQ(newer.finalized_features[0].max_version_level, 1);
  const auto older = answer_api_versions(request, 3, true, features, *image, arena);
  ASSERT_EQ(older.supported_features.size(), 1U);
  EXPECT_EQ(older.supported_features[0].name, "old.version");
}

}  // namespace
}  // namespace millrace::broker
