// Which partitions a consumer finds its place in, whatever becomes of others; and what it asks for.
#include "consumer_machine.hpp"

namespace millrace::client {
namespace {

TEST(Finding, begins_where_it_can_though_other_partitions_have_no_leader) {
  ConsumerMachine machine({.brokers = 3});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 3, .replication_factor = 1}));
  for (std::int32_t i = 0; i < 3; ++i) machine.append("orders", i, 10);
  const BrokerId dead = *machine.cluster->leader("orders", PartitionIndex(0));
  ASSERT_TRUE(machine.cluster->kill(dead));
  Application& one = machine.start();
  Partitions all{place("nowhere", 0)};
  for (std::int32_t i = 0; i < 3; ++i) all.push_back(place("orders", i));
  ASSERT_TRUE(one.client.assign(all).has_value());
  machine.run(one.poll_until([&] { return one.count == 20; }, 10s));
  EXPECT_EQ(one.values.size(), 2u);
  EXPECT_EQ(one.count, 20u);
  ASSERT_TRUE(machine.cluster->revive(dead));
  machine.poll(one, 30, 10s);
}

TEST(Finding, begins_where_it_can_though_a_leader_does_not_answer) {
  ConsumerMachine machine({.brokers = 2});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2, .replication_factor = 1}));
  for (std::int32_t i = 0; i < 2; ++i) machine.append("orders", i, 10);
  machine.cluster->inject(
      {.api = mock::ApiKey::list_offsets, .kind = mock::FaultKind::silence, .times = 1});
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  machine.run(one.poll_until([&] { return one.count == 10; }, 10s));
  EXPECT_EQ(one.count, 10u);
  machine.poll(one, 20, 1min);
}

TEST(Finding, asks_a_leader_again_while_another_one_does_not_answer) {
  ConsumerMachine machine({.brokers = 2});
  ASSERT_TRUE(machine.cluster->create_topic("orders", {.partitions = 2, .replication_factor = 1}));
  for (std::int32_t i = 0; i < 2; ++i) machine.append("orders", i, 10);
  const BrokerId silent = *machine.cluster->leader("orders", PartitionIndex(0));
  const BrokerId other = *machine.cluster->leader("orders", PartitionIndex(1));
  ASSERT_NE(silent, other);
  machine.cluster->inject({.api = mock::ApiKey::list_offsets,
                           .kind = mock::FaultKind::silence,
                           .times = mock::always,
                           .broker = silent});
  machine.cluster->inject({.api = mock::ApiKey::list_offsets,
                           .kind = mock::FaultKind::error,
                           .error = mock::ErrorCode::leader_not_available,
                           .times = 3,
                           .broker = other});
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  machine.run(one.poll_until([&] { return one.count == 10; }, 20s));
  EXPECT_EQ(one.count, 10u) << "it failed three times, and was asked again";
  one.may_repeat = true;
  ASSERT_TRUE(one.client.seek_to_time(place("orders", 1), earliest_timestamp));
  machine.run(one.poll_until([&] { return one.count == 20; }, 5s));
  EXPECT_EQ(one.count, 20u) << "what is needed later is asked for at once";
  // Where the silent one leads no more, the new leader says where to begin.
  ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(0), other));
  machine.cluster->clear_faults();
  machine.poll(one, 30, 1min);
}

TEST(Finding, tells_of_a_topic_that_brokers_refuse_and_reads_the_others) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 10);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("no name", 0), place("orders", 0)}).has_value());
  machine.run(one.poll_until([&] { return one.count == 10 && !one.errors.empty(); }, 10s));
  EXPECT_EQ(one.count, 10u);
  ASSERT_FALSE(one.errors.empty());
  EXPECT_EQ(one.errors[0].code, mock::ErrorCode::invalid_topic_exception);
}

TEST(Finding, tells_of_a_topic_that_its_group_may_not_see_until_it_may) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 10);
  machine.cluster->inject({.api = mock::ApiKey::metadata,
                           .error = mock::ErrorCode::topic_authorization_failed,
                           .times = mock::always});
  Application& one = machine.subscribe();
  machine.run(one.poll_until([&] { return one.errors.size() == 3; }, 10s));
  ASSERT_EQ(one.errors.size(), 3u);
  for (const ClientError& error : one.errors) {
    EXPECT_EQ(error.code, mock::ErrorCode::topic_authorization_failed);
    EXPECT_NE(error.message.find("orders"), std::string::npos) << error.message;
    EXPECT_FALSE(error.fatal);
  }
  machine.cluster->clear_faults();
  machine.poll(one, 10);
}

TEST(Finding, position_does_not_wait_for_a_topic_that_brokers_refuse) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.cluster->inject({.api = mock::ApiKey::metadata,
                           .error = mock::ErrorCode::topic_authorization_failed,
                           .times = mock::always});
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  const auto refused = machine.await(one.client.position(place("orders", 0), no_deadline));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, mock::ErrorCode::topic_authorization_failed);
  machine.cluster->clear_faults();
  machine.run(one.poll_until([&] { return false; }, 5s));
  const auto known = machine.await(one.client.position(place("orders", 0), no_deadline));
  ASSERT_TRUE(known.has_value());
}

