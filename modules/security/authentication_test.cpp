#include <gtest/gtest.h>

#include <cstddef>

import millrace.base;
import millrace.protocol.api;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::security {
namespace {

using protocol::ApiKey;

const SocketAddress peer = address_from_string("192.0.2.1", Port(5000)).value();

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

}  // namespace
}  // namespace millrace::security
