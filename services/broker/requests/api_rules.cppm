// The APIs that this broker serves: in which versions, who answers them, and what is asked of the
// authoriser and the quotas for each.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

export module millrace.broker.requests:api_rules;

import millrace.protocol.api;
import millrace.security;

export namespace millrace::broker {

// Who answers.
enum class Route : std::uint8_t {
  here,  // this module, from what the shard knows
  data,  // the partitions of this broker
  fetch,
  group,       // the coordinator on this host
  controller,  // the controllers, with the principal of the request
};

// One question for the authoriser: whether the operation on a resource of this type is allowed. For
// what a request names many of, it is asked for each.
struct Question {
  security::Operation operation = security::Operation::unknown;
  security::ResourceType type = security::ResourceType::unknown;

  friend constexpr bool operator==(const Question&, const Question&) = default;
};

inline constexpr std::size_t questions_max = 2;

struct ApiRule {
  protocol::ApiKey key = protocol::ApiKey::produce;
  // The versions that are advertised. Not all of them need be served: see serves().
  std::int16_t version_min = 0;
  std::int16_t version_max = 0;
  Route route = Route::here;
  // Unused ones are unknown.
  std::array<Question, questions_max> questions{};
  // Told by whoever answers: of requests that wait for others nobody knows the time of a thread.
  security::QuotaKind quota = security::QuotaKind::request;
};

// By key. What works, and nothing else.
[[nodiscard]] std::span<const ApiRule> api_rules();
// Null: the API is not served.
[[nodiscard]] const ApiRule* find_rule(protocol::ApiKey key);
// Whether a request in that version is answered. Produce is advertised from a version on that is
// too old to be served, because clients choose codecs by it.
[[nodiscard]] bool serves(const ApiRule& rule, std::int16_t version);

}  // namespace millrace::broker
