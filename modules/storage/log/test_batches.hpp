// Batches and answers that the tests of a log share.
#pragma once

#include "log_machine.hpp"

namespace millrace::storage {

using Appending = std::shared_ptr<const std::optional<AppendResult>>;

// One batch as replicas exchange them.
inline std::vector<std::byte> replicated(std::int64_t base, std::vector<std::string> values,
                                         std::int32_t epoch = 0) {
  return encode({.values = std::move(values),
                 .base_offset = Offset(base),
                 .leader_epoch = LeaderEpoch(epoch)});
}

inline std::vector<std::byte> joined(std::vector<std::vector<std::byte>> batches) {
  std::vector<std::byte> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

inline TestBatch from_producer(std::int32_t sequence, std::vector<std::string> values,
                               std::int16_t epoch = 0) {
  return {.values = std::move(values),
          .producer = ProducerId(7),
          .epoch = ProducerEpoch(epoch),
          .sequence = Sequence(sequence)};
}

inline AppendFault fault_of(const AppendResult& result) {
  EXPECT_FALSE(result);
  return result ? AppendFault::closed : result.error().fault;
}

inline constexpr SimulatedFileOptions at_once{.completion = SimulatedCompletion::immediate};
inline constexpr SimulatedFileOptions slowly{.completion = SimulatedCompletion::mixed, .slow = 0.5};

}  // namespace millrace::storage
