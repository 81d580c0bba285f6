// Groups, as the public admin client tells and changes them.
#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using client::inner;
using client::outer;

client::MemberToRemove inner(const MemberToRemove& member) {
  return {.member_id = member.id, .instance_id = member.instance_id};
}

client::CommittedOffset inner(const CommittedOffset& committed) {
  return {.offset = Offset(committed.offset),
          .leader_epoch = LeaderEpoch(committed.leader_epoch.value_or(-1)),
          .metadata = committed.metadata};
}

CommittedOffset outer(const client::CommittedOffset& committed) {
  return {committed.offset.value(), client::outer_epoch(committed.leader_epoch),
          committed.metadata};
}

ShareOffset outer(const client::ShareOffset& offset) {
  return {offset.start.value(), client::outer_epoch(offset.leader_epoch), offset.lag};
}

ListedGroups outer(const client::ListedGroups& listed) {
  ListedGroups converted;
  for (const client::ListedGroup& group : listed.groups)
    converted.groups.push_back({.id = group.id,
                                .protocol_type = group.protocol_type,
                                .state = group.state,
                                .type = group.type,
                                .coordinator = group.coordinator.value()});
  converted.errors = client::outer_errors(listed.errors);
  return converted;
}

GroupMember outer(const client::GroupMember& member) {
  return {.id = member.id,
          .instance_id = member.instance_id,
          .client_id = member.client_id,
          .host = member.host,
          .assignment = outer(member.assignment),
          .rack = member.rack,
          .epoch = member.epoch,
          .subscribed_topics = member.subscribed_topics,
          .subscribed_regex = member.subscribed_regex,
          .target_assignment = outer(member.target_assignment),
          .is_classic = member.is_classic};
}

DescribedGroup outer(const client::DescribedGroup& group) {
  return {.id = group.id,
          .state = group.state,
          .protocol = group.protocol,
          .coordinator = group.coordinator.value(),
          .members = client::outer_list(
              group.members, [](const client::GroupMember& member) { return outer(member); }),
          .type = group.type,
          .protocol_type = group.protocol_type,
          .epoch = group.epoch,
          .assignment_epoch = group.assignment_epoch,
          .authorized_operations = group.authorized_operations};
}

constexpr auto to_outer = [](const auto& value) { return outer(value); };

}  // namespace

Future<Result<ListedGroups>> Admin::list_groups(AdminOptions options, GroupsFilter filter) {
  return implementation_->ask<ListedGroups>(
      [options, filter = std::move(filter)](Client& client) {
        client::ListGroupsOptions wanted{inner(options)};
        wanted.states = filter.states;
        wanted.types = filter.types;
        return client.list_groups(std::move(wanted));
      },
      to_outer);
}

Future<Outcomes<std::string, DescribedGroup>> Admin::describe_groups(
    std::vector<std::string> groups, AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, DescribedGroup>>(
      groups,
      [groups, options](Client& client) { return client.describe_groups(groups, inner(options)); },
      to_outer);
}

Future<Outcomes<std::string, DescribedGroup>> Admin::describe_share_groups(
    std::vector<std::string> groups, AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, DescribedGroup>>(
      groups,
      [groups, options](Client& client) {
        return client.describe_share_groups(groups, inner(options));
      },
      to_outer);
}

Future<Outcomes<std::string, void>> Admin::delete_groups(std::vector<std::string> groups,
                                                         AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, void>>(
      groups,
      [groups, options](Client& client) { return client.delete_groups(groups, inner(options)); },
      to_outer);
}

Future<Outcomes<std::string, void>> Admin::remove_members(std::string group,
                                                          std::vector<MemberToRemove> members,
                                                          AdminOptions options) {
  auto names = client::keys_of(
      members, [](const MemberToRemove& member) { return member.instance_id.value_or(member.id); });
  return implementation_->ask_each<Outcomes<std::string, void>>(
      std::move(names),
      [group = std::move(group), members = std::move(members), options](Client& client) {
        return client.remove_members(
            group,
            client::outer_list(members, [](const MemberToRemove& member) { return inner(member); }),
            inner(options));
      },
      to_outer);
}

