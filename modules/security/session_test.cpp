#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

import millrace.security;

namespace millrace::security {
namespace {

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

}  // namespace
}  // namespace millrace::security
