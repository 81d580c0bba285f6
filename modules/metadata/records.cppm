// The records of the controllers' log: what an image is made of, and what changes it.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

export module millrace.metadata:records;

import millrace.base;
import :types;

export namespace millrace::metadata {

struct ClusterRecord {
  Uuid cluster_id;
  std::int16_t metadata_version = metadata_version_latest;
  BrokerEpoch last_broker_epoch;

  friend bool operator==(const ClusterRecord&, const ClusterRecord&) = default;
};
struct FeatureRecord {
  std::string name;
  std::int16_t level = 0;  // 0: off

  friend bool operator==(const FeatureRecord&, const FeatureRecord&) = default;
};
struct RegisterBrokerRecord {
  Broker broker;

  friend bool operator==(const RegisterBrokerRecord&, const RegisterBrokerRecord&) = default;
};
// What is not given stays.
struct BrokerChangeRecord {
  BrokerId broker;
  BrokerEpoch epoch;
  std::optional<bool> fenced{};
  std::optional<bool> in_controlled_shutdown{};

  friend bool operator==(const BrokerChangeRecord&, const BrokerChangeRecord&) = default;
};
struct UnregisterBrokerRecord {
  BrokerId broker;
  BrokerEpoch epoch;

  friend bool operator==(const UnregisterBrokerRecord&, const UnregisterBrokerRecord&) = default;
};
// Its partitions follow, in order from 0.
struct TopicRecord {
  std::string name;
  Uuid id;
  bool internal = false;

  friend bool operator==(const TopicRecord&, const TopicRecord&) = default;
};
struct PartitionRecord {
  Uuid topic;
  Partition partition;

  friend bool operator==(const PartitionRecord&, const PartitionRecord&) = default;
};
// What is not given stays. The partition epoch goes up by one, and so does the leader epoch where a
// leader is given, also one that leads already.
struct PartitionChangeRecord {
  Uuid topic;
  PartitionIndex partition;
  std::optional<std::vector<BrokerId>> replicas{};
  std::optional<std::vector<BrokerId>> isr{};
  std::optional<std::vector<BrokerId>> elr{};
  std::optional<BrokerId> leader{};

  friend bool operator==(const PartitionChangeRecord&, const PartitionChangeRecord&) = default;
};
// Its settings go with it.
struct RemoveTopicRecord {
  Uuid topic;

  friend bool operator==(const RemoveTopicRecord&, const RemoveTopicRecord&) = default;
};
struct ConfigRecord {
  ConfigKind kind = ConfigKind::topic;
  std::string resource;
  std::string name;
  std::optional<std::string> value;  // none: not set any more

  friend bool operator==(const ConfigRecord&, const ConfigRecord&) = default;
};
struct ProducerIdsRecord {
  BrokerId broker;
  BrokerEpoch epoch;
  ProducerId next;  // all below were given out

  friend bool operator==(const ProducerIdsRecord&, const ProducerIdsRecord&) = default;
};

using Record =
    std::variant<ClusterRecord, FeatureRecord, RegisterBrokerRecord, BrokerChangeRecord,
                 UnregisterBrokerRecord, TopicRecord, PartitionRecord, PartitionChangeRecord,
                 RemoveTopicRecord, ConfigRecord, ProducerIdsRecord>;

using OwnedBytes = std::vector<std::byte>;

// Begins the bytes of an entry, and of a chunk of a snapshot.
void begin_entry(OwnedBytes& entry);
// Adds a record to them. Its texts and arrays were checked: one that is larger than
// record_bytes_max is a broken invariant.
void append_record(OwnedBytes& entry, const Record& record);
[[nodiscard]] OwnedBytes entry_of(const std::vector<Record>& records);

// Calls back with each record of an entry, in order, until one fails. unsupported: a newer version
// wrote it. corrupt: nobody wrote that.
[[nodiscard]] Result<void> read_entry(ByteView entry,
                                      const std::function<Result<void>(Record)>& take);

}  // namespace millrace::metadata
