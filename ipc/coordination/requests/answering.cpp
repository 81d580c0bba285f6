// Replies become the answer in the version of the request.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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

// What all may do with a group where nobody is refused anything: READ, DELETE, DESCRIBE,
// DESCRIBE_CONFIGS and ALTER_CONFIGS, each the bit of its number.
constexpr std::int32_t all_operations = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11);

std::int16_t number_of(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

protocol::String text_of(const std::optional<std::string>& text) {
  return text ? protocol::String(*text) : protocol::null_string;
}

protocol::Bytes view_of(const OwnedBytes& bytes) {
  return bytes.empty() ? protocol::empty_bytes : protocol::Bytes(bytes);
}

template <class Message>
Result<OwnedBytes> encoded(const Message& message, std::int16_t version) {
  const protocol::MeasureResult size = measure(message, version);
  if (!size) return failure(ErrorKind::invalid_argument, to_string(size.error()));
  OwnedBytes body(size->inline_bytes);
  protocol::Writer writer(body, {});
  write(message, version, writer);
  return body;
}

// The partitions of one topic, which outlive the message that shows them.
template <class Row>
using Rows = std::vector<std::vector<Row>>;

}  // namespace

// Puts together what a call asked and what it was answered.
struct CallWriter {
  const GroupCall& call;
  const TopicLookup& topics;

  template <class Kind>
  [[nodiscard]] static const Kind& as(const groups::Reply& reply) {
    const Kind* const kind = std::get_if<Kind>(&reply);
    check(kind != nullptr, "a reply of another kind than its question");
    return *kind;
  }

  Result<OwnedBytes> write_reply(const groups::JoinReply& in) const {
    protocol::JoinGroupResponse out;
    out.error_code = number_of(in.error);
    out.generation_id = in.generation.value();
    out.protocol_type = text_of(in.protocol_type);
    // Before version 7 there is no null for it.
    out.protocol_name = text_of(in.protocol_name);
    if (call.version_ < 7 && !in.protocol_name) out.protocol_name = protocol::empty_string;
    out.leader = in.leader;
    out.skip_assignment = in.skip_assignment;
    out.member_id = in.member_id;
    std::vector<protocol::JoinGroupResponse::JoinGroupResponseMember> members;
    for (const groups::JoinedMember& member : in.members) {
      auto& row = members.emplace_back();
      row.member_id = member.member_id;
      row.group_instance_id = text_of(member.instance_id);
      row.metadata = view_of(member.metadata);
    }
    out.members = std::span(std::as_const(members));
    // A version that knows nothing of it starts as the others do: with the leader's assignment.
    if (call.version_ < 9) out.skip_assignment = false;
    return encoded(out, call.version_);
  }

  Result<OwnedBytes> write_reply(const groups::SyncReply& in) const {
    protocol::SyncGroupResponse out;
    out.error_code = number_of(in.error);
    out.protocol_type = text_of(in.protocol_type);
    out.protocol_name = text_of(in.protocol_name);
    out.assignment = view_of(in.assignment);
    return encoded(out, call.version_);
  }

  Result<OwnedBytes> write_reply(const groups::HeartbeatReply& in) const {
    protocol::HeartbeatResponse out;
    out.error_code = number_of(in.error);
    return encoded(out, call.version_);
  }

  Result<OwnedBytes> write_reply(const groups::LeaveReply& in) const {
    protocol::LeaveGroupResponse out;
    out.error_code = number_of(in.error);
    std::vector<protocol::LeaveGroupResponse::MemberResponse> members;
    if (call.version_ >= 3) {
      for (const groups::LeftMember& member : in.members) {
        auto& row = members.emplace_back();
        row.member_id = member.member_id;
        row.group_instance_id = text_of(member.instance_id);
        row.error_code = number_of(member.error);
      }
      out.members = std::span(std::as_const(members));
    } else if (in.error == ErrorCode::none && !in.members.empty()) {
      // The one member that could be named.
      out.error_code = number_of(in.members.front().error);
    }
    return encoded(out, call.version_);
  }

