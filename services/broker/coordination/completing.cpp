// What was refused of group requests, put into their answers.
module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.coordination;

import millrace.base;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.protocol.groups;
import millrace.protocol.wire;
import millrace.security;
import :group_access;
import :group_bodies;

namespace millrace::broker {
namespace {

using protocol::ApiKey;
using protocol::Array;
using protocol::ErrorCode;
using security::Operation;
using Body = GroupAccess::Body;

constexpr auto group_refused = static_cast<std::int16_t>(ErrorCode::group_authorization_failed);
constexpr auto topic_refused = static_cast<std::int16_t>(ErrorCode::topic_authorization_failed);

// Those that apply to a group.
constexpr auto group_operations =
    std::to_array({Operation::read, Operation::remove, Operation::describe,
                   Operation::describe_configs, Operation::alter_configs});

template <class Partition>
using Rows = std::vector<std::vector<Partition>>;

}  // namespace

struct GroupAnswerCompletion {
  const GroupAccess& access;
  Body body;
  // What the coordinator has written is bounded by what is passed on.
  protocol::Arena arena{std::numeric_limits<std::size_t>::max()};

  [[nodiscard]] std::int16_t version() const { return access.version_; }

  template <class Message>
  [[nodiscard]] Result<Message> decoded() {
    return decode_body<Message>(body, version(), arena);
  }

  // `rows` holds the partitions of what is added.
  template <class Topic, class Partition>
  static void add_denied(const GroupAccess::Group& group, std::vector<Topic>& topics,
                         Rows<Partition>& rows) {
    for (const auto& denied : group.topics) {
      std::vector<Partition>& row = rows.emplace_back();
      for (const std::int32_t index : denied.partitions) {
        Partition& partition = row.emplace_back();
        partition.partition_index = index;
        partition.error_code = topic_refused;
        if constexpr (requires { partition.committed_offset; }) {
          partition.committed_offset = no_offset.value();
        }
      }
      Topic& topic = topics.emplace_back();
      topic.name = denied.name;
      if constexpr (requires { topic.topic_id; }) topic.topic_id = denied.id;
      topic.partitions = view_of(row);
    }
  }

  template <class Message, class Topic, class Partition>
  [[nodiscard]] Result<Body> topics() {
    auto message = decoded<Message>();
    if (!message) return failure(message.error());
    if constexpr (requires { message->error_code; }) {
      // An error of the group stands alone.
      if (message->error_code != 0) return std::move(body);
    }
    auto shown = copy_of(message->topics);
    Rows<Partition> rows;
    add_denied(access.groups_.front(), shown, rows);
    message->topics = view_of(shown);
    return encode_body(*message, version());
  }

  // The name of a topic that was found by a fetch of all.
  template <class Topic>
  [[nodiscard]] std::string name_of(const Topic& topic) const {
    if constexpr (requires { topic.topic_id; }) {
      if (version() >= coordination::first_version_with_topic_ids) {
        const auto known = access.topics_.find(topic.topic_id);
        return known ? known->name : std::string();
      }
    }
    return std::string(topic.name);
  }
  template <class Topic, class Partition>
  [[nodiscard]] std::vector<Topic> fetched(const GroupAccess::Group& group,
                                           const Array<Topic>& found, Rows<Partition>& rows) const {
    auto shown = copy_of(found);
    if (group.fetches_all) {
      std::erase_if(shown, [&](const Topic& topic) {
        return !access.may_topic(Operation::describe, name_of(topic));
      });
    }
    add_denied(group, shown, rows);
    return shown;
  }
  [[nodiscard]] Result<Body> fetch() {
    using Response = protocol::OffsetFetchResponse;
    auto message = decoded<Response>();
    if (!message) return failure(message.error());
    if (version() >= 8) return fetch_groups(*message);
    if (message->error_code != 0) return std::move(body);
    Rows<Response::OffsetFetchResponsePartition> rows;
    const auto shown = fetched(access.groups_.front(), message->topics, rows);
    message->topics = view_of(shown);
    return encode_body(*message, version());
  }
  [[nodiscard]] Result<Body> fetch_groups(protocol::OffsetFetchResponse& message) const {
    using Response = protocol::OffsetFetchResponse;
    std::vector<Response::OffsetFetchResponseGroup> groups;
    std::vector<std::vector<Response::OffsetFetchResponseTopics>> shown(access.groups_.size());
    std::vector<Rows<Response::OffsetFetchResponsePartitions>> rows(access.groups_.size());
    auto next = message.groups.begin();
    for (std::size_t i = 0; i < access.groups_.size(); ++i) {
      const GroupAccess::Group& asked = access.groups_[i];
      auto& group = groups.emplace_back();
      if (asked.is_denied) {
        group.group_id = asked.name;
        group.error_code = group_refused;
        continue;
      }
      if (next == message.groups.end()) {
        return failure(ErrorKind::corrupt, "an answer that lacks groups");
      }
      group = *next++;
      if (group.error_code != 0) continue;
      shown[i] = fetched(asked, group.topics, rows[i]);
      group.topics = view_of(shown[i]);
    }
    message.groups = view_of(groups);
    return encode_body(message, version());
  }

