// What goes wrong between a consumer and its brokers. Also proves asked_fetch.cppm,
// fetch_answers.cpp, watchdog.cpp.
#include "consumer_machine.hpp"

import millrace.protocol.fetch;
import millrace.protocol.wire;

namespace millrace::client {
namespace {

using mock::ApiKey;
using mock::ErrorCode;
using mock::FaultKind;

// A consumer that reads three partitions, with 30 records each, of three brokers.
class FetchFaults : public testing::Test {
 protected:
  void SetUp() override {
    machine.create("orders", 3);
    append(30);
    one = &machine.start();
    for (std::int32_t i = 0; i < 3; ++i) all.push_back(place("orders", i));
    ASSERT_TRUE(one->client.assign(all).has_value());
  }
  void append(std::size_t count) {
    for (std::int32_t i = 0; i < 3; ++i) machine.append("orders", i, count);
    expected += 3 * count;
  }
  // Everything comes, once and in order, whatever was planned.
  void expect_all(Duration within = 60s) {
    machine.poll(*one, expected, within);
    EXPECT_EQ(one->count, expected);
    machine.run(one->poll_until([] { return false; }, 2s));
    EXPECT_EQ(one->count, expected) << "records came twice";
    EXPECT_EQ(machine.cluster->faults_left(), 0u);
  }

  ConsumerMachine machine{{.brokers = 3}};
  Application* one = nullptr;
  Partitions all;
  std::size_t expected = 0;
};

TEST_F(FetchFaults, errors_that_pass_are_passed_over) {
  for (const ErrorCode error :
       {ErrorCode::not_leader_or_follower, ErrorCode::fenced_leader_epoch,
        ErrorCode::unknown_leader_epoch, ErrorCode::unknown_topic_or_partition,
        ErrorCode::unknown_topic_id, ErrorCode::leader_not_available,
        ErrorCode::replica_not_available, ErrorCode::kafka_storage_error,
        ErrorCode::offset_not_available, ErrorCode::inconsistent_topic_id}) {
    SCOPED_TRACE(protocol::name_of(error));
    machine.cluster->fail_next(ApiKey::fetch, error, 2);
    append(10);
    expect_all();
    EXPECT_TRUE(one->errors.empty());
  }
}

TEST_F(FetchFaults, broken_and_damaged_answers_are_asked_for_again) {
  for (const FaultKind kind : {FaultKind::drop_before, FaultKind::drop_after, FaultKind::cut_short,
                               FaultKind::wrong_id, FaultKind::silence}) {
    machine.cluster->inject({.api = ApiKey::fetch, .kind = kind, .times = 3});
    append(10);
    expect_all(10min);
  }
}

TEST_F(FetchFaults, garbage_gives_no_record_that_was_not_written) {
  for (int i = 0; i < 30; ++i) {
    machine.cluster->inject({.api = ApiKey::fetch, .kind = FaultKind::garbage, .times = 2});
    append(10);
    expect_all(10min);
  }
}

TEST_F(FetchFaults, leaders_that_move_are_followed) {
  machine.poll(*one, expected);
  for (std::int32_t broker = 1; broker <= 3; ++broker) {
    for (std::int32_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(i), BrokerId(broker)));
    }
    append(10);
    expect_all();
  }
}

TEST_F(FetchFaults, a_dead_broker_is_left_and_found_again) {
  machine.poll(*one, expected);
  ASSERT_TRUE(machine.cluster->kill(BrokerId(2)).has_value());
  append(10);
  expect_all();
  ASSERT_TRUE(machine.cluster->revive(BrokerId(2)).has_value());
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)).has_value());
  append(10);
  expect_all();
  ASSERT_TRUE(machine.cluster->kill(BrokerId(3)).has_value());
  append(10);
  expect_all();
}

TEST_F(FetchFaults, all_brokers_dead_for_a_while_lose_nothing) {
  machine.poll(*one, expected);
  for (std::int32_t i = 1; i <= 3; ++i) ASSERT_TRUE(machine.cluster->kill(BrokerId(i)));
  machine.run(one->poll_until([] { return false; }, 30s));
  for (std::int32_t i = 1; i <= 3; ++i) ASSERT_TRUE(machine.cluster->revive(BrokerId(i)));
  append(10);
  expect_all();
}

