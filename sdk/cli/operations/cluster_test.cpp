// Commands against a cluster of the process, which has three brokers and does wrong what it is
// told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/admin.hpp"
#include "millrace/config.hpp"

import millrace.cli.frame;
import millrace.cli.operations;
import millrace.mock;

namespace millrace::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Said {
  int code = 0;
  std::string output;
  std::string errors;
};

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int letter = std::fgetc(file); letter != EOF; letter = std::fgetc(file))
    text += static_cast<char>(letter);
  std::fclose(file);
  return text;
}

class ClusterCommands : public testing::Test {
 protected:
  ClusterCommands() {
    auto started =
        mock::LiveCluster::start({.brokers = 3}, Logger(std::make_shared<MemoryLogSink>(), "mock"));
    check(started.has_value(), "the mock listens");
    cluster_ = *std::move(started);
    std::vector<Command> commands = cluster_commands();
    for (auto& more : {topic_commands(), group_commands(), config_commands(), debug_commands(),
                       profile_commands()})
      commands.insert(commands.end(), more.begin(), more.end());
    program_ = std::make_unique<Program>(std::move(commands), [](Completes, const Arguments&) {
      return std::vector<std::string>();
    });
  }

  void create(std::string_view topic, int partitions, int replicas) {
    check(cluster_->run([&](mock::Cluster& cluster) {
      return cluster
          .create_topic(topic, {.partitions = partitions,
                                .replication_factor = static_cast<std::int16_t>(replicas)})
          .has_value();
    }),
          "the mock takes a topic");
  }
  // The line is apart by blanks.
  Said run(std::string_view line) {
    std::vector<std::string> words = split(line, ' ');
    words.insert(words.end(), {"-b", cluster_->bootstrap(), "--timeout", "20"});
    std::FILE* output = std::tmpfile();
    std::FILE* errors = std::tmpfile();
    const int code = program_->run(words, output, errors);
    return {code, contents(output), contents(errors)};
  }

  std::unique_ptr<mock::LiveCluster> cluster_;
  std::unique_ptr<Program> program_;
};

TEST_F(ClusterCommands, tell_that_all_is_well_and_what_is_not) {
  create("orders", 3, 1);
  create("paid", 1, 3);
  const Said well = run("cluster health");
  EXPECT_EQ(well.code, 0) << well.errors;
  EXPECT_THAT(well.output, HasSubstr("healthy: 3 brokers, "));
  EXPECT_THAT(well.output, HasSubstr("0 partitions without leader, 0 under-replicated\n"));
  ASSERT_TRUE(cluster_->run([](mock::Cluster& cluster) { return cluster.kill(BrokerId(3)); }));
  const Said unwell = run("cluster health -o json");
  EXPECT_EQ(unwell.code, 1);
  EXPECT_THAT(unwell.output, HasSubstr("\"healthy\":false,\"brokers\":2,"));
  EXPECT_THAT(unwell.output, HasSubstr("\"without_leader\":1,"));
  EXPECT_THAT(run("cluster health").output, HasSubstr("not healthy: 2 brokers, "));
}

TEST_F(ClusterCommands, describe_groups_of_other_kinds) {
  create("orders", 2, 1);
  ASSERT_TRUE(cluster_->run([](mock::Cluster& cluster) {
    const auto member = [](std::vector<std::int32_t> partitions) {
      return mock::PlantedMember{.id = "one", .topic = "orders", .partitions = partitions};
    };
    cluster.plant_group({.kind = mock::GroupKind::share,
                         .id = "sharers",
                         .members = {member({0, 1}), member({0})},
                         .starts = {{{"orders", 0}, Offset(0)}}});
    cluster.plant_group(
        {.kind = mock::GroupKind::streams, .id = "flow", .members = {member({1}), member({})}});
    return true;
  }));
  EXPECT_EQ(run("group describe sharers -o tsv").output,
            "group\tstate\ttopic\tpartition\tcommitted\tend\tlag\tmember\n"
            "sharers\tstable\torders\t0\t0\t0\t0\tworker (127.0.0.1), worker (127.0.0.1)\n"
            "sharers\tstable\torders\t1\t\t0\t0\tworker (127.0.0.1)\n");
  EXPECT_EQ(run("group describe flow -o tsv").output,
            "group\tstate\ttopic\tpartition\tcommitted\tend\tlag\tmember\n"
            "flow\tstable\torders\t1\t\t0\t0\tworker (127.0.0.1)\n"
            "flow\tstable\t\t\t\t\t\tworker (127.0.0.1)\n");
}