  [[nodiscard]] Result<Body> descriptions() {
    auto message = decoded<protocol::DescribeGroupsResponse>();
    if (!message) return failure(message.error());
    auto groups = copy_of(message->groups);
    for (auto& group : groups) {
      if (!access.wants_operations_ || group.error_code != 0) continue;
      group.authorized_operations = 0;
      for (const Operation operation : group_operations) {
        if (access.may_group(operation, group.group_id)) {
          group.authorized_operations |= 1 << static_cast<int>(operation);
        }
      }
    }
    for (const auto& asked : access.groups_) {
      if (!asked.is_denied) continue;
      auto& group = groups.emplace_back();
      group.group_id = asked.name;
      group.error_code = group_refused;
    }
    message->groups = view_of(groups);
    return encode_body(*message, version());
  }

  [[nodiscard]] Result<Body> deletions() {
    auto message = decoded<protocol::DeleteGroupsResponse>();
    if (!message) return failure(message.error());
    auto results = copy_of(message->results);
    for (const auto& asked : access.groups_) {
      if (asked.is_denied) {
        results.push_back({.group_id = asked.name, .error_code = group_refused});
      }
    }
    message->results = view_of(results);
    return encode_body(*message, version());
  }

  [[nodiscard]] Result<Body> list() {
    auto message = decoded<protocol::ListGroupsResponse>();
    if (!message) return failure(message.error());
    auto groups = copy_of(message->groups);
    std::erase_if(groups, [&](const auto& group) {
      return !access.may_group(Operation::describe, group.group_id);
    });
    message->groups = view_of(groups);
    return encode_body(*message, version());
  }
};

bool GroupAccess::is_complete() const {
  const bool fetches_all =
      std::ranges::any_of(groups_, [](const Group& group) { return group.fetches_all; });
  return !has_denied() && !fetches_all && !wants_operations_ && sees_all_groups_;
}

Result<Body> GroupAccess::complete(Body answer) const {
  using Commit = protocol::OffsetCommitResponse;
  using Delete = protocol::OffsetDeleteResponse;
  if (is_complete()) return answer;
  GroupAnswerCompletion completion{*this, std::move(answer)};
  switch (api_) {
    case ApiKey::offset_commit:
      return completion.topics<Commit, Commit::OffsetCommitResponseTopic,
                               Commit::OffsetCommitResponsePartition>();
    case ApiKey::offset_delete:
      return completion.topics<Delete, Delete::OffsetDeleteResponseTopic,
                               Delete::OffsetDeleteResponsePartition>();
    case ApiKey::offset_fetch:
      return completion.fetch();
    case ApiKey::describe_groups:
      return completion.descriptions();
    case ApiKey::delete_groups:
      return completion.deletions();
    case ApiKey::list_groups:
      return completion.list();
    default:
      return std::move(completion.body);
  }
}

}  // namespace millrace::broker
