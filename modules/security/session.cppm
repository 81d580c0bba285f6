// Who is at the other end of a connection.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.security:session;

import millrace.runtime.streams;

export namespace millrace::security {

// Kafka's numbers, as they stand in the registration of a broker.
enum class SecurityProtocol : std::int16_t {
  plaintext = 0,
  ssl = 1,
  sasl_plaintext = 2,
  sasl_ssl = 3,
};

[[nodiscard]] std::string_view name_of(SecurityProtocol protocol);
// By the name that configuration files use: "PLAINTEXT", "SASL_SSL".
[[nodiscard]] std::optional<SecurityProtocol> security_protocol_from(std::string_view name);

// "User:ANONYMOUS".
struct Principal {
  std::string type = "User";
  std::string name = "ANONYMOUS";

  friend bool operator==(const Principal&, const Principal&) = default;
};

[[nodiscard]] std::string to_string(const Principal& principal);

// What is known of a peer once it is authenticated; all requests of a connection share it. A value
// that nobody changes, so any thread may read it.
struct Session {
  std::string listener;
  SecurityProtocol protocol = SecurityProtocol::plaintext;
  Principal principal;
  SocketAddress peer;
};

}  // namespace millrace::security
