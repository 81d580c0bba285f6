// The public cluster, with the public clients, as a user's test has them. Also proves api.cpp,
// inner_cluster.cppm.
#include "millrace/mock/cluster.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/millrace.hpp"
#include "millrace/mock.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

const TopicPartition orders{"orders", 0};

Config producer_config(const mock::Cluster& cluster) {
  return {{"bootstrap.servers", cluster.bootstrap()}, {"linger.ms", "0"}};
}

Config consumer_config(const mock::Cluster& cluster) {
  return {{"bootstrap.servers", cluster.bootstrap()},
          {"group.id", "readers"},
          {"auto.offset.reset", "earliest"}};
}

std::vector<std::string> values_from(Consumer& consumer, std::size_t count) {
  std::vector<std::string> values;
  for (int polls = 0; polls < 300 && values.size() < count; ++polls) {
    const auto batch = consumer.poll(100ms);
    if (!batch) ADD_FAILURE() << batch.error();
    if (batch)
      for (const auto& record : *batch) values.emplace_back(record.value_text());
  }
  return values;
}

template <class Function>
std::string refusal_of(Function function) {
  try {
    function();
  } catch (const Failed& failed) {
    return failed.what();
  }
  return "";
}

TEST(PublicMockCluster, keeps_what_a_producer_sends) {
  mock::Cluster cluster({.brokers = 3});
  cluster.create_topic("orders", 6);
  Producer producer(producer_config(cluster));
  const auto sent = producer
                        .send({.topic = "orders",
                               .key = "alice",
                               .value = "paid 200",
                               .headers = {{"trace", "1"}, {"empty", nullptr}}})
                        .get();
  ASSERT_TRUE(sent) << sent.error();
  const auto stored = cluster.records({"orders", sent->partition});
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].topic, "orders");
  EXPECT_EQ(stored[0].partition, sent->partition);
  EXPECT_EQ(stored[0].offset, 0);
  EXPECT_EQ(stored[0].key, "alice");
  EXPECT_EQ(stored[0].value, "paid 200");
  EXPECT_EQ(stored[0].headers, (std::vector<OwnedHeader>{{"trace", "1"}, {"empty", std::nullopt}}));
  EXPECT_EQ(cluster.committed_records({"orders", sent->partition}), stored);
  EXPECT_FALSE(cluster.time_out_transaction("nobody"));
  EXPECT_EQ(cluster.end_offset({"orders", sent->partition}), 1);
}

TEST(PublicMockCluster, gives_a_consumer_what_was_appended) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  cluster.append(orders, {.topic = "orders", .key = "a", .value = "one"});
  cluster.append(orders, std::vector<OwnedRecord>{{.topic = "", .value = "two"},
                                                  {.topic = "", .value = "three"}});
  Consumer consumer(consumer_config(cluster));
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  EXPECT_EQ(values_from(consumer, 3), (std::vector<std::string>{"one", "two", "three"}));
  ASSERT_TRUE(consumer.commit());
  EXPECT_EQ(consumer.committed({orders})->at(orders), 3);
}

TEST(PublicMockCluster, refuses_as_often_as_it_is_told) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  cluster.fail_next(Api::produce, ErrorCode::not_leader_or_follower, 2);
  EXPECT_EQ(cluster.faults_left(), 1U);
  Producer producer(producer_config(cluster));
  const auto sent = producer.send({.topic = "orders", .value = "x"}).get();
  ASSERT_TRUE(sent) << sent.error();
  EXPECT_EQ(cluster.request_count(Api::produce), 3U);
  EXPECT_EQ(cluster.faults_left(), 0U);

  cluster.fail_next(Api::produce, ErrorCode::topic_authorization_failed);
  const auto refused = producer.send({.topic = "orders", .value = "y"}).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::topic_authorization_failed);
  EXPECT_EQ(refused.error().broker(), 1);
}

TEST(PublicMockCluster, a_lost_answer_repeats_no_record) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  cluster.lose_answers(Api::produce);
  Producer producer(producer_config(cluster));
  const auto sent = producer.send({.topic = "orders", .value = "once"}).get();
  ASSERT_TRUE(sent) << sent.error();
  EXPECT_EQ(cluster.records(orders).size(), 1U);
  EXPECT_EQ(cluster.request_count(Api::produce), 2U);
}

TEST(PublicMockCluster, delays_answers_until_it_is_told_otherwise) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  cluster.delay(Api::produce, 1h);
  Producer producer(producer_config(cluster));
  auto sent = producer.send({.topic = "orders", .value = "late"});
  while (cluster.request_count(Api::produce) == 0) std::this_thread::sleep_for(1ms);
  EXPECT_FALSE(sent.wait_for(0s));
  cluster.clear_faults();
  cluster.break_connections();
  EXPECT_TRUE(sent.get());
}

TEST(PublicMockCluster, others_lead_what_a_dead_broker_led) {
  mock::Cluster cluster({.brokers = 3});
  cluster.create_topic("orders", {.replication_factor = 3});
  const std::int32_t first = cluster.leader(orders);
  Producer producer(producer_config(cluster));
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "1"}).get());
  cluster.kill_broker(first);
  EXPECT_NE(cluster.leader(orders), first);
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "2"}).get());
  cluster.restart_broker(first);
  cluster.move_leader(orders, first);
  EXPECT_EQ(cluster.leader(orders), first);
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "3"}).get());
  EXPECT_EQ(cluster.records(orders).size(), 3U);
}

TEST(PublicMockCluster, loses_records_as_it_is_told) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  // Batches of one record each.
  for (const char* value : {"0", "1", "2", "3"})
    cluster.append(orders, {.topic = "orders", .value = value});
  cluster.delete_before(orders, 1);
  cluster.lose_from(orders, 3);
  EXPECT_EQ(cluster.start_offset(orders), 1);
  EXPECT_EQ(cluster.end_offset(orders), 3);
}

