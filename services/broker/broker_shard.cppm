// What a broker has on each of its shards.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

export module millrace.broker:broker_shard;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.broker.coordination;
import millrace.broker.fetching;
import millrace.broker.partitions;
import millrace.broker.partitions.data;
import millrace.broker.requests;
import millrace.broker.requests.configs;
import millrace.config;
import millrace.metadata;
import millrace.runtime;
import millrace.runtime.files;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.security;
import millrace.telemetry;
import :adapters;

export namespace millrace::broker {

inline constexpr ShardIndex home_shard{0};

// What all shards of a broker share; outlives them.
struct BrokerShared {
  std::shared_ptr<const config::ServerConfig> config;
  BrokerId self = no_broker;
  telemetry::Registry& registry;
  security::Authorizer& authorizer;
  security::Quotas& quotas;
  RequestMemory& memory;
  ShardImages& images;
  Logger log;
};

// What requests need of the rest of the broker, once it is there.
struct RequestGround {
  PartitionHost& host;
  ClusterLink& link;
  GroupGateway& gateway;
  const FetchGrounds& fetches;
  DataRequestsOfShards& data;
  std::uint64_t seed = 0;  // another one in each process
};

// Made, used and ended on its shard, but for what is const. Its members are there in the order of a
// start: files and connections first, requests when there are partitions.
class BrokerShard {
 public:
  BrokerShard(Shard& shard, BrokerShared& shared);
  BrokerShard(const BrokerShard&) = delete;
  BrokerShard& operator=(const BrokerShard&) = delete;
  ~BrokerShard();

  [[nodiscard]] Result<void> open(FileSystemKind kind, FilePool& pool);
  void make_requests(const RequestGround& ground);
  // The image is what requests see from now on.
  void take(const std::shared_ptr<const metadata::Image>& image);

  // Fetches that wait are answered, so that their connections can end.
  void stop_waiting();
  // After the last connection has ended.
  [[nodiscard]] Task<void> stop();

  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] FileSystem& files() { return *files_; }
  [[nodiscard]] BufferPool& buffers() { return buffers_; }
  [[nodiscard]] Network& network() { return *network_; }
  [[nodiscard]] ShardConnections& connections() { return *connections_; }
  [[nodiscard]] ConfigView& configs() { return configs_; }

 private:
  // What answers requests.
  struct Requests;

  Shard& shard_;
  BrokerShared& shared_;
  BufferPool buffers_;
  std::unique_ptr<PosixFileSystem> files_;
  std::unique_ptr<TcpNetwork> network_;
  ConfigView configs_;
  HandlerPlace handler_;
  std::unique_ptr<LocalRequestMemory> memory_;
  std::unique_ptr<ShardConnections> connections_;
  std::unique_ptr<Requests> requests_;
};

}  // namespace millrace::broker