TEST(Finding, close_waits_for_no_further_try) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.settings.group_id.clear();
  machine.settings.common.retry_backoff = machine.settings.common.retry_backoff_max = 10min;
  machine.cluster->inject(
      {.api = mock::ApiKey::list_offsets, .kind = mock::FaultKind::silence, .times = 1});
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  machine.run(one.poll_until([] { return false; }, 1s));
  const MonotonicTime begun = machine.now();
  machine.close(one, 2s);
  EXPECT_LE(machine.now() - begun, 3s);
}

TEST(Finding, close_does_not_wait_for_a_metadata_question_that_is_not_answered) {
  for (const GroupProtocol protocol : {GroupProtocol::classic, GroupProtocol::consumer}) {
    ConsumerMachine machine;
    machine.create("orders", 1);
    machine.append("orders", 0, 10);
    machine.settings.group_protocol = protocol;
    machine.settings.common.metadata_max_age = 1s;
    Application& one = machine.subscribe();
    machine.poll(one, 10);
    // No fetch ends the connection on which the question waits.
    ASSERT_TRUE(one.client.pause({place("orders", 0)}).has_value());
    machine.run(one.poll_until([] { return false; }, 1s));
    machine.cluster->inject(
        {.api = mock::ApiKey::metadata, .kind = mock::FaultKind::silence, .times = mock::always});
    const std::size_t asked = machine.cluster->request_count(mock::ApiKey::metadata);
    machine.run(one.poll_until([] { return false; }, 3s));
    ASSERT_GT(machine.cluster->request_count(mock::ApiKey::metadata), asked);
    machine.cluster->clear_requests();
    const MonotonicTime begun = machine.now();
    machine.close(one, 2s);
    EXPECT_LE(machine.now() - begun, 2s);
    EXPECT_EQ(machine.cluster->request_count(mock::ApiKey::api_versions), 0u) << "a new connection";
  }
}

// From some time on no packet of a new connection arrives.
class DroppingNetwork final : public Network {
 public:
  DroppingNetwork(Network& under, Executor& executor) : under_(under), executor_(executor) {}

  using Network::connect;
  using Network::listen;
  [[nodiscard]] StreamResult<std::unique_ptr<Listener>> listen(
      const SocketAddress& address, const ListenOptions& options) override {
    return under_.listen(address, options);
  }
  [[nodiscard]] Task<StreamResult<std::unique_ptr<ByteStream>>> connect(
      SocketAddress address, SocketOptions options, MonotonicTime deadline) override {
    if (!drops) co_return co_await under_.connect(address, options, deadline);
    ++attempts;
    co_await sleep_until(executor_, deadline);
    co_return failure(StreamError{StreamFault::timed_out});
  }
  [[nodiscard]] StreamResult<std::unique_ptr<ByteStream>> adopt(
      std::unique_ptr<AcceptedStream> accepted) override {
    return under_.adopt(std::move(accepted));
  }

  bool drops = false;
  std::size_t attempts = 0;

 private:
  Network& under_;
  Executor& executor_;
};

TEST(Finding, close_does_not_wait_for_a_connection_that_cannot_be_made) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 10);
  DroppingNetwork network(machine.network, machine.executor);
  for (const bool has_deadline : {true, false}) {
    network.drops = false;
    Application one("one", machine.settings, machine.executor, network, machine.resolver,
                    Logger(machine.sink, "one"), 1, machine.holders);
    one.may_repeat = true;
    ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
    ASSERT_TRUE(one.client.seek(place("orders", 0), Offset(0)).has_value());
    machine.poll(one, 10);
    // What is committed already needs no broker.
    ASSERT_TRUE(machine.await(one.client.commit(machine.now() + 10s)).has_value());
    network.drops = true;
    machine.cluster->drop_connections();
    network.attempts = 0;
    machine.run(one.poll_until([&] { return network.attempts > 0; }, 10s));
    ASSERT_GT(network.attempts, 0u);
    const MonotonicTime begun = machine.now();
    machine.run(one.client.close(has_deadline ? begun + 2s : no_deadline));
    // Without a deadline it tries to commit for some time.
    EXPECT_LE(machine.now() - begun, has_deadline ? 2s : 6s);
  }
  // The attempts end behind their consumers.
  machine.executor.advance(1min);
}

