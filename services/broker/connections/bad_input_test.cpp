// What is no request closes its connection, is told in one line, and harms nobody else. Also proves
// request_memory.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connection_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

std::vector<std::byte> length_only(std::int32_t length) {
  std::vector<std::byte> bytes;
  append_int32(bytes, length);
  return bytes;
}

// Sends the bytes beside a healthy client, and sees the connection end with this line.
void closes_alone(std::vector<std::byte> bytes, std::string_view line) {
  ConnectionMachine machine;
  machine.run([](ConnectionMachine& m, const std::vector<std::byte>& input) -> Task<void> {
    const auto healthy = co_await m.connect();
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*healthy, heartbeat_bytes(1)));
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(2)));
    EXPECT_TRUE(co_await send_bytes(*stream, input));
    EXPECT_EQ(co_await receive_correlation(*stream), 2) << "what was right is answered";
    EXPECT_EQ(co_await receive_correlation(*stream), std::nullopt);
    EXPECT_EQ(co_await receive_correlation(*healthy), 1);
    EXPECT_TRUE(co_await send_bytes(*healthy, heartbeat_bytes(3)));
    EXPECT_EQ(co_await receive_correlation(*healthy), 3);
  }(machine, bytes));
  EXPECT_EQ(machine.handler.begun.size(), 3u);
  EXPECT_EQ(machine.lines_with(line), 1u) << line;
  EXPECT_EQ(machine.lines_with("connection of 127.0.0.1"), 1u)
      << "one line tells it, with the peer";
}

TEST(BadInput, a_negative_length) {
  closes_alone(length_only(-1), "bad_input: a frame claims the length -1");
}

TEST(BadInput, a_length_above_the_limit) {
  closes_alone(length_only(104'857'601),
               "bad_input: a frame claims 104857601 bytes, 104857600 are allowed");
}

TEST(BadInput, an_unknown_api_key) {
  closes_alone(request_bytes(9999, 0, 1, 4), "bad_input: unknown API key: API key 9999, version 0");
}

TEST(BadInput, a_removed_api_key) {
  closes_alone(request_bytes(4, 0, 1, 4), "bad_input: unknown API key: API key 4");
}

TEST(BadInput, an_unsupported_version) {
  closes_alone(request_bytes(0, 2, 1, 4), "bad_input: unsupported version: API key 0 (Produce");
}

TEST(BadInput, a_frame_that_ends_inside_the_header) {
  closes_alone({std::byte{0}, std::byte{0}, std::byte{0}, std::byte{2}, std::byte{0}, std::byte{0}},
               "bad_input: the request ends inside its header");
}

TEST(BadInput, an_empty_frame) {
  closes_alone(length_only(0), "bad_input: the request ends inside its header");
}

TEST(BadInput, a_client_id_longer_than_the_frame) {
  auto bytes = request_bytes(12, 1, 1, 0);
  bytes[12] = std::byte{0x7f};
  closes_alone(bytes, "bad_input: the request header cannot be read");
}

TEST(BadInput, garbage_closes_its_connection_only) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    ConnectionMachine machine({.seed = seed});
    machine.run([](ConnectionMachine& m, std::uint64_t s) -> Task<void> {
      Random random(s);
      std::vector<std::byte> garbage(1 + random.below(10'000));
      for (std::byte& each : garbage) each = static_cast<std::byte>(random.below(256));
      if (random.chance(0.5)) garbage[0] = garbage[1] = std::byte{0};  // a length that may be
      const auto healthy = co_await m.connect();
      const auto stream = co_await m.connect();
      static_cast<void>(co_await send_bytes(*stream, garbage));  // it may be closed already
      EXPECT_TRUE(co_await send_bytes(*healthy, heartbeat_bytes(1)));
      EXPECT_EQ(co_await receive_correlation(*healthy), 1);
    }(machine, seed));
  }
}

TEST(BadInput, a_claimed_length_takes_no_memory_and_ends_at_the_deadline) {
  MachineOptions options;
  options.connections.started_frame_max = 20s;
  ConnectionMachine machine(options);
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, length_only(100 * 1024 * 1024)));
    co_await sleep_until(m.executor, m.executor.clock().now() + 10s);
    EXPECT_EQ(m.open_connections(), 1u);
    EXPECT_LE(m.memory_in_use(), protocol::receive_buffer_bytes_max);
    EXPECT_LE(m.pool.counters().lent_bytes, protocol::receive_buffer_bytes_max);
    EXPECT_EQ(co_await receive_correlation(*stream), std::nullopt);
  }(machine));
  EXPECT_EQ(machine.lines_with("frame_timeout: a frame began to come and did not end; 4 bytes"),
            1u);
}

