// The public admin client against a cluster of the process.
#include "millrace/admin.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/consumer.hpp"
#include "millrace/producer.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

const TopicPartition orders{"orders", 0};

class AdminTest : public testing::Test {
 protected:
  Config config() const { return {{"bootstrap.servers", cluster_.bootstrap()}}; }

  // A topic with records, and a group that read two of them.
  void read_by_group() {
    cluster_.create_topic("orders");
    Producer producer(config());
    for (int index = 0; index < 5; ++index)
      ASSERT_TRUE(producer.post({.topic = "orders", .value = "x"}));
    ASSERT_TRUE(producer.close());
    Consumer consumer(config() + Config{{"group.id", "billing"},
                                        {"auto.offset.reset", "earliest"},
                                        {"enable.auto.commit", "false"}});
    ASSERT_TRUE(consumer.subscribe({"orders"}));
    ASSERT_TRUE(consumer.poll(10s));
    ASSERT_TRUE(consumer.commit({{orders, 2}}));
    const auto groups = Admin(config()).describe_groups({"billing"}).get();
    ASSERT_TRUE(groups[0].second) << groups[0].second.error().message();
    EXPECT_EQ(groups[0].second->members.size(), 1U);
    EXPECT_EQ(groups[0].second->members[0].assignment, std::vector{orders});
  }

  MockCluster cluster_;
};

TEST_F(AdminTest, creates_topics_with_an_outcome_for_each) {
  cluster_.create_topic("there");
  Admin admin(config());
  auto created = admin.create_topics({{.name = "orders",
                                       .partitions = 6,
                                       .replication_factor = 1,
                                       .configs = {{"cleanup.policy", "compact"}}},
                                      {.name = "there"}});
  const auto outcomes = created.get();
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[0].first, "orders");
  ASSERT_TRUE(outcomes[0].second) << outcomes[0].second.error().message();
  EXPECT_EQ(outcomes[0].second->partitions, 6);
  ASSERT_FALSE(outcomes[1].second);
  EXPECT_EQ(outcomes[1].second.error().code(), ErrorCode::topic_already_exists);

  const auto topics = admin.list_topics().get();
  ASSERT_TRUE(topics) << topics.error().message();
  EXPECT_EQ(topics->size(), 2U);
}

TEST_F(AdminTest, describes_topics) {
  cluster_.create_topic("orders", 3);
  Admin admin(config());
  const auto described = admin.describe_topics({"orders", "nowhere"}).get();
  ASSERT_EQ(described.size(), 2U);
  ASSERT_TRUE(described[0].second) << described[0].second.error().message();
  const DescribedTopic& topic = *described[0].second;
  ASSERT_EQ(topic.partitions.size(), 3U);
  EXPECT_EQ(topic.partitions[2].partition, 2);
  EXPECT_EQ(topic.partitions[2].leader, 1);
  EXPECT_EQ(topic.partitions[2].in_sync, std::vector<std::int32_t>{1});
  EXPECT_NE(topic.id, Uuid());
  ASSERT_FALSE(described[1].second);
  EXPECT_EQ(described[1].second.error().code(), ErrorCode::unknown_topic_or_partition);
}

TEST_F(AdminTest, adds_partitions_and_deletes_topics) {
  cluster_.create_topic("orders");
  Admin admin(config());
  EXPECT_TRUE(admin.create_partitions({{"orders", 4}}).get()[0].second);
  EXPECT_EQ(admin.describe_topics({"orders"}).get()[0].second->partitions.size(), 4U);
  const auto deleted = admin.delete_topics({"orders", "nowhere"}).get();
  EXPECT_TRUE(deleted[0].second);
  EXPECT_FALSE(deleted[1].second);
  EXPECT_TRUE(admin.list_topics().get()->empty());
}

TEST_F(AdminTest, only_checks_where_that_is_wished) {
  Admin admin(config());
  const auto checked =
      admin.create_topics({{.name = "orders", .partitions = 1}}, {.validate_only = true}).get();
  EXPECT_TRUE(checked[0].second) << checked[0].second.error().message();
  EXPECT_TRUE(admin.list_topics().get()->empty());
}

TEST_F(AdminTest, deletes_records_below_an_offset) {
  read_by_group();
  Admin admin(config());
  const auto deleted = admin.delete_records({{orders, 3}}).get();
  ASSERT_TRUE(deleted[0].second) << deleted[0].second.error().message();
  EXPECT_EQ(*deleted[0].second, 3);
  EXPECT_EQ(cluster_.records("orders").size(), 2U);
}

