// The gateway against a coordinator that a test plays. Also proves session.cpp, appending.cpp,
// state.cppm, state_store.cppm.
#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "cluster_support.hpp"

namespace millrace::broker {
namespace {

using namespace coordination;

// The other end of the gateway's channel.
class Played {
 public:
  explicit Played(Cluster& cluster) : cluster_(cluster) {
    auto ends = ipc::make_channel_pair(cluster.executor);
    channel_ = std::move(ends.second);
    cluster.clients.start(cluster.gateway.serve(std::move(ends.first)));
  }
  ~Played() { channel_->close(); }

  void say(const ToBroker& message) { say(encode(message)); }
  void say(const OwnedBytes& bytes) {
    const auto sent = cluster_.executor.run(channel_->send(bytes));
    check(sent.has_value(), "sending ends");
  }
  // The next message that is no ping; nothing at the end of the channel.
  std::optional<ToCoordinator> hear() {
    for (;;) {
      auto received = cluster_.executor.run(channel_->receive());
      check(received.has_value(), "receiving ends");
      if (!*received) return std::nullopt;
      auto message = decode_to_coordinator(**received);
      check(message.has_value(), "what the gateway says can be read");
      if (!std::holds_alternative<coordination::Ping>(*message)) return *std::move(message);
      pings.push_back(std::get<coordination::Ping>(*message).number);
    }
  }
  template <class Kind>
  Kind hear() {
    const auto message = hear();
    const Kind* const kind = message ? std::get_if<Kind>(&*message) : nullptr;
    EXPECT_NE(kind, nullptr) << "another message, or the end";
    return kind == nullptr ? Kind{} : *kind;
  }
  // Takes the greeting.
  SessionId greet() {
    const Hello hello = hear<Hello>();
    for (std::int32_t i = 0; i < state_partitions; ++i) hear<Lead>();
    say(Welcome{});
    return hello.session;
  }
  [[nodiscard]] bool is_ended() {
    cluster_.executor.run_until_idle();
    cluster_.pass(std::chrono::milliseconds{1});
    return channel_->is_closed();
  }

  std::vector<std::uint64_t> pings;

 private:
  Cluster& cluster_;
  std::unique_ptr<ipc::Channel> channel_;
};

OwnedBytes batch_of(std::string_view key) {
  BufferPool buffers;
  protocol::BatchStorage storage(buffers);
  protocol::BatchStorage unused(buffers);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(storage, unused, compressor);
  builder.start({});
  check(builder.append({.key = as_bytes(key), .value = as_bytes("v"), .timestamp = Timestamp(1)})
            .has_value(),
        "a record fits");
  const auto batch = builder.finish();
  check(batch.has_value(), "a batch");
  return {batch->begin(), batch->end()};
}

const PartitionIndex first(0);

LoadedPartition load_of(std::uint64_t load, std::int32_t epoch = 0) {
  return {first, LeaderEpoch(epoch), LoadId(load)};
}

// Reads all that is there, so that its appends are taken.
void load(Played& played, SessionId session, const LoadedPartition& of) {
  played.say(Read{session, of, Offset(0), 1'000'000});
  const Batches batches = played.hear<Batches>();
  EXPECT_EQ(batches.of, of);
  EXPECT_EQ(batches.error, ErrorCode::none);
}

TEST(Gateway, greets_with_all_that_the_broker_leads) {
  Cluster cluster;
  cluster.lose(PartitionIndex(1));
  Played played(cluster);
  const Hello hello = played.hear<Hello>();
  EXPECT_EQ(hello.broker, BrokerId(1));
  EXPECT_EQ(hello.version, protocol_version);
  EXPECT_EQ(played.hear<Lead>(), (Lead{PartitionIndex(0), LeaderEpoch(0)}));
  EXPECT_EQ(played.hear<Lead>(), (Lead{PartitionIndex(2), LeaderEpoch(0)}));
  cluster.lead(PartitionIndex(1), LeaderEpoch(6));
  EXPECT_EQ(played.hear<Lead>(), (Lead{PartitionIndex(1), LeaderEpoch(6)}));
  cluster.lose(PartitionIndex(1));
  EXPECT_EQ(played.hear<Lost>(), Lost{PartitionIndex(1)});
}

TEST(Gateway, appends_are_committed_in_the_order_of_their_tickets) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    Played played(cluster);
    const SessionId session = played.greet();
    load(played, session, load_of(1));
    for (std::uint64_t ticket = 1; ticket <= 10; ++ticket) {
      played.say(Append{session, load_of(1), Ticket(ticket), batch_of("k")});
    }
    std::uint64_t committed = 0;
    while (committed < 10) {
      const Committed message = played.hear<Committed>();
      ASSERT_GT(message.ticket.value(), committed) << seed;
      committed = message.ticket.value();
    }
    EXPECT_EQ(cluster.store.logs[first].end, Offset(10));
  }
}

