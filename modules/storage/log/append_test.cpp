// Also proves append.cppm, config.cppm.
#include "test_batches.hpp"

namespace millrace::storage {
namespace {

TEST(Append, stamps_offset_and_leader_epoch) {
  LogMachine machine(1);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"a", "b"}}, LeaderEpoch(3)));
  ASSERT_TRUE(machine.append({{"c"}}, LeaderEpoch(5)));
  const std::string file = machine.contents(machine.path(0, SegmentFileKind::log));
  protocol::BatchSplitter splitter(as_bytes(file));
  protocol::BatchView batch;
  ASSERT_TRUE(splitter.next(batch));
  EXPECT_EQ(batch.header().base_offset, Offset(0));
  EXPECT_EQ(batch.header().leader_epoch, LeaderEpoch(3));
  EXPECT_TRUE(batch.crc_matches());
  ASSERT_TRUE(splitter.next(batch));
  EXPECT_EQ(batch.header().base_offset, Offset(2));
  EXPECT_EQ(batch.header().leader_epoch, LeaderEpoch(5));
  EXPECT_TRUE(batch.crc_matches());
  EXPECT_EQ(machine.log->epochs().entries().size(), 2u);
  ASSERT_TRUE(machine.close());
}

TEST(Append, log_append_time_is_what_readers_see) {
  LogMachine machine(2);
  ASSERT_TRUE(machine.open());
  auto bytes = encode({{"a", "b"}, Timestamp(5)});
  LeaderAppend append;
  append.batch = bytes;
  append.epoch = LeaderEpoch(0);
  append.must_rewrite_timestamps = true;
  append.timestamp_type = protocol::TimestampType::log_append_time;
  append.max_timestamp = Timestamp(77'000);
  const auto asked = [](Log& log, const LeaderAppend& what) -> Task<AppendResult> {
    co_return co_await log.append(what);
  };
  const auto appended = machine.wait(asked(*machine.log, append));
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->log_append_time, Timestamp(77'000));
  for (const TestRecord& record : machine.records()) EXPECT_EQ(record.timestamp, Timestamp(77'000));
  ASSERT_TRUE(machine.close());
}

TEST(Append, a_duplicate_gets_the_time_of_the_first_time) {
  LogMachine machine(21);
  ASSERT_TRUE(machine.open());
  const auto append_at = [](Log& log, std::int64_t time) -> Task<AppendResult> {
    auto bytes = encode(from_producer(0, {"a"}));
    LeaderAppend append;
    append.batch = bytes;
    append.epoch = LeaderEpoch(0);
    append.must_rewrite_timestamps = true;
    append.timestamp_type = protocol::TimestampType::log_append_time;
    append.max_timestamp = Timestamp(time);
    co_return co_await log.append(append);
  };
  ASSERT_TRUE(machine.wait(append_at(*machine.log, 5'000)));
  const auto again = machine.wait(append_at(*machine.log, 9'000));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->log_append_time, Timestamp(5'000));
  ASSERT_TRUE(machine.close());
}

TEST(Append, a_duplicate_gets_the_offsets_of_the_first_time) {
  LogMachine machine(3);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"before"}}));
  ASSERT_TRUE(machine.append(from_producer(0, {"a", "b"})));
  ASSERT_TRUE(machine.append(from_producer(2, {"c"})));
  const auto again = machine.append(from_producer(0, {"a", "b"}));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->base_offset, Offset(1));
  EXPECT_EQ(again->last_offset, Offset(2));
  EXPECT_EQ(machine.log->end(), Offset(4));
  ASSERT_TRUE(machine.close());
}

TEST(Append, within_a_group_duplicates_and_refused_batches_find_their_places) {
  LogMachine machine(4);
  ASSERT_TRUE(machine.open());
  std::vector<Appending> results;
  for (const TestBatch& batch :
       {TestBatch{{"first"}}, from_producer(0, {"a"}), from_producer(0, {"a"}),
        from_producer(5, {"gap"}), from_producer(1, {"b"}), from_producer(0, {"old"}, -1),
        from_producer(1, {"b"}), TestBatch{{"last"}}}) {
    results.push_back(machine.start(machine.append_task(batch)));
  }
  machine.finish_started();
  const auto offset_of = [&](std::size_t i) { return results[i]->value()->base_offset; };
  EXPECT_EQ(offset_of(1), Offset(1));
  EXPECT_EQ(offset_of(2), Offset(1));
  EXPECT_TRUE(results[2]->value()->duplicate);
  EXPECT_EQ(results[3]->value().error().verdict, ProducerVerdict::out_of_order_sequence_number);
  EXPECT_EQ(offset_of(4), Offset(2));
  EXPECT_EQ(results[5]->value().error().verdict, ProducerVerdict::invalid_producer_epoch);
  EXPECT_EQ(offset_of(6), Offset(2));
  EXPECT_EQ(offset_of(7), Offset(3));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"first", "a", "b", "last"}));
  ASSERT_TRUE(machine.close());
}

