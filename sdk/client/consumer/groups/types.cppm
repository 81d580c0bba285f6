// The words that all parts of a consumer share.
module;
#include <cstdint>
#include <map>
#include <string>
#include <vector>

export module millrace.client.consumer.groups:types;

import millrace.base;
import millrace.client.core;

export namespace millrace::client {

// Counts the rebalances of a group.
using Generation = Strong<struct GenerationTag, std::int32_t>;
inline constexpr Generation no_generation{-1};

using Partitions = std::vector<TopicPartition>;

// Who gets what: each member is in it, those that get nothing with an empty list. Sorted.
using Assignments = std::map<std::string, Partitions, std::less<>>;

}  // namespace millrace::client