Future<Result<Outcomes<TopicPartition, std::int64_t>>> Admin::list_group_offsets(
    std::string group, std::vector<TopicPartition> partitions, AdminOptions options) {
  using Listed = Outcomes<TopicPartition, std::int64_t>;
  return implementation_->ask<Listed>(
      [group = std::move(group), partitions = std::move(partitions), options](Client& client) {
        return client.list_group_offsets(group, inner(partitions), inner(options));
      },
      [](const auto& listed) {
        Listed converted;
        for (const auto& [partition, outcome] : listed) {
          if (outcome)
            converted.emplace_back(outer(partition), outcome->offset.value());
          else
            converted.emplace_back(outer(partition), client::public_error(outcome.error()));
        }
        return converted;
      });
}

Future<Result<Outcomes<TopicPartition, CommittedOffset>>> Admin::describe_group_offsets(
    std::string group, std::vector<TopicPartition> partitions, AdminOptions options) {
  using Listed = Outcomes<TopicPartition, CommittedOffset>;
  return implementation_->ask<Listed>(
      [group = std::move(group), partitions = std::move(partitions), options](Client& client) {
        return client.list_group_offsets(group, inner(partitions), inner(options));
      },
      [](const auto& listed) { return client::outer_outcomes<Listed>(listed, to_outer); });
}

Future<Outcomes<TopicPartition, void>> Admin::alter_group_offsets(
    std::string group, std::vector<std::pair<TopicPartition, std::int64_t>> offsets,
    AdminOptions options) {
  std::vector<std::pair<TopicPartition, CommittedOffset>> commits;
  for (auto& [partition, offset] : offsets)
    commits.emplace_back(std::move(partition), CommittedOffset{.offset = offset});
  return commit_group_offsets(std::move(group), std::move(commits), options);
}

Future<Outcomes<TopicPartition, void>> Admin::commit_group_offsets(
    std::string group, std::vector<std::pair<TopicPartition, CommittedOffset>> offsets,
    AdminOptions options) {
  auto partitions = client::keys_of(offsets, [](const auto& item) { return item.first; });
  return implementation_->ask_each<Outcomes<TopicPartition, void>>(
      std::move(partitions),
      [group = std::move(group), offsets = std::move(offsets), options](Client& client) {
        std::vector<std::pair<client::TopicPartition, client::CommittedOffset>> converted;
        for (const auto& [partition, committed] : offsets)
          converted.emplace_back(inner(partition), inner(committed));
        return client.alter_group_offsets(group, std::move(converted), inner(options));
      },
      to_outer);
}

Future<Outcomes<TopicPartition, void>> Admin::delete_group_offsets(
    std::string group, std::vector<TopicPartition> partitions, AdminOptions options) {
  return implementation_->ask_each<Outcomes<TopicPartition, void>>(
      partitions,
      [group = std::move(group), partitions, options](Client& client) {
        return client.delete_group_offsets(group, inner(partitions), inner(options));
      },
      to_outer);
}

Future<Result<Outcomes<TopicPartition, ShareOffset>>> Admin::list_share_offsets(
    std::string group, std::vector<TopicPartition> partitions, AdminOptions options) {
  using Listed = Outcomes<TopicPartition, ShareOffset>;
  return implementation_->ask<Listed>(
      [group = std::move(group), partitions = std::move(partitions), options](Client& client) {
        return client.list_share_offsets(group, inner(partitions), inner(options));
      },
      [](const auto& listed) { return client::outer_outcomes<Listed>(listed, to_outer); });
}

Future<Outcomes<TopicPartition, void>> Admin::alter_share_offsets(
    std::string group, std::vector<std::pair<TopicPartition, std::int64_t>> starts,
    AdminOptions options) {
  auto partitions = client::keys_of(starts, [](const auto& item) { return item.first; });
  return implementation_->ask_each<Outcomes<TopicPartition, void>>(
      std::move(partitions),
      [group = std::move(group), starts = std::move(starts), options](Client& client) {
        std::vector<std::pair<client::TopicPartition, Offset>> converted;
        for (const auto& [partition, start] : starts)
          converted.emplace_back(inner(partition), Offset(start));
        return client.alter_share_offsets(group, std::move(converted), inner(options));
      },
      to_outer);
}

Future<Outcomes<std::string, void>> Admin::delete_share_offsets(std::string group,
                                                                std::vector<std::string> topics,
                                                                AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, void>>(
      topics,
      [group = std::move(group), topics, options](Client& client) {
        return client.delete_share_offsets(group, topics, inner(options));
      },
      to_outer);
}

}  // namespace millrace::inline v1
