// What is asked of an administrative client, and what it answers. All of it owns its memory.
module;
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.client.admin:types;

import millrace.base;
import millrace.client.core;
import millrace.protocol.api;
export import :group_types;
export import :security_types;

export namespace millrace::client {

// What became of each thing that was asked for, in the order of asking. Never one error for all.
template <class Key, class Value>
using Outcomes = std::vector<std::pair<Key, ClientResult<Value>>>;

struct AdminOptions {
  std::optional<Duration> timeout = {};  // of the whole call; default.api.timeout.ms unless given
  bool validate_only = false;            // for what creates or changes: nothing is done
  bool authorized_operations = false;    // for what describes: tell what who asks may do
};

// --- Topics ---

struct NewTopic {
  std::string name;
  std::optional<std::int32_t> partitions = {};  // unset: the brokers' default
  std::optional<std::int16_t> replication_factor = {};
  // For each partition its replicas, the preferred leader first; instead of the two above.
  std::vector<std::vector<BrokerId>> assignment = {};
  std::vector<std::pair<std::string, std::string>> configs = {};
};
struct CreatedTopic {
  Uuid id;  // zero where nothing was created, or the broker does not tell
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
};
struct ListedTopic {
  std::string name;
  Uuid id;
  bool internal = false;
  std::size_t partitions = 0;
};
struct DescribedTopic {
  std::string name;
  Uuid id;
  bool internal = false;
  std::vector<PartitionView> partitions;  // in the order of their numbers
  AuthorizedOperations authorized_operations = {};
};
struct NewPartitions {
  std::string topic;
  std::int32_t count = 0;  // in all, with those that are there
  std::vector<std::vector<BrokerId>> assignment = {};
};

// --- Places of replicas ---

enum class Election : std::int8_t {
  preferred = 0,  // the first replica leads again
  unclean = 1,    // any replica leads, records may be lost
};
struct Reassignment {
  TopicPartition partition;
  std::optional<std::vector<BrokerId>> replicas;  // none: one that is under way is cancelled
};
struct OngoingReassignment {
  TopicPartition partition;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> adding;
  std::vector<BrokerId> removing;
};

// --- Settings ---

enum class ResourceType : std::int8_t {
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32,
};
struct ConfigResource {
  ResourceType type = ResourceType::topic;
  std::string name;  // of a broker its number; empty: what counts for all brokers

  friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};
// Numbers that are not listed are those of newer brokers.
enum class ConfigSource : std::int8_t {
  unknown = 0,
  topic = 1,
  dynamic_broker = 2,
  dynamic_broker_default = 3,
  static_broker = 4,
  default_value = 5,
  dynamic_broker_logger = 6,
  client_metrics = 7,
  group = 8,
};
struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source = ConfigSource::unknown;
};
struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;  // none: it has none, or it is secret
  ConfigSource source = ConfigSource::unknown;
  bool read_only = false;
  bool sensitive = false;
  std::vector<ConfigSynonym> synonyms;  // the strongest first
  std::string documentation;
};
struct DescribeConfigsOptions : AdminOptions {
  bool synonyms = false;
  bool documentation = false;
};
enum class ConfigOperation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };
struct ConfigChange {
  std::string name;
  ConfigOperation operation = ConfigOperation::set;
  std::string value = {};  // of remove: nothing
};
struct ConfigChanges {
  ConfigResource resource;
  std::vector<ConfigChange> changes;
};

// --- The cluster ---

struct DescribedBroker {
  BrokerId id = no_broker;
  HostPort address;
  std::optional<std::string> rack;
  bool fenced = false;
};
struct DescribedCluster {
  std::string id;
  BrokerId controller = no_broker;
  std::vector<DescribedBroker> brokers;
  AuthorizedOperations authorized_operations = {};
};
struct LogDirPartition {
  TopicPartition partition;
  std::int64_t bytes = 0;
  std::int64_t offset_lag = 0;
  bool is_future = false;  // is being moved here
};
struct LogDir {
  std::string path;
  ErrorCode error = ErrorCode::none;
  std::optional<std::int64_t> total_bytes;
  std::optional<std::int64_t> usable_bytes;
  std::vector<LogDirPartition> partitions;
  bool cordoned = false;  // takes no new replicas
};
// Of one partition on one broker.
struct ReplicaPlace {
  TopicPartition partition;
  BrokerId broker = no_broker;

