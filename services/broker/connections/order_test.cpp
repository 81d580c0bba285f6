// Whatever takes how long: requests of a connection begin in the order of arrival and are answered
// in it.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "connection_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

constexpr std::int32_t requests = 60;
constexpr std::size_t clients = 4;

// What a client saw: the answers that came, up to the end of its connection.
struct Seen {
  std::vector<std::int32_t> answers;
  bool is_whole = false;
};

bool has_no_answer(std::int32_t correlation) {
  return correlation % 7 == 3;
}

Task<void> send_all_requests(ConnectionMachine& machine, ByteStream& stream, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> bytes;
  for (std::int32_t i = 0; i < requests; ++i) {
    const std::size_t size =
        random.chance(0.1) ? 20'000 + random.below(150'000) : random.below(300);
    const auto next = random.chance(0.5) ? produce_bytes(i, size) : heartbeat_bytes(i, size);
    bytes.insert(bytes.end(), next.begin(), next.end());
    if (random.chance(0.6)) continue;  // goes out with the next one
    if (!co_await send_bytes(stream, bytes)) co_return;
    bytes.clear();
    if (random.chance(0.3)) {
      const auto pause = std::chrono::microseconds(random.below(5000));
      co_await sleep_until(machine.executor, machine.executor.clock().now() + pause);
    }
  }
  static_cast<void>(co_await send_bytes(stream, bytes));  // a reset shows in what comes back
}

Task<void> talk(ConnectionMachine& machine, std::uint64_t seed, Seen& seen) {
  const auto stream = co_await machine.connect();
  if (stream == nullptr) co_return;
  TaskGroup sending;
  sending.start(send_all_requests(machine, *stream, seed));
  for (std::int32_t i = 0; i < requests; ++i) {
    if (has_no_answer(i)) continue;
    const auto correlation = co_await receive_correlation(*stream);
    if (!correlation) break;
    seen.answers.push_back(*correlation);
  }
  std::size_t answers = 0;
  for (std::int32_t i = 0; i < requests; ++i) answers += has_no_answer(i) ? 0 : 1;
  seen.is_whole = seen.answers.size() == answers;
  stream->close();
  co_await sending.wait();
}

// Gives the number of clients that did not see every answer.
std::size_t run_clients(std::uint64_t seed, double reset_chance) {
  MachineOptions options;
  options.seed = seed;
  options.shard_count = 1 + static_cast<std::uint32_t>(seed % 3);
  options.reset_chance = reset_chance;
  options.connections.in_flight_max = 1 + seed % 20;
  ConnectionMachine machine(options);
  Random random(seed + 1000);
  machine.handler.delay = [&](const RequestContext&) -> Duration {
    return random.chance(0.4) ? Duration{} : std::chrono::microseconds(random.below(10'000));
  };
  machine.handler.respond_with = [&](const RequestContext& context) {
    if (has_no_answer(context.correlation_id.value())) return Response::none();
    return heartbeat_response(context, machine.pool);
  };
  std::vector<Seen> seen(clients);
  machine.run([](ConnectionMachine& m, std::uint64_t s, std::vector<Seen>& all) -> Task<void> {
    TaskGroup group;
    for (std::size_t i = 0; i < clients; ++i) group.start(talk(m, s * 100 + i, all[i]));
    co_await group.wait();
  }(machine, seed, seen));
  machine.stop();

  std::map<ConnectionId, std::int32_t> next;
  for (const auto& begun : machine.handler.begun) {
    EXPECT_EQ(begun.correlation.value(), next[begun.connection]++)
        << "a request began before one that came earlier, seed " << seed;
  }
  std::size_t broken = 0;
  for (const Seen& client : seen) {
    std::int32_t expected = 0;
    for (const std::int32_t answer : client.answers) {
      while (has_no_answer(expected)) ++expected;
      EXPECT_EQ(answer, expected++) << "answers changed places, seed " << seed;
    }
    broken += client.is_whole ? 0 : 1;
  }
  EXPECT_EQ(machine.handler.running, 0u);
  return broken;
}

TEST(RequestOrder, holds_whatever_handlers_and_network_delay) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    EXPECT_EQ(run_clients(seed, 0), 0u) << "an answer is missing, seed " << seed;
  }
}

TEST(RequestOrder, holds_until_connections_break) {
  std::size_t broken = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) broken += run_clients(seed, 0.002);
  EXPECT_GT(broken, 0u) << "no connection was reset";
  EXPECT_LT(broken, 60 * clients) << "every connection was reset";
}

}  // namespace
}  // namespace millrace::broker
