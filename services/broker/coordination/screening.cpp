// What is taken out of group requests before they are asked.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
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

using coordination::GroupCall;
using coordination::KnownTopic;
using protocol::ApiKey;
using protocol::Array;
using protocol::ErrorCode;
using security::Operation;
using Screened = GroupAccess::Screened;

// Whoever is refused as a whole is not told which topics there are.
class AnyTopic final : public coordination::TopicLookup {
 public:
  [[nodiscard]] std::optional<KnownTopic> find(std::string_view name) const override {
    return KnownTopic{std::string(name), {}, std::numeric_limits<std::int32_t>::max()};
  }
  [[nodiscard]] std::optional<KnownTopic> find(const Uuid& id) const override {
    return KnownTopic{{}, id, std::numeric_limits<std::int32_t>::max()};
  }
};

template <class Topic>
std::vector<std::int32_t> partitions_of(const Topic& topic) {
  if constexpr (requires { topic.partition_indexes; }) {
    return copy_of(topic.partition_indexes);
  } else {
    std::vector<std::int32_t> partitions;
    for (const auto& one : topic.partitions) partitions.push_back(one.partition_index);
    return partitions;
  }
}

}  // namespace

bool GroupAccess::has_denied() const {
  return std::ranges::any_of(
      groups_, [](const Group& group) { return group.is_denied || !group.topics.empty(); });
}

struct GroupRequestScreen {
  GroupAccess& access;
  ByteView body;
  protocol::Arena arena{request_arena_bytes_max};

  [[nodiscard]] std::int16_t version() const { return access.version_; }

  template <class Message>
  [[nodiscard]] Result<Message> decoded() {
    return decode_body<Message>(body, version(), arena);
  }

  [[nodiscard]] Result<Screened> refuse() const {
    const auto call = GroupCall::decode(access.api_, version(), body, {}, AnyTopic());
    if (!call) return failure(call.error());
    auto answer = call->refuse(ErrorCode::group_authorization_failed);
    if (!answer) return failure(answer.error());
    return Screened{*std::move(answer), std::nullopt};
  }
  template <class Message>
  [[nodiscard]] Result<Screened> rest(const Message& message) const {
    if (!access.has_denied()) return Screened{};
    auto left = encode_body(message, version());
    if (!left) return failure(left.error());
    return Screened{std::nullopt, *std::move(left)};
  }

  // One that is not there by its id passes: the coordinator says so.
  template <class Topic>
  [[nodiscard]] bool is_allowed(const Topic& topic, Operation operation) const {
    if constexpr (requires { topic.topic_id; }) {
      if (version() >= coordination::first_version_with_topic_ids) {
        const auto known = access.topics_.find(topic.topic_id);
        return !known || access.may_topic(operation, known->name);
      }
    }
    return access.may_topic(operation, topic.name);
  }
  // Those of the topics that are left; the others are noted.
  template <class Topic>
  [[nodiscard]] std::vector<Topic> allowed(const Array<Topic>& topics, Operation operation,
                                           GroupAccess::Group& group) const {
    std::vector<Topic> left;
    for (const Topic& topic : topics) {
      if (is_allowed(topic, operation)) {
        left.push_back(topic);
        continue;
      }
      auto& denied = group.topics.emplace_back();
      denied.name = topic.name;
      if constexpr (requires { topic.topic_id; }) denied.id = topic.topic_id;
      denied.partitions = partitions_of(topic);
    }
    return left;
  }

  // What members send: about one group and nothing else.
  template <class Message>
  [[nodiscard]] Result<Screened> member() {
    const auto message = decoded<Message>();
    if (!message) return failure(message.error());
    if (!access.may_group(Operation::read, message->group_id)) return refuse();
    return Screened{};
  }

  template <class Message>
  [[nodiscard]] Result<Screened> topics(Operation on_group) {
    auto message = decoded<Message>();
    if (!message) return failure(message.error());
    if (!access.may_group(on_group, message->group_id)) return refuse();
    const auto left = allowed(message->topics, Operation::read, access.groups_.emplace_back());
    message->topics = view_of(left);
    return rest(*message);
  }

