// Requests of all versions become questions.
module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.ipc.coordination.requests;

import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.protocol.api;
import millrace.protocol.groups;
import millrace.protocol.wire;

namespace millrace::coordination {
namespace {

using groups::Milliseconds;

std::optional<std::string> nullable(protocol::String text) {
  if (text.data() == nullptr) return std::nullopt;
  return std::string(text);
}

OwnedBytes owned(protocol::Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Their order changes where some are named again.
void leave_once(std::vector<PartitionIndex>& partitions) {
  std::vector<PartitionIndex> sorted = partitions;
  std::ranges::sort(sorted);
  const auto again = std::ranges::unique(sorted);
  if (again.empty()) return;
  sorted.erase(again.begin(), again.end());
  partitions = std::move(sorted);
}

}  // namespace

// Fills the call that it is given.
struct CallReader {
  GroupCall& call;
  const Asker& asker;
  const TopicLookup& topics;

  void ask(std::string group, groups::Request request) {
    call.kinds_.push_back(request.index());
    call.questions_.push_back({std::move(group), std::move(request)});
  }

  void read(const protocol::JoinGroupRequest& in) {
    groups::JoinRequest out;
    out.group = in.group_id;
    out.member_id = in.member_id;
    out.instance_id = nullable(in.group_instance_id);
    out.client_id = asker.client_id;
    out.client_host = asker.client_host;
    out.session_timeout = Milliseconds(in.session_timeout_ms);
    out.rebalance_timeout =
        Milliseconds(call.version_ == 0 ? in.session_timeout_ms : in.rebalance_timeout_ms);
    out.protocol_type = in.protocol_type;
    for (const auto& protocol : in.protocols) {
      out.protocols.push_back({std::string(protocol.name), owned(protocol.metadata)});
    }
    out.member_id_required = call.version_ >= 4;
    out.may_skip_assignment = call.version_ >= 9;
    ask(out.group, std::move(out));
  }

  void read(const protocol::SyncGroupRequest& in) {
    // From this version on both must be said.
    if (call.version_ >= 5 &&
        (in.protocol_type.data() == nullptr || in.protocol_name.data() == nullptr)) {
      call.settled_ = groups::SyncReply{ErrorCode::inconsistent_group_protocol, {}, {}, {}};
      return;
    }
    groups::SyncRequest out;
    out.group = in.group_id;
    out.generation = groups::Generation(in.generation_id);
    out.member_id = in.member_id;
    out.instance_id = nullable(in.group_instance_id);
    out.protocol_type = nullable(in.protocol_type);
    out.protocol_name = nullable(in.protocol_name);
    for (const auto& assignment : in.assignments) {
      out.assignments.push_back({std::string(assignment.member_id), owned(assignment.assignment)});
    }
    ask(out.group, std::move(out));
  }

  void read(const protocol::HeartbeatRequest& in) {
    groups::HeartbeatRequest out{std::string(in.group_id), groups::Generation(in.generation_id),
                                 std::string(in.member_id), nullable(in.group_instance_id)};
    ask(out.group, std::move(out));
  }

  void read(const protocol::LeaveGroupRequest& in) {
    groups::LeaveRequest out;
    out.group = in.group_id;
    if (call.version_ < 3) {
      out.members.push_back({std::string(in.member_id), std::nullopt});
    }
    for (const auto& member : in.members) {
      out.members.push_back({std::string(member.member_id), nullable(member.group_instance_id)});
    }
    ask(out.group, std::move(out));
  }

  // The topic that a request names, by id where the version has ids. What it does not know is
  // noted in `error`.
  template <class Topic>
  KnownTopic look_up(const Topic& in, ErrorCode& error) const {
    const bool by_id = call.version_ >= first_version_with_topic_ids;
    auto found = by_id ? topics.find(in.topic_id) : topics.find(in.name);
    error = ErrorCode::none;
    if (found) return *std::move(found);
    error = by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
    return {std::string(in.name), in.topic_id, 0};
  }