TEST(Append, a_leader_of_an_older_epoch_is_refused) {
  LogMachine machine(5);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"a"}}, LeaderEpoch(4)));
  EXPECT_EQ(fault_of(machine.append({{"b"}}, LeaderEpoch(3))), AppendFault::old_epoch);
  EXPECT_EQ(fault_of(machine.replicate(replicated(1, {"b"}, 3))), AppendFault::old_epoch);
  ASSERT_TRUE(machine.append({{"c"}}, LeaderEpoch(4)));
  EXPECT_EQ(machine.records().size(), 2u);
  ASSERT_TRUE(machine.close());
}

TEST(Append, a_batch_larger_than_a_segment_is_refused_from_a_client_and_taken_from_a_leader) {
  LogMachine machine(6);
  machine.config.segment_bytes = 300;
  ASSERT_TRUE(machine.open());
  const std::string large(500, 'l');
  EXPECT_EQ(fault_of(machine.append({{large}})), AppendFault::larger_than_segment);
  ASSERT_TRUE(machine.append({{"a"}}));
  ASSERT_TRUE(machine.replicate(replicated(1, {large})));
  ASSERT_TRUE(machine.append({{"b"}}));
  EXPECT_EQ(machine.log->segments().size(), 3u);
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", large, "b"}));
  ASSERT_TRUE(machine.close());
}

