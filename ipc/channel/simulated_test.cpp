// Also proves ring_channel.cpp, ring_channel.cppm, channel.cpp, channel.cppm, limits.cppm,
// channel_conformance.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "channel_conformance.hpp"

namespace millrace::ipc {
namespace {

class SimulatedUnderTest final : public ChannelUnderTest {
 public:
  explicit SimulatedUnderTest(SimulatedChannelOptions options)
      : executor_(options.seed), options_(options) {}

  Executor& executor() override { return executor_; }
  void run(Task<void> task) override {
    const auto ended = executor_.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message;
  }
  Task<ChannelEnds> connect(ChannelOptions options) override {
    options_.channel = options;
    auto [left, right] = make_channel_pair(executor_, options_);
    co_return ChannelEnds{.left = std::move(left), .right = std::move(right)};
  }

 private:
  SimulatedExecutor executor_;
  SimulatedChannelOptions options_;
};

ChannelCase simulated(std::string name, SimulatedChannelOptions options) {
  return {std::move(name), [options] { return std::make_unique<SimulatedUnderTest>(options); }};
}

INSTANTIATE_TEST_SUITE_P(
    Simulated, ChannelConformance,
    testing::Values(simulated("usual", {}), simulated("at_once", {.seed = 3, .delay_max = {}}),
                    simulated("slow", {.seed = 7, .delay_max = std::chrono::milliseconds{5}})),
    name_of_case);

TEST(SimulatedChannel, replays_from_its_seed) {
  const auto time_of = [](std::uint64_t seed) {
    SimulatedExecutor executor(seed);
    auto [left, right] = make_channel_pair(executor, {.channel = {.ring_bytes = 64}, .seed = seed});
    const auto work = [&]() -> Task<void> {
      TaskGroup group;
      const auto send = [&]() -> Task<void> {
        const auto message = message_of(3000, 1);
        EXPECT_TRUE(co_await left->send(message));
      };
      group.start(send());
      EXPECT_TRUE(co_await right->receive());
      co_await group.wait();
    };
    EXPECT_TRUE(executor.run(work()));
    return executor.clock().now();
  };
  EXPECT_EQ(time_of(5), time_of(5));
  EXPECT_NE(time_of(5), time_of(6));
}

TEST(ChannelError, says_what_failed) {
  EXPECT_EQ(describe({.fault = ChannelFault::address_in_use, .number = 98, .operation = "listen"}),
            "listen: address in use (errno 98)");
  EXPECT_EQ(describe({.fault = ChannelFault::closed, .number = 0, .operation = "send"}),
            "send: closed");
}

}  // namespace
}  // namespace millrace::ipc
