#include "stream_conformance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

import millrace.runtime.streams;

namespace millrace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::byte> numbered_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<std::byte>((i * 7 + i / 251) & 0xff);
  return bytes;
}

std::unique_ptr<Listener> StreamConformance::listen() {
  auto listener = network().listen(address_from_string("127.0.0.1", Port{0}).value());
  EXPECT_TRUE(listener.has_value());
  return std::move(*listener);
}

Task<Ends> StreamConformance::connect(Listener& listener) {
  Ends ends;
  TaskGroup group;
  const auto dial = [&]() -> Task<void> {
    auto connected = co_await network().connect(listener.address());
    if (connected) ends.client = std::move(*connected);
  };
  group.start(dial());
  auto accepted = co_await listener.accept();
  co_await group.wait();
  if (accepted) ends.server = network().adopt(std::move(*accepted)).value();
  EXPECT_TRUE(ends.client != nullptr && ends.server != nullptr);
  co_return ends;
}

Task<Ends> StreamConformance::connect() {
  const auto listener = listen();
  co_return co_await connect(*listener);
}

Task<std::vector<std::byte>> StreamConformance::read_all(ByteStream& stream, std::size_t count) {
  std::vector<std::byte> all;
  std::array<std::byte, 10'000> buffer;
  while (all.size() < count) {
    const auto read =
        co_await stream.read(std::span(buffer).first(std::min(buffer.size(), count - all.size())));
    if (!read || *read == 0) break;
    all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*read));
  }
  co_return all;
}

Task<bool> StreamConformance::write_all(ByteStream& stream, ByteView bytes) {
  const std::array<ByteView, 1> pieces = {bytes};
  const auto written = co_await stream.write(pieces);
  co_return written.has_value();
}

TEST_P(StreamConformance, carries_bytes_in_both_directions_at_once) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    const auto there = numbered_bytes(3'000'000);
    auto back = numbered_bytes(2'000'000);
    std::reverse(back.begin(), back.end());
    TaskGroup group;
    const auto write = [&](ByteStream& stream, ByteView bytes) -> Task<void> {
      EXPECT_TRUE(co_await write_all(stream, bytes));
    };
    const auto read = [&](ByteStream& stream,
                          const std::vector<std::byte>& expected) -> Task<void> {
      EXPECT_TRUE(co_await read_all(stream, expected.size()) == expected);
    };
    group.start(write(*ends.client, there));
    group.start(write(*ends.server, back));
    group.start(read(*ends.server, there));
    group.start(read(*ends.client, back));
    co_await group.wait();
  };
  run(body());
}

TEST_P(StreamConformance, gathers_many_pieces_in_order) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    const auto bytes = numbered_bytes(20'000);
    std::vector<ByteView> pieces;
    for (std::size_t at = 0; at < bytes.size(); at += 100) {
      pieces.push_back(ByteView(bytes).subspan(at, 100));
      pieces.push_back({});
    }
    const auto written = co_await ends.client->write(pieces, More::yes);
    EXPECT_TRUE(written.has_value());
    const auto last = co_await ends.client->write(pieces);
    EXPECT_TRUE(last.has_value());
    EXPECT_TRUE(co_await read_all(*ends.server, bytes.size()) == bytes);
    EXPECT_TRUE(co_await read_all(*ends.server, bytes.size()) == bytes);
    const auto nothing = co_await ends.client->write(std::span<const ByteView>());
    EXPECT_TRUE(nothing.has_value());
  };
  run(body());
}

TEST_P(StreamConformance, reads_the_end_after_the_last_byte_and_can_still_write) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    const auto bytes = numbered_bytes(1000);
    EXPECT_TRUE(co_await write_all(*ends.client, bytes));
    ends.client->shutdown_writes();
    EXPECT_TRUE(co_await read_all(*ends.server, 2000) == bytes);
    std::array<std::byte, 10> buffer;
    for (int i = 0; i < 3; ++i) {
      const auto end = co_await ends.server->read(buffer);
      EXPECT_TRUE(end.has_value());
      EXPECT_EQ(end.value_or(1), 0u);
    }
    EXPECT_TRUE(co_await write_all(*ends.server, bytes));
    EXPECT_TRUE(co_await read_all(*ends.client, 1000) == bytes);
  };
  run(body());
}

// The end arrives together with the bytes, or right after them.
TEST_P(StreamConformance, finds_the_end_whenever_it_came) {
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    for (int i = 0; i < 50; ++i) {
      Ends ends = co_await connect(*listener);
      const auto bytes = numbered_bytes(100);
      EXPECT_TRUE(co_await write_all(*ends.client, bytes));
      if (i % 3 == 0) co_await yield(executor());
      ends.client->close();
      if (i % 2 == 0) co_await sleep_until(executor(), in(milliseconds(2)));
      EXPECT_EQ((co_await read_all(*ends.server, 1000)).size(), 100u);
    }
  };
  run(body());
}

