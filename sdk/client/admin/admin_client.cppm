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
  // By ids, which a topic that is made anew under the same name does not have.
  [[nodiscard]] Task<Outcomes<Uuid, DescribedTopic>> describe_topics_by_id(
      std::vector<Uuid> topics, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<Uuid, void>> delete_topics_by_id(std::vector<Uuid> topics,
                                                               AdminOptions options = {});
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
  // What has settings of its own: groups, client metrics, ...; of the types, of all if none is
  // named. An older broker tells of client metrics alone.
  [[nodiscard]] Task<ClientResult<std::vector<ConfigResource>>> list_config_resources(
      std::vector<ResourceType> types = {}, AdminOptions options = {});

  // --- The cluster ---
  [[nodiscard]] Task<ClientResult<DescribedCluster>> describe_cluster(AdminOptions options = {},
                                                                      bool with_fenced = false);
  [[nodiscard]] Task<ClientResult<Quorum>> describe_quorum(AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<Features>> describe_features(AdminOptions options = {});
  // All of them, or none, as brokers of today do it.
  [[nodiscard]] Task<Outcomes<std::string, void>> update_features(
      std::vector<FeatureUpdate> updates, AdminOptions options = {});
  // For a broker that is gone for good.
  [[nodiscard]] Task<ClientResult<void>> unregister_broker(BrokerId broker,
                                                           AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<void>> add_raft_voter(NewVoter voter, AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<void>> remove_raft_voter(
      BrokerId voter, Uuid directory, std::optional<std::string> cluster_id = {},
      AdminOptions options = {});

  // --- Log directories ---
  [[nodiscard]] Task<Outcomes<BrokerId, std::vector<LogDir>>> describe_log_dirs(
      std::vector<BrokerId> brokers, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<ReplicaPlace, ReplicaLogDirs>> describe_replica_log_dirs(
      std::vector<ReplicaPlace> replicas, AdminOptions options = {});
  // Begins to move replicas into the directories, on their brokers.
  [[nodiscard]] Task<Outcomes<ReplicaPlace, void>> alter_replica_log_dirs(
      std::vector<std::pair<ReplicaPlace, std::string>> places, AdminOptions options = {});

  // --- Access control, quotas, credentials ---
  [[nodiscard]] Task<Outcomes<AclBinding, void>> create_acls(std::vector<AclBinding> bindings,
                                                             AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<std::vector<AclBinding>>> describe_acls(
      AclFilter filter = {}, AdminOptions options = {});
  // Of each filter the bindings that matched, with what became of each.
  [[nodiscard]] Task<Outcomes<AclFilter, Outcomes<AclBinding, void>>> delete_acls(
      std::vector<AclFilter> filters, AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<std::vector<DescribedQuota>>> describe_quotas(
      QuotaFilter filter = {}, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<QuotaEntity, void>> alter_quotas(std::vector<QuotaChanges> changes,
                                                               AdminOptions options = {});
  // Of the users; of all that have credentials if none is named.
  [[nodiscard]] Task<ClientResult<Outcomes<std::string, std::vector<ScramCredential>>>>
  describe_scram(std::vector<std::string> users = {}, AdminOptions options = {});
  // The key of each outcome is the user.
  [[nodiscard]] Task<Outcomes<std::string, void>> alter_scram(std::vector<ScramChange> changes,
                                                              AdminOptions options = {});
  // After a lost answer there may be two tokens.
  [[nodiscard]] Task<ClientResult<DelegationToken>> create_token(NewToken token = {},
                                                                 AdminOptions options = {});
  // Give until when the token is good. Without a time: the brokers' default; at once.
  [[nodiscard]] Task<ClientResult<Timestamp>> renew_token(std::vector<std::byte> hmac,
                                                          std::optional<Duration> by = {},
                                                          AdminOptions options = {});
  [[nodiscard]] Task<ClientResult<Timestamp>> expire_token(std::vector<std::byte> hmac,
                                                           std::optional<Duration> after = {},
                                                           AdminOptions options = {});
  // Of the owners; of all whose tokens who asks may see if none is named.
  [[nodiscard]] Task<ClientResult<std::vector<DelegationToken>>> describe_tokens(
      std::vector<Principal> owners = {}, AdminOptions options = {});

  // --- Groups ---
  [[nodiscard]] Task<ClientResult<ListedGroups>> list_groups(ListGroupsOptions options = {});
  // Groups of consumers, of both protocols, and of others that speak the classic one.
  [[nodiscard]] Task<Outcomes<std::string, DescribedGroup>> describe_groups(
      std::vector<std::string> groups, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, DescribedGroup>> describe_share_groups(
      std::vector<std::string> groups, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, DescribedStreamsGroup>> describe_streams_groups(
      std::vector<std::string> groups, AdminOptions options = {});
  // Of all kinds.
  [[nodiscard]] Task<Outcomes<std::string, void>> delete_groups(std::vector<std::string> groups,
                                                                AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, void>> remove_members(
      std::string group, std::vector<MemberToRemove> members, AdminOptions options = {});
  // Of the partitions that are named; of all that were committed if none is. Also of groups of
  // Kafka Streams, as the two below.
  [[nodiscard]] Task<ClientResult<Outcomes<TopicPartition, CommittedOffset>>> list_group_offsets(
      std::string group, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  // For a group without members.
  [[nodiscard]] Task<Outcomes<TopicPartition, void>> alter_group_offsets(
      std::string group, std::vector<std::pair<TopicPartition, CommittedOffset>> offsets,
      AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<TopicPartition, void>> delete_group_offsets(
      std::string group, std::vector<TopicPartition> partitions, AdminOptions options = {});
  // The same of share groups; those that go, go with all partitions of a topic.
  [[nodiscard]] Task<ClientResult<Outcomes<TopicPartition, ShareOffset>>> list_share_offsets(
      std::string group, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<TopicPartition, void>> alter_share_offsets(
      std::string group, std::vector<std::pair<TopicPartition, Offset>> starts,
      AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, void>> delete_share_offsets(
      std::string group, std::vector<std::string> topics, AdminOptions options = {});

  // --- Transactions ---
  [[nodiscard]] Task<ClientResult<ListedTransactions>> list_transactions(
      TransactionsFilter filter = {}, AdminOptions options = {});
  [[nodiscard]] Task<Outcomes<std::string, DescribedTransaction>> describe_transactions(
      std::vector<std::string> ids, AdminOptions options = {});
  // Ends one that hangs in a partition because its coordinator does not know it any more.
  [[nodiscard]] Task<ClientResult<void>> abort_transaction(HangingTransaction transaction,
                                                           AdminOptions options = {});
  // Producers with these transactional ids can do nothing more; what they had open is aborted.
  [[nodiscard]] Task<Outcomes<std::string, FencedProducer>> fence_producers(
      std::vector<std::string> ids, AdminOptions options = {});

  // --- Offsets and producers ---
  [[nodiscard]] Task<Outcomes<TopicPartition, FoundOffset>> list_offsets(
      std::vector<std::pair<TopicPartition, OffsetSpec>> places, AdminOptions options = {},
      IsolationLevel isolation = IsolationLevel::read_uncommitted);
  [[nodiscard]] Task<Outcomes<TopicPartition, std::vector<ActiveProducer>>> describe_producers(
      std::vector<TopicPartition> partitions, AdminOptions options = {});

  // --- Itself ---
  // By which brokers that collect metrics of clients know this one (KIP-714); they give it once.
  [[nodiscard]] Task<ClientResult<Uuid>> client_instance_id(AdminOptions options = {});
  void list_metrics(MetricList& to) const;

  // What the calls have in common; of this module.
  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace millrace::client
