#include "test_batches.hpp"

namespace millrace::storage {
namespace {

// Batches of two records, an epoch for every five of them, a few segments.
void fill(LogMachine& machine, int batches = 20) {
  machine.config.segment_bytes = 350;
  machine.config.index_interval_bytes = 100;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < batches; ++i) {
    ASSERT_TRUE(
        machine.append({{std::to_string(2 * i), std::to_string(2 * i + 1)}, Timestamp(1'000 + i)},
                       LeaderEpoch(i / 5)));
  }
}

// A batch is kept whole or not at all.
TEST(Truncation, anywhere_leaves_what_lies_before) {
  for (std::int64_t offset = 0; offset <= 41; ++offset) {
    LogMachine machine(1);
    fill(machine);
    const auto before = machine.records();
    ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(offset))));
    const std::int64_t end = offset >= 40 ? 40 : offset / 2 * 2;
    ASSERT_EQ(machine.log->end(), Offset(end)) << offset;
    const auto left = std::vector(before.begin(), before.begin() + end);
    EXPECT_EQ(machine.records(), left);
    const auto epoch = machine.log->epochs().latest();
    if (end == 0) EXPECT_FALSE(epoch);
    if (end > 0) EXPECT_EQ(epoch->epoch, LeaderEpoch(static_cast<std::int32_t>((end - 1) / 10)));
    // The next record takes the place, also after a start of each kind.
    ASSERT_TRUE(machine.append({{"new"}, Timestamp(1'500)}, LeaderEpoch(9)));
    const auto now = machine.records();
    EXPECT_EQ(now.size(), left.size() + 1);
    const auto found = machine.wait(machine.log->find_timestamp(Timestamp(1'100), Offset(100)));
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->offset, Offset(end));
    machine.reopen();
    EXPECT_EQ(machine.records(), now);
    machine.kill(1);
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(machine.records(), now);
    EXPECT_EQ(machine.log->epochs().latest()->epoch, LeaderEpoch(9));
    ASSERT_TRUE(machine.close());
  }
}

TEST(Truncation, by_the_end_of_an_epoch_makes_two_logs_agree) {
  LogMachine machine(2);
  fill(machine);
  const auto end = machine.log->epochs().end_offset_for(LeaderEpoch(2), machine.log->end());
  EXPECT_EQ(end.end_offset, Offset(30));
  ASSERT_TRUE(machine.wait(machine.log->truncate(end.end_offset)));
  EXPECT_EQ(machine.log->epochs().latest()->epoch, LeaderEpoch(2));
  EXPECT_EQ(machine.log->end(), Offset(30));
  ASSERT_TRUE(machine.close());
}

TEST(Truncation, below_the_beginning_leaves_an_empty_log_there) {
  LogMachine machine(3);
  fill(machine);
  machine.log->set_high_watermark(Offset(40));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(25))));
  const Offset base = machine.log->segments().front()->base();
  ASSERT_GT(base, Offset(10));
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(10))));
  EXPECT_EQ(machine.log->start(), Offset(10));
  EXPECT_EQ(machine.log->end(), Offset(10));
  EXPECT_EQ(machine.log->high_watermark(), Offset(10));
  EXPECT_TRUE(machine.log->epochs().empty());
  ASSERT_TRUE(machine.append({{"new"}}, LeaderEpoch(1)));
  machine.reopen();
  EXPECT_EQ(machine.log->start(), Offset(10));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"new"}));
  ASSERT_TRUE(machine.close());
}

// The log start lies within the segment that is cut before it.
TEST(Truncation, below_the_log_start_within_a_segment_moves_the_start_for_good) {
  LogMachine machine(4);
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.append({{std::to_string(i)}}));
  machine.log->set_high_watermark(Offset(10));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(7))));
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(4))));
  EXPECT_EQ(machine.log->start(), Offset(4));
  for (int i = 4; i < 10; ++i) ASSERT_TRUE(machine.append({{"new"}}));
  ASSERT_TRUE(machine.wait(machine.log->flush()));
  machine.power_cut(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.log->start(), Offset(4));
  EXPECT_EQ(machine.records().size(), 6u);
  ASSERT_TRUE(machine.close());
}

