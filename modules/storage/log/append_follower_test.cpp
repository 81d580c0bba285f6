#include "test_batches.hpp"

namespace millrace::storage {
namespace {

TEST(Append, a_follower_keeps_the_offsets_of_its_leader_with_their_gaps) {
  LogMachine machine(7);
  ASSERT_TRUE(machine.open());
  const auto appended = machine.replicate(
      joined({replicated(3, {"a", "b"}), replicated(10, {"c"}), replicated(11, {"d"}, 2)}));
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->base_offset, Offset(3));
  EXPECT_EQ(appended->last_offset, Offset(11));
  EXPECT_EQ(machine.log->end(), Offset(12));
  EXPECT_EQ(machine.log->epochs().epoch_for_offset(Offset(11)), LeaderEpoch(2));
  EXPECT_EQ(fault_of(machine.replicate(replicated(11, {"again"}, 2))),
            AppendFault::offsets_go_back);
  machine.reopen();
  const auto records = machine.records();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[2].offset, Offset(10));
  ASSERT_TRUE(machine.close());
}

TEST(Append, batches_of_a_follower_spread_over_segments) {
  LogMachine machine(8);
  machine.config.segment_bytes = 250;
  ASSERT_TRUE(machine.open());
  std::vector<std::vector<std::byte>> batches;
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    expected.push_back("value " + std::to_string(i));
    batches.push_back(replicated(i, {expected.back()}, i / 7));
  }
  const auto appended = machine.replicate(joined(batches));
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->base_offset, Offset(0));
  EXPECT_EQ(appended->last_offset, Offset(19));
  EXPECT_EQ(machine.log->segments().size(), 7u);
  EXPECT_EQ(machine.log->epochs().entries().size(), 3u);
  EXPECT_EQ(values_of(machine.records()), expected);
  ASSERT_TRUE(machine.close());
}

TEST(Append, nobody_cuts_between_batches_that_were_given_together) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LogMachine machine(seed, slowly);
    machine.config.segment_bytes = 250;
    ASSERT_TRUE(machine.open());
    std::vector<std::vector<std::byte>> batches;
    for (int i = 0; i < 20; ++i) batches.push_back(replicated(i, {std::string(20, 'v')}));
    const auto appended = machine.start(machine.replicate_task(joined(batches)));
    for (std::uint64_t i = 0; i < seed; ++i) machine.executor.advance(std::chrono::milliseconds(2));
    const auto cut = machine.start(machine.log->truncate(Offset(2)));
    machine.finish_started();
    ASSERT_TRUE(**appended);
    ASSERT_TRUE(**cut);
    EXPECT_EQ(machine.log->end(), Offset(2)) << seed;
    EXPECT_EQ(machine.records().size(), 2u);
    ASSERT_TRUE(machine.close());
  }
}

TEST(Append, of_a_follower_stops_at_a_damaged_batch) {
  LogMachine machine(9);
  ASSERT_TRUE(machine.open());
  auto damaged = replicated(2, {"c"});
  damaged.back() ^= std::byte{1};
  EXPECT_EQ(
      fault_of(machine.replicate(joined({replicated(0, {"a"}), replicated(1, {"b"}), damaged}))),
      AppendFault::not_a_batch);
  EXPECT_EQ(machine.log->end(), Offset(2));
  std::vector<std::byte> cut = replicated(2, {"c"});
  cut.resize(cut.size() - 5);
  EXPECT_EQ(fault_of(machine.replicate(cut)), AppendFault::not_a_batch);
  EXPECT_EQ(fault_of(machine.replicate(std::vector<std::byte>(100))), AppendFault::not_a_batch);
  ASSERT_TRUE(machine.replicate(replicated(2, {"c"})));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(machine.close());
}

// The leader would not have accepted it, had it known what this follower knows.
TEST(Append, of_a_follower_refuses_plain_records_within_a_transaction) {
  LogMachine machine(13);
  ASSERT_TRUE(machine.open());
  TestBatch batch = from_producer(0, {"a"});
  batch.transactional = true;
  ASSERT_TRUE(machine.replicate(encode(batch)));
  TestBatch plain = from_producer(1, {"b"});
  plain.base_offset = Offset(1);
  const auto refused = machine.replicate(encode(plain));
  EXPECT_EQ(fault_of(refused), AppendFault::producer);
  EXPECT_EQ(refused.error().verdict, ProducerVerdict::invalid_transaction_state);
  EXPECT_EQ(machine.log->end(), Offset(1));
  ASSERT_TRUE(machine.close());
}

TEST(Append, offsets_at_the_end_of_all_numbers_are_refused) {
  LogMachine machine(10);
  ASSERT_TRUE(machine.open());
  const std::int64_t last = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(fault_of(machine.replicate(replicated(last, {"a"}))), AppendFault::offsets_go_back);
  EXPECT_EQ(fault_of(machine.replicate(replicated(last - 1, {"a", "b", "c"}))),
            AppendFault::offsets_go_back);
  ASSERT_TRUE(machine.append({{"a"}}));
  ASSERT_TRUE(machine.close());
}

constexpr std::int64_t far = std::int64_t{1} << 33;

TEST(Append, a_batch_far_from_the_last_one_begins_a_segment) {
  LogMachine machine(11);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.replicate(joined({replicated(0, {"a"}), replicated(far, {"b"})})));
  ASSERT_TRUE(machine.append({{"c"}}));
  EXPECT_EQ(machine.log->segments().size(), 2u);
  EXPECT_EQ(machine.log->segments().back()->base(), Offset(far));
  EXPECT_EQ(machine.log->end(), Offset(far + 2));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "b", "c"}));
  machine.reopen();
  EXPECT_EQ(machine.records().size(), 3u);
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(machine.close());
}

TEST(Append, what_a_far_batch_without_space_leaves_does_not_harm_the_next_one) {
  LogMachine machine(12);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.replicate(replicated(0, {"a"})));
  machine.disk.faults().plan({.kind = IoKind::write,
                              .fault = IoFault::no_space,
                              .path_part = std::to_string(far) + ".log"});
  EXPECT_EQ(fault_of(machine.replicate(replicated(far, {"b"}))), AppendFault::storage);
  EXPECT_EQ(machine.log->end(), Offset(1));
  ASSERT_TRUE(machine.append({{"c"}}));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "c"}));
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "c"}));
  ASSERT_TRUE(machine.close());
}

TEST(Append, a_far_batch_survives_a_kill_before_anything_was_settled) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    LogMachine machine(seed);
    ASSERT_TRUE(machine.open());
    ASSERT_TRUE(machine.replicate(joined({replicated(0, {"a"}), replicated(far, {"b"})})));
    machine.kill(seed);
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "b"})) << seed;
    ASSERT_TRUE(machine.close());
  }
}

TEST(Append, without_space_for_a_segment_behind_a_gap_no_file_is_left) {
  LogMachine machine(14);
  machine.config.segment_bytes = 1'000;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.append({{"a"}}));
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(9))));
  machine.disk.faults().plan(
      {.kind = IoKind::write, .fault = IoFault::no_space, .path_part = ".snapshot"});
  const auto rolled = machine.wait(machine.log->roll());
  ASSERT_FALSE(rolled);
  EXPECT_EQ(rolled.error().fault, StorageFault::no_space);
  EXPECT_FALSE(machine.has_file(machine.path(9, SegmentFileKind::log)));
  ASSERT_TRUE(machine.append({{"b"}}));
  machine.reopen();
  EXPECT_EQ(machine.records().size(), 10u);
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
