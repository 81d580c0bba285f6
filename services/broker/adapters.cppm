// What the parts of the broker ask of one another, where each knows the other by an interface only.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

export module millrace.broker:adapters;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.broker.coordination;
import millrace.broker.fetching;
import millrace.broker.partitions;
import millrace.broker.partitions.data;
import millrace.broker.requests.ports;
import millrace.ipc.coordination;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.shard;

export namespace millrace::broker {

// Takes requests before the dispatcher is there: ports must be known before the broker registers,
// and the dispatcher needs partitions, which come later. Nobody is accepted before it is set.
class HandlerPlace final : public RequestHandler {
 public:
  void set(RequestHandler* handler) { handler_ = handler; }
  [[nodiscard]] Task<Response> handle(Request request) override;
  void connection_closing(ConnectionId connection) override;

 private:
  RequestHandler* handler_ = nullptr;
};

class DataOfShard final : public DataPort {
 public:
  explicit DataOfShard(DataRequests& data) : data_(data) {}
  [[nodiscard]] Task<Response> produce(Request request) override;
  [[nodiscard]] Task<Response> list_offsets(Request request) override;
  [[nodiscard]] Task<Response> delete_records(Request request) override;
  [[nodiscard]] Task<Response> offset_for_leader_epoch(Request request) override;
  [[nodiscard]] Task<Response> describe_log_dirs(Request request) override;
  [[nodiscard]] Task<Response> describe_producers(Request request) override;

 private:
  DataRequests& data_;
};

class FetchOfShard final : public FetchPort {
 public:
  explicit FetchOfShard(FetchRequests& fetches) : fetches_(fetches) {}
  [[nodiscard]] Task<Response> fetch(Request request) override;
  void connection_closing(ConnectionId connection) override;

 private:
  FetchRequests& fetches_;
};

// Await stop() before the end.
class GroupsOfShard final : public GroupPort {
 public:
  explicit GroupsOfShard(GroupRequests& groups) : groups_(groups) {}
  [[nodiscard]] Task<Response> handle(Request request) override;
  void connection_closing(ConnectionId connection) override;
  [[nodiscard]] Task<void> stop() { co_await closing_.wait(); }

 private:
  GroupRequests& groups_;
  TaskGroup closing_;  // on its way to the home shard
};

// The controllers, from any shard: the link to them is on the home shard.
class ControllerOfShard final : public ControllerPort {
 public:
  ControllerOfShard(Shard& here, ShardIndex home, ClusterLink& link)
      : here_(here), home_(home), link_(link) {}
  [[nodiscard]] Task<Result<std::vector<std::byte>, ErrorCode>> forward(
      rpc::Forward request) override;
  [[nodiscard]] Task<Result<metadata::ProducerIdBlock, ErrorCode>> allocate_producer_ids() override;
  [[nodiscard]] Task<rpc::RpcResult<rpc::DescribeQuorumReply>> describe_quorum(
      MonotonicTime deadline) override;

 private:
  Shard& here_;
  ShardIndex home_;
  ClusterLink& link_;
};

class ImageOfShard final : public ImagePort {
 public:
  explicit ImageOfShard(const ShardImage& image) : image_(image) {}
  [[nodiscard]] std::shared_ptr<const metadata::Image> current() const override {
    return image_.current();
  }

 private:
  const ShardImage& image_;
};

// The topics of the home shard's image, for the gateway.
class TopicsOfImage final : public GroupTopics {
 public:
  explicit TopicsOfImage(const ShardImage& image) : image_(image) {}
  [[nodiscard]] std::optional<coordination::KnownTopic> find(std::string_view name) const override;
  [[nodiscard]] std::optional<coordination::KnownTopic> find(const Uuid& id) const override;
  [[nodiscard]] std::int32_t state_partitions() const override;
  [[nodiscard]] std::vector<coordination::KnownTopic> all(std::size_t topics_max) const override;

 private:
  const ShardImage& image_;
};

// How long an append of the coordinator may wait for the high watermark: offsets.commit.timeout.ms.
inline constexpr Duration state_append_timeout = std::chrono::seconds{5};

// The partitions of __consumer_offsets, which lie on any shard, for the gateway on the home shard.
class StateOnShards final : public StateStore {
 public:
  StateOnShards(Shard& home, PartitionHost& host) : home_(home), host_(host) {}
  [[nodiscard]] Task<Result<StateBatches, protocol::ErrorCode>> read(
      PartitionIndex partition, LeaderEpoch epoch, Offset from, std::size_t bytes_max) override;
  [[nodiscard]] Task<Result<void, protocol::ErrorCode>> append(
      PartitionIndex partition, LeaderEpoch epoch, std::vector<std::byte> batch) override;

 private:
  Shard& home_;
  PartitionHost& host_;
};

}  // namespace millrace::broker
