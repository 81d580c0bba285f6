// Also proves internal.cpp.
#include "broker_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::Test;

struct CountingWaiter : PartitionWaiter {
  CountingWaiter()
      : PartitionWaiter([](PartitionWaiter& self) {
          auto& waiter = static_cast<CountingWaiter&>(self);
          ++waiter.calls;
          if (waiter.cancels != nullptr) waiter.cancels->cancel();
          if (waiter.again != nullptr) waiter.again->wait_for_change(waiter);
        }) {}
  int calls = 0;
  PartitionWaiter* cancels = nullptr;
  Partition* again = nullptr;
};

class PartitionTest : public Test {
 protected:
  void SetUp() override { ASSERT_TRUE(machine.start().has_value()); }

  BrokerMachine machine{7, 1};
};

TEST(Shards, have_the_partitions_of_a_topic_in_turn) {
  const std::uint32_t first = shard_of("orders", PartitionIndex(0), 3).value();
  for (std::int32_t i = 0; i < 9; ++i) {
    EXPECT_EQ(shard_of("orders", PartitionIndex(i), 3).value(),
              (first + static_cast<std::uint32_t>(i)) % 3);
    EXPECT_EQ(shard_of("orders", PartitionIndex(i), 1), ShardIndex(0));
  }
  // What a client sends is looked up before it is known to be a partition.
  EXPECT_LT(shard_of("orders", PartitionIndex(-1), 3).value(), 3U);
}

TEST_F(PartitionTest, moves_the_high_watermark_with_the_log_while_it_is_alone_in_sync) {
  machine.make_topic({});
  Partition& partition = machine.partition("orders");
  EXPECT_EQ(partition.high_watermark(), Offset(0));
  const auto appended = machine.append(partition, {.values = {"a", "b"}});
  ASSERT_TRUE(appended.has_value());
  EXPECT_EQ(partition.high_watermark(), Offset(2));
  EXPECT_EQ(partition.last_stable_offset(), Offset(2));
  EXPECT_EQ(machine.values(partition), (std::vector<std::string>{"a", "b"}));
}

TEST_F(PartitionTest, tells_each_who_waits_once_of_a_change) {
  machine.make_topic({});
  Partition& partition = machine.partition("orders");
  CountingWaiter first;
  CountingWaiter cancelled;
  CountingWaiter again;
  CountingWaiter last;
  first.cancels = &cancelled;
  again.again = &partition;
  for (CountingWaiter* waiter : {&first, &cancelled, &again, &last}) {
    partition.wait_for_change(*waiter);
  }
  ASSERT_TRUE(machine.append(partition, {}).has_value());
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(cancelled.calls, 0);
  EXPECT_EQ(again.calls, 1);
  EXPECT_EQ(last.calls, 1);
  EXPECT_TRUE(again.waiting());
  ASSERT_TRUE(machine.append(partition, {}).has_value());
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(again.calls, 2);
}

TEST_F(PartitionTest, tells_who_waits_when_it_is_gone) {
  machine.make_topic({});
  const auto partition = machine.partition("orders").shared_from_this();
  CountingWaiter waiter;
  partition->wait_for_change(waiter);
  machine.remove_topic("orders");
  EXPECT_EQ(waiter.calls, 1);
  EXPECT_EQ(partition->check_leader(no_leader_epoch), ErrorCode::not_leader_or_follower);
  const auto appended = machine.append(*partition, {});
  ASSERT_FALSE(appended.has_value());
  EXPECT_EQ(partition_error(appended.error()).code, ErrorCode::not_leader_or_follower);
}

TEST_F(PartitionTest, keeps_the_high_watermark_while_others_are_in_sync) {
  machine.make_topic({.replicas = {test_broker, other_broker}, .isr = {test_broker, other_broker}});
  Partition& partition = machine.partition("orders");
  ASSERT_TRUE(machine.append(partition, {}).has_value());
  EXPECT_EQ(partition.log_end(), Offset(1));
  EXPECT_EQ(partition.high_watermark(), Offset(0));
  const MonotonicTime soon = machine.executor.clock().now() + 1s;
  EXPECT_EQ(machine.wait(partition.wait_for_high_watermark(Offset(1), soon)),
            ErrorCode::request_timed_out);
  CountingWaiter waiter;
  partition.wait_for_change(waiter);
  machine.change_partition("orders", 0, {.isr = std::vector<BrokerId>{test_broker}});
  EXPECT_EQ(waiter.calls, 1);
  EXPECT_EQ(partition.high_watermark(), Offset(1));
}

TEST_F(PartitionTest, keeps_the_high_watermark_below_min_insync_replicas) {
  machine.make_topic(
      {.replicas = {test_broker, other_broker}, .settings = {{"min.insync.replicas", "2"}}});
  Partition& partition = machine.partition("orders");
  EXPECT_FALSE(partition.has_enough_replicas());
  ASSERT_TRUE(machine.append(partition, {}).has_value());
  EXPECT_EQ(partition.high_watermark(), Offset(0));
  machine.set("orders", "min.insync.replicas", "1");
  EXPECT_EQ(partition.high_watermark(), Offset(1));
}