TEST_F(FetchFaults, an_error_for_good_is_told_and_the_rest_goes_on) {
  machine.poll(*one, expected);
  machine.cluster->inject({.api = ApiKey::fetch,
                           .kind = FaultKind::error,
                           .error = ErrorCode::topic_authorization_failed,
                           .times = 1,
                           .broker = BrokerId(2)});
  append(10);
  machine.run(one->poll_until([&] { return one->count >= expected && !one->errors.empty(); }, 60s));
  EXPECT_EQ(one->count, expected);
  ASSERT_EQ(one->errors.size(), 1u);
  EXPECT_EQ(one->errors[0].code, ErrorCode::topic_authorization_failed);
  EXPECT_EQ(one->errors[0].broker, BrokerId(2));
}

TEST_F(FetchFaults, old_brokers_are_asked_as_they_understand) {
  for (const std::int16_t version : std::vector<std::int16_t>{4, 8, 12, 13, 17}) {
    machine.cluster->set_versions(ApiKey::fetch, 4, version);
    machine.cluster->drop_connections();
    machine.cluster->clear_requests();
    append(10);
    expect_all();
    for (const auto& request : machine.cluster->requests()) {
      if (request.api == ApiKey::fetch) EXPECT_LE(request.version, version);
    }
  }
}

// What was asked of brokers, in the order in which it came to them.
struct AskedFetches {
  std::size_t requests = 0;
  std::size_t incremental = 0;
  std::size_t last = 0;   // that end a session
  std::size_t named = 0;  // partitions
  bool names_topics_once = true;

  explicit AskedFetches(const mock::Cluster& cluster) {
    for (const auto& request : cluster.requests()) {
      if (request.api != ApiKey::fetch) continue;
      protocol::Arena arena(mebibyte);
      protocol::FetchRequest message;
      EXPECT_TRUE(decode(message, request.body, request.version, arena).has_value());
      ++requests;
      incremental += message.session_epoch > 0;
      last += message.session_id > 0 && message.session_epoch == fetch_session_ends;
      std::set<std::pair<std::string, Uuid>> topics;
      for (const auto& topic : message.topics) {
        named += topic.partitions.size();
        names_topics_once &= topics.emplace(topic.topic, topic.topic_id).second;
      }
    }
  }
};

TEST_F(FetchFaults, brokers_remember_what_is_wanted_of_them) {
  machine.poll(*one, expected);
  machine.cluster->clear_requests();
  machine.run(one->poll_until([] { return false; }, 10s));
  const AskedFetches idle(*machine.cluster);
  EXPECT_GT(idle.requests, 30u);
  EXPECT_EQ(idle.incremental, idle.requests);
  EXPECT_LE(idle.named, 3u) << "where nothing is new, nothing is named";
  append(10);
  expect_all();
}

TEST_F(FetchFaults, sessions_that_brokers_do_not_know_are_begun_anew_at_once) {
  for (int i = 0; i < 5; ++i) {
    machine.poll(*one, expected);
    machine.run(one->poll_until([] { return false; }, 1s));
    machine.cluster->end_fetch_sessions();
    const MonotonicTime begun = machine.now();
    append(10);
    machine.poll(*one, expected);
    EXPECT_LT(machine.now() - begun, 700ms) << "no longer than a fetch that waits";
  }
  for (const ErrorCode error :
       {ErrorCode::fetch_session_id_not_found, ErrorCode::invalid_fetch_session_epoch,
        ErrorCode::fetch_session_topic_id_error}) {
    SCOPED_TRACE(protocol::name_of(error));
    machine.cluster->fail_next(ApiKey::fetch, error, 12);
    append(10);
    expect_all();
  }
  EXPECT_TRUE(one->errors.empty());
}

