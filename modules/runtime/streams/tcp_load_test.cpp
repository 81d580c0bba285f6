// Thousands of connections, slow peers, several shards. Also proves tcp_network.cpp,
// tcp_stream.cpp.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tcp_machine.hpp"

import millrace.runtime.streams;

namespace millrace {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t message_bytes = 2000;

Task<void> echo(std::unique_ptr<ByteStream> stream) {
  std::array<std::byte, 1000> buffer;
  for (;;) {
    const auto read = co_await stream->read(buffer);
    if (!read || *read == 0) co_return;
    const std::array<ByteView, 1> pieces = {ByteView(buffer).first(*read)};
    if (!co_await stream->write(pieces)) co_return;
  }
}

Task<bool> ask(ByteStream& stream) {
  const auto sent = numbered_bytes(message_bytes);
  const std::array<ByteView, 1> pieces = {sent};
  if (!co_await stream.write(pieces)) co_return false;
  std::vector<std::byte> received;
  std::array<std::byte, message_bytes> buffer;
  while (received.size() < sent.size()) {
    const auto read = co_await stream.read(buffer);
    if (!read || *read == 0) co_return false;
    received.insert(received.end(), buffer.begin(),
                    buffer.begin() + static_cast<std::ptrdiff_t>(*read));
  }
  co_return received == sent;
}

std::size_t connections_that_fit() {
  rlimit limit{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  return std::min<std::size_t>(3000, static_cast<std::size_t>(limit.rlim_cur) / 2 - 100);
}

TEST(TcpLoad, thousands_of_connections_are_served_and_slow_ones_hold_up_nobody) {
  TcpUnderTest tcp;
  const std::size_t count = connections_that_fit();
  std::size_t answered = 0;
  const auto body = [&]() -> Task<void> {
    ListenOptions options;
    options.backlog = 1024;
    const auto listener =
        tcp.network().listen(address_from_string("127.0.0.1", Port{0}).value(), options).value();
    TaskGroup served;
    const auto serve = [&]() -> Task<void> {
      for (;;) {
        auto accepted = co_await listener->accept();
        if (!accepted) co_return;
        served.start(echo(tcp.network().adopt(std::move(*accepted)).value()));
      }
    };
    served.start(serve());
    {
      // These send without end and never read an answer.
      std::vector<std::unique_ptr<ByteStream>> slow;
      TaskGroup slow_writes;
      const auto flood = numbered_bytes(20'000'000);
      const auto write_on = [&](ByteStream& stream) -> Task<void> {
        const std::array<ByteView, 1> pieces = {flood};
        const auto written = co_await stream.write(pieces);
        EXPECT_FALSE(written.has_value());
      };
      for (int i = 0; i < 20; ++i) {
        slow.push_back(std::move(*co_await tcp.network().connect(listener->address())));
        slow_writes.start(write_on(*slow.back()));
      }
      std::vector<std::unique_ptr<ByteStream>> streams;
      for (std::size_t i = 0; i < count; ++i) {
        auto connected = co_await tcp.network().connect(listener->address());
        EXPECT_TRUE(connected.has_value());
        if (!connected) break;
        streams.push_back(std::move(*connected));
      }
      TaskGroup asking;
      const auto ask_one = [&](ByteStream& stream) -> Task<void> {
        for (int round = 0; round < 3; ++round) answered += co_await ask(stream) ? 1 : 0;
      };
      for (const auto& stream : streams) asking.start(ask_one(*stream));
      co_await asking.wait();
      for (const auto& stream : slow) stream->close();
      co_await slow_writes.wait();
    }
    listener->close();
    co_await served.wait();
  };
  tcp.run(body());
  EXPECT_EQ(answered, 3 * count);
}

// One shard accepts, all serve: what is accepted is handed on.
TEST(TcpLoad, accepted_connections_are_handed_to_other_shards) {
  constexpr std::uint32_t shard_count = 3;
  constexpr std::size_t count = 60;
  SystemClock clock;
  telemetry::Registry registry(shard_count);
  ShardsOptions options;
  options.count = shard_count;
  const auto shards = Shards::start(clock, registry, options).value();
  const Logger log(std::make_shared<MemoryLogSink>(), "network");
  struct Local {
    std::unique_ptr<TcpNetwork> network;
    std::unique_ptr<TaskGroup> served = std::make_unique<TaskGroup>();
    std::size_t adopted = 0;
  };
  std::vector<Local> locals(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    shards->run_on(ShardIndex(i), [&, i](Shard& here) {
      locals[i].network = std::make_unique<TcpNetwork>(here.socket_loop(), log);
    });
  }
  const std::size_t answered = shards->run_on(ShardIndex{0}, [&](Shard& here) -> Task<std::size_t> {
    Network& network = *locals[0].network;
    const auto listener = network.listen(address_from_string("127.0.0.1", Port{0}).value()).value();
    std::size_t answers = 0;
    for (std::size_t i = 0; i < count; ++i) {
      auto client = co_await network.connect(listener->address());
      auto accepted = co_await listener->accept();
      if (!client || !accepted) break;
      const ShardIndex owner(static_cast<std::uint32_t>(i % shard_count));
      co_await here.call(owner, [&](Shard& there) {
        Local& local = locals[there.index().value()];
        ++local.adopted;
        local.served->start(echo(local.network->adopt(std::move(*accepted)).value()));
      });
      answers += co_await ask(**client) ? 1 : 0;
    }
    co_return answers;
  });
  EXPECT_EQ(answered, count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    EXPECT_EQ(locals[i].adopted, count / shard_count);
    shards->run_on(ShardIndex(i), [&, i](Shard&) -> Task<void> {
      co_await locals[i].served->wait();
      locals[i].network.reset();
    });
  }
}

}  // namespace
}  // namespace millrace