TEST_P(StreamConformance, a_write_waits_for_the_reader) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    const auto bytes = numbered_bytes(30'000'000);
    bool is_written = false;
    TaskGroup group;
    const auto write = [&]() -> Task<void> {
      EXPECT_TRUE(co_await write_all(*ends.client, bytes));
      is_written = true;
    };
    group.start(write());
    co_await sleep_until(executor(), in(milliseconds(20)));
    EXPECT_FALSE(is_written);
    EXPECT_TRUE(co_await read_all(*ends.server, bytes.size()) == bytes);
    co_await group.wait();
    EXPECT_TRUE(is_written);
  };
  run(body());
}

TEST_P(StreamConformance, a_read_ends_at_its_deadline_and_can_be_repeated) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    std::array<std::byte, 10> buffer;
    const MonotonicTime deadline = in(milliseconds(10));
    const auto late = co_await ends.server->read(buffer, deadline);
    EXPECT_TRUE(!late && late.error().fault == StreamFault::timed_out);
    EXPECT_GE(executor().clock().now(), deadline);
    EXPECT_TRUE(co_await write_all(*ends.client, numbered_bytes(5)));
    const auto read = co_await ends.server->read(buffer, in(seconds(10)));
    EXPECT_TRUE(read.has_value());
  };
  run(body());
}

TEST_P(StreamConformance, a_write_to_a_peer_that_reads_nothing_ends_at_its_deadline) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    const auto bytes = numbered_bytes(30'000'000);
    const std::array<ByteView, 1> pieces = {bytes};
    const auto late = co_await ends.client->write(pieces, More::no, in(milliseconds(30)));
    EXPECT_TRUE(!late && late.error().fault == StreamFault::timed_out);
  };
  run(body());
}

TEST_P(StreamConformance, what_is_pending_is_cancelled_and_the_stream_goes_on) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    int ended = 0;
    TaskGroup group;
    const auto read = [&]() -> Task<void> {
      std::array<std::byte, 10> buffer;
      const auto result = co_await ends.server->read(buffer);
      EXPECT_TRUE(!result && result.error().fault == StreamFault::cancelled);
      ++ended;
    };
    group.start(read());
    EXPECT_EQ(ended, 0);
    ends.server->cancel();
    EXPECT_EQ(ended, 0) << "nobody is resumed inside cancel()";
    co_await group.wait();
    EXPECT_TRUE(co_await write_all(*ends.client, numbered_bytes(5)));
    EXPECT_EQ((co_await read_all(*ends.server, 5)).size(), 5u);
  };
  run(body());
}

TEST_P(StreamConformance, close_ends_what_is_pending_and_what_comes_later) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    const auto bytes = numbered_bytes(30'000'000);
    TaskGroup group;
    const auto read = [&]() -> Task<void> {
      std::array<std::byte, 10> buffer;
      const auto result = co_await ends.server->read(buffer);
      EXPECT_TRUE(!result && result.error().fault == StreamFault::closed);
    };
    const auto write = [&]() -> Task<void> {
      const std::array<ByteView, 1> pieces = {bytes};
      const auto result = co_await ends.server->write(pieces);
      EXPECT_TRUE(!result && result.error().fault == StreamFault::closed);
    };
    group.start(read());
    group.start(write());
    co_await sleep_until(executor(), in(milliseconds(5)));
    ends.server->close();
    EXPECT_TRUE(ends.server->is_closed());
    co_await group.wait();
    co_await read();
    co_await write();
    ends.server->close();
    ends.server->shutdown_writes();
  };
  run(body());
}

TEST_P(StreamConformance, writing_to_a_peer_that_has_gone_is_an_error) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    ends.client.reset();
    const auto bytes = numbered_bytes(1000);
    StreamResult<void> written;
    // The first writes may leave before the news arrives.
    for (int i = 0; i < 1000 && written; ++i) {
      const std::array<ByteView, 1> pieces = {bytes};
      written = co_await ends.server->write(pieces);
      co_await sleep_until(executor(), in(milliseconds(1)));
    }
    EXPECT_TRUE(!written && written.error().fault == StreamFault::reset);
  };
  run(body());
}

// What was sent but never read makes the end of a connection a break.
TEST_P(StreamConformance, a_peer_that_leaves_with_bytes_unread_breaks_the_connection) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    EXPECT_TRUE(co_await write_all(*ends.server, numbered_bytes(1000)));
    std::array<std::byte, 10> buffer;
    const auto some = co_await ends.client->read(buffer);
    EXPECT_TRUE(some.has_value());
    ends.client.reset();
    const auto broken = co_await ends.server->read(buffer);
    EXPECT_TRUE(!broken && broken.error().fault == StreamFault::reset);
  };
  run(body());
}

}  // namespace millrace
