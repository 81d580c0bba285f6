// The answers to DescribeCluster and FindCoordinator.
module;
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.broker.requests.lookups:cluster_answer;

import millrace.protocol.metadata;
import millrace.protocol.wire;
import :cluster_view;

export namespace millrace::broker {

[[nodiscard]] protocol::DescribeClusterResponse answer_cluster(
    const protocol::DescribeClusterRequest& request, std::int16_t version, const ClusterView& view,
    std::string_view cluster_id, protocol::Arena& arena);

struct CoordinatorAnswer {
  // Views of the image, the request and the arena.
  protocol::FindCoordinatorResponse message;
  // The state topic of groups is asked for and is not there: told as not available until it is.
  bool lacks_group_topic = false;
};

// Transactions have no coordinator yet: clients are told so with an error that ends their try.
[[nodiscard]] CoordinatorAnswer answer_coordinator(const protocol::FindCoordinatorRequest& request,
                                                   std::int16_t version, const ClusterView& view,
                                                   protocol::Arena& arena);

}  // namespace millrace::broker