TEST_F(PartitionTest, asks_for_no_more_replicas_than_there_are) {
  machine.make_topic({.settings = {{"min.insync.replicas", "2"}}});
  EXPECT_TRUE(machine.partition("orders").has_enough_replicas());
}

TEST_F(PartitionTest, ends_a_wait_for_the_high_watermark_when_another_leads) {
  machine.make_topic({.replicas = {test_broker, other_broker}, .isr = {test_broker, other_broker}});
  Partition& partition = machine.partition("orders");
  ASSERT_TRUE(machine.append(partition, {}).has_value());
  std::optional<ErrorCode> ended;
  TaskGroup group;
  group.start(
      [](Partition& waited, std::optional<ErrorCode>& code, MonotonicTime deadline) -> Task<void> {
        code = co_await waited.wait_for_high_watermark(Offset(1), deadline);
      }(partition, ended, machine.executor.clock().now() + 1h));
  EXPECT_FALSE(ended);
  machine.change_partition("orders", 0, {.leader = other_broker});
  machine.executor.run_until_idle();
  EXPECT_EQ(ended, ErrorCode::not_leader_or_follower);
}

TEST_F(PartitionTest, shows_with_flush_messages_only_what_is_on_the_disk) {
  machine.make_topic({.settings = {{"flush.messages", "1"}}});
  Partition& partition = machine.partition("orders");
  std::vector<std::byte> batch = batch_of({});
  bool appended = false;
  TaskGroup group;
  group.start([](Partition& to, std::vector<std::byte> bytes, bool& done) -> Task<void> {
    const auto result = co_await BrokerMachine::append_to(to, std::move(bytes));
    EXPECT_TRUE(result.has_value());
    done = true;
  }(partition, std::move(batch), appended));
  while (!appended) {
    partition.appended();
    EXPECT_LE(partition.high_watermark(), partition.log().flushed_end());
    if (machine.executor.run_until_idle() == 0) machine.executor.advance_to_next_timer();
  }
  EXPECT_EQ(partition.high_watermark(), Offset(1));
  EXPECT_EQ(partition.log().flushed_end(), Offset(1));
}

// An append that was refused in time may still be committed: who loads reads up to it.
TEST_F(PartitionTest, a_coordinator_is_told_where_the_log_ends_above_the_high_watermark) {
  machine.make_topic({.name = "__consumer_offsets",
                      .replicas = {test_broker, other_broker},
                      .isr = {test_broker, other_broker},
                      .settings = {{"cleanup.policy", "compact"}}});
  Partition& partition = machine.partition("__consumer_offsets");
  std::vector<std::byte> batch = batch_of({.key = "k"});
  const MonotonicTime soon = machine.executor.clock().now() + 1s;
  const auto appended = machine.wait(partition.append_internal(LeaderEpoch(3), batch, soon));
  ASSERT_FALSE(appended.has_value());
  EXPECT_EQ(appended.error().code, ErrorCode::request_timed_out);
  const auto read = machine.wait(partition.read_internal(LeaderEpoch(3), Offset(0), 1000));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->high_watermark, Offset(0));
  EXPECT_EQ(read->log_end, Offset(1));
}

TEST_F(PartitionTest, appends_of_a_coordinator_name_the_epoch_in_which_it_loaded) {
  machine.make_topic({.name = "__consumer_offsets", .settings = {{"cleanup.policy", "compact"}}});
  Partition& partition = machine.partition("__consumer_offsets");
  const MonotonicTime soon = machine.executor.clock().now() + 1s;
  const auto append = [&](LeaderEpoch epoch, const BatchOf& wanted) {
    std::vector<std::byte> batch = batch_of(wanted);
    return machine.wait(partition.append_internal(epoch, batch, soon));
  };
  EXPECT_EQ(append(LeaderEpoch(2), {.key = "k"}).error().code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(append(LeaderEpoch(4), {.key = "k"}).error().code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(append(LeaderEpoch(3), {.key = ""}).error().code, ErrorCode::invalid_record);
  const auto appended = append(LeaderEpoch(3), {.key = "k"});
  ASSERT_TRUE(appended.has_value()) << appended.error().message;
  EXPECT_EQ(appended->base_offset, Offset(0));
  EXPECT_EQ(partition.high_watermark(), Offset(1));
  std::vector<std::byte> garbage(100, std::byte{0x55});
  EXPECT_FALSE(machine.wait(partition.append_internal(LeaderEpoch(3), garbage, soon)).has_value());

  const auto read = machine.wait(partition.read_internal(LeaderEpoch(3), Offset(0), 1000));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->high_watermark, Offset(1));
  EXPECT_FALSE(read->bytes.empty());
  const auto end = machine.wait(partition.read_internal(LeaderEpoch(3), Offset(1), 1000));
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->bytes.empty());
  EXPECT_EQ(machine.wait(partition.read_internal(LeaderEpoch(3), Offset(2), 1000)).error().code,
            ErrorCode::offset_out_of_range);
  EXPECT_EQ(machine.wait(partition.read_internal(LeaderEpoch(2), Offset(0), 1000)).error().code,
            ErrorCode::not_leader_or_follower);
}