TEST(Gateway, refuses_appends_of_another_epoch_load_or_place_in_line) {
  Cluster cluster;
  Played played(cluster);
  const SessionId session = played.greet();
  played.say(Append{session, load_of(1), Ticket(1), batch_of("k")});
  EXPECT_EQ(played.hear<AppendFailed>().of, load_of(1)) << "nothing was loaded";
  load(played, session, load_of(2));
  played.say(Append{session, load_of(1), Ticket(1), batch_of("k")});
  EXPECT_EQ(played.hear<AppendFailed>().of, load_of(1)) << "an earlier load";
  played.say(Append{session, load_of(2, 1), Ticket(1), batch_of("k")});
  EXPECT_EQ(played.hear<AppendFailed>().of, load_of(2, 1)) << "another epoch";
  played.say(Append{session, load_of(2), Ticket(2), batch_of("k")});
  EXPECT_EQ(played.hear<AppendFailed>().of, load_of(2)) << "not the next ticket";
  played.say(Append{session, load_of(2), Ticket(1), batch_of("k")});
  EXPECT_EQ(played.hear<AppendFailed>().of, load_of(2)) << "after one that failed";
  cluster.lead(first, LeaderEpoch(3));
  EXPECT_EQ(played.hear<Lead>().epoch, LeaderEpoch(3));
  load(played, session, load_of(3, 3));
  cluster.lose(first);
  played.hear<Lost>();
  played.say(Append{session, load_of(3, 3), Ticket(1), batch_of("k")});
  EXPECT_EQ(played.hear<AppendFailed>().of, load_of(3, 3)) << "led elsewhere";
  EXPECT_EQ(cluster.store.appends, 0u);
}

TEST(Gateway, another_sessions_message_ends_the_session) {
  Cluster cluster;
  Played played(cluster);
  const SessionId session = played.greet();
  played.say(Append{session.next(), load_of(1), Ticket(1), batch_of("k")});
  EXPECT_TRUE(played.is_ended());
  EXPECT_FALSE(cluster.gateway.is_up());
}

TEST(Gateway, what_cannot_be_read_ends_the_session) {
  Cluster cluster;
  Played played(cluster);
  played.greet();
  played.say(OwnedBytes(16, std::byte{0xee}));
  EXPECT_TRUE(played.is_ended());
}

// What stops in order leaves no warning behind.
TEST(Gateway, warns_of_a_coordinator_that_breaks_the_rules_and_not_of_one_that_ends) {
  const auto level_of_end = [](const Cluster& cluster, std::string_view session) {
    std::optional<LogLevel> level;
    for (const auto& line : cluster.sink->lines()) {
      if (line.message.starts_with(session)) level = line.level;
    }
    return level;
  };
  Cluster cluster;
  {
    Played played(cluster);
    played.greet();
  }
  cluster.pass(std::chrono::milliseconds{1});
  EXPECT_EQ(level_of_end(cluster, "session 1 with the coordinator ends"), LogLevel::info);
  Played rude(cluster);
  rude.say(Pong{1});
  EXPECT_TRUE(rude.is_ended());
  EXPECT_EQ(level_of_end(cluster, "session 2 with the coordinator ends"), LogLevel::warning);
  Played last(cluster);
  last.greet();
  cluster.stop();
  EXPECT_EQ(level_of_end(cluster, "session 3 with the coordinator ends"), LogLevel::info);
}

