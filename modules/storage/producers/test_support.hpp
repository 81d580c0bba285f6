// Batches and markers for tests, said in a few words.
#pragma once

#include <cstdint>

// This one imports a module: it comes after all that includes standard headers.
#include "../files/test_support.hpp"

import millrace.storage.producers;

namespace millrace::storage {

struct Sent {
  std::int64_t producer = 1;
  std::int16_t epoch = 0;
  std::int32_t sequence = 0;
  std::int32_t count = 1;
  std::int64_t offset = 0;
  std::int64_t timestamp = 1000;
  bool transactional = false;
};

inline ProducerBatch batch(const Sent& sent) {
  return {
      .producer = ProducerId(sent.producer),
      .epoch = ProducerEpoch(sent.epoch),
      .first_sequence = Sequence(sent.sequence),
      .last_sequence = Sequence(static_cast<std::int32_t>(
          (static_cast<std::uint32_t>(sent.sequence) + static_cast<std::uint32_t>(sent.count) - 1) &
          0x7fff'ffffu)),
      .first_offset = Offset(sent.offset),
      .last_offset = Offset(sent.offset + sent.count - 1),
      .max_timestamp = Timestamp(sent.timestamp),
      .transactional = sent.transactional};
}

struct Ended {
  std::int64_t producer = 1;
  std::int16_t epoch = 0;
  std::int32_t coordinator_epoch = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp = 1000;
  bool aborts = false;
};

inline ProducerMarker marker(const Ended& ended) {
  return {.producer = ProducerId(ended.producer),
          .epoch = ProducerEpoch(ended.epoch),
          .coordinator_epoch = CoordinatorEpoch(ended.coordinator_epoch),
          .offset = Offset(ended.offset),
          .timestamp = Timestamp(ended.timestamp),
          .aborts = ended.aborts};
}

}  // namespace millrace::storage
