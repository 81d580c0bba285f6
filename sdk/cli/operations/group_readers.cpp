module;
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/admin.hpp"
#include "millrace/consumer.hpp"

module millrace.cli.operations;

import millrace.cli.frame;
import millrace.cli.session;
import :group_readers;

namespace millrace::cli {
namespace {

// Brokers write addresses as Java does: /10.0.0.5.
template <class Member>
std::string name_of_member(const Member& member) {
  const std::string_view host = member.host;
  return joined(member.client_id, " (", host.starts_with('/') ? host.substr(1) : host, ")");
}

// Empty where brokers do not list them: then there is no more to say, that is all.
std::vector<v1::ListedGroup> groups_of(ClientSession& session) {
  Failures nobody_sees;
  v1::Admin* admin = session.admin(nobody_sees);
  auto listed = admin->list_groups(session.admin_options()).get();
  return listed ? std::move(listed->groups) : std::vector<v1::ListedGroup>();
}

std::string kind_of(const std::vector<v1::ListedGroup>& groups, const std::string& name) {
  const auto same = std::ranges::find(groups, name, &v1::ListedGroup::id);
  return same == groups.end() ? std::string() : same->protocol_type;
}

std::optional<Failure> other_kind(const std::string& kind, const std::string& name) {
  if (kind.empty() || kind == "consumer") return std::nullopt;
  return Failure{.code = std::string(v1::name_of(v1::ErrorCode::group_id_not_found)),
                 .message = joined("group ", name, " is of the type ", kind,
                                   ", and this is for groups of consumers")};
}

Failure unknown_group(const std::vector<v1::ListedGroup>& groups, const std::string& name) {
  if (auto other = other_kind(kind_of(groups, name), name)) return *std::move(other);
  std::vector<std::string> names;
  for (const v1::ListedGroup& group : groups) names.push_back(group.id);
  return no_group(name, names);
}

DescribedReaders without_places(const v1::DescribedGroup& group) {
  DescribedReaders described{
      .state = lower(group.state), .assignor = group.protocol, .coordinator = group.coordinator};
  for (const v1::GroupMember& member : group.members)
    described.readers.push_back({name_of_member(member), member.assignment});
  return described;
}

void add_committed(ClientSession& session, const std::string& group, DescribedReaders& described,
                   Failures& failures) {
  const auto committed = committed_of(session, group, failures);
  if (!committed) return;
  for (const auto& [partition, offset] : *committed)
    described.places[partition] = {.offset = offset};
}

// Of share groups: from where brokers hand out records, and how many are not done with.
std::optional<DescribedReaders> sharers_of(ClientSession& session, const std::string& name,
                                           Failures& failures) {
  v1::Admin* admin = session.admin(failures);
  auto outcomes = admin->describe_share_groups({name}, session.admin_options()).get();
  const auto& group = outcomes.front().second;
  if (!group) {
    failures.push_back(group_failure(group.error(), name));
    return std::nullopt;
  }
  const auto places = admin->list_share_offsets(name, {}, session.admin_options()).get();
  if (!places) {
    failures.push_back(group_failure(places.error(), name));
    return std::nullopt;
  }
  DescribedReaders described = without_places(*group);
  for (const auto& [partition, place] : *places) {
    if (!place)
      failures.push_back(partition_failure(place.error(), partition));
    else if (place->start >= 0)
      described.places[partition] = {.offset = place->start, .lag = place->lag};
  }
  return described;
}

std::vector<std::string> topics_read_by(const v1::Subtopology& subtopology) {
  std::vector<std::string> names = subtopology.source_topics;
  for (const v1::StreamsTopic& topic : subtopology.repartition_source_topics)
    names.push_back(topic.name);
  return names;
}

// A task reads the partition of its number of each topic of its subtopology that has as many.
std::vector<v1::TopicPartition> partitions_of_task(const v1::Subtopology& subtopology,
                                                   std::int32_t number,
                                                   const std::vector<v1::DescribedTopic>& topics) {
  std::vector<v1::TopicPartition> partitions;
  for (const std::string& name : topics_read_by(subtopology)) {
    const auto topic = std::ranges::find(topics, name, &v1::DescribedTopic::name);
    if (topic != topics.end() && number < static_cast<std::int32_t>(topic->partitions.size()))
      partitions.push_back({name, number});
  }
  return partitions;
}

std::optional<DescribedReaders> streams_of(ClientSession& session, const std::string& name,
                                           Failures& failures) {
  v1::Admin* admin = session.admin(failures);
  auto outcomes = admin->describe_streams_groups({name}, session.admin_options()).get();
  const auto& group = outcomes.front().second;
  if (!group) {
    failures.push_back(group_failure(group.error(), name));
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (const v1::Subtopology& subtopology : group->subtopologies)
    for (std::string& topic : topics_read_by(subtopology)) names.push_back(std::move(topic));
  const auto topics =
      names.empty() ? std::vector<v1::DescribedTopic>() : session.topics(names, failures);
  DescribedReaders described{.state = lower(group->state), .coordinator = group->coordinator};
  for (const v1::StreamsMember& member : group->members) {
    GroupReader reader{.name = name_of_member(member), .partitions = {}};
    for (const v1::StreamsTasks& tasks : member.assignment.active) {
      const auto subtopology =
          std::ranges::find(group->subtopologies, tasks.subtopology, &v1::Subtopology::id);
      if (subtopology == group->subtopologies.end()) continue;
      for (const std::int32_t number : tasks.partitions)
        for (auto& partition : partitions_of_task(*subtopology, number, topics))
          reader.partitions.push_back(std::move(partition));
    }
    described.readers.push_back(std::move(reader));
  }
  add_committed(session, name, described, failures);
  return described;
}

}  // namespace

std::optional<Failure> other_kind(ClientSession& session, const std::string& group) {
  return other_kind(kind_of(groups_of(session), group), group);
}

Failure unknown_group(ClientSession& session, const std::string& group) {
  return unknown_group(groups_of(session), group);
}

std::optional<v1::Offsets> committed_of(ClientSession& session, const std::string& group,
                                        Failures& failures) {
  const auto listed =
      session.admin(failures)->list_group_offsets(group, {}, session.admin_options()).get();
  if (!listed) {
    const bool is_missing = listed.error().code() == v1::ErrorCode::group_id_not_found;
    failures.push_back(is_missing ? unknown_group(session, group)
                                  : group_failure(listed.error(), group));
    return std::nullopt;
  }
  v1::Offsets offsets;
  for (const auto& [partition, outcome] : *listed) {
    if (!outcome)
      failures.push_back(partition_failure(outcome.error(), partition));
    else if (*outcome >= 0)
      offsets[partition] = *outcome;
  }
  return offsets;
}

std::optional<DescribedReaders> readers_of(ClientSession& session, const std::string& group,
                                           Failures& failures) {
  v1::Admin* admin = session.admin(failures);
  if (admin == nullptr) return std::nullopt;
  auto outcomes = admin->describe_groups({group}, session.admin_options()).get();
  const auto& outcome = outcomes.front().second;
  const bool is_missing = outcome ? lower(outcome->state) == "dead"
                                  : outcome.error().code() == v1::ErrorCode::group_id_not_found;
  if (is_missing) {
    const auto groups = groups_of(session);
    const std::string kind = kind_of(groups, group);
    if (kind == "share") return sharers_of(session, group, failures);
    if (kind == "streams") return streams_of(session, group, failures);
    failures.push_back(unknown_group(groups, group));
    return std::nullopt;
  }
  if (!outcome) {
    failures.push_back(group_failure(outcome.error(), group));
    return std::nullopt;
  }
  DescribedReaders described = without_places(*outcome);
  add_committed(session, group, described, failures);
  return described;
}

}  // namespace millrace::cli
