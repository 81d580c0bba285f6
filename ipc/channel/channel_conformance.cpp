#include "channel_conformance.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>

namespace millrace::ipc {

std::vector<std::byte> message_of(std::size_t bytes, std::uint64_t number) {
  std::vector<std::byte> message(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    message[i] = static_cast<std::byte>((number * 31 + i * 167 + (i >> 8)) & 0xff);
  }
  return message;
}

namespace {

constexpr ChannelOptions small{.ring_bytes = 64, .message_bytes_max = 100'000};

Task<void> send_all(Channel& channel, std::vector<std::size_t> sizes) {
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto message = message_of(sizes[i], i);
    EXPECT_TRUE(co_await channel.send(message)) << "message " << i;
  }
}

Task<void> receive_all(Channel& channel, std::vector<std::size_t> sizes) {
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto received = co_await channel.receive();
    EXPECT_TRUE(received) << "message " << i;
    if (!received) co_return;
    EXPECT_TRUE(*received == message_of(sizes[i], i))
        << "message " << i << " of " << sizes[i] << " bytes";
  }
}

ChannelFault fault_of(const ChannelResult<std::vector<std::byte>>& result) {
  EXPECT_FALSE(result) << "a message came";
  return result ? ChannelFault::failed : result.error().fault;
}

ChannelFault fault_of(const ChannelResult<void>& result) {
  EXPECT_FALSE(result) << "it was sent";
  return result ? ChannelFault::failed : result.error().fault;
}

Task<void> store_fault(Channel& channel, ChannelFault& fault) {
  fault = fault_of(co_await channel.receive());
}

Task<void> store_send_fault(Channel& channel, std::size_t bytes, ChannelFault& fault) {
  const auto message = message_of(bytes, 0);
  fault = fault_of(co_await channel.send(message));
}

std::vector<std::size_t> random_sizes(std::uint64_t seed, std::size_t count, std::size_t most) {
  std::mt19937_64 random(seed);
  std::vector<std::size_t> sizes(count);
  // Small ones are the rule; now and then one is many times as large as the ring.
  for (std::size_t& size : sizes) size = random() % (random() % 10 == 0 ? most : 80);
  return sizes;
}

}  // namespace

void ChannelConformance::run(ChannelOptions options,
                             const std::function<Task<void>(ChannelEnds&)>& test) {
  const auto whole = [&]() -> Task<void> {
    ChannelEnds ends = co_await under_test_->connect(options);
    EXPECT_TRUE(ends.left && ends.right) << "no channel";
    if (!ends.left || !ends.right) co_return;
    co_await test(ends);
    if (ends.left) ends.left->close();
    if (ends.right) ends.right->close();
  };
  under_test_->run(whole());
}