// Until something is appended the checkpoint may say that the log begins later.
TEST(Truncation, without_space_for_an_earlier_start_it_is_saved_before_the_next_append) {
  for (const bool appends : {false, true}) {
    for (const bool in_order : {false, true}) {
      LogMachine machine(4);
      ASSERT_TRUE(machine.open());
      for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.append({{std::to_string(i)}}));
      machine.log->set_high_watermark(Offset(10));
      ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(7))));
      machine.disk.faults().plan({.kind = IoKind::write,
                                  .fault = IoFault::no_space,
                                  .path_part = "log-start-offset-checkpoint"});
      const auto cut = machine.wait(machine.log->truncate(Offset(4)));
      ASSERT_FALSE(cut);
      EXPECT_EQ(cut.error().fault, StorageFault::no_space);
      EXPECT_EQ(machine.log->end(), Offset(4));
      if (appends) ASSERT_TRUE(machine.append({{"new"}}));
      // Closing saves it, too.
      if (!appends && !in_order) continue;
      if (in_order) {
        machine.reopen();
      } else {
        ASSERT_TRUE(machine.wait(machine.log->flush()));
        machine.power_cut(4);
        ASSERT_TRUE(machine.open());
      }
      EXPECT_EQ(machine.log->start(), Offset(4));
      EXPECT_EQ(machine.records().size(), appends ? 1u : 0u);
      ASSERT_TRUE(machine.close());
    }
  }
}

TEST(Truncation, takes_the_producers_back_to_where_they_were) {
  for (const bool rolls : {false, true}) {
    LogMachine machine(5);
    if (rolls) machine.config.segment_bytes = 250;
    ASSERT_TRUE(machine.open());
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(machine.append(from_producer(i, {"value " + std::to_string(i)})));
    }
    ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(5))));
    EXPECT_EQ(machine.append(from_producer(12, {"too far"})).error().verdict,
              ProducerVerdict::out_of_order_sequence_number);
    const auto duplicate = machine.append(from_producer(4, {"value 4"}));
    ASSERT_TRUE(duplicate);
    EXPECT_TRUE(duplicate->duplicate);
    EXPECT_EQ(duplicate->base_offset, Offset(4));
    ASSERT_TRUE(machine.append(from_producer(5, {"again"})));
    EXPECT_EQ(machine.log->end(), Offset(6));
    // No snapshot of what was cut is left to be believed.
    for (std::int64_t offset = 6; offset < 13; ++offset) {
      EXPECT_FALSE(machine.has_file(machine.path(offset, SegmentFileKind::producer_snapshot)));
    }
    machine.kill(1);
    ASSERT_TRUE(machine.open());
    EXPECT_TRUE(machine.append(from_producer(5, {"again"}))->duplicate);
    ASSERT_TRUE(machine.close());
  }
}

TestBatch transaction(std::int32_t sequence, std::vector<std::string> values) {
  TestBatch batch = from_producer(sequence, std::move(values));
  batch.transactional = true;
  return batch;
}

AppendResult end_transaction(LogMachine& machine, protocol::ControlRecordType type) {
  TestBatch marker{.values = {}, .producer = ProducerId(7), .epoch = ProducerEpoch(0)};
  marker.marker = type;
  return machine.append(marker, LeaderEpoch(0), AppendOrigin::coordinator);
}

TEST(Truncation, of_a_marker_opens_the_transaction_again_and_forgets_that_it_was_aborted) {
  LogMachine machine(6);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(transaction(0, {"a"})));
  ASSERT_TRUE(end_transaction(machine, protocol::ControlRecordType::abort));
  ASSERT_TRUE(machine.append({{"plain"}}));
  machine.log->set_high_watermark(Offset(3));
  ASSERT_EQ(machine.wait(machine.log->aborted(Offset(0), Offset(3)))->size(), 1u);
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(1))));
  EXPECT_EQ(machine.log->last_stable_offset(), Offset(0));
  EXPECT_TRUE(machine.wait(machine.log->aborted(Offset(0), Offset(3)))->empty());
  ASSERT_TRUE(end_transaction(machine, protocol::ControlRecordType::commit));
  machine.log->set_high_watermark(Offset(2));
  EXPECT_EQ(machine.log->last_stable_offset(), Offset(2));
  machine.reopen();
  EXPECT_TRUE(machine.wait(machine.log->aborted(Offset(0), Offset(3)))->empty());
  ASSERT_TRUE(machine.close());
}