TEST_F(PartitionTest, what_a_coordinator_appends_need_not_be_as_small_as_what_clients_may_send) {
  machine.make_topic({.name = "__consumer_offsets",
                      .settings = {{"cleanup.policy", "compact"}, {"max.message.bytes", "100"}}});
  Partition& partition = machine.partition("__consumer_offsets");
  std::vector<std::byte> batch = batch_of({.values = {std::string(5'000, 'v')}, .key = "k"});
  const auto appended = machine.wait(
      partition.append_internal(LeaderEpoch(3), batch, machine.executor.clock().now() + 1s));
  EXPECT_TRUE(appended.has_value()) << appended.error().message;
}

TEST_F(PartitionTest, knows_where_epochs_end_also_before_their_first_record) {
  machine.make_topic({});
  Partition& partition = machine.partition("orders");
  using End = storage::LeaderEpochCache::EpochEnd;
  const auto end = [&](std::int32_t epoch) { return partition.end_of_epoch(LeaderEpoch(epoch)); };
  EXPECT_EQ(end(3), (End{LeaderEpoch(3), Offset(0)}));
  EXPECT_EQ(end(2), (End{LeaderEpoch(2), Offset(0)}));
  EXPECT_EQ(end(4), End{});
  EXPECT_EQ(end(-1), End{});
  EXPECT_EQ(partition.epoch_at(Offset(0)), LeaderEpoch(3));
  ASSERT_TRUE(machine.append(partition, {.values = {"a", "b"}}).has_value());
  // Another epoch for each change of the leader, also to the same one.
  machine.change_partition("orders", 0, {.leader = test_broker});
  machine.change_partition("orders", 0, {.leader = test_broker});
  EXPECT_EQ(partition.leader_epoch(), LeaderEpoch(5));
  EXPECT_EQ(end(3), (End{LeaderEpoch(3), Offset(2)}));
  EXPECT_EQ(end(4), (End{LeaderEpoch(3), Offset(2)}));
  EXPECT_EQ(end(5), (End{LeaderEpoch(5), Offset(2)}));
  ASSERT_TRUE(machine.append(partition, {}).has_value());
  EXPECT_EQ(end(3), (End{LeaderEpoch(3), Offset(2)}));
  EXPECT_EQ(end(4), (End{LeaderEpoch(3), Offset(2)}));
  EXPECT_EQ(end(5), (End{LeaderEpoch(5), Offset(3)}));
  EXPECT_EQ(partition.epoch_at(Offset(1)), LeaderEpoch(3));
  EXPECT_EQ(partition.epoch_at(Offset(2)), LeaderEpoch(5));
}

TEST_F(PartitionTest, deletes_records_up_to_the_high_watermark_where_the_policy_allows_it) {
  machine.make_topic({});
  Partition& partition = machine.partition("orders");
  ASSERT_TRUE(machine.append(partition, {.values = {"a", "b", "c"}}).has_value());
  const auto removed = [&](std::int64_t offset) {
    return machine.wait(partition.delete_records(Offset(offset)));
  };
  EXPECT_EQ(removed(4).error().code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(removed(-2).error().code, ErrorCode::offset_out_of_range);
  CountingWaiter waiter;
  partition.wait_for_change(waiter);
  EXPECT_EQ(removed(2).value(), Offset(2));
  EXPECT_EQ(waiter.calls, 1);
  EXPECT_EQ(removed(1).value(), Offset(2));
  EXPECT_EQ(machine.values(partition), std::vector<std::string>{"c"});
  EXPECT_EQ(removed(-1).value(), Offset(3));
  machine.set("orders", "cleanup.policy", "compact");
  EXPECT_EQ(removed(-1).error().code, ErrorCode::policy_violation);
}

TEST_F(PartitionTest, every_failed_append_has_a_code_for_the_client) {
  const auto code = [](storage::AppendFault fault,
                       storage::ProducerVerdict verdict = storage::ProducerVerdict::accepted) {
    storage::AppendError error;
    error.fault = fault;
    error.verdict = verdict;
    return partition_error(error).code;
  };
  using enum storage::AppendFault;
  using Verdict = storage::ProducerVerdict;
  EXPECT_EQ(code(storage), ErrorCode::kafka_storage_error);
  EXPECT_EQ(code(larger_than_segment), ErrorCode::record_list_too_large);
  EXPECT_EQ(code(not_a_batch), ErrorCode::corrupt_message);
  EXPECT_EQ(code(offsets_go_back), ErrorCode::corrupt_message);
  EXPECT_EQ(code(old_epoch), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(code(closed), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(code(producer, Verdict::out_of_order_sequence_number),
            ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(code(producer, Verdict::invalid_producer_epoch), ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(code(producer, Verdict::transaction_coordinator_fenced),
            ErrorCode::transaction_coordinator_fenced);
  EXPECT_EQ(code(producer, Verdict::invalid_transaction_state), ErrorCode::invalid_txn_state);
  EXPECT_EQ(code(producer, Verdict::too_many_producers), ErrorCode::kafka_storage_error);
}

}  // namespace
}  // namespace millrace::broker
