// Also proves answers.cppm.
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
using testing::HasSubstr;

TEST_F(ClusterLinkTest, hello_tells_the_cluster_before_anything_is_registered) {
  const auto body = [&]() -> Task<void> {
    const auto hello = co_await link.hello(in(1s));
    EXPECT_EQ(hello.value().cluster_id, uuid_of(7));
    EXPECT_EQ(controller.hellos.at(0).node_id, rpc::NodeId(101));
    EXPECT_TRUE(controller.registrations.empty());
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, hello_that_is_refused_or_not_answered_is_an_error) {
  const auto body = [&]() -> Task<void> {
    controller.hello_error = ErrorCode::unsupported_version;
    const auto refused = co_await link.hello(in(1s));
    EXPECT_EQ(refused.error().message, "no, sorry");
    controller.is_away = true;
    EXPECT_FALSE(co_await link.hello(in(1s)));
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, registers_follows_the_metadata_and_is_unfenced_when_it_is_ready) {
  const auto body = [&]() -> Task<void> {
    const auto epoch = co_await link.register_broker(registration(), in(10s));
    EXPECT_EQ(epoch.value(), controller.epoch);
    EXPECT_EQ(controller.registrations.at(0).previous_epoch, BrokerEpoch(-1));
    co_await sleep_until(executor, in(1s));
    EXPECT_NE(link.image()->broker(BrokerId(101)), nullptr);
    EXPECT_TRUE(link.is_fenced()) << "it has not said that it is ready";
    link.ready_to_serve();
    EXPECT_TRUE(co_await link.unfenced());
    EXPECT_FALSE(link.is_fenced());
    EXPECT_FALSE(link.image()->broker(BrokerId(101))->fenced);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, heartbeats_name_an_offset_only_when_listeners_have_ended_with_it) {
  listener_takes = 3s;
  const auto body = [&]() -> Task<void> {
    EXPECT_TRUE(co_await link.register_broker(registration(), in(10s)));
    link.ready_to_serve();
    co_await sleep_until(executor, in(2900ms));
    for (const rpc::Heartbeat& heartbeat : controller.heartbeats) {
      EXPECT_EQ(heartbeat.metadata_offset.value(), 0);
      EXPECT_TRUE(heartbeat.want_fence);
    }
    EXPECT_EQ(link.image()->offset().value(), 0);
    EXPECT_TRUE(co_await link.unfenced());
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, listeners_get_each_image_once_and_in_order) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    for (int i = 0; i < 5; ++i) {
      controller.append({metadata::TopicRecord{"topic-" + std::to_string(i), uuid_of(30 + i)}});
      EXPECT_TRUE(co_await link.wait_for(metadata::MetadataOffset(controller.end() - 1), in(10s)));
      EXPECT_NE(link.image()->topic("topic-" + std::to_string(i)), nullptr);
    }
    EXPECT_TRUE(std::ranges::is_sorted(offsets));
    EXPECT_EQ(std::ranges::adjacent_find(offsets), offsets.end());
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, tries_again_while_the_session_of_its_predecessor_lasts) {
  controller.refusals = 3;
  const auto body = [&]() -> Task<void> {
    EXPECT_TRUE(co_await link.register_broker(registration(), in(30s)));
    EXPECT_EQ(controller.registrations.size(), 4U);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, a_registration_that_trying_cannot_mend_fails_at_once) {
  controller.refusals = 1;
  controller.refusal = ErrorCode::inconsistent_cluster_id;
  const auto body = [&]() -> Task<void> {
    const auto epoch = co_await link.register_broker(registration(), in(30s));
    EXPECT_THAT(epoch.error().message, HasSubstr("not you"));
    EXPECT_EQ(controller.registrations.size(), 1U);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, says_hello_and_registers_again_when_a_controller_ended_that_was_asked) {
  const auto body = [&]() -> Task<void> {
    controller.lost_answers = 3;
    EXPECT_EQ((co_await link.hello(in(1min))).value().cluster_id, uuid_of(7));
    EXPECT_EQ(controller.hellos.size(), 4U);
    controller.lost_answers = 3;
    EXPECT_TRUE(co_await link.register_broker(registration(), in(1min)));
    EXPECT_EQ(controller.registrations.size(), 4U);
    for (const rpc::RegisterBroker& each : controller.registrations) {
      EXPECT_EQ(each, controller.registrations.front());
    }
    EXPECT_EQ(lines_with("the answer was lost"), 1U) << "one in half a minute";
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, a_controller_that_never_answers_does_not_take_the_whole_time_to_register) {
  controller.loss = rpc::RpcFault::timed_out;
  const auto body = [&]() -> Task<void> {
    controller.lost_answers = 2;
    EXPECT_TRUE(co_await link.hello(in(1min)));
    controller.lost_answers = 2;
    EXPECT_TRUE(co_await link.register_broker(registration(), in(1min)));
    EXPECT_EQ(controller.registrations.size(), 3U);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, answers_that_are_lost_until_the_deadline_are_an_error_then) {
  controller.lost_answers = 1'000'000;
  const auto body = [&]() -> Task<void> {
    MonotonicTime deadline = in(10s);
    EXPECT_EQ((co_await link.hello(deadline)).error().message, "the answer was lost");
    EXPECT_EQ(executor.clock().now(), deadline);
    deadline = in(10s);
    EXPECT_EQ((co_await link.register_broker(registration(), deadline)).error().message,
              "the answer was lost");
    EXPECT_EQ(executor.clock().now(), deadline);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, what_a_controller_refuses_to_hear_is_asked_once) {
  controller.lost_answers = 2;
  controller.loss = rpc::RpcFault::refused;
  const auto body = [&]() -> Task<void> {
    EXPECT_FALSE(co_await link.hello(in(1min)));
    EXPECT_EQ(controller.hellos.size(), 1U);
    EXPECT_FALSE(co_await link.register_broker(registration(), in(1min)));
    EXPECT_EQ(controller.registrations.size(), 1U);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, registers_again_as_the_same_process_when_it_was_forgotten) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    const BrokerEpoch first = link.epoch();
    controller.has_forgotten = true;
    co_await sleep_until(executor, in(2100ms));
    EXPECT_EQ(controller.registrations.size(), 2U);
    EXPECT_EQ(controller.registrations.at(1).incarnation, uuid_of(1));
    EXPECT_EQ(controller.registrations.at(1).previous_epoch, first);
    EXPECT_TRUE(co_await link.unfenced());
    EXPECT_GT(link.epoch(), first);
    EXPECT_EQ(link.epoch(), controller.epoch);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, goes_on_while_the_controllers_are_away_and_says_so_now_and_then) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    controller.append({metadata::TopicRecord{"kept", uuid_of(30)}});
    EXPECT_TRUE(co_await link.wait_for(metadata::MetadataOffset(controller.end() - 1), in(10s)));
    controller.is_away = true;
    co_await sleep_until(executor, in(10min));
    EXPECT_NE(link.image()->topic("kept"), nullptr);
    const std::size_t lines = lines_with("no controller took the call");
    EXPECT_GE(lines, 2U);
    EXPECT_LE(lines, 21U) << "one in half a minute";
    controller.is_away = false;
    controller.append({metadata::TopicRecord{"new", uuid_of(31)}});
    EXPECT_TRUE(co_await link.wait_for(metadata::MetadataOffset(controller.end() - 1), in(1min)));
    EXPECT_EQ(lines_with("the controllers answer again"), 1U);
    EXPECT_EQ(controller.registrations.size(), 1U);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, metadata_that_cannot_be_read_leaves_the_image_as_it_was) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    const auto before = link.image();
    controller.entries.push_back(
        {.offset = rpc::MetadataOffset(controller.end()), .bytes = {std::byte{0xff}}});
    co_await sleep_until(executor, in(5s));
    EXPECT_EQ(link.image(), before);
    EXPECT_GE(lines_with("goes on with the metadata"), 1U);
    controller.entries.pop_back();
    controller.append({metadata::TopicRecord{"new", uuid_of(31)}});
    EXPECT_TRUE(co_await link.wait_for(metadata::MetadataOffset(controller.end() - 1), in(1min)));
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, forwards_with_the_time_that_the_client_waits) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    rpc::Forward request;
    request.timeout = 7s;
    request.body = {std::byte{42}};
    const auto body_back = co_await link.forward(request);
    EXPECT_EQ(body_back.value(), request.body);
    EXPECT_EQ(controller.forward_timeout, 7s);
    controller.forward_error = ErrorCode::policy_violation;
    EXPECT_EQ((co_await link.forward(request)).error(), ErrorCode::policy_violation);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, answers_a_forward_when_its_change_is_here_and_all_listeners_know_it) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    listener_takes = 3s;
    controller.to_change = {metadata::TopicRecord{"orders", uuid_of(30)}};
    EXPECT_TRUE(co_await link.forward({}));
    EXPECT_NE(link.image()->topic("orders"), nullptr);
    EXPECT_EQ(offsets.back(), controller.end() - 1);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, answers_a_forward_in_its_time_even_when_its_change_is_not_here) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    controller.to_change = {metadata::TopicRecord{"orders", uuid_of(30)}};
    controller.offset_told_ahead = 1000;
    rpc::Forward request;
    request.timeout = 7s;
    request.body = {std::byte{42}};
    const MonotonicTime deadline = in(7s);
    const auto answer = co_await link.forward(request);
    EXPECT_EQ(answer.value(), request.body);
    EXPECT_EQ(executor.clock().now(), deadline);
    EXPECT_EQ(lines_with("a client hears of its change"), 1U);
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, a_forward_without_an_answer_says_whether_it_may_be_carried_out) {
  const auto body = [&]() -> Task<void> {
    co_await serve();
    const std::vector<std::pair<rpc::RpcFault, ErrorCode>> cases = {
        {rpc::RpcFault::unavailable, ErrorCode::not_controller},
        {rpc::RpcFault::closed, ErrorCode::request_timed_out},
        {rpc::RpcFault::timed_out, ErrorCode::request_timed_out},
        {rpc::RpcFault::broken, ErrorCode::request_timed_out},
        {rpc::RpcFault::too_large, ErrorCode::invalid_request},
        {rpc::RpcFault::refused, ErrorCode::unknown_server_error},
    };
    for (const auto& [fault, expected] : cases) {
      controller.fault = fault;
      EXPECT_EQ((co_await link.forward({})).error(), expected) << rpc::name_of(fault);
    }
    co_await link.stop();
  };
  run(body());
}

TEST_F(ClusterLinkTest, gives_out_blocks_of_producer_ids_of_its_own_epoch) {
  const auto body = [&]() -> Task<void> {
    EXPECT_EQ((co_await link.allocate_producer_ids()).has_value(), true)
        << "the simulated controller knows no epoch yet, and neither does the link";
    co_await serve();
    const auto block = co_await link.allocate_producer_ids();
    EXPECT_EQ(block.value(), (metadata::ProducerIdBlock{.first = ProducerId(5000), .count = 1000}));
    controller.epoch = controller.epoch.next();
    EXPECT_EQ((co_await link.allocate_producer_ids()).error(), ErrorCode::stale_broker_epoch);
    controller.epoch = link.epoch();
    co_await link.stop();
  };
  run(body());
}

}  // namespace
}  // namespace millrace::broker