TEST(Finding, close_waits_for_no_further_try_at_what_a_group_has_committed) {
  for (const auto api : {mock::ApiKey::offset_fetch, mock::ApiKey::offset_commit}) {
    ConsumerMachine machine;
    machine.create("orders", 1);
    machine.append("orders", 0, 10);
    // Long enough for no test, short enough for the deadlines of what is tried again.
    machine.settings.common.retry_backoff = machine.settings.common.retry_backoff_max = 40s;
    machine.settings.enable_auto_commit = false;
    Application& one = machine.start();
    machine.cluster->fail_next(api, mock::ErrorCode::coordinator_load_in_progress, 1'000);
    ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
    TaskGroup committing;
    if (api == mock::ApiKey::offset_commit) {
      committing.start([](Application& by, MonotonicTime until) -> Task<void> {
        const auto committed = co_await by.client.commit(
            {{place("orders", 0), {Offset(5), no_leader_epoch, ""}}}, until);
        EXPECT_EQ(committed.error().failure, Failure::closed);
      }(one, machine.now() + 10min));
    }
    machine.run(one.poll_until([] { return false; }, 1s));
    ASSERT_GT(machine.cluster->request_count(api), 0u);
    const MonotonicTime begun = machine.now();
    machine.run(one.client.close(begun + 2s));
    machine.run([](TaskGroup& all) -> Task<void> { co_await all.wait(); }(committing));
    EXPECT_LE(machine.now() - begun, 2s) << protocol::name_of(api);
    machine.forget(one);
  }
}

TEST(Finding, close_waits_for_no_further_try_at_listing_offsets) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.settings.common.retry_backoff = machine.settings.common.retry_backoff_max = 40s;
  Application& one = machine.start();
  machine.cluster->fail_next(mock::ApiKey::list_offsets, mock::ErrorCode::leader_not_available,
                             1'000);
  TaskGroup asking;
  asking.start([](Application& by, MonotonicTime until) -> Task<void> {
    const auto found = co_await by.client.offsets({{place("orders", 0), latest_timestamp}}, until);
    EXPECT_EQ(found.error().failure, Failure::closed);
  }(one, machine.now() + 10min));
  machine.executor.advance(1s);
  ASSERT_GT(machine.cluster->request_count(mock::ApiKey::list_offsets), 0u);
  const MonotonicTime begun = machine.now();
  machine.run(one.client.close(begun + 2s));
  machine.run([](TaskGroup& all) -> Task<void> { co_await all.wait(); }(asking));
  EXPECT_LE(machine.now() - begun, 2s);
  machine.forget(one);
}

TEST(Finding, a_time_after_the_last_record_is_the_end) {
  ConsumerMachine machine;
  machine.create("orders", 2);
  machine.append("orders", 0, 10);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  ASSERT_TRUE(one.client.seek_to_time(place("orders", 0), Timestamp(1'000'000)).has_value());
  ASSERT_TRUE(one.client.seek_to_time(place("orders", 1), Timestamp(1'000'000)).has_value());
  machine.run(one.poll_until([] { return false; }, 1s));
  for (std::int32_t i = 0; i < 2; ++i) {
    const auto position =
        machine.await(one.client.position(place("orders", i), machine.now() + 1s));
    ASSERT_TRUE(position.has_value()) << to_string(position.error());
    EXPECT_EQ(*position, Offset(i == 0 ? 10 : 0));
  }
}

// Where asking for a topic makes it, one that was deleted would come back.
TEST(Finding, asks_no_more_for_topics_that_are_not_read_any_more) {
  ConsumerMachine machine({.auto_create_topics = true});
  for (const char* topic : {"assigned", "looked-at", "subscribed", "orders"}) {
    machine.create(topic, 1);
  }
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("assigned", 0)}).has_value());
  ASSERT_TRUE(machine
                  .await(one.client.offsets({{place("looked-at", 0), latest_timestamp}},
                                            machine.now() + 5s))
                  .has_value());
  machine.run(one.client.unsubscribe(machine.now() + 5s));
  ASSERT_TRUE(one.client.subscribe({"subscribed"}, &one.listener).has_value());
  machine.run(one.poll_until([&] { return !one.client.assignment().empty(); }, 10s));
  ASSERT_TRUE(one.client.subscribe({"orders"}, &one.listener).has_value());
  machine.run(one.poll_until([] { return false; }, 2min));
  for (const char* topic : {"assigned", "looked-at", "subscribed"}) {
    ASSERT_TRUE(machine.cluster->delete_topic(topic));
  }
  machine.run(one.poll_until([] { return false; }, 20min));
  for (const char* topic : {"assigned", "looked-at", "subscribed"}) {
    EXPECT_FALSE(machine.cluster->topic_id(topic)) << topic << " was made again";
  }
  machine.append("orders", 0, 5);
  machine.poll(one, 5, 5s);
}

TEST(Finding, refuses_names_that_no_topic_can_have) {
  ConsumerMachine machine;
  Application& one = machine.start();
  for (const std::size_t size : {0UL, 250UL, 40'000UL}) {
    const std::string name(size, 'x');
    const auto subscribed = one.client.subscribe({"orders", name});
    ASSERT_FALSE(subscribed.has_value());
    EXPECT_EQ(subscribed.error().failure, Failure::bad_argument);
    const auto assigned = one.client.assign({place(name, 0)});
    ASSERT_FALSE(assigned.has_value());
    EXPECT_EQ(assigned.error().failure, Failure::bad_argument);
  }
}

}  // namespace
}  // namespace millrace::client
