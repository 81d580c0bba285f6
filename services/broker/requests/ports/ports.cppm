// What stands behind the requests of clients: the parts of the broker that answer them, each behind
// an interface, so that a test can put its own in place. All live on the shard of the connection
// that a request came by, and are called there.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

export module millrace.broker.requests.ports:ports;

import millrace.base;
import millrace.broker.connections;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.protocol.api;
import millrace.runtime;

export namespace millrace::broker {

using protocol::ErrorCode;

// The partitions that this broker leads.
class DataPort {
 public:
  virtual ~DataPort() = default;
  [[nodiscard]] virtual Task<Response> produce(Request request) = 0;
  [[nodiscard]] virtual Task<Response> list_offsets(Request request) = 0;
  [[nodiscard]] virtual Task<Response> delete_records(Request request) = 0;
  [[nodiscard]] virtual Task<Response> offset_for_leader_epoch(Request request) = 0;
  [[nodiscard]] virtual Task<Response> describe_log_dirs(Request request) = 0;
  [[nodiscard]] virtual Task<Response> describe_producers(Request request) = 0;
};

class FetchPort {
 public:
  virtual ~FetchPort() = default;
  [[nodiscard]] virtual Task<Response> fetch(Request request) = 0;
  // Fetches of this connection that wait may end at once.
  virtual void connection_closing(ConnectionId /*connection*/) {}
};

// The coordinator of this host, for all APIs of groups.
class GroupPort {
 public:
  virtual ~GroupPort() = default;
  [[nodiscard]] virtual Task<Response> handle(Request request) = 0;
  virtual void connection_closing(ConnectionId /*connection*/) {}
};

// The controllers. What a forwarded request has changed is here when its answer is. The error of
// the first two is a code for the client: not_controller when nobody took it, request_timed_out
// when it may have been carried out.
class ControllerPort {
 public:
  virtual ~ControllerPort() = default;
  [[nodiscard]] virtual Task<Result<std::vector<std::byte>, ErrorCode>> forward(
      rpc::Forward request) = 0;
  [[nodiscard]] virtual Task<Result<metadata::ProducerIdBlock, ErrorCode>>
  allocate_producer_ids() = 0;
  [[nodiscard]] virtual Task<rpc::RpcResult<rpc::DescribeQuorumReply>> describe_quorum(
      MonotonicTime deadline) = 0;
};

// The newest image of the cluster, never null.
class ImagePort {
 public:
  virtual ~ImagePort() = default;
  [[nodiscard]] virtual std::shared_ptr<const metadata::Image> current() const = 0;
};

}  // namespace millrace::broker