  // What happened to each partition: refused before it was asked about, refused with all others, or
  // as the reply says, which has those that were asked about in the same order.
  template <class Row, class Use>
  static void walk(const std::vector<groups::TopicErrors>& said, const std::vector<Row>& replied,
                   ErrorCode error, Use use) {
    std::size_t topic_place = 0;
    for (const groups::TopicErrors& topic : said) {
      std::size_t place = 0;
      const Row* answers = nullptr;
      for (const groups::PartitionError& partition : topic.partitions) {
        if (partition.error != ErrorCode::none || error != ErrorCode::none) {
          use(topic, partition.partition,
              partition.error != ErrorCode::none ? partition.error : error, nullptr);
          continue;
        }
        if (answers == nullptr) {
          check(topic_place < replied.size(), "a reply that lacks topics");
          answers = &replied[topic_place++];
        }
        check(place < answers->partitions.size(), "a reply that lacks partitions");
        const auto& row = answers->partitions[place++];
        use(topic, partition.partition, row.error, &row);
      }
    }
  }

  // Commits and deletes answer with an error for each partition.
  template <class Topic, class Partition>
  std::pair<std::vector<Topic>, Rows<Partition>> errors_of(
      const std::vector<groups::TopicErrors>& replied, ErrorCode error) const {
    std::pair<std::vector<Topic>, Rows<Partition>> out;
    for (const groups::TopicErrors& topic : call.topics_) {
      Topic& shown = out.first.emplace_back();
      shown.name = topic.name;
      if constexpr (requires { shown.topic_id; }) shown.topic_id = topic.topic_id;
      out.second.emplace_back();
    }
    const auto use = [&](const groups::TopicErrors& topic, PartitionIndex partition, ErrorCode code,
                         const groups::PartitionError*) {
      const auto place = static_cast<std::size_t>(&topic - call.topics_.data());
      Partition& row = out.second[place].emplace_back();
      row.partition_index = partition.value();
      row.error_code = number_of(code);
    };
    walk(call.topics_, replied, error, use);
    for (std::size_t i = 0; i < out.first.size(); ++i) {
      out.first[i].partitions = std::span<const Partition>(out.second[i]);
    }
    return out;
  }

  Result<OwnedBytes> write_reply(const groups::CommitReply& in) const {
    using Response = protocol::OffsetCommitResponse;
    const auto rows =
        errors_of<Response::OffsetCommitResponseTopic, Response::OffsetCommitResponsePartition>(
            in.topics, in.error);
    Response out;
    out.topics = std::span(rows.first);
    return encoded(out, call.version_);
  }

  Result<OwnedBytes> write_reply(const groups::OffsetDeleteReply& in) const {
    using Response = protocol::OffsetDeleteResponse;
    Response out;
    out.error_code = number_of(in.error);
    // An error of the group stands alone.
    if (in.error != ErrorCode::none) return encoded(out, call.version_);
    const auto rows =
        errors_of<Response::OffsetDeleteResponseTopic, Response::OffsetDeleteResponsePartition>(
            in.topics, ErrorCode::none);
    out.topics = std::span(rows.first);
    return encoded(out, call.version_);
  }

  template <class Partition>
  static Partition shown(PartitionIndex index, ErrorCode error,
                         const groups::FetchedPartition* fetched) {
    Partition row;
    row.partition_index = index.value();
    row.committed_offset = no_offset.value();
    row.error_code = number_of(error);
    if (fetched != nullptr) {
      row.committed_offset = fetched->offset.value();
      row.committed_leader_epoch = fetched->leader_epoch.value();
      row.metadata = fetched->metadata;
    }
    return row;
  }

