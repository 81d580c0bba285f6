// Who is told when a full buffer has room again, with a sender at work.
#include <functional>

#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using mock::ApiKey;
using mock::FaultKind;

// What was told, by token: null for room.
class Rooms final : public RoomSink {
 public:
  void room(std::uint64_t token, const ClientError* refused) noexcept override {
    EXPECT_TRUE(
        told.emplace(token, refused == nullptr ? std::nullopt : std::optional(*refused)).second)
        << token << " is told twice";
    if (then) then(token);
  }

  std::map<std::uint64_t, std::optional<ClientError>> told;
  std::function<void(std::uint64_t)> then;
};

class ProducerRoom : public testing::Test {
 protected:
  void start() {
    machine.settings.buffer_memory = 4 * chunk_bytes;
    machine.settings.batch_size = 100'000;
    ASSERT_TRUE(machine.cluster->create_topic("orders"));
    machine.start();
    machine.load("orders");
  }
  // Gives how many records were taken.
  std::uint64_t fill() {
    for (std::uint64_t token = 0;; ++token) {
      const auto sent = machine.send(token, 0, padding);
      if (sent) continue;
      EXPECT_EQ(sent.error().failure, Failure::buffer_full);
      return token;
    }
  }
  ClientResult<void> when_room(std::uint64_t token) {
    const std::string value(padding, 'x');
    return machine.producer->when_room(
        {.topic = "orders", .value = as_bytes(std::string_view(value))}, rooms, token);
  }

  static constexpr std::size_t padding = 3'000;
  ProducerMachine machine;
  Rooms rooms;
};

TEST_F(ProducerRoom, is_told_of_at_once_where_there_is_some) {
  start();
  ASSERT_TRUE(when_room(7));
  EXPECT_TRUE(rooms.told.empty()) << "it is told on the client's thread";
  machine.executor.advance(1s);
  EXPECT_EQ(rooms.told, (std::map<std::uint64_t, std::optional<ClientError>>{{7, {}}}));
}

TEST_F(ProducerRoom, comes_with_the_answer_of_the_broker_and_does_not_wait_for_linger) {
  machine.settings.linger = 1h;
  machine.settings.delivery_timeout = 2h;
  start();
  machine.cluster->delay(ApiKey::produce, 10s);
  const std::uint64_t taken = fill();
  machine.executor.advance(1min);
  EXPECT_TRUE(machine.outcomes.all.empty()) << "they wait for linger.ms";
  ASSERT_TRUE(when_room(taken));
  machine.executor.advance(5s);
  EXPECT_TRUE(rooms.told.empty());
  machine.executor.advance(10s);
  ASSERT_EQ(rooms.told.size(), 1u);
  EXPECT_EQ(machine.outcomes.delivered_count(), taken);
  EXPECT_TRUE(machine.send(taken, 0, padding));
}

TEST_F(ProducerRoom, is_enough_for_who_sends_when_told) {
  start();
  const std::uint64_t first = fill();
  std::uint64_t refused = 0;
  std::uint64_t next = first;
  rooms.then = [&](std::uint64_t token) {
    if (!machine.send(token, 0, padding)) ++refused;
    ++next;
    if (next < first + 200) EXPECT_TRUE(when_room(next));
  };
  ASSERT_TRUE(when_room(first));
  ASSERT_TRUE(machine.flush());
  machine.executor.advance(1s);
  EXPECT_EQ(refused, 0u);
  EXPECT_EQ(rooms.told.size(), 200u);
  ASSERT_TRUE(machine.flush());
  machine.expect_truth();
  EXPECT_EQ(machine.stored().size(), first + 200);
  EXPECT_LE(machine.producer->metrics().memory_bytes_peak, 4 * chunk_bytes);
}

TEST_F(ProducerRoom, that_will_not_be_is_told_when_the_producer_is_closed) {
  start();
  machine.cluster->inject(
      {.api = ApiKey::produce, .kind = FaultKind::silence, .times = mock::always});
  const std::uint64_t taken = fill();
  std::optional<ClientResult<void>> again;
  rooms.then = [&](std::uint64_t) { again = when_room(taken + 1); };
  ASSERT_TRUE(when_room(taken));
  machine.executor.advance(1s);
  EXPECT_TRUE(rooms.told.empty());
  machine.close(1s);
  ASSERT_TRUE(rooms.told.contains(taken));
  ASSERT_TRUE(rooms.told[taken]);
  EXPECT_EQ(rooms.told[taken]->failure, Failure::closed);
  ASSERT_TRUE(again) << "who is told may ask";
  ASSERT_FALSE(*again);
  EXPECT_EQ(again->error().failure, Failure::closed);
}

TEST_F(ProducerRoom, comes_when_what_no_broker_took_in_time_is_given_up) {
  machine.settings.delivery_timeout = 30s;
  start();
  machine.cluster->fail_next(ApiKey::produce, ErrorCode::not_enough_replicas, mock::always);
  const std::uint64_t taken = fill();
  ASSERT_TRUE(when_room(taken));
  machine.executor.advance(20s);
  EXPECT_TRUE(rooms.told.empty());
  machine.executor.advance(40s);
  ASSERT_TRUE(rooms.told.contains(taken));
  EXPECT_FALSE(rooms.told[taken]);
  EXPECT_EQ(machine.outcomes.all.size(), taken);
}

}  // namespace
}  // namespace millrace::client
