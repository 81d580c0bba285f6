// The cluster as one client sees it: through the listener that it came by, and as far as it may.
module;
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.broker.requests.lookups:cluster_view;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.wire;

export namespace millrace::broker {

// The arrays of an answer, until it is encoded. They hold what the image holds, each thing once, so
// the image and the request bound them.
inline constexpr std::size_t answer_arena_bytes_max = std::size_t{1} << 40;

// Views of things that live as long as the answer is made: an image that is held, the request, the
// session.
struct ClusterView {
  const metadata::Image& image;
  std::string_view listener;
  Permissions permissions;

  // How clients of this listener reach the broker; null if they cannot, or if it is fenced.
  [[nodiscard]] const metadata::Endpoint* endpoint_of(BrokerId id) const;
  // The broker that is told as the controller: a live one, since every broker takes what is meant
  // for the controller. None: no broker lives.
  [[nodiscard]] BrokerId told_as_controller() const;
};

// Whether a topic may have the name; the error is a sentence.
[[nodiscard]] Result<void, std::string> check_topic_name(std::string_view name);

[[nodiscard]] bool is_internal_topic(std::string_view name);

inline constexpr std::string_view group_state_topic = "__consumer_offsets";
inline constexpr std::string_view transaction_state_topic = "__transaction_state";

// As a message holds them.
[[nodiscard]] protocol::Array<std::int32_t> ids_of(std::span<const BrokerId> brokers,
                                                   protocol::Arena& arena);
// Those of `replicas` that no client of this listener reaches.
[[nodiscard]] protocol::Array<std::int32_t> offline_of(std::span<const BrokerId> replicas,
                                                       const ClusterView& view,
                                                       protocol::Arena& arena);

// A partition's leader as clients of this listener see it.
struct SeenLeader {
  BrokerId id = no_broker;
  protocol::ErrorCode error = protocol::ErrorCode::none;
};
// `tells_listener`: the request's version knows listener_not_found.
[[nodiscard]] SeenLeader seen_leader(const metadata::Partition& partition, const ClusterView& view,
                                     bool tells_listener);

}  // namespace millrace::broker