  // The topics of one group's answer. `error` is that of the group.
  template <class Topic, class Partition>
  void fetched_topics(const GroupCall::Wanted& wanted, const groups::FetchReply& reply,
                      std::vector<Topic>& out, Rows<Partition>& rows, ErrorCode error) const {
    const auto add = [&](const std::string& name, const Uuid& id) {
      Topic& topic = out.emplace_back();
      topic.name = name;
      if constexpr (requires { topic.topic_id; }) topic.topic_id = id;
      rows.emplace_back();
    };
    if (wanted.all) {
      for (const groups::FetchedTopic& topic : reply.topics) {
        Uuid id;
        if (call.version_ >= first_version_with_topic_ids) {
          // A topic that is gone has no id to be named by.
          const auto known = topics.find(topic.name);
          if (!known) continue;
          id = known->id;
        }
        add(topic.name, id);
        for (const groups::FetchedPartition& partition : topic.partitions) {
          rows.back().push_back(shown<Partition>(partition.partition, partition.error, &partition));
        }
      }
    } else {
      for (const groups::TopicErrors& topic : wanted.topics) add(topic.name, topic.topic_id);
      walk(wanted.topics, reply.topics, error,
           [&](const groups::TopicErrors& topic, PartitionIndex index, ErrorCode code,
               const groups::FetchedPartition* fetched) {
             rows[static_cast<std::size_t>(&topic - wanted.topics.data())].push_back(
                 shown<Partition>(index, code, fetched));
           });
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i].partitions = std::span<const Partition>(rows[i]);
    }
  }

  Result<OwnedBytes> write_fetches(const std::vector<groups::Reply>& replies) const {
    using Response = protocol::OffsetFetchResponse;
    Response out;
    if (call.version_ < 8) {
      std::vector<Response::OffsetFetchResponseTopic> list;
      Rows<Response::OffsetFetchResponsePartition> rows;
      const auto& reply = as<groups::FetchReply>(call.settled_ ? *call.settled_ : replies.front());
      // Version 1 has no place for an error of the group but at the partitions.
      if (call.version_ < 2 || reply.error == ErrorCode::none) {
        fetched_topics(call.wanted_.front(), reply, list, rows, reply.error);
      }
      if (call.version_ >= 2) out.error_code = number_of(reply.error);
      out.topics = std::span(std::as_const(list));
      return encoded(out, call.version_);
    }
    std::vector<Response::OffsetFetchResponseGroup> list(call.wanted_.size());
    std::vector<std::vector<Response::OffsetFetchResponseTopics>> shown_topics(list.size());
    std::vector<Rows<Response::OffsetFetchResponsePartitions>> rows(list.size());
    std::size_t place = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i].group_id = call.wanted_[i].group;
      list[i].error_code = number_of(call.wanted_[i].error);
      if (call.wanted_[i].error != ErrorCode::none) continue;
      const auto& reply = as<groups::FetchReply>(replies[place++]);
      list[i].error_code = number_of(reply.error);
      if (reply.error != ErrorCode::none) continue;
      fetched_topics(call.wanted_[i], reply, shown_topics[i], rows[i], ErrorCode::none);
      list[i].topics = std::span(std::as_const(shown_topics[i]));
    }
    out.groups = std::span(std::as_const(list));
    return encoded(out, call.version_);
  }

  Result<OwnedBytes> write_descriptions(const std::vector<groups::Reply>& replies) const {
    using Response = protocol::DescribeGroupsResponse;
    std::vector<Response::DescribedGroup> list(call.names_.size());
    std::vector<std::vector<Response::DescribedGroupMember>> members(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      Response::DescribedGroup& group = list[i];
      group.group_id = call.names_[i];
      if (i >= replies.size()) {
        group.error_code = number_of(ErrorCode::invalid_request);  // more than is asked about
        continue;
      }
      const auto& reply = as<groups::DescribeReply>(replies[i]);
      group.error_code = number_of(reply.error);
      if (reply.error != ErrorCode::none) continue;
      const groups::DescribedGroup& described = reply.groups.front();
      group.error_code = number_of(described.error);
      if (call.version_ >= 6) group.error_message = text_of(described.error_message);
      group.group_state = groups::name_of(described.state);
      group.protocol_type = described.protocol_type;
      group.protocol_data = described.protocol_name;
      for (const groups::DescribedMember& member : described.members) {
        auto& row = members[i].emplace_back();
        row.member_id = member.member_id;
        row.group_instance_id = text_of(member.instance_id);
        row.client_id = member.client_id;
        row.client_host = member.client_host;
        row.member_metadata = view_of(member.metadata);
        row.member_assignment = view_of(member.assignment);
      }
      group.members = std::span(std::as_const(members[i]));
      if (call.wants_operations_) group.authorized_operations = all_operations;
    }
    Response out;
    out.groups = std::span(std::as_const(list));
    return encoded(out, call.version_);
  }

  Result<OwnedBytes> write_deletions(const std::vector<groups::Reply>& replies) const {
    using Response = protocol::DeleteGroupsResponse;
    std::vector<Response::DeletableGroupResult> list(call.names_.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i].group_id = call.names_[i];
      if (i >= replies.size()) {
        list[i].error_code = number_of(ErrorCode::invalid_request);
        continue;
      }
      const auto& reply = as<groups::DeleteReply>(replies[i]);
      list[i].error_code =
          number_of(reply.error != ErrorCode::none ? reply.error : reply.groups.front().error);
    }
    Response out;
    out.results = std::span(std::as_const(list));
    return encoded(out, call.version_);
  }

  // One reply for each state partition.
  Result<OwnedBytes> write_lists(const std::vector<groups::Reply>& replies) const {
    using Response = protocol::ListGroupsResponse;
    std::vector<Response::ListedGroup> list;
    Response out;
    for (const groups::Reply& one : replies) {
      const auto& reply = as<groups::ListReply>(one);
      // As in Kafka, groups that are not coordinated here are left out.
      if (reply.error == ErrorCode::not_coordinator) continue;
      if (reply.error != ErrorCode::none) {
        out.error_code = number_of(reply.error);
        return encoded(out, call.version_);
      }
      for (const groups::ListedGroup& group : reply.groups) {
        auto& row = list.emplace_back();
        row.group_id = group.group;
        row.protocol_type = group.protocol_type;
        row.group_state = groups::name_of(group.state);
        row.group_type = group.type;
      }
    }
    out.groups = std::span(std::as_const(list));
    return encoded(out, call.version_);
  }
};

