module;
#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.security;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime.streams;

namespace millrace::security {

using protocol::ApiKey;

std::string_view name_of(AuthenticationState state) {
  switch (state) {
    case AuthenticationState::waiting:
      return "not authenticated";
    case AuthenticationState::authenticated:
      return "authenticated";
  }
  return "unknown";
}

std::optional<std::string> unsupported_reason(SecurityProtocol protocol) {
  if (protocol == SecurityProtocol::plaintext) return std::nullopt;
  return "security protocol " + std::string(name_of(protocol)) +
         " is not supported yet; listeners can use PLAINTEXT";
}

AuthenticationMachine::AuthenticationMachine(std::string listener, SecurityProtocol protocol,
                                             const SocketAddress& peer)
    : state_(protocol == SecurityProtocol::plaintext ? AuthenticationState::authenticated
                                                     : AuthenticationState::waiting),
      session_(std::make_shared<Session>(Session{
          .listener = std::move(listener), .protocol = protocol, .principal = {}, .peer = peer})) {}

std::size_t AuthenticationMachine::frame_bytes_max(std::size_t authenticated_max) const {
  if (is_authenticated()) return authenticated_max;
  return std::min(authenticated_max, unauthenticated_frame_bytes_max);
}

std::size_t AuthenticationMachine::requests_max(std::size_t authenticated_max) const {
  return is_authenticated() ? authenticated_max : 1;
}

bool AuthenticationMachine::runs_alone(ApiKey api) const {
  return api == ApiKey::sasl_handshake || api == ApiKey::sasl_authenticate;
}

bool AuthenticationMachine::is_for_authentication(ApiKey api) {
  return api == ApiKey::api_versions || api == ApiKey::sasl_handshake ||
         api == ApiKey::sasl_authenticate;
}

}  // namespace millrace::security
