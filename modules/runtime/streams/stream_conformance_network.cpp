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

#include "stream_conformance.hpp"

import millrace.runtime.streams;

namespace millrace {

using std::chrono::milliseconds;

TEST_P(StreamConformance, knows_its_own_address_and_its_peer) {
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    EXPECT_NE(listener->address().port, Port{0});
    Ends ends = co_await connect(*listener);
    EXPECT_EQ(ends.client->peer(), listener->address());
    EXPECT_EQ(ends.server->local(), listener->address());
    EXPECT_EQ(ends.client->local(), ends.server->peer());
    EXPECT_EQ(ends.server->peer().host(), "127.0.0.1");
  };
  run(body());
}

TEST_P(StreamConformance, an_address_is_listened_on_once) {
  const auto listener = listen();
  const auto again = network().listen(listener->address());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().fault, StreamFault::address_in_use);
}

TEST_P(StreamConformance, an_address_is_free_after_the_listener_and_its_connections_ended) {
  const auto body = [&]() -> Task<void> {
    auto listener = listen();
    const SocketAddress address = listener->address();
    {
      Ends ends = co_await connect(*listener);
      ends.server->close();
    }
    listener->close();
    EXPECT_TRUE(network().listen(address).has_value());
  };
  run(body());
}

TEST_P(StreamConformance, connecting_where_nobody_listens_is_refused) {
  const auto body = [&]() -> Task<void> {
    const SocketAddress address = listen()->address();
    const auto connected = co_await network().connect(address);
    EXPECT_TRUE(!connected && connected.error().fault == StreamFault::refused);
  };
  run(body());
}

TEST_P(StreamConformance, a_closed_listener_ends_its_accept) {
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    TaskGroup group;
    const auto accept = [&]() -> Task<void> {
      const auto accepted = co_await listener->accept();
      EXPECT_TRUE(!accepted && accepted.error().fault == StreamFault::closed);
    };
    group.start(accept());
    EXPECT_EQ(group.running(), 1u);
    listener->close();
    co_await group.wait();
    co_await accept();
  };
  run(body());
}

TEST_P(StreamConformance, what_nobody_adopts_is_closed) {
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    auto connected = co_await network().connect(listener->address());
    EXPECT_TRUE(connected.has_value());
    {
      const auto dropped = co_await listener->accept();
      EXPECT_TRUE(dropped.has_value());
    }
    std::array<std::byte, 10> buffer;
    const auto end = co_await (*connected)->read(buffer);
    EXPECT_EQ(end.value_or(1), 0u);
  };
  run(body());
}

TEST_P(StreamConformance, serves_many_connections_at_once) {
  const auto body = [&]() -> Task<void> {
    const auto listener = listen();
    std::vector<Ends> all;
    for (int i = 0; i < 200; ++i) all.push_back(co_await connect(*listener));
    TaskGroup group;
    const auto bytes = numbered_bytes(5000);
    const auto echo = [&](ByteStream& stream) -> Task<void> {
      for (int round = 0; round < 5; ++round) {
        const auto read = co_await read_all(stream, bytes.size());
        EXPECT_TRUE(co_await write_all(stream, read));
      }
    };
    const auto ask = [&](ByteStream& stream) -> Task<void> {
      for (int round = 0; round < 5; ++round) {
        EXPECT_TRUE(co_await write_all(stream, bytes));
        EXPECT_TRUE(co_await read_all(stream, bytes.size()) == bytes);
      }
    };
    for (const Ends& ends : all) {
      group.start(echo(*ends.server));
      group.start(ask(*ends.client));
    }
    co_await group.wait();
  };
  run(body());
}

// Reads of single bytes that are all there already never need to wait.
TEST_P(StreamConformance, a_stream_that_never_waits_lets_others_run) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    constexpr std::size_t count = 10'000;
    EXPECT_TRUE(co_await write_all(*ends.client, numbered_bytes(count)));
    co_await sleep_until(executor(), in(milliseconds(50)));
    bool is_read = false;
    std::size_t turns = 0;
    TaskGroup group;
    const auto others = [&]() -> Task<void> {
      while (!is_read) {
        ++turns;
        co_await yield(executor());
      }
    };
    group.start(others());
    for (std::size_t i = 0; i < count; ++i) {
      std::array<std::byte, 1> byte;
      const auto read = co_await ends.server->read(byte);
      EXPECT_EQ(read.value_or(0), 1u);
    }
    is_read = true;
    co_await group.wait();
    EXPECT_GE(turns, count / operations_at_once_max);
  };
  run(body());
}

TEST_P(StreamConformance, sends_parts_of_files) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    const auto bytes = numbered_bytes(5'000'000);
    FileRange range = file_with(bytes);
    EXPECT_EQ(range.length, bytes.size());
    TaskGroup group;
    const auto send = [&](FileRange part) -> Task<void> {
      const auto sent = co_await send_range(*ends.server, part);
      EXPECT_TRUE(sent.has_value());
    };
    group.start(send(range));
    EXPECT_TRUE(co_await read_all(*ends.client, bytes.size()) == bytes);
    co_await group.wait();

    range.position = 1'234'567;
    range.length = 100'000;
    group.start(send(range));
    const auto part = co_await read_all(*ends.client, range.length);
    EXPECT_TRUE(
        std::equal(part.begin(), part.end(), bytes.begin() + 1'234'567, bytes.begin() + 1'334'567));
    co_await group.wait();
    range.length = 0;
    co_await send(range);
  };
  run(body());
}

TEST_P(StreamConformance, a_file_that_is_too_short_is_an_error) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    FileRange range = file_with(numbered_bytes(1000));
    range.position = 500;
    const auto sent = co_await send_range(*ends.server, range);
    EXPECT_TRUE(!sent && sent.error().fault == StreamFault::file);
  };
  run(body());
}

TEST_P(StreamConformance, sending_a_file_waits_for_the_reader_and_can_be_cancelled) {
  const auto body = [&]() -> Task<void> {
    Ends ends = co_await connect();
    const FileRange range = file_with(numbered_bytes(30'000'000));
    TaskGroup group;
    const auto send = [&]() -> Task<void> {
      const auto sent = co_await send_range(*ends.server, range);
      EXPECT_TRUE(!sent && sent.error().fault == StreamFault::cancelled);
    };
    group.start(send());
    while (group.running() > 0) {
      co_await sleep_until(executor(), in(milliseconds(20)));
      ends.server->cancel();
    }
    co_await group.wait();
  };
  run(body());
}

}  // namespace millrace