Result<OwnedBytes> GroupCall::answer(const std::vector<groups::Reply>& replies,
                                     const TopicLookup& topics) const {
  const CallWriter writer{*this, topics};
  check(asks_all_groups() || replies.size() == kinds_.size(), "a reply for each question");
  switch (api_) {
    case protocol::ApiKey::offset_fetch:
      return writer.write_fetches(replies);
    case protocol::ApiKey::describe_groups:
      return writer.write_descriptions(replies);
    case protocol::ApiKey::delete_groups:
      return writer.write_deletions(replies);
    case protocol::ApiKey::list_groups:
      return writer.write_lists(replies);
    default:
      break;
  }
  // A commit of nothing that exists asks nothing.
  if (!settled_ && replies.empty()) return writer.write_reply(groups::CommitReply{});
  return std::visit(
      [&](const auto& kind) -> Result<OwnedBytes> {
        if constexpr (requires { writer.write_reply(kind); }) {
          return writer.write_reply(kind);
        } else {
          return failure(ErrorKind::invalid_argument, "a reply of another kind than its question");
        }
      },
      settled_ ? *settled_ : replies.front());
}

Result<OwnedBytes> GroupCall::refuse(ErrorCode error) const {
  std::vector<groups::Reply> replies;
  for (const std::size_t kind : kinds_) replies.push_back(groups::error_reply(kind, error));
  const std::vector<KnownTopic> none;
  return answer(replies, ListedTopics(none));
}

}  // namespace millrace::coordination
