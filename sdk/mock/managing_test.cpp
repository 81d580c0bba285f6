// Also proves managed_groups.cpp, managed_groups.cppm.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using namespace std::chrono_literals;
using Request = protocol::ConsumerGroupHeartbeatRequest;
using Response = protocol::ConsumerGroupHeartbeatResponse;

// A member as a client is one: it holds what it is assigned, and says so when the test wants it.
struct ManagedMember {
  ManagedMember(MockMachine& m, std::string name)
      : client(m.network, m.pool), id(std::move(name)) {}

  Task<int> beat(bool says_what_it_holds = false) {
    Request request;
    std::vector<protocol::String> topics = {"orders"};
    std::vector<Request::TopicPartitions> rows;
    if (epoch == 0) {
      held.clear();
      says_what_it_holds = true;
      request.rebalance_timeout_ms = 10'000;
      request.subscribed_topic_names = std::span(std::as_const(topics));
      if (!assignor.empty()) request.server_assignor = assignor;
    }
    if (!held.empty())
      rows.push_back({.topic_id = topic, .partitions = std::span(std::as_const(held))});
    if (says_what_it_holds) request.topic_partitions = std::span(std::as_const(rows));
    co_return co_await send(request, epoch);
  }
  Task<int> leave(std::int32_t with_epoch) {
    Request request;
    co_return co_await send(request, with_epoch);
  }
  Task<int> send(Request request, std::int32_t with_epoch) {
    request.group_id = "billing";
    request.member_id = id;
    request.member_epoch = with_epoch;
    if (!instance.empty()) request.instance_id = instance;
    const auto got = co_await client.call<Response>(request, 1);
    EXPECT_TRUE(got.has_value());
    if (!got) co_return -2;
    if (got->message.error_code == 0 && with_epoch >= 0) epoch = got->message.member_epoch;
    if (got->message.assignment != nullptr) {
      held.clear();
      for (const auto& row : got->message.assignment->topic_partitions) {
        topic = row.topic_id;
        held.assign(row.partitions.begin(), row.partitions.end());
      }
    }
    co_return got->message.error_code;
  }

  RawClient client;
  std::string id;
  std::string instance;
  std::string assignor;
  std::int32_t epoch = 0;
  Uuid topic;
  std::vector<std::int32_t> held;
};

class MockManagedGroups : public testing::Test {
 protected:
  MockManagedGroups() {
    EXPECT_TRUE(machine.cluster->create_topic("orders", {.partitions = 4}).has_value());
  }
  Task<void> connect() {
    for (ManagedMember* member : {&one, &two}) {
      EXPECT_TRUE(co_await member->client.connect(machine.address()));
    }
  }
  void close() {
    one.client.close();
    two.client.close();
  }

  MockMachine machine;
  ManagedMember one{machine, "one"};
  ManagedMember two{machine, "two"};
};

TEST_F(MockManagedGroups, give_a_member_what_another_had_once_that_one_has_given_it_up) {
  machine.run([&]() -> Task<void> {
    co_await connect();
    EXPECT_EQ(co_await one.beat(), none);
    EXPECT_EQ(one.held, (std::vector<std::int32_t>{0, 1, 2, 3}));
    EXPECT_EQ(co_await one.beat(true), none);
    EXPECT_EQ(co_await two.beat(), none);
    EXPECT_TRUE(two.held.empty()) << "it is all held still";
    const std::int32_t before = one.epoch;
    EXPECT_EQ(co_await one.beat(), none);
    EXPECT_EQ(one.held.size(), 2u);
    EXPECT_EQ(one.epoch, before) << "it has given up nothing yet";
    EXPECT_EQ(co_await two.beat(), none);
    EXPECT_TRUE(two.held.empty());
    EXPECT_EQ(co_await one.beat(true), none);
    EXPECT_EQ(one.epoch, two.epoch);
    EXPECT_EQ(co_await two.beat(), none);
    EXPECT_EQ(two.held.size(), 2u);
    EXPECT_EQ(co_await two.leave(-1), none);
    EXPECT_EQ(co_await one.beat(), none);
    EXPECT_EQ(one.held.size(), 4u);
    close();
  }());
}

