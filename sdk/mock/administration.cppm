// What operators have told the cluster, beside topics: access control, quotas, credentials, tokens,
// features, voters. Inside this module only.
module;
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

module millrace.mock:administration;

import millrace.base;
import :planted_group;

namespace millrace::mock {

// The numbers are those of the protocol.
struct Acl {
  std::int8_t resource = 0;
  std::string name;
  std::int8_t pattern = 0;
  std::string principal;
  std::string host;
  std::int8_t operation = 0;
  std::int8_t permission = 0;

  friend auto operator<=>(const Acl&, const Acl&) = default;
};

// By type of entity; no name: the default.
using QuotaEntity = std::map<std::string, std::optional<std::string>>;

struct ScramSecret {
  std::int32_t iterations = 0;
  std::vector<std::byte> salt;
  std::vector<std::byte> salted_password;
};

using PrincipalName = std::pair<std::string, std::string>;  // type, name
struct Token {
  std::string id;
  std::vector<std::byte> hmac;
  PrincipalName owner;
  std::vector<PrincipalName> renewers;
  Timestamp issued;
  Timestamp expires;
  Timestamp expires_at_latest;
};

// Plain data; the handlers keep the rules. Belongs to the state of the cluster.
struct Administration {
  std::set<Acl> acls;
  std::map<QuotaEntity, std::map<std::string, double>> quotas;
  // By user and mechanism.
  std::map<std::pair<std::string, std::int8_t>, ScramSecret> scram;
  std::vector<Token> tokens;
  std::map<std::string, std::int16_t> features;  // levels that were set by a client
  std::map<std::int32_t, Uuid> voters;           // with their directories
  std::set<std::int32_t> unregistered;
  std::map<std::string, PlantedGroup, std::less<>> groups;
};

}  // namespace millrace::mock