TEST_F(FetchFaults, brokers_are_told_at_the_end_to_forget_what_is_wanted_of_them) {
  machine.poll(*one, expected);
  ASSERT_TRUE(one->client.pause(all).has_value());
  machine.run(one->poll_until([] { return false; }, 2s));
  // One that takes nothing more holds nobody up.
  machine.cluster->inject(
      {.api = ApiKey::fetch, .kind = FaultKind::silence, .broker = BrokerId(2)});
  machine.cluster->clear_requests();
  const MonotonicTime begun = machine.now();
  machine.close(*std::exchange(one, nullptr), 1min);
  EXPECT_LT(machine.now() - begun, 1s);
  machine.executor.advance(1s);
  const AskedFetches asked(*machine.cluster);
  EXPECT_EQ(asked.requests, 3u);
  EXPECT_EQ(asked.last, 3u);
  EXPECT_EQ(asked.named, 0u);
}

TEST_F(FetchFaults, partitions_that_are_paused_move_and_come_back_are_read_on) {
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    const TopicPartition partition = all[random.below(3)];
    switch (random.below(5)) {
      case 0:
        ASSERT_TRUE(one->client.pause({partition}).has_value());
        break;
      case 1:
        ASSERT_TRUE(
            machine.cluster->move_leader("orders", partition.partition,
                                         BrokerId(1 + static_cast<std::int32_t>(random.below(3)))));
        break;
      case 2:
        machine.cluster->end_fetch_sessions();
        break;
      case 3:
        machine.cluster->inject({.api = ApiKey::fetch, .kind = FaultKind::drop_after, .times = 1});
        break;
      default:
        ASSERT_TRUE(one->client.resume(all).has_value());
    }
    append(1);
    machine.run(one->poll_until([] { return false; },
                                Duration(std::chrono::milliseconds(random.below(900)))));
  }
  ASSERT_TRUE(one->client.resume(all).has_value());
  machine.cluster->clear_faults();
  expect_all();
}

TEST_F(FetchFaults, the_end_of_a_partition_that_comes_back_is_known) {
  machine.poll(*one, expected);
  ASSERT_TRUE(one->client.assign({all[1], all[2]}).has_value());
  ASSERT_TRUE(one->client.assign(all).has_value());
  ASSERT_TRUE(one->client.seek(all[0], Offset(30)).has_value());
  machine.run(one->poll_until([] { return false; }, 2s));
  const auto lag = one->client.lag(all[0]);
  ASSERT_TRUE(lag.has_value());
  EXPECT_EQ(lag->end, Offset(30));
}

TEST(Fetcher, reads_a_topic_that_was_made_anew) {
  for (const std::int16_t version : std::vector<std::int16_t>{12, 17}) {
    SCOPED_TRACE(version);
    ConsumerMachine machine;
    machine.settings.common.metadata_max_age = 5s;
    machine.cluster->set_versions(ApiKey::fetch, 4, version);
    machine.create("orders", 1);
    machine.create("others", 1);
    machine.append("orders", 0, 10);
    Application& one = machine.start();
    one.may_repeat = true;
    ASSERT_TRUE(one.client.assign({place("orders", 0), place("others", 0)}).has_value());
    machine.poll(one, 10);
    ASSERT_TRUE(machine.cluster->delete_topic("orders").has_value());
    machine.create("orders", 1);
    machine.append("orders", 0, 30);
    machine.run(one.poll_until([] { return false; }, 20s));
    EXPECT_GE(one.count, 30u) << "it goes on at offset 10, or begins anew";
    machine.append("orders", 0, 10);
    machine.append("others", 0, 10);
    machine.poll(one, one.count + 20);
  }
}

TEST(Fetcher, names_everything_to_brokers_that_remember_nothing) {
  for (const std::int16_t version : std::vector<std::int16_t>{6, 17}) {
    ConsumerMachine machine({.fetch_sessions = 0});
    machine.create("orders", 1);
    machine.append("orders", 0, 10);
    machine.cluster->set_versions(ApiKey::fetch, 4, version);
    Application& one = machine.start();
    ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
    machine.poll(one, 10);
    machine.append("orders", 0, 10);
    machine.poll(one, 20);
    const AskedFetches asked(*machine.cluster);
    EXPECT_EQ(asked.incremental, 0u);
    EXPECT_EQ(asked.named, asked.requests);
  }
}