TEST(Gateway, who_does_not_begin_with_its_version_is_not_served) {
  Cluster cluster;
  Played rude(cluster);
  rude.say(Pong{1});
  EXPECT_TRUE(rude.is_ended());
  Played newer(cluster);
  newer.say(Welcome{protocol_version + 1});
  EXPECT_TRUE(newer.is_ended());
}

TEST(Gateway, a_coordinator_that_says_nothing_for_a_second_is_down) {
  Cluster cluster;
  Played played(cluster);
  played.greet();
  cluster.pass(std::chrono::milliseconds{900});
  EXPECT_TRUE(cluster.gateway.is_up());
  Answered<protocol::HeartbeatResponse> answered;
  bool ended = false;
  protocol::HeartbeatRequest request;
  request.group_id = "g";
  cluster.clients.start(cluster.send<protocol::HeartbeatResponse>(request, 3, answered, ended));
  EXPECT_FALSE(ended);
  cluster.pass(std::chrono::milliseconds{700});
  EXPECT_FALSE(cluster.gateway.is_up());
  ASSERT_TRUE(ended);
  EXPECT_EQ(answered.message.error_code,
            static_cast<std::int16_t>(ErrorCode::coordinator_not_available));
  EXPECT_EQ(cluster.gateway.metrics().silences.value(), 1u);
}

TEST(Gateway, one_that_answers_pings_stays) {
  Cluster cluster;
  Played played(cluster);
  played.greet();
  for (std::uint64_t i = 1; i <= 20; ++i) {
    cluster.pass(ping_interval);
    played.say(Pong{i});
  }
  EXPECT_TRUE(cluster.gateway.is_up());
}

TEST(Gateway, a_new_coordinator_replaces_the_one_before_it) {
  Cluster cluster;
  Played old(cluster);
  const SessionId before = old.greet();
  Played fresh(cluster);
  const SessionId now = fresh.greet();
  EXPECT_GT(now, before);
  EXPECT_TRUE(old.is_ended());
  EXPECT_TRUE(cluster.gateway.is_up());
}

