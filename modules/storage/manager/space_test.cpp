// How much clients may write above the reserve, and what happens below it.
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

const TopicPartition offsets_0{"__consumer_offsets", PartitionIndex(0)};

TEST(SpaceGate, is_closed_until_it_is_told) {
  SpaceGate gate(1000, 1);
  EXPECT_TRUE(gate.closed());
  EXPECT_FALSE(gate.admit(1));
}

TEST(SpaceGate, grants_a_part_of_what_is_above_the_reserve_to_each_shard) {
  SpaceGate gate(mebibyte, 4);
  gate.found(5 * mebibyte);
  EXPECT_TRUE(gate.admit(mebibyte));
  EXPECT_FALSE(gate.admit(1));
  EXPECT_FALSE(gate.closed());
  gate.found(mebibyte);
  EXPECT_TRUE(gate.closed());
  gate.found(0);
  EXPECT_TRUE(gate.closed());
}

TEST(SpaceGate, asks_again_when_half_is_written) {
  SpaceGate gate(0, 1);
  gate.found(1000 * space_grant_bytes_max);
  EXPECT_TRUE(gate.admit(space_grant_bytes_max / 2));
  EXPECT_FALSE(gate.should_ask());
  EXPECT_TRUE(gate.admit(1));
  EXPECT_TRUE(gate.should_ask());
}

TEST(SpaceGate, internal_topics_are_those_of_the_coordinators) {
  for (const char* topic : {"__consumer_offsets", "__transaction_state", "__share_group_state"}) {
    EXPECT_TRUE(is_internal_topic(topic)) << topic;
  }
  for (const char* topic : {"orders", "__orders", "__consumer_offsets_", "consumer_offsets", ""}) {
    EXPECT_FALSE(is_internal_topic(topic)) << topic;
  }
}

// A disk with room for about 100 batches of 10 KB above the reserve.
class FullDisk : public ::testing::Test {
 protected:
  FullDisk() : machine(1) {
    machine.config.segment_bytes = 100'000;
    machine.options.reserve_bytes = mebibyte;
    machine.disk.set_capacity(2 * mebibyte);
    EXPECT_TRUE(machine.start());
    EXPECT_TRUE(machine.create(orders_0));
    EXPECT_TRUE(machine.create(offsets_0));
  }
  // Until the first refusal; how many were taken.
  std::size_t fill() {
    for (std::size_t taken = 0; taken < 1000; ++taken) {
      const auto appended = machine.append(orders_0, std::string(10'000, 'x'));
      if (appended) continue;
      EXPECT_EQ(appended.error().fault, AppendFault::storage);
      EXPECT_EQ(appended.error().storage, StorageFault::no_space);
      EXPECT_NE(appended.error().message.find("millrace.disk.reserve.bytes"), std::string::npos)
          << appended.error().message;
      return taken;
    }
    ADD_FAILURE() << "nothing was refused";
    return 0;
  }
  std::uint64_t free_bytes() {
    return machine.wait(machine.directories().describe()).front().free_bytes;
  }

  ManagerMachine machine;
};

TEST_F(FullDisk, clients_are_refused_before_the_reserve_is_touched) {
  EXPECT_GT(fill(), 50u);
  EXPECT_GE(free_bytes(), mebibyte - 64 * kibibyte);
  EXPECT_TRUE(machine.says("clients' records are refused"));
}

TEST_F(FullDisk, internal_topics_and_markers_go_on) {
  static_cast<void>(fill());
  EXPECT_TRUE(machine.append(offsets_0, std::string(10'000, 'o')));
  EXPECT_TRUE(machine.append(orders_0, "marker", AppendOrigin::coordinator));
  EXPECT_FALSE(machine.append(orders_0, std::string(10'000, 'x')));
}

TEST_F(FullDisk, followers_are_refused_as_well) {
  static_cast<void>(fill());
  const auto log = machine.manager().find(orders_0);
  auto batch = test_batch(std::string(10'000, 'r'));
  protocol::rewrite_base_offset_and_epoch(batch, log->end(), LeaderEpoch(0));
  const auto replicate = [](std::shared_ptr<Log> to, MutableBytes bytes) -> Task<AppendResult> {
    co_return co_await to->replicate(bytes);
  };
  const auto appended = machine.wait(replicate(log, batch));
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().storage, StorageFault::no_space);
}

TEST_F(FullDisk, retention_and_deletes_make_room_for_clients) {
  static_cast<void>(fill());
  machine.config.retention_bytes = 200'000;
  machine.config.file_delete_delay = Milliseconds(0);
  ASSERT_TRUE(machine.manager().set_config(orders_0, machine.config));
  {
    const auto log = machine.manager().find(orders_0);
    log->set_high_watermark(log->end());
  }
  machine.run(machine.manager().apply_retention());
  machine.executor.advance(std::chrono::seconds(5));
  EXPECT_TRUE(machine.append(orders_0, std::string(10'000, 'x')));
}

// Nobody waits for log.retention.check.interval.ms.
TEST_F(FullDisk, starts_retention_at_once_and_soon_sees_what_it_freed) {
  machine.config.retention_bytes = 200'000;
  machine.config.file_delete_delay = Milliseconds(0);
  ASSERT_TRUE(machine.manager().set_config(orders_0, machine.config));
  const MonotonicTime began = machine.executor.clock().now();
  std::size_t taken = 0;
  for (; machine.append(orders_0, std::string(10'000, 'x')); ++taken) {
    ASSERT_LT(taken, 1'000u);
    const auto log = machine.manager().find(orders_0);
    log->set_high_watermark(log->end());
  }
  EXPECT_GT(taken, 50u);
  machine.executor.advance(std::chrono::seconds(3));
  EXPECT_TRUE(machine.append(orders_0, std::string(10'000, 'x')));
  EXPECT_GT(machine.manager().find(orders_0)->start(), Offset(0));
  ASSERT_LT(machine.executor.clock().now() - began, first_retention_delay);
}

TEST_F(FullDisk, a_partition_can_be_removed_and_another_one_used) {
  static_cast<void>(fill());
  machine.config.file_delete_delay = Milliseconds(0);
  ASSERT_TRUE(machine.manager().set_config(orders_0, machine.config));
  ASSERT_TRUE(machine.remove(orders_0));
  machine.executor.advance(std::chrono::seconds(5));
  ASSERT_TRUE(machine.create(orders_0, test_topic_id(2)));
  EXPECT_TRUE(machine.append(orders_0, std::string(10'000, 'x')));
}

TEST_F(FullDisk, it_stops_in_order_and_starts_again) {
  static_cast<void>(fill());
  ASSERT_TRUE(machine.stop());
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.recovered, 0u);
  EXPECT_FALSE(machine.append(orders_0, std::string(200'000, 'x')));
}

}  // namespace
}  // namespace millrace::storage