TEST(BadInput, a_frame_that_comes_without_end_is_given_up_at_the_deadline) {
  MachineOptions options;
  options.connections.started_frame_max = 20s;
  ConnectionMachine machine(options);
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, length_only(1'000'000)));
    const MonotonicTime began = m.executor.clock().now();
    const std::vector<std::byte> drop(1);
    while (co_await send_bytes(*stream, drop)) {
      co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
      EXPECT_LT(m.executor.clock().now() - began, 30s) << "a slow frame came for ever";
    }
    EXPECT_GT(m.executor.clock().now() - began, 18s);
  }(machine));
  EXPECT_EQ(machine.lines_with("frame_timeout"), 1u);
}

// Each of these would take 100 MiB; together they may not take more than there is, and those who
// send ordinary frames notice nothing.
TEST(BadInput, a_hundred_half_sent_frames_of_100_mib_hold_up_nobody) {
  MachineOptions options;
  options.connections.started_frame_max = 60s;
  ConnectionMachine machine(options);
  constexpr std::size_t senders = 100;
  machine.run([](ConnectionMachine& m) -> Task<void> {
    std::vector<std::unique_ptr<ByteStream>> streams;
    TaskGroup sending;
    const auto frame = produce_bytes(1, 100 * mebibyte - 100);
    const ByteView half = ByteView(frame).first(frame.size() / 2);
    for (std::size_t i = 0; i < senders; ++i) {
      streams.push_back(co_await m.connect());
      sending.start([](ByteStream& s, ByteView bytes) -> Task<void> {
        static_cast<void>(co_await send_bytes(s, bytes));  // it is cut off at the deadline
      }(*streams.back(), half));
    }
    co_await sleep_until(m.executor, m.executor.clock().now() + 20s);
    EXPECT_LE(m.memory_in_use(), request_memory_bytes_default);
    EXPECT_GT(m.memory_in_use(), 60 * mebibyte) << "the senders did not fill their share";

    const auto healthy = co_await m.connect();
    const MonotonicTime began = m.executor.clock().now();
    for (std::int32_t i = 1; i <= 20; ++i) {
      EXPECT_TRUE(co_await send_bytes(*healthy, heartbeat_bytes(2 * i)));
      EXPECT_EQ(co_await receive_correlation(*healthy), 2 * i);
      EXPECT_TRUE(co_await send_bytes(*healthy, produce_bytes(2 * i + 1, mebibyte)));
      EXPECT_EQ(co_await receive_correlation(*healthy), 2 * i + 1);
    }
    EXPECT_LT(m.executor.clock().now() - began, 10s);
    for (const auto& stream : streams) stream->close();
    co_await sending.wait();
  }(machine));
}

TEST(BadInput, a_large_frame_is_finished_while_others_stand_half_sent) {
  MachineOptions options;
  options.connections.started_frame_max = 600s;
  options.connections.idle_max = std::nullopt;
  ConnectionMachine machine(options);
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto frame = produce_bytes(1, 20 * mebibyte);
    std::vector<std::unique_ptr<ByteStream>> streams;
    TaskGroup sending;
    std::size_t answers = 0;
    // All begin together, and together they are more than there is: one after the other ends.
    for (std::size_t i = 0; i < 30; ++i) {
      streams.push_back(co_await m.connect());
      sending.start([](ByteStream& s, ByteView bytes, std::size_t& count) -> Task<void> {
        EXPECT_TRUE(co_await send_bytes(s, bytes));
        if (co_await receive_correlation(s) == 1) ++count;
      }(*streams.back(), frame, answers));
    }
    co_await sending.wait();
    EXPECT_EQ(answers, 30u);
  }(machine));
}

TEST(RequestMemory, tells_frames_apart_by_their_first_bytes) {
  EXPECT_EQ(frame_class_of(produce_bytes(1, 100)), FrameClass::ordinary);
  EXPECT_EQ(frame_class_of(request_bytes(1, 4, 1, 10)), FrameClass::ordinary);
  EXPECT_EQ(frame_class_of(heartbeat_bytes(1)), FrameClass::control);
  EXPECT_EQ(frame_class_of(heartbeat_bytes(1, 3 * mebibyte)), FrameClass::large);
  EXPECT_EQ(frame_class_of(ByteView(produce_bytes(1, 3 * mebibyte)).first(6)), FrameClass::large);
  EXPECT_EQ(frame_class_of(ByteView(produce_bytes(1, 100)).first(5)), std::nullopt);
  EXPECT_EQ(frame_class_of({}), std::nullopt);
}

TEST(RequestMemory, needs_room_for_the_largest_frame) {
  const auto memory = RequestMemory::create(100 * mebibyte, 100 * mebibyte, 1);
  ASSERT_FALSE(memory.has_value());
  EXPECT_NE(memory.error().message.find("too few"), std::string::npos);
  EXPECT_TRUE(RequestMemory::create(request_memory_bytes_default, 100 * mebibyte, 8).has_value());
  EXPECT_TRUE(RequestMemory::create(request_memory_bytes_default, 1000, 1).has_value());
}

}  // namespace
}  // namespace millrace::broker
