// How a connection becomes somebody's: which requests it may send before, and what follows.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

export module millrace.security:authentication;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime.streams;
import :session;

export namespace millrace::security {

// The states of a connection. A protocol without authentication begins in the second.
enum class AuthenticationState : std::uint8_t {
  // Only ApiVersions, SaslHandshake and SaslAuthenticate are taken, one at a time, in small frames.
  waiting,
  authenticated,
};

[[nodiscard]] std::string_view name_of(AuthenticationState state);

// What a protocol needs of the process before anybody can connect by it; none if it works.
[[nodiscard]] std::optional<std::string> unsupported_reason(SecurityProtocol protocol);

// Decides, and does nothing itself: the connection asks it before each request. Owned by its
// connection.
class AuthenticationMachine {
 public:
  AuthenticationMachine(std::string listener, SecurityProtocol protocol, const SocketAddress& peer);

  [[nodiscard]] AuthenticationState state() const { return state_; }
  [[nodiscard]] inline bool is_authenticated() const {
    return state_ == AuthenticationState::authenticated;
  }

  // Whether such a request may be sent now. If not, the connection is closed.
  [[nodiscard]] inline bool admits(protocol::ApiKey api) const {
    return is_authenticated() || is_for_authentication(api);
  }
  // The largest frame for now; `authenticated_max` holds once it is known who sends.
  [[nodiscard]] std::size_t frame_bytes_max(std::size_t authenticated_max) const;
  // Requests that may be under way at once; `authenticated_max` likewise. What authenticates runs
  // alone, because its answer decides how the next request is taken.
  [[nodiscard]] std::size_t requests_max(std::size_t authenticated_max) const;
  [[nodiscard]] bool runs_alone(protocol::ApiKey api) const;

  // Of an authenticated peer; else without its principal's right name, for the log only.
  [[nodiscard]] const std::shared_ptr<const Session>& session() const { return session_; }

 private:
  [[nodiscard]] static bool is_for_authentication(protocol::ApiKey api);

  AuthenticationState state_;
  std::shared_ptr<const Session> session_;
};

}  // namespace millrace::security
