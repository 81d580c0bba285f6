// Whether the log of a new leader still has what was read under one before it: an unclean election
// may have cut it off (KIP-320). The new leader is asked where the epoch of the last record ends.
module;
#include <coroutine>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.fetch;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

using protocol::ErrorCode;
using protocol::OffsetForLeaderEpochRequest;

// A partition as it was when its leader was asked.
struct ConsumerClient::Unproven {
  TopicPartition name;
  std::uint64_t request = 0;
  Offset position;
  LeaderEpoch epoch = no_leader_epoch;         // of the last record
  LeaderEpoch leader_epoch = no_leader_epoch;  // of the leader
};

namespace {

// As a consumer asks.
constexpr std::int32_t no_replica = -1;

// A request and what it views.
template <class Unproven>
struct AskedEpochs {
  explicit AskedEpochs(const std::vector<Unproven>& unproven) {
    for (const Unproven& one : unproven) {
      OffsetForLeaderEpochRequest::OffsetForLeaderPartition item;
      item.partition = one.name.partition.value();
      item.current_leader_epoch = one.leader_epoch.value();
      item.leader_epoch = one.epoch.value();
      topics[one.name.topic].push_back(item);
    }
    for (const auto& [topic, partitions] : topics) {
      auto& item = items.emplace_back();
      item.topic = topic;
      item.partitions = std::span(std::as_const(partitions));
    }
    message.replica_id = no_replica;
    message.topics = std::span(std::as_const(items));
  }

  std::map<std::string, std::vector<OffsetForLeaderEpochRequest::OffsetForLeaderPartition>> topics;
  std::vector<OffsetForLeaderEpochRequest::OffsetForLeaderTopic> items;
  OffsetForLeaderEpochRequest message;
};

}  // namespace

Task<ClientResult<void>> ConsumerClient::find_proofs() {
  std::map<BrokerId, std::vector<Unproven>> by_leader;
  bool has_leaderless = false;
  for (const auto& [name, partition] : positions_.all()) {
    if (partition.need != PositionNeed::proof) continue;
    const auto leader = metadata_.known_leader(name.topic, name.partition);
    if (!leader) {
      metadata_.invalidate();
      has_leaderless = true;
      continue;
    }
    if (proofs_.leaders.contains(leader->broker)) continue;
    by_leader[leader->broker].push_back(
        {name, partition.request, partition.position, partition.epoch, leader->epoch});
  }
  for (auto& [leader, unproven] : by_leader) {
    proofs_.leaders.insert(leader);
    tasks_.start(ask_for_proofs(leader, std::move(unproven)));
  }
  if (!has_leaderless && !proofs_.leaders.empty()) {
    static_cast<void>(co_await proof_needed_.wait());
  }
  co_return outcome(proofs_, has_leaderless);
}

Task<void> ConsumerClient::ask_for_proofs(BrokerId leader, std::vector<Unproven> unproven) {
  const AskedEpochs<Unproven> asked(unproven);
  CallOptions options;
  options.deadline = now() + settings_.common.request_timeout;
  const auto reply = co_await brokers_.call(leader, asked.message, options);
  if (!reply) metadata_.invalidate();
  // A broker that cannot be asked is believed.
  const bool is_believed = !reply && reply.error().failure == Failure::unsupported_version;
  std::map<TopicPartition, protocol::OffsetForLeaderEpochResponse::EpochEndOffset> answers;
  if (reply) {
    for (const auto& topic : reply->message.topics) {
      for (const auto& data : topic.partitions) {
        answers[{std::string(topic.topic), PartitionIndex(data.partition)}] = data;
      }
    }
  }
  for (const Unproven& one : unproven) {
    PartitionProgress* partition = positions_.find(one.name);
    if (partition == nullptr || partition->request != one.request ||
        partition->need != PositionNeed::proof) {
      continue;
    }
    const auto answer = answers.find(one.name);
    const bool is_answered = answer != answers.end();
    const ErrorCode error =
        is_answered ? protocol::error_code_from(answer->second.error_code) : ErrorCode::none;
    if (error != ErrorCode::none) {
      metadata_.invalidate();
      const ErrorTraits traits = traits_of(error);
      if (!traits.retriable && !traits.refresh_metadata) {
        proofs_.refused = broker_error(
            error, leader,
            formatted("whether {} was truncated cannot be found out", to_string(one.name)));
      }
    }
    if (error != ErrorCode::none || (!is_answered && !is_believed)) {
      proofs_.has_failed = true;
      continue;
    }
    partition->proven = one.leader_epoch;
    partition->need = PositionNeed::nothing;
    if (!is_answered) continue;
    const Offset end(answer->second.end_offset);
    const LeaderEpoch epoch(answer->second.leader_epoch);
    if (end < Offset(0) || epoch < LeaderEpoch(0) || end < one.position) {
      truncated(*partition, one, end, epoch);
    }
  }
  proofs_.leaders.erase(leader);
  proof_needed_.set();
}

// As Java's client: goes on where both logs are still the same; without a policy the application
// must say where.
void ConsumerClient::truncated(PartitionProgress& partition, const Unproven& asked, Offset end,
                               LeaderEpoch epoch) {
  const bool is_end_known = end >= Offset(0) && epoch >= LeaderEpoch(0);
  const std::string what =
      is_end_known
          ? formatted(
                "{} was truncated: its records from offset {} on are others than were read, "
                "up to {}",
                to_string(asked.name), end, asked.position)
          : formatted(
                "{} was truncated: its leader knows nothing of the records that were read, "
                "up to {}",
                to_string(asked.name), asked.position);
  const auto reset_to = reset_timestamp(settings_, executor_.clock());
  if (!reset_to) {
    positions_.seek(partition, PositionNeed::policy, latest_timestamp);
    partition.lost = broker_error(ErrorCode::offset_out_of_range, no_broker,
                                  what + "; auto.offset.reset is none: seek");
    partition.lost->retriable = false;
    return;
  }
  if (is_end_known) {
    logger_.warning("{}; it is read again from there", what);
    positions_.seek(partition, end, epoch);
    partition.proven = asked.leader_epoch;
  } else {
    logger_.warning("{}; it is reset as auto.offset.reset says", what);
    positions_.seek(partition, PositionNeed::reset, *reset_to);
  }
}

}  // namespace millrace::client
