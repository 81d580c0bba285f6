// What operators change and the program `millrace` does not offer, one thing each time, against a
// cluster that is running:
//   sdk_placement_check BOOTSTRAP create TOPIC REPLICAS...   of each partition, as "2,1"
//   sdk_placement_check BOOTSTRAP add TOPIC COUNT REPLICAS...
//   sdk_placement_check BOOTSTRAP reassign TOPIC PARTITION REPLICAS
//   sdk_placement_check BOOTSTRAP brokers
//   sdk_placement_check BOOTSTRAP unregister BROKER
//   sdk_placement_check BOOTSTRAP directories TOPIC PARTITION BROKER
//   sdk_placement_check BOOTSTRAP move TOPIC PARTITION BROKER DIRECTORY
//   sdk_placement_check BOOTSTRAP features
//   sdk_placement_check BOOTSTRAP feature NAME LEVEL upgrade|downgrade|try-downgrade
//   sdk_placement_check BOOTSTRAP share-group NAME
//   sdk_placement_check BOOTSTRAP share-start NAME TOPIC OFFSET
//   sdk_placement_check BOOTSTRAP forget-share NAME TOPIC
// Prints what it is told, a thing a line; "refused CODE" if it is refused.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"
#include "millrace/millrace.hpp"

namespace {

using namespace millrace_check;
using millrace::Admin;
using millrace::AdminOptions;
using millrace::FeatureChange;
using millrace::Outcomes;
using millrace::ReplicaPlace;
using millrace::Result;
using millrace::TopicPartition;

using Words = std::vector<std::string>;
using Replicas = std::vector<std::int32_t>;

const AdminOptions patient{.timeout = std::chrono::minutes(3)};

// It is true where it was done.
template <class T>
bool is_done(const Result<T>& result) {
  if (result) return true;
  std::printf("refused %s\n", std::string(name_of(result.error().code())).c_str());
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  return false;
}

// Of the one thing that was asked for.
template <class Key, class Value>
bool is_done(const Outcomes<Key, Value>& outcomes) {
  need(outcomes.size() == 1, "other outcomes than one");
  return is_done(outcomes.front().second);
}

Replicas replicas_of(const std::string& word) {
  Replicas replicas;
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t end = std::min(word.find(',', begin), word.size());
    replicas.push_back(std::stoi(word.substr(begin, end - begin)));
    begin = end + 1;
  }
  return replicas;
}

std::vector<Replicas> assignment_from(const Words& words, std::size_t first) {
  std::vector<Replicas> assignment;
  for (std::size_t i = first; i < words.size(); ++i) assignment.push_back(replicas_of(words[i]));
  return assignment;
}

TopicPartition partition_of(const Words& words) {
  return {words.at(0), std::stoi(words.at(1))};
}

void create(Admin& admin, const Words& words) {
  is_done(
      admin.create_topics({{.name = words.at(0), .assignment = assignment_from(words, 1)}}, patient)
          .get());
}

void add(Admin& admin, const Words& words) {
  is_done(admin
              .place_partitions({{.topic = words.at(0),
                                  .count = std::stoi(words.at(1)),
                                  .assignment = assignment_from(words, 2)}},
                                patient)
              .get());
}

void reassign(Admin& admin, const Words& words) {
  is_done(
      admin.alter_reassignments({{partition_of(words), replicas_of(words.at(2))}}, patient).get());
}

void tell_brokers(Admin& admin, const Words& /*words*/) {
  const auto cluster = admin.describe_cluster(patient, millrace::FencedBrokers::included).get();
  if (!is_done(cluster)) return;
  std::map<std::int32_t, bool> is_fenced;
  for (const auto& broker : cluster->brokers) is_fenced[broker.id] = broker.is_fenced;
  for (const auto& [id, fenced] : is_fenced) std::printf("%d%s\n", id, fenced ? " fenced" : "");
}

void unregister(Admin& admin, const Words& words) {
  is_done(admin.unregister_broker(std::stoi(words.at(0)), patient).get());
}

void tell_directories(Admin& admin, const Words& words) {
  const ReplicaPlace place{partition_of(words), std::stoi(words.at(2))};
  const auto told = admin.describe_replica_log_dirs({place}, patient).get();
  if (!is_done(told)) return;
  const auto& directories = *told.front().second;
  std::printf("%s\n%s\n", directories.current.c_str(), directories.future.c_str());
}

void move(Admin& admin, const Words& words) {
  const ReplicaPlace place{partition_of(words), std::stoi(words.at(2))};
  is_done(admin.alter_replica_log_dirs({{place, words.at(3)}}, patient).get());
}

void tell_features(Admin& admin, const Words& /*words*/) {
  const auto features = admin.describe_features(patient).get();
  if (!is_done(features)) return;
  for (const auto& feature : features->features)
    std::printf("%s %d\n", feature.name.c_str(), int{feature.finalized.value_or(0)});
}

void change_feature(Admin& admin, const Words& words) {
  const std::string& how = words.at(2);
  AdminOptions options = patient;
  options.validate_only = how == "try-downgrade";
  is_done(admin
              .update_features({{.name = words.at(0),
                                 .level = static_cast<std::int16_t>(std::stoi(words.at(1))),
                                 .change = how == "upgrade" ? FeatureChange::upgrade
                                                            : FeatureChange::safe_downgrade}},
                               options)
              .get());
}

void tell_share_group(Admin& admin, const Words& words) {
  const std::string& name = words.at(0);
  const auto groups = admin.describe_share_groups({name}, patient).get();
  if (!is_done(groups)) return;
  const auto& group = *groups.front().second;
  std::printf("%s %s\n", group.type.c_str(), group.state.c_str());
  for (const auto& member : group.members)
    for (const auto& [topic, partition] : member.assignment)
      std::printf("member %s %d\n", topic.c_str(), partition);
  const auto offsets = admin.list_share_offsets(name, {}, patient).get();
  if (!is_done(offsets)) return;
  for (const auto& [partition, offset] : *offsets)
    if (is_done(offset))
      std::printf("starts %s %d %lld\n", partition.topic.c_str(), partition.partition,
                  static_cast<long long>(offset->start));
}

void start_share(Admin& admin, const Words& words) {
  is_done(
      admin.alter_share_offsets(words.at(0), {{{words.at(1), 0}, std::stoll(words.at(2))}}, patient)
          .get());
}

void forget_share(Admin& admin, const Words& words) {
  is_done(admin.delete_share_offsets(words.at(0), {words.at(1)}, patient).get());
}

const std::map<std::string, std::function<void(Admin&, const Words&)>> calls{
    {"create", create},
    {"add", add},
    {"reassign", reassign},
    {"brokers", tell_brokers},
    {"unregister", unregister},
    {"directories", tell_directories},
    {"move", move},
    {"features", tell_features},
    {"feature", change_feature},
    {"share-group", tell_share_group},
    {"share-start", start_share},
    {"forget-share", forget_share}};

}  // namespace

int main(int count, char** arguments) {
  const Words words(arguments, arguments + count);
  if (words.size() < 3 || !calls.contains(words[2])) return 2;
  Admin admin({{"bootstrap.servers", words[1]}});
  calls.at(words[2])(admin, Words(words.begin() + 3, words.end()));
}
