// What an administrator without rights is told, of each thing by itself, against a cluster that is
// running:
//   sdk_refusals_check BOOTSTRAP WHAT
// Asks for rights as authorisation_check.cpp does; the topics are the same.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "authorisation_check.hpp"
#include "check.hpp"
#include "millrace/millrace.hpp"

namespace {

using namespace millrace_check;
using millrace::Admin;
using millrace::AdminOptions;
using millrace::ConfigResource;
using millrace::ErrorCode;
using millrace::OffsetSpec;
using millrace::Outcomes;
using millrace::ResourceType;
using millrace::TopicPartition;

constexpr auto no_topic = ErrorCode::topic_authorization_failed;
constexpr auto no_group = ErrorCode::group_authorization_failed;
constexpr auto no_cluster = ErrorCode::cluster_authorization_failed;
constexpr auto no_id = ErrorCode::transactional_id_authorization_failed;

// Each of them, and there is at least one.
template <class Key, class Value>
void need_refusals(const Outcomes<Key, Value>& outcomes, ErrorCode code, const std::string& name) {
  need(!outcomes.empty(), "nothing was told of " + name);
  for (const auto& [key, outcome] : outcomes) need_refusal(outcome, code, name);
}

void check_topics(Admin& admin, const std::string& topic) {
  const TopicPartition one{topic, 0};
  need_refusals(admin.create_topics({{.name = "admin-new"}}).get(), no_topic, "admin-new");
  need_refusals(admin.delete_topics({topic}).get(), no_topic, topic);
  need_refusals(admin.describe_topics({topic}).get(), no_topic, topic);
  need_refusals(admin.create_partitions({{topic, 3}}).get(), no_topic, topic);
  need_refusals(admin.delete_records({{one, 0}}).get(), no_topic, topic);
  need_refusals(admin.list_offsets({{one, OffsetSpec::latest()}}).get(), no_topic, topic);
  need_refusals(admin.describe_producers({one}).get(), no_topic, topic);
  const ConfigResource settings{ResourceType::topic, topic};
  need_refusals(admin.describe_configs({settings}).get(), no_topic, topic);
  need_refusals(admin.alter_configs({{settings, {{"retention.ms", "1"}}}}).get(), no_topic, topic);
  // What it may not see is not there for it.
  const auto listed = admin.list_topics().get();
  need(listed, "list_topics");
  need(listed->empty(), "topics are listed that it may not see");
}

void check_groups(Admin& admin, const std::string& topic) {
  const std::string group = topic + "-group";
  const TopicPartition one{topic, 0};
  need_refusals(admin.describe_groups({group}).get(), no_group, group);
  need_refusals(admin.describe_share_groups({group}).get(), no_group, group);
  need_refusals(admin.delete_groups({group}).get(), no_group, group);
  need_refusals(admin.remove_members(group, {{.id = "one"}}).get(), no_group, group);
  need_refusal(admin.list_group_offsets(group).get(), no_group, group);
  need_refusals(admin.alter_group_offsets(group, {{one, 0}}).get(), no_group, group);
  need_refusals(admin.delete_group_offsets(group, {one}).get(), no_group, group);
  const auto listed = admin.list_groups().get();
  need(listed, "list_groups");
  need(listed->groups.empty(), "groups are listed that it may not see");
}

void check_cluster(Admin& admin) {
  const auto described = admin.describe_cluster({.authorized_operations = true}).get();
  need(described, "describe_cluster");
  need(!described->brokers.empty() && described->authorized_operations &&
           described->authorized_operations->empty(),
       "somebody without rights may do something with the cluster");
  need_refusal(admin.describe_quorum().get(), no_cluster, "");
  need_refusal(admin.list_reassignments().get(), no_cluster, "");
  need_refusal(admin.elect_leaders(millrace::Election::preferred).get(), no_cluster, "");
  need_refusal(admin.unregister_broker(7).get(), no_cluster, "");
  need_refusal(admin.describe_acls().get(), no_cluster, "");
  need_refusal(admin.describe_quotas().get(), no_cluster, "");
  // Of users that are named: to who asks for all without the right Apache Kafka gives no answer.
  need_refusal(admin.describe_scram({"a"}).get(), no_cluster, "");
  need_refusals(admin.create_acls({{.name = "t", .principal = "User:a"}}).get(), no_cluster, "");
  need_refusals(admin.delete_acls({{.name = "t"}}).get(), no_cluster, "");
  need_refusals(admin.alter_quotas({{{{"user", "a"}}, {{"producer_byte_rate", 1000.0}}}}).get(),
                no_cluster, "");
  need_refusals(admin.alter_scram({{.user = "a", .password = "b"}}).get(), no_cluster, "");
  need_refusals(admin.describe_log_dirs({1}).get(), no_cluster, "");
  const ConfigResource broker{ResourceType::broker, "1"};
  need_refusals(admin.describe_configs({broker}).get(), no_cluster, "");
  need_refusals(admin.alter_configs({{broker, {{"log.cleaner.threads", "2"}}}}).get(), no_cluster,
                "");
}

void check_transactions(Admin& admin) {
  need_refusals(admin.describe_transactions({"admin-id"}).get(), no_id, "admin-id");
  need_refusals(admin.fence_producers({"admin-id"}).get(), no_id, "admin-id");
}

// Of two things that are asked for together one is refused.
void check_one_of_two(Admin& admin, const std::string& open, const std::string& closed) {
  allow("topic " + open + " Describe");
  allow("topic " + open + " Alter");
  const AdminOptions all{.authorized_operations = true};
  await([&] { return admin.describe_topics({open}, all).get().at(0).second; }, ErrorCode::none,
        {no_topic});
  await([&] { return admin.create_partitions({{open, 2}}).get().at(0).second; }, ErrorCode::none,
        {no_topic});
  const auto described = admin.describe_topics({open, closed}, all).get();
  need(described.size() == 2 && described[0].first == open, "describe_topics tells of others");
  need(described[0].second, "describe_topics of what may be described");
  const auto& operations = described[0].second->authorized_operations;
  need(operations && operations->size() == 2,
       "it may describe and alter " + open + ", and " +
           std::to_string(operations ? operations->size() : 0) + " operations were told");
  need_refusal(described[1].second, no_topic, closed);
  const auto offsets = admin
                           .list_offsets({{{open, 0}, OffsetSpec::latest()},
                                          {{closed, 0}, OffsetSpec::latest()},
                                          {{open, 1}, OffsetSpec::earliest()}})
                           .get();
  need(offsets.size() == 3, "list_offsets tells of others");
  need(offsets[0].second, "list_offsets of what may be described");
  need_refusal(offsets[1].second, no_topic, closed);
  need(offsets[2].second, "list_offsets of what may be described");
  const auto changed = admin.create_partitions({{closed, 3}, {open, 3}}).get();
  need(changed.size() == 2, "create_partitions tells of others");
  need_refusal(changed[0].second, no_topic, closed);
  need(changed[1].second, "create_partitions of what may be altered");
  need(admin.list_topics().get().value().size() == 1, "not the one topic that it may see");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const std::string what = arguments[2];
  Admin admin(millrace::Config{{"bootstrap.servers", arguments[1]}});
  check_topics(admin, what + "-open");
  check_groups(admin, what + "-open");
  check_cluster(admin);
  check_transactions(admin);
  check_one_of_two(admin, what + "-open", what + "-closed");
  std::printf("well\n");
}
