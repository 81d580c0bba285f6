#include "wire.hpp"

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.ipc.rpc;
import millrace.protocol.api;

namespace millrace::rpc::wire {
namespace {

// The overloads of put() and get(), one pair for each struct, are called by write() and read().

kj::ArrayPtr<const kj::byte> data_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}
std::vector<std::byte> bytes_from(capnp::Data::Reader data) {
  const auto* begin = reinterpret_cast<const std::byte*>(data.begin());
  return {begin, begin + data.size()};
}
kj::StringPtr text_of(const std::string& text) {
  return {text.c_str(), text.size()};
}
std::string string_from(capnp::Text::Reader text) {
  return {text.begin(), text.size()};
}

std::uint32_t milliseconds_of(Duration duration) {
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(whole, 0, std::numeric_limits<std::int32_t>::max()));
}

void put(const millrace::Uuid& from, Uuid::Builder to) {
  to.setHigh(load_big_endian<std::uint64_t>(from.bytes.data()));
  to.setLow(load_big_endian<std::uint64_t>(from.bytes.data() + 8));
}
millrace::Uuid uuid_from(Uuid::Reader from) {
  millrace::Uuid to;
  store_big_endian(to.bytes.data(), from.getHigh());
  store_big_endian(to.bytes.data() + 8, from.getLow());
  return to;
}

template <class List>
std::size_t checked_size(const List& list) {
  KJ_REQUIRE(list.size() <= list_entries_max, "a list in a message is too long", list.size());
  return list.size();
}

template <class Init>
void put_uuids(const std::vector<millrace::Uuid>& from, Init init) {
  auto list = init(static_cast<capnp::uint>(from.size()));
  for (capnp::uint i = 0; i < list.size(); ++i) put(from[i], list[i]);
}
std::vector<millrace::Uuid> uuids_from(capnp::List<Uuid>::Reader list) {
  std::vector<millrace::Uuid> to;
  to.reserve(checked_size(list));
  for (const auto uuid : list) to.push_back(uuid_from(uuid));
  return to;
}

template <class Plain, class Builder>
void put_error(const Plain& from, Builder to) {
  auto error = to.initError();
  error.setCode(static_cast<std::int16_t>(from.error));
  if (!from.message.empty()) error.setMessage(text_of(from.message));
}
template <class Plain, class Reader>
void get_error(Reader from, Plain& to) {
  const auto error = from.getError();
  to.error = protocol::error_code_from(error.getCode());
  to.message = string_from(error.getMessage());
}

void put(const rpc::Version& from, Version::Builder to) {
  to.setMajor(from.major);
  to.setMinor(from.minor);
}
rpc::Version version_from(Version::Reader from) {
  return {.major = from.getMajor(), .minor = from.getMinor()};
}

void put(const rpc::Hello& from, Hello::Builder to) {
  to.setNodeId(from.node_id.value());
  to.setKind(static_cast<std::uint8_t>(from.kind));
  put(from.rpc_version, to.initRpcVersion());
  to.setSoftwareVersion(text_of(from.software_version));
}
void get(Hello::Reader from, rpc::Hello& to) {
  to.node_id = NodeId(from.getNodeId());
  to.kind = static_cast<NodeKind>(from.getKind());
  to.rpc_version = version_from(from.getRpcVersion());
  to.software_version = string_from(from.getSoftwareVersion());
}

void put(const rpc::HelloReply& from, HelloReply::Builder to) {
  put_error(from, to);
  put(from.cluster_id, to.initClusterId());
  to.setControllerId(from.controller_id.value());
  to.setLeaderId(from.leader_id.value());
  if (from.leader) {
    auto leader = to.initLeader();
    leader.setId(from.leader->id.value());
    leader.setHost(text_of(from.leader->host));
    leader.setPort(from.leader->port);
  }
  to.setMetadataVersion(from.metadata_version);
  put(from.rpc_version, to.initRpcVersion());
  to.setSoftwareVersion(text_of(from.software_version));
}
void get(HelloReply::Reader from, rpc::HelloReply& to) {
  get_error(from, to);
  to.cluster_id = uuid_from(from.getClusterId());
  to.controller_id = NodeId(from.getControllerId());
  to.leader_id = NodeId(from.getLeaderId());
  if (from.hasLeader()) {
    const auto leader = from.getLeader();
    to.leader = rpc::ControllerAddress{.id = NodeId(leader.getId()),
                                       .host = string_from(leader.getHost()),
                                       .port = leader.getPort()};
  }
  to.metadata_version = from.getMetadataVersion();
  to.rpc_version = version_from(from.getRpcVersion());
  to.software_version = string_from(from.getSoftwareVersion());
}

