// Requests of connections on several shards, by the gateway of the home shard.
#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "cluster_support.hpp"

import millrace.protocol.framing;
import millrace.runtime.memory;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.security;
import millrace.telemetry;

namespace millrace::broker {
namespace {

class FakeQuotas final : public security::Quotas {
 public:
  [[nodiscard]] Duration record(const security::Session&, std::string_view client_id,
                                security::QuotaKind kind, std::uint64_t, MonotonicTime) override {
    told.push_back(std::string(client_id) + " " + std::string(security::name_of(kind)));
    if (memory != nullptr) held_bytes = memory->used();
    return throttle;
  }

  const LocalBudget* memory = nullptr;
  std::size_t held_bytes = 0;  // when it was told
  std::vector<std::string> told;
  Duration throttle = std::chrono::seconds{3};
};

TEST(GroupRequests, answers_come_back_to_the_shard_of_the_connection) {
  SimulatedExecutor executor(1);
  telemetry::Registry registry(2);
  SimulatedShards shards(executor, registry, 2);
  FakeTopics topics;
  FakeStore store(executor, 1);
  const auto sink = std::make_shared<MemoryLogSink>();
  RecordingAuthorizer authorizer;
  GroupGateway gateway(executor, topics, store, authorizer,
                       GatewayMetrics(registry, telemetry::ShardIndex(0)), {},
                       Logger(sink, "gateway"));
  gateway.partition_led(protocol::state_partition("g", state_partitions), LeaderEpoch(0));
  BufferPool pool;
  FakeQuotas quotas;
  GroupRequests there(shards.at(ShardIndex(1)), ShardIndex(0), gateway, quotas, pool);

  protocol::HeartbeatRequest heartbeat;
  heartbeat.group_id = "g";
  const auto body = body_of(heartbeat, 4);
  Request request;
  request.context.api = &protocol::api_info(ApiKey::heartbeat);
  request.context.version = 4;
  request.context.correlation_id = CorrelationId(77);
  request.context.session = std::make_shared<security::Session>();
  request.body = body;
  request.context.client_id = "app";
  MemoryBudget budget({.name = "test", .limit_bytes = mebibyte, .shard_count = 2});
  auto meter = telemetry::BudgetMeter::create(registry, ShardIndex(1), "test", mebibyte);
  ASSERT_TRUE(meter.has_value());
  LocalBudget memory(budget, executor.clock(), shards.at(ShardIndex(1)).loop().mailbox(),
                     ShardIndex(1), std::move(*meter));
  request.memory.emplace(memory);
  ASSERT_TRUE(request.memory->try_grow(1'000));
  quotas.memory = &memory;
  quotas.held_bytes = 1;
  const MonotonicTime before = executor.clock().now();
  const auto response = executor.run(there.handle(std::move(request)));
  EXPECT_EQ(quotas.told, std::vector<std::string>{"app request_percentage"});
  EXPECT_EQ(quotas.held_bytes, 0u) << "what waits holds no memory of the connections";
  EXPECT_GE(executor.clock().now() - before, quotas.throttle) << "who used too much waits";
  ASSERT_TRUE(response.has_value());
  ASSERT_EQ(response->kind(), Response::Kind::frame);
  std::vector<std::byte> bytes;
  response->frame().for_each_piece([&](const protocol::RecordChunk& piece) {
    bytes.insert(bytes.end(), piece.memory, piece.memory + piece.size);
  });
  const auto received = protocol::read_response_header(ByteView(bytes).subspan(frame_length_bytes),
                                                       protocol::api_info(ApiKey::heartbeat), 4);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->correlation_id, CorrelationId(77));
  protocol::HeartbeatResponse answer;
  protocol::Arena arena(kibibyte);
  ASSERT_TRUE(decode(answer, received->body, 4, arena).has_value());
  EXPECT_EQ(answer.error_code, static_cast<std::int16_t>(ErrorCode::coordinator_not_available));

  // A connection that waits for nothing.
  ASSERT_TRUE(executor.run(there.connection_closing(ConnectionId(1))).has_value());
  ASSERT_TRUE(executor.run(gateway.stop()).has_value());
}

}  // namespace
}  // namespace millrace::broker
