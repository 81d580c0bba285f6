// Peers that die, or do what no peer should. Also proves socket_channel.cpp, ring_channel.cpp.
#include <gtest/gtest.h>
#include <signal.h>  // kill
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "socket_machine.hpp"

import millrace.ipc.ring;

namespace millrace::ipc {
namespace {

constexpr ChannelOptions small{.ring_bytes = 512, .message_bytes_max = 100'000};

class PeerTest : public testing::Test {
 protected:
  SocketMachine machine;
};

// A process that sends and receives until it is killed. It has a loop of its own.
[[noreturn]] void talk_until_killed(const std::string& path) {
  const SystemClock clock;
  const auto loop = ShardLoop::make(clock).value();
  const auto work = [&]() -> Task<void> {
    auto channel = co_await connect(*loop, path, small, clock.now() + std::chrono::seconds{60});
    if (!channel) co_return;
    const auto listen_too = [&]() -> Task<void> {
      while (co_await (*channel)->receive()) {
      }
    };
    TaskGroup group;
    group.start(listen_too());
    for (std::uint64_t number = 0;; ++number) {
      const auto message = message_of(number % 3000, number);
      if (!co_await (*channel)->send(message)) break;
    }
    co_await group.wait();
  };
  loop->run(work());
  ::_exit(0);
}

TEST_F(PeerTest, hears_that_a_peer_was_killed_and_gets_only_whole_messages_until_then) {
  std::mt19937_64 random(11);
  std::uint64_t received = 0;
  for (int round = 0; round < 25; ++round) {
    const auto listener = machine.listen(small).value();
    const pid_t child = ::fork();
    if (child == 0) talk_until_killed(machine.path);
    const auto work = [&]() -> Task<void> {
      auto channel = co_await listener->accept();
      EXPECT_TRUE(channel);
      if (!channel) co_return;
      EXPECT_EQ((*channel)->peer().process, child);
      const auto send_too = [&]() -> Task<void> {
        for (std::uint64_t number = 0;; ++number) {
          const auto message = message_of(number % 1000, number);
          const auto sent = co_await (*channel)->send(message);
          if (sent) continue;
          EXPECT_EQ(sent.error().fault, ChannelFault::closed);
          co_return;
        }
      };
      const auto kill_it = [&]() -> Task<void> {
        const auto when = std::chrono::microseconds{random() % 8000};
        co_await sleep_until(*machine.loop, machine.clock.now() + when);
        EXPECT_EQ(::kill(child, SIGKILL), 0);
      };
      TaskGroup group;
      group.start(send_too());
      group.start(kill_it());
      for (std::uint64_t number = 0;; ++number) {
        const auto message = co_await (*channel)->receive();
        if (!message) {
          EXPECT_EQ(message.error().fault, ChannelFault::closed);
          break;
        }
        ++received;
        EXPECT_TRUE(*message == message_of(number % 3000, number)) << "message " << number;
      }
      co_await group.wait();
    };
    machine.loop->run(work());
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
  }
  EXPECT_GT(received, 25) << "peers died before they said anything";
}

// A peer that shook hands properly and then writes what it likes.
class HostilePeer {
 public:
  explicit HostilePeer(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(
        ::connect(socket_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
        0);
    const auto hello = encode(Hello{.message_bytes_max = 100'000});
    EXPECT_EQ(::send(socket_.number(), hello.data(), hello.size(), 0), hello_bytes);
  }
  // After the other side has accepted.
  void take_answer() {
    std::array<std::byte, 64> buffer{};
    iovec piece{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, 256> control{};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ASSERT_EQ(::recvmsg(socket_.number(), &header, 0), answer_bytes);
    std::array<int, answer_descriptors> numbers{};
    std::memcpy(numbers.data(), CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i) descriptors_[i] = Descriptor(numbers[i]);
    memory_ =
        SharedMemory::map(numbers[1], region_bytes(small.ring_bytes), MemoryAccess::read_write)
            .value();
  }
  [[nodiscard]] Region& region() {
    return *reinterpret_cast<Region*>(memory_.writable_bytes().data());
  }
  [[nodiscard]] MutableBytes data() { return memory_.writable_bytes().subspan(ring_data_offset); }
  void ring() const {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(descriptors_[2].number(), &one, sizeof one), sizeof one);
  }
  [[nodiscard]] const Descriptor& listeners_memory() const { return descriptors_[0]; }
  [[nodiscard]] const Descriptor& socket() const { return socket_; }

 private:
  Descriptor socket_;
  std::array<Descriptor, answer_descriptors> descriptors_;
  SharedMemory memory_;
};

class HostilePeerTest : public PeerTest {
 protected:
  // Shakes hands, lets the peer do something, and gives how a receive() ends then.
  ChannelFault fault_after(const std::function<void(HostilePeer&)>& deed) {
    auto fault = ChannelFault::failed;
    const auto work = [&]() -> Task<void> {
      const auto listener = machine.listen(small).value();
      HostilePeer peer(machine.path);
      auto channel = co_await listener->accept();
      EXPECT_TRUE(channel);
      if (!channel) co_return;
      peer.take_answer();
      TaskGroup group;
      const auto receive = [&]() -> Task<void> {
        const auto received = co_await (*channel)->receive();
        EXPECT_FALSE(received);
        if (!received) fault = received.error().fault;
      };
      group.start(receive());
      deed(peer);
      co_await group.wait();
      EXPECT_TRUE((*channel)->is_closed());
      EXPECT_FALSE(co_await (*channel)->send({}));
    };
    machine.loop->run(work());
    return fault;
  }
};

TEST_F(HostilePeerTest, ends_the_channel_when_a_tail_passes_the_ring) {
  EXPECT_EQ(fault_after([](HostilePeer& peer) {
              peer.region().tail.value = small.ring_bytes + 1;
              peer.ring();
            }),
            ChannelFault::corrupt);
}

TEST_F(HostilePeerTest, ends_the_channel_when_a_message_is_announced_that_is_too_large) {
  EXPECT_EQ(fault_after([](HostilePeer& peer) {
              std::memset(peer.data().data(), 0xff, message_length_bytes);
              peer.region().tail.value = message_length_bytes;
              peer.ring();
            }),
            ChannelFault::corrupt);
}

TEST_F(HostilePeerTest, ends_the_channel_when_something_is_said_on_the_socket) {
  EXPECT_EQ(fault_after(
                [](HostilePeer& peer) { EXPECT_EQ(::send(peer.socket().number(), "x", 1, 0), 1); }),
            ChannelFault::corrupt);
}

TEST_F(HostilePeerTest, cannot_write_the_memory_of_the_listening_side) {
  EXPECT_EQ(
      fault_after([](HostilePeer& peer) {
        EXPECT_FALSE(SharedMemory::map(peer.listeners_memory().number(),
                                       region_bytes(small.ring_bytes), MemoryAccess::read_write));
        EXPECT_NE(::ftruncate(peer.listeners_memory().number(), 0), 0);
        EXPECT_EQ(::shutdown(peer.socket().number(), SHUT_RDWR), 0);
      }),
      ChannelFault::closed);
}

TEST_F(HostilePeerTest, is_survived_whatever_it_writes_while_we_talk) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    const auto work = [&]() -> Task<void> {
      const auto listener = machine.listen(small).value();
      HostilePeer peer(machine.path);
      auto channel = co_await listener->accept();
      EXPECT_TRUE(channel);
      if (!channel) co_return;
      peer.take_answer();
      const auto send_much = [&]() -> Task<void> {
        const auto message = message_of(300, 1);
        while (co_await (*channel)->send(message)) {
        }
      };
      const auto receive_much = [&]() -> Task<void> {
        while (co_await (*channel)->receive()) {
        }
      };
      TaskGroup group;
      group.start(send_much());
      group.start(receive_much());
      for (int i = 0; i < 20; ++i) {
        auto& region = peer.region();
        const std::array<std::atomic<std::uint64_t>*, 4> cells = {
            &region.tail.value, &region.head.value, &region.reader_parked.value,
            &region.writer_parked.value};
        auto& cell = *cells[random() % cells.size()];
        cell = random() % 4 == 0 ? random() : cell + random() % 200;
        for (std::byte& byte : peer.data()) byte = static_cast<std::byte>(random() % 3);
        peer.ring();
        co_await yield(*machine.loop);
      }
      (*channel)->close();
      co_await group.wait();
    };
    machine.loop->run(work());
  }
}

}  // namespace
}  // namespace millrace::ipc