TEST_F(MockManagedGroups, know_members_by_their_epochs_as_long_as_they_are_heard) {
  machine.run([&]() -> Task<void> {
    co_await connect();
    EXPECT_EQ(co_await one.beat(), none);
    EXPECT_EQ(co_await two.beat(), none);
    one.epoch += 5;
    EXPECT_EQ(co_await one.beat(), number(ErrorCode::fenced_member_epoch));
    one.epoch = 0;
    EXPECT_EQ(co_await one.beat(), none);
    co_await sleep_until(machine.executor, machine.now() + 11s);
    EXPECT_EQ(co_await one.beat(), number(ErrorCode::unknown_member_id));
    EXPECT_EQ(co_await two.leave(-1), number(ErrorCode::unknown_member_id));
    one.epoch = 0;
    EXPECT_EQ(co_await one.beat(), none);
    EXPECT_EQ(one.held.size(), 4u) << "the other one is gone";
    close();
  }());
}

TEST_F(MockManagedGroups, keep_the_place_of_a_static_member_that_left_for_a_while) {
  one.instance = two.instance = "instance-1";
  machine.run([&]() -> Task<void> {
    co_await connect();
    EXPECT_EQ(co_await one.beat(), none);
    EXPECT_EQ(co_await two.beat(), number(ErrorCode::unreleased_instance_id));
    EXPECT_EQ(co_await one.leave(-2), none);
    EXPECT_EQ(co_await two.beat(), none);
    EXPECT_EQ(two.held.size(), 4u);
    EXPECT_EQ(two.epoch, one.epoch) << "nothing has changed for others";
    EXPECT_EQ(co_await one.beat(), number(ErrorCode::fenced_instance_id));
    close();
  }());
}

TEST_F(MockManagedGroups, refuse_an_assignor_that_brokers_do_not_have) {
  one.assignor = "mine";
  machine.run([&]() -> Task<void> {
    co_await connect();
    EXPECT_EQ(co_await one.beat(), number(ErrorCode::unsupported_assignor));
    one.assignor = "range";
    EXPECT_EQ(co_await one.beat(), none);
    close();
  }());
}

TEST_F(MockManagedGroups, take_commits_of_members_in_their_epoch) {
  machine.run([&]() -> Task<void> {
    co_await connect();
    EXPECT_EQ(co_await one.beat(), none);
    const auto commit = [&](std::string_view member, std::int32_t epoch) -> Task<int> {
      using Commit = protocol::OffsetCommitRequest;
      Commit::OffsetCommitRequestPartition part{.partition_index = 1, .committed_offset = 7};
      Commit::OffsetCommitRequestTopic topic;
      topic.name = "orders";
      topic.partitions = {&part, 1};
      Commit request;
      request.group_id = "billing";
      request.member_id = member;
      request.generation_id_or_member_epoch = epoch;
      request.topics = {&topic, 1};
      const auto got = co_await one.client.call<protocol::OffsetCommitResponse>(request, 9);
      EXPECT_TRUE(got && got->message.topics.size() == 1);
      co_return got ? got->message.topics[0].partitions[0].error_code : -2;
    };
    EXPECT_EQ(co_await commit("one", one.epoch), none);
    EXPECT_EQ(co_await commit("one", one.epoch - 1), number(ErrorCode::stale_member_epoch));
    EXPECT_EQ(co_await commit("who", one.epoch), number(ErrorCode::unknown_member_id));
    const auto fetch = [&](std::int32_t epoch) -> Task<std::int64_t> {
      using Fetch = protocol::OffsetFetchRequest;
      const std::int32_t partition = 1;
      Fetch::OffsetFetchRequestTopics topic;
      topic.name = "orders";
      topic.partition_indexes = {&partition, 1};
      Fetch::OffsetFetchRequestGroup group;
      group.group_id = "billing";
      group.member_id = "one";
      group.member_epoch = epoch;
      group.topics = {&topic, 1};
      Fetch request;
      request.groups = {&group, 1};
      const auto got = co_await one.client.call<protocol::OffsetFetchResponse>(request, 9);
      EXPECT_TRUE(got && got->message.groups.size() == 1);
      if (!got) co_return -2;
      const auto& answered = got->message.groups[0];
      if (answered.error_code != 0) co_return -answered.error_code;
      co_return answered.topics[0].partitions[0].committed_offset;
    };
    EXPECT_EQ(co_await fetch(one.epoch), 7);
    EXPECT_EQ(co_await fetch(one.epoch + 1), -number(ErrorCode::stale_member_epoch));
    close();
  }());
}

}  // namespace
}  // namespace millrace::mock
