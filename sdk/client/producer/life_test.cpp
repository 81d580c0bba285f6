// Flushing, closing and ids.
#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using mock::ApiKey;
using mock::FaultKind;

TEST(ProducerLife, a_producer_that_sent_nothing_closes) {
  ProducerMachine machine;
  machine.start();
  machine.close();
}

TEST(ProducerLife, close_sends_what_is_there) {
  ProducerMachine machine;
  machine.settings.linger = 1h;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.send_all(0, 3);
  machine.close();
  EXPECT_EQ(machine.outcomes.delivered_count(), 3u);
}

TEST(ProducerLife, flush_waits_for_nothing_that_comes_later_and_tells_when_it_is_late) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  ASSERT_TRUE(machine.flush());
  machine.cluster->delay(ApiKey::produce, 10s);
  machine.send_all(0, 3);
  const auto late = machine.flush(1s);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().failure, Failure::timed_out);
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), 3u);
}

TEST(ProducerLife, at_the_deadline_of_close_what_has_no_outcome_gets_one) {
  ProducerMachine machine;
  machine.settings.linger = 1h;
  machine.settings.batch_size = 60;
  machine.settings.max_in_flight = 1;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.cluster->inject(
      {.api = ApiKey::produce, .kind = FaultKind::silence, .times = mock::always});
  machine.send_all(0, 30);
  machine.executor.advance(1s);
  machine.close(1s);
  ASSERT_EQ(machine.outcomes.all.size(), 30u);
  const auto& first = *machine.outcomes.all.at(0).error;
  EXPECT_EQ(first.failure, Failure::closed);
  // It was under way, the last one was not.
  EXPECT_EQ(first.persistence, Persistence::unknown);
  EXPECT_EQ(machine.outcomes.all.at(29).error->persistence, Persistence::not_persisted);
}

TEST(ProducerLife, closing_with_a_cluster_that_is_gone_ends_in_time) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)));
  machine.send_all(0, 10);
  machine.close(2s);
  EXPECT_EQ(machine.outcomes.all.size(), 10u);
  EXPECT_EQ(machine.outcomes.delivered_count(), 0u);
}

TEST(ProducerLife, close_waits_for_no_further_try) {
  for (const bool is_gone : {false, true}) {
    ProducerMachine machine;
    machine.settings.common.retry_backoff = machine.settings.common.retry_backoff_max = 10min;
    ASSERT_TRUE(machine.cluster->create_topic("orders"));
    machine.cluster->fail_next(ApiKey::init_producer_id, ErrorCode::coordinator_load_in_progress);
    machine.start();
    machine.load("orders");
    if (is_gone) ASSERT_TRUE(machine.cluster->kill(BrokerId(1)));
    machine.send_all(0, 10);
    const MonotonicTime begun = machine.now();
    machine.close(2s);
    EXPECT_LE(machine.now() - begun, 3s) << (is_gone ? "connecting" : "asking for an id");
    EXPECT_EQ(machine.outcomes.all.size(), 10u);
  }
}

TEST(ProducerLife, close_does_not_wait_for_a_metadata_question_that_is_not_answered) {
  ProducerMachine machine;
  machine.settings.common.metadata_max_age = 1s;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.send_all(0, 10);
  ASSERT_TRUE(machine.flush());
  machine.cluster->inject(
      {.api = ApiKey::metadata, .kind = FaultKind::silence, .times = mock::always});
  const std::size_t asked = machine.cluster->request_count(ApiKey::metadata);
  machine.executor.advance(3s);
  ASSERT_GT(machine.cluster->request_count(ApiKey::metadata), asked);
  machine.cluster->clear_requests();
  const MonotonicTime begun = machine.now();
  machine.run(machine.producer->close(begun + 2s));
  EXPECT_LE(machine.now() - begun, 2s);
  EXPECT_EQ(machine.cluster->request_count(ApiKey::api_versions), 0u) << "a new connection";
  machine.producer.reset();
  EXPECT_EQ(machine.outcomes.delivered_count(), 10u);
}

