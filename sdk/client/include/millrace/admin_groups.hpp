// Groups: of consumers, of both protocols; share groups; groups of Kafka Streams.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/admin_options.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

// Which groups are listed.
struct GroupsFilter {
  std::vector<std::string> states = {};  // "Stable", "Empty", ...; none: all
  std::vector<std::string> types = {};   // "Classic", "Consumer", "Share", "Streams"; none: all
};

struct ListedGroup {
  std::string id;
  std::string protocol_type;
  std::string state;  // empty where the broker does not tell
  std::string type = {};
  std::int32_t coordinator = -1;
};

struct ListedGroups {
  std::vector<ListedGroup> groups;
  std::vector<Error> errors = {};  // of brokers that did not answer: the rest is there all the same
};

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id = {};
  std::string client_id;
  std::string host;
  std::vector<TopicPartition> assignment = {};
  // Of groups whose brokers assign (group.protocol=consumer) and of share groups.
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
  std::string protocol;  // the assignor
  std::int32_t coordinator = -1;
  std::vector<GroupMember> members = {};
  std::string type = {};           // "Classic", "Consumer", "Share"
  std::string protocol_type = {};  // "consumer", "connect", ...
  std::int32_t epoch = -1;         // of groups whose brokers assign
  std::int32_t assignment_epoch = -1;
  AuthorizedOperations authorized_operations = {};
};

struct CommittedOffset {
  std::int64_t offset = -1;  // -1: none was committed
  std::optional<std::int32_t> leader_epoch = {};
  std::string metadata = {};
};

// A member of a group by its id, or by the name of its instance.
struct MemberToRemove {
  std::string id = {};
  std::optional<std::string> instance_id = {};
};

// Where a share group begins to read in a partition.
struct ShareOffset {
  std::int64_t start = -1;  // -1: it did not begin yet
  std::optional<std::int32_t> leader_epoch = {};
  std::optional<std::int64_t> lag = {};
};

// --- Groups of Kafka Streams. ---

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
  std::vector<std::int32_t> partitions = {};
};
struct StreamsAssignment {
  std::vector<StreamsTasks> active = {};
  std::vector<StreamsTasks> standby = {};
  std::vector<StreamsTasks> warmup = {};
};
// How far the state of a task is restored, or how far its changelog goes.
struct StreamsTaskOffset {
  std::string subtopology;
  std::int32_t partition = 0;
  std::int64_t offset = -1;
};
struct StreamsMember {
  std::string id;
  std::int32_t epoch = -1;
  std::optional<std::string> instance_id = {};
  std::optional<std::string> rack = {};
  std::string client_id = {};
  std::string host = {};
  std::int32_t topology_epoch = -1;
  std::string process_id = {};
  std::string endpoint = {};  // "host:port" where it has one
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
  std::int32_t coordinator = -1;
  std::vector<StreamsMember> members = {};
  AuthorizedOperations authorized_operations = {};
};

}  // namespace millrace::inline v1
