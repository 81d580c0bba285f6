// What brokers, coordinators and controllers say to a controller: plain structs. Each request has
// one reply; how they look on the wire is docs/formats/rpc.md.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.ipc.rpc:controller_api;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime;
import :limits;

export namespace millrace::rpc {

using protocol::ApiKey;
using protocol::ErrorCode;

// Every process of a cluster; brokers and controllers share the numbers.
using NodeId = Strong<struct NodeIdTag, std::int32_t>;
inline constexpr NodeId no_node{-1};
// The index of an entry in the controllers' log; the first is 1.
using MetadataOffset = Strong<struct MetadataOffsetTag, std::int64_t>;

enum class NodeKind : std::uint8_t { broker = 0, coordinator = 1, controller = 2, tool = 3 };
[[nodiscard]] std::string_view name_of(NodeKind kind);

struct Version {
  std::uint16_t major = version_major;
  std::uint16_t minor = version_minor;

  friend bool operator==(const Version&, const Version&) = default;
};

// Where a controller listens.
struct ControllerAddress {
  NodeId id = no_node;
  std::string host{};
  std::uint16_t port = 0;

  friend bool operator==(const ControllerAddress&, const ControllerAddress&) = default;
};

struct HelloReply {
  ErrorCode error = ErrorCode::none;
  std::string message{};  // a sentence, if there is an error
  Uuid cluster_id{};
  NodeId controller_id = no_node;
  NodeId leader_id = no_node;  // none: an election is going on
  // Where the leader is, if it is another controller and its address is known.
  std::optional<ControllerAddress> leader{};
  std::int16_t metadata_version = 0;
  Version rpc_version{};
  std::string software_version{};

