// Also proves asked.cppm, describing.cpp, dispatcher.cpp, faults.cpp, faults.cppm, handlers.cppm.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using namespace std::chrono_literals;
using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

MetadataRequest for_all() {
  MetadataRequest request;
  request.topics = protocol::Array<MetadataRequest::MetadataRequestTopic>::null();
  return request;
}

Task<std::unique_ptr<RawClient>> connected(MockMachine& machine, std::int32_t broker = 1) {
  auto client = std::make_unique<RawClient>(machine.network, machine.pool);
  EXPECT_TRUE(co_await client->connect(machine.address(broker)));
  co_return client;
}

TEST(MockVersions, are_told_in_every_version_and_in_version_0_to_who_asks_for_a_newer_one) {
  MockMachine machine;
  machine.run([&]() -> Task<void> {
    const auto client = co_await connected(machine);
    for (std::int16_t version = 0; version <= 4; ++version) {
      SCOPED_TRACE(version);
      const auto got = co_await client->call<ApiVersionsResponse>(ApiVersionsRequest{}, version);
      EXPECT_TRUE(got.has_value());
      if (!got) continue;
      EXPECT_EQ(got->message.error_code, none);
      EXPECT_GT(got->message.api_keys.size(), 15u);
    }
    // Length, ApiVersions, version 99, correlation id, no client id, no tags.
    const std::array<std::uint8_t, 15> newer{0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff, 0};
    EXPECT_TRUE(co_await client->send_bytes(std::as_bytes(std::span(newer))));
    auto frame = co_await client->receive();
    EXPECT_TRUE(frame.has_value());
    auto again = client->decoded<ApiVersionsResponse>(*std::move(frame), 0);
    EXPECT_TRUE(again.has_value());
    EXPECT_EQ(again->message.error_code, number(ErrorCode::unsupported_version));
    EXPECT_EQ(again->message.api_keys.size(), 1u);
    client->close();
  }());
}

TEST(MockVersions, can_be_those_of_an_older_broker) {
  MockMachine machine;
  machine.cluster->set_versions(ApiKey::metadata, 0, 9);
  machine.cluster->withdraw(ApiKey::init_producer_id);
  machine.run([&]() -> Task<void> {
    const auto client = co_await connected(machine);
    const auto got = co_await client->call<ApiVersionsResponse>(ApiVersionsRequest{}, 4);
    EXPECT_TRUE(got.has_value());
    bool has_producer_ids = false;
    for (const auto& api : got->message.api_keys) {
      if (api.api_key == static_cast<std::int16_t>(ApiKey::metadata)) {
        EXPECT_EQ(api.max_version, 9);
      }
      has_producer_ids |= api.api_key == static_cast<std::int16_t>(ApiKey::init_producer_id);
    }
    EXPECT_FALSE(has_producer_ids);
    EXPECT_TRUE(co_await client->call<MetadataResponse>(for_all(), 9));
    EXPECT_FALSE(co_await client->call<MetadataResponse>(for_all(), 10));
  }());
}

TEST(MockMetadata, tells_brokers_and_topics_in_every_version) {
  MockMachine machine({.brokers = 3});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 6}));
  machine.run([&]() -> Task<void> {
    const auto client = co_await connected(machine);
    for (std::int16_t version = 0; version <= 13; ++version) {
      SCOPED_TRACE(version);
      const auto got = co_await client->call<MetadataResponse>(
          version == 0 ? MetadataRequest{} : for_all(), version);
      EXPECT_TRUE(got.has_value());
      if (!got) continue;
      EXPECT_EQ(got->message.brokers.size(), 3u);
      EXPECT_EQ(got->message.brokers[2].port, machine.address(3).port.value());
      EXPECT_EQ(got->message.topics.size(), 1u);
      EXPECT_EQ(got->message.topics[0].partitions.size(), 6u);
      if (version >= 10) {
        EXPECT_EQ(got->message.topics[0].topic_id, machine.id_of("orders"));
      }
    }
    client->close();
  }());
}

