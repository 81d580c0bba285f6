// Consumers whose partitions get leaders that lack records.
#include "consumer_machine.hpp"

namespace millrace::client {
namespace {

using mock::ApiKey;
using mock::ErrorCode;
using mock::FaultKind;

const TopicPartition orders = place("orders", 0);

// A consumer that has read 30 records of one partition.
class Truncation : public testing::Test {
 protected:
  void SetUp() override {
    machine.create("orders", 1);
    machine.append("orders", 0, 30);
  }
  void read_all() {
    one = &machine.start();
    one->may_repeat = true;
    ASSERT_TRUE(one->client.assign({orders}).has_value());
    machine.poll(*one, 30);
  }
  // From there on the log has other records, under a new epoch.
  void rewrite_from(std::int64_t offset, std::size_t count) {
    ASSERT_TRUE(machine.cluster->lose_from("orders", PartitionIndex(0), Offset(offset)));
    machine.append("orders", 0, count);
  }
  // The last `count` that it got are those that the log has from `offset` on.
  void expect_last(std::int64_t offset, std::size_t count) {
    const auto& seen = one->values[orders];
    ASSERT_GE(seen.size(), count);
    const auto stored = machine.cluster->records("orders", PartitionIndex(0));
    ASSERT_TRUE(stored.has_value());
    for (std::size_t i = 0; i < count; ++i) {
      const auto& record = stored->at(static_cast<std::size_t>(offset) + i);
      const auto& [at, value] = seen[seen.size() - count + i];
      EXPECT_EQ(at, record.offset.value());
      EXPECT_EQ(value, record.value);
    }
  }

  ConsumerMachine machine{{.brokers = 2}};
  Application* one = nullptr;
};

TEST_F(Truncation, is_noticed_and_read_again_from_where_the_logs_differ) {
  read_all();
  rewrite_from(10, 50);
  machine.poll(*one, 30 + 50);
  expect_last(10, 50);
  EXPECT_TRUE(one->errors.empty());
  EXPECT_TRUE(machine.was_logged("orders-0 was truncated"));
}

TEST_F(Truncation, is_told_without_a_policy_until_the_application_seeks) {
  machine.settings.auto_offset_reset = OffsetReset::none;
  one = &machine.start();
  one->may_repeat = true;
  ASSERT_TRUE(one->client.assign({orders}).has_value());
  ASSERT_TRUE(one->client.seek(orders, Offset(0)).has_value());
  machine.poll(*one, 30);
  rewrite_from(10, 50);
  machine.run(one->poll_until([&] { return one->errors.size() >= 3; }, 60s));
  ASSERT_GE(one->errors.size(), 3u);
  EXPECT_EQ(one->count, 30u);
  for (const ClientError& error : one->errors) {
    EXPECT_EQ(error.code, ErrorCode::offset_out_of_range);
    EXPECT_NE(error.message.find("orders-0 was truncated: its records from offset 10 on"),
              std::string::npos)
        << error.message;
  }
  ASSERT_TRUE(one->client.seek(orders, Offset(10)).has_value());
  machine.poll(*one, 30 + 50);
  expect_last(10, 50);
}

TEST_F(Truncation, is_looked_for_and_nothing_repeats_where_leaders_lose_nothing) {
  read_all();
  one->may_repeat = false;
  for (std::int32_t broker = 1; broker <= 2; ++broker) {
    ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(0), BrokerId(broker)));
    machine.append("orders", 0, 10);
    machine.poll(*one, 30 + 10 * static_cast<std::size_t>(broker));
  }
  EXPECT_GT(machine.cluster->request_count(ApiKey::offset_for_leader_epoch), 0u);
  EXPECT_TRUE(one->errors.empty());
  EXPECT_FALSE(machine.was_logged("truncated"));
}

TEST_F(Truncation, of_what_a_group_has_committed_is_noticed_by_the_next_member) {
  Application& first = machine.subscribe("first");
  machine.poll(first, 30);
  machine.close(first);
  rewrite_from(10, 50);
  one = &machine.subscribe("second");
  machine.poll(*one, 50);
  expect_last(10, 50);
}

TEST_F(Truncation, is_found_whatever_becomes_of_the_question) {
  read_all();
  std::size_t count = 30;
  for (const ErrorCode error : {ErrorCode::not_leader_or_follower, ErrorCode::fenced_leader_epoch,
                                ErrorCode::unknown_leader_epoch, ErrorCode::kafka_storage_error}) {
    machine.cluster->fail_next(ApiKey::offset_for_leader_epoch, error, 2);
    rewrite_from(10, 30);
    count += 30;
    machine.poll(*one, count);
    expect_last(10, 30);
  }
  for (const FaultKind kind : {FaultKind::drop_before, FaultKind::drop_after, FaultKind::cut_short,
                               FaultKind::wrong_id, FaultKind::garbage, FaultKind::silence}) {
    machine.cluster->inject({.api = ApiKey::offset_for_leader_epoch, .kind = kind, .times = 2});
    rewrite_from(10, 30);
    count += 30;
    machine.poll(*one, count, 10min);
    expect_last(10, 30);
  }
  EXPECT_TRUE(one->errors.empty());
}

TEST(TruncationOfSome, is_looked_for_though_another_leader_does_not_answer) {
  ConsumerMachine machine({.brokers = 2});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2}));
  for (std::int32_t i = 0; i < 2; ++i) machine.append("orders", i, 10);
  for (std::int32_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(i), BrokerId(i + 1)));
  }
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  machine.poll(one, 20);
  machine.cluster->inject({.api = ApiKey::offset_for_leader_epoch,
                           .kind = FaultKind::silence,
                           .times = mock::always,
                           .broker = BrokerId(2)});
  machine.cluster->inject({.api = ApiKey::offset_for_leader_epoch,
                           .kind = FaultKind::error,
                           .error = ErrorCode::leader_not_available,
                           .times = 3,
                           .broker = BrokerId(1)});
  for (std::int32_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(i), BrokerId(2 - i)));
    machine.append("orders", i, 10);
  }
  machine.run(one.poll_until([&] { return one.count == 30; }, 20s));
  EXPECT_EQ(one.count, 30u) << "it failed three times, and was asked again";
  machine.cluster->clear_faults();
  machine.poll(one, 40, 2min);
}

TEST_F(Truncation, that_may_not_be_asked_for_is_told) {
  read_all();
  machine.cluster->fail_next(ApiKey::offset_for_leader_epoch, ErrorCode::topic_authorization_failed,
                             2);
  rewrite_from(10, 30);
  machine.poll(*one, 60);
  ASSERT_FALSE(one->errors.empty());
  EXPECT_EQ(one->errors[0].code, ErrorCode::topic_authorization_failed);
}

TEST_F(Truncation, is_not_looked_for_where_brokers_cannot_say) {
  machine.cluster->withdraw(ApiKey::offset_for_leader_epoch);
  read_all();
  ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(0), BrokerId(2)));
  machine.append("orders", 0, 10);
  machine.poll(*one, 40);
  EXPECT_TRUE(one->errors.empty());
}

}  // namespace
}  // namespace millrace::client
