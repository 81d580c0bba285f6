// The side of the RPC that calls controllers.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

export module millrace.ipc.rpc:controller_client;

import millrace.base;
import millrace.runtime;
import :controller_api;
import :limits;
import :rpc_thread;

export namespace millrace::rpc {

struct ControllerClientOptions {
  std::vector<ControllerAddress> controllers;  // at least one
  Hello hello;                                 // the first call on every connection
  // Goes to the controller that leads. Otherwise any of them will do: for raft messages to one.
  bool follow_leader = true;
  // Between attempts: from the first, doubled each time up to the second, of that half to all.
  Duration backoff_min = std::chrono::milliseconds{50};
  Duration backoff_max = std::chrono::seconds{1};
  std::uint64_t seed = 0;  // of the jitter; another one in every process
  std::size_t calls_max = client_calls_max;
  std::size_t waiting_max = client_waiting_max;
};

// One connection, to the controller that leads; connects again, through the controllers in turn and
// by what they say about the leader, for as long as it exists. Lives on its home shard, which owns
// it; the RPC thread outlives it. Await stop() before it is destroyed.
class ControllerClient final : public ControllerCalls {
 public:
  ControllerClient(RpcThread& thread, EventLoop& home, ControllerClientOptions options,
                   const Logger& log);
  ControllerClient(const ControllerClient&) = delete;
  ControllerClient& operator=(const ControllerClient&) = delete;
  ~ControllerClient() override;

  [[nodiscard]] Task<RpcResult<HelloReply>> call(Hello request, MonotonicTime deadline) override;
  [[nodiscard]] Task<RpcResult<RegisterBrokerReply>> call(RegisterBroker request,
                                                          MonotonicTime deadline) override;
  [[nodiscard]] Task<RpcResult<HeartbeatReply>> call(Heartbeat request,
                                                     MonotonicTime deadline) override;
  [[nodiscard]] Task<RpcResult<FollowMetadataReply>> call(FollowMetadata request,
                                                          MonotonicTime deadline) override;
  [[nodiscard]] Task<RpcResult<ForwardReply>> call(Forward request,
                                                   MonotonicTime deadline) override;
  [[nodiscard]] Task<RpcResult<AllocateProducerIdsReply>> call(AllocateProducerIds request,
                                                               MonotonicTime deadline) override;
  [[nodiscard]] Task<RpcResult<DescribeQuorumReply>> call(DescribeQuorum request,
                                                          MonotonicTime deadline) override;

  // One way. Lost if there is no connection, if raft_messages_max are on their way, or if it is too
  // large: raft sends again what matters.
  void send(RaftMessage message);

  // All calls that wait end with `closed`, the connection is closed.
  [[nodiscard]] Task<void> stop();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::rpc