TEST(Append, a_group_rolls_where_its_batches_alone_would) {
  LogMachine machine(18);
  machine.config.segment_age_max = Milliseconds(1'000);
  ASSERT_TRUE(machine.open());
  for (const std::int64_t time : {5'000, 6'000, 6'001, 6'500, 9'000}) {
    static_cast<void>(machine.start(machine.append_task({{"v"}, Timestamp(time)})));
  }
  machine.finish_started();
  ASSERT_EQ(machine.log->segments().size(), 3u);
  EXPECT_EQ(machine.log->segments()[1]->base(), Offset(2));
  EXPECT_EQ(machine.log->segments()[2]->base(), Offset(4));
  ASSERT_TRUE(machine.close());
}

TEST(Append, a_group_fills_no_index_past_its_limit) {
  LogMachine machine(19);
  machine.config.index_interval_bytes = 1;
  machine.config.segment_index_bytes = 80;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 100; ++i) {
    static_cast<void>(machine.start(machine.append_task({{"v"}, Timestamp(1'000 + i)})));
  }
  machine.finish_started();
  EXPECT_EQ(machine.log->end(), Offset(100));
  for (const auto& segment : machine.log->segments()) {
    EXPECT_LE(segment->offset_index().entries() * offset_index_entry_bytes, 80u);
    EXPECT_LE(segment->time_index().entries() * time_index_entry_bytes, 80u);
  }
  EXPECT_EQ(machine.records().size(), 100u);
  ASSERT_TRUE(machine.close());
}

TEST(Append, of_the_entries_of_indexes_few_are_in_memory_alone) {
  LogMachine machine(23);
  machine.config.index_interval_bytes = 1;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_TRUE(machine.append({{"v"}, Timestamp(1'000 + i)}));
    const Segment& segment = *machine.log->segments().back();
    ASSERT_LE(segment.offset_index().last_part().size() + segment.time_index().last_part().size(),
              unsaved_index_bytes_max + 2 * (offset_index_entry_bytes + time_index_entry_bytes));
  }
  ASSERT_EQ(machine.log->segments().size(), 1u);
  EXPECT_GT(machine.contents(machine.path(0, SegmentFileKind::offset_index)).size(),
            1'000 * offset_index_entry_bytes);
  EXPECT_EQ(machine.records(Offset(990), Offset(1'000)).size(), 10u);
  ASSERT_TRUE(machine.close());
}

TEST(Append, transactions_hold_the_last_stable_offset_back_until_their_end_is_replicated) {
  LogMachine machine(20);
  ASSERT_TRUE(machine.open());
  TestBatch batch = from_producer(0, {"a", "b"});
  batch.transactional = true;
  ASSERT_TRUE(machine.append({{"before"}}));
  ASSERT_TRUE(machine.append(batch));
  ASSERT_TRUE(machine.append({{"after"}}));
  machine.log->set_high_watermark(Offset(4));
  EXPECT_EQ(machine.log->last_stable_offset(), Offset(1));
  TestBatch marker{.values = {}, .producer = ProducerId(7), .epoch = ProducerEpoch(0)};
  marker.marker = protocol::ControlRecordType::abort;
  ASSERT_TRUE(machine.append(marker, LeaderEpoch(0), AppendOrigin::coordinator));
  EXPECT_EQ(machine.log->last_stable_offset(), Offset(1));
  machine.log->set_high_watermark(Offset(5));
  EXPECT_EQ(machine.log->last_stable_offset(), Offset(5));
  const auto aborted = machine.wait(machine.log->aborted(Offset(0), Offset(5)));
  ASSERT_TRUE(aborted);
  EXPECT_EQ(*aborted,
            (std::vector<AbortedTransaction>{{ProducerId(7), Offset(1), Offset(4), Offset(5)}}));
  ASSERT_TRUE(machine.close());
}

// A transaction that is open above it: what is below it is not replicated either.
TEST(Append, the_last_stable_offset_is_never_above_the_high_watermark) {
  LogMachine machine(24);
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.append({{"plain"}}));
  TestBatch batch = from_producer(0, {"open"});
  batch.transactional = true;
  ASSERT_TRUE(machine.append(batch));
  ASSERT_TRUE(machine.append({{"after"}}));
  for (const std::int64_t replicated : {0, 1, 3, 4, 5}) {
    machine.log->set_high_watermark(Offset(replicated));
    EXPECT_EQ(machine.log->last_stable_offset(), Offset(std::min<std::int64_t>(replicated, 3)));
  }
  ASSERT_TRUE(machine.close());
}

TEST(Append, many_at_once_are_written_in_the_order_of_asking_however_the_disk_behaves) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    LogMachine machine(seed, slowly);
    machine.config.segment_bytes = 1'000;
    if (seed % 3 == 0) machine.config.flush_records = 5;
    ASSERT_TRUE(machine.open());
    std::vector<Appending> results;
    Random random(seed);
    for (int i = 0; i < 100; ++i) {
      results.push_back(machine.start(machine.append_task({{std::to_string(i)}})));
      if (random.below(4) == 0)
        machine.executor.advance(std::chrono::milliseconds(random.below(60)));
      if (random.below(20) == 0) static_cast<void>(machine.start(machine.log->flush()));
      if (random.below(20) == 0) static_cast<void>(machine.start(machine.log->roll()));
    }
    machine.finish_started();
    for (std::size_t i = 0; i < results.size(); ++i) {
      ASSERT_EQ(results[i]->value()->base_offset, Offset(static_cast<std::int64_t>(i)));
    }
    const auto records = machine.records();
    ASSERT_EQ(records.size(), 100u) << seed;
    for (std::size_t i = 0; i < 100; ++i) ASSERT_EQ(records[i].value, std::to_string(i));
    ASSERT_TRUE(machine.close());
  }
}

}  // namespace
}  // namespace millrace::storage
