// The answer to DescribeTopicPartitions: topics by name, so many partitions at a time, and where to
// go on.
module;
#include <cstdint>

export module millrace.broker.requests.lookups:partitions_answer;

import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.protocol.wire;
import :cluster_view;

export namespace millrace::broker {

// How many partitions one answer tells, whatever the request says: Kafka's
// max.request.partition.size.limit.
inline constexpr std::int32_t described_partitions_max = 2000;

[[nodiscard]] protocol::DescribeTopicPartitionsResponse answer_topic_partitions(
    const protocol::DescribeTopicPartitionsRequest& request, const ClusterView& view,
    protocol::Arena& arena);

}  // namespace millrace::broker
