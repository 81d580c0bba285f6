// Groups of all kinds, and transactions, as they are asked about and told. All of it owns its
// memory.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.client.admin:group_types;

import millrace.base;
import millrace.client.core;
import :security_types;

export namespace millrace::client {

// What who asks may do with a thing; none: it was not asked for, or the broker does not tell.
using AuthorizedOperations = std::optional<std::vector<AclOperation>>;

struct ListedGroup {
  std::string id;
  std::string protocol_type;
  std::string state;  // empty where the broker does not tell
  std::string type;
  BrokerId coordinator = no_broker;
};
// Some brokers may have failed: the rest is there all the same.
struct ListedGroups {
  std::vector<ListedGroup> groups;
  std::vector<ClientError> errors;
};
struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string host;
  // As its partitions were assigned; only of groups of consumers.
  std::vector<TopicPartition> assignment;
  std::vector<std::byte> assignment_bytes;
  // Of groups whose brokers assign (KIP-848) and of share groups.
  std::optional<std::string> rack = {};
  std::int32_t epoch = -1;
  std::vector<std::string> subscribed_topics = {};
  std::optional<std::string> subscribed_regex = {};
  std::vector<TopicPartition> target_assignment = {};  // what it is to have once others let go
  bool is_classic = true;  // speaks the classic protocol, also within a group of the new one
};
struct DescribedGroup {
  std::string id;
  std::string state;
  std::string protocol_type;
  std::string protocol;  // the assignor, of groups of consumers
  BrokerId coordinator = no_broker;
  std::vector<GroupMember> members;
  std::string type = "Classic";  // or "Consumer", "Share"
  std::int32_t epoch = -1;       // of groups whose brokers assign
  std::int32_t assignment_epoch = -1;
  AuthorizedOperations authorized_operations = {};
};
struct CommittedOffset {
  Offset offset = no_offset;  // none was committed
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::string metadata = {};
};
struct MemberToRemove {
  std::string member_id;  // empty where the instance is named
  std::optional<std::string> instance_id = {};
};

// Where a share group begins to read in a partition.
struct ShareOffset {
  Offset start = no_offset;  // none yet
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::optional<std::int64_t> lag = {};
};

// --- Groups of Kafka Streams ---

struct StreamsTopic {
  std::string name;
  std::int32_t partitions = 0;
  std::int16_t replication_factor = 0;
  std::vector<std::pair<std::string, std::string>> configs = {};
};
struct Subtopology {
  std::string id;
  std::vector<std::string> source_topics = {};
  std::vector<std::string> repartition_sink_topics = {};
  std::vector<StreamsTopic> changelog_topics = {};
  std::vector<StreamsTopic> repartition_source_topics = {};
};
struct StreamsTasks {
  std::string subtopology;
  std::vector<PartitionIndex> partitions = {};
};
struct StreamsAssignment {
  std::vector<StreamsTasks> active = {};
  std::vector<StreamsTasks> standby = {};
  std::vector<StreamsTasks> warmup = {};
};
// How far the state of a task is restored, or how far its changelog goes.
struct StreamsTaskOffset {
  std::string subtopology;
  PartitionIndex partition{0};
  Offset offset = no_offset;
};
struct StreamsMember {
  std::string id;
  std::int32_t epoch = -1;
  std::optional<std::string> instance_id = {};
  std::optional<std::string> rack = {};
  std::string client_id;
  std::string host;
  std::int32_t topology_epoch = -1;
  std::string process_id;
  std::optional<HostPort> endpoint = {};
  std::vector<std::pair<std::string, std::string>> tags = {};
  StreamsAssignment assignment = {};
  StreamsAssignment target_assignment = {};
  std::vector<StreamsTaskOffset> task_offsets = {};
  std::vector<StreamsTaskOffset> task_end_offsets = {};
  bool is_classic = false;
};
struct DescribedStreamsGroup {
  std::string id;
  std::string state;
  std::int32_t epoch = -1;
  std::int32_t assignment_epoch = -1;
  std::int32_t topology_epoch = -1;
  std::vector<Subtopology> subtopologies = {};
  BrokerId coordinator = no_broker;
  std::vector<StreamsMember> members = {};
  AuthorizedOperations authorized_operations = {};
};

// --- Transactions ---

struct TransactionsFilter {
  std::vector<std::string> states = {};  // "Ongoing", "PrepareCommit", ...; none: all
  std::vector<ProducerId> producers = {};
  std::optional<Duration> running_for = {};    // at least so long
  std::optional<std::string> id_pattern = {};  // a regular expression of RE2
};
struct ListedTransaction {
  std::string id;
  ProducerId producer = no_producer_id;
  std::string state;
  BrokerId coordinator = no_broker;
};
// Some brokers may have failed: the rest is there all the same.
struct ListedTransactions {
  std::vector<ListedTransaction> transactions;
  std::vector<ClientError> errors;
};
struct DescribedTransaction {
  std::string state;
  BrokerId coordinator = no_broker;
  ProducerId producer = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  Duration timeout{};
  std::optional<Timestamp> started = {};  // none: none is under way
  std::vector<TopicPartition> partitions = {};
};
// A transaction that hangs in a partition, as describe_producers() tells of it.
struct HangingTransaction {
  TopicPartition partition;
  ProducerId producer = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  std::int32_t coordinator_epoch = -1;
};
struct FencedProducer {
  ProducerId producer = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
};

}  // namespace millrace::client