  [[nodiscard]] Result<Screened> fetch() {
    auto message = decoded<protocol::OffsetFetchRequest>();
    if (!message) return failure(message.error());
    if (version() >= 8) return fetch_groups(*message);
    if (!access.may_group(Operation::describe, message->group_id)) return refuse();
    auto& group = access.groups_.emplace_back();
    group.fetches_all = message->topics.is_null();
    if (group.fetches_all) return Screened{};
    const auto left = allowed(message->topics, Operation::describe, group);
    message->topics = view_of(left);
    return rest(*message);
  }
  [[nodiscard]] Result<Screened> fetch_groups(protocol::OffsetFetchRequest& message) {
    using Request = protocol::OffsetFetchRequest;
    std::vector<Request::OffsetFetchRequestGroup> left;
    std::vector<std::vector<Request::OffsetFetchRequestTopics>> kept;
    kept.reserve(message.groups.size());
    for (auto one : message.groups) {
      auto& group = access.groups_.emplace_back();
      group.name = one.group_id;
      group.is_denied = !access.may_group(Operation::describe, one.group_id);
      if (group.is_denied) continue;
      group.fetches_all = one.topics.is_null();
      if (!group.fetches_all) {
        kept.push_back(allowed(one.topics, Operation::describe, group));
        one.topics = view_of(kept.back());
      }
      left.push_back(one);
    }
    message.groups = view_of(left);
    return rest(message);
  }

  [[nodiscard]] std::vector<protocol::String> allowed_groups(const Array<protocol::String>& names,
                                                             Operation operation) const {
    std::vector<protocol::String> left;
    for (const protocol::String name : names) {
      auto& group = access.groups_.emplace_back();
      group.name = name;
      group.is_denied = !access.may_group(operation, name);
      if (!group.is_denied) left.push_back(name);
    }
    return left;
  }
  [[nodiscard]] Result<Screened> descriptions() {
    auto message = decoded<protocol::DescribeGroupsRequest>();
    if (!message) return failure(message.error());
    access.wants_operations_ = message->include_authorized_operations;
    const auto left = allowed_groups(message->groups, Operation::describe);
    message->groups = view_of(left);
    return rest(*message);
  }
  [[nodiscard]] Result<Screened> deletions() {
    auto message = decoded<protocol::DeleteGroupsRequest>();
    if (!message) return failure(message.error());
    const auto left = allowed_groups(message->groups_names, Operation::remove);
    message->groups_names = view_of(left);
    return rest(*message);
  }
  // Whoever may not see all groups sees some: complete() asks for each.
  [[nodiscard]] Result<Screened> list() const {
    access.sees_all_groups_ =
        access.may(Operation::describe, security::ResourceType::cluster, security::cluster_name);
    return Screened{};
  }
};

Result<Screened> GroupAccess::screen(ByteView body) {
  GroupRequestScreen screen{*this, body};
  switch (api_) {
    case ApiKey::join_group:
      return screen.member<protocol::JoinGroupRequest>();
    case ApiKey::sync_group:
      return screen.member<protocol::SyncGroupRequest>();
    case ApiKey::heartbeat:
      return screen.member<protocol::HeartbeatRequest>();
    case ApiKey::leave_group:
      return screen.member<protocol::LeaveGroupRequest>();
    case ApiKey::offset_commit:
      return screen.topics<protocol::OffsetCommitRequest>(Operation::read);
    case ApiKey::offset_delete:
      return screen.topics<protocol::OffsetDeleteRequest>(Operation::remove);
    case ApiKey::offset_fetch:
      return screen.fetch();
    case ApiKey::describe_groups:
      return screen.descriptions();
    case ApiKey::delete_groups:
      return screen.deletions();
    case ApiKey::list_groups:
      return screen.list();
    default:
      return failure(ErrorKind::unsupported, "not a request about groups");
  }
}

}  // namespace millrace::broker
