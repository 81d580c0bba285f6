#include "test_batches.hpp"

namespace millrace::storage {
namespace {

struct Answer {
  std::int64_t timestamp = -1;
  std::int64_t offset = -1;
  friend bool operator==(const Answer&, const Answer&) = default;
};
std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  return out << answer.timestamp << " at " << answer.offset;
}

Answer answer_of(const ReadResult<std::optional<TimestampOffset>>& found) {
  EXPECT_TRUE(found) << found.error().storage.message;
  if (!found || !*found) return {};
  return {(*found)->timestamp.value(), (*found)->offset.value()};
}
Answer at(LogMachine& machine, std::int64_t timestamp, Offset up_to) {
  return answer_of(machine.wait(machine.log->find_timestamp(Timestamp(timestamp), up_to)));
}
Answer at(LogMachine& machine, std::int64_t timestamp) {
  return at(machine, timestamp, machine.log->end());
}
Answer youngest(LogMachine& machine) {
  return answer_of(machine.wait(machine.log->find_max_timestamp()));
}

TEST(Timestamps, the_first_record_that_is_young_enough_is_found_across_segments) {
  LogMachine machine(1);
  machine.config.segment_bytes = 300;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(machine.append({.values = {"a", "b", "c"},
                                .timestamp = Timestamp(1'000 + i * 100),
                                .timestamp_step = 10}));
  }
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(at(machine, -1), (Answer{1'000, 0}));
    EXPECT_EQ(at(machine, 0), (Answer{1'000, 0}));
    EXPECT_EQ(at(machine, 1'000), (Answer{1'000, 0}));
    EXPECT_EQ(at(machine, 1'001), (Answer{1'010, 1}));
    EXPECT_EQ(at(machine, 1'020), (Answer{1'020, 2}));
    EXPECT_EQ(at(machine, 1'021), (Answer{1'100, 3}));
    EXPECT_EQ(at(machine, 2'815), (Answer{2'820, 56}));
    EXPECT_EQ(at(machine, 3'920), (Answer{3'920, 89}));
    EXPECT_EQ(at(machine, 3'921), (Answer{}));
    EXPECT_EQ(at(machine, 2'815, Offset(57)), (Answer{2'820, 56}));
    EXPECT_EQ(at(machine, 2'815, Offset(56)), (Answer{}));
    EXPECT_EQ(youngest(machine), (Answer{3'920, 89}));
    machine.reopen();
  }
  ASSERT_TRUE(machine.close());
}

TEST(Timestamps, deleted_records_are_not_found) {
  LogMachine machine(2);
  machine.config.segment_bytes = 500;
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(
      {.values = {"a", "b", "c"}, .timestamp = Timestamp(9'000), .timestamp_step = -1'000}));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append({{"v"}, Timestamp(1'000 + i)}));
  EXPECT_EQ(youngest(machine), (Answer{9'000, 0}));
  machine.log->set_high_watermark(machine.log->end());
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(1))));
  EXPECT_EQ(at(machine, 8'000), (Answer{8'000, 1}));
  EXPECT_EQ(at(machine, 8'001), (Answer{}));
  EXPECT_EQ(youngest(machine), (Answer{8'000, 1}));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(4))));
  EXPECT_EQ(at(machine, 0), (Answer{1'001, 4}));
  EXPECT_EQ(youngest(machine), (Answer{1'019, 22}));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(23))));
  EXPECT_EQ(at(machine, 0), (Answer{}));
  EXPECT_EQ(youngest(machine), (Answer{}));
  ASSERT_TRUE(machine.close());
}

TEST(Timestamps, records_without_one_are_never_found) {
  LogMachine machine(3);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(youngest(machine), (Answer{}));
  EXPECT_EQ(at(machine, 0), (Answer{}));
  ASSERT_TRUE(machine.append({{"a"}, no_timestamp}));
  EXPECT_EQ(youngest(machine), (Answer{}));
  EXPECT_EQ(at(machine, 0), (Answer{}));
  ASSERT_TRUE(machine.append({{"b"}, Timestamp(5)}));
  EXPECT_EQ(at(machine, 0), (Answer{5, 1}));
  EXPECT_EQ(youngest(machine), (Answer{5, 1}));
  ASSERT_TRUE(machine.close());
}

// Against a plain search through all records: any order of timestamps, codec, segment size, index
// interval, deletion, and after a start.
TEST(Timestamps, agree_with_a_plain_search) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    LogMachine machine(seed);
    Random random(seed);
    machine.config.segment_bytes = 300 + random.below(2'000);
    machine.config.index_interval_bytes = static_cast<std::uint32_t>(random.below(400));
    ASSERT_TRUE(machine.open());
    constexpr protocol::Codec codecs[] = {protocol::Codec::none, protocol::Codec::gzip,
                                          protocol::Codec::lz4, protocol::Codec::zstd};
    for (int i = 0; i < 60; ++i) {
      TestBatch batch{.values = {"a", "b", "c"}};
      batch.values.resize(1 + random.below(3));
      batch.timestamp = Timestamp(static_cast<std::int64_t>(random.below(1'000)) + i * 5);
      batch.timestamp_step = static_cast<std::int64_t>(random.below(100)) - 50;
      if (batch.timestamp < Timestamp(200)) batch.timestamp_step = 0;
      batch.codec = codecs[random.below(4)];
      ASSERT_TRUE(machine.append(batch));
    }
    if (random.below(2) == 0) {
      machine.log->set_high_watermark(machine.log->end());
      ASSERT_TRUE(machine.wait(
          machine.log->delete_below(Offset(static_cast<std::int64_t>(random.below(60))))));
    }
    for (int round = 0; round < 2; ++round) {
      const auto records = machine.records();
      Answer expected_youngest;
      for (const TestRecord& record : records) {
        if (record.timestamp.value() > expected_youngest.timestamp) {
          expected_youngest = {record.timestamp.value(), record.offset.value()};
        }
      }
      ASSERT_EQ(youngest(machine), expected_youngest) << seed;
      for (std::int64_t timestamp = -10; timestamp < 1'500; timestamp += 13) {
        Answer expected;
        for (const TestRecord& record : records) {
          if (record.timestamp.value() < timestamp) continue;
          expected = {record.timestamp.value(), record.offset.value()};
          break;
        }
        ASSERT_EQ(at(machine, timestamp), expected) << seed << " for " << timestamp;
      }
      machine.reopen();
    }
    ASSERT_TRUE(machine.close());
  }
}

// What is cut while it is looked for is asked for again, and the first answer does not count.
TEST(Timestamps, of_a_log_that_is_begun_anew_meanwhile_nothing_is_found) {
  std::size_t found_before = 0;
  std::size_t begun_again = 0;
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    LogMachine machine(seed, slowly);
    machine.config.segment_bytes = 300;
    ASSERT_TRUE(machine.open());
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(machine.append({{"value"}, Timestamp(1'000 + i)}));
    }
    machine.reopen();
    const auto restart = [&]() -> Task<StorageResult<void>> {
      co_return co_await machine.log->restart_at(Offset(100));
    };
    const auto find = [&]() -> Task<ReadResult<std::optional<TimestampOffset>>> {
      auto found = co_await machine.log->find_timestamp(Timestamp(1'001), Offset(10));
      // The log was begun anew before this was answered.
      if (machine.log->start() == Offset(100)) EXPECT_FALSE(found && *found) << "seed " << seed;
      co_return found;
    };
    std::shared_ptr<const std::optional<StorageResult<void>>> done;
    if (seed % 2 == 0) done = machine.start(restart());
    const auto found = machine.start(find());
    if (seed % 2 != 0) done = machine.start(restart());
    machine.finish_started();
    ASSERT_TRUE(*done && **done);
    ASSERT_TRUE(*found && **found);
    ++((**found)->has_value() ? found_before : begun_again);
    ASSERT_TRUE(machine.close());
  }
  EXPECT_GT(found_before, 0u);
  EXPECT_GT(begun_again, 0u);
}

}  // namespace
}  // namespace millrace::storage
