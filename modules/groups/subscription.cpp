module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

module millrace.groups;

import millrace.base;
import millrace.protocol.groups;

namespace millrace::groups {
namespace {

// Metadata is at most member_bytes_max long; a topic in it takes at least two bytes and, decoded, a
// view.
constexpr std::size_t arena_bytes_max = 32 * mebibyte;

}  // namespace

std::optional<std::vector<std::string>> subscribed_topics(ByteView metadata) {
  using protocol::ConsumerProtocolSubscription;
  ByteReader reader(metadata);
  const auto version = reader.integer<std::int16_t>();
  if (reader.failed() || version < ConsumerProtocolSubscription::version_min) return std::nullopt;
  // Later versions only add to the end.
  const auto known = std::min(version, ConsumerProtocolSubscription::version_max);
  protocol::Arena arena(arena_bytes_max);
  ConsumerProtocolSubscription subscription;
  if (!protocol::decode(subscription, reader.rest(), known, arena)) return std::nullopt;
  std::vector<std::string> topics;
  topics.reserve(subscription.topics.size());
  for (const auto topic : subscription.topics) topics.emplace_back(topic);
  return topics;
}

}  // namespace millrace::groups
