// TCP under the conformance suite, and what only TCP does. Also proves tcp_stream.cpp.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tcp_machine.hpp"

import millrace.runtime.streams;

namespace millrace {
namespace {

using namespace std::chrono_literals;

INSTANTIATE_TEST_SUITE_P(Tcp, StreamConformance,
                         testing::Values(NetworkCase{
                             "loopback", [] { return std::make_unique<TcpUnderTest>(); }}),
                         name_of_case);

class TcpNetworkTest : public testing::Test {
 protected:
  Task<Ends> connect(Listener& listener) {
    Ends ends;
    auto connected = co_await tcp.network().connect(listener.address());
    EXPECT_TRUE(connected.has_value());
    auto accepted = co_await listener.accept();
    EXPECT_TRUE(accepted.has_value());
    ends.client = std::move(*connected);
    ends.server = tcp.network().adopt(std::move(*accepted)).value();
    co_return ends;
  }
  std::unique_ptr<Listener> listen(int backlog = 1024) {
    ListenOptions options;
    options.backlog = backlog;
    return tcp.network().listen(address_from_string("127.0.0.1", Port{0}).value(), options).value();
  }

  TcpUnderTest tcp;
};

// sendfile raises SIGPIPE, which ends a process that does nothing about it.
TEST_F(TcpNetworkTest, sending_a_file_to_a_peer_that_has_gone_is_an_error_and_no_signal) {
  ASSERT_NE(std::signal(SIGPIPE, SIG_DFL), SIG_ERR);
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    Ends ends = co_await connect(*listener);
    const FileRange range = tcp.file_with(numbered_bytes(100'000));
    ends.client.reset();
    StreamResult<void> sent;
    for (int i = 0; i < 1000 && sent; ++i) {
      sent = co_await ends.server->send_file(range);
      co_await sleep_until(tcp.executor(), tcp.executor().clock().now() + 1ms);
    }
    EXPECT_TRUE(!sent && sent.error().fault == StreamFault::reset);
  };
  tcp.run(body());
}

TEST_F(TcpNetworkTest, listens_and_connects_over_ipv6) {
  const auto body = [&]() -> Task<void> {
    const auto listened = tcp.network().listen(address_from_string("::1", Port{0}).value());
    if (!listened && listened.error().fault == StreamFault::unreachable) co_return;  // no IPv6 here
    Ends ends = co_await connect(**listened);
    EXPECT_EQ(ends.server->peer().host(), "::1");
  };
  tcp.run(body());
}

TEST_F(TcpNetworkTest, a_peer_over_ipv4_has_its_ipv4_address_on_a_socket_for_both) {
  const auto body = [&]() -> Task<void> {
    const auto listened = tcp.network().listen(address_from_string("::", Port{0}).value());
    if (!listened) co_return;  // no IPv6 here
    const auto port = (*listened)->address().port;
    auto connected = co_await tcp.network().connect(address_from_string("127.0.0.1", port).value());
    auto accepted = co_await (*listened)->accept();
    EXPECT_EQ((*accepted)->peer().host(), "127.0.0.1");
  };
  tcp.run(body());
}

TEST_F(TcpNetworkTest, connecting_ends_at_its_deadline) {
  const auto body = [&]() -> Task<void> {
    // With a backlog of none, the kernel lets one or two in and then answers nobody.
    const auto listener = listen(0);
    std::vector<std::unique_ptr<ByteStream>> streams;
    for (int i = 0; i < 10; ++i) {
      auto connected = co_await tcp.network().connect(listener->address(), {},
                                                      tcp.executor().clock().now() + 50ms);
      if (!connected) {
        EXPECT_EQ(connected.error().fault, StreamFault::timed_out);
        co_return;
      }
      streams.push_back(std::move(*connected));
    }
    ADD_FAILURE() << "a backlog of none took ten";
  };
  tcp.run(body());
}

TEST_F(TcpNetworkTest, listeners_share_an_address_when_asked_to) {
  ListenOptions options;
  options.shared = true;
  const auto address = address_from_string("127.0.0.1", Port{0}).value();
  const auto first = tcp.network().listen(address, options);
  ASSERT_TRUE(first);
  EXPECT_TRUE(tcp.network().listen((*first)->address(), options));
}

TEST_F(TcpNetworkTest, a_broken_connection_is_told_while_waiting) {
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    Ends ends = co_await connect(*listener);
    TaskGroup group;
    const auto read = [&]() -> Task<void> {
      std::array<std::byte, 10> buffer;
      const auto result = co_await ends.client->read(buffer);
      EXPECT_TRUE(!result && result.error().fault == StreamFault::reset);
      EXPECT_EQ(describe(result.error(), listener->address()),
                formatted("read {}: reset (errno {})", listener->address(), ECONNRESET));
    };
    group.start(read());
    const std::array<ByteView, 1> pieces = {as_bytes("not read")};
    const auto written = co_await ends.client->write(pieces);
    EXPECT_TRUE(written.has_value());
    co_await sleep_until(tcp.executor(), tcp.executor().clock().now() + 5ms);
    ends.server->close();
    co_await group.wait();
  };
  tcp.run(body());
}

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(undefined_behavior_sanitizer)
constexpr bool descriptors_can_be_taken_away = false;
#else
constexpr bool descriptors_can_be_taken_away = true;
#endif

// Puts the limit of descriptors back.
class DescriptorLimit {
 public:
  DescriptorLimit() { EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0); }
  ~DescriptorLimit() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  void set(rlim_t limit) {
    const rlimit changed{limit, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &changed), 0);
  }
  void raise() { set(before_.rlim_max); }

