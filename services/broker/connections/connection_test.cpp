// One connection after another: what is asked is answered, in order. Also proves reading.cpp,
// sending.cpp, request.cppm, shard_connections.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connection_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

TEST(Connection, answers_a_request) {
  ConnectionMachine machine;
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(42)));
    EXPECT_EQ(co_await receive_correlation(*stream), 42);
  }(machine));
  ASSERT_TRUE(machine.handler.last_context.has_value());
  const RequestContext& context = *machine.handler.last_context;
  EXPECT_EQ(context.api->name, "Heartbeat");
  EXPECT_EQ(context.version, 1);
  EXPECT_EQ(machine.handler.last_client_id, "tester");
  EXPECT_EQ(context.session->listener, "PLAINTEXT");
  EXPECT_EQ(context.session->principal.name, "ANONYMOUS");
  EXPECT_EQ(context.peer.host(), "127.0.0.1");
  EXPECT_EQ(context.local, broker_address());
  EXPECT_EQ(context.deadline - context.received, request_duration_max_default);
}

TEST(Connection, requests_begin_before_the_ones_in_front_are_answered) {
  ConnectionMachine machine;
  machine.handler.delay = [](const RequestContext& context) -> Duration {
    return context.correlation_id == CorrelationId(1) ? Duration(1s) : Duration{};
  };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(1)));
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(2)));
    co_await sleep_until(m.executor, m.executor.clock().now() + 500ms);
    EXPECT_EQ(m.handler.begun.size(), 2u);
    EXPECT_EQ(m.handler.ended, 1u);
    EXPECT_EQ(co_await receive_correlation(*stream), 1);
    EXPECT_EQ(co_await receive_correlation(*stream), 2);
  }(machine));
}

TEST(Connection, a_request_without_an_answer_holds_up_nobody) {
  ConnectionMachine machine;
  machine.handler.respond_with = [&](const RequestContext& context) {
    if (context.correlation_id.value() % 2 == 1) return Response::none();
    return heartbeat_response(context, machine.pool);
  };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    for (std::int32_t i = 1; i <= 6; ++i) {
      EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(i)));
    }
    for (std::int32_t i = 2; i <= 6; i += 2) {
      EXPECT_EQ(co_await receive_correlation(*stream), i);
    }
  }(machine));
}

TEST(Connection, is_closed_as_a_handler_says_after_the_answers_in_front) {
  ConnectionMachine machine;
  machine.handler.delay = [](const RequestContext& context) -> Duration {
    return context.correlation_id == CorrelationId(1) ? Duration(100ms) : Duration{};
  };
  machine.handler.respond_with = [&](const RequestContext& context) {
    if (context.correlation_id == CorrelationId(2)) return Response::close("because");
    return heartbeat_response(context, machine.pool);
  };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    for (std::int32_t i = 1; i <= 3; ++i) {
      EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(i)));
    }
    EXPECT_EQ(co_await receive_correlation(*stream), 1);
    EXPECT_EQ(co_await receive_correlation(*stream), std::nullopt);
  }(machine));
  EXPECT_EQ(machine.lines_with("handler: Heartbeat version 1: because"), 1u);
}

TEST(Connection, stops_reading_while_too_many_requests_are_under_way) {
  MachineOptions options;
  options.connections.in_flight_max = 4;
  ConnectionMachine machine(options);
  machine.handler.is_held = true;
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    for (std::int32_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(i)));
    }
    co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
    EXPECT_EQ(m.handler.begun.size(), 4u);
    m.handler.is_held = false;
    for (std::int32_t i = 0; i < 20; ++i) EXPECT_EQ(co_await receive_correlation(*stream), i);
    EXPECT_EQ(m.handler.running_max, 4u);
  }(machine));
}

TEST(Connection, stops_reading_while_requests_under_way_are_too_large) {
  ConnectionMachine machine;
  machine.handler.is_held = true;
  constexpr std::size_t body_bytes = 5 * mebibyte;
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    TaskGroup sending;
    sending.start([](ByteStream& s) -> Task<void> {
      for (std::int32_t i = 0; i < 6; ++i) {
        EXPECT_TRUE(co_await send_bytes(s, produce_bytes(i, body_bytes)));
      }
    }(*stream));
    co_await sleep_until(m.executor, m.executor.clock().now() + 5s);
    EXPECT_EQ(m.handler.begun.size(), 4u) << "the fourth begins while fewer than 16 MiB are held";
    m.handler.is_held = false;
    for (std::int32_t i = 0; i < 6; ++i) EXPECT_EQ(co_await receive_correlation(*stream), i);
    co_await sending.wait();
  }(machine));
}

// A few bytes may ask for much: whoever does not read must not be given it again and again.
TEST(Connection, stops_reading_while_answers_that_wait_are_too_large) {
  ConnectionMachine machine;
  const std::vector<std::byte> large(8 * mebibyte);
  machine.handler.respond_with = [&](const RequestContext& context) {
    RequestContext as_heartbeat = context;
    as_heartbeat.api = &protocol::api_info(protocol::ApiKey::heartbeat);
    return respond_encoded(as_heartbeat, machine.pool, large);
  };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    for (std::int32_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(i)));
    }
    co_await sleep_until(m.executor, m.executor.clock().now() + 5s);
    EXPECT_EQ(m.handler.begun.size(), 2u) << "the third begins while fewer than 16 MiB wait";
    for (std::int32_t i = 0; i < 20; ++i) EXPECT_EQ(co_await receive_correlation(*stream), i);
  }(machine));
}