  void read(const protocol::OffsetCommitRequest& in) {
    groups::CommitRequest out;
    out.group = in.group_id;
    out.generation = groups::Generation(in.generation_id_or_member_epoch);
    out.member_id = in.member_id;
    out.instance_id = nullable(in.group_instance_id);
    // -1 stands for the retention of the broker.
    if (call.version_ <= 4 && in.retention_time_ms >= 0) {
      out.retention = Milliseconds(in.retention_time_ms);
    }
    out.may_lack_group = call.version_ >= 9;
    for (const auto& topic : in.topics) {
      ErrorCode topic_error = ErrorCode::none;
      const KnownTopic known = look_up(topic, topic_error);
      groups::TopicErrors said{known.name, known.id, {}};
      groups::CommittedTopic asked{
          known.name, call.version_ >= first_version_with_topic_ids ? known.id : Uuid{}, {}};
      for (const auto& partition : topic.partitions) {
        const PartitionIndex index(partition.partition_index);
        const bool exists =
            partition.partition_index >= 0 && partition.partition_index < known.partitions;
        const ErrorCode error = topic_error != ErrorCode::none || exists
                                    ? topic_error
                                    : ErrorCode::unknown_topic_or_partition;
        said.partitions.push_back({index, error});
        if (error != ErrorCode::none) continue;
        asked.partitions.push_back({index, Offset(partition.committed_offset),
                                    LeaderEpoch(partition.committed_leader_epoch),
                                    std::string(partition.committed_metadata)});
      }
      call.topics_.push_back(std::move(said));
      if (!asked.partitions.empty()) out.topics.push_back(std::move(asked));
    }
    if (!out.topics.empty()) ask(out.group, std::move(out));
  }

  void read(const protocol::OffsetDeleteRequest& in) {
    groups::OffsetDeleteRequest out;
    out.group = in.group_id;
    for (const auto& topic : in.topics) {
      const auto known = topics.find(topic.name);
      groups::TopicErrors said{std::string(topic.name), {}, {}};
      groups::WantedTopic asked{std::string(topic.name), {}, {}};
      for (const auto& partition : topic.partitions) {
        const PartitionIndex index(partition.partition_index);
        const bool exists = known && partition.partition_index >= 0 &&
                            partition.partition_index < known->partitions;
        said.partitions.push_back(
            {index, exists ? ErrorCode::none : ErrorCode::unknown_topic_or_partition});
        if (exists) asked.partitions.push_back(index);
      }
      call.topics_.push_back(std::move(said));
      if (!asked.partitions.empty()) out.topics.push_back(std::move(asked));
    }
    // Also without topics: the group may be wrong.
    ask(out.group, std::move(out));
  }

  void read(const protocol::OffsetFetchRequest& in) {
    if (call.version_ < 8) {
      if (names_few_partitions(in.topics)) {
        fetch(in.group_id, in.topics, in.require_stable);
      } else {
        call.wanted_.emplace_back();
        call.settled_ = groups::FetchReply{.error = ErrorCode::invalid_request, .topics = {}};
      }
      return;
    }
    // Each time would be answered with all that the group has: once as a whole, and once by names.
    std::set<std::pair<std::string_view, bool>> seen;
    for (const auto& group : in.groups) {
      const bool is_asked = call.questions_.size() < groups_asked_max &&
                            names_few_partitions(group.topics) &&
                            seen.emplace(group.group_id, group.topics.is_null()).second;
      if (is_asked) {
        fetch(group.group_id, group.topics, in.require_stable);
      } else {
        GroupCall::Wanted& said = call.wanted_.emplace_back();
        said.group = group.group_id;
        said.error = ErrorCode::invalid_request;
      }
    }
  }

  template <class Topic>
  static bool names_few_partitions(const protocol::Array<Topic>& wanted) {
    std::size_t named = 0;
    for (const Topic& topic : wanted) named += topic.partition_indexes.size();
    return named <= partitions_fetched_max;
  }

  // As the request names them, each topic and each of its partitions once: a few bytes that name
  // one again would be answered with all that was committed with it.
  template <class Topic>
  static std::vector<groups::WantedTopic> named_once(const protocol::Array<Topic>& wanted) {
    std::vector<groups::WantedTopic> topics;
    std::map<std::pair<std::string_view, Uuid>, std::size_t> places;
    for (const Topic& topic : wanted) {
      Uuid id;
      if constexpr (requires { topic.topic_id; }) id = topic.topic_id;
      const auto [place, is_new] = places.try_emplace({topic.name, id}, topics.size());
      if (is_new) topics.push_back({std::string(topic.name), id, {}});
      auto& partitions = topics[place->second].partitions;
      for (const std::int32_t index : topic.partition_indexes) partitions.emplace_back(index);
    }
    for (groups::WantedTopic& topic : topics) leave_once(topic.partitions);
    return topics;
  }