TEST(Gateway, what_an_earlier_session_appended_is_settled_before_the_next_one_reads) {
  Cluster cluster;
  cluster.store.is_held = true;
  {
    Played played(cluster);
    const SessionId session = played.greet();
    load(played, session, load_of(1));
    played.say(Append{session, load_of(1), Ticket(1), batch_of("k")});
    cluster.pass(std::chrono::milliseconds{10});
  }
  Played played(cluster);
  const SessionId session = played.greet();
  const std::uint64_t reads = cluster.store.reads;
  played.say(Read{session, load_of(1), Offset(0), 1'000});
  cluster.pass(std::chrono::milliseconds{100});
  EXPECT_EQ(cluster.store.reads, reads) << "it waits";
  cluster.store.is_held = false;
  const Batches batches = played.hear<Batches>();
  EXPECT_EQ(batches.next, Offset(1)) << "and finds what was appended";
  EXPECT_EQ(batches.end, Offset(1));
}

TEST(Gateway, a_read_of_what_is_not_led_is_refused) {
  Cluster cluster;
  Played played(cluster);
  const SessionId session = played.greet();
  played.say(Read{session, load_of(1, 9), Offset(0), 1'000});
  EXPECT_EQ(played.hear<Batches>().error, ErrorCode::not_coordinator);
  played.say(Read{session, {PartitionIndex(9), LeaderEpoch(0), LoadId(1)}, Offset(0), 1'000});
  EXPECT_EQ(played.hear<Batches>().error, ErrorCode::not_coordinator);
}

// However many wait: one group may have thousands of members, and others go on beside it.
TEST(Gateway, requests_that_wait_count_with_what_they_take) {
  constexpr std::size_t joins = 2'000;
  Cluster cluster;
  Played played(cluster);
  played.greet();
  std::vector<Answered<protocol::JoinGroupResponse>> joined(joins);
  const auto ended = std::make_unique<bool[]>(joins);
  Member member;
  member.group = "large";
  for (std::size_t i = 0; i < joins; ++i) {
    cluster.clients.start(cluster.send<protocol::JoinGroupResponse>(join_of(member, range_protocol),
                                                                    3, joined[i], ended[i]));
  }
  EXPECT_EQ(cluster.gateway.waiting(), joins);
  protocol::HeartbeatRequest heartbeat;
  heartbeat.group_id = "other";
  Answered<protocol::HeartbeatResponse> beat;
  bool beat_ended = false;
  cluster.clients.start(cluster.send<protocol::HeartbeatResponse>(heartbeat, 3, beat, beat_ended));
  ClientRequest last;
  for (std::size_t i = 0; i <= joins; ++i) last = played.hear<ClientRequest>();
  EXPECT_EQ(last.api, ApiKey::heartbeat);
  EXPECT_EQ(cluster.gateway.metrics().unavailable.value(), 0u) << "none is refused";
  played.say(ClientAnswer{last.number, false, {}, body_of(protocol::HeartbeatResponse(), 3)});
  cluster.pass(std::chrono::milliseconds{1});
  ASSERT_TRUE(beat_ended);
  EXPECT_EQ(beat.message.error_code, 0);
  EXPECT_EQ(cluster.gateway.waiting(), joins);
  cluster.stop();
  EXPECT_EQ(joined.back().message.error_code,
            static_cast<std::int16_t>(ErrorCode::coordinator_not_available))
      << "at the end of the session";
}

TEST(Gateway, a_fetch_of_all_offsets_is_refused_where_not_all_topics_can_be_told) {
  using Request = protocol::OffsetFetchRequest;
  Request::OffsetFetchRequestGroup all;
  all.group_id = "g";
  all.topics = protocol::Array<Request::OffsetFetchRequestTopics>::null();
  Request request;
  request.groups = {&all, 1};
  Cluster cluster;
  cluster.topics.topics.resize(known_topics_max, {"some", topic_id(3), 1});
  Played played(cluster);
  played.greet();
  Answered<protocol::OffsetFetchResponse> told;
  bool told_ended = false;
  cluster.clients.start(cluster.send<protocol::OffsetFetchResponse>(request, 10, told, told_ended));
  EXPECT_EQ(cluster.gateway.waiting(), 1u);
  EXPECT_EQ(played.hear<ClientRequest>().topics.size(), known_topics_max);
  cluster.topics.topics.push_back({"one more", topic_id(4), 1});
  const auto refused = cluster.ask<protocol::OffsetFetchResponse>(request, 10);
  ASSERT_EQ(refused.message.groups.size(), 1);
  EXPECT_EQ(refused.message.groups[0].error_code,
            static_cast<std::int16_t>(ErrorCode::invalid_request));
  cluster.stop();
}

void expect_refused(const GatewayOptions& options) {
  Cluster cluster;
  protocol::HeartbeatRequest request;
  request.group_id = "g";
  const auto body = body_of(request, 3);
  FakeTopics topics;
  FakeStore store(cluster.executor, 1);
  telemetry::Registry registry(1);
  GroupGateway small(cluster.executor, topics, store, cluster.authorizer,
                     GatewayMetrics(registry, telemetry::ShardIndex(0)), options,
                     Logger(cluster.sink, "small"));
  small.partition_led(protocol::state_partition("g", state_partitions), LeaderEpoch(0));
  auto ends = ipc::make_channel_pair(cluster.executor);
  cluster.clients.start(small.serve(std::move(ends.first)));
  const auto answer = cluster.executor.run(small.ask({.api = ApiKey::heartbeat,
                                                      .version = 3,
                                                      .session = &cluster.session,
                                                      .client_id = {},
                                                      .client_host = {},
                                                      .body = body,
                                                      .connection = {}}));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(small.metrics().unavailable.value(), 1u);
  ASSERT_TRUE(cluster.executor.run(small.stop()).has_value());
  ends.second->close();
}

TEST(Gateway, more_requests_than_its_limits_are_refused) {
  expect_refused({.requests_max = 0});
  expect_refused({.request_bytes_max = 4});
}

}  // namespace
}  // namespace millrace::broker
