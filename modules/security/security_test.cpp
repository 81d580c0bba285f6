// Codes, names and rules of sessions. Proves authentication.cpp, authorizer.cpp, quotas.cpp,
// session.cpp.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

import millrace.base;
import millrace.protocol.api;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::security {
namespace {

using protocol::ApiKey;

const SocketAddress peer = address_from_string("192.0.2.1", Port(5000)).value();

TEST(SecurityProtocol, has_kafkas_names_and_numbers) {
  EXPECT_EQ(security_protocol_from("PLAINTEXT"), SecurityProtocol::plaintext);
  EXPECT_EQ(static_cast<std::int16_t>(*security_protocol_from("SSL")), 1);
  EXPECT_EQ(static_cast<std::int16_t>(*security_protocol_from("SASL_PLAINTEXT")), 2);
  EXPECT_EQ(static_cast<std::int16_t>(*security_protocol_from("SASL_SSL")), 3);
  EXPECT_EQ(security_protocol_from("plaintext"), std::nullopt);
  EXPECT_EQ(unsupported_reason(SecurityProtocol::plaintext), std::nullopt);
  EXPECT_EQ(unsupported_reason(SecurityProtocol::ssl),
            "security protocol SSL is not supported yet; listeners can use PLAINTEXT");
}

TEST(Authentication, plaintext_is_authenticated_at_once) {
  const AuthenticationMachine machine("CLIENTS", SecurityProtocol::plaintext, peer);
  EXPECT_EQ(machine.state(), AuthenticationState::authenticated);
  EXPECT_TRUE(machine.admits(ApiKey::produce));
  EXPECT_EQ(machine.frame_bytes_max(100 * mebibyte), 100 * mebibyte);
  EXPECT_EQ(machine.requests_max(64), 64u);
  EXPECT_EQ(machine.session()->listener, "CLIENTS");
  EXPECT_EQ(to_string(machine.session()->principal), "User:ANONYMOUS");
  EXPECT_EQ(machine.session()->peer, peer);
}

TEST(Authentication, before_it_little_is_taken) {
  const AuthenticationMachine machine("CLIENTS", SecurityProtocol::sasl_plaintext, peer);
  EXPECT_EQ(machine.state(), AuthenticationState::waiting);
  EXPECT_FALSE(machine.admits(ApiKey::produce));
  EXPECT_FALSE(machine.admits(ApiKey::metadata));
  EXPECT_TRUE(machine.admits(ApiKey::api_versions));
  EXPECT_TRUE(machine.admits(ApiKey::sasl_handshake));
  EXPECT_TRUE(machine.admits(ApiKey::sasl_authenticate));
  EXPECT_EQ(machine.frame_bytes_max(100 * mebibyte), unauthenticated_frame_bytes_max);
  EXPECT_EQ(machine.frame_bytes_max(1000), 1000u);
  EXPECT_EQ(machine.requests_max(64), 1u);
}

TEST(Authentication, what_authenticates_runs_alone) {
  const AuthenticationMachine machine("CLIENTS", SecurityProtocol::plaintext, peer);
  EXPECT_TRUE(machine.runs_alone(ApiKey::sasl_handshake));
  EXPECT_TRUE(machine.runs_alone(ApiKey::sasl_authenticate));
  EXPECT_FALSE(machine.runs_alone(ApiKey::produce));
}

TEST(Authorizer, operations_and_resources_have_kafkas_codes) {
  EXPECT_EQ(static_cast<int>(Operation::describe_configs), 10);
  EXPECT_EQ(static_cast<int>(Operation::two_phase_commit), 15);
  EXPECT_EQ(static_cast<int>(ResourceType::transactional_id), 5);
  for (int code = 1; code <= 15; ++code) {
    EXPECT_NE(name_of(static_cast<Operation>(code)), "UNKNOWN") << code;
  }
  for (int code = 1; code <= 7; ++code) {
    EXPECT_NE(name_of(static_cast<ResourceType>(code)), "UNKNOWN") << code;
  }
  EXPECT_EQ(name_of(Operation::remove), "DELETE");
  EXPECT_EQ(name_of(ResourceType::delegation_token), "DELEGATION_TOKEN");
}

TEST(Authorizer, allow_all_allows_all) {
  AllowAll authorizer;
  EXPECT_TRUE(authorizer.authorize({}, Operation::alter, ResourceType::cluster, cluster_name));
  EXPECT_FALSE(authorizer.restricts());
}

TEST(Quotas, no_quotas_throttle_nobody) {
  NoQuotas quotas;
  EXPECT_EQ(quotas.record({}, "client", QuotaKind::produce, 1'000'000'000, {}), Duration{});
  EXPECT_EQ(name_of(QuotaKind::fetch), "consumer_byte_rate");
}

}  // namespace
}  // namespace millrace::security
