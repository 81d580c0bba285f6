// Groups: the offsets that they have committed.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.groups;
import millrace.protocol.api;
import millrace.protocol.groups;
import millrace.protocol.wire;
import millrace.runtime;
import :asked;
import :faults;
import :group_desk;
import :group_words;
import :handlers;
import :managed_groups;
import :state;

namespace millrace::mock {
namespace {

constexpr std::int16_t retention_until = 4;
constexpr std::int16_t groups_from = 8;
constexpr std::int16_t unknown_group_from = 9;
constexpr std::int16_t topic_ids_from = 10;

// What a request says of its topics and partitions, and which of them a group is asked about.
struct Sorted {
  struct Part {
    PartitionIndex index;
    ErrorCode error = ErrorCode::none;
  };
  struct Named {
    std::string name;
    Uuid id;
    std::vector<Part> parts;
  };
  std::vector<Named> topics;

  // Those that were not refused get what the group said of them: all the same error, or each its
  // own, in the order of the request.
  void settle(ErrorCode all, const std::vector<groups::TopicErrors>& replied) {
    std::size_t topic_place = 0;
    for (Named& topic : topics) {
      std::size_t place = 0;
      bool asked_about = false;
      for (Part& part : topic.parts) {
        if (part.error != ErrorCode::none) continue;
        asked_about = true;
        if (all != ErrorCode::none) {
          part.error = all;
          continue;
        }
        check(topic_place < replied.size() && place < replied[topic_place].partitions.size(),
              "a reply names all that was asked about");
        part.error = replied[topic_place].partitions[place++].error;
      }
      if (asked_about) ++topic_place;
    }
  }

