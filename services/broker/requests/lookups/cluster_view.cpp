module;
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

module millrace.broker.requests.lookups;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.config;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.wire;

namespace millrace::broker {
namespace {

using protocol::Arena;
using protocol::Array;
using protocol::ErrorCode;

// Directories and files of a partition are named by topic, a dash and a number, in 255 bytes.
constexpr std::size_t topic_name_bytes_max = 249;

bool is_legal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

const metadata::Endpoint* ClusterView::endpoint_of(BrokerId id) const {
  const metadata::Broker* const broker = image.broker(id);
  if (broker == nullptr || broker->fenced) return nullptr;
  return broker->endpoint(listener);
}

BrokerId ClusterView::told_as_controller() const {
  BrokerId lowest = no_broker;
  image.for_each_broker([&](const metadata::Broker& broker) {
    if (lowest == no_broker && endpoint_of(broker.id) != nullptr) lowest = broker.id;
  });
  return lowest;
}

Result<void, std::string> check_topic_name(std::string_view name) {
  if (name.empty()) return failure(std::string("a topic name must not be empty"));
  if (name == "." || name == "..") {
    return failure(fmt::format("a topic cannot be called '{}'", name));
  }
  if (name.size() > topic_name_bytes_max) {
    return failure(fmt::format("the topic name has {} characters; at most {} are allowed",
                               name.size(), topic_name_bytes_max));
  }
  if (!std::all_of(name.begin(), name.end(), is_legal)) {
    return failure(
        fmt::format("the topic name '{}' has characters other than letters and digits of ASCII, "
                    "'.', '_' and '-'",
                    config::printable(name)));
  }
  return {};
}

bool is_internal_topic(std::string_view name) {
  return name == group_state_topic || name == transaction_state_topic;
}

Array<std::int32_t> ids_of(std::span<const BrokerId> brokers, Arena& arena) {
  if (brokers.empty()) return {};
  auto* const ids = arena.make_array<std::int32_t>(brokers.size());
  std::transform(brokers.begin(), brokers.end(), ids, [](BrokerId id) { return id.value(); });
  return {ids, static_cast<std::int32_t>(brokers.size())};
}

Array<std::int32_t> offline_of(std::span<const BrokerId> replicas, const ClusterView& view,
                               Arena& arena) {
  const auto is_offline = [&](BrokerId id) { return view.endpoint_of(id) == nullptr; };
  const auto count = std::count_if(replicas.begin(), replicas.end(), is_offline);
  if (count == 0) return {};
  auto* const ids = arena.make_array<std::int32_t>(static_cast<std::size_t>(count));
  std::size_t next = 0;
  for (const BrokerId id : replicas) {
    if (is_offline(id)) ids[next++] = id.value();
  }
  return {ids, static_cast<std::int32_t>(count)};
}

SeenLeader seen_leader(const metadata::Partition& partition, const ClusterView& view,
                       bool tells_listener) {
  if (view.endpoint_of(partition.leader) != nullptr) {
    return {.id = partition.leader, .error = ErrorCode::none};
  }
  const metadata::Broker* const broker = view.image.broker(partition.leader);
  const bool lives = broker != nullptr && !broker->fenced;
  return {.id = no_broker,
          .error = lives && tells_listener ? ErrorCode::listener_not_found
                                           : ErrorCode::leader_not_available};
}

}  // namespace millrace::broker
