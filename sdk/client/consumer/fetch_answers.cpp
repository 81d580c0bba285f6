module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;
import millrace.protocol.fetch;
import millrace.runtime;
import :asked_fetch;

namespace millrace::client {

using protocol::ErrorCode;
using protocol::FetchResponse;

namespace {

void note(std::optional<Offset>& offset, std::int64_t told) {
  if (told >= 0) offset = Offset(told);
}

std::size_t records_bytes(const FetchResponse& message) {
  std::size_t bytes = 0;
  for (const auto& topic : message.responses) {
    for (const auto& data : topic.partitions) bytes += data.records.size();
  }
  return bytes;
}

}  // namespace

bool Fetcher::take_answer(const Asked& asked, std::shared_ptr<Reply<FetchResponse>> reply) {
  const FetchResponse& message = reply->message;
  const auto frame = std::make_shared<HeldFrame>(HeldFrame{.bytes = records_bytes(message)});
  bool is_as_asked = true;
  std::map<TopicPartition, std::uint64_t, std::less<>> open(asked.requests.begin(),
                                                            asked.requests.end());
  for (const FetchResponse::FetchableTopicResponse& topic : message.responses) {
    TopicPartition name;
    if (reply->version < fetch_version_with_ids) {
      name.topic = std::string(topic.topic);
    } else if (const auto known = asked.names.find(topic.topic_id); known != asked.names.end()) {
      name.topic = known->second->topic;
    }
    for (const FetchResponse::PartitionData& data : topic.partitions) {
      name.partition = PartitionIndex(data.partition_index);
      const auto place = open.find(name);
      if (place == open.end()) {
        is_as_asked = false;
        continue;
      }
      PartitionProgress* partition = waiting_for(asked, name, place->second);
      open.erase(place);
      if (partition == nullptr) {
        ++counters_.dropped;
        continue;
      }
      partition->fetching_from = no_broker;
      take_partition(*partition, reply->broker, reply, frame, data);
    }
  }
  const bool tells_news_only =
      asked.is_incremental() && reply->version >= fetch_version_with_sessions;
  for (const auto& [name, request] : open) {
    PartitionProgress* partition = waiting_for(asked, name, request);
    if (partition != nullptr) partition->fetching_from = no_broker;
    if (tells_news_only) {
      if (partition != nullptr) heard_from(*partition);
      continue;
    }
    // What the broker left out: asked for again, not at once.
    is_as_asked = false;
    if (partition != nullptr) back_off(*partition);
  }
  return is_as_asked;
}

void Fetcher::refused(const Asked& asked, FetchSession& session, BrokerId broker, ErrorCode error) {
  ++counters_.failures;
  logger_.debug("fetch from broker {}: {}", broker, protocol::name_of(error));
  session.refused(error);
  // What names everything next needs no session that the broker knows.
  const bool at_once = asked.is_incremental() && is_of_session(error);
  release(asked, at_once);
  if (!at_once) metadata_.invalidate();
}

PartitionProgress* Fetcher::waiting_for(const Asked& asked, const TopicPartition& name,
                                        std::uint64_t request) {
  PartitionProgress* partition = positions_.find(name);
  const bool waits = partition != nullptr && partition->request == request &&
                     partition->fetching_from == asked.broker;
  return waits ? partition : nullptr;
}

void Fetcher::release(const Asked& asked, bool at_once) {
  for (const auto& [name, request] : asked.requests) {
    PartitionProgress* partition = waiting_for(asked, name, request);
    if (partition == nullptr) continue;
    partition->fetching_from = no_broker;
    if (at_once) continue;
    partition->replica = no_broker;
    back_off(*partition);
  }
}

void Fetcher::heard_from(PartitionProgress& partition) {
  partition.failures = 0;
  partition.heard = executor_.clock().now();
}

void Fetcher::take_partition(PartitionProgress& partition, BrokerId broker,
                             const std::shared_ptr<Reply<FetchResponse>>& reply,
                             const std::shared_ptr<HeldFrame>& frame,
                             const FetchResponse::PartitionData& data) {
  const ErrorCode error = protocol::error_code_from(data.error_code);
  if (error != ErrorCode::none) {
    return take_error(partition, broker, error, reply->message, data);
  }
  heard_from(partition);
  note(partition.high_watermark, data.high_watermark);
  // Who reads what is not committed is not held up by transactions.
  if (settings_.isolation_level == IsolationLevel::read_committed) {
    note(partition.last_stable, data.last_stable_offset);
  }
  note(partition.log_start, data.log_start_offset);
  if (data.preferred_read_replica >= 0) {
    partition.replica = BrokerId(data.preferred_read_replica);
    partition.replica_until = executor_.clock().now() + settings_.common.metadata_max_age;
  }
  if (data.records.size() > 0) take_records(partition, broker, reply, frame, data);
}

void Fetcher::take_records(PartitionProgress& partition, BrokerId broker,
                           const std::shared_ptr<Reply<FetchResponse>>& reply,
                           const std::shared_ptr<HeldFrame>& frame,
                           const FetchResponse::PartitionData& data) {
  const auto end = end_of_chunk(data.records.bytes(), partition.fetch_position);
  if (!end) {
    const bool is_large = end.error().kind == ErrorKind::limit_exceeded;
    ClientError error =
        client_error(is_large ? Failure::record_too_large : Failure::malformed_answer,
                     formatted("{} at offset {}: {}", to_string(*partition.name),
                               partition.fetch_position, end.error().message),
                     Persistence::not_persisted, broker);
    error.code = is_large ? ErrorCode::record_list_too_large : ErrorCode::corrupt_message;
    return fail(partition, std::move(error));
  }
  FetchedChunk chunk;
  chunk.partition = partition.name;
  chunk.frame = reply;
  chunk.batches = data.records.bytes();
  chunk.from = partition.fetch_position;
  for (const auto& aborted : data.aborted_transactions) {
    chunk.aborted.push_back({ProducerId(aborted.producer_id), Offset(aborted.first_offset)});
  }
  const ReadOptions options{
      .check_crcs = settings_.check_crcs,
      .read_committed = settings_.isolation_level == IsolationLevel::read_committed,
  };
  counters_.bytes += end->bytes;
  const MonotonicTime now = executor_.clock().now();
  meters_.all.bytes.record(static_cast<double>(end->bytes), now);
  meters_.of(partition.name->topic).bytes.record(static_cast<double>(end->bytes), now);
  partition.fetch_position = end->next_offset;
  partition.buffered.push_back(
      {ChunkReader(std::move(chunk), options, decompressor_), end->bytes, broker, frame});
  arrivals_.wake_all();
}

void Fetcher::take_error(PartitionProgress& partition, BrokerId broker, ErrorCode error,
                         const FetchResponse& message, const FetchResponse::PartitionData& data) {
  ++counters_.failures;
  if (error == ErrorCode::offset_out_of_range) return out_of_range(partition, broker);
  partition.replica = no_broker;
  back_off(partition);
  const ErrorTraits traits = traits_of(error);
  if (traits.refresh_metadata || traits.retriable) {
    if (data.current_leader.leader_id >= 0) {
      const BrokerId leader(data.current_leader.leader_id);
      std::optional<BrokerEndpoint> endpoint;
      for (const auto& node : message.node_endpoints) {
        if (node.node_id != leader.value() || node.port <= 0 || node.port > 65'535) continue;
        endpoint = BrokerEndpoint{
            leader, {std::string(node.host), Port(static_cast<std::uint16_t>(node.port))}};
      }
      metadata_.apply_leader_hint(partition.name->topic, partition.name->partition, leader,
                                  LeaderEpoch(data.current_leader.leader_epoch), endpoint);
    }
    metadata_.invalidate();
    return;
  }
  fail(partition, broker_error(error, broker,
                               formatted("{} cannot be fetched at offset {}",
                                         to_string(*partition.name), partition.fetch_position)));
}

// The offset is gone, or not there yet. A replica may just be behind: the leader knows.
void Fetcher::out_of_range(PartitionProgress& partition, BrokerId broker) {
  if (std::exchange(partition.replica, no_broker) == broker) return;
  // What is buffered is still good; when it was taken, the offset is looked at again.
  if (!partition.buffered.empty()) return back_off(partition);
  const std::string where = formatted("{}: offset {} is not in the log any more, or not yet",
                                      to_string(*partition.name), partition.fetch_position);
  const auto reset_to = reset_timestamp(settings_, executor_.clock());
  if (!reset_to) {
    back_off(partition);
    return fail(partition, broker_error(ErrorCode::offset_out_of_range, broker, where));
  }
  logger_.warning("{}; it is reset as auto.offset.reset says", where);
  positions_.seek(partition, PositionNeed::reset, *reset_to);
  if (on_need_) on_need_();
}

}  // namespace millrace::client