TEST(Fetcher, waits_for_the_connection_that_its_first_request_needs) {
  ConsumerMachine machine({.brokers = 2});
  machine.settings.common.retry_backoff = 10s;
  machine.settings.common.retry_backoff_max = 10s;
  machine.create("orders", 2);
  machine.append("orders", 0, 10);
  machine.append("orders", 1, 10);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  // Nobody has to be asked where to begin: nothing else connects.
  for (std::int32_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(one.client.seek(place("orders", i), Offset(0)).has_value());
  }
  const MonotonicTime begun = machine.executor.clock().now();
  machine.poll(one, 20);
  EXPECT_LT(machine.executor.clock().now() - begun, 1s);
  EXPECT_EQ(one.client.counters().failures, 0u);
}

TEST(Fetcher, reads_each_partition_in_turn_of_brokers_that_remember_nothing) {
  for (const std::int16_t version : std::vector<std::int16_t>{6, 17}) {
    SCOPED_TRACE(version);
    ConsumerMachine machine({.fetch_sessions = 0});
    machine.cluster->set_versions(ApiKey::fetch, 4, version);
    Partitions all;
    for (const std::string topic : {"orders", "others"}) {
      machine.create(topic, 3);
      for (std::int32_t i = 0; i < 3; ++i) {
        all.push_back(place(topic, i));
        machine.append(topic, i, 200);
      }
    }
    machine.settings.fetch_max_bytes = 1;
    machine.settings.prefetch_memory = 1;
    machine.settings.max_poll_records = 10;
    Application& one = machine.start();
    ASSERT_TRUE(one.client.assign(all).has_value());
    machine.poll(one, 120);
    for (const TopicPartition& partition : all) {
      EXPECT_EQ(one.values[partition].size(), 20u) << to_string(partition);
    }
    EXPECT_TRUE(AskedFetches(*machine.cluster).names_topics_once);
  }
}