TEST_F(AdminTest, changes_settings_and_shows_them) {
  cluster_.create_topic("orders");
  Admin admin(config());
  const ConfigResource topic{ResourceType::topic, "orders"};
  const auto altered =
      admin
          .alter_configs(
              {{.resource = topic, .changes = {{.name = "retention.ms", .value = "5000"}}}})
          .get();
  ASSERT_TRUE(altered[0].second) << altered[0].second.error().message();
  const auto described = admin.describe_configs({topic}).get();
  ASSERT_TRUE(described[0].second) << described[0].second.error().message();
  const auto& entries = *described[0].second;
  const auto found = std::ranges::find(entries, "retention.ms", &ConfigEntry::name);
  ASSERT_NE(found, entries.end());
  EXPECT_EQ(found->value, "5000");
  EXPECT_FALSE(found->is_default);
}

TEST_F(AdminTest, describes_the_cluster) {
  const auto cluster = Admin(config()).describe_cluster().get();
  ASSERT_TRUE(cluster) << cluster.error().message();
  ASSERT_EQ(cluster->brokers.size(), 1U);
  EXPECT_EQ(cluster->brokers[0].host, "127.0.0.1");
  EXPECT_NE(cluster->brokers[0].port, 0);
}

TEST_F(AdminTest, shows_and_changes_what_groups_committed) {
  read_by_group();
  Admin admin(config());
  const auto groups = admin.list_groups().get();
  ASSERT_TRUE(groups) << groups.error().message();
  ASSERT_EQ(groups->groups.size(), 1U);
  EXPECT_EQ(groups->groups[0].id, "billing");
  auto offsets = admin.list_group_offsets("billing").get();
  ASSERT_TRUE(offsets) << offsets.error().message();
  ASSERT_EQ(offsets->size(), 1U);
  EXPECT_EQ((*offsets)[0].first, orders);
  EXPECT_EQ((*offsets)[0].second.value(), 2);

  const auto altered = admin.alter_group_offsets("billing", {{orders, 4}}).get();
  ASSERT_TRUE(altered[0].second) << altered[0].second.error().message();
  offsets = admin.list_group_offsets("billing", {orders}).get();
  EXPECT_EQ((*offsets)[0].second.value(), 4);
  EXPECT_TRUE(admin.delete_groups({"billing"}).get()[0].second);
  EXPECT_TRUE(admin.list_groups().get()->groups.empty());
}

TEST_F(AdminTest, tells_each_thing_that_nobody_answered_in_time) {
  Admin admin({{"bootstrap.servers", "127.0.0.1:1"}},
              {.log = [](LogLevel, std::string_view, std::string_view) {}});
  const auto deleted = admin.delete_topics({"a", "b"}, {.timeout = 10ms}).get();
  ASSERT_EQ(deleted.size(), 2U);
  for (const auto& [topic, outcome] : deleted) EXPECT_FALSE(outcome) << topic;
  EXPECT_FALSE(admin.list_topics({.timeout = 10ms}).get());
}

TEST_F(AdminTest, ends_what_is_under_way_when_it_ends) {
  Future<Result<std::vector<ListedTopic>>> listed = [] {
    Admin admin({{"bootstrap.servers", "127.0.0.1:1"}},
                {.log = [](LogLevel, std::string_view, std::string_view) {}});
    return admin.list_topics();
  }();
  ASSERT_TRUE(listed.is_ready());
  EXPECT_FALSE(listed.get());
}

TEST_F(AdminTest, tells_all_that_is_wrong_with_its_settings) {
  const auto opened = Admin::open({{"bootstrap.servers", "localhost"}, {"retrys", "1"}});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("retrys"), std::string::npos);
  EXPECT_THROW(Admin({{"retrys", "1"}}), Failed);
}

TEST_F(AdminTest, may_be_dropped_on_its_own_thread) {
  auto admin = std::make_shared<Admin>(config());
  Admin& asked = *admin;
  std::atomic<int> dropped = 0;
  asked.list_topics().then([owner = std::move(admin), &dropped](const auto& topics) mutable {
    EXPECT_TRUE(topics);
    owner.reset();
    dropped = 1;
    dropped.notify_all();
  });
  dropped.wait(0);
}

TEST_F(AdminTest, refuses_to_work_in_a_forked_process) {
  Admin admin(config());
  ASSERT_TRUE(admin.list_topics().get());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto deleted = admin.delete_topics({"orders"}).get();
    const bool is_refused = deleted.size() == 1 && !deleted[0].second && !admin.list_topics().get();
    {
      const Admin gone = std::move(admin);
    }
    ::_exit(is_refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
