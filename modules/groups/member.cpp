module;
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

module millrace.groups;

import millrace.base;

namespace millrace::groups {

const OwnedBytes* Member::metadata_of(const std::string& protocol) const {
  const auto found = std::ranges::find(protocols, protocol, &Protocol::name);
  return found == protocols.end() ? nullptr : &found->metadata;
}

std::size_t Member::bytes() const {
  return sizeof(Member) + 2 * id.size() + 2 * (instance_id ? instance_id->size() : 0) +
         client_id.size() + client_host.size() + bytes_of(protocols) + assignment.size();
}

Member member_of(const JoinRequest& request, std::string id) {
  Member member;
  member.id = std::move(id);
  member.instance_id = request.instance_id;
  member.client_id = request.client_id;
  member.client_host = request.client_host;
  member.session_timeout = request.session_timeout;
  member.rebalance_timeout = request.rebalance_timeout;
  member.protocols = request.protocols;
  return member;
}

std::size_t bytes_of(const std::vector<Protocol>& protocols) {
  std::size_t bytes = protocols.size() * sizeof(Protocol);
  for (const Protocol& protocol : protocols)
    bytes += protocol.name.size() + protocol.metadata.size();
  return bytes;
}

}  // namespace millrace::groups