// What was decided and replicated before stays so when the producers are read again.
TEST(Truncation, does_not_take_the_last_stable_offset_back) {
  LogMachine machine(7);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(transaction(0, {"a"})));
  ASSERT_TRUE(end_transaction(machine, protocol::ControlRecordType::commit));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append({{"plain"}}));
  machine.log->set_high_watermark(Offset(4));
  ASSERT_EQ(machine.log->last_stable_offset(), Offset(4));
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(5))));
  EXPECT_EQ(machine.log->last_stable_offset(), Offset(4));
  ASSERT_TRUE(machine.close());
}

TEST(Truncation, without_space_for_the_epochs_is_finished_by_what_is_appended_next) {
  LogMachine machine(8);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(from_producer(0, {"a"}), LeaderEpoch(0)));
  ASSERT_TRUE(machine.append(from_producer(1, {"b"}), LeaderEpoch(1)));
  ASSERT_TRUE(machine.append(from_producer(2, {"c"}), LeaderEpoch(2)));
  machine.disk.faults().plan(
      {.kind = IoKind::write, .fault = IoFault::no_space, .path_part = "leader-epoch-checkpoint"});
  const auto cut = machine.wait(machine.log->truncate(Offset(1)));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().fault, StorageFault::no_space);
  EXPECT_EQ(machine.log->end(), Offset(1));
  ASSERT_TRUE(machine.append(from_producer(1, {"again"}), LeaderEpoch(0)));
  ASSERT_TRUE(machine.append(from_producer(2, {"again"}), LeaderEpoch(0)));
  machine.reopen();
  EXPECT_EQ(machine.log->epochs().entries().size(), 1u);
  EXPECT_EQ(machine.records().size(), 3u);
  ASSERT_TRUE(machine.close());
}

// Three records each, and an index entry for every second batch or so.
void fill_three_each(LogMachine& machine) {
  machine.config.segment_bytes = 900;
  machine.config.index_interval_bytes = 150;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(machine.append({{"aa", "bb", "c"}}));
}

// Where the batches of the first segment begin, and where the last one ends.
std::vector<std::uint64_t> positions_of_first(LogMachine& machine) {
  const std::string text = machine.contents(LogMachine::path(0, SegmentFileKind::log));
  std::vector<std::uint64_t> positions{0};
  protocol::BatchSplitter splitter(as_bytes(text));
  for (protocol::BatchView batch; splitter.next(batch);) {
    positions.push_back(positions.back() + batch.bytes().size());
  }
  return positions;
}

// The CRC does not cover the base offset, which takes the first 64 bits of a batch.
void cut_with_a_flipped_bit(std::size_t damaged, std::uint64_t bit, std::int64_t offset) {
  SCOPED_TRACE("batch " + std::to_string(damaged) + ", bit " + std::to_string(bit) + ", cut at " +
               std::to_string(offset));
  LogMachine machine(12);
  fill_three_each(machine);
  const std::vector<std::uint64_t> positions = positions_of_first(machine);
  const std::string path = LogMachine::path(0, SegmentFileKind::log);
  ASSERT_TRUE(machine.close());
  ASSERT_TRUE(machine.disk.flip_bit(path, positions[damaged] * 8 + bit));
  machine.restart();
  ASSERT_TRUE(machine.open(true));
  const std::string before = machine.contents(path);
  const std::size_t files = machine.log->segments().size();
  const auto cut = machine.wait(machine.log->truncate(Offset(offset)));
  if (cut) {
    const std::uint64_t expected = positions[static_cast<std::size_t>(offset) / 3];
    EXPECT_EQ(machine.contents(path).size(), expected);
  } else {
    EXPECT_EQ(cut.error().fault, StorageFault::corrupt);
    EXPECT_NE(cut.error().message.find(path), std::string::npos) << cut.error().message;
    EXPECT_NE(cut.error().message.find("damaged at position "), std::string::npos)
        << cut.error().message;
    EXPECT_EQ(machine.contents(path), before);
    EXPECT_EQ(machine.log->segments().size(), files);
    EXPECT_FALSE(machine.log->offline());
  }
  static_cast<void>(machine.wait(machine.log->close()));
  machine.log.reset();
}

