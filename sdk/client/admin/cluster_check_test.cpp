// Lets an administrative client do everything against the cluster that is named on the command
// line, once; says what went wrong and ends with 1. With "operations" the cluster is Apache Kafka
// with an authoriser, and everything that it offers to operators is done, too; without, a broker
// that does not offer it is to say so. With "controllers" it is a controller of Apache Kafka, with
// "telemetry" a broker that collects metrics of clients, and only what concerns that is done; so
// with "streams", while an application of Kafka Streams runs, and "streams-ended" afterwards.
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster_check.hpp"

import millrace.base;
import millrace.client.admin;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {
namespace {

class Check : public Expectations {
 public:
  explicit Check(AdminClient& admin) : admin_(admin) {}

  Task<int> run() {
    co_await topics();
    co_await settings();
    co_await cluster();
    co_await group();
    co_await partitions();
    co_await placement();
    expect(co_await admin_.delete_topics({"check-a", "check-nothing"}), "delete_topics",
           {ErrorCode::none, ErrorCode::unknown_topic_or_partition});
    co_return failures();
  }

 private:
  Task<void> topics() {
    const std::vector<NewTopic> wanted = {
        {.name = "check-a",
         .partitions = 3,
         .replication_factor = 1,
         .configs = {{"retention.ms", "7200000"}}},
        {.name = "bad name", .partitions = 1, .replication_factor = 1},
        {.name = "check-wrong",
         .partitions = 1,
         .replication_factor = 1,
         .configs = {{"retention.ms", "soon"}}}};
    expect(co_await admin_.create_topics(wanted), "create_topics",
           {ErrorCode::none, ErrorCode::invalid_topic_exception, ErrorCode::invalid_config});
    expect(co_await admin_.create_topics({wanted[0]}), "create_topics again",
           {ErrorCode::topic_already_exists});
    const auto described = co_await admin_.describe_topics({"check-a", "check-nothing"});
    expect(described, "describe_topics", {ErrorCode::none, ErrorCode::unknown_topic_or_partition});
    if (described[0].second) {
      expect(described[0].second->partitions.size() == 3 && !described[0].second->id.is_zero(),
             "a topic has three partitions and an id");
    }
    const auto listed = co_await admin_.list_topics();
    expect(listed, "list_topics");
    expect(listed && std::ranges::count(*listed, "check-a", &ListedTopic::name) == 1,
           "the topic is listed");
    expect(co_await admin_.create_partitions({{"check-a", 5}, {"check-nothing", 2}}),
           "create_partitions", {ErrorCode::none, ErrorCode::unknown_topic_or_partition});
  }

  Task<void> settings() {
    const ConfigResource topic{ResourceType::topic, "check-a"};
    expect(co_await admin_.alter_configs({{topic,
                                           {{"cleanup.policy", ConfigOperation::append, "compact"},
                                            {"retention.ms", ConfigOperation::remove}}},
                                          {{ResourceType::topic, "check-nothing"},
                                           {{"retention.ms", ConfigOperation::set, "1"}}}}),
           "alter_configs", {ErrorCode::none, ErrorCode::unknown_topic_or_partition});
    // A broker hears of the change a moment later.
    for (int tries = 0; tries < 100; ++tries) {
      const auto told = co_await admin_.describe_configs({topic});
      expect(told, "describe_configs", {ErrorCode::none});
      if (!told[0].second) co_return;
      const auto policy = std::ranges::find(*told[0].second, "cleanup.policy", &ConfigEntry::name);
      if (policy != told[0].second->end() && policy->value == "delete,compact") co_return;
    }
    expect(false, "a change of the settings is seen");
  }

  Task<void> cluster() {
    const auto cluster = co_await admin_.describe_cluster();
    expect(cluster, "describe_cluster");
    if (!cluster || cluster->brokers.empty()) co_return expect(false, "there is a broker");
    const BrokerId broker = cluster->brokers.front().id;
    const auto directories = co_await admin_.describe_log_dirs({broker});
    expect(directories, "describe_log_dirs", {ErrorCode::none});
    expect(directories[0].second && !directories[0].second->empty(), "a broker has directories");
    expect(
        co_await admin_.describe_configs({{ResourceType::broker, std::to_string(broker.value())}}),
        "describe_configs of a broker", {ErrorCode::none});
    const auto quorum = co_await admin_.describe_quorum();
    expect(quorum, "describe_quorum");
    expect(quorum && !quorum->voters.empty(), "the quorum has voters");
    const auto features = co_await admin_.describe_features();
    expect(features, "describe_features");
    expect(
        features && std::ranges::count(features->features, "metadata.version", &Feature::name) == 1,
        "metadata.version is a feature");
  }

  Task<void> group() {
    const TopicPartition first{"check-a", PartitionIndex(0)};
    const TopicPartition second{"check-a", PartitionIndex(1)};
    const TopicPartition nowhere{"check-nothing", PartitionIndex(0)};
    expect(co_await admin_.alter_group_offsets("check",
                                               {{first, {.offset = Offset(3), .metadata = "note"}},
                                                {second, {.offset = Offset(4)}},
                                                {nowhere, {.offset = Offset(5)}}}),
           "alter_group_offsets",
           {ErrorCode::none, ErrorCode::none, ErrorCode::unknown_topic_or_partition});
    const auto offsets = co_await admin_.list_group_offsets("check");
    expect(offsets, "list_group_offsets");
    expect(offsets && offsets->size() == 2 && (*offsets)[0].second &&
               (*offsets)[0].second->offset == Offset(3),
           "the offsets are those that were set");
    expect(co_await admin_.delete_group_offsets("check", {second}), "delete_group_offsets",
           {ErrorCode::none});
    const auto described = co_await admin_.describe_groups({"check", "check-nothing"});
    expect(described, "describe_groups", {ErrorCode::none, ErrorCode::group_id_not_found});
    const auto listed = co_await admin_.list_groups();
    expect(listed, "list_groups");
    expect(listed && std::ranges::count(listed->groups, "check", &ListedGroup::id) == 1,
           "the group is listed");
    expect(co_await admin_.remove_members("check", {{.member_id = "nobody"}}), "remove_members",
           {ErrorCode::unknown_member_id});
    expect(co_await admin_.delete_groups({"check", "check-nothing"}), "delete_groups",
           {ErrorCode::none, ErrorCode::group_id_not_found});
  }

  Task<void> partitions() {
    const TopicPartition first{"check-a", PartitionIndex(0)};
    const TopicPartition none{"check-a", PartitionIndex(9)};
    const auto offsets = co_await admin_.list_offsets({{first, OffsetSpec::earliest},
                                                       {first, OffsetSpec::latest},
                                                       {first, OffsetSpec::newest},
                                                       {none, OffsetSpec::latest}});
    expect(
        offsets, "list_offsets",
        {ErrorCode::none, ErrorCode::none, ErrorCode::none, ErrorCode::unknown_topic_or_partition});
    expect(co_await admin_.delete_records({{first, Offset(0)}, {first, Offset(5)}}),
           "delete_records", {ErrorCode::none, ErrorCode::offset_out_of_range});
    expect(co_await admin_.describe_producers({first, none}), "describe_producers",
           {ErrorCode::none, ErrorCode::unknown_topic_or_partition});
  }

  // What Apache Kafka offers and other brokers may not.
  Task<void> placement() {
    const TopicPartition first{"check-a", PartitionIndex(0)};
    const auto elected = co_await admin_.elect_leaders(Election::preferred, {first});
    if (elected) {
      expect(*elected, "elect_leaders", {ErrorCode::election_not_needed});
    } else {
      expect(elected.error().failure == Failure::unsupported_version,
             formatted("elect_leaders: {}", to_string(elected.error())));
    }
    const auto altered = co_await admin_.alter_reassignments({{first, std::nullopt}});
    if (altered[0].second || altered[0].second.error().failure != Failure::unsupported_version) {
      expect(altered, "alter_reassignments", {ErrorCode::no_reassignment_in_progress});
    }
    const auto ongoing = co_await admin_.list_reassignments();
    expect(
        ongoing || ongoing.error().failure == Failure::unsupported_version,
        ongoing ? std::string() : formatted("list_reassignments: {}", to_string(ongoing.error())));
  }

  AdminClient& admin_;
};

Task<int> check_brokers(AdminClient& admin, Executor& executor, bool with_operations) {
  Check check(admin);
  const int found = co_await check.run();
  if (!with_operations) co_return found + co_await check_refusals(admin);
  const std::string topic = "check-operations";
  const auto made =
      co_await admin.create_topics({{.name = topic, .partitions = 1, .replication_factor = 1}});
  if (!made[0].second) {
    std::fprintf(stderr, "%s\n", made[0].second.error().message.c_str());
    co_return found + 1;
  }
  co_return found + co_await check_operations(admin, executor, topic);
}

int check_cluster(const std::string& bootstrap, std::string_view what) {
  const bool asks_controllers = what == "controllers";
  const auto settings = admin_settings(
      {{asks_controllers ? "bootstrap.controllers" : "bootstrap.servers", bootstrap}});
  if (!settings) {
    std::fprintf(stderr, "%s\n", settings.error().front().c_str());
    return 2;
  }
  const Logger logger(make_stderr_log_sink(stderr_log_format()), "check");
  ClientThread thread("check", logger);
  if (const auto started = thread.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 2;
  }
  const int failures = thread.run([&]() -> Task<int> {
    AdminClient admin(*settings, thread.executor(), thread.network(), thread.resolver(), logger);
    int found = 0;
    if (asks_controllers) {
      found = co_await check_controllers(admin);
    } else if (what == "telemetry") {
      found = co_await check_telemetry(admin);
    } else if (what == "streams" || what == "streams-ended") {
      found = co_await check_streams(admin, thread.executor(), what == "streams-ended");
    } else {
      found = co_await check_brokers(admin, thread.executor(), what == "operations");
    }
    co_await admin.close();
    co_return found;
  });
  thread.stop();
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::client

int main(int count, char** arguments) {
  const std::string_view what = count == 3 ? arguments[2] : "";
  constexpr std::array<std::string_view, 5> known = {"operations", "controllers", "telemetry",
                                                     "streams", "streams-ended"};
  const bool is_known = std::ranges::find(known, what) != known.end();
  if (count != 2 && !(count == 3 && is_known)) {
    std::fprintf(stderr,
                 "usage: client_admin_check BOOTSTRAP "
                 "[operations|controllers|telemetry|streams|streams-ended]\n");
    return 2;
  }
  return millrace::client::check_cluster(arguments[1], what);
}