TEST(PublicMockCluster, tells_what_was_committed_from_what_was_not) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  Producer producer(producer_config(cluster) + Config{{"transactional.id", "copy"}});
  ASSERT_TRUE(producer.init_transactions());
  {
    auto transaction = producer.begin();
    transaction.add({.topic = "orders", .value = "kept"});
    ASSERT_TRUE(transaction.commit());
  }
  auto open = producer.begin();
  ASSERT_TRUE(open.send({.topic = "orders", .value = "lost"}).get());
  EXPECT_EQ(cluster.committed_records(orders).size(), 1U);
  EXPECT_EQ(cluster.records(orders).size(), 2U);
  EXPECT_TRUE(cluster.time_out_transaction("copy"));
  EXPECT_FALSE(cluster.time_out_transaction("copy"));
  EXPECT_FALSE(open.commit());
  EXPECT_EQ(cluster.committed_records(orders).size(), 1U);
}

TEST(PublicMockCluster, tells_what_it_was_asked) {
  mock::Cluster cluster({.brokers = 2});
  cluster.create_topic("orders");
  cluster.set_coordinator("readers", 2);
  Consumer consumer(consumer_config(cluster) + Config{{"client.id", "billing"}});
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  while (cluster.request_count(Api::join_group) == 0) ASSERT_TRUE(consumer.poll(10ms));
  std::optional<mock::Request> join;
  for (mock::Request& request : cluster.requests())
    if (request.api == Api::join_group) join = std::move(request);
  ASSERT_TRUE(join);
  EXPECT_EQ(join->broker, 2);
  EXPECT_EQ(join->client_id, "billing");
  EXPECT_GT(join->version, 0);
  EXPECT_GT(join->connection, 0U);
  EXPECT_FALSE(join->body.empty());
  EXPECT_LE(join->time, std::chrono::steady_clock::now());
  EXPECT_GT(cluster.connection_count(), 0U);
  ASSERT_TRUE(consumer.close());
  cluster.clear_requests();
  EXPECT_EQ(cluster.request_count(Api::join_group), 0U);
}

TEST(PublicMockCluster, takes_the_part_of_an_older_broker) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  cluster.set_versions(Api::produce, 3, 8);
  Producer producer(producer_config(cluster));
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "x"}).get());
  for (const mock::Request& request : cluster.requests()) {
    if (request.api == Api::produce) EXPECT_EQ(request.version, 8);
  }
  cluster.withdraw(Api::produce);
  EXPECT_NE(refusal_of([&] { cluster.set_versions(Api::produce, 3, 8); }), "");
}

TEST(PublicMockCluster, a_mistake_of_the_test_throws_a_sentence) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  EXPECT_EQ(refusal_of([&] { cluster.delete_topic("orderz"); }), "the mock has no topic orderz");
  EXPECT_NE(refusal_of([&] { cluster.create_topic("orders"); }), "");
  EXPECT_NE(refusal_of([&] { cluster.create_topic("none", 0); }), "");
  EXPECT_NE(refusal_of([&] { static_cast<void>(cluster.records({"orders", 1})); }), "");
  EXPECT_NE(refusal_of([&] { static_cast<void>(cluster.records({"orders", -1})); }), "");
  EXPECT_NE(refusal_of([&] { cluster.kill_broker(2); }), "");
  EXPECT_NE(refusal_of([&] { cluster.set_coordinator("group", 0); }), "");
  EXPECT_NE(refusal_of([&] { cluster.break_connections(7); }), "");
  EXPECT_NE(refusal_of([&] { cluster.delay(Api::fetch, -1ms); }), "");
  EXPECT_NE(refusal_of([&] { mock::Cluster none({.brokers = 0}); }), "");
  EXPECT_NE(refusal_of([&] { mock::Cluster nowhere({.host = "no address"}); }), "");
}

TEST(PublicMockCluster, ends_while_clients_are_connected) {
  std::optional<mock::Cluster> cluster(std::in_place);
  cluster->create_topic("orders");
  Producer producer(producer_config(*cluster) +
                    Config{{"request.timeout.ms", "100"}, {"delivery.timeout.ms", "200"}});
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "there"}).get());
  mock::Cluster moved = *std::move(cluster);
  cluster.reset();
  ASSERT_TRUE(producer.send({.topic = "orders", .value = "there too"}).get());
  moved = mock::Cluster();
  const auto lost = producer.send({.topic = "orders", .value = "lost"}).get();
  ASSERT_FALSE(lost);
  EXPECT_TRUE(lost.error().is_retriable()) << lost.error();
}

TEST(PublicMockCluster, is_not_in_a_forked_child) {
  std::optional<mock::Cluster> cluster(std::in_place);
  cluster->create_topic("orders");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool is_refused = !refusal_of([&] { cluster->create_topic("bills"); }).empty();
    cluster.reset();
    ::_exit(is_refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  cluster->append(orders, {.topic = "orders", .value = "still there"});
}

TEST(PublicMockCluster, is_used_by_several_threads) {
  mock::Cluster cluster;
  cluster.create_topic("orders");
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([&] {
      for (int count = 0; count < 50; ++count)
        cluster.append(orders, {.topic = "orders", .value = "x"});
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cluster.end_offset(orders), 200);
}

TEST(Api, has_the_names_of_kafka) {
  EXPECT_EQ(name_of(Api::produce), "Produce");
  EXPECT_EQ(name_of(Api::join_group), "JoinGroup");
  EXPECT_EQ(static_cast<int>(Api::api_versions), 18);
}

}  // namespace