TEST_F(ClusterCommands, tell_groups_of_other_kinds_apart) {
  ASSERT_TRUE(cluster_->run([](mock::Cluster& cluster) {
    cluster.plant_group({.kind = mock::GroupKind::share, .id = "sharers"});
    return true;
  }));
  EXPECT_EQ(run("group describe sharer").errors, "error: no group sharer; did you mean sharers?\n");
  create("orders", 1, 1);
  for (const char* what : {"--to start", "--to start --topic orders --execute"}) {
    EXPECT_THAT(run(joined("group reset-offsets sharers ", what)).errors,
                HasSubstr("group sharers is of the type share"));
  }
}

TEST_F(ClusterCommands, drain_a_broker) {
  create("orders", 6, 2);
  const Said shown = run("cluster drain 3");
  EXPECT_EQ(shown.code, 0) << shown.errors;
  EXPECT_THAT(shown.output, HasSubstr("nothing was changed; with --execute this will be:\n"));
  const Said done = run("cluster drain 3 --execute --wait");
  EXPECT_EQ(done.code, 0) << done.errors;
  EXPECT_EQ(run("cluster drain 3").output, "nothing to move\n");
  EXPECT_EQ(run("cluster drain 1,2").errors, "error: BROKER is one number, not '1,2'\n");
  EXPECT_THAT(run("cluster drain 9").errors, HasSubstr("error: there is no broker 9"));
  EXPECT_EQ(run("cluster reassign").output, "nothing is being moved\n");
}

TEST_F(ClusterCommands, put_partitions_where_they_are_wanted) {
  create("orders", 2, 1);
  const Said done = run("cluster reassign orders:1 --to 2,3 -r 2 --execute -o json");
  EXPECT_EQ(done.code, 0) << done.output;
  EXPECT_THAT(done.output, HasSubstr("{\"changed\":true,\"partitions\":[{\"topic\":\"orders\","
                                     "\"partition\":1,"));
  EXPECT_EQ(run("cluster reassign orders --to 9").code, 2);
  EXPECT_THAT(run("cluster reassign orders --to 1 -r 2").errors,
              HasSubstr("orders-0 needs 2 replicas, and there is 1 broker for that"));
  EXPECT_THAT(run("cluster reassign orders:7 --to 1").errors,
              HasSubstr("topic orders has no partition 7"));
}

TEST_F(ClusterCommands, let_preferred_brokers_lead_again) {
  create("orders", 1, 3);
  const auto preferred = cluster_->run(
      [](mock::Cluster& cluster) { return *cluster.leader("orders", PartitionIndex(0)); });
  const BrokerId other(preferred == BrokerId(1) ? 2 : 1);
  ASSERT_TRUE(cluster_->run([&](mock::Cluster& cluster) {
    return cluster.move_leader("orders", PartitionIndex(0), other);
  }));
  EXPECT_THAT(run("cluster leaders").output,
              HasSubstr("not led by the preferred broker: 1 of 1 partition;"));
  EXPECT_EQ(run("cluster elect").output, "orders-0 has a new leader\n");
  EXPECT_EQ(run("cluster elect orders").output, "all are led as they should be\n");
  EXPECT_EQ(run("cluster elect --unclean").code, 2);
}

