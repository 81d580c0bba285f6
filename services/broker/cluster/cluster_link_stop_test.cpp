// How a link to the controllers ends. Also proves cluster_link.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "cluster_link_fixture.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// As long as controllers have to answer a broker that leaves.
constexpr Duration farewell_max = 1s;

TEST_F(ClusterLinkTest, stopping_answers_a_forward_whose_change_is_not_here) {
  TaskGroup group;
  bool has_ended = false;
  const auto ask = [&]() -> Task<void> {
    EXPECT_TRUE(co_await link.forward({}));
    has_ended = true;
  };
  const auto body = [&]() -> Task<void> {
    co_await serve();
    controller.to_change = {metadata::TopicRecord{"orders", uuid_of(30)}};
    controller.offset_told_ahead = 1000;
    group.start(ask());
    co_await sleep_until(executor, in(1s));
    EXPECT_FALSE(has_ended);
    co_await link.stop();
    EXPECT_TRUE(has_ended);
    co_await group.wait();
  };
  run(body());
}

TEST_F(ClusterLinkTest, stopping_waits_until_the_controllers_let_the_broker_go) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    co_await link.stop();
    EXPECT_EQ(controller.heartbeats_until_release, 0);
    EXPECT_TRUE(controller.heartbeats.back().want_shut_down);
    EXPECT_EQ(lines_with("before the controllers let it go"), 0U);
  };
  run(body());
}

TEST_F(ClusterLinkTest, without_controlled_shutdown_nobody_is_asked) {
  ClusterLinkOptions at_once = options();
  at_once.controlled_shutdown = false;
  ClusterLink other(executor, controller, at_once, log);
  const auto body = [&]() -> Task<void> {
    EXPECT_TRUE(co_await other.register_broker(registration(), in(10s)));
    other.ready_to_serve();
    EXPECT_TRUE(co_await other.unfenced());
    EXPECT_FALSE(co_await other.leave());
    co_await other.stop();
    EXPECT_FALSE(controller.heartbeats.back().want_shut_down);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, stopping_waits_no_longer_than_the_options_say) {
  controller.heartbeats_until_release = 1'000'000;
  const auto body = [&]() -> Task<void> {
    co_await serve();
    const MonotonicTime begun = executor.clock().now();
    co_await link.stop();
    const Duration waited = executor.clock().now() - begun;
    EXPECT_GE(waited, options().controlled_shutdown_max);
    EXPECT_LE(waited, options().controlled_shutdown_max + 3s);
    EXPECT_EQ(lines_with("before the controllers let it go"), 1U);
  };
  run(body());
}

TEST_F(ClusterLinkTest, stopping_does_not_wait_for_controllers_that_are_away) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    controller.is_away = true;
    const MonotonicTime begun = executor.clock().now();
    co_await link.stop();
    EXPECT_LT(executor.clock().now() - begun, options().controlled_shutdown_max);
  };
  run(body());
}

TEST_F(ClusterLinkTest, leaving_waits_for_no_call_that_was_under_way_to_controllers_that_are_away) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    controller.is_away = true;
    // A heartbeat and a long poll are under way, with seconds to go.
    co_await sleep_until(executor, in(2100ms));
    const MonotonicTime begun = executor.clock().now();
    EXPECT_FALSE(co_await link.leave());
    EXPECT_LE(executor.clock().now() - begun, farewell_max);
    controller.is_closed = true;
    co_await link.stop();
    EXPECT_LE(executor.clock().now() - begun, farewell_max + 100ms);
    EXPECT_EQ(lines_with("before the controllers let it go"), 1U);
    EXPECT_EQ(lines_with("closed"), 0U) << "that the broker stops is no trouble";
  };
  run(body());
}

TEST_F(ClusterLinkTest, forwards_and_follows_on_after_it_was_let_go) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    EXPECT_TRUE(co_await link.leave());
    const std::size_t heartbeats = controller.heartbeats.size();
    controller.to_change = {metadata::TopicRecord{"late", uuid_of(30)}};
    EXPECT_TRUE(co_await link.forward({}));
    EXPECT_NE(link.image()->topic("late"), nullptr);
    co_await sleep_until(executor, in(5s));
    EXPECT_EQ(controller.heartbeats.size(), heartbeats) << "a broker that has left is silent";
    controller.is_closed = true;
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, leaving_controllers_that_are_away_ends_those_who_wait_for_an_image) {
  TaskGroup group;
  bool came = true;
  const auto wait = [&]() -> Task<void> {
    came = co_await link.wait_for(metadata::MetadataOffset(1000), in(1h));
  };
  const auto body = [&]() -> Task<void> {
    co_await serve();
    group.start(wait());
    controller.is_away = true;
    EXPECT_FALSE(co_await link.leave());
    co_await group.wait();
    EXPECT_FALSE(came);
    controller.is_closed = true;
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, stopping_ends_a_registration_whose_answers_are_lost) {
  controller.lost_answers = 1'000'000;
  TaskGroup group;
  const auto enter = [&]() -> Task<void> {
    EXPECT_FALSE(co_await link.register_broker(registration(), in(24h)));
  };
  const auto body = [&]() -> Task<void> {
    group.start(enter());
    co_await sleep_until(executor, in(1s));
    const MonotonicTime begun = executor.clock().now();
    EXPECT_FALSE(co_await link.leave());
    co_await group.wait();
    EXPECT_EQ(executor.clock().now(), begun);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, whoever_stopped_before_it_registers_is_not_registered) {
  const auto body = [&]() -> Task<void> {
    EXPECT_FALSE(co_await link.leave());
    EXPECT_FALSE(co_await link.register_broker(registration(), in(10s)));
    EXPECT_TRUE(controller.registrations.empty());
    co_await link.stop();
    EXPECT_FALSE(co_await link.register_broker(registration(), in(10s)));
  };
  run(body());
}

TEST_F(ClusterLinkTest, stopping_ends_those_who_wait_for_an_image_or_to_be_unfenced) {
  TaskGroup group;
  std::vector<bool> came;
  const auto wait_for_offset = [&]() -> Task<void> {
    came.push_back(co_await link.wait_for(metadata::MetadataOffset(1000), in(1h)));
  };
  const auto wait_for_unfenced = [&]() -> Task<void> { came.push_back(co_await link.unfenced()); };
  const auto body = [&]() -> Task<void> {
    EXPECT_TRUE(co_await link.register_broker(registration(), in(10s)));
    group.start(wait_for_offset());
    group.start(wait_for_unfenced());
    co_await link.stop();
    co_await group.wait();
    EXPECT_THAT(came, ElementsAre(false, false));
  };
  run(body());
}

}  // namespace
}  // namespace millrace::broker
