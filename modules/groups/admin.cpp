module;
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.groups;

import millrace.base;

namespace millrace::groups {
namespace {

constexpr std::string_view classic_type = "classic";

bool same_in_any_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool passes(const std::vector<std::string>& filter, std::string_view value) {
  return filter.empty() || std::ranges::any_of(filter, [value](const std::string& wanted) {
           return same_in_any_case(wanted, value);
         });
}

DescribedGroup described(const Group& group) {
  DescribedGroup out;
  out.group = group.id();
  out.state = group.state();
  out.protocol_type = group.protocol_type().value_or("");
  // Before the group is stable there is nothing that all its members have agreed on.
  const bool stable = group.is(GroupState::stable);
  if (stable) out.protocol_name = group.protocol_name().value_or("");
  for (const auto& [id, member] : group.members()) {
    DescribedMember& described =
        out.members.emplace_back(DescribedMember{.member_id = id,
                                                 .instance_id = member.instance_id,
                                                 .client_id = member.client_id,
                                                 .client_host = member.client_host,
                                                 .metadata = {},
                                                 .assignment = {}});
    if (!stable) continue;
    if (const OwnedBytes* const metadata = member.metadata_of(out.protocol_name)) {
      described.metadata = *metadata;
    }
    described.assignment = member.assignment;
  }
  return out;
}

}  // namespace

void Coordinator::on(RequestId id, DescribeRequest& request) {
  DescribeReply reply;
  Ticket after = group_erased_;
  for (std::string& name : request.groups) {
    const Group* const group = find(name);
    if (group == nullptr) {
      DescribedGroup unknown;
      unknown.group = std::move(name);
      if (request.unknown_is_error) {
        unknown.error = ErrorCode::group_id_not_found;
        unknown.error_message = formatted("Group {} not found.", unknown.group);
      }
      reply.groups.push_back(std::move(unknown));
    } else {
      after = std::max(after, group->written);
      reply.groups.push_back(described(*group));
    }
  }
  outbox_.answer(id, std::move(reply), after);
}

void Coordinator::on(RequestId id, ListRequest& request) {
  ListReply reply;
  if (passes(request.types, classic_type)) {
    for (const auto& [name, group] : groups_) {
      if (!passes(request.states, name_of(group.state()))) continue;
      reply.groups.push_back(
          {name, group.protocol_type().value_or(""), group.state(), std::string(classic_type)});
    }
  }
  outbox_.answer(id, std::move(reply), outbox_.last());
}

void Coordinator::on(RequestId id, DeleteRequest& request) {
  DeleteReply reply;
  Ticket after = group_erased_;
  for (std::string& name : request.groups) {
    DeletedGroup& deleted = reply.groups.emplace_back(DeletedGroup{std::move(name)});
    Group* const group = find(deleted.group);
    if (group == nullptr) {
      deleted.error = ErrorCode::group_id_not_found;
      continue;
    }
    if (!group->is(GroupState::empty)) {
      deleted.error = ErrorCode::non_empty_group;
      after = std::max(after, group->written);
      continue;
    }
    std::vector<Record> records;
    for (const auto& [topic, partitions] : group->offsets.topics()) {
      for (const auto& [partition, offset] : partitions) {
        records.push_back(offset_tombstone(group->id(), topic, partition));
      }
    }
    erase_stored(*group, std::move(records));
    after = std::max(after, group_erased_);
  }
  outbox_.answer(id, std::move(reply), after);
}

}  // namespace millrace::groups
