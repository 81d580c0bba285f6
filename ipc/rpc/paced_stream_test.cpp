// Peers that ask and do not read.
#include <gtest/gtest.h>
#include "kj.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "stranger_machine.hpp"

namespace millrace::rpc {
namespace {

using PacedStreamTest = StrangerMachine;

TEST_F(PacedStreamTest, a_peer_that_does_not_read_its_answers_is_not_listened_to) {
  constexpr std::size_t bytes_max = 256 * mebibyte;
  constexpr int rounds_without_progress = 50;
  FakeController controller(1);
  controller.echoes = false;
  controller.forwarded.body.resize(256 * kibibyte);
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    const RawPeer peer(server->port());
    EXPECT_TRUE(peer.write(bootstrap()));
    EXPECT_TRUE(peer.write(call_hello(1)));
    std::vector<std::uint8_t> unsent;
    std::uint32_t question = 2;
    std::size_t sent = 0;
    int idle = 0;
    while (idle < rounds_without_progress && sent < bytes_max) {
      if (unsent.empty()) unsent = call_forward(question++, 64 * kibibyte);
      const std::size_t count = peer.write_some(unsent);
      unsent.erase(unsent.begin(), unsent.begin() + static_cast<std::ptrdiff_t>(count));
      sent += count;
      idle = count == 0 ? idle + 1 : 0;
      EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    }
    EXPECT_LT(sent, bytes_max) << "it is read on and on";
    EXPECT_LT(controller.forwards.size(), calls_per_connection_max + 100);
    EXPECT_EQ(controller.hellos.size(), 2U) << "the healthy client kept its connection";
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(PacedStreamTest, answers_to_slow_calls_that_are_not_read_close_the_connection) {
  FakeController controller(1);
  Gate gate(*loop);
  controller.before_forward = [&] { return gate.pass(); };
  controller.echoes = false;
  controller.forwarded.body.resize(mebibyte);
  ControllerServerOptions options;
  options.unread_bytes_max = 8 * mebibyte;
  const auto server = serve(controller, options);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    const RawPeer peer(server->port());
    EXPECT_TRUE(peer.write(bootstrap()));
    EXPECT_TRUE(peer.write(call_hello(1)));
    co_await until([&] { return controller.hellos.size() == 2; });
    // A call there and back: hello is answered by then.
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    for (std::uint32_t i = 2; i < 50; ++i) EXPECT_TRUE(peer.write(call_forward(i, 10)));
    co_await until([&] { return gate.waiting == 48; });
    gate.open();
    co_await until([&] { return logged("of answers unread"); });
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(PacedStreamTest, many_large_answers_to_a_peer_that_reads_are_no_reason_to_close) {
  FakeController controller(1);
  controller.echoes = false;
  controller.forwarded.body.resize(mebibyte);
  ControllerServerOptions options;
  options.unread_bytes_max = 2 * mebibyte;
  const auto server = serve(controller, options);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    for (int i = 0; i < 100; ++i) {
      const auto reply = co_await calls->call(Forward{}, soon());
      EXPECT_EQ(reply.value().body.size(), mebibyte);
    }
    EXPECT_EQ(controller.hellos.size(), 1U) << "it kept its connection";
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

}  // namespace
}  // namespace millrace::rpc
