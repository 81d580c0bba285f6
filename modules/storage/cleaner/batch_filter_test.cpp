#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;
using enum BatchFate;

const BatchOptions transactional{.producer = {ProducerId(1), ProducerEpoch(0), Sequence(0)},
                                 .transactional = true};

BatchOptions idempotent(std::int32_t sequence) {
  return {.producer = {ProducerId(8), ProducerEpoch(3), Sequence(sequence)}};
}

std::vector<std::int64_t> offsets_of(const Bytes& batch) {
  std::vector<std::int64_t> offsets;
  for (const Item& item : taken(batch).items) offsets.push_back(item.offset);
  return offsets;
}

TEST(BatchFilter, a_batch_that_loses_nothing_is_copied_byte_for_byte) {
  MemoryLog log;
  log.append({{.key = "a", .value = "1"}, {.key = "b", .value = "2"}},
             {.compression = CompressionOptions::raw_snappy(), .leader_epoch = LeaderEpoch(4)});
  const Bytes before = log.batches[0];
  const PassResult result = clean_in_place(log, {.to = 50});
  EXPECT_EQ(result.fates, std::vector{copied});
  EXPECT_EQ(log.batches, std::vector<Bytes>{before});
}

TEST(BatchFilter, the_last_value_of_a_key_stays_at_its_offset) {
  MemoryLog log;
  log.append({{.timestamp = 900, .key = "a", .value = "1", .header = "h"},
              {.timestamp = 50, .key = "b", .value = "2", .header = "i"},
              {.timestamp = 70, .key = "a", .value = "3"}},
             {.compression = CompressionOptions(Codec::lz4),
              .leader_epoch = LeaderEpoch(4),
              .producer = {ProducerId(8), ProducerEpoch(3), Sequence(20)}});
  log.append({{.timestamp = 60, .key = "a", .value = "4"}});
  const PassResult result = clean_in_place(log, {.to = 50});
  EXPECT_EQ(result.fates, (std::vector{rewritten, copied}));
  const Taken kept = taken(log.batches[0]);
  const std::vector<Item> expected{
      {.offset = 1, .timestamp = 50, .key = "b", .value = "2", .header = "i"}};
  EXPECT_EQ(kept.items, expected);
  EXPECT_EQ(kept.header.base_offset, Offset(0));
  EXPECT_EQ(kept.header.last_offset(), Offset(2)) << "the range stays";
  EXPECT_EQ(kept.header.record_count, 1);
  EXPECT_EQ(kept.header.leader_epoch, LeaderEpoch(4));
  EXPECT_EQ(kept.header.producer.base_sequence, Sequence(20));
  EXPECT_EQ(kept.header.last_sequence(), Sequence(22));
  EXPECT_EQ(kept.header.attributes.codec(), Codec::lz4);
  EXPECT_EQ(kept.header.max_timestamp, Timestamp(50)) << "computed anew";
}

