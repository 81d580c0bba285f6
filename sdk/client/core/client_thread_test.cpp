// The thread of a client, and all that lives on it over TCP.
// Also proves quiet_thread.cpp, quiet_thread.cppm.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "scripted_broker.hpp"

import millrace.client.core;
import millrace.protocol;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using protocol::ApiKey;
using protocol::HeartbeatRequest;
using protocol::HeartbeatResponse;

Logger test_logger() {
  return Logger(std::make_shared<MemoryLogSink>(), "test");
}
std::unique_ptr<ClientThread> started(std::string name = "test") {
  auto thread = std::make_unique<ClientThread>(std::move(name), test_logger());
  check(thread->start().has_value(), "a test gets a thread");
  return thread;
}

TEST(ClientThread, runs_tasks_and_gives_their_results) {
  const auto thread = started("a name of more than 15 letters");
  EXPECT_TRUE(thread->is_running());
  const auto answer = thread->run([&]() -> Task<int> {
    co_await sleep_until(thread->executor(), thread->clock().now() + 1ms);
    co_return thread->is_own_thread() ? 42 : 0;
  });
  EXPECT_EQ(answer, 42);
  EXPECT_FALSE(thread->is_own_thread());
}

TEST(ClientThread, does_all_that_was_posted_before_it_stops) {
  std::atomic<int> done = 0;
  auto thread = started();
  std::vector<std::thread> posters;
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) EXPECT_TRUE(thread->post([&] { ++done; }));
    });
  }
  for (std::thread& poster : posters) poster.join();
  thread->stop();
  EXPECT_EQ(done, 4000);
  EXPECT_FALSE(thread->is_running());
  EXPECT_FALSE(thread->post([&] { ++done; })) << "a stopped thread takes nothing";
  thread->stop();
  EXPECT_EQ(done, 4000);
}

TEST(ClientThread, posts_race_with_the_end_and_each_is_done_or_refused) {
  for (int round = 0; round < 50; ++round) {
    auto thread = started();
    std::atomic<int> done = 0;
    int taken = 0;
    std::thread poster([&] {
      while (thread->post([&] { ++done; })) ++taken;
    });
    thread->stop();
    poster.join();
    EXPECT_EQ(done, taken);
  }
}

TEST(ClientThread, is_not_where_signals_of_the_process_arrive) {
  const auto thread = started();
  const bool is_blocked = thread->run([]() -> Task<bool> {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    co_return ::sigismember(&blocked, SIGTERM) == 1 && ::sigismember(&blocked, SIGINT) == 1;
  });
  EXPECT_TRUE(is_blocked);
  sigset_t own;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &own);
  EXPECT_EQ(::sigismember(&own, SIGTERM), 0);
}

TEST(ClientThread, says_so_in_a_child_of_the_process_and_ends_there_quietly) {
  auto thread = started();
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_right = thread->is_forked() && !thread->post([] {});
    thread->stop();
    thread.reset();
    ::_exit(is_right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_FALSE(thread->is_forked());
  EXPECT_TRUE(thread->post([] {}));
}

TEST(ClientThread, does_not_wait_for_a_connection_that_is_being_made) {
  auto thread = started();
  // Nobody answers there: the addresses are for documents.
  const auto nowhere = address_from_string("192.0.2.1", Port(9));
  std::atomic<bool> begun = false;
  const bool posted = thread->post([&, network = &thread->network()] {
    const auto connect = [](Network* net, SocketAddress to,
                            MonotonicTime until) -> task_detail::Detached {
      const auto stream = co_await net->connect(to, SocketOptions{}, until);
      static_cast<void>(stream);
    };
    connect(network, *nowhere, thread->clock().now() + 300ms);
    begun = true;
  });
  EXPECT_TRUE(posted);
  thread->stop();
  EXPECT_TRUE(begun);
}

Task<void> make_broker(std::optional<ScriptedBroker>& broker, ClientThread& thread) {
  broker.emplace(thread.executor(), thread.network(), test_address(1, 0));
  broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    return answer(heard, HeartbeatResponse{.throttle_time_ms = 0, .error_code = 7});
  };
  co_return;
}
Task<void> end_broker(std::optional<ScriptedBroker>& broker) {
  co_await broker->close();
  broker.reset();
}
Task<std::size_t> ask(Brokers& brokers, int times) {
  std::size_t answered = 0;
  TaskGroup group;
  const auto one = [&]() -> Task<void> {
    HeartbeatRequest request;
    request.group_id = "g";
    const auto reply = co_await brokers.call_any(request);
    if (reply && reply->message.error_code == 7) ++answered;
  };
  for (int i = 0; i < times; ++i) group.start(one());
  co_await group.wait();
  co_return answered;
}

// Over TCP, through the system's resolver: what the tests on the simulated network cannot prove.
TEST(BrokersOverTcp, calls_are_answered_and_connections_come_back_after_they_broke) {
  const auto server = started("server");
  std::optional<ScriptedBroker> broker;
  server->run([&] { return make_broker(broker, *server); });
  const Port port = broker->address().port;
  const auto thread = started("client");
  CommonSettings settings;
  settings.bootstrap = {{"localhost", port}, {"127.0.0.1", port}};
  std::optional<Brokers> brokers;
  thread->run([&]() -> Task<void> {
    brokers.emplace(thread->executor(), thread->network(), thread->resolver(), settings,
                    test_logger());
    co_return;
  });
  EXPECT_EQ(thread->run([&] { return ask(*brokers, 500); }), 500U);
  server->run([&]() -> Task<void> {
    broker->drop_all();
    co_return;
  });
  std::size_t answered = 0;
  for (int i = 0; i < 100 && answered == 0; ++i) {
    answered = thread->run([&] { return ask(*brokers, 1); });
  }
  EXPECT_EQ(answered, 1U);
  thread->run([&]() -> Task<void> {
    co_await brokers->close();
    brokers.reset();
  });
  server->run([&] { return end_broker(broker); });
}

TEST(BrokersOverTcp, a_broker_that_nobody_hears_of_is_a_clear_error) {
  const auto thread = started("client");
  CommonSettings settings;
  settings.bootstrap = {{"127.0.0.1", Port(1)}};
  std::optional<Brokers> brokers;
  const auto failed = thread->run([&]() -> Task<std::string> {
    brokers.emplace(thread->executor(), thread->network(), thread->resolver(), settings,
                    test_logger());
    HeartbeatRequest request;
    const auto reply = co_await brokers->call_any(request);
    co_await brokers->close();
    brokers.reset();
    co_return reply ? std::string() : to_string(reply.error());
  });
  EXPECT_NE(failed.find("127.0.0.1:1"), std::string::npos) << failed;
  EXPECT_NE(failed.find("refused"), std::string::npos) << failed;
}

}  // namespace
}  // namespace millrace::client
