// What brokers and clients ask of the controller, free of the versions of the wire. What is wrong
// with a request is in its reply, with a sentence.
module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

export module millrace.metadata.machine:requests;

import millrace.base;
import millrace.metadata;

export namespace millrace::metadata {

// By which the owner finds who asked. Not used twice while its answer is open.
using RequestId = Strong<struct RequestIdTag, std::uint64_t>;

struct Outcome {
  ErrorCode error = ErrorCode::none;
  std::string message;  // a sentence, if there is an error

  [[nodiscard]] bool ok() const { return error == ErrorCode::none; }
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// --- Brokers. ---

struct RegisterBroker {
  Uuid cluster_id;
  Broker broker;                   // its epoch and state do not matter
  BrokerEpoch previous_epoch{-1};  // with which it stopped cleanly; -1 after anything else
};
struct RegisterBrokerReply {
  Outcome outcome;
  BrokerEpoch epoch{-1};

  friend bool operator==(const RegisterBrokerReply&, const RegisterBrokerReply&) = default;
};

struct Heartbeat {
  BrokerId broker = no_broker;
  BrokerEpoch epoch{-1};
  MetadataOffset applied;
  bool want_fence = true;
  bool want_shut_down = false;
};
struct HeartbeatReply {
  Outcome outcome;
  bool is_caught_up = false;
  bool is_fenced = true;
  bool should_shut_down = false;

  friend bool operator==(const HeartbeatReply&, const HeartbeatReply&) = default;
};

// It is gone for good.
struct UnregisterBroker {
  BrokerId broker = no_broker;
};
struct UnregisterBrokerReply {
  Outcome outcome;

  friend bool operator==(const UnregisterBrokerReply&, const UnregisterBrokerReply&) = default;
};

struct AllocateProducerIds {
  BrokerId broker = no_broker;
  BrokerEpoch epoch{-1};
};
struct AllocateProducerIdsReply {
  Outcome outcome;
  ProducerIdBlock block;

  friend bool operator==(const AllocateProducerIdsReply&,
                         const AllocateProducerIdsReply&) = default;
};

// --- Topics. ---

using Replicas = std::vector<BrokerId>;

struct NewTopic {
  std::string name;
  std::int32_t partitions = -1;          // -1: the default
  std::int16_t replication_factor = -1;  // -1: the default
  // Instead of the two numbers: the replicas of each partition.
  std::vector<std::pair<PartitionIndex, Replicas>> assignments{};
  std::vector<std::pair<std::string, std::optional<std::string>>> settings{};
};
struct CreateTopics {
  std::vector<NewTopic> topics;
  bool validate_only = false;
};
struct CreatedTopic {
  std::string name;
  Outcome outcome;
  Uuid id;
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
  ConfigMap settings;

  friend bool operator==(const CreatedTopic&, const CreatedTopic&) = default;
};
struct CreateTopicsReply {
  Outcome outcome;  // of the whole request; then there are no topics
  std::vector<CreatedTopic> topics;

  friend bool operator==(const CreateTopicsReply&, const CreateTopicsReply&) = default;
};

struct TopicToDelete {
  std::optional<std::string> name;
  Uuid id;  // where there is no name
};
struct DeleteTopics {
  std::vector<TopicToDelete> topics;
};
struct DeletedTopic {
  std::optional<std::string> name;
  Uuid id;
  Outcome outcome;

  friend bool operator==(const DeletedTopic&, const DeletedTopic&) = default;
};
struct DeleteTopicsReply {
  Outcome outcome;
  std::vector<DeletedTopic> topics;

  friend bool operator==(const DeleteTopicsReply&, const DeleteTopicsReply&) = default;
};

struct MorePartitions {
  std::string topic;
  std::int32_t count = 0;                            // of all partitions
  std::optional<std::vector<Replicas>> assignments;  // of the new ones
};
struct CreatePartitions {
  std::vector<MorePartitions> topics;
  bool validate_only = false;
};
struct ExtendedTopic {
  std::string name;
  Outcome outcome;

  friend bool operator==(const ExtendedTopic&, const ExtendedTopic&) = default;
};
struct CreatePartitionsReply {
  Outcome outcome;
  std::vector<ExtendedTopic> topics;

  friend bool operator==(const CreatePartitionsReply&, const CreatePartitionsReply&) = default;
};

// --- Settings. ---

enum class SettingOperation : std::int8_t { set = 0, unset = 1, append = 2, subtract = 3 };
struct SettingChange {
  std::string name;
  SettingOperation operation = SettingOperation::set;
  std::optional<std::string> value;
};
struct ResourceChange {
  std::int8_t kind = 0;  // Kafka's number, which may be none of ours
  std::string name;
  std::vector<SettingChange> changes;
};
struct AlterConfigs {
  std::vector<ResourceChange> resources;
  bool replaces = false;  // what is not named is unset: all operations are `set`
  bool validate_only = false;
};
struct AlteredResource {
  std::int8_t kind = 0;
  std::string name;
  Outcome outcome;

  friend bool operator==(const AlteredResource&, const AlteredResource&) = default;
};
struct AlterConfigsReply {
  Outcome outcome;
  std::vector<AlteredResource> resources;

  friend bool operator==(const AlterConfigsReply&, const AlterConfigsReply&) = default;
};

using Request = std::variant<RegisterBroker, Heartbeat, UnregisterBroker, AllocateProducerIds,
                             CreateTopics, DeleteTopics, CreatePartitions, AlterConfigs>;
// At the place of its request.
using Reply = std::variant<RegisterBrokerReply, HeartbeatReply, UnregisterBrokerReply,
                           AllocateProducerIdsReply, CreateTopicsReply, DeleteTopicsReply,
                           CreatePartitionsReply, AlterConfigsReply>;
static_assert(std::variant_size_v<Request> == std::variant_size_v<Reply>);

// The reply to a request of that place which was not looked at.
[[nodiscard]] Reply refusal(std::size_t kind, const Outcome& outcome);

}  // namespace millrace::metadata