  friend auto operator<=>(const ReplicaPlace&, const ReplicaPlace&) = default;
};
struct ReplicaLogDirs {
  std::string current;  // empty: the broker has no such replica
  std::int64_t offset_lag = -1;
  std::string future;  // where it is being moved to; empty: it is not
  std::int64_t future_offset_lag = -1;
};
struct QuorumReplica {
  BrokerId id = no_broker;
  Offset log_end = no_offset;
  Timestamp last_fetch = no_timestamp;
  Timestamp last_caught_up = no_timestamp;
  Uuid directory = {};  // zero where it is not told
};
struct QuorumListener {
  std::string name;
  HostPort address;
};
struct QuorumNode {
  BrokerId id = no_broker;
  std::vector<QuorumListener> listeners;
};
struct Quorum {
  BrokerId leader = no_broker;
  LeaderEpoch epoch = no_leader_epoch;
  Offset high_watermark = no_offset;
  std::vector<QuorumReplica> voters;
  std::vector<QuorumReplica> observers;
  std::vector<QuorumNode> nodes = {};  // none where they are not told
};
struct NewVoter {
  BrokerId id = no_broker;
  Uuid directory = {};
  std::vector<QuorumListener> listeners = {};  // where it is reached
  std::optional<std::string> cluster_id = {};  // checked when given
};
struct Feature {
  std::string name;
  std::int16_t level_min = 0;  // what the broker that was asked knows
  std::int16_t level_max = 0;
  std::optional<std::int16_t> finalized;  // none: the cluster has not turned it on
};
struct Features {
  std::int64_t epoch = -1;
  std::vector<Feature> features;
};
enum class FeatureChange : std::int8_t {
  upgrade = 1,
  safe_downgrade = 2,    // only where nothing is lost
  unsafe_downgrade = 3,  // metadata may be lost
};
struct FeatureUpdate {
  std::string name;
  std::int16_t level = 0;  // 0: it is turned off
  FeatureChange change = FeatureChange::upgrade;
};

// --- Groups ---

struct ListGroupsOptions : AdminOptions {
  std::vector<std::string> states = {};  // none: all
  std::vector<std::string> types = {};
};

// --- Offsets and producers ---

// A place in a partition: a time, or one of the constants.
struct OffsetSpec {
  std::int64_t value = 0;

  static const OffsetSpec latest;
  static const OffsetSpec earliest;
  static const OffsetSpec newest;          // the record with the largest timestamp
  static const OffsetSpec earliest_local;  // of tiered storage: the first on the broker's own disk
  static const OffsetSpec latest_tiered;   // of tiered storage: the last that is remote
  static const OffsetSpec earliest_pending_upload;
  [[nodiscard]] static OffsetSpec at(Timestamp timestamp) { return {timestamp.value()}; }
};
inline constexpr OffsetSpec OffsetSpec::latest{-1};
inline constexpr OffsetSpec OffsetSpec::earliest{-2};
inline constexpr OffsetSpec OffsetSpec::newest{-3};
inline constexpr OffsetSpec OffsetSpec::earliest_local{-4};
inline constexpr OffsetSpec OffsetSpec::latest_tiered{-5};
inline constexpr OffsetSpec OffsetSpec::earliest_pending_upload{-6};

struct FoundOffset {
  Offset offset = no_offset;  // nothing is there
  Timestamp timestamp = no_timestamp;
  LeaderEpoch leader_epoch = no_leader_epoch;
};
struct ActiveProducer {
  ProducerId id = no_producer_id;
  std::int32_t epoch = -1;
  Sequence last_sequence = no_sequence;
  Timestamp last_timestamp = no_timestamp;
  std::optional<Offset> transaction_start;
  std::int32_t coordinator_epoch = -1;
};

}  // namespace millrace::client
