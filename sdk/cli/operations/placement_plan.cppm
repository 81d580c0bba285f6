// Where replicas should be: decided without asking anybody.
module;
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/admin_topics.hpp"
#include "millrace/records.hpp"

export module millrace.cli.operations:placement_plan;

import millrace.cli.frame;

export namespace millrace::cli {

using Replicas = std::vector<std::int32_t>;  // brokers, the preferred leader first
using Placement = std::map<v1::TopicPartition, Replicas>;

// Where partitions will be when the moves that are under way have ended. Meanwhile they have the
// old and the new replicas, of which a plan would make more replicas for good.
[[nodiscard]] Placement after_moves(Placement placement,
                                    const std::vector<v1::OngoingReassignment>& ongoing);
// Partitions that change, and what they become. Few replicas move, and brokers have about as many
// replicas and preferred leaders each.
[[nodiscard]] std::variant<Placement, Failure> plan_drain(const Placement& now,
                                                          const std::set<std::int32_t>& brokers,
                                                          std::int32_t leaving);
// `which` are put on `targets`, with so many replicas each, or as many as they have.
[[nodiscard]] std::variant<Placement, Failure> plan_spread(
    const Placement& now, const std::vector<v1::TopicPartition>& which,
    const std::vector<std::int32_t>& targets, std::optional<std::size_t> factor);

}  // namespace millrace::cli