TEST(MockMetadata, names_what_it_does_not_know_and_creates_it_only_where_that_is_wished) {
  for (const bool creates : {false, true}) {
    MockMachine machine({.auto_create_topics = creates});
    machine.run([&]() -> Task<void> {
      const auto client = co_await connected(machine);
      std::array<MetadataRequest::MetadataRequestTopic, 3> topics;
      topics[0].name = "new";
      topics[1].name = "bad name";
      topics[2].name = protocol::null_string;
      topics[2].topic_id.bytes[0] = std::byte{1};
      MetadataRequest request;
      request.topics = std::span<const MetadataRequest::MetadataRequestTopic>(topics);
      const auto got = co_await client->call<MetadataResponse>(request, 13);
      EXPECT_TRUE(got && got->message.topics.size() == 3);
      EXPECT_EQ(got->message.topics[0].error_code, 3);
      EXPECT_EQ(got->message.topics[1].error_code, number(ErrorCode::invalid_topic_exception));
      EXPECT_EQ(got->message.topics[2].error_code, number(ErrorCode::unknown_topic_id));
      client->close();
    }());
    EXPECT_EQ(machine.cluster->topic_id("new").has_value(), creates);
  }
}

TEST(MockCoordinator, is_found_for_one_key_and_for_several) {
  MockMachine machine({.brokers = 3});
  machine.cluster->set_coordinator("billing", BrokerId(2));
  machine.run([&]() -> Task<void> {
    const auto client = co_await connected(machine);
    FindCoordinatorRequest request;
    request.key = "billing";
    const auto one = co_await client->call<FindCoordinatorResponse>(request, 3);
    EXPECT_TRUE(one.has_value());
    EXPECT_EQ(one->message.node_id, 2);
    EXPECT_EQ(one->message.port, machine.address(2).port.value());
    const std::array<protocol::String, 2> keys{"billing", "other"};
    request.key = protocol::empty_string;
    request.coordinator_keys = std::span<const protocol::String>(keys);
    const auto two = co_await client->call<FindCoordinatorResponse>(request, 6);
    EXPECT_TRUE(two && two->message.coordinators.size() == 2);
    EXPECT_EQ(two->message.coordinators[0].node_id, 2);
    EXPECT_TRUE(machine.cluster->kill(BrokerId(2)));
    const auto moved = co_await client->call<FindCoordinatorResponse>(request, 6);
    EXPECT_TRUE(moved.has_value());
    EXPECT_NE(moved->message.coordinators[0].node_id, 2);
    client->close();
  }());
}

TEST(MockFaults, refuse_as_often_as_they_were_told_and_where) {
  MockMachine machine({.brokers = 2});
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.cluster->inject({.api = ApiKey::metadata,
                           .error = ErrorCode::leader_not_available,
                           .times = 2,
                           .broker = BrokerId(2)});
  machine.run([&]() -> Task<void> {
    const auto first = co_await connected(machine, 1);
    const auto second = co_await connected(machine, 2);
    MetadataRequest::MetadataRequestTopic topic;
    topic.name = "orders";
    MetadataRequest request;
    request.topics = {&topic, 1};
    const auto error = [&](RawClient& client) -> Task<int> {
      const auto got = co_await client.call<MetadataResponse>(request, 12);
      EXPECT_TRUE(got && got->message.topics.size() == 1);
      co_return got->message.topics[0].error_code;
    };
    EXPECT_EQ(co_await error(*first), none);
    EXPECT_EQ(co_await error(*second), number(ErrorCode::leader_not_available));
    EXPECT_EQ(co_await error(*second), number(ErrorCode::leader_not_available));
    EXPECT_EQ(co_await error(*second), none);
    EXPECT_EQ(machine.cluster->faults_left(), 0u);
    first->close();
    second->close();
  }());
}

TEST(MockFaults, delay_answers_until_they_are_cleared) {
  MockMachine machine;
  machine.cluster->delay(ApiKey::metadata, 50ms);
  machine.run([&]() -> Task<void> {
    const auto client = co_await connected(machine);
    for (const bool slow : {true, true, false}) {
      if (!slow) machine.cluster->clear_faults();
      const MonotonicTime begun = machine.now();
      EXPECT_TRUE(co_await client->call<MetadataResponse>(for_all(), 12));
      EXPECT_EQ(machine.now() - begun >= 50ms, slow);
    }
    client->close();
  }());
}

// What a client sees of each kind of damage, and whether the request was carried out.
struct Damage {
  FaultKind kind;
  bool done;
  bool answered;
};

