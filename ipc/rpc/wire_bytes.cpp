#include <coroutine>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "wire.hpp"

import millrace.base;
import millrace.ipc.rpc;

namespace millrace::rpc::wire {
namespace {

// What a struct within a list takes at most, besides its texts and data.
constexpr std::size_t list_entry_bytes = 64;

std::size_t size(const rpc::Hello& plain) {
  return plain.software_version.size();
}
std::size_t size(const rpc::HelloReply& plain) {
  return plain.message.size() + plain.software_version.size() +
         (plain.leader ? plain.leader->host.size() : 0);
}
std::size_t size(const rpc::RegisterBroker& plain) {
  std::size_t bytes = plain.rack ? plain.rack->size() : 0;
  bytes += list_entry_bytes * (plain.endpoints.size() + plain.directories.size());
  for (const rpc::Endpoint& endpoint : plain.endpoints) {
    bytes += endpoint.listener.size() + endpoint.host.size();
  }
  return bytes;
}
std::size_t size(const rpc::RegisterBrokerReply& plain) {
  return plain.message.size();
}
std::size_t size(const rpc::Heartbeat& plain) {
  return list_entry_bytes * plain.offline_directories.size();
}
std::size_t size(const rpc::HeartbeatReply& plain) {
  return plain.message.size();
}
std::size_t size(const rpc::FollowMetadata&) {
  return 0;
}
std::size_t size(const rpc::FollowMetadataReply& plain) {
  std::size_t bytes = plain.message.size() + (plain.snapshot ? plain.snapshot->chunk.size() : 0);
  for (const rpc::MetadataEntry& entry : plain.entries) {
    bytes += list_entry_bytes + entry.bytes.size();
  }
  return bytes;
}
std::size_t size(const rpc::Forward& plain) {
  return plain.principal.size() + plain.client_id.size() + plain.client_host.size() +
         plain.listener.size() + plain.body.size();
}
std::size_t size(const rpc::ForwardReply& plain) {
  return plain.message.size() + plain.body.size();
}
std::size_t size(const rpc::AllocateProducerIds&) {
  return 0;
}
std::size_t size(const rpc::AllocateProducerIdsReply& plain) {
  return plain.message.size();
}
std::size_t size(const rpc::DescribeQuorumReply& plain) {
  return plain.message.size() + list_entry_bytes * (plain.voters.size() + plain.observers.size());
}
std::size_t size(const rpc::RaftMessage& plain) {
  return plain.bytes.size();
}

}  // namespace

template <class Plain>
std::size_t bytes_of(const Plain& plain) {
  return size(plain);
}

template std::size_t bytes_of(const rpc::Hello&);
template std::size_t bytes_of(const rpc::HelloReply&);
template std::size_t bytes_of(const rpc::RegisterBroker&);
template std::size_t bytes_of(const rpc::RegisterBrokerReply&);
template std::size_t bytes_of(const rpc::Heartbeat&);
template std::size_t bytes_of(const rpc::HeartbeatReply&);
template std::size_t bytes_of(const rpc::FollowMetadata&);
template std::size_t bytes_of(const rpc::FollowMetadataReply&);
template std::size_t bytes_of(const rpc::Forward&);
template std::size_t bytes_of(const rpc::ForwardReply&);
template std::size_t bytes_of(const rpc::AllocateProducerIds&);
template std::size_t bytes_of(const rpc::AllocateProducerIdsReply&);
template std::size_t bytes_of(const rpc::DescribeQuorumReply&);
template std::size_t bytes_of(const rpc::RaftMessage&);

}  // namespace millrace::rpc::wire