TEST(BatchFilter, log_append_time_stays) {
  MemoryLog log;
  log.append({{.key = "a", .value = "1"}, {.key = "b"}, {.key = "a", .value = "2"}},
             {.timestamp_type = protocol::TimestampType::log_append_time,
              .log_append_time = Timestamp(777)});
  clean_in_place(log, {.to = 50, .now = 10'000});
  const Taken kept = taken(log.batches[0]);
  ASSERT_EQ(kept.items.size(), 2u);
  EXPECT_TRUE(kept.header.attributes.has_delete_horizon());
  EXPECT_EQ(kept.header.max_timestamp, Timestamp(777));
  for (const Item& item : kept.items) EXPECT_EQ(item.timestamp, 777);
}

TEST(BatchFilter, records_without_key_are_dropped_and_counted) {
  MemoryLog log;
  log.append({{.value = "x"}, {.key = "a", .value = "1"}});
  log.append({{.value = "y"}});
  log.append({{.value = "not cleaned yet"}});
  const PassResult result = clean_in_place(log, {.to = 3});
  EXPECT_EQ(result.fates, (std::vector{rewritten, emptied, copied}));
  EXPECT_EQ(result.counts.records_without_key, 2u);
  EXPECT_EQ(result.counts.records_read, 4u);
  EXPECT_EQ(result.counts.records_kept, 2u);
  EXPECT_EQ(result.counts.batches_read, 3u);
  EXPECT_EQ(result.counts.batches_kept, 3u);
}

TEST(BatchFilter, tombstones_stay_for_the_time_after_their_first_cleaning) {
  MemoryLog log;
  log.append({{.timestamp = 5, .key = "a", .value = "1"}});
  log.append({{.timestamp = 6, .key = "a"}});
  log.append({{.timestamp = 7, .key = "b", .value = "2"}});

  EXPECT_EQ(clean_in_place(log, {.to = 3, .now = 10'000}).fates,
            (std::vector{dropped, rewritten, copied}));
  const Taken stamped = taken(log.batches[0]);
  EXPECT_TRUE(stamped.header.attributes.has_delete_horizon());
  EXPECT_EQ(stamped.header.base_timestamp, Timestamp(11'000));
  EXPECT_EQ(stamped.items, (std::vector<Item>{{.offset = 1, .timestamp = 6, .key = "a"}}));

  EXPECT_EQ(clean_in_place(log, {.from = 3, .to = 3, .now = 10'999}).fates,
            (std::vector{copied, copied}))
      << "the time goes on from the first cleaning";
  EXPECT_EQ(clean_in_place(log, {.from = 3, .to = 3, .now = 11'000}).fates,
            (std::vector{dropped, copied}));
}

TEST(BatchFilter, what_stays_beside_a_dropped_tombstone_keeps_the_horizon_and_its_timestamp) {
  MemoryLog log;
  log.append({{.timestamp = 5, .key = "a"}, {.timestamp = 6, .key = "b", .value = "1"}});
  clean_in_place(log, {.to = 50, .now = 10'000});
  EXPECT_EQ(clean_in_place(log, {.from = 2, .to = 50, .now = 20'000}).fates,
            std::vector{rewritten});
  const Taken kept = taken(log.batches[0]);
  EXPECT_EQ(kept.items,
            (std::vector<Item>{{.offset = 1, .timestamp = 6, .key = "b", .value = "1"}}));
  EXPECT_TRUE(kept.header.attributes.has_delete_horizon());
  EXPECT_EQ(kept.header.base_timestamp, Timestamp(11'000));
}

TEST(BatchFilter, a_horizon_beyond_all_time_is_the_end_of_time) {
  MemoryLog log;
  log.append({{.key = "a"}});
  const auto forever = std::numeric_limits<std::int64_t>::max();
  clean_in_place(log, {.to = 50, .now = 10'000, .delete_retention_ms = forever});
  EXPECT_EQ(taken(log.batches[0]).header.base_timestamp, Timestamp(forever));
  EXPECT_EQ(taken(log.batches[0]).items[0].timestamp, 0);
}

// Its older values are still there: a reader that began before they go must meet the tombstone.
TEST(BatchFilter, the_time_of_a_tombstone_does_not_begin_before_its_older_values_are_gone) {
  MemoryLog log;
  log.append({{.key = "a", .value = "1"}});
  log.append({{.key = "b", .value = "2"}, {.key = "a"}});
  const PassResult first = clean_in_place(log, {.to = 2, .now = 10'000});
  EXPECT_EQ(first.fates, (std::vector{copied, copied}));
  EXPECT_EQ(clean_in_place(log, {.from = 2, .to = 3, .now = 20'000}).fates,
            (std::vector{dropped, rewritten}));
  EXPECT_EQ(taken(log.batches[0]).header.base_timestamp, Timestamp(21'000));
}

TEST(BatchFilter, the_last_batch_of_a_producer_stays_without_its_records) {
  MemoryLog log;
  log.append({{.key = "a", .value = "1"}}, idempotent(0));
  log.append({{.timestamp = 44, .key = "a", .value = "2"}}, idempotent(1));
  log.append({{.key = "a", .value = "3"}});
  EXPECT_EQ(clean_in_place(log, {.to = 50}).fates, (std::vector{dropped, emptied, copied}));
  const Taken kept = taken(log.batches[0]);
  EXPECT_EQ(kept.header.base_offset, Offset(1));
  EXPECT_EQ(kept.header.record_count, 0);
  EXPECT_EQ(kept.header.producer.base_sequence, Sequence(1));
  EXPECT_EQ(kept.header.max_timestamp, Timestamp(44));
  EXPECT_EQ(clean_in_place(log, {.from = 3, .to = 50}).fates, (std::vector{copied, copied}));

  log.append({{.key = "b", .value = "4"}}, idempotent(2));
  EXPECT_EQ(clean_in_place(log, {.from = 3, .to = 50}).fates,
            (std::vector{dropped, copied, copied}))
      << "it is not the last one any more";
}

TEST(BatchFilter, the_batch_before_the_end_of_what_is_cleaned_stays) {
  MemoryLog log;
  log.append({{.value = "no key"}});
  log.append({{.value = "no key"}});
  EXPECT_EQ(clean_in_place(log, {.to = 2}).fates, (std::vector{dropped, emptied}));
}

TEST(BatchFilter, records_beyond_the_table_stay) {
  MemoryLog log;
  log.append({{.key = "a", .value = "1"}, {.key = "a", .value = "2"}, {.key = "a", .value = "3"}});
  clean_in_place(log, {.to = 2});
  EXPECT_EQ(offsets_of(log.batches[0]), (std::vector<std::int64_t>{1, 2}));
}

TEST(BatchFilter, a_full_table_cleans_in_rounds) {
  MemoryLog log;
  for (int round = 0; round < 5; ++round) {
    for (const char* key : {"a", "b", "c", "d", "e", "f"}) log.append({{.key = key, .value = "v"}});
  }
  std::int64_t from = 0;
  for (int pass = 0; from < log.end; ++pass) {
    ASSERT_LT(pass, 30);
    const PassResult result =
        clean_in_place(log, {.from = from, .to = log.end, .table_bytes_max = 4 * 24});
    ASSERT_GT(result.mapped_end, from) << "each round gets further";
    from = result.mapped_end;
  }
  std::vector<std::int64_t> offsets;
  for (const Bytes& batch : log.batches) offsets.push_back(offsets_of(batch).at(0));
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{24, 25, 26, 27, 28, 29}));
}

TEST(BatchFilter, aborted_records_go_and_their_marker_after_a_time) {
  MemoryLog log;
  log.append({{.key = "a", .value = "old"}});
  log.append({{.key = "a", .value = "aborted"}}, transactional);
  log.end_transaction(ProducerId(1), ProducerEpoch(0), ControlRecordType::abort, Timestamp(1));
  log.append({{.key = "b", .value = "2"}}, transactional);
  log.end_transaction(ProducerId(1), ProducerEpoch(0), ControlRecordType::commit, Timestamp(1));
  log.append({{.key = "c", .value = "3"}});

  EXPECT_EQ(clean_in_place(log, {.to = 50, .now = 1000}).fates,
            (std::vector{copied, dropped, copied, copied, copied, copied}));
  EXPECT_EQ(log.aborted.size(), 1u) << "readers that began before may still need it";
  EXPECT_EQ(clean_in_place(log, {.from = 6, .to = 50, .now = 2000}).fates,
            (std::vector{copied, rewritten, copied, copied, copied}));
  EXPECT_TRUE(log.aborted.empty());
  EXPECT_EQ(taken(log.batches[1]).header.base_timestamp, Timestamp(3000));
  EXPECT_EQ(clean_in_place(log, {.from = 6, .to = 50, .now = 2999}).fates,
            (std::vector{copied, copied, copied, copied, copied}));
  EXPECT_EQ(clean_in_place(log, {.from = 6, .to = 50, .now = 3000}).fates,
            (std::vector{copied, dropped, copied, copied, copied}));
}

TEST(BatchFilter, the_marker_of_a_commit_stays_as_long_as_its_records) {
  MemoryLog log;
  log.append({{.key = "a", .value = "1"}}, transactional);
  log.end_transaction(ProducerId(1), ProducerEpoch(0), ControlRecordType::commit, Timestamp(1));
  log.append({{.key = "a", .value = "2"}});
  log.append({{.key = "c", .value = "3"}},
             {.producer = {ProducerId(1), ProducerEpoch(0), Sequence(1)}});
  EXPECT_EQ(clean_in_place(log, {.to = 50, .now = 1000}).fates,
            (std::vector{dropped, copied, copied, copied}));
  EXPECT_EQ(clean_in_place(log, {.to = 50, .now = 2000}).fates,
            (std::vector{rewritten, copied, copied}));
  EXPECT_EQ(clean_in_place(log, {.to = 50, .now = 3000}).fates,
            (std::vector{dropped, copied, copied}));
}

// A transactional producer whose batches are gone is known by its marker alone.
TEST(BatchFilter, the_marker_of_a_producer_without_batches_stays_without_its_record) {
  MemoryLog log;
  log.end_transaction(ProducerId(1), ProducerEpoch(5), ControlRecordType::commit, Timestamp(1));
  log.append({{.key = "a", .value = "1"}});
  EXPECT_EQ(clean_in_place(log, {.to = 50, .now = 1000}).fates, (std::vector{rewritten, copied}));
  EXPECT_EQ(clean_in_place(log, {.to = 50, .now = 2000}).fates, (std::vector{emptied, copied}));
  EXPECT_EQ(clean_in_place(log, {.to = 50, .now = 3000}).fates, (std::vector{copied, copied}));
  EXPECT_TRUE(taken(log.batches[0]).header.attributes.is_control());
}

TEST(BatchFilter, open_transactions_beyond_the_end_are_left_alone) {
  MemoryLog log;
  log.append({{.key = "a", .value = "1"}});
  log.append({{.key = "a", .value = "open"}}, transactional);
  EXPECT_EQ(clean_in_place(log, {.to = 1, .now = 1000}).fates, (std::vector{copied, copied}));
}

TEST(BatchFilter, damage_is_an_error_and_nothing_is_copied) {
  MemoryLog log;
  Bytes batch = log.append({{.key = "a", .value = "1"}});
  store_big_endian(batch.data() + protocol::batch_layout::record_count, std::int32_t{-1});
  store_big_endian(batch.data() + protocol::batch_layout::crc, protocol::compute_batch_crc(batch));
  log.batches[0] = batch;
  // Mapped, and beyond what is mapped.
  for (const std::int64_t to : {0, 50}) {
    const auto result = clean(log, {.to = to});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error, BatchError::record_count_invalid);
  }
}

}  // namespace
}  // namespace millrace::storage