TEST(Truncation, cuts_no_record_before_the_offset_that_was_asked_for_when_one_is_damaged) {
  LogMachine machine(12);
  fill_three_each(machine);
  const std::size_t batches = positions_of_first(machine).size() - 1;
  ASSERT_TRUE(machine.close());
  ASSERT_GT(batches, 5u);
  for (std::size_t damaged = 0; damaged < batches; ++damaged) {
    for (std::uint64_t bit = 0; bit < 64; bit += 2 * MILLRACE_SLOWNESS - 1) {
      const auto last = static_cast<std::int64_t>(3 * batches - 1);
      for (std::int64_t offset = 1; offset <= last; offset += 4) {
        cut_with_a_flipped_bit(damaged, bit, offset);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(Restart, begins_and_ends_anywhere) {
  for (const std::int64_t offset : {0, 5, 6, 25, 40, 100}) {
    for (const bool killed : {false, true}) {
      LogMachine machine(9);
      fill(machine);
      ASSERT_TRUE(machine.append(from_producer(0, {"p"}), LeaderEpoch(4)));
      ASSERT_TRUE(machine.wait(machine.log->restart_at(Offset(offset))));
      EXPECT_EQ(machine.log->start(), Offset(offset));
      EXPECT_EQ(machine.log->end(), Offset(offset));
      EXPECT_EQ(machine.log->high_watermark(), Offset(offset));
      EXPECT_TRUE(machine.log->epochs().empty());
      EXPECT_TRUE(machine.log->producers().empty());
      EXPECT_EQ(machine.log->segments().size(), 1u);
      // A leader of an earlier epoch than the records before, as where the log was behind.
      ASSERT_TRUE(machine.replicate(replicated(offset, {"new", "er"}, 1)));
      if (killed) {
        machine.kill(1);
        ASSERT_TRUE(machine.open());
      } else {
        machine.reopen();
      }
      EXPECT_EQ(machine.log->start(), Offset(offset));
      EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"new", "er"}));
      EXPECT_EQ(machine.log->epochs().entries().size(), 1u);
      ASSERT_TRUE(machine.close());
    }
  }
}

TEST(Restart, without_space_leaves_the_log_as_it_was) {
  for (const std::string_view path : {"leader-epoch-checkpoint", "00000000000000000100.log"}) {
    LogMachine machine(10);
    fill(machine);
    const auto before = machine.records();
    machine.disk.faults().plan(
        {.kind = IoKind::open, .fault = IoFault::no_space, .path_part = std::string(path)});
    const auto restarted = machine.wait(machine.log->restart_at(Offset(100)));
    ASSERT_FALSE(restarted) << path;
    EXPECT_EQ(restarted.error().fault, StorageFault::no_space);
    EXPECT_EQ(machine.records(), before);
    EXPECT_EQ(machine.log->epochs().entries().size(), 4u);
    ASSERT_TRUE(machine.append({{"more"}}, LeaderEpoch(3)));
    machine.reopen();
    EXPECT_EQ(machine.records().size(), before.size() + 1);
    EXPECT_EQ(machine.log->epochs().entries().size(), 4u);
    ASSERT_TRUE(machine.wait(machine.log->restart_at(Offset(100))));
    ASSERT_TRUE(machine.close());
  }
}

// What is known of a producer whose records were deleted lies in a snapshot alone.
TEST(Restart, without_space_forgets_no_producer) {
  LogMachine machine(11);
  machine.config.segment_bytes = 300;
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(from_producer(0, {"first"})));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append({{std::string(32, 'v')}}));
  machine.log->set_high_watermark(machine.log->end());
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(18))));
  machine.disk.faults().plan(
      {.kind = IoKind::open, .fault = IoFault::no_space, .path_part = "leader-epoch-checkpoint"});
  EXPECT_FALSE(machine.wait(machine.log->restart_at(Offset(100))));
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  const auto again = machine.append(from_producer(0, {"first"}));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