TEST(Fetcher, keeps_what_is_not_taken_within_its_budget) {
  ConsumerMachine machine({.brokers = 2});
  machine.create("orders", 8);
  for (std::int32_t i = 0; i < 8; ++i) machine.append("orders", i, 2'000);
  machine.settings.prefetch_memory = 20'000;
  machine.settings.max_partition_fetch_bytes = 4'000;
  machine.settings.max_poll_records = 1;
  Application& one = machine.start();
  Partitions all;
  for (std::int32_t i = 0; i < 8; ++i) all.push_back(place("orders", i));
  ASSERT_TRUE(one.client.assign(all).has_value());
  std::size_t most = 0;
  for (int i = 0; i < 3'000; ++i) {
    const auto polled = machine.await(one.client.poll(machine.now() + 1s));
    ASSERT_TRUE(polled.has_value());
    one.take(*polled);
    machine.executor.advance(1ms);
    most = std::max(most, one.client.buffered_bytes());
  }
  EXPECT_GE(one.count, 2'990u);
  EXPECT_GT(most, 4'000u);
  // Each broker may pass its part by one batch.
  EXPECT_LE(most, 20'000u + 2 * 1'000u);
}

TEST(Fetcher, reads_on_while_what_paused_partitions_hold_fills_the_budget) {
  ConsumerMachine machine;
  machine.create("orders", 2);
  machine.append("orders", 0, 20);
  machine.settings.prefetch_memory = 1;
  machine.settings.max_poll_records = 5;
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  machine.poll(one, 5);
  EXPECT_GT(one.client.buffered_bytes(), 0u);
  ASSERT_TRUE(one.client.pause({place("orders", 0)}).has_value());
  machine.append("orders", 1, 10);
  machine.poll(one, 15);
  EXPECT_EQ(one.values[place("orders", 1)].size(), 10u);
  EXPECT_EQ(one.values[place("orders", 0)].size(), 5u);
  ASSERT_TRUE(one.client.resume({place("orders", 0)}).has_value());
  machine.poll(one, 30);
  machine.run(one.poll_until([] { return false; }, 2s));
  EXPECT_EQ(one.count, 30u) << "records came twice";
}

TEST(Fetcher, keeps_what_paused_partitions_hold_within_its_budget) {
  ConsumerMachine machine;
  machine.create("orders", 8);
  for (std::int32_t i = 0; i < 8; ++i) machine.append("orders", i, 20);
  machine.settings.prefetch_memory = 200;
  machine.settings.max_partition_fetch_bytes = 1;
  machine.settings.max_poll_records = 1;
  Application& one = machine.start();
  Partitions all;
  for (std::int32_t i = 0; i < 8; ++i) all.push_back(place("orders", i));
  ASSERT_TRUE(one.client.assign(all).has_value());
  std::size_t most = 0;
  for (std::size_t paused = 0; paused < 8; ++paused) {
    machine.poll(one, paused + 1);
    Partitions begun;
    for (const auto& [partition, seen] : one.values) begun.push_back(partition);
    EXPECT_EQ(begun.size(), paused + 1);
    ASSERT_TRUE(one.client.pause(begun).has_value());
    machine.run(one.poll_until([] { return false; }, 0s));
    most = std::max(most, one.client.buffered_bytes());
  }
  EXPECT_GT(most, 100u);
  // By one batch, of less than 200 bytes.
  EXPECT_LE(most, 2 * 200u);
  ASSERT_TRUE(one.client.resume(all).has_value());
  machine.poll(one, 160);
  machine.run(one.poll_until([] { return false; }, 2s));
  EXPECT_EQ(one.count, 160u) << "records came twice";
}

// Each answer has something of partitions that are paused before it is taken, and is held for it.
TEST(Fetcher, counts_answers_as_a_whole_as_long_as_a_paused_partition_has_a_piece_of_them) {
  ConsumerMachine machine;
  machine.create("orders", 16);
  for (std::int32_t i = 0; i < 16; ++i) machine.append("orders", i, 200);
  machine.settings.prefetch_memory = 20'000;
  machine.settings.max_partition_fetch_bytes = 1'000;
  machine.settings.max_poll_records = 1;
  Application& one = machine.start();
  one.may_repeat = true;
  Partitions all;
  for (std::int32_t i = 0; i < 16; ++i) all.push_back(place("orders", i));
  ASSERT_TRUE(one.client.assign(all).has_value());
  std::size_t most = 0;
  for (std::size_t paused = 0; paused < 15; ++paused) {
    // The others are read for a while: new answers take the place of those before.
    machine.poll(one, one.count + 100);
    ASSERT_TRUE(one.client.pause({all[paused]}).has_value());
    most = std::max(most, one.client.buffered_bytes());
  }
  EXPECT_GT(most, 1'000u);
  EXPECT_LE(most, 20'000u + 2 * 1'000u);
  ASSERT_TRUE(one.client.resume(all).has_value());
  machine.poll(one, 16 * 200, 5min);
  for (const TopicPartition& partition : all) {
    EXPECT_EQ(one.values[partition].size(), 200u) << to_string(partition);
  }
}

TEST(Fetcher, reads_batches_that_are_larger_than_its_budget) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 100);
  machine.settings.prefetch_memory = 1;
  machine.settings.max_partition_fetch_bytes = 1;
  machine.settings.fetch_max_bytes = 1;
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  machine.poll(one, 100);
}

TEST(Fetcher, drops_an_answer_that_another_broker_has_overtaken) {
  ConsumerMachine machine({.brokers = 2});
  machine.settings.common.metadata_max_age = 500ms;
  machine.create("orders", 2);
  const TopicPartition moving = place("orders", 0);
  const TopicPartition other = place("orders", 1);
  ASSERT_TRUE(machine.cluster->move_leader("orders", moving.partition, BrokerId(1)).has_value());
  ASSERT_TRUE(machine.cluster->move_leader("orders", other.partition, BrokerId(2)).has_value());
  Application& one = machine.start();
  // Metadata are asked of the second broker then: the first one has something to do.
  ASSERT_TRUE(one.client.assign({other}).has_value());
  machine.run(one.poll_until([] { return false; }, 2s));
  machine.append("orders", 0, 10);
  machine.cluster->inject({.api = ApiKey::fetch,
                           .kind = FaultKind::delay,
                           .delay = 10s,
                           .times = 1,
                           .broker = BrokerId(1)});
  ASSERT_TRUE(one.client.assign({moving, other}).has_value());
  ASSERT_TRUE(one.client.pause({other}).has_value());
  machine.executor.advance(1s);
  EXPECT_EQ(machine.cluster->faults_left(), 0u) << "the first broker was not asked";
  ASSERT_TRUE(machine.cluster->move_leader("orders", moving.partition, BrokerId(2)).has_value());
  machine.executor.advance(4s);
  EXPECT_GT(one.client.buffered_bytes(), 0u) << "the second broker has not answered";
  EXPECT_EQ(one.client.counters().dropped, 0u);
  machine.executor.advance(10s);
  EXPECT_EQ(one.client.counters().dropped, 1u);
  EXPECT_EQ(one.client.counters().failures, 0u);
  machine.poll(one, 10);
  EXPECT_TRUE(one.errors.empty());
}

TEST(Fetcher, drops_what_was_fetched_before_a_seek) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 100);
  machine.settings.max_poll_records = 10;
  Application& one = machine.start();
  one.may_repeat = true;
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  machine.poll(one, 10);
  EXPECT_GT(one.client.buffered_bytes(), 0u);
  ASSERT_TRUE(one.client.seek(place("orders", 0), Offset(70)).has_value());
  EXPECT_EQ(one.client.buffered_bytes(), 0u);
  machine.poll(one, 20);
  EXPECT_EQ(one.values[place("orders", 0)][10].first, 70);
}

