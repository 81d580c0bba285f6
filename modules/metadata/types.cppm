// The words of the cluster's metadata: brokers, topics, partitions, settings.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.metadata:types;

import millrace.base;
import millrace.protocol.api;

export namespace millrace::metadata {

using protocol::ErrorCode;

// The index in the controllers' log of an entry; 0 is before the first.
using MetadataOffset = Strong<struct MetadataOffsetTag, std::int64_t>;

// How records are written. A binary that meets a newer one than it knows refuses to go on.
inline constexpr std::int16_t metadata_version_min = 1;
inline constexpr std::int16_t metadata_version_latest = 1;

struct Endpoint {
  std::string listener;
  std::string host;
  std::uint16_t port = 0;
  std::int16_t security_protocol = 0;  // Kafka's code: 0 is PLAINTEXT

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// A broker that is registered. Fenced: it leads nothing and is in no in-sync replicas but as the
// last one. Its epoch is another one after each start.
struct Broker {
  BrokerId id;
  BrokerEpoch epoch;
  Uuid incarnation;
  std::vector<Endpoint> endpoints;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> directories;

  // How clients of that listener reach it; null if they cannot.
  [[nodiscard]] const Endpoint* endpoint(std::string_view listener) const {
    for (const Endpoint& each : endpoints) {
      if (each.listener == listener) return &each;
    }
    return nullptr;
  }
  // Whether it may lead.
  [[nodiscard]] bool is_active() const { return !fenced && !in_controlled_shutdown; }
  friend bool operator==(const Broker&, const Broker&) = default;
};

struct Partition {
  PartitionIndex index;
  std::vector<BrokerId> replicas;  // the preferred leader is the first
  std::vector<BrokerId> isr;
  std::vector<BrokerId> elr;
  BrokerId leader = no_broker;
  LeaderEpoch leader_epoch;
  std::int32_t partition_epoch = 0;  // goes up with every change

  friend bool operator==(const Partition&, const Partition&) = default;
};

struct Topic {
  std::string name;
  Uuid id;
  bool internal = false;
  std::vector<Partition> partitions;  // partitions[i].index is i

  friend bool operator==(const Topic&, const Topic&) = default;
};

// Kafka's types of resources that have settings.
enum class ConfigKind : std::int8_t {
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32,
};

// What was set while the cluster ran; defaults and files are not in it.
using ConfigMap = std::map<std::string, std::string, std::less<>>;

// Ids first, first + 1, ..., first + count - 1.
struct ProducerIdBlock {
  ProducerId first;
  std::int32_t count = 0;

  friend bool operator==(const ProducerIdBlock&, const ProducerIdBlock&) = default;
};

}  // namespace millrace::metadata
