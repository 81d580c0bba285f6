// What a controller does with calls.
module;
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

export module millrace.controller:service;

import millrace.base;
import millrace.config;
import millrace.ipc.rpc;
import millrace.metadata.machine;
import millrace.runtime;
import :quorum;

export namespace millrace::controller {

// Answers the calls of brokers, coordinators and tools from the quorum. On the quorum's shard,
// which outlives it.
class Service final : public rpc::ControllerService {
 public:
  Service(Quorum& quorum, Executor& executor, std::shared_ptr<const config::ServerConfig> server,
          Logger log)
      : quorum_(quorum), executor_(executor), server_(std::move(server)), log_(std::move(log)) {}

  [[nodiscard]] Task<rpc::HelloReply> on(rpc::Hello request) override;
  [[nodiscard]] Task<rpc::RegisterBrokerReply> on(rpc::RegisterBroker request) override;
  [[nodiscard]] Task<rpc::HeartbeatReply> on(rpc::Heartbeat request) override;
  [[nodiscard]] Task<rpc::FollowMetadataReply> on(rpc::FollowMetadata request) override;
  [[nodiscard]] Task<rpc::ForwardReply> on(rpc::Forward request) override;
  [[nodiscard]] Task<rpc::AllocateProducerIdsReply> on(rpc::AllocateProducerIds request) override;
  [[nodiscard]] Task<rpc::DescribeQuorumReply> on(rpc::DescribeQuorum request) override;
  void on(rpc::RaftMessage message) override;

 private:
  [[nodiscard]] Task<rpc::ForwardReply> forward(rpc::Forward request);

  Quorum& quorum_;
  Executor& executor_;
  std::shared_ptr<const config::ServerConfig> server_;
  Logger log_;
};

}  // namespace millrace::controller