TEST(Watchdog, reports_a_partition_that_has_data_and_does_not_advance) {
  ConsumerMachine machine;
  machine.create("orders", 2);
  machine.append("orders", 0, 10);
  machine.append("orders", 1, 10);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  machine.poll(one, 20);
  machine.run(one.poll_until([] { return false; }, 2min));
  EXPECT_TRUE(one.client.stalled().empty()) << "at its end a partition stands still rightly";

  machine.cluster->fail_next(ApiKey::fetch, ErrorCode::not_leader_or_follower, mock::always);
  machine.run(one.poll_until([] { return false; }, 2s));  // what waits at the broker ends
  machine.append("orders", 0, 10);
  machine.run(one.poll_until([] { return false; }, 2min));
  ASSERT_EQ(one.client.stalled().size(), 1u);
  EXPECT_EQ(one.client.stalled()[0].partition, place("orders", 0));
  EXPECT_EQ(one.client.stalled()[0].position, Offset(10));
  EXPECT_EQ(one.client.stalled()[0].end, Offset(20));
  EXPECT_NE(one.client.stalled()[0].why.find("failed in a row"), std::string::npos)
      << one.client.stalled()[0].why;
  EXPECT_TRUE(machine.was_logged("orders-0 does not advance"));

  machine.cluster->clear_faults();
  machine.poll(one, 30);
  EXPECT_TRUE(one.client.stalled().empty()) << "also before the watchdog has looked again";
  machine.run(one.poll_until([] { return false; }, 1min));
  EXPECT_TRUE(one.client.stalled().empty());
}

TEST(Watchdog, says_when_it_is_the_application_that_does_not_take) {
  ConsumerMachine machine;
  machine.create("orders", 1);
  machine.append("orders", 0, 10);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  machine.executor.advance(1min);
  ASSERT_EQ(one.client.stalled().size(), 1u);
  EXPECT_NE(one.client.stalled()[0].why.find("does not poll"), std::string::npos);
}

TEST(Watchdog, says_nothing_of_what_is_not_read_any_more) {
  ConsumerMachine machine;
  machine.create("orders", 2);
  machine.append("orders", 0, 10);
  machine.append("orders", 1, 10);
  Application& one = machine.start();
  ASSERT_TRUE(one.client.assign({place("orders", 0), place("orders", 1)}).has_value());
  machine.executor.advance(1min);
  ASSERT_EQ(one.client.stalled().size(), 2u);
  ASSERT_TRUE(one.client.pause({place("orders", 0)}).has_value());
  ASSERT_EQ(one.client.stalled().size(), 1u);
  EXPECT_EQ(one.client.stalled()[0].partition, place("orders", 1));
  ASSERT_TRUE(one.client.assign({place("orders", 0)}).has_value());
  EXPECT_TRUE(one.client.stalled().empty());
}

}  // namespace
}  // namespace millrace::client
