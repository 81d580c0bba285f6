// Admin: creates, changes and describes what a cluster has.
#pragma once
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/config.hpp"
#include "millrace/future.hpp"
#include "millrace/options.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"
#include "millrace/uuid.hpp"

namespace millrace::inline v1 {

// What became of each thing that was asked for, in the order of asking. Never one error for all.
template <class Key, class Value>
using Outcomes = std::vector<std::pair<Key, Result<Value>>>;

struct AdminOptions {
  // Of the whole call; default.api.timeout.ms when not given.
  std::optional<std::chrono::milliseconds> timeout = {};
  // What creates or changes is checked, and not done.
  bool validate_only = false;
};

struct NewTopic {
  std::string name;
  std::optional<std::int32_t> partitions = {};  // the brokers' default when not given
  std::optional<std::int16_t> replication_factor = {};
  // For each partition its replicas, the preferred leader first; instead of the two above.
  std::vector<std::vector<std::int32_t>> assignment = {};
  std::vector<std::pair<std::string, std::string>> configs = {};
};

struct CreatedTopic {
  Uuid id = {};
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
};

struct ListedTopic {
  std::string name;
  Uuid id = {};
  bool is_internal = false;
  std::size_t partitions = 0;
};

struct DescribedPartition {
  std::int32_t partition = 0;
  std::int32_t leader = -1;  // -1: none
  std::vector<std::int32_t> replicas = {};
  std::vector<std::int32_t> in_sync = {};
};

struct DescribedTopic {
  std::string name;
  Uuid id = {};
  bool is_internal = false;
  std::vector<DescribedPartition> partitions = {};
};

enum class ResourceType : std::int8_t { topic = 2, broker = 4, group = 32 };

struct ConfigResource {
  ResourceType type = ResourceType::topic;
  std::string name;  // of a broker its number; empty: what counts for all brokers

  [[nodiscard]] friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};

struct ConfigEntry {
  std::string name;
  std::optional<std::string> value = {};  // none: it has none, or it is secret
  bool is_default = false;
  bool is_read_only = false;
  bool is_sensitive = false;
};

enum class ConfigOperation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct ConfigChange {
  std::string name;
  std::string value = {};  // of remove: nothing
  ConfigOperation operation = ConfigOperation::set;
};

struct ConfigChanges {
  ConfigResource resource;
  std::vector<ConfigChange> changes;
};

struct DescribedBroker {
  std::int32_t id = -1;
  std::string host;
  std::uint16_t port = 0;
  std::optional<std::string> rack = {};
};

struct DescribedCluster {
  std::string id;
  std::int32_t controller = -1;
  std::vector<DescribedBroker> brokers = {};
};

struct ListedGroup {
  std::string id;
  std::string protocol_type;
  std::string state;  // empty where the broker does not tell
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
};

struct DescribedGroup {
  std::string id;
  std::string state;
  std::string protocol;
  std::int32_t coordinator = -1;
  std::vector<GroupMember> members = {};
};

// Creates, changes and describes. Owns a thread and its connections. All functions may be called
// from any thread at any time, but for moving and destroying; each begins at once, and tries again
// what can be tried again until its timeout.
//
// It does not work in a child of a fork(): calls fail there.
class MILLRACE_API Admin {
 public:
  // Throws Failed when the settings cannot be: its message tells all that is wrong.
  explicit Admin(const Config& config, const ClientOptions& options = {});
  // The same without an exception.
  [[nodiscard]] static Result<Admin> open(const Config& config, const ClientOptions& options = {});
  Admin(Admin&&) noexcept;
  Admin& operator=(Admin&&) noexcept;
  // Calls that are under way fail.
  ~Admin();

  // --- Topics. ---
  Future<Outcomes<std::string, CreatedTopic>> create_topics(std::vector<NewTopic> topics,
                                                            AdminOptions options = {});
  Future<Outcomes<std::string, void>> delete_topics(std::vector<std::string> topics,
                                                    AdminOptions options = {});
  Future<Result<std::vector<ListedTopic>>> list_topics(AdminOptions options = {});
  Future<Outcomes<std::string, DescribedTopic>> describe_topics(std::vector<std::string> topics,
                                                                AdminOptions options = {});
  // How many partitions a topic shall have, with those that are there.
  Future<Outcomes<std::string, void>> create_partitions(
      std::vector<std::pair<std::string, std::int32_t>> topics, AdminOptions options = {});
  // Records before the offset go; -1: all. Gives the first offset that is left.
  Future<Outcomes<TopicPartition, std::int64_t>> delete_records(
      std::vector<std::pair<TopicPartition, std::int64_t>> before, AdminOptions options = {});

  // --- Settings. ---
  Future<Outcomes<ConfigResource, std::vector<ConfigEntry>>> describe_configs(
      std::vector<ConfigResource> resources, AdminOptions options = {});
  // Only what is named changes. Of each resource all changes are made, or none.
  Future<Outcomes<ConfigResource, void>> alter_configs(std::vector<ConfigChanges> changes,
                                                       AdminOptions options = {});

  // --- The cluster and its groups. ---
  Future<Result<DescribedCluster>> describe_cluster(AdminOptions options = {});
  Future<Result<ListedGroups>> list_groups(AdminOptions options = {});
  Future<Outcomes<std::string, DescribedGroup>> describe_groups(std::vector<std::string> groups,
                                                                AdminOptions options = {});
  Future<Outcomes<std::string, void>> delete_groups(std::vector<std::string> groups,
                                                    AdminOptions options = {});
  // Of the partitions that are named, of all that were committed if none is; -1: none was.
  Future<Result<Outcomes<TopicPartition, std::int64_t>>> list_group_offsets(
      std::string group, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  // For a group without members.
  Future<Outcomes<TopicPartition, void>> alter_group_offsets(
      std::string group, std::vector<std::pair<TopicPartition, std::int64_t>> offsets,
      AdminOptions options = {});

 private:
  class Implementation;
  explicit Admin(std::unique_ptr<Implementation> implementation) noexcept;

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::inline v1
