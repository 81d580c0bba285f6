// Also proves socket_channel.cpp, socket_channel.cppm, unix_socket.cpp, unix_socket.cppm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "socket_machine.hpp"

import millrace.ipc.ring;
import millrace.runtime.streams;

namespace millrace::ipc {
namespace {

using testing::HasSubstr;

class SocketUnderTest final : public ChannelUnderTest {
 public:
  Executor& executor() override { return *machine_.loop; }
  void run(Task<void> task) override { machine_.loop->run(std::move(task)); }
  Task<ChannelEnds> connect(ChannelOptions options) override {
    auto listener = machine_.listen(options).value();
    co_return co_await connect_both(machine_, *listener, options);
  }

 private:
  SocketMachine machine_;
};

INSTANTIATE_TEST_SUITE_P(Socket, ChannelConformance,
                         testing::Values(ChannelCase{
                             "socket", [] { return std::make_unique<SocketUnderTest>(); }}),
                         name_of_case);

class ConnectingTest : public testing::Test {
 protected:
  [[nodiscard]] Task<ChannelFault> fault_of_connect(std::string path) {
    const auto connected = co_await connect(*machine.loop, std::move(path), {}, machine.soon());
    EXPECT_FALSE(connected);
    co_return connected ? ChannelFault::failed : connected.error().fault;
  }
  // A plain socket, for peers that do not do as they should.
  [[nodiscard]] Descriptor plain_socket() {
    Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, machine.path.data(), machine.path.size());
    EXPECT_EQ(
        ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  // Accepts until it is told to end.
  [[nodiscard]] static Task<void> accept_all(ChannelListener& listener,
                                             std::vector<std::unique_ptr<Channel>>& channels) {
    for (;;) {
      auto accepted = co_await listener.accept();
      if (!accepted) co_return;
      channels.push_back(std::move(*accepted));
    }
  }
  [[nodiscard]] std::string logged() const {
    std::string text;
    for (const auto& line : machine.lines->lines()) text += line.message + "\n";
    return text;
  }

  SocketMachine machine;
};

TEST_F(ConnectingTest, tells_who_the_peer_is) {
  const auto work = [&]() -> Task<void> {
    const auto listener = machine.listen().value();
    const ChannelEnds ends = co_await connect_both(machine, *listener, {});
    EXPECT_EQ(ends.left->peer().process, ::getpid());
    EXPECT_EQ(ends.right->peer().user, ::geteuid());
  };
  machine.loop->run(work());
}

TEST_F(ConnectingTest, tells_each_side_how_much_the_other_takes) {
  const auto work = [&]() -> Task<void> {
    const auto listener = machine.listen({.message_bytes_max = 5000}).value();
    const ChannelEnds ends = co_await connect_both(machine, *listener, {.message_bytes_max = 6000});
    EXPECT_EQ(ends.left->send_bytes_max(), 6000);
    EXPECT_EQ(ends.right->send_bytes_max(), 5000);
  };
  machine.loop->run(work());
}

TEST_F(ConnectingTest, makes_a_socket_that_only_its_user_can_open) {
  const auto listener = machine.listen().value();
  struct stat status{};
  ASSERT_EQ(::lstat(machine.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(ConnectingTest, takes_its_path_away_when_it_ends) {
  static_cast<void>(machine.listen().value());
  EXPECT_FALSE(std::filesystem::exists(machine.path));
  EXPECT_TRUE(machine.listen()) << "and can listen there again";
}

TEST_F(ConnectingTest, leaves_the_path_of_another_that_took_its_place) {
  const auto first = machine.listen().value();
  ASSERT_TRUE(std::filesystem::remove(machine.path));
  const auto second = machine.listen().value();
  first->close();
  EXPECT_TRUE(std::filesystem::exists(machine.path));
}

TEST_F(ConnectingTest, replaces_the_socket_of_a_process_that_died) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto listener = machine.listen();
    ::_exit(listener ? 0 : 1);  // and leaves it behind
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(std::filesystem::exists(machine.path));
  EXPECT_TRUE(machine.listen());
}

TEST_F(ConnectingTest, refuses_the_path_of_a_living_process) {
  const auto first = machine.listen().value();
  const auto second = machine.listen();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, ChannelFault::address_in_use);
  EXPECT_TRUE(std::filesystem::exists(machine.path));
}

TEST_F(ConnectingTest, never_removes_a_file_that_is_no_socket) {
  std::ofstream(machine.path) << "precious";
  const auto listener = machine.listen();
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().fault, ChannelFault::address_in_use);
  EXPECT_EQ(std::filesystem::file_size(machine.path), 8);
}

TEST_F(ConnectingTest, needs_a_directory_that_is_there) {
  machine.path = machine.directory.path() + "/none/socket";
  const auto listener = machine.listen();
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().fault, ChannelFault::unreachable);
  for (const char* path : {"", "/"}) {
    machine.path = path;
    EXPECT_FALSE(machine.listen()) << "'" << path << "'";
  }
}

TEST_F(ConnectingTest, takes_paths_longer_than_the_name_of_a_socket) {
  const std::string directory = machine.directory.path() + "/" + std::string(200, 'd');
  ASSERT_TRUE(std::filesystem::create_directory(directory));
  machine.path = directory + "/socket";
  const auto work = [&]() -> Task<void> {
    const auto listener = machine.listen().value();
    const ChannelEnds ends = co_await connect_both(machine, *listener, {});
    EXPECT_TRUE(ends.left && ends.right);
    EXPECT_EQ(machine.listen().error().fault, ChannelFault::address_in_use);
  };
  machine.loop->run(work());
}

TEST_F(ConnectingTest, says_at_once_that_nobody_listens) {
  const auto work = [&]() -> Task<void> {
    EXPECT_EQ(co_await fault_of_connect(machine.path), ChannelFault::unreachable);
    EXPECT_EQ(co_await fault_of_connect("/nowhere/at/all"), ChannelFault::unreachable);
  };
  machine.loop->run(work());
}

TEST_F(ConnectingTest, does_not_wait_for_ever_for_a_listener_that_hangs) {
  const auto listener = machine.listen().value();
  const auto work = [&]() -> Task<void> {
    const auto deadline = machine.clock.now() + std::chrono::milliseconds{30};
    const auto connected = co_await connect(*machine.loop, machine.path, {}, deadline);
    EXPECT_FALSE(connected);
    EXPECT_EQ(connected.error().fault, ChannelFault::timed_out);
  };
  machine.loop->run(work());
}

TEST_F(ConnectingTest, waits_for_its_turn_when_many_connect_at_once) {
  const auto work = [&]() -> Task<void> {
    const auto listener = machine.listen({.ring_bytes = 64}).value();
    std::vector<std::unique_ptr<Channel>> accepted;
    std::vector<std::unique_ptr<Channel>> connected;
    TaskGroup accepting;
    TaskGroup connecting;
    const auto connect_one = [&]() -> Task<void> {
      auto channel = co_await connect(*machine.loop, machine.path, {}, machine.soon());
      EXPECT_TRUE(channel) << describe(channel.error());
      if (channel) connected.push_back(std::move(*channel));
    };
    for (int i = 0; i < 3 * channel_backlog; ++i) connecting.start(connect_one());
    accepting.start(accept_all(*listener, accepted));
    co_await connecting.wait();
    EXPECT_EQ(connected.size(), 3 * channel_backlog);
    listener->close();
    co_await accepting.wait();
    EXPECT_EQ(accepted.size(), 3 * channel_backlog);
  };
  machine.loop->run(work());
}

TEST_F(ConnectingTest, ends_a_pending_accept_when_it_is_closed) {
  const auto work = [&]() -> Task<void> {
    const auto listener = machine.listen().value();
    std::vector<std::unique_ptr<Channel>> none;
    TaskGroup group;
    group.start(accept_all(*listener, none));
    co_await yield(*machine.loop);
    // And while somebody does not finish its handshake.
    const Descriptor silent = plain_socket();
    co_await sleep_until(*machine.loop, machine.clock.now() + std::chrono::milliseconds{10});
    listener->close();
    co_await group.wait();
    EXPECT_FALSE((co_await listener->accept()).has_value());
  };
  machine.loop->run(work());
}

TEST_F(ConnectingTest, turns_away_who_says_nonsense_and_serves_the_next) {
  const auto work = [&]() -> Task<void> {
    const auto listener = machine.listen().value();
    const Descriptor nonsense = plain_socket();
    EXPECT_EQ(::send(nonsense.number(), "hello?", 6, 0), 6);
    const Descriptor later = plain_socket();
    const auto unknown = encode(Hello{.version_min = 2, .version_max = 9, .message_bytes_max = 1});
    EXPECT_EQ(::send(later.number(), unknown.data(), unknown.size(), 0), hello_bytes);
    plain_socket().close();
    const ChannelEnds ends = co_await connect_both(machine, *listener, {});
    EXPECT_TRUE(ends.left && ends.right);

    const auto status_of = [](const Descriptor& socket) {
      std::array<std::byte, 64> buffer{};
      const auto count = ::recv(socket.number(), buffer.data(), buffer.size(), 0);
      return answer_from(ByteView(buffer).first(static_cast<std::size_t>(count))).value().status;
    };
    EXPECT_EQ(status_of(nonsense), HandshakeStatus::not_understood);
    EXPECT_EQ(status_of(later), HandshakeStatus::unknown_version);
    EXPECT_THAT(logged(), HasSubstr("turned away: handshake: corrupt"));
    EXPECT_THAT(logged(), HasSubstr("turned away: handshake: refused"));
    EXPECT_THAT(logged(), HasSubstr("turned away: handshake: closed"));
  };
  machine.loop->run(work());
}

TEST_F(ConnectingTest, refuses_a_process_of_another_user) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const auto listener = machine.listen().value();
  // So that only the check of who connects is left.
  ASSERT_EQ(::chmod(machine.path.c_str(), 0666), 0);
  ASSERT_EQ(::chmod(machine.directory.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const Descriptor socket = plain_socket();
    std::array<std::byte, 64> buffer{};
    const auto count = ::recv(socket.number(), buffer.data(), buffer.size(), 0);
    if (count < static_cast<ssize_t>(answer_bytes)) ::_exit(3);
    const auto answer = answer_from(ByteView(buffer).first(static_cast<std::size_t>(count)));
    ::_exit(answer && answer->status == HandshakeStatus::other_user ? 0 : 4);
  }
  const auto work = [&]() -> Task<void> {
    std::vector<std::unique_ptr<Channel>> none;
    TaskGroup group;
    group.start(accept_all(*listener, none));
    while (logged().empty()) {
      co_await sleep_until(*machine.loop, machine.clock.now() + std::chrono::milliseconds{5});
    }
    listener->close();
    co_await group.wait();
    EXPECT_TRUE(none.empty());
  };
  machine.loop->run(work());
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(logged(), HasSubstr("refused"));
}

}  // namespace
}  // namespace millrace::ipc
