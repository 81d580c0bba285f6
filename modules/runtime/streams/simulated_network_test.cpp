// The simulated network under the conformance suite, and what only a simulation does.
// Also proves simulated_link.cpp, network.cppm.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stream_conformance.hpp"

import millrace.runtime.streams;

namespace millrace {
namespace {

using namespace std::chrono_literals;

class SimulatedUnderTest final : public NetworkUnderTest {
 public:
  explicit SimulatedUnderTest(std::uint64_t seed)
      : executor_(seed), network_(executor_, options_for(seed)), disk_(seed) {}
  ~SimulatedUnderTest() override { executor_.run_until_idle(); }

  [[nodiscard]] Network& network() override { return network_; }
  [[nodiscard]] Executor& executor() override { return executor_; }
  void run(Task<void> task) override {
    const auto ended = executor_.run(std::move(task));
    EXPECT_TRUE(ended.has_value()) << ended.error().message;
  }
  [[nodiscard]] FileRange file_with(ByteView bytes) override {
    FileRange range;
    const auto write = [&]() -> Task<void> {
      const auto file = co_await files_.open("/file", OpenMode::create_truncated);
      const std::array<ByteView, 1> pieces = {bytes};
      const auto written = co_await files_.write(*file, 0, pieces);
      EXPECT_TRUE(written.has_value());
      range = {.files = &files_, .file = *file, .position = 0, .length = bytes.size()};
    };
    // Called from a task that runs: this one is driven by hand.
    TaskGroup group;
    group.start(write());
    while (group.running() > 0) {
      executor_.run_until_idle();
      if (group.running() > 0) executor_.advance_to_next_timer();
    }
    return range;
  }

 private:
  static SimulatedNetworkOptions options_for(std::uint64_t seed) {
    SimulatedNetworkOptions options;
    options.seed = seed;
    return options;
  }

  SimulatedExecutor executor_;
  SimulatedNetwork network_;
  SimulatedDisk disk_;
  SimulatedFileSystem files_{disk_, executor_};
};

NetworkCase with_seed(std::uint64_t seed) {
  return {"seed_" + std::to_string(seed),
          [seed] { return std::make_unique<SimulatedUnderTest>(seed); }};
}

INSTANTIATE_TEST_SUITE_P(Simulated, StreamConformance,
                         testing::Values(with_seed(1), with_seed(2), with_seed(3)), name_of_case);

// What a client saw of an echo, with the times, as text.
std::string history(std::uint64_t seed, double reset_chance) {
  SimulatedExecutor executor(seed);
  SimulatedNetworkOptions options;
  options.seed = seed;
  options.reset_chance = reset_chance;
  SimulatedNetwork network(executor, options);
  std::string seen;
  const auto body = [&]() -> Task<void> {
    auto listener = network.listen(address_from_string("127.0.0.1", Port{9092}).value()).value();
    TaskGroup group;
    const auto serve = [&]() -> Task<void> {
      auto accepted = co_await listener->accept();
      if (!accepted) co_return;
      const auto stream = network.adopt(std::move(*accepted)).value();
      std::array<std::byte, 100> buffer;
      for (;;) {
        const auto read = co_await stream->read(buffer);
        if (!read || *read == 0) co_return;
        const std::array<ByteView, 1> pieces = {ByteView(buffer).first(*read)};
        if (!co_await stream->write(pieces)) co_return;
      }
    };
    group.start(serve());
    auto client = co_await network.connect(listener->address());
    if (client) {
      std::array<std::byte, 100> buffer{};
      for (int i = 0; i < 100; ++i) {
        const std::array<ByteView, 1> pieces = {buffer};
        const auto written = co_await (*client)->write(pieces);
        const auto read = co_await (*client)->read(buffer);
        seen += formatted("{} {} {};", executor.clock().now().time_since_epoch().count(),
                          written.has_value(), read ? *read : 1000);
        if (!read || *read == 0) break;
      }
      (*client)->close();
    }
    listener->close();
    co_await group.wait();
  };
  const auto ended = executor.run(body());
  EXPECT_TRUE(ended.has_value());
  return seen;
}

TEST(SimulatedNetwork, does_the_same_for_the_same_seed) {
  EXPECT_EQ(history(5, 0), history(5, 0));
  EXPECT_NE(history(5, 0), history(6, 0));
}

TEST(SimulatedNetwork, resets_connections_at_random) {
  int broken = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    if (history(seed, 0.002).ends_with(" 1000;")) ++broken;
  }
  EXPECT_GT(broken, 10);
  EXPECT_LT(broken, 50);
}

TEST(SimulatedNetwork, breaks_all_connections_at_once) {
  SimulatedExecutor executor(1);
  SimulatedNetwork network(executor, {});
  const auto body = [&]() -> Task<void> {
    auto listener = network.listen(address_from_string("127.0.0.1", Port{9092}).value()).value();
    auto client = co_await network.connect(listener->address());
    auto accepted = co_await listener->accept();
    const auto server = network.adopt(std::move(*accepted)).value();
    EXPECT_EQ(network.connection_count(), 1u);
    TaskGroup group;
    const auto read = [&](ByteStream& stream) -> Task<void> {
      std::array<std::byte, 10> buffer;
      const auto result = co_await stream.read(buffer);
      EXPECT_TRUE(!result && result.error().fault == StreamFault::reset);
    };
    group.start(read(**client));
    group.start(read(*server));
    network.reset_all();
    co_await group.wait();
  };
  ASSERT_TRUE(executor.run(body()));
  EXPECT_EQ(network.connection_count(), 0u);
}

TEST(SimulatedNetwork, a_full_backlog_refuses) {
  SimulatedExecutor executor(1);
  SimulatedNetwork network(executor, {});
  const auto body = [&]() -> Task<void> {
    ListenOptions options;
    options.backlog = 2;
    auto listener =
        network.listen(address_from_string("127.0.0.1", Port{9092}).value(), options).value();
    std::vector<std::unique_ptr<ByteStream>> streams;
    for (int i = 0; i < 2; ++i) {
      auto connected = co_await network.connect(listener->address());
      EXPECT_TRUE(connected.has_value());
      streams.push_back(std::move(*connected));
    }
    const auto refused = co_await network.connect(listener->address());
    EXPECT_TRUE(!refused && refused.error().fault == StreamFault::refused);
  };
  ASSERT_TRUE(executor.run(body()));
}

}  // namespace
}  // namespace millrace