  template <class Topic>
  void fetch(protocol::String group, const protocol::Array<Topic>& wanted, bool require_stable) {
    groups::FetchRequest out;
    out.group = group;
    out.require_stable = require_stable;
    GroupCall::Wanted& said = call.wanted_.emplace_back();
    said.group = group;
    said.all = wanted.is_null();
    if (!said.all) out.topics.emplace();
    for (groups::WantedTopic& asked : named_once(wanted)) {
      ErrorCode error = ErrorCode::none;
      if (call.version_ >= first_version_with_topic_ids) {
        asked.name = look_up(asked, error).name;
      }
      groups::TopicErrors shown{asked.name, asked.topic_id, {}};
      shown.partitions.reserve(asked.partitions.size());
      for (const PartitionIndex partition : asked.partitions) {
        shown.partitions.push_back({partition, error});
      }
      said.topics.push_back(std::move(shown));
      if (error == ErrorCode::none) out.topics->push_back(std::move(asked));
    }
    ask(out.group, std::move(out));
  }

  void read(const protocol::DescribeGroupsRequest& in) {
    call.wants_operations_ = in.include_authorized_operations;
    // Once each, however often a group is named: an answer is as large as all its members.
    std::set<std::string_view> seen;
    for (const protocol::String group : in.groups) {
      const bool is_asked = call.questions_.size() < groups_asked_max;
      if (is_asked && !seen.insert(group).second) continue;
      call.names_.emplace_back(group);
      if (!is_asked) continue;
      ask(std::string(group), groups::DescribeRequest{{std::string(group)}, call.version_ >= 6});
    }
  }

  void read(const protocol::DeleteGroupsRequest& in) {
    for (const protocol::String group : in.groups_names) {
      call.names_.emplace_back(group);
      if (call.names_.size() > groups_asked_max) continue;
      ask(std::string(group), groups::DeleteRequest{{std::string(group)}});
    }
  }

  // All groups are held against it: what no group can be is named once, however often it was.
  static std::vector<std::string> filter_of(const protocol::Array<protocol::String>& names,
                                            std::initializer_list<std::string_view> known) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    std::vector<std::string> filter;
    for (const std::string_view name : known) {
      const bool is_named = std::ranges::any_of(names, [&](const protocol::String wanted) {
        return std::ranges::equal(wanted, name, {}, lower, lower);
      });
      if (is_named) filter.emplace_back(name);
    }
    // Without any it would not be a filter.
    if (filter.empty() && !names.empty()) filter.emplace_back(names[0]);
    return filter;
  }

  void read(const protocol::ListGroupsRequest& in) {
    groups::ListRequest out;
    using enum groups::GroupState;
    out.states = filter_of(in.states_filter,
                           {name_of(empty), name_of(preparing_rebalance),
                            name_of(completing_rebalance), name_of(stable), name_of(dead)});
    out.types = filter_of(in.types_filter, {"classic"});
    ask({}, std::move(out));
  }

  template <class Message>
  [[nodiscard]] Result<void> decode_as(ByteView body) {
    protocol::Arena arena(request_arena_bytes_max);
    Message message;
    const protocol::DecodeResult size = decode(message, body, call.version_, arena);
    if (!size) return failure(ErrorKind::corrupt, to_string(size.error()));
    read(message);
    return {};
  }

  [[nodiscard]] Result<void> decode_body(ByteView body) {
    switch (call.api_) {
      case ApiKey::join_group:
        return decode_as<protocol::JoinGroupRequest>(body);
      case ApiKey::sync_group:
        return decode_as<protocol::SyncGroupRequest>(body);
      case ApiKey::heartbeat:
        return decode_as<protocol::HeartbeatRequest>(body);
      case ApiKey::leave_group:
        return decode_as<protocol::LeaveGroupRequest>(body);
      case ApiKey::offset_commit:
        return decode_as<protocol::OffsetCommitRequest>(body);
      case ApiKey::offset_fetch:
        return decode_as<protocol::OffsetFetchRequest>(body);
      case ApiKey::offset_delete:
        return decode_as<protocol::OffsetDeleteRequest>(body);
      case ApiKey::describe_groups:
        return decode_as<protocol::DescribeGroupsRequest>(body);
      case ApiKey::list_groups:
        return decode_as<protocol::ListGroupsRequest>(body);
      case ApiKey::delete_groups:
        return decode_as<protocol::DeleteGroupsRequest>(body);
      default:
        return failure(ErrorKind::unsupported, "not a request about groups");
    }
  }
};

Result<GroupCall> GroupCall::decode(ApiKey api, std::int16_t version, ByteView body,
                                    const Asker& asker, const TopicLookup& topics) {
  GroupCall call(api, version);
  CallReader reader{call, asker, topics};
  if (auto read = reader.decode_body(body); !read) return failure(read.error());
  return call;
}

}  // namespace millrace::coordination