 private:
  rlimit before_{};
};

std::vector<std::string> messages_of(const MemoryLogSink& sink) {
  std::vector<std::string> messages;
  for (const auto& line : sink.lines()) messages.push_back(line.message);
  return messages;
}

TEST_F(TcpNetworkTest, accepting_pauses_while_descriptors_have_run_out) {
  if (!descriptors_can_be_taken_away)
    GTEST_SKIP() << "a sanitizer needs descriptors for its checks";
  DescriptorLimit limit;
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    auto connected = co_await tcp.network().connect(listener->address());
    EXPECT_TRUE(connected.has_value());
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    limit.set(static_cast<rlim_t>(lowest_free));
    TaskGroup group;
    std::unique_ptr<AcceptedStream> accepted;
    const auto accept = [&]() -> Task<void> {
      auto result = co_await listener->accept();
      if (result) accepted = std::move(*result);
    };
    group.start(accept());
    const std::uint64_t turns = tcp.loop().turns();
    co_await sleep_until(tcp.executor(), tcp.executor().clock().now() + 3 * accept_pause);
    EXPECT_EQ(accepted, nullptr);
    EXPECT_LT(tcp.loop().turns() - turns, 20) << "it waits and does not try again and again";
    EXPECT_GE(static_cast<TcpListener&>(*listener).pauses(), 2);
    limit.raise();
    co_await group.wait();
    EXPECT_NE(accepted, nullptr);
  };
  tcp.run(body());
  const auto messages = messages_of(tcp.log());
  ASSERT_FALSE(messages.empty());
  EXPECT_THAT(messages.front(), testing::EndsWith("accepts no connections for now: descriptors or "
                                                  "memory have run out (errno 24)"));
}

TEST_F(TcpNetworkTest, a_listener_that_pauses_can_be_closed) {
  if (!descriptors_can_be_taken_away)
    GTEST_SKIP() << "a sanitizer needs descriptors for its checks";
  DescriptorLimit limit;
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    auto connected = co_await tcp.network().connect(listener->address());
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    limit.set(static_cast<rlim_t>(lowest_free));
    TaskGroup group;
    const auto accept = [&]() -> Task<void> {
      const auto result = co_await listener->accept();
      EXPECT_TRUE(!result && result.error().fault == StreamFault::closed);
    };
    group.start(accept());
    listener->close();
    co_await group.wait();
    limit.raise();
  };
  tcp.run(body());
}

TEST_F(TcpNetworkTest, a_socket_is_closed_once) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Socket socket(descriptor);
  Socket moved(std::move(socket));
  EXPECT_EQ(moved.descriptor(), descriptor);
  moved = Socket();
  EXPECT_FALSE(moved.is_open());
  EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1);
}

}  // namespace
}  // namespace millrace