  friend bool operator==(const HelloReply&, const HelloReply&) = default;
};
// The first call on every connection. The server itself refuses another major version.
struct Hello {
  using Reply = HelloReply;
  NodeId node_id = no_node;
  NodeKind kind = NodeKind::broker;
  Version rpc_version{};
  std::string software_version{};

  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Endpoint {
  std::string listener{};
  std::string host{};
  std::uint16_t port = 0;
  std::int16_t security_protocol = 0;  // Kafka's numbers; 0 is PLAINTEXT

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// In every reply: `not_controller` says that this controller does not lead, and that nothing was
// done. The client then looks for the leader and asks again.
struct RegisterBrokerReply {
  ErrorCode error = ErrorCode::none;
  std::string message{};
  BrokerEpoch epoch{-1};

  friend bool operator==(const RegisterBrokerReply&, const RegisterBrokerReply&) = default;
};
struct RegisterBroker {
  using Reply = RegisterBrokerReply;
  Uuid cluster_id{};
  BrokerId broker_id = no_broker;
  Uuid incarnation{};  // of this process; the same again is the same registration
  std::vector<Endpoint> endpoints{};
  std::optional<std::string> rack{};
  std::vector<Uuid> directories{};
  BrokerEpoch previous_epoch{-1};  // with which it stopped cleanly; -1 after anything else

  friend bool operator==(const RegisterBroker&, const RegisterBroker&) = default;
};

// Errors: stale_broker_epoch if another epoch is registered, broker_id_not_registered if none is.
struct HeartbeatReply {
  ErrorCode error = ErrorCode::none;
  std::string message{};
  bool is_caught_up = false;
  bool is_fenced = true;
  bool should_shut_down = false;  // a controlled shutdown may go on

  friend bool operator==(const HeartbeatReply&, const HeartbeatReply&) = default;
};
struct Heartbeat {
  using Reply = HeartbeatReply;
  BrokerId broker_id = no_broker;
  BrokerEpoch epoch{-1};
  MetadataOffset metadata_offset{};  // of the last entry applied
  bool want_fence = true;
  bool want_shut_down = false;
  std::vector<Uuid> offline_directories{};

  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct MetadataEntry {
  MetadataOffset offset{};
  std::vector<std::byte> bytes{};

  friend bool operator==(const MetadataEntry&, const MetadataEntry&) = default;
};
// A piece of the state after the entry at `offset`. Whoever follows asks on, with `position` moved
// by the size of the chunk, until `total`, then for the entries after `offset`.
struct MetadataSnapshot {
  MetadataOffset offset{};
  std::uint64_t position = 0;
  std::uint64_t total = 0;
  std::vector<std::byte> chunk{};

  friend bool operator==(const MetadataSnapshot&, const MetadataSnapshot&) = default;
};
struct FollowMetadataReply {
  ErrorCode error = ErrorCode::none;
  std::string message{};
  std::vector<MetadataEntry>
      entries{};  // in order; may skip offsets that hold nothing for followers
  // The last committed entry: with `entries`, all up to `through` is told.
  MetadataOffset committed{};
  MetadataOffset through{};
  std::optional<MetadataSnapshot> snapshot{};  // instead of entries that are not kept any more

  friend bool operator==(const FollowMetadataReply&, const FollowMetadataReply&) = default;
};
// Waits up to `wait` for an entry at `next` or later. While a snapshot is fetched, `snapshot` is
// the offset of it and `snapshot_position` what is there already; the controller begins anew with
// another snapshot if that one is gone.
struct FollowMetadata {
  using Reply = FollowMetadataReply;
  BrokerId broker_id = no_broker;  // none: a coordinator or a tool
  MetadataOffset next{1};
  std::uint32_t bytes_max = static_cast<std::uint32_t>(follow_bytes_max);
  Duration wait{};
  std::optional<MetadataOffset> snapshot{};
  std::uint64_t snapshot_position = 0;

  friend bool operator==(const FollowMetadata&, const FollowMetadata&) = default;
};

// With no error `body` is Kafka's response, in the version of the request, without header.
struct ForwardReply {
  ErrorCode error = ErrorCode::none;
  std::string message{};
  std::vector<std::byte> body{};
  // Who has applied the metadata up to here sees what the request has changed. -1: nothing to see,
  // or the controller is too old to tell.
  MetadataOffset metadata_offset{-1};

  friend bool operator==(const ForwardReply&, const ForwardReply&) = default;
};
// A client's request that only the controller can answer.
struct Forward {
  using Reply = ForwardReply;
  ApiKey api = ApiKey::create_topics;
  std::int16_t version = 0;
  std::string principal{};
  std::string client_id{};
  std::string client_host{};
  std::string listener{};
  Duration timeout{};  // how long the client still waits
  std::vector<std::byte> body{};

  friend bool operator==(const Forward&, const Forward&) = default;
};

struct AllocateProducerIdsReply {
  ErrorCode error = ErrorCode::none;
  std::string message{};
  ProducerId first = no_producer_id;
  std::int32_t count = 0;

  friend bool operator==(const AllocateProducerIdsReply&,
                         const AllocateProducerIdsReply&) = default;
};
struct AllocateProducerIds {
  using Reply = AllocateProducerIdsReply;
  BrokerId broker_id = no_broker;
  BrokerEpoch epoch{-1};

  friend bool operator==(const AllocateProducerIds&, const AllocateProducerIds&) = default;
};

struct QuorumReplica {
  NodeId id = no_node;
  std::int64_t log_end = -1;
  Timestamp last_fetch = no_timestamp;
  Timestamp last_caught_up = no_timestamp;

  friend bool operator==(const QuorumReplica&, const QuorumReplica&) = default;
};
struct DescribeQuorumReply {
  ErrorCode error = ErrorCode::none;
  std::string message{};
  NodeId leader_id = no_node;
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::int64_t high_watermark = -1;
  std::vector<QuorumReplica> voters{};
  std::vector<QuorumReplica> observers{};

  friend bool operator==(const DescribeQuorumReply&, const DescribeQuorumReply&) = default;
};
struct DescribeQuorum {
  using Reply = DescribeQuorumReply;

  friend bool operator==(const DescribeQuorum&, const DescribeQuorum&) = default;
};

// Between controllers, one way; may be lost, late, doubled or out of order.
struct RaftMessage {
  NodeId from = no_node;
  NodeId to = no_node;
  std::vector<std::byte> bytes{};

  friend bool operator==(const RaftMessage&, const RaftMessage&) = default;
};

// What a controller does with calls. Called by a ControllerServer, on the shard that owns both;
// calls overlap. A call is never cancelled: when its client is gone, its reply is dropped. Whoever
// owns the service ends its long polls before it stops the server.
class ControllerService {
 public:
  virtual ~ControllerService() = default;

  [[nodiscard]] virtual Task<HelloReply> on(Hello request) = 0;
  [[nodiscard]] virtual Task<RegisterBrokerReply> on(RegisterBroker request) = 0;
  [[nodiscard]] virtual Task<HeartbeatReply> on(Heartbeat request) = 0;
  [[nodiscard]] virtual Task<FollowMetadataReply> on(FollowMetadata request) = 0;
  [[nodiscard]] virtual Task<ForwardReply> on(Forward request) = 0;
  [[nodiscard]] virtual Task<AllocateProducerIdsReply> on(AllocateProducerIds request) = 0;
  [[nodiscard]] virtual Task<DescribeQuorumReply> on(DescribeQuorum request) = 0;
  virtual void on(RaftMessage message) = 0;

 protected:
  ControllerService() = default;
  ControllerService(const ControllerService&) = default;
  ControllerService& operator=(const ControllerService&) = default;
};

enum class RpcFault : std::uint8_t {
  unavailable,  // no controller took the call in time; nothing was done
  timed_out,    // it was sent, no answer came in time; it may be carried out
  broken,       // it was sent, then the connection broke; it may be carried out
  refused,      // the other side says why in the message
  too_large,    // the request is over message_bytes_max; it was not sent
  closed,       // the client has stopped
};
[[nodiscard]] std::string_view name_of(RpcFault fault);

struct RpcError {
  RpcFault fault = RpcFault::unavailable;
  std::string message{};

  friend bool operator==(const RpcError&, const RpcError&) = default;
};
template <class T>
using RpcResult = Result<T, RpcError>;

// How a process calls the controllers, whichever of them leads. A ControllerClient, or a test's
// own. Lives on one shard. A call waits for a connection, and after `not_controller` for the
// leader, until its deadline; a call that was sent is not sent again when the connection breaks.
class ControllerCalls {
 public:
  virtual ~ControllerCalls() = default;

  [[nodiscard]] virtual Task<RpcResult<HelloReply>> call(Hello request, MonotonicTime deadline) = 0;
  [[nodiscard]] virtual Task<RpcResult<RegisterBrokerReply>> call(RegisterBroker request,
                                                                  MonotonicTime deadline) = 0;
  [[nodiscard]] virtual Task<RpcResult<HeartbeatReply>> call(Heartbeat request,
                                                             MonotonicTime deadline) = 0;
  [[nodiscard]] virtual Task<RpcResult<FollowMetadataReply>> call(FollowMetadata request,
                                                                  MonotonicTime deadline) = 0;
  [[nodiscard]] virtual Task<RpcResult<ForwardReply>> call(Forward request,
                                                           MonotonicTime deadline) = 0;
  [[nodiscard]] virtual Task<RpcResult<AllocateProducerIdsReply>> call(AllocateProducerIds request,
                                                                       MonotonicTime deadline) = 0;
  [[nodiscard]] virtual Task<RpcResult<DescribeQuorumReply>> call(DescribeQuorum request,
                                                                  MonotonicTime deadline) = 0;

 protected:
  ControllerCalls() = default;
  ControllerCalls(const ControllerCalls&) = default;
  ControllerCalls& operator=(const ControllerCalls&) = default;
};

}  // namespace millrace::rpc
