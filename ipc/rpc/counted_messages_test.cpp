// Peers that are never done with their answers.
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

using CountedMessagesTest = StrangerMachine;

TEST_F(CountedMessagesTest, a_peer_that_never_says_finish_loses_its_connection) {
  FakeController controller(1);
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    const RawPeer peer(server->port());
    EXPECT_TRUE(peer.write(bootstrap()));
    std::uint32_t question = 1;
    while (peer.write(call_hello(question)) && question <= open_answers_max) {
      ++question;
      co_await until([&] { return controller.hellos.size() + 1 >= question; });
    }
    co_await until([&] { return peer.is_closed(); });
    EXPECT_LE(controller.hellos.size(), open_answers_max);
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon())) << "others are served";
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
  EXPECT_TRUE(logged("it does not finish its calls"));
}

TEST_F(CountedMessagesTest, a_peer_that_finishes_its_calls_makes_as_many_as_it_likes) {
  FakeController controller(1);
  const auto server = serve(controller);
  const auto run = [&]() -> Task<void> {
    const RawPeer peer(server->port());
    EXPECT_TRUE(peer.write(bootstrap()));
    std::vector<std::uint8_t> bytes;
    for (std::uint32_t i = 1; i <= 3 * open_answers_max; ++i) {
      const std::vector<std::uint8_t> call = call_hello(i);
      bytes.insert(bytes.end(), call.begin(), call.end());
      EXPECT_TRUE(peer.write(bytes));
      co_await until([&] { return controller.hellos.size() == i; });
      EXPECT_FALSE(peer.is_closed());  // it reads, too
      // Goes with the next call: two small writes in a row would wait for each other.
      bytes = finish(i);
    }
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(CountedMessagesTest, our_own_client_finishes_its_calls) {
  FakeController controller(1);
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    for (std::size_t i = 0; i < 3 * open_answers_max; ++i) {
      EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    }
    EXPECT_EQ(controller.hellos.size(), 1U) << "on one connection";
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

}  // namespace
}  // namespace millrace::rpc
