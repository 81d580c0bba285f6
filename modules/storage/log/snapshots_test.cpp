#include "test_batches.hpp"

namespace millrace::storage {
namespace {

std::vector<std::int64_t> snapshots(const LogMachine& machine) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t offset = 0; offset <= 100; ++offset) {
    if (machine.has_file(LogMachine::path(offset, SegmentFileKind::producer_snapshot))) {
      offsets.push_back(offset);
    }
  }
  return offsets;
}

using Offsets = std::vector<std::int64_t>;

TEST(ProducerSnapshots, are_written_where_segments_begin_and_where_the_log_ends) {
  LogMachine machine(1);
  machine.config.segment_bytes = 300;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(machine.append(from_producer(i, {std::string(30, 'v')})));
  machine.executor.advance(std::chrono::seconds(1));
  Offsets expected;
  for (const auto& segment : machine.log->segments()) {
    if (segment->base() > Offset(0)) expected.push_back(segment->base().value());
  }
  EXPECT_EQ(snapshots(machine), expected);
  machine.reopen();
  expected.push_back(8);
  EXPECT_EQ(snapshots(machine), expected);
  // The one at the old end goes when there is one at the new end.
  ASSERT_TRUE(machine.append(from_producer(8, {"v"})));
  machine.reopen();
  expected.back() = 9;
  EXPECT_EQ(snapshots(machine), expected);
  EXPECT_TRUE(machine.append(from_producer(8, {"v"}))->duplicate);
  ASSERT_TRUE(machine.close());
}

TEST(ProducerSnapshots, a_log_that_flushes_moves_its_recovery_point_by_them) {
  LogMachine machine(2);
  machine.config.flush_records = 1;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(machine.append(from_producer(i, {"v"})));
    ASSERT_TRUE(machine.wait(machine.log->checkpoint()));
    EXPECT_EQ(machine.log->recovery_point(), Offset(i + 1));
    EXPECT_EQ(snapshots(machine), (Offsets{i + 1}));
  }
  ASSERT_TRUE(machine.wait(machine.process->keeper.save_recovery_point(*machine.log)));
  machine.power_cut(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.log->recovery().scanned_bytes, 0u);
  EXPECT_TRUE(machine.append(from_producer(9, {"v"}))->duplicate);
  ASSERT_TRUE(machine.close());
}

TEST(ProducerSnapshots, transactions_that_are_open_survive_every_kind_of_end) {
  for (const bool rolls : {false, true}) {
    for (const char* end : {"close", "kill", "power"}) {
      LogMachine machine(3);
      ASSERT_TRUE(machine.open());
      TestBatch batch = from_producer(0, {"open"});
      batch.transactional = true;
      ASSERT_TRUE(machine.append({{"before"}}));
      ASSERT_TRUE(machine.append(batch));
      if (rolls) ASSERT_TRUE(machine.wait(machine.log->roll()));
      ASSERT_TRUE(machine.append({{"after"}}));
      ASSERT_TRUE(machine.wait(machine.log->flush()));
      if (end == std::string("close")) {
        machine.reopen();
      } else {
        end == std::string("kill") ? machine.kill(1) : machine.power_cut(1);
        ASSERT_TRUE(machine.open());
      }
      machine.log->set_high_watermark(Offset(3));
      EXPECT_EQ(machine.log->last_stable_offset(), Offset(1)) << end;
      TestBatch marker{.values = {}, .producer = ProducerId(7), .epoch = ProducerEpoch(0)};
      marker.marker = protocol::ControlRecordType::abort;
      ASSERT_TRUE(machine.append(marker, LeaderEpoch(0), AppendOrigin::coordinator));
      machine.log->set_high_watermark(Offset(4));
      EXPECT_EQ(machine.log->last_stable_offset(), Offset(4));
      machine.reopen();
      const auto aborted = machine.wait(machine.log->aborted(Offset(0), Offset(4)));
      ASSERT_TRUE(aborted);
      EXPECT_EQ(
          *aborted,
          (std::vector<AbortedTransaction>{{ProducerId(7), Offset(1), Offset(3), Offset(4)}}));
      ASSERT_TRUE(machine.close());
    }
  }
}

TEST(ProducerSnapshots, aborted_transactions_are_found_across_segments) {
  LogMachine machine(4);
  machine.config.segment_bytes = 300;
  ASSERT_TRUE(machine.open());
  std::vector<AbortedTransaction> expected;
  for (int i = 0; i < 10; ++i) {
    TestBatch batch = from_producer(i, {std::string(30, 'v')});
    batch.transactional = true;
    const auto appended = machine.append(batch);
    ASSERT_TRUE(appended);
    ASSERT_TRUE(machine.append({{std::string(30, 'p')}}));
    TestBatch marker{.values = {}, .producer = ProducerId(7), .epoch = ProducerEpoch(0)};
    marker.marker =
        i % 2 == 0 ? protocol::ControlRecordType::abort : protocol::ControlRecordType::commit;
    const auto ended = machine.append(marker, LeaderEpoch(0), AppendOrigin::coordinator);
    ASSERT_TRUE(ended);
    if (i % 2 == 0) {
      expected.push_back(
          {ProducerId(7), appended->base_offset, ended->base_offset, ended->base_offset.next()});
    }
  }
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t from = 0; from < 30; ++from) {
      for (std::int64_t to = from; to <= 30; to += 3) {
        const auto found = machine.wait(machine.log->aborted(Offset(from), Offset(to)));
        ASSERT_TRUE(found);
        for (const AbortedTransaction& transaction : expected) {
          const bool within =
              transaction.last_offset >= Offset(from) && transaction.first_offset < Offset(to);
          const bool given = std::find(found->begin(), found->end(), transaction) != found->end();
          EXPECT_EQ(given, within) << from << " to " << to;
        }
      }
    }
    if (round == 0) machine.reopen();
    if (round == 1) {
      machine.kill(1);
      machine.write_file("/data/recovery-point-offset-checkpoint", "0\n0\n");
      ASSERT_TRUE(machine.open());
    }
  }
  ASSERT_TRUE(machine.close());
}

TEST(ProducerSnapshots, producers_that_are_silent_for_long_are_forgotten) {
  LogMachine machine(5);
  machine.config.producer_expiration = Milliseconds(10'000);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append(from_producer(0, {"v"})));
  machine.executor.manual_clock().set_wall(Timestamp(10'999));
  machine.log->expire_producers();
  EXPECT_EQ(machine.log->producers().size(), 1u);
  machine.executor.manual_clock().set_wall(Timestamp(11'000));
  machine.log->expire_producers();
  EXPECT_EQ(machine.log->producers().size(), 0u);
  ASSERT_TRUE(machine.close());
}

// What is known of the producers at each of them does not gather in memory.
TEST(ProducerSnapshots, of_recovered_segments_are_saved_as_recovery_goes_on) {
  LogMachine machine(6, slowly);
  machine.config.segment_bytes = 300;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(machine.append({{std::string(60, 'v')}}));
  machine.finish_started();
  machine.kill(6);
  machine.write_file("/data/recovery-point-offset-checkpoint", "0\n0\n");
  ASSERT_TRUE(machine.open());
  const auto segments = machine.log->segments();
  ASSERT_GT(segments.size(), 40u);
  // Those that are left are settled in the background.
  EXPECT_GE(machine.log->recovery_point(), segments[segments.size() - 10]->base());
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