TEST(MockFaults, lose_and_damage_answers_as_told) {
  for (const Damage& damage :
       {Damage{FaultKind::drop_before, false, false}, Damage{FaultKind::drop_after, true, false},
        Damage{FaultKind::silence, false, false}, Damage{FaultKind::cut_short, true, false},
        Damage{FaultKind::garbage, true, true}, Damage{FaultKind::wrong_id, true, true}}) {
    SCOPED_TRACE(static_cast<int>(damage.kind));
    MockMachine machine;
    ASSERT_TRUE(machine.cluster->create_topic("orders"));
    machine.cluster->inject({.api = ApiKey::produce, .kind = damage.kind});
    const auto batch = batch_of({"one"});
    machine.run([&]() -> Task<void> {
      const auto client = co_await connected(machine);
      ProduceOne request(machine.id_of("orders"), "orders", 0, batch);
      EXPECT_TRUE(co_await client->send(request.message, 13));
      auto frame = co_await client->receive(machine.now() + 1s);
      EXPECT_EQ(frame.has_value(), damage.answered);
      if (frame) {
        const auto got = client->decoded<protocol::ProduceResponse>(*std::move(frame), 13);
        EXPECT_FALSE(got.has_value());
      }
      // Silence is no end: the next request is answered.
      if (damage.kind == FaultKind::silence) {
        EXPECT_TRUE(co_await client->call<MetadataResponse>(for_all(), 12));
      }
      client->close();
    }());
    const auto end = machine.cluster->end_offset("orders", PartitionIndex(0));
    EXPECT_EQ(*end == Offset(1), damage.done);
  }
}

TEST(MockServing, closes_on_what_no_client_sends) {
  MockMachine machine;
  const std::vector<std::vector<std::uint8_t>> frames = {
      {0xff, 0xff, 0xff, 0xff},                             // a negative length
      {0x7f, 0xff, 0xff, 0xff},                             // a length above any limit
      {0, 0, 0, 0},                                         // nothing
      {0, 0, 0, 10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0, 0},    // no such API
      {0, 0, 0, 10, 0, 1, 0x7f, 0xff, 0, 0, 0, 1, 0, 0},    // no such version
      {0, 0, 0, 10, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff},    // no body
      {0, 0, 0, 10, 0, 21, 0, 200, 0, 0, 0, 1, 0xff, 0xff}  // a version that is not spoken
  };
  for (const auto& frame : frames) {
    machine.run([&]() -> Task<void> {
      const auto client = co_await connected(machine);
      EXPECT_TRUE(co_await client->send_bytes(std::as_bytes(std::span(frame))));
      EXPECT_FALSE(co_await client->receive());
      client->close();
    }());
  }
  EXPECT_EQ(machine.cluster->connection_count(), 0u);
}

TEST(MockServing, lives_through_random_bytes_in_every_request) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  Random random(7);
  machine.run([&]() -> Task<void> {
    for (std::int16_t key = 0; key < 70; ++key) {
      for (std::int16_t version = 0; version < 14; ++version) {
        std::vector<std::byte> frame(12 + random.below(60));
        for (std::byte& byte : frame) byte = static_cast<std::byte>(random.below(4));
        store_big_endian(frame.data(), static_cast<std::int32_t>(frame.size() - 4));
        store_big_endian(frame.data() + 4, key);
        store_big_endian(frame.data() + 6, version);
        const auto client = co_await connected(machine);
        static_cast<void>(co_await client->send_bytes(frame));
        static_cast<void>(co_await client->receive(machine.now() + 10ms));
        client->close();
      }
    }
  }());
  machine.executor.advance(std::chrono::minutes(10));
  EXPECT_EQ(machine.cluster->connection_count(), 0u);
}

TEST(MockServing, answers_pipelined_requests_in_their_order) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  machine.run([&]() -> Task<void> {
    const auto client = co_await connected(machine);
    // The first waits half a second for records; the second waits for the first.
    FetchOne fetch(machine.id_of("orders"), "orders", 0, 0);
    EXPECT_TRUE(co_await client->send(fetch.message, 17));
    EXPECT_TRUE(co_await client->send(for_all(), 12));
    const auto first = co_await client->receive();
    const auto second = co_await client->receive();
    EXPECT_TRUE(first && second);
    EXPECT_EQ(protocol::read_correlation_id(first->bytes()).value_or(CorrelationId(-1)),
              CorrelationId(1));
    EXPECT_EQ(protocol::read_correlation_id(second->bytes()).value_or(CorrelationId(-1)),
              CorrelationId(2));
    client->close();
  }());
}

}  // namespace
}  // namespace millrace::mock