  template <class WireTopic, class WirePart>
  [[nodiscard]] protocol::Array<WireTopic> rows(Asked& asked) const {
    std::vector<WireTopic> out;
    for (const Named& topic : topics) {
      std::vector<WirePart> parts;
      for (const Part& part : topic.parts) {
        WirePart& row = parts.emplace_back();
        row.partition_index = part.index.value();
        row.error_code = number_of(part.error);
      }
      WireTopic& row = out.emplace_back();
      row.name = keep(topic.name, asked);
      if constexpr (requires { row.topic_id; }) row.topic_id = topic.id;
      row.partitions = keep(parts, asked);
    }
    return keep(out, asked);
  }
};

ErrorCode error_of(const Topic* topic, std::int32_t partition, bool by_id) {
  if (topic == nullptr && by_id) return ErrorCode::unknown_topic_id;
  const bool exists = topic != nullptr && topic->find(partition) != nullptr;
  return exists ? ErrorCode::none : ErrorCode::unknown_topic_or_partition;
}

groups::CommitRequest read_commit(const protocol::OffsetCommitRequest& in, Asked& asked,
                                  Sorted& sorted) {
  groups::CommitRequest out;
  out.group = in.group_id;
  out.generation = groups::Generation(in.generation_id_or_member_epoch);
  out.member_id = in.member_id;
  out.instance_id = owned(in.group_instance_id);
  if (asked.version() <= retention_until && in.retention_time_ms >= 0) {
    out.retention = groups::Milliseconds(in.retention_time_ms);
  }
  out.may_lack_group = asked.version() >= unknown_group_from;
  const bool by_id = asked.version() >= topic_ids_from;
  for (const auto& topic : in.topics) {
    const Topic* const known =
        by_id ? asked.state.find(topic.topic_id) : asked.state.find(topic.name);
    const std::string name = known != nullptr ? known->name : std::string(topic.name);
    auto& said = sorted.topics.emplace_back(Sorted::Named{name, topic.topic_id, {}});
    groups::CommittedTopic wanted{name, by_id ? topic.topic_id : Uuid{}, {}};
    for (const auto& part : topic.partitions) {
      const PartitionIndex index(part.partition_index);
      const ErrorCode error = error_of(known, part.partition_index, by_id);
      said.parts.push_back({index, error});
      if (error != ErrorCode::none) continue;
      wanted.partitions.push_back({index, Offset(part.committed_offset),
                                   LeaderEpoch(part.committed_leader_epoch),
                                   std::string(part.committed_metadata)});
    }
    if (!wanted.partitions.empty()) out.topics.push_back(std::move(wanted));
  }
  return out;
}

// What one group was asked for and answered.
struct Fetched {
  std::string group;
  bool all = false;
  Sorted sorted;  // of what was named
  groups::FetchReply reply;
};

template <class WireTopic>
groups::FetchRequest read_fetch(const protocol::Array<WireTopic>& wanted, bool by_id, Asked& asked,
                                Fetched& fetched) {
  groups::FetchRequest out;
  out.group = fetched.group;
  fetched.all = wanted.is_null();
  if (fetched.all) return out;
  out.topics.emplace();
  for (const WireTopic& topic : wanted) {
    Sorted::Named said{std::string(topic.name), {}, {}};
    ErrorCode error = ErrorCode::none;
    if constexpr (requires { topic.topic_id; }) {
      said.id = topic.topic_id;
      if (by_id) {
        const Topic* const known = asked.state.find(topic.topic_id);
        if (known == nullptr) error = ErrorCode::unknown_topic_id;
        if (known != nullptr) said.name = known->name;
      }
    }
    groups::WantedTopic row{said.name, said.id, {}};
    for (const std::int32_t partition : topic.partition_indexes) {
      said.parts.push_back({PartitionIndex(partition), error});
      row.partitions.push_back(PartitionIndex(partition));
    }
    fetched.sorted.topics.push_back(std::move(said));
    if (error == ErrorCode::none) out.topics->push_back(std::move(row));
  }
  return out;
}

template <class WirePart>
WirePart shown(PartitionIndex index, ErrorCode error, const groups::FetchedPartition* told,
               Asked& asked) {
  WirePart row;
  row.partition_index = index.value();
  row.committed_offset = no_offset.value();
  row.error_code = number_of(error);
  if (told != nullptr) {
    row.committed_offset = told->offset.value();
    row.committed_leader_epoch = told->leader_epoch.value();
    row.metadata = keep(told->metadata, asked);
  }
  return row;
}

template <class WireTopic, class WirePart>
protocol::Array<WireTopic> rows_of(const Fetched& fetched, ErrorCode error, Asked& asked) {
  std::vector<WireTopic> out;
  const auto add = [&](const std::string& name, const Uuid& id,
                       const std::vector<WirePart>& parts) {
    WireTopic& row = out.emplace_back();
    row.name = keep(name, asked);
    if constexpr (requires { row.topic_id; }) row.topic_id = id;
    row.partitions = keep(parts, asked);
  };
  if (fetched.all) {
    for (const groups::FetchedTopic& topic : fetched.reply.topics) {
      const Topic* const known = asked.state.find(topic.name);
      // A topic that is gone has no id to be named by.
      if (known == nullptr && asked.version() >= topic_ids_from) continue;
      std::vector<WirePart> parts;
      for (const auto& part : topic.partitions) {
        parts.push_back(shown<WirePart>(part.partition, part.error, &part, asked));
      }
      add(topic.name, known != nullptr ? known->id : Uuid{}, parts);
    }
    return keep(out, asked);
  }
  std::size_t topic_place = 0;
  for (const Sorted::Named& topic : fetched.sorted.topics) {
    const bool refused = !topic.parts.empty() && topic.parts.front().error != ErrorCode::none;
    const bool told = !refused && error == ErrorCode::none;
    std::vector<WirePart> parts;
    for (std::size_t i = 0; i < topic.parts.size(); ++i) {
      const Sorted::Part& part = topic.parts[i];
      const auto* const row =
          told ? &fetched.reply.topics.at(topic_place).partitions.at(i) : nullptr;
      const ErrorCode outcome = refused ? part.error : (row != nullptr ? row->error : error);
      parts.push_back(shown<WirePart>(part.index, outcome, row, asked));
    }
    if (told) ++topic_place;
    add(topic.name, topic.id, parts);
  }
  return keep(out, asked);
}

}  // namespace

Task<Answer> offset_commit(Asked& asked) {
  protocol::OffsetCommitRequest message;
  if (!read(message, asked)) co_return Answer{};
  Sorted sorted;
  auto request = read_commit(message, asked, sorted);
  const auto allowed = asked.state.managed_groups.offsets_allowed(
      message.group_id, message.member_id, message.generation_id_or_member_epoch);
  if (allowed && asked.planted == ErrorCode::none) asked.planted = *allowed;
  // The members of such a group are not those of the desk, where nobody has offsets without one.
  if (allowed) {
    request.generation = groups::Generation(-1);
    request.member_id.clear();
    request.instance_id.reset();
  }
  const auto replied =
      co_await ask<groups::CommitReply>(asked, message.group_id, std::move(request));
  if (!replied) co_return Answer{};
  sorted.settle(replied->error, replied->topics);
  using Response = protocol::OffsetCommitResponse;
  Response out;
  out.topics =
      sorted.rows<Response::OffsetCommitResponseTopic, Response::OffsetCommitResponsePartition>(
          asked);
  co_return answer(asked, out);
}

Task<Answer> offset_fetch(Asked& asked) {
  protocol::OffsetFetchRequest message;
  if (!read(message, asked)) co_return Answer{};
  using Response = protocol::OffsetFetchResponse;
  Response out;
  if (asked.version() < groups_from) {
    Fetched fetched{std::string(message.group_id), false, {}, {}};
    auto request = read_fetch(message.topics, false, asked, fetched);
    auto replied = co_await ask<groups::FetchReply>(asked, message.group_id, std::move(request));
    if (!replied) co_return Answer{};
    fetched.reply = *std::move(replied);
    const ErrorCode error = fetched.reply.error;
    out.topics =
        rows_of<Response::OffsetFetchResponseTopic, Response::OffsetFetchResponsePartition>(
            fetched, error, asked);
    out.error_code = number_of(error);
    co_return answer(asked, out);
  }
  std::vector<Response::OffsetFetchResponseGroup> rows;
  for (const auto& group : message.groups) {
    Fetched fetched{std::string(group.group_id), false, {}, {}};
    auto request = read_fetch(group.topics, asked.version() >= topic_ids_from, asked, fetched);
    if (group.member_id.data() != nullptr && asked.planted == ErrorCode::none) {
      asked.planted = asked.state.managed_groups
                          .offsets_allowed(group.group_id, group.member_id, group.member_epoch)
                          .value_or(ErrorCode::none);
    }
    auto replied = co_await ask<groups::FetchReply>(asked, group.group_id, std::move(request));
    if (!replied) co_return Answer{};
    fetched.reply = *std::move(replied);
    auto& row = rows.emplace_back();
    row.group_id = group.group_id;
    row.error_code = number_of(fetched.reply.error);
    // An error of the group stands alone.
    if (fetched.reply.error != ErrorCode::none) continue;
    row.topics =
        rows_of<Response::OffsetFetchResponseTopics, Response::OffsetFetchResponsePartitions>(
            fetched, ErrorCode::none, asked);
  }
  out.groups = keep(rows, asked);
  co_return answer(asked, out);
}

Task<Answer> offset_delete(Asked& asked) {
  protocol::OffsetDeleteRequest message;
  if (!read(message, asked)) co_return Answer{};
  groups::OffsetDeleteRequest request;
  request.group = message.group_id;
  Sorted sorted;
  for (const auto& topic : message.topics) {
    const Topic* const known = asked.state.find(topic.name);
    auto& said = sorted.topics.emplace_back(Sorted::Named{std::string(topic.name), {}, {}});
    groups::WantedTopic wanted{std::string(topic.name), {}, {}};
    for (const auto& part : topic.partitions) {
      const PartitionIndex index(part.partition_index);
      const ErrorCode error = error_of(known, part.partition_index, false);
      said.parts.push_back({index, error});
      if (error == ErrorCode::none) wanted.partitions.push_back(index);
    }
    if (!wanted.partitions.empty()) request.topics.push_back(std::move(wanted));
  }
  const auto replied =
      co_await ask<groups::OffsetDeleteReply>(asked, message.group_id, std::move(request));
  if (!replied) co_return Answer{};
  using Response = protocol::OffsetDeleteResponse;
  Response out;
  out.error_code = number_of(replied->error);
  if (replied->error == ErrorCode::none) {
    sorted.settle(ErrorCode::none, replied->topics);
    out.topics =
        sorted.rows<Response::OffsetDeleteResponseTopic, Response::OffsetDeleteResponsePartition>(
            asked);
  }
  co_return answer(asked, out);
}

}  // namespace millrace::mock
