module;
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

module millrace.security;

namespace millrace::security {
namespace {

constexpr std::array protocols = {SecurityProtocol::plaintext, SecurityProtocol::ssl,
                                  SecurityProtocol::sasl_plaintext, SecurityProtocol::sasl_ssl};

}  // namespace

std::string_view name_of(SecurityProtocol protocol) {
  switch (protocol) {
    case SecurityProtocol::plaintext:
      return "PLAINTEXT";
    case SecurityProtocol::ssl:
      return "SSL";
    case SecurityProtocol::sasl_plaintext:
      return "SASL_PLAINTEXT";
    case SecurityProtocol::sasl_ssl:
      return "SASL_SSL";
  }
  return "unknown";
}

std::optional<SecurityProtocol> security_protocol_from(std::string_view name) {
  for (const SecurityProtocol protocol : protocols) {
    if (name == name_of(protocol)) return protocol;
  }
  return std::nullopt;
}

std::string to_string(const Principal& principal) {
  return principal.type + ":" + principal.name;
}

}  // namespace millrace::security