TEST_P(ChannelConformance, gives_each_message_whole_and_in_order) {
  run({}, [](ChannelEnds& ends) -> Task<void> {
    const std::vector<std::size_t> sizes = {5, 0, 1, 4096, 0, 70'000};
    co_await send_all(*ends.left, sizes);
    co_await receive_all(*ends.right, sizes);
  });
}

TEST_P(ChannelConformance, passes_messages_larger_than_the_ring_in_pieces) {
  run(small, [](ChannelEnds& ends) -> Task<void> {
    const std::vector<std::size_t> sizes = {60, 61, 64, 65, 1000, 100'000};
    TaskGroup group;
    group.start(send_all(*ends.left, sizes));
    co_await receive_all(*ends.right, sizes);
    co_await group.wait();
  });
}

TEST_P(ChannelConformance, carries_random_messages_both_ways_at_once) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const ChannelOptions options{.ring_bytes = std::size_t{64} << seed,
                                 .message_bytes_max = 10'000};
    run(options, [&](ChannelEnds& ends) -> Task<void> {
      const auto there = random_sizes(2 * seed, 300, 5000);
      const auto back = random_sizes(2 * seed + 1, 300, 5000);
      TaskGroup group;
      group.start(send_all(*ends.left, there));
      group.start(send_all(*ends.right, back));
      group.start(receive_all(*ends.left, back));
      group.start(receive_all(*ends.right, there));
      co_await group.wait();
    });
  }
}

TEST_P(ChannelConformance, sends_in_the_order_of_the_calls_when_several_wait) {
  run(small, [](ChannelEnds& ends) -> Task<void> {
    std::vector<std::vector<std::byte>> messages;
    for (std::size_t i = 0; i < 20; ++i) messages.push_back(message_of(50 + i, i));
    const auto send_one = [](Channel& channel, ByteView message) -> Task<void> {
      EXPECT_TRUE(co_await channel.send(message));
    };
    TaskGroup group;
    for (const auto& message : messages) group.start(send_one(*ends.left, message));
    for (const auto& message : messages) {
      const auto received = co_await ends.right->receive();
      EXPECT_TRUE(received && *received == message);
    }
    co_await group.wait();
  });
}

TEST_P(ChannelConformance, holds_a_sender_back_while_nobody_receives) {
  run(small, [this](ChannelEnds& ends) -> Task<void> {
    bool is_sent = false;
    const auto send_much = [&]() -> Task<void> {
      const auto message = message_of(500, 0);
      EXPECT_TRUE(co_await ends.left->send(message));
      is_sent = true;
    };
    TaskGroup group;
    group.start(send_much());
    co_await sleep_until(executor(), executor().clock().now() + std::chrono::milliseconds{20});
    EXPECT_FALSE(is_sent) << "500 bytes do not fit a ring of 64";
    co_await receive_all(*ends.right, {500});
    co_await group.wait();
  });
}

TEST_P(ChannelConformance, refuses_a_message_larger_than_the_peer_takes_and_goes_on) {
  run(small, [](ChannelEnds& ends) -> Task<void> {
    EXPECT_EQ(ends.left->send_bytes_max(), small.message_bytes_max);
    const std::vector<std::byte> large(small.message_bytes_max + 1);
    EXPECT_EQ(fault_of(co_await ends.left->send(large)), ChannelFault::too_large);
    co_await send_all(*ends.left, {10});
    co_await receive_all(*ends.right, {10});
  });
}

TEST_P(ChannelConformance, gives_what_was_sent_before_the_peer_went) {
  run({}, [](ChannelEnds& ends) -> Task<void> {
    const std::vector<std::size_t> sizes(40, 100);
    co_await send_all(*ends.left, sizes);
    ends.left->close();
    ends.left.reset();
    co_await receive_all(*ends.right, sizes);
    EXPECT_EQ(fault_of(co_await ends.right->receive()), ChannelFault::closed);
    EXPECT_TRUE(ends.right->is_closed());
  });
}

TEST_P(ChannelConformance, tells_a_waiting_receiver_that_the_peer_went) {
  run({}, [](ChannelEnds& ends) -> Task<void> {
    auto fault = ChannelFault::failed;
    TaskGroup group;
    group.start(store_fault(*ends.right, fault));
    ends.left.reset();
    co_await group.wait();
    EXPECT_EQ(fault, ChannelFault::closed);
  });
}

TEST_P(ChannelConformance, tells_a_waiting_sender_that_the_peer_went) {
  run(small, [](ChannelEnds& ends) -> Task<void> {
    std::array<ChannelFault, 2> faults{};
    TaskGroup group;
    group.start(store_send_fault(*ends.left, 5000, faults[0]));
    group.start(store_send_fault(*ends.left, 10, faults[1]));
    ends.right->close();
    co_await group.wait();
    EXPECT_EQ(faults[0], ChannelFault::closed);
    EXPECT_EQ(faults[1], ChannelFault::closed);
  });
}

TEST_P(ChannelConformance, never_gives_a_message_of_which_the_end_is_missing) {
  run(small, [this](ChannelEnds& ends) -> Task<void> {
    auto fault = ChannelFault::failed;
    TaskGroup group;
    group.start(store_send_fault(*ends.left, 5000, fault));
    co_await yield(executor());
    ends.left->close();
    EXPECT_EQ(fault_of(co_await ends.right->receive()), ChannelFault::closed);
    co_await group.wait();
    EXPECT_EQ(fault, ChannelFault::closed);
  });
}

TEST_P(ChannelConformance, ends_pending_operations_when_it_is_closed_and_resumes_nobody_inside) {
  run(small, [](ChannelEnds& ends) -> Task<void> {
    std::array<ChannelFault, 2> faults = {ChannelFault::failed, ChannelFault::failed};
    TaskGroup group;
    group.start(store_fault(*ends.left, faults[0]));
    group.start(store_send_fault(*ends.left, 5000, faults[1]));
    ends.left->close();
    EXPECT_EQ(group.running(), 2);
    co_await group.wait();
    EXPECT_EQ(faults[0], ChannelFault::closed);
    EXPECT_EQ(faults[1], ChannelFault::closed);
    EXPECT_TRUE(ends.left->is_closed());
    EXPECT_EQ(fault_of(co_await ends.left->receive()), ChannelFault::closed);
    EXPECT_EQ(fault_of(co_await ends.left->send({})), ChannelFault::closed);
    ends.left->close();
  });
}

TEST_P(ChannelConformance, lets_others_run_while_much_is_there_to_receive) {
  run({}, [this](ChannelEnds& ends) -> Task<void> {
    const std::vector<std::size_t> sizes(200, 10);
    co_await send_all(*ends.left, sizes);
    bool has_run = false;
    const auto other = [&]() -> Task<void> {
      co_await yield(executor());
      has_run = true;
    };
    TaskGroup group;
    group.start(other());
    co_await receive_all(*ends.right, sizes);
    EXPECT_TRUE(has_run) << "200 messages were received without a break";
    co_await group.wait();
  });
}

}  // namespace millrace::ipc
