#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>

import millrace.base;
import millrace.coordinator;
import millrace.groups;
import millrace.ipc.channel;
import millrace.ipc.coordination;
import millrace.runtime;
import millrace.telemetry;

namespace millrace::coordinator {
namespace {

// A service, and the broker's end of its last channel.
class Played {
 public:
  Played()
      : service_(
            executor, random_, buffers_, {}, Metrics(registry_, telemetry::ShardIndex(0)),
            [this] { return connect(); }, Logger(std::make_shared<MemoryLogSink>(), "test")) {
    tasks_.start(service_.run());
  }
  ~Played() {
    service_.stop();
    executor.advance(std::chrono::seconds{1});
  }
  void greet() const {
    const auto hello = coordination::encode(coordination::ToCoordinator(coordination::Hello{}));
    EXPECT_TRUE(executor_run(broker->send(hello)));
  }
  [[nodiscard]] bool has_ended() const { return tasks_.running() == 0; }
  Service& service() { return service_; }

  mutable SimulatedExecutor executor;
  std::unique_ptr<ipc::Channel> broker;
  bool is_reachable = true;
  std::uint64_t attempts = 0;

 private:
  bool executor_run(Task<ipc::ChannelResult<void>> task) const {
    const auto result = executor.run(std::move(task));
    return result.has_value() && result->has_value();
  }
  Task<ipc::ChannelResult<std::unique_ptr<ipc::Channel>>> connect() {
    ++attempts;
    co_await yield(executor);
    if (!is_reachable) {
      co_return failure(ipc::ChannelError{ipc::ChannelFault::unreachable, 0, "connect"});
    }
    auto ends = ipc::make_channel_pair(executor);
    broker = std::move(ends.first);
    co_return std::move(ends.second);
  }

  telemetry::Registry registry_{1};
  Random random_{1};
  BufferPool buffers_;
  Service service_;
  TaskGroup tasks_;
};

TEST(Service, tries_on_with_growing_pauses_where_nobody_listens) {
  Played played;
  played.is_reachable = false;
  played.executor.advance(std::chrono::seconds{60});
  const std::uint64_t attempts = played.attempts;
  EXPECT_GT(attempts, 60u);
  EXPECT_LT(attempts, 200u);
  played.is_reachable = true;
  played.executor.advance(std::chrono::seconds{1});
  EXPECT_NE(played.broker, nullptr);
}

TEST(Service, connects_again_soon_after_a_session_that_ended) {
  Played played;
  played.executor.advance(std::chrono::milliseconds{1});
  for (std::uint64_t session = 1; session <= 3; ++session) {
    ASSERT_NE(played.broker, nullptr);
    EXPECT_EQ(played.service().metrics().sessions.value(), session);
    played.greet();
    played.executor.advance(std::chrono::milliseconds{1});
    played.broker->close();
    played.executor.advance(std::chrono::milliseconds{100});
  }
}

TEST(Service, stops_whether_it_is_connected_or_not) {
  Played connected;
  connected.executor.advance(std::chrono::milliseconds{1});
  connected.service().stop();
  connected.executor.run_until_idle();
  EXPECT_TRUE(connected.has_ended());
  Played alone;
  alone.is_reachable = false;
  alone.executor.advance(std::chrono::seconds{5});
  alone.service().stop();
  alone.executor.run_until_idle();
  EXPECT_TRUE(alone.has_ended());
}

}  // namespace
}  // namespace millrace::coordinator
