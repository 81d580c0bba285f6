// The administrative client.
module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.client.admin:admin_client;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;
import :types;

export namespace millrace::client {

// A topic that nobody has heard of is asked about again for so long, because a new one becomes
// known to one broker after the other; then it does not exist.
inline constexpr Duration unknown_topic_patience = std::chrono::seconds{1};

// Creates, changes and describes what a cluster has. Each thing that a call names has its own
// outcome; what can be tried again is, until the call's timeout or after `retries` failures, at the
// broker that is right by then: the controller, the coordinator of a group, the leader of a
// partition. What is named twice is asked for twice. Holds nothing of the cluster between calls but
// its connections.
//
// Belongs to the thread of its executor; any number of calls at a time. Ends after close() has, and
// its calls. What it is given outlives it.
class AdminClient {
 public:
  AdminClient(const AdminSettings& settings, Executor& executor, Network& network,
              Resolver& resolver, Logger logger, Random random = Random(0));
  ~AdminClient();
  AdminClient(const AdminClient&) = delete;
  AdminClient& operator=(const AdminClient&) = delete;

  // Calls that are under way end with Failure::closed.
  [[nodiscard]] Task<void> close(MonotonicTime deadline = no_deadline);

  // --- Topics ---
  // After a lost answer a topic may have been created by the first try: then the second says that
  // it exists.
  [[nodiscard]] Task<Outcomes<std::string, CreatedTopic>> create_topics(
      std::vector<NewTopic> topics, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, void>> delete_topics(std::vector<std::string> topics,
                                                                AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<std::vector<ListedTopic>>> list_topics(AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, DescribedTopic>> describe_topics(
      std::vector<std::string> topics, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, void>> create_partitions(
      std::vector<NewPartitions> topics, AdminOptions options = {});
  // Records before the offset go; Offset(-1): all. Gives the first offset that is left.
  [[nodiscard]] Task<Outcomes<TopicPartition, Offset>> delete_records(
      std::vector<std::pair<TopicPartition, Offset>> before, AdminOptions options = {});

  // --- Places of replicas ---
  // Of the partitions that are named; of all if none is: then it tells those where something was to
  // be done. A partition that needs none says ELECTION_NOT_NEEDED.
  [[nodiscard]] Task<ClientResult<Outcomes<TopicPartition, void>>> elect_leaders(
      Election election, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  // Begins to move replicas; list_reassignments() tells what is under way.
  [[nodiscard]] Task<Outcomes<TopicPartition, void>> alter_reassignments(
      std::vector<Reassignment> reassignments, AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<std::vector<OngoingReassignment>>> list_reassignments(
      std::vector<TopicPartition> partitions = {}, AdminOptions options = {});

  // --- Settings ---
  [[nodiscard]] Task<Outcomes<ConfigResource, std::vector<ConfigEntry>>> describe_configs(
      std::vector<ConfigResource> resources, DescribeConfigsOptions options = {});
  // Only what is named changes. Of each resource all changes are made, or none.
  [[nodiscard]] Task<Outcomes<ConfigResource, void>> alter_configs(
      std::vector<ConfigChanges> changes, AdminOptions options = {});

  // --- The cluster ---
  [[nodiscard]] Task<ClientResult<DescribedCluster>> describe_cluster(AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<BrokerId, std::vector<LogDir>>> describe_log_dirs(
      std::vector<BrokerId> brokers, AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<Quorum>> describe_quorum(AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<Features>> describe_features(AdminOptions options = {});

  // --- Groups ---
  [[nodiscard]] Task<ClientResult<ListedGroups>> list_groups(ListGroupsOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, DescribedGroup>> describe_groups(
      std::vector<std::string> groups, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, void>> delete_groups(std::vector<std::string> groups,
                                                                AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, void>> remove_members(
      std::string group, std::vector<MemberToRemove> members, AdminOptions options = {});
  // Of the partitions that are named; of all that were committed if none is.
  [[nodiscard]] Task<ClientResult<Outcomes<TopicPartition, CommittedOffset>>> list_group_offsets(
      std::string group, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  // For a group without members.
  [[nodiscard]] Task<Outcomes<TopicPartition, void>> alter_group_offsets(
      std::string group, std::vector<std::pair<TopicPartition, CommittedOffset>> offsets,
      AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<TopicPartition, void>> delete_group_offsets(
      std::string group, std::vector<TopicPartition> partitions, AdminOptions options = {});

  // --- Offsets and producers ---
  [[nodiscard]] Task<Outcomes<TopicPartition, FoundOffset>> list_offsets(
      std::vector<std::pair<TopicPartition, OffsetSpec>> places, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<TopicPartition, std::vector<ActiveProducer>>> describe_producers(
      std::vector<TopicPartition> partitions, AdminOptions options = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::client
