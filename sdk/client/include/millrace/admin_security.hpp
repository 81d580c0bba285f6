// Who may do what: access control lists, quotas, passwords for SCRAM, delegation tokens.
#pragma once
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

// --- Access control lists. Numbers that are not listed are those of newer brokers. ---

enum class AclResource : std::int8_t {
  unknown = 0,
  any = 1,  // in filters only
  topic = 2,
  group = 3,
  cluster = 4,  // its name is "kafka-cluster"
  transactional_id = 5,
  delegation_token = 6,
  user = 7,
};

// How a binding names its resources, and how a filter looks for bindings.
enum class AclPattern : std::int8_t {
  unknown = 0,
  any = 1,       // in filters only: whatever the binding has
  match = 2,     // in filters only: every binding that counts for a resource of that name
  literal = 3,   // the resource of that name; "*": all of its kind
  prefixed = 4,  // all whose names begin so
};

enum class AclOperation : std::int8_t {
  unknown = 0,
  any = 1,  // in filters only
  all = 2,
  read = 3,
  write = 4,
  create = 5,
  remove = 6,
  alter = 7,
  describe = 8,
  cluster_action = 9,
  describe_configs = 10,
  alter_configs = 11,
  idempotent_write = 12,
  create_tokens = 13,
  describe_tokens = 14,
  two_phase_commit = 15,
};

enum class AclPermission : std::int8_t {
  unknown = 0,
  any = 1,  // in filters only
  deny = 2,
  allow = 3,
};

// One rule.
struct AclBinding {
  AclResource resource = AclResource::topic;
  std::string name = {};
  AclPattern pattern = AclPattern::literal;
  std::string principal = {};  // "User:alice"; "User:*": everybody
  std::string host = "*";
  AclOperation operation = AclOperation::read;
  AclPermission permission = AclPermission::allow;

  [[nodiscard]] friend auto operator<=>(const AclBinding&, const AclBinding&) = default;
};

// Which rules: what is not given does not matter.
struct AclFilter {
  AclResource resource = AclResource::any;
  std::optional<std::string> name = {};
  AclPattern pattern = AclPattern::any;
  std::optional<std::string> principal = {};
  std::optional<std::string> host = {};
  AclOperation operation = AclOperation::any;
  AclPermission permission = AclPermission::any;

  [[nodiscard]] friend auto operator<=>(const AclFilter&, const AclFilter&) = default;
};

// As Kafka's tools write them: "TRANSACTIONAL_ID", "PREFIXED", "DELETE", "ALLOW".
[[nodiscard]] MILLRACE_API std::string_view to_string(AclResource resource);
[[nodiscard]] MILLRACE_API std::string_view to_string(AclPattern pattern);
[[nodiscard]] MILLRACE_API std::string_view to_string(AclOperation operation);
[[nodiscard]] MILLRACE_API std::string_view to_string(AclPermission permission);
// "User:alice may READ TOPIC orders from *", for messages.
[[nodiscard]] MILLRACE_API std::string to_string(const AclBinding& binding);

// --- Quotas. ---

// One thing that a quota is for.
struct QuotaPart {
  std::string type;                      // "user", "client-id" or "ip"
  std::optional<std::string> name = {};  // none: all that have no quota of their own

  [[nodiscard]] friend auto operator<=>(const QuotaPart&, const QuotaPart&) = default;
};
// What a quota is for: a user, a client id, a user with a client id, or an address.
using QuotaEntity = std::vector<QuotaPart>;

struct QuotaFilterPart {
  enum class Match : std::int8_t { exact = 0, default_entity = 1, any = 2 };

  std::string type;
  Match match = Match::any;
  std::string name = {};  // of an exact match
};
struct QuotaFilter {
  std::vector<QuotaFilterPart> parts = {};  // none: all quotas
  bool strict = false;                      // entities with parts that are not named do not match
};

struct DescribedQuota {
  QuotaEntity entity;
  // "producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate",
  // "connection_creation_rate", with their limits.
  std::vector<std::pair<std::string, double>> limits;
};

struct QuotaChange {
  std::string key;
  std::optional<double> limit = {};  // none: it goes
};
struct QuotaChanges {
  QuotaEntity entity;
  std::vector<QuotaChange> changes;
};

// "user=alice,client-id=<default>".
[[nodiscard]] MILLRACE_API std::string to_string(const QuotaEntity& entity);

// --- Passwords for SCRAM. ---

enum class ScramMechanism : std::int8_t { unknown = 0, sha_256 = 1, sha_512 = 2 };

// "SCRAM-SHA-256".
[[nodiscard]] MILLRACE_API std::string_view to_string(ScramMechanism mechanism);

struct ScramCredential {
  ScramMechanism mechanism = ScramMechanism::sha_256;
  std::int32_t iterations = 0;
};

// What brokers take, as of Kafka 4.
inline constexpr std::int32_t scram_iterations_min = 4096;
inline constexpr std::int32_t scram_iterations_max = 16384;

// A password is set, or goes. It does not leave this process: brokers are sent what SCRAM derives.
struct ScramChange {
  std::string user;
  ScramMechanism mechanism = ScramMechanism::sha_256;
  std::optional<std::string> password = {};  // none: the credential goes
  std::int32_t iterations = 8192;
  std::vector<std::byte> salt = {};  // random when not given
};

// --- Delegation tokens. ---

struct Principal {
  std::string type = "User";
  std::string name;

  [[nodiscard]] friend auto operator<=>(const Principal&, const Principal&) = default;
};

struct NewToken {
  std::optional<Principal> owner = {};  // who asks, when not given
  std::vector<Principal> renewers = {};
  // Until when it may be renewed; the brokers' limit when not given.
  std::optional<std::chrono::milliseconds> lifetime = {};
};

struct DelegationToken {
  using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

  std::string id;
  std::vector<std::byte> hmac;  // the secret, by which it is renewed and ended
  Principal owner;
  Principal requester;  // who asked for it
  std::vector<Principal> renewers;
  Time issued = {};
  Time expires = {};
  Time expires_at_latest = {};  // whoever renews it
};

}  // namespace millrace::inline v1
