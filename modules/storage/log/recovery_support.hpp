// A log to be recovered, and what it must hold afterwards.
#pragma once

#include "test_batches.hpp"

namespace millrace::storage {

inline std::string log_path(std::int64_t base) {
  return LogMachine::path(base, SegmentFileKind::log);
}

// Values 0 to count - 1, one to a batch, with a producer and two epochs.
inline void fill(LogMachine& machine, int count, std::uint64_t segment_bytes = 1'000'000) {
  machine.config.segment_bytes = segment_bytes;
  machine.config.index_interval_bytes = 100;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < count; ++i) {
    TestBatch batch = from_producer(i, {"value " + std::to_string(i)});
    batch.timestamp = Timestamp(1'000 + i);
    ASSERT_TRUE(machine.append(batch, LeaderEpoch(i < count / 2 ? 0 : 1)));
  }
}

// The first values are there in order, the log takes more, and knows its producer.
inline void expect_first(LogMachine& machine, std::size_t count) {
  const auto records = machine.records();
  ASSERT_EQ(records.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(records[i].value, "value " + std::to_string(i));
    ASSERT_EQ(records[i].offset, Offset(static_cast<std::int64_t>(i)));
  }
  EXPECT_EQ(machine.log->end(), Offset(static_cast<std::int64_t>(count)));
  if (count > 0) {
    const auto last = static_cast<std::int32_t>(count) - 1;
    const auto again =
        machine.append(from_producer(last, {"value " + std::to_string(last)}), LeaderEpoch(1));
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->duplicate) << count;
    EXPECT_EQ(again->base_offset, Offset(last));
    const auto found =
        machine.wait(machine.log->find_timestamp(Timestamp(1'000 + last), machine.log->end()));
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->offset, Offset(last));
  }
  ASSERT_TRUE(
      machine.append(from_producer(static_cast<std::int32_t>(count), {"more"}), LeaderEpoch(1)));
  EXPECT_EQ(machine.records().size(), count + 1);
}

}  // namespace millrace::storage