TEST(Connection, large_frames_come_through_whole) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    ConnectionMachine machine({.seed = seed});
    constexpr std::size_t body_bytes = 3'000'000;
    machine.run([](ConnectionMachine& m) -> Task<void> {
      const auto stream = co_await m.connect();
      EXPECT_TRUE(co_await send_bytes(*stream, produce_bytes(9, body_bytes)));
      EXPECT_EQ(co_await receive_correlation(*stream), 9);
    }(machine));
    EXPECT_EQ(machine.handler.body_bytes, body_bytes);
  }
}

TEST(Connection, passes_on_api_versions_in_a_version_that_is_too_new) {
  ConnectionMachine machine;
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    auto bytes = request_bytes(18, 99, 5, 1);
    bytes.back() = std::byte{0};  // no tagged fields
    EXPECT_TRUE(co_await send_bytes(*stream, bytes));
    EXPECT_EQ(co_await receive_correlation(*stream), 5);
  }(machine));
  EXPECT_FALSE(machine.handler.last_context->version_supported);
}

TEST(Connection, tells_the_handler_when_it_is_gone_and_waits_for_its_requests) {
  ConnectionMachine machine;
  machine.handler.is_held = true;
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(1)));
    co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
    stream->close();
    co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
    EXPECT_EQ(m.handler.closing.size(), 1u);
    EXPECT_EQ(m.open_connections(), 1u) << "its request has not ended";
    m.handler.is_held = false;
    co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
    EXPECT_EQ(m.open_connections(), 0u);
  }(machine));
}

class HeldUntilSent final : public ResponseHold {
 public:
  explicit HeldUntilSent(std::size_t& ends) : ends_(ends) {}
  ~HeldUntilSent() override { ++ends_; }

 private:
  std::size_t& ends_;
};

TEST(Connection, what_a_response_rests_on_ends_once_it_is_sent_or_the_connection_broke) {
  ConnectionMachine machine;
  std::size_t ends = 0;
  machine.handler.respond_with = [&](const RequestContext& context) {
    RequestContext heartbeat = context;
    return respond(heartbeat, machine.pool, protocol::HeartbeatResponse{},
                   std::make_unique<HeldUntilSent>(ends));
  };
  machine.run([](ConnectionMachine& m, const std::size_t& e) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(1)));
    EXPECT_EQ(co_await receive_correlation(*stream), 1);
    co_await sleep_until(m.executor, m.executor.clock().now() + 10ms);
    EXPECT_EQ(e, 1u);
    m.handler.is_held = true;
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(2)));
    co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
    stream->close();
    m.handler.is_held = false;
    co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
    EXPECT_EQ(e, 2u);
  }(machine, ends));
}

TEST(Connections, are_spread_over_the_shards) {
  ConnectionMachine machine({.shard_count = 3});
  machine.run([](ConnectionMachine& m) -> Task<void> {
    std::vector<std::unique_ptr<ByteStream>> streams;
    for (std::int32_t i = 0; i < 6; ++i) {
      streams.push_back(co_await m.connect());
      EXPECT_TRUE(co_await send_bytes(*streams.back(), heartbeat_bytes(i)));
      EXPECT_EQ(co_await receive_correlation(*streams.back()), i);
    }
    std::vector<std::size_t> of_shard(3);
    for (const auto& begun : m.handler.begun) ++of_shard[begun.connection.value() >> 48];
    EXPECT_EQ(of_shard, (std::vector<std::size_t>{2, 2, 2}));
  }(machine));
}

TEST(Connections, a_slow_request_is_logged_with_its_phases) {
  ConnectionMachine machine;
  machine.handler.delay = [](const RequestContext&) -> Duration { return 1500ms; };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(1)));
    EXPECT_EQ(co_await receive_correlation(*stream), 1);
    EXPECT_TRUE(co_await send_bytes(*stream, request_bytes(1, 4, 2, 8)));
    EXPECT_EQ(co_await receive_correlation(*stream), 2);
    co_await sleep_until(m.executor, m.executor.clock().now() + 10ms);
  }(machine));
  EXPECT_EQ(machine.lines_with("slow request: Heartbeat version 1 of 127.0.0.1"), 1u);
  EXPECT_EQ(machine.lines_with("slow request"), 1u) << "a fetch waits by design";
}

// Of 32 KiB each, they would fill the log.
TEST(Connections, long_client_ids_are_shown_by_their_beginning) {
  ConnectionMachine machine;
  machine.handler.delay = [](const RequestContext&) -> Duration { return 1500ms; };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    const std::string client = "app\n" + std::string(32'000, 'x');
    EXPECT_TRUE(co_await send_bytes(*stream, request_bytes(12, 1, 1, 8, client)));
    EXPECT_EQ(co_await receive_correlation(*stream), 1);
    EXPECT_TRUE(co_await send_bytes(*stream, request_bytes(9999, 0, 2, 8)));
    EXPECT_EQ(co_await receive_correlation(*stream), std::nullopt);
  }(machine));
  EXPECT_EQ(machine.lines_with("slow request: Heartbeat version 1 of 127.0.0.1"), 1u);
  EXPECT_EQ(machine.lines_with("bad_input: unknown API key"), 1u);
  EXPECT_EQ(machine.lines_with("(client \"app\\nxxx"), 2u) << "and what is no text is escaped";
  EXPECT_EQ(machine.lines_with("x... (31704 more bytes)\")"), 2u);
  for (const auto& line : machine.sink->lines()) EXPECT_LT(line.message.size(), 600u);
}

}  // namespace
}  // namespace millrace::broker
