// From names to addresses, on the system and from a table.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.client.core;
import millrace.runtime.shard;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using Addresses = Result<std::vector<SocketAddress>>;

Addresses run(SimulatedExecutor& executor, Task<Addresses> task) {
  auto result = executor.run(std::move(task));
  check(result.has_value(), "a test's task ends");
  return std::move(*result);
}

TEST(FixedResolver, knows_what_it_was_told_and_numbers) {
  SimulatedExecutor executor;
  FixedResolver resolver(executor);
  resolver.set("kafka", {*address_from_string("10.0.0.1", Port(1)),
                         *address_from_string("10.0.0.2", Port(1))});
  const auto known = run(executor, resolver.resolve({"kafka", Port(9092)}, no_deadline));
  ASSERT_TRUE(known.has_value());
  ASSERT_EQ(known->size(), 2U);
  EXPECT_EQ(to_string((*known)[1]), "10.0.0.2:9092");
  EXPECT_TRUE(run(executor, resolver.resolve({"::1", Port(1)}, no_deadline)).has_value());
  EXPECT_FALSE(run(executor, resolver.resolve({"other", Port(1)}, no_deadline)).has_value());
  resolver.set("::1", {});
  EXPECT_FALSE(run(executor, resolver.resolve({"::1", Port(1)}, no_deadline)).has_value());
}

TEST(FixedResolver, takes_its_time_but_not_past_the_deadline) {
  SimulatedExecutor executor;
  FixedResolver resolver(executor);
  resolver.set_delay(10s);
  const MonotonicTime begun = executor.clock().now();
  EXPECT_FALSE(run(executor, resolver.resolve({"127.0.0.1", Port(1)}, begun + 2s)).has_value());
  EXPECT_EQ(executor.clock().now() - begun, 2s);
  EXPECT_TRUE(run(executor, resolver.resolve({"127.0.0.1", Port(1)}, begun + 1min)).has_value());
  EXPECT_EQ(executor.clock().now() - begun, 12s);
}

class SystemResolverTest : public testing::Test {
 protected:
  SystemClock clock_;
  std::unique_ptr<ShardLoop> loop_ = std::move(*ShardLoop::make(clock_));
};

TEST_F(SystemResolverTest, answers_numbers_at_once_and_names_from_the_system) {
  SystemResolver resolver(*loop_);
  const auto number = loop_->run(resolver.resolve({"127.0.0.1", Port(9092)}, no_deadline));
  ASSERT_TRUE(number.has_value());
  EXPECT_EQ(to_string(number->front()), "127.0.0.1:9092");
  const auto name = loop_->run(resolver.resolve({"localhost", Port(9092)}, no_deadline));
  ASSERT_TRUE(name.has_value()) << name.error().message;
  EXPECT_FALSE(name->empty());
  EXPECT_EQ(name->front().port, Port(9092));
}

TEST_F(SystemResolverTest, says_which_name_has_no_address) {
  SystemResolver resolver(*loop_);
  const auto none = loop_->run(resolver.resolve({"no such host.invalid", Port(1)}, no_deadline));
  ASSERT_FALSE(none.has_value());
  EXPECT_NE(none.error().message.find("no such host.invalid"), std::string::npos);
}

TEST_F(SystemResolverTest, many_names_are_looked_up_one_after_the_other) {
  SystemResolver resolver(*loop_);
  std::size_t answered = 0;
  const auto ask = [&]() -> Task<void> {
    const auto addresses = co_await resolver.resolve({"localhost", Port(1)}, no_deadline);
    EXPECT_TRUE(addresses.has_value());
    ++answered;
  };
  const auto ask_all = [&]() -> Task<void> {
    TaskGroup group;
    for (int i = 0; i < 50; ++i) group.start(ask());
    co_await group.wait();
  };
  loop_->run(ask_all());
  EXPECT_EQ(answered, 50U);
}

TEST_F(SystemResolverTest, a_lookup_that_is_given_up_leaves_nothing_behind) {
  for (int round = 0; round < 20; ++round) {
    SystemResolver resolver(*loop_);
    const auto late = loop_->run(resolver.resolve({"localhost", Port(1)}, clock_.now()));
    if (!late) EXPECT_NE(late.error().message.find("in time"), std::string::npos);
  }
  loop_->drain();
}

}  // namespace
}  // namespace millrace::client
