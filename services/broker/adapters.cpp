module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.broker.coordination;
import millrace.broker.fetching;
import millrace.broker.partitions;
import millrace.broker.partitions.data;
import millrace.broker.requests.lookups;
import millrace.broker.requests.ports;
import millrace.ipc.coordination;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.runtime.shard;

namespace millrace::broker {

Task<Response> HandlerPlace::handle(Request request) {
  check(handler_ != nullptr, "nobody is accepted before the broker is ready");
  return handler_->handle(std::move(request));
}

void HandlerPlace::connection_closing(ConnectionId connection) {
  if (handler_ != nullptr) handler_->connection_closing(connection);
}

Task<Response> DataOfShard::produce(Request request) {
  return data_.produce(std::move(request));
}
Task<Response> DataOfShard::list_offsets(Request request) {
  return data_.list_offsets(std::move(request));
}
Task<Response> DataOfShard::delete_records(Request request) {
  return data_.delete_records(std::move(request));
}
Task<Response> DataOfShard::offset_for_leader_epoch(Request request) {
  return data_.offset_for_leader_epoch(std::move(request));
}
Task<Response> DataOfShard::describe_log_dirs(Request request) {
  return data_.describe_log_dirs(std::move(request));
}
Task<Response> DataOfShard::describe_producers(Request request) {
  return data_.describe_producers(std::move(request));
}

Task<Response> FetchOfShard::fetch(Request request) {
  return fetches_.fetch(std::move(request));
}
void FetchOfShard::connection_closing(ConnectionId connection) {
  fetches_.connection_closing(connection);
}

Task<Response> GroupsOfShard::handle(Request request) {
  return groups_.handle(std::move(request));
}
void GroupsOfShard::connection_closing(ConnectionId connection) {
  closing_.start(groups_.connection_closing(connection));
}

Task<Result<std::vector<std::byte>, ErrorCode>> ControllerOfShard::forward(rpc::Forward request) {
  co_return co_await here_.call(home_, [&](Shard&) { return link_.forward(std::move(request)); });
}

Task<Result<metadata::ProducerIdBlock, ErrorCode>> ControllerOfShard::allocate_producer_ids() {
  co_return co_await here_.call(home_, [&](Shard&) { return link_.allocate_producer_ids(); });
}

Task<rpc::RpcResult<rpc::DescribeQuorumReply>> ControllerOfShard::describe_quorum(
    MonotonicTime deadline) {
  co_return co_await here_.call(home_, [&](Shard&) { return link_.describe_quorum(deadline); });
}

namespace {

[[nodiscard]] std::optional<coordination::KnownTopic> known(
    const std::shared_ptr<const metadata::Topic>& topic) {
  if (!topic) return std::nullopt;
  return coordination::KnownTopic{topic->name, topic->id,
                                  static_cast<std::int32_t>(topic->partitions.size())};
}

}  // namespace

std::optional<coordination::KnownTopic> TopicsOfImage::find(std::string_view name) const {
  return known(image_.current()->topic(name));
}

std::optional<coordination::KnownTopic> TopicsOfImage::find(const Uuid& id) const {
  return known(image_.current()->topic(id));
}

std::int32_t TopicsOfImage::state_partitions() const {
  const auto topic = image_.current()->topic(group_state_topic);
  return topic ? static_cast<std::int32_t>(topic->partitions.size()) : 0;
}

std::vector<coordination::KnownTopic> TopicsOfImage::all(std::size_t topics_max) const {
  std::vector<coordination::KnownTopic> topics;
  image_.current()->for_each_topic([&](const metadata::Topic& topic) {
    if (topics.size() >= topics_max) return;
    topics.push_back({topic.name, topic.id, static_cast<std::int32_t>(topic.partitions.size())});
  });
  return topics;
}

namespace {

// On the shard of the partition.
[[nodiscard]] Partition* state_partition(Partitions& partitions, PartitionIndex index) {
  return partitions.find(group_state_topic, index);
}

// Where what follows whole batches begins.
[[nodiscard]] Offset end_of(ByteView batches, Offset otherwise) {
  Offset end = otherwise;
  protocol::BatchSplitter splitter(batches);
  for (protocol::BatchView batch; splitter.next(batch);) {
    end = batch.header().last_offset().next();
  }
  return end;
}

[[nodiscard]] Task<Result<StateBatches, ErrorCode>> read_here(Partitions& partitions,
                                                              PartitionIndex index,
                                                              LeaderEpoch epoch, Offset from,
                                                              std::size_t bytes_max) {
  Partition* partition = state_partition(partitions, index);
  if (partition == nullptr) co_return failure(ErrorCode::not_leader_or_follower);
  const Offset begin = std::max(from, partition->log_start());
  auto read = co_await partition->read_internal(epoch, begin, bytes_max);
  if (!read) co_return failure(read.error().code);
  StateBatches batches;
  // Without batches there is nothing up to the high watermark.
  batches.next = read->bytes.empty() ? read->high_watermark : end_of(read->bytes, begin);
  // Not the high watermark: what is above it and was refused in time may still be committed.
  batches.end = read->log_end;
  batches.bytes = std::move(read->bytes);
  co_return batches;
}

[[nodiscard]] Task<Result<void, ErrorCode>> append_here(Partitions& partitions,
                                                        PartitionIndex index, LeaderEpoch epoch,
                                                        MutableBytes batch,
                                                        MonotonicTime deadline) {
  Partition* partition = state_partition(partitions, index);
  if (partition == nullptr) co_return failure(ErrorCode::not_leader_or_follower);
  const auto kept = partition->shared_from_this();
  const auto active_segment = [&] { return partition->log().segments().back()->base(); };
  const Offset active = active_segment();
  const auto appended = co_await partition->append_internal(epoch, batch, deadline);
  // Old commits go when their segment is full: a coordinator that starts reads what is left.
  if (active_segment() != active) partitions.manager().clean_soon();
  if (!appended) co_return failure(appended.error().code);
  co_return Result<void, ErrorCode>();
}

}  // namespace

Task<Result<StateBatches, ErrorCode>> StateOnShards::read(PartitionIndex partition,
                                                          LeaderEpoch epoch, Offset from,
                                                          std::size_t bytes_max) {
  const ShardIndex shard = shard_of(group_state_topic, partition, home_.shard_count());
  co_return co_await home_.call(shard, [&](Shard& there) {
    return read_here(*host_.partitions()[there.index().value()], partition, epoch, from, bytes_max);
  });
}

Task<Result<void, ErrorCode>> StateOnShards::append(PartitionIndex partition, LeaderEpoch epoch,
                                                    std::vector<std::byte> batch) {
  const ShardIndex shard = shard_of(group_state_topic, partition, home_.shard_count());
  const MonotonicTime deadline = home_.clock().now() + state_append_timeout;
  co_return co_await home_.call(shard, [&](Shard& there) {
    return append_here(*host_.partitions()[there.index().value()], partition, epoch, batch,
                       deadline);
  });
}

}  // namespace millrace::broker