void put(const rpc::RegisterBroker& from, RegisterBroker::Builder to) {
  put(from.cluster_id, to.initClusterId());
  to.setBrokerId(from.broker_id.value());
  put(from.incarnation, to.initIncarnation());
  auto endpoints = to.initEndpoints(static_cast<capnp::uint>(from.endpoints.size()));
  for (capnp::uint i = 0; i < endpoints.size(); ++i) {
    const rpc::Endpoint& endpoint = from.endpoints[i];
    endpoints[i].setListener(text_of(endpoint.listener));
    endpoints[i].setHost(text_of(endpoint.host));
    endpoints[i].setPort(endpoint.port);
    endpoints[i].setSecurityProtocol(endpoint.security_protocol);
  }
  if (from.rack) to.initRack().setSome(text_of(*from.rack));
  put_uuids(from.directories, [&](capnp::uint size) { return to.initDirectories(size); });
  to.setPreviousEpoch(from.previous_epoch.value());
}
void get(RegisterBroker::Reader from, rpc::RegisterBroker& to) {
  to.cluster_id = uuid_from(from.getClusterId());
  to.broker_id = BrokerId(from.getBrokerId());
  to.incarnation = uuid_from(from.getIncarnation());
  const auto endpoints = from.getEndpoints();
  to.endpoints.reserve(checked_size(endpoints));
  for (const auto endpoint : endpoints) {
    to.endpoints.push_back({.listener = string_from(endpoint.getListener()),
                            .host = string_from(endpoint.getHost()),
                            .port = endpoint.getPort(),
                            .security_protocol = endpoint.getSecurityProtocol()});
  }
  if (from.getRack().isSome()) to.rack = string_from(from.getRack().getSome());
  to.directories = uuids_from(from.getDirectories());
  to.previous_epoch = BrokerEpoch(from.getPreviousEpoch());
}

void put(const rpc::RegisterBrokerReply& from, RegisterBrokerReply::Builder to) {
  put_error(from, to);
  to.setEpoch(from.epoch.value());
}
void get(RegisterBrokerReply::Reader from, rpc::RegisterBrokerReply& to) {
  get_error(from, to);
  to.epoch = BrokerEpoch(from.getEpoch());
}

void put(const rpc::Heartbeat& from, Heartbeat::Builder to) {
  to.setBrokerId(from.broker_id.value());
  to.setEpoch(from.epoch.value());
  to.setMetadataOffset(from.metadata_offset.value());
  to.setWantFence(from.want_fence);
  to.setWantShutDown(from.want_shut_down);
  put_uuids(from.offline_directories,
            [&](capnp::uint size) { return to.initOfflineDirectories(size); });
}
void get(Heartbeat::Reader from, rpc::Heartbeat& to) {
  to.broker_id = BrokerId(from.getBrokerId());
  to.epoch = BrokerEpoch(from.getEpoch());
  to.metadata_offset = MetadataOffset(from.getMetadataOffset());
  to.want_fence = from.getWantFence();
  to.want_shut_down = from.getWantShutDown();
  to.offline_directories = uuids_from(from.getOfflineDirectories());
}

void put(const rpc::HeartbeatReply& from, HeartbeatReply::Builder to) {
  put_error(from, to);
  to.setIsCaughtUp(from.is_caught_up);
  to.setIsFenced(from.is_fenced);
  to.setShouldShutDown(from.should_shut_down);
}
void get(HeartbeatReply::Reader from, rpc::HeartbeatReply& to) {
  get_error(from, to);
  to.is_caught_up = from.getIsCaughtUp();
  to.is_fenced = from.getIsFenced();
  to.should_shut_down = from.getShouldShutDown();
}

