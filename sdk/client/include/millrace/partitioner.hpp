// Partitioners of the application.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "millrace/abi.hpp"
#include "millrace/bytes.hpp"

namespace millrace::inline v1 {

// What a partitioner is asked; views, valid during the call.
struct PartitionQuestion {
  std::string_view topic;
  BytesView key;
  BytesView value;
  std::int32_t partition_count = 0;
  // Those that have a leader, as far as it is known.
  std::span<const std::int32_t> available;
};

// Gives a partition, or none where the producer's own way will do. Called on the threads that send,
// by several at once. When it throws, or names a partition that is not there, the record fails.
using Partitioner = std::function<std::optional<std::int32_t>(const PartitionQuestion& question)>;

}  // namespace millrace::inline v1
