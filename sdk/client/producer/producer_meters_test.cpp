// What a producer measures of itself.
#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using mock::ApiKey;
using mock::ErrorCode;

class ProducerMetersTest : public testing::Test {
 protected:
  void begin() {
    ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2}));
    machine.start();
    machine.load("orders");
  }
  double value_of(const std::string& group, const std::string& name) {
    MetricList list("me", machine.now());
    machine.producer->list_metrics(list);
    for (const MetricRow& row : list.take()) {
      if (row.group == group && row.name == name) return row.value;
    }
    ADD_FAILURE() << group << " " << name;
    return 0;
  }

  ProducerMachine machine;
};

TEST_F(ProducerMetersTest, count_records_of_all_and_of_each_topic) {
  machine.settings.batch_size = 100'000;
  begin();
  machine.send_all(0, 10);
  machine.send_all(10, 30, 1);
  ASSERT_TRUE(machine.flush());
  for (const std::string group : {"producer-metrics", "producer-topic-metrics"}) {
    EXPECT_EQ(value_of(group, "record-send-total"), 30) << group;
    EXPECT_EQ(value_of(group, "record-retry-total"), 0) << group;
    EXPECT_EQ(value_of(group, "record-error-total"), 0) << group;
  }
  EXPECT_EQ(value_of("producer-topic-metrics", "compression-rate"), 1);
  EXPECT_EQ(value_of("producer-metrics", "records-per-request-avg"), 30);
  EXPECT_EQ(value_of("producer-metrics", "buffer-available-bytes"),
            value_of("producer-metrics", "buffer-total-bytes"));
  EXPECT_GT(value_of("producer-metrics", "flush-time-ns-total"), 0);
}

TEST_F(ProducerMetersTest, count_what_is_tried_again_and_what_fails) {
  machine.settings.retries = 1;
  begin();
  machine.cluster->fail_next(ApiKey::produce, ErrorCode::not_enough_replicas, 2);
  ASSERT_TRUE(machine.send(1));
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(value_of("producer-metrics", "record-send-total"), 2);
  EXPECT_EQ(value_of("producer-metrics", "record-retry-total"), 1);
  EXPECT_EQ(value_of("producer-topic-metrics", "record-error-total"), 1);
}

TEST_F(ProducerMetersTest, count_records_for_which_there_is_no_memory) {
  machine.settings.buffer_memory = 8192;
  machine.settings.linger = long_time;
  begin();
  ASSERT_TRUE(machine.send(1));
  EXPECT_FALSE(machine.send(2, 1));
  EXPECT_EQ(value_of("producer-metrics", "buffer-exhausted-total"), 1);
  EXPECT_EQ(value_of("producer-metrics", "buffer-available-bytes"), 0);
}

TEST_F(ProducerMetersTest, count_the_time_of_each_call_of_a_transaction) {
  machine.settings.transactional_id = "copy";
  begin();
  machine.cluster->delay(ApiKey::init_producer_id, std::chrono::milliseconds{70});
  machine.cluster->delay(ApiKey::txn_offset_commit, std::chrono::milliseconds{50});
  machine.cluster->delay(ApiKey::end_txn, std::chrono::milliseconds{30});
  const auto milliseconds = [&](const std::string& call) {
    return value_of("producer-metrics", "txn-" + call + "-time-ns-total") / 1e6;
  };
  EXPECT_EQ(milliseconds("init"), 0);
  machine.run([](Transactor& transactor, MonotonicTime end) -> Task<void> {
    EXPECT_TRUE(co_await transactor.begin(end));
    GroupOffsets offsets{.group = "copiers", .member = {}, .items = {}};
    offsets.items.push_back({{"orders", PartitionIndex(1)}, Offset(5)});
    EXPECT_TRUE(co_await transactor.send_offsets(std::move(offsets), end));
    EXPECT_TRUE(co_await transactor.commit(end));
  }(*machine.producer->transactor(), machine.now() + long_time));
  EXPECT_GE(milliseconds("init"), 70);
  EXPECT_LT(milliseconds("begin"), 1) << "the time of init is told as that";
  EXPECT_GE(milliseconds("send-offsets"), 50);
  EXPECT_GE(milliseconds("commit"), 30);
  EXPECT_EQ(milliseconds("abort"), 0);
}

}  // namespace
}  // namespace millrace::client