TEST(ProducerLife, a_topic_that_becomes_known_while_it_closes_takes_no_records) {
  ProducerMachine machine({.brokers = 3});
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  ASSERT_TRUE(machine.cluster->create_topic("late"));
  machine.start();
  machine.load("orders");
  machine.cluster->delay(ApiKey::produce, 10s);
  machine.send_all(0, 1);
  machine.executor.advance(100ms);
  machine.cluster->delay(ApiKey::metadata, 3s);
  std::optional<ClientResult<std::int32_t>> loaded;
  TaskGroup tasks;
  tasks.start([](ProducerMachine& m, std::optional<ClientResult<std::int32_t>>& to) -> Task<void> {
    to = co_await m.producer->load("late", m.now() + long_time);
  }(machine, loaded));
  machine.run(machine.producer->close(machine.now() + 60s));
  machine.run([](TaskGroup& group) -> Task<void> { co_await group.wait(); }(tasks));
  ASSERT_TRUE(loaded.has_value() && !loaded->has_value());
  EXPECT_EQ(loaded->error().failure, Failure::closed);
  // Nobody would close its partitions any more, and what they took would have no outcome.
  EXPECT_EQ(machine.producer->partition_count("late"), 0);
  EXPECT_EQ(machine.outcomes.delivered_count(), 1u);
  machine.producer.reset();
}

TEST(ProducerLife, after_close_nothing_is_taken) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.run(machine.producer->close(machine.now() + 1s));
  EXPECT_EQ(machine.send(0).error().failure, Failure::closed);
  machine.producer.reset();
}

TEST(ProducerLife, an_id_is_asked_for_until_there_is_one) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.cluster->fail_next(ApiKey::init_producer_id, ErrorCode::coordinator_load_in_progress, 3);
  machine.start();
  machine.load("orders");
  machine.send_all(0, 10);
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), 10u);
}

TEST(ProducerLife, without_the_right_to_write_at_all_everything_fails_until_it_is_given) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.cluster->fail_next(ApiKey::init_producer_id, ErrorCode::cluster_authorization_failed);
  machine.start();
  machine.load("orders");
  machine.send_all(0, 10);
  ASSERT_TRUE(machine.flush());
  ASSERT_EQ(machine.outcomes.all.size(), 10u);
  EXPECT_EQ(machine.outcomes.all.at(0).error->code, ErrorCode::cluster_authorization_failed);
  EXPECT_FALSE(machine.outcomes.all.at(0).error->fatal);
  EXPECT_EQ(machine.outcomes.all.at(0).error->persistence, Persistence::not_persisted);
  machine.send_all(10, 20);
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.all.size(), 20u);
  EXPECT_EQ(machine.outcomes.delivered_count(), 10u);
}

// Sends the next record when it hears of the last one.
class Chain final : public DeliverySink {
 public:
  explicit Chain(ProducerMachine& machine) : machine_(machine) {}
  void delivered(std::uint64_t token, const DeliveryReport& report) noexcept override {
    EXPECT_EQ(report.error, nullptr);
    ++count;
    if (token == 0) return;
    const RecordToSend record{.topic = "orders"};
    EXPECT_TRUE(machine_.producer->send(record, this, token - 1, FullBuffer::fail));
  }
  int count = 0;

 private:
  ProducerMachine& machine_;
};

TEST(ProducerLife, a_callback_may_send) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  Chain chain(machine);
  ASSERT_TRUE(machine.producer->send({.topic = "orders"}, &chain, 20, FullBuffer::fail));
  machine.executor.advance(10s);
  EXPECT_EQ(chain.count, 21);
}

TEST(ProducerLife, a_callback_that_sends_while_the_producer_closes_is_refused) {
  ProducerMachine machine;
  machine.settings.linger = 1h;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  class Late final : public DeliverySink {
   public:
    explicit Late(ProducerMachine& m) : machine(m) {}
    void delivered(std::uint64_t, const DeliveryReport&) noexcept override {
      const auto sent = machine.producer->send({.topic = "orders"}, this, 0, FullBuffer::fail);
      EXPECT_EQ(sent.error().failure, Failure::closed);
      ++count;
    }
    ProducerMachine& machine;
    int count = 0;
  } late(machine);
  ASSERT_TRUE(machine.producer->send({.topic = "orders"}, &late, 0, FullBuffer::fail));
  machine.close();
  EXPECT_EQ(late.count, 1);
}

TEST(ProducerLife, a_topic_that_was_deleted_and_made_anew_is_written_to) {
  ProducerMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.start();
  machine.load("orders");
  machine.send_all(0, 20);
  ASSERT_TRUE(machine.flush());
  ASSERT_TRUE(machine.cluster->delete_topic("orders"));
  machine.send_all(20, 40);
  machine.executor.advance(2s);
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.send_all(40, 60);
  ASSERT_TRUE(machine.flush());
  EXPECT_EQ(machine.outcomes.delivered_count(), 60u);
  const auto there = machine.stored();
  EXPECT_EQ(there.size(), 40u);
  EXPECT_TRUE(std::ranges::is_sorted(there));
}

}  // namespace
}  // namespace millrace::client