void put(const rpc::FollowMetadata& from, FollowMetadata::Builder to) {
  to.setBrokerId(from.broker_id.value());
  to.setNext(from.next.value());
  to.setBytesMax(from.bytes_max);
  to.setWaitMs(milliseconds_of(from.wait));
  if (from.snapshot) to.setSnapshot(from.snapshot->value());
  to.setSnapshotPosition(from.snapshot_position);
}
void get(FollowMetadata::Reader from, rpc::FollowMetadata& to) {
  to.broker_id = BrokerId(from.getBrokerId());
  to.next = MetadataOffset(from.getNext());
  to.bytes_max = from.getBytesMax();
  to.wait = std::chrono::milliseconds(from.getWaitMs());
  if (from.getSnapshot() >= 0) to.snapshot = MetadataOffset(from.getSnapshot());
  to.snapshot_position = from.getSnapshotPosition();
}

void put(const rpc::FollowMetadataReply& from, FollowMetadataReply::Builder to) {
  put_error(from, to);
  auto entries = to.initEntries(static_cast<capnp::uint>(from.entries.size()));
  for (capnp::uint i = 0; i < entries.size(); ++i) {
    entries[i].setOffset(from.entries[i].offset.value());
    entries[i].setBytes(data_of(from.entries[i].bytes));
  }
  to.setCommitted(from.committed.value());
  to.setThrough(from.through.value());
  if (from.snapshot) {
    auto snapshot = to.initSnapshot();
    snapshot.setOffset(from.snapshot->offset.value());
    snapshot.setPosition(from.snapshot->position);
    snapshot.setTotal(from.snapshot->total);
    snapshot.setChunk(data_of(from.snapshot->chunk));
  }
}
void get(FollowMetadataReply::Reader from, rpc::FollowMetadataReply& to) {
  get_error(from, to);
  const auto entries = from.getEntries();
  to.entries.reserve(checked_size(entries));
  for (const auto entry : entries) {
    to.entries.push_back(
        {.offset = MetadataOffset(entry.getOffset()), .bytes = bytes_from(entry.getBytes())});
  }
  to.committed = MetadataOffset(from.getCommitted());
  to.through = MetadataOffset(from.getThrough());
  if (from.hasSnapshot()) {
    const auto snapshot = from.getSnapshot();
    to.snapshot = rpc::MetadataSnapshot{.offset = MetadataOffset(snapshot.getOffset()),
                                        .position = snapshot.getPosition(),
                                        .total = snapshot.getTotal(),
                                        .chunk = bytes_from(snapshot.getChunk())};
  }
}

void put(const rpc::Forward& from, Forward::Builder to) {
  to.setApi(static_cast<std::int16_t>(from.api));
  to.setVersion(from.version);
  to.setPrincipal(text_of(from.principal));
  to.setClientId(text_of(from.client_id));
  to.setClientHost(text_of(from.client_host));
  to.setListener(text_of(from.listener));
  to.setTimeoutMs(milliseconds_of(from.timeout));
  to.setBody(data_of(from.body));
}
void get(Forward::Reader from, rpc::Forward& to) {
  to.api = static_cast<ApiKey>(from.getApi());
  to.version = from.getVersion();
  to.principal = string_from(from.getPrincipal());
  to.client_id = string_from(from.getClientId());
  to.client_host = string_from(from.getClientHost());
  to.listener = string_from(from.getListener());
  to.timeout = std::chrono::milliseconds(from.getTimeoutMs());
  to.body = bytes_from(from.getBody());
}

void put(const rpc::ForwardReply& from, ForwardReply::Builder to) {
  put_error(from, to);
  to.setBody(data_of(from.body));
  to.setMetadataOffset(from.metadata_offset.value());
}
void get(ForwardReply::Reader from, rpc::ForwardReply& to) {
  get_error(from, to);
  to.body = bytes_from(from.getBody());
  to.metadata_offset = MetadataOffset(from.getMetadataOffset());
}

void put(const rpc::AllocateProducerIds& from, AllocateProducerIds::Builder to) {
  to.setBrokerId(from.broker_id.value());
  to.setEpoch(from.epoch.value());
}
void get(AllocateProducerIds::Reader from, rpc::AllocateProducerIds& to) {
  to.broker_id = BrokerId(from.getBrokerId());
  to.epoch = BrokerEpoch(from.getEpoch());
}

