# What brokers, coordinators and controllers say to a controller. Version 1.0: see limits.cppm and
# docs/formats/rpc.md, which says how this may change.
@0xd3c5f1a2b94e7d60;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("millrace::rpc::wire");

# Calls other than `hello` are refused until a Hello was answered without an error.
interface Controller {
  hello @0 (request :Hello) -> (reply :HelloReply);
  registerBroker @1 (request :RegisterBroker) -> (reply :RegisterBrokerReply);
  heartbeat @2 (request :Heartbeat) -> (reply :HeartbeatReply);
  followMetadata @3 (request :FollowMetadata) -> (reply :FollowMetadataReply);
  forward @4 (request :Forward) -> (reply :ForwardReply);
  allocateProducerIds @5 (request :AllocateProducerIds) -> (reply :AllocateProducerIdsReply);
  describeQuorum @6 () -> (reply :DescribeQuorumReply);
  raft @7 (message :RaftMessage) -> ();
}

# Sixteen bytes in network order, in two halves.
struct Uuid {
  high @0 :UInt64;
  low @1 :UInt64;
}

struct OptionalText {
  union {
    none @0 :Void;
    some @1 :Text;
  }
}

struct Version {
  major @0 :UInt16;
  minor @1 :UInt16;
}

# Kafka's code, and a sentence if it is not 0.
struct Error {
  code @0 :Int16;
  message @1 :Text;
}

struct ControllerAddress {
  id @0 :Int32;
  host @1 :Text;
  port @2 :UInt16;
}

struct Hello {
  nodeId @0 :Int32;
  kind @1 :UInt8;
  rpcVersion @2 :Version;
  softwareVersion @3 :Text;
}

struct HelloReply {
  error @0 :Error;
  clusterId @1 :Uuid;
  controllerId @2 :Int32;
  leaderId @3 :Int32;  # -1: none
  leader @4 :ControllerAddress;  # null: not known, or this controller
  metadataVersion @5 :Int16;
  rpcVersion @6 :Version;
  softwareVersion @7 :Text;
}

struct Endpoint {
  listener @0 :Text;
  host @1 :Text;
  port @2 :UInt16;
  securityProtocol @3 :Int16;
}

struct RegisterBroker {
  clusterId @0 :Uuid;
  brokerId @1 :Int32;
  incarnation @2 :Uuid;
  endpoints @3 :List(Endpoint);
  rack @4 :OptionalText;
  directories @5 :List(Uuid);
  previousEpoch @6 :Int64 = -1;
}

struct RegisterBrokerReply {
  error @0 :Error;
  epoch @1 :Int64 = -1;
}

struct Heartbeat {
  brokerId @0 :Int32;
  epoch @1 :Int64;
  metadataOffset @2 :Int64;
  wantFence @3 :Bool = true;
  wantShutDown @4 :Bool;
  offlineDirectories @5 :List(Uuid);
}

struct HeartbeatReply {
  error @0 :Error;
  isCaughtUp @1 :Bool;
  isFenced @2 :Bool = true;
  shouldShutDown @3 :Bool;
}

struct FollowMetadata {
  brokerId @0 :Int32;  # -1: none
  next @1 :Int64;
  bytesMax @2 :UInt32;
  waitMs @3 :UInt32;
  snapshot @4 :Int64 = -1;  # -1: none is being fetched
  snapshotPosition @5 :UInt64;
}

struct MetadataEntry {
  offset @0 :Int64;
  bytes @1 :Data;
}

struct MetadataSnapshot {
  offset @0 :Int64;
  position @1 :UInt64;
  total @2 :UInt64;
  chunk @3 :Data;
}

struct FollowMetadataReply {
  error @0 :Error;
  entries @1 :List(MetadataEntry);
  committed @2 :Int64;
  through @3 :Int64;
  snapshot @4 :MetadataSnapshot;  # null: entries
}

struct Forward {
  api @0 :Int16;
  version @1 :Int16;
  principal @2 :Text;
  clientId @3 :Text;
  clientHost @4 :Text;
  listener @5 :Text;
  timeoutMs @6 :UInt32;
  body @7 :Data;
}

struct ForwardReply {
  error @0 :Error;
  body @1 :Data;
  metadataOffset @2 :Int64 = -1;  # since version 1.1
}

struct AllocateProducerIds {
  brokerId @0 :Int32;
  epoch @1 :Int64;
}

struct AllocateProducerIdsReply {
  error @0 :Error;
  first @1 :Int64 = -1;
  count @2 :Int32;
}

struct QuorumReplica {
  id @0 :Int32;
  logEnd @1 :Int64;
  lastFetch @2 :Int64;  # milliseconds since 1970; -1: not known
  lastCaughtUp @3 :Int64;
}

struct DescribeQuorumReply {
  error @0 :Error;
  leaderId @1 :Int32;
  leaderEpoch @2 :Int32;
  highWatermark @3 :Int64;
  voters @4 :List(QuorumReplica);
  observers @5 :List(QuorumReplica);
}

struct RaftMessage {
  from @0 :Int32;
  to @1 :Int32;
  bytes @2 :Data;
}