TEST_F(ClusterCommands, move_a_group_no_further_than_the_end) {
  create("orders", 1, 1);
  const std::vector<mock::StoredRecord> records(2);
  ASSERT_TRUE(cluster_->run([&](mock::Cluster& cluster) {
    return cluster.append("orders", PartitionIndex(0), records).has_value();
  }));
  v1::Admin admin(v1::Config{{"bootstrap.servers", cluster_->bootstrap()}});
  const auto last = std::numeric_limits<std::int64_t>::max();
  for (const auto& [partition, outcome] :
       admin.alter_group_offsets("readers", {{{"orders", 0}, last}}).get())
    ASSERT_TRUE(outcome) << outcome.error().message();
  for (const char* shift : {"1", "1000000000000000000"}) {
    const Said said = run(joined("group reset-offsets readers -o json --shift ", shift));
    EXPECT_THAT(said.output, HasSubstr("\"from\":9223372036854775807,\"to\":2}")) << said.errors;
  }
}

TEST_F(ClusterCommands, have_an_outcome_for_each_topic) {
  create("orders", 2, 1);
  const Said said = run("topic delete orders orderz");
  EXPECT_EQ(said.code, 1);
  EXPECT_EQ(said.output, "deleted orders\n");
  EXPECT_EQ(said.errors, "error: no topic orderz; did you mean orders?\n");
}

TEST_F(ClusterCommands, show_nothing_of_secret_settings) {
  create("orders", 1, 1);
  // This broker does not say of any setting that it is sensitive.
  for (const char* name : {"ssl.keystore.certificate.chain", "ssl.truststore.certificates",
                           "listener.name.outer.ssl.key.pem", "sasl.jaas.config"}) {
    const Said set = run(joined("config set broker 1 ", name, "=planted-word"));
    EXPECT_EQ(set.output, joined("broker 1: ", name, " = (secret)\n")) << set.errors;
    const Said got = run(joined("config get broker 1 ", name));
    EXPECT_THAT(got.output, HasSubstr("(secret)")) << got.errors;
    EXPECT_THAT(got.output, Not(HasSubstr("planted")));
  }
  ASSERT_EQ(run("config set broker 1 message.max.bytes=12345").code, 0);
  for (const char* format : {"table", "json", "tsv"}) {
    const Said listed = run(joined("config list broker 1 --all -o ", format));
    EXPECT_THAT(listed.output, HasSubstr("12345"));
    EXPECT_THAT(listed.output, HasSubstr("ssl.truststore.certificates"));
    EXPECT_THAT(listed.output, Not(HasSubstr("planted"))) << format;
  }
  const std::string path = testing::TempDir() + "millrace-secrets.tar";
  for (const char* more : {"", " -X sasl.password=planted-word"}) {
    const Said bundled = run(joined("debug bundle ", path, more));
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_THAT(bytes, HasSubstr("about.json"));
    EXPECT_THAT(bytes, Not(HasSubstr("planted")));
    EXPECT_THAT(bundled.output + bundled.errors, Not(HasSubstr("planted")));
    if (std::string_view(more).empty()) {
      EXPECT_THAT(bytes, HasSubstr("configs/broker-1.json"));
      EXPECT_THAT(bytes, HasSubstr("12345"));
    }
  }
  std::filesystem::remove(path);
}

TEST_F(ClusterCommands, say_once_what_a_refusal_is_about) {
  create("orders", 2, 1);
  EXPECT_THAT(run("config set topic orders cleanup.policy=bogus").errors,
              testing::StartsWith("error: settings of topic orders: "));
  EXPECT_THAT(run("topic alter orders -c cleanup.policy=bogus").errors,
              testing::StartsWith("error: settings of topic orders: "));
}

TEST_F(ClusterCommands, say_what_the_brokers_refused) {
  cluster_->run([](mock::Cluster& cluster) {
    cluster.fail_next(protocol::ApiKey::create_topics,
                      protocol::ErrorCode::topic_authorization_failed, mock::always);
  });
  const Said said = run("topic create orders");
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.errors, HasSubstr("error: topic orders: "));
  EXPECT_THAT(said.errors, HasSubstr("(TOPIC_AUTHORIZATION_FAILED)\n"));
}

}  // namespace
}  // namespace millrace::cli
