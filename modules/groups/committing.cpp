module;
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.groups;

import millrace.base;

namespace millrace::groups {
namespace {

FetchedPartition fetched(PartitionIndex partition, const CommittedOffset* offset) {
  if (offset == nullptr) return {.partition = partition, .metadata = {}};
  return {.partition = partition,
          .offset = offset->offset,
          .leader_epoch = offset->leader_epoch,
          .metadata = offset->metadata};
}

// What a fetch finds, for as long as it fits.
class Found {
 public:
  explicit Found(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  [[nodiscard]] bool begin(std::string name, const Uuid& id, std::size_t partitions) {
    if (!fits(topic_bytes + name.size() + partitions * partition_bytes)) return false;
    reply_.topics.push_back({std::move(name), id, {}});
    reply_.topics.back().partitions.reserve(partitions);
    return true;
  }
  // Of the topic that was begun.
  [[nodiscard]] bool add(PartitionIndex partition, const CommittedOffset* offset) {
    if (offset != nullptr && !fits(offset->metadata.size())) return false;
    reply_.topics.back().partitions.push_back(fetched(partition, offset));
    return true;
  }
  [[nodiscard]] FetchReply take() { return std::move(reply_); }

 private:
  // Numbers, lengths and tags; an id where there is no name.
  static constexpr std::size_t topic_bytes = 32;
  static constexpr std::size_t partition_bytes = 24;

  [[nodiscard]] bool fits(std::size_t bytes) {
    reply_.bytes += bytes;
    return reply_.bytes <= bytes_max_;
  }

  std::size_t bytes_max_;
  FetchReply reply_;
};

// Both end early where it is more than fits.
bool find_named(const Group* group, const std::vector<WantedTopic>& topics, Found& found) {
  for (const WantedTopic& wanted : topics) {
    if (!found.begin(wanted.name, wanted.topic_id, wanted.partitions.size())) return false;
    for (const PartitionIndex partition : wanted.partitions) {
      const CommittedOffset* const offset =
          group == nullptr ? nullptr : group->offsets.find(wanted.name, partition);
      if (!found.add(partition, offset)) return false;
    }
  }
  return true;
}

bool find_all(const Group& group, Found& found) {
  for (const auto& [name, partitions] : group.offsets.topics()) {
    const Uuid id = partitions.empty() ? Uuid{} : partitions.rbegin()->second.topic_id;
    if (!found.begin(name, id, partitions.size())) return false;
    for (const auto& [partition, offset] : partitions) {
      if (!found.add(partition, &offset)) return false;
    }
  }
  return true;
}

}  // namespace

void Coordinator::on(RequestId id, CommitRequest& request) {
  CommitReply reply;
  Group* found = find(request.group);
  if (found == nullptr) {
    // Who is no member of anything may keep its offsets here all the same.
    if (request.generation.value() >= 0) {
      reply.error =
          request.may_lack_group ? ErrorCode::group_id_not_found : ErrorCode::illegal_generation;
    } else if (request.group.size() > stored_string_bytes_max) {
      reply.error = ErrorCode::invalid_group_id;
    } else if (!has_room_for_group()) {
      reply.error = ErrorCode::policy_violation;
    }
    if (reply.error != ErrorCode::none) return answer(id, std::move(reply));
    found = &create(request.group);
  }
  Group& group = *found;
  reply.error = refusal_of(group, request);
  if (reply.error != ErrorCode::none) {
    answer(group, id, std::move(reply));
    return settle(group);
  }
  // Who commits lives.
  if (const Member* const member = group.find(request.member_id);
      member != nullptr &&
      (group.is(GroupState::stable) || group.is(GroupState::preparing_rebalance))) {
    start_session(group, *member);
  }
  std::vector<Record> records;
  // Each record names the group: a few bytes of a request may become thousands.
  std::size_t bytes = 0;
  for (CommittedTopic& topic : request.topics) {
    TopicErrors errors{topic.name, topic.topic_id, {}};
    for (CommittedPartition& partition : topic.partitions) {
      ErrorCode error = ErrorCode::invalid_commit_offset_size;
      if (bytes < options_.commit_bytes_max) {
        error = commit(group, request, topic, partition, records);
        if (error == ErrorCode::none) bytes += records.back().framed_bytes();
      }
      errors.partitions.push_back({partition.partition, error});
    }
    reply.topics.push_back(std::move(errors));
  }
  if (!records.empty()) append(group, std::move(records));
  answer(group, id, std::move(reply));
  settle(group);
}

ErrorCode Coordinator::refusal_of(const Group& group, const CommitRequest& request) const {
  if (request.generation.value() < 0 && group.is(GroupState::empty)) return ErrorCode::none;
  const bool is_member = request.generation.value() >= 0 || !request.member_id.empty() ||
                         request.instance_id.has_value();
  if (!is_member) return ErrorCode::unknown_member_id;
  const ErrorCode error = group.validate(request.member_id, request.instance_id);
  if (error != ErrorCode::none) return error;
  const bool is_old = request.generation != group.generation();
  if (is_old && !planted(Planted::commit_of_old_generation)) return ErrorCode::illegal_generation;
  // It has joined and has no assignment yet: nothing is its own to commit.
  if (group.is(GroupState::completing_rebalance)) return ErrorCode::rebalance_in_progress;
  return ErrorCode::none;
}

ErrorCode Coordinator::commit(Group& group, const CommitRequest& request,
                              const CommittedTopic& topic, const CommittedPartition& partition,
                              std::vector<Record>& records) {
  if (java_length(partition.metadata) > options_.offset_metadata_length_max) {
    return ErrorCode::offset_metadata_too_large;
  }
  const bool is_new = group.offsets.find(topic.name, partition.partition) == nullptr;
  const std::size_t added = group.offsets.size() - group.counted_offsets;
  // All that a group has must go at once when it is deleted.
  const bool full = offsets_ + added >= options_.offsets_max || is_full() ||
                    group.offsets.erasure_bytes(group.id().size()) >= options_.erasure_bytes_max;
  if (is_new && full) return ErrorCode::invalid_commit_offset_size;
  CommittedOffset offset;
  offset.offset = partition.offset;
  offset.leader_epoch = partition.leader_epoch;
  offset.metadata = partition.metadata;
  offset.committed = now_.wall;
  if (request.retention) {
    offset.expires = later(now_.wall, *request.retention);
    // The format that has an expiry has no place for the epoch.
    offset.leader_epoch = no_leader_epoch;
  } else {
    offset.topic_id = topic.topic_id;
  }
  auto record = offset_record(group.id(), topic.name, partition.partition, offset);
  if (!record || record->bytes() > options_.record_bytes_max) {
    return ErrorCode::invalid_commit_offset_size;
  }
  records.push_back(*std::move(record));
  group.offsets.set(topic.name, partition.partition, std::move(offset));
  return ErrorCode::none;
}

// Transactions that would hold offsets back do not reach this module, so that all offsets are
// stable whether that is required or not.
void Coordinator::on(RequestId id, FetchRequest& request) {
  const Group* const group = find(request.group);
  Found found(options_.fetch_bytes_max);
  const bool fits = request.topics ? find_named(group, *request.topics, found)
                                   : group == nullptr || find_all(*group, found);
  FetchReply reply;
  if (fits) {
    reply = found.take();
  } else {
    reply.error = ErrorCode::invalid_request;
  }
  // What is seen here must not vanish again.
  if (group == nullptr) return answer(id, std::move(reply));
  if (planted(Planted::read_before_append)) return answer_now(id, std::move(reply));
  answer(*group, id, std::move(reply));
}

void Coordinator::on(RequestId id, OffsetDeleteRequest& request) {
  OffsetDeleteReply reply;
  if (request.group.empty()) {
    reply.error = ErrorCode::invalid_group_id;
    return answer(id, std::move(reply));
  }
  Group* const group = find(request.group);
  if (group == nullptr) {
    reply.error = ErrorCode::group_id_not_found;
    return answer(id, std::move(reply));
  }
  if (!group->is(GroupState::empty) && !group->is_consumer_group()) {
    reply.error = ErrorCode::non_empty_group;
    return answer(*group, id, std::move(reply));
  }
  std::vector<Record> records;
  for (WantedTopic& wanted : request.topics) {
    TopicErrors errors{std::move(wanted.name), wanted.topic_id, {}};
    const bool subscribed = group->is_subscribed_to(errors.name);
    for (const PartitionIndex partition : wanted.partitions) {
      errors.partitions.push_back(
          {partition, subscribed ? ErrorCode::group_subscribed_to_topic : ErrorCode::none});
      if (!subscribed && group->offsets.erase(errors.name, partition)) {
        records.push_back(offset_tombstone(group->id(), errors.name, partition));
      }
    }
    reply.topics.push_back(std::move(errors));
  }
  if (!records.empty()) append(*group, std::move(records));
  answer(*group, id, std::move(reply));
  settle(*group);
}

}  // namespace millrace::groups
