// A link to a simulated controller, for tests.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "simulated_controller.hpp"

namespace millrace::broker {

class ClusterLinkTest : public testing::Test {
 protected:
  ClusterLinkTest() : link(executor, controller, options(), log) {
    link.on_image(
        [this](std::shared_ptr<const metadata::Image> image, const metadata::Delta&) -> Task<void> {
          if (listener_takes > Duration::zero()) {
            co_await sleep_until(executor, executor.clock().now() + listener_takes);
          }
          offsets.push_back(image->offset().value());
        });
  }
  static ClusterLinkOptions options() {
    ClusterLinkOptions options;
    options.broker_id = BrokerId(101);
    options.incarnation = uuid_of(1);
    options.software_version = "0.1.0";
    return options;
  }
  static Registration registration() {
    return {.cluster_id = uuid_of(7), .directories = {uuid_of(20)}};
  }
  [[nodiscard]] MonotonicTime in(Duration time) const { return executor.clock().now() + time; }
  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    ASSERT_TRUE(ended) << ended.error().message;
  }
  Task<void> serve() {
    EXPECT_TRUE(co_await link.register_broker(registration(), in(std::chrono::seconds{10})));
    link.ready_to_serve();
    EXPECT_TRUE(co_await link.unfenced());
  }
  [[nodiscard]] std::size_t lines_with(std::string_view text) const {
    std::size_t count = 0;
    for (const MemoryLogSink::Line& line : sink->lines()) {
      if (line.message.find(text) != std::string::npos) ++count;
    }
    return count;
  }

  SimulatedExecutor executor;
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  Logger log{sink, "cluster"};
  SimulatedController controller{executor};
  Duration listener_takes{};
  std::vector<std::int64_t> offsets;
  ClusterLink link;
};

}  // namespace millrace::broker