void put(const rpc::AllocateProducerIdsReply& from, AllocateProducerIdsReply::Builder to) {
  put_error(from, to);
  to.setFirst(from.first.value());
  to.setCount(from.count);
}
void get(AllocateProducerIdsReply::Reader from, rpc::AllocateProducerIdsReply& to) {
  get_error(from, to);
  to.first = ProducerId(from.getFirst());
  to.count = from.getCount();
}

template <class List>
void put_replicas(const std::vector<rpc::QuorumReplica>& from, List to) {
  for (capnp::uint i = 0; i < to.size(); ++i) {
    to[i].setId(from[i].id.value());
    to[i].setLogEnd(from[i].log_end);
    to[i].setLastFetch(from[i].last_fetch.value());
    to[i].setLastCaughtUp(from[i].last_caught_up.value());
  }
}
std::vector<rpc::QuorumReplica> replicas_from(capnp::List<QuorumReplica>::Reader list) {
  std::vector<rpc::QuorumReplica> to;
  to.reserve(checked_size(list));
  for (const auto replica : list) {
    to.push_back({.id = NodeId(replica.getId()),
                  .log_end = replica.getLogEnd(),
                  .last_fetch = Timestamp(replica.getLastFetch()),
                  .last_caught_up = Timestamp(replica.getLastCaughtUp())});
  }
  return to;
}

void put(const rpc::DescribeQuorumReply& from, DescribeQuorumReply::Builder to) {
  put_error(from, to);
  to.setLeaderId(from.leader_id.value());
  to.setLeaderEpoch(from.leader_epoch.value());
  to.setHighWatermark(from.high_watermark);
  put_replicas(from.voters, to.initVoters(static_cast<capnp::uint>(from.voters.size())));
  put_replicas(from.observers, to.initObservers(static_cast<capnp::uint>(from.observers.size())));
}
void get(DescribeQuorumReply::Reader from, rpc::DescribeQuorumReply& to) {
  get_error(from, to);
  to.leader_id = NodeId(from.getLeaderId());
  to.leader_epoch = LeaderEpoch(from.getLeaderEpoch());
  to.high_watermark = from.getHighWatermark();
  to.voters = replicas_from(from.getVoters());
  to.observers = replicas_from(from.getObservers());
}

void put(const rpc::RaftMessage& from, RaftMessage::Builder to) {
  to.setFrom(from.from.value());
  to.setTo(from.to.value());
  to.setBytes(data_of(from.bytes));
}
void get(RaftMessage::Reader from, rpc::RaftMessage& to) {
  to.from = NodeId(from.getFrom());
  to.to = NodeId(from.getTo());
  to.bytes = bytes_from(from.getBytes());
}

}  // namespace

template <class Plain, class Builder>
void write(const Plain& from, Builder to) {
  put(from, to);
}

template <class Plain, class Reader>
Plain read(Reader from) {
  Plain to;
  get(from, to);
  return to;
}

#define MILLRACE_WIRE(Struct)                                                             \
  template void write<rpc::Struct, Struct::Builder>(const rpc::Struct&, Struct::Builder); \
  template rpc::Struct read<rpc::Struct, Struct::Reader>(Struct::Reader)

MILLRACE_WIRE(Hello);
MILLRACE_WIRE(HelloReply);
MILLRACE_WIRE(RegisterBroker);
MILLRACE_WIRE(RegisterBrokerReply);
MILLRACE_WIRE(Heartbeat);
MILLRACE_WIRE(HeartbeatReply);
MILLRACE_WIRE(FollowMetadata);
MILLRACE_WIRE(FollowMetadataReply);
MILLRACE_WIRE(Forward);
MILLRACE_WIRE(ForwardReply);
MILLRACE_WIRE(AllocateProducerIds);
MILLRACE_WIRE(AllocateProducerIdsReply);
MILLRACE_WIRE(DescribeQuorumReply);
MILLRACE_WIRE(RaftMessage);

}  // namespace millrace::rpc::wire
