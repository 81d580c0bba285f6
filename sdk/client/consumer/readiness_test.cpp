// What loops that do not wait in a poll are told.
#include "consumer_machine.hpp"

namespace millrace::client {
namespace {

// A consumer whose application polls only when it is told to.
class Readiness : public testing::Test {
 protected:
  void SetUp() override { machine.create("orders", 1); }
  void watch(Application& application) {
    one = &application;
    one->client.on_readiness([this](bool ready) { is_ready = ready; });
  }
  void pass(Duration time) {
    machine.run([](Executor& executor, Duration for_so_long) -> Task<void> {
      co_await sleep_until(executor, executor.clock().now() + for_so_long);
    }(machine.executor, time));
  }
  // As a loop does: one poll without time for each time that it is told.
  std::size_t serve(Duration time) {
    std::size_t polls = 0;
    for (const MonotonicTime end = machine.now() + time; machine.now() < end; pass(10ms)) {
      while (is_ready && polls < 1000) {
        ++polls;
        auto polled = machine.await(one->client.poll(machine.now()));
        if (polled) {
          one->take(*polled);
        } else {
          one->errors.push_back(polled.error());
          pass(10ms);
        }
      }
    }
    return polls;
  }

  ConsumerMachine machine;
  Application* one = nullptr;
  bool is_ready = false;
};

TEST_F(Readiness, follows_records) {
  machine.settings.enable_auto_commit = false;
  Application& application = machine.start();
  ASSERT_TRUE(application.client.assign({place("orders", 0)}).has_value());
  watch(application);
  pass(2s);
  EXPECT_FALSE(is_ready);
  machine.append("orders", 0, 10);
  pass(2s);
  EXPECT_TRUE(is_ready);
  EXPECT_EQ(serve(1s), 1u);
  EXPECT_EQ(one->count, 10u);
  EXPECT_FALSE(is_ready);
}

TEST_F(Readiness, follows_what_is_left_of_a_fetch) {
  machine.settings.max_poll_records = 3;
  machine.append("orders", 0, 10);
  Application& application = machine.start();
  ASSERT_TRUE(application.client.assign({place("orders", 0)}).has_value());
  watch(application);
  EXPECT_EQ(serve(2s), 4u);
  EXPECT_EQ(one->count, 10u);
}

TEST_F(Readiness, keeps_a_member_alive_that_polls_only_when_it_is_told_to) {
  machine.settings.max_poll_interval = 5s;
  watch(machine.subscribe());
  const std::size_t polls = serve(60s);
  EXPECT_EQ(one->client.assignment().size(), 1u);
  EXPECT_TRUE(one->errors.empty());
  EXPECT_GE(polls, 20u);
  EXPECT_LE(polls, 40u);
  machine.append("orders", 0, 10);
  serve(2s);
  EXPECT_EQ(one->count, 10u);
}

TEST_F(Readiness, lets_what_was_read_be_committed_in_time) {
  machine.settings.auto_commit_interval = 5s;
  watch(machine.subscribe());
  machine.append("orders", 0, 10);
  serve(12s);
  const auto committed =
      machine.await(one->client.committed({place("orders", 0)}, machine.now() + 10s));
  ASSERT_TRUE(committed.has_value());
  ASSERT_EQ(committed->size(), 1u);
  EXPECT_EQ(committed->begin()->second.offset, Offset(10));
}

TEST_F(Readiness, lets_a_commit_that_has_failed_be_made_again) {
  machine.settings.auto_commit_interval = 2s;
  watch(machine.subscribe());
  serve(5s);
  machine.append("orders", 0, 10);
  serve(1s);
  ASSERT_EQ(one->count, 10u);
  // Of the commit that is due for these.
  machine.cluster->fail_next(mock::ApiKey::offset_commit,
                             mock::ErrorCode::offset_metadata_too_large, 1);
  serve(10s);
  EXPECT_EQ(machine.cluster->faults_left(), 0u);
  const auto committed =
      machine.await(one->client.committed({place("orders", 0)}, machine.now() + 10s));
  ASSERT_TRUE(committed.has_value());
  ASSERT_EQ(committed->size(), 1u);
  EXPECT_EQ(committed->begin()->second.offset, Offset(10));
}

TEST_F(Readiness, follows_wake_and_close_and_errors) {
  machine.settings.auto_offset_reset = OffsetReset::none;
  machine.settings.group_id.clear();
  Application& application = machine.start();
  ASSERT_TRUE(application.client.assign({place("orders", 0)}).has_value());
  ASSERT_TRUE(application.client.seek(place("orders", 0), Offset(0)).has_value());
  watch(application);
  pass(1s);
  EXPECT_FALSE(is_ready);
  one->client.wake();
  pass(10ms);
  EXPECT_TRUE(is_ready);
  EXPECT_EQ(serve(1s), 1u);
  ASSERT_EQ(one->errors.size(), 1u);
  ASSERT_TRUE(one->client.seek(place("orders", 0), Offset(100)).has_value());
  pass(1s);
  EXPECT_TRUE(is_ready) << "an offset that is not there is an error";
  machine.close(*one);
  EXPECT_TRUE(is_ready);
}

}  // namespace
}  // namespace millrace::client
