// Where records without a key go when one of three brokers is slow, or takes nothing.
#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using mock::ApiKey;
using mock::Fault;
using mock::FaultKind;

constexpr std::int32_t brokers = 3;
constexpr Duration patience = 500ms;

class Spreading : public testing::Test {
 protected:
  // Each broker leads one partition; gives that of the last one.
  std::int32_t create() {
    EXPECT_TRUE(
        machine.cluster->create_topic("orders", {.partitions = brokers, .replication_factor = 1}));
    std::optional<std::int32_t> partition;
    for (std::int32_t i = 0; i < brokers; ++i) {
      if (*machine.cluster->leader("orders", PartitionIndex(i)) == troubled) partition = i;
    }
    EXPECT_TRUE(partition.has_value());
    return partition.value_or(0);
  }
  void inject(ApiKey api, FaultKind kind, Duration delay = {}) {
    machine.cluster->inject(
        Fault{.api = api, .kind = kind, .delay = delay, .times = mock::always, .broker = troubled});
  }
  void start() {
    machine.start();
    machine.load("orders");
  }
  // One record each millisecond; gives the first one of them.
  std::uint64_t send_for(Duration time) {
    const std::uint64_t first = next;
    for (const MonotonicTime end = machine.now() + time; machine.now() < end; ++next) {
      const auto sent = machine.send(next, std::nullopt);
      EXPECT_TRUE(sent.has_value()) << sent.error().message;
      machine.executor.advance(1ms);
    }
    return first;
  }
  // The part of the records of [from, to) that went there. Each has an outcome.
  [[nodiscard]] double share_of(std::int32_t partition, std::uint64_t from, std::uint64_t to) {
    std::size_t count = 0;
    for (std::uint64_t token = from; token < to; ++token) {
      const auto outcome = machine.outcomes.all.find(token);
      if (outcome == machine.outcomes.all.end()) {
        ADD_FAILURE() << "no outcome of record " << token;
        return -1;
      }
      count += outcome->second.partition.value() == partition ? 1 : 0;
    }
    return static_cast<double>(count) / static_cast<double>(to - from);
  }

  const BrokerId troubled{3};
  ProducerMachine machine{{.brokers = brokers}};
  std::uint64_t next = 0;
};

TEST_F(Spreading, brokers_that_are_faster_get_more) {
  const std::int32_t slow = create();
  inject(ApiKey::produce, FaultKind::delay, 200ms);
  start();
  const std::uint64_t first = send_for(20s);
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), next);
  const double share = share_of(slow, first, next);
  EXPECT_LT(share, 0.2);
  EXPECT_GT(share, 0.01) << "it gets what it can take";
  for (std::int32_t other = 0; other < brokers; ++other) {
    if (other != slow) EXPECT_NEAR(share_of(other, first, next), (1 - share) / 2, 0.07) << other;
  }
}

TEST_F(Spreading, brokers_that_are_faster_get_no_more_where_that_is_not_wanted) {
  machine.settings.partitioner_adaptive = false;
  const std::int32_t slow = create();
  inject(ApiKey::produce, FaultKind::delay, 200ms);
  start();
  const std::uint64_t first = send_for(20s);
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), next);
  for (std::int32_t partition = 0; partition < brokers; ++partition) {
    EXPECT_NEAR(share_of(partition, first, next), 1.0 / brokers, 0.07)
        << partition << ", the slow one is " << slow;
  }
}

// Whether it cannot be reached, or takes connections and answers nothing.
TEST_F(Spreading, a_broker_that_takes_nothing_gets_none_after_the_time) {
  const auto faults =
      std::to_array<std::pair<ApiKey, FaultKind>>({{ApiKey::api_versions, FaultKind::drop_before},
                                                   {ApiKey::api_versions, FaultKind::silence},
                                                   {ApiKey::produce, FaultKind::silence}});
  machine.settings.partitioner_availability_timeout = patience;
  const std::int32_t away = create();
  for (const bool is_adaptive : {true, false}) {
    for (const auto& [api, kind] : faults) {
      SCOPED_TRACE(formatted("{} {}{}", protocol::name_of(api), static_cast<int>(kind),
                             is_adaptive ? ", adaptive" : ""));
      machine.settings.partitioner_adaptive = is_adaptive;
      start();
      send_for(1s);
      ASSERT_TRUE(machine.flush());
      inject(api, kind);
      machine.cluster->drop_connections(troubled);
      const std::uint64_t first = send_for(10 * patience);
      const std::uint64_t late = send_for(20 * patience);
      machine.cluster->clear_faults();
      machine.executor.advance(long_time);
      const std::uint64_t again = send_for(20 * patience);
      ASSERT_TRUE(machine.flush());
      EXPECT_GT(share_of(away, first, late), 0) << "it was not tried";
      EXPECT_EQ(share_of(away, late, again), 0);
      EXPECT_GT(share_of(away, again, next), 0.1) << "it is there again";
      machine.close();
    }
  }
}

TEST_F(Spreading, a_broker_that_takes_nothing_gets_its_part_where_no_time_is_set) {
  machine.settings.partitioner_adaptive = false;
  const std::int32_t away = create();
  inject(ApiKey::produce, FaultKind::silence);
  start();
  const std::uint64_t first = send_for(10s);
  machine.cluster->clear_faults();
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), next);
  EXPECT_NEAR(share_of(away, first, next), 1.0 / brokers, 0.07);
}

// It has nothing any more that would show whether the broker is back.
TEST_F(Spreading, a_broker_is_tried_again_after_all_that_it_had_has_failed) {
  machine.settings.partitioner_availability_timeout = patience;
  machine.settings.delivery_timeout = 20 * patience;
  machine.settings.common.request_timeout = 10 * patience;
  const std::int32_t away = create();
  start();
  send_for(1s);
  ASSERT_TRUE(machine.flush());
  inject(ApiKey::api_versions, FaultKind::drop_before);
  machine.cluster->drop_connections(troubled);
  send_for(10 * patience);
  machine.executor.advance(100 * patience);
  EXPECT_LT(machine.outcomes.delivered_count(), next);
  machine.cluster->clear_faults();
  machine.executor.advance(100 * patience);
  const std::uint64_t again = send_for(20 * patience);
  ASSERT_TRUE(machine.flush());
  EXPECT_GT(share_of(away, again, next), 0.1);
}

}  // namespace
}  // namespace millrace::client
