// Admin: creates, changes and describes what a cluster has.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/admin_cluster.hpp"
#include "millrace/admin_configs.hpp"
#include "millrace/admin_groups.hpp"
#include "millrace/admin_options.hpp"
#include "millrace/admin_security.hpp"
#include "millrace/admin_topics.hpp"
#include "millrace/admin_transactions.hpp"
#include "millrace/config.hpp"
#include "millrace/future.hpp"
#include "millrace/metrics.hpp"
#include "millrace/options.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"
#include "millrace/uuid.hpp"

namespace millrace::inline v1 {

// Creates, changes and describes. Owns a thread and its connections. All functions may be called
// from any thread at any time, but for moving and destroying; each begins at once, and tries again
// what can be tried again until its timeout. What a broker does not offer fails with
// ErrorCode::unsupported_version and says so.
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
  // Calls that are under way fail. On any thread.
  ~Admin();

  // --- Topics. ---
  Future<Outcomes<std::string, CreatedTopic>> create_topics(std::vector<NewTopic> topics,
                                                            AdminOptions options = {});
  Future<Outcomes<std::string, void>> delete_topics(std::vector<std::string> topics,
                                                    AdminOptions options = {});
  Future<Result<std::vector<ListedTopic>>> list_topics(AdminOptions options = {});
  Future<Outcomes<std::string, DescribedTopic>> describe_topics(std::vector<std::string> topics,
                                                                AdminOptions options = {});
  // By ids, which a topic that is made anew under the same name does not have.
  Future<Outcomes<Uuid, DescribedTopic>> describe_topics_by_id(std::vector<Uuid> topics,
                                                               AdminOptions options = {});
  Future<Outcomes<Uuid, void>> delete_topics_by_id(std::vector<Uuid> topics,
                                                   AdminOptions options = {});
  // How many partitions a topic shall have, with those that are there.
  Future<Outcomes<std::string, void>> create_partitions(
      std::vector<std::pair<std::string, std::int32_t>> topics, AdminOptions options = {});
  // The same with a say in where they are.
  Future<Outcomes<std::string, void>> place_partitions(std::vector<NewPartitions> topics,
                                                       AdminOptions options = {});
  // Records before the offset go; -1: all. Gives the first offset that is left.
  Future<Outcomes<TopicPartition, std::int64_t>> delete_records(
      std::vector<std::pair<TopicPartition, std::int64_t>> before, AdminOptions options = {});
  // What cannot be read yet, because its transaction is open, does not count in read_committed.
  Future<Outcomes<TopicPartition, PartitionOffset>> list_offsets(
      std::vector<std::pair<TopicPartition, OffsetSpec>> places, AdminOptions options = {},
      Isolation isolation = Isolation::read_uncommitted);

  // --- Where replicas are. ---
  // Of the partitions that are named; of all if none is: then it tells those where something was to
  // be done. A partition that needs none says ELECTION_NOT_NEEDED.
  Future<Result<Outcomes<TopicPartition, void>>> elect_leaders(
      Election election, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  // Begins to move replicas; list_reassignments() tells what is under way.
  Future<Outcomes<TopicPartition, void>> alter_reassignments(
      std::vector<Reassignment> reassignments, AdminOptions options = {});
  Future<Result<std::vector<OngoingReassignment>>> list_reassignments(
      std::vector<TopicPartition> partitions = {}, AdminOptions options = {});

  // --- Settings. ---
  Future<Outcomes<ConfigResource, std::vector<ConfigEntry>>> describe_configs(
      std::vector<ConfigResource> resources, AdminOptions options = {});
  // Only what is named changes. Of each resource all changes are made, or none.
  Future<Outcomes<ConfigResource, void>> alter_configs(std::vector<ConfigChanges> changes,
                                                       AdminOptions options = {});
  // What has settings of its own: groups, client metrics, ...; of the types, of all if none is
  // named. An older broker tells of client metrics alone.
  Future<Result<std::vector<ConfigResource>>> list_config_resources(
      std::vector<ResourceType> types = {}, AdminOptions options = {});

  // --- The cluster. ---
  // Of controllers where these are asked (bootstrap.controllers), in the place of brokers.
  Future<Result<DescribedCluster>> describe_cluster(AdminOptions options = {},
                                                    FencedBrokers fenced = FencedBrokers::left_out);
  Future<Result<Quorum>> describe_quorum(AdminOptions options = {});
  Future<Result<void>> add_raft_voter(NewVoter voter, AdminOptions options = {});
  Future<Result<void>> remove_raft_voter(std::int32_t voter, Uuid directory,
                                         AdminOptions options = {});
  Future<Result<Features>> describe_features(AdminOptions options = {});
  // All of them, or none, as brokers of today do it.
  Future<Outcomes<std::string, void>> update_features(std::vector<FeatureUpdate> updates,
                                                      AdminOptions options = {});
  // For a broker that is gone for good.
  Future<Result<void>> unregister_broker(std::int32_t broker, AdminOptions options = {});
  Future<Outcomes<std::int32_t, std::vector<LogDir>>> describe_log_dirs(
      std::vector<std::int32_t> brokers, AdminOptions options = {});
  Future<Outcomes<ReplicaPlace, ReplicaLogDirs>> describe_replica_log_dirs(
      std::vector<ReplicaPlace> replicas, AdminOptions options = {});
  // Begins to move replicas into the directories, on their brokers.
  Future<Outcomes<ReplicaPlace, void>> alter_replica_log_dirs(
      std::vector<std::pair<ReplicaPlace, std::string>> places, AdminOptions options = {});

  // --- Access control, quotas, credentials. ---
  Future<Outcomes<AclBinding, void>> create_acls(std::vector<AclBinding> bindings,
                                                 AdminOptions options = {});
  Future<Result<std::vector<AclBinding>>> describe_acls(AclFilter filter = {},
                                                        AdminOptions options = {});
  // Of each filter the bindings that matched, with what became of each.
  Future<Outcomes<AclFilter, Outcomes<AclBinding, void>>> delete_acls(
      std::vector<AclFilter> filters, AdminOptions options = {});
  Future<Result<std::vector<DescribedQuota>>> describe_quotas(QuotaFilter filter = {},
                                                              AdminOptions options = {});
  Future<Outcomes<QuotaEntity, void>> alter_quotas(std::vector<QuotaChanges> changes,
                                                   AdminOptions options = {});
  // Of the users; of all that have credentials if none is named.
  Future<Result<Outcomes<std::string, std::vector<ScramCredential>>>> describe_scram(
      std::vector<std::string> users = {}, AdminOptions options = {});
  // The key of each outcome is the user.
  Future<Outcomes<std::string, void>> alter_scram(std::vector<ScramChange> changes,
                                                  AdminOptions options = {});
  // After a lost answer there may be two tokens.
  Future<Result<DelegationToken>> create_token(NewToken token = {}, AdminOptions options = {});
  // Give until when the token is good. When no time is given: the brokers' default; at once.
  Future<Result<Timestamp>> renew_token(std::vector<std::byte> hmac,
                                        std::optional<std::chrono::milliseconds> by = {},
                                        AdminOptions options = {});
  Future<Result<Timestamp>> expire_token(std::vector<std::byte> hmac,
                                         std::optional<std::chrono::milliseconds> after = {},
                                         AdminOptions options = {});
  // Of the owners; of all whose tokens who asks may see if none is named.
  Future<Result<std::vector<DelegationToken>>> describe_tokens(std::vector<Principal> owners = {},
                                                               AdminOptions options = {});

  // --- Groups. ---
  Future<Result<ListedGroups>> list_groups(AdminOptions options = {}, GroupsFilter filter = {});
  // Groups of consumers, of both protocols, and of others that speak the classic one.
  Future<Outcomes<std::string, DescribedGroup>> describe_groups(std::vector<std::string> groups,
                                                                AdminOptions options = {});
  Future<Outcomes<std::string, DescribedGroup>> describe_share_groups(
      std::vector<std::string> groups, AdminOptions options = {});
  Future<Outcomes<std::string, DescribedStreamsGroup>> describe_streams_groups(
      std::vector<std::string> groups, AdminOptions options = {});
  // Of all kinds.
  Future<Outcomes<std::string, void>> delete_groups(std::vector<std::string> groups,
                                                    AdminOptions options = {});
  // The key of each outcome is the id, or the name of the instance where that is given.
  Future<Outcomes<std::string, void>> remove_members(std::string group,
                                                     std::vector<MemberToRemove> members,
                                                     AdminOptions options = {});
  // Of the partitions that are named, of all that were committed if none is; -1: none was. Also of
  // groups of Kafka Streams, as those below.
  Future<Result<Outcomes<TopicPartition, std::int64_t>>> list_group_offsets(
      std::string group, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  // The same with all that was committed.
  Future<Result<Outcomes<TopicPartition, CommittedOffset>>> describe_group_offsets(
      std::string group, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  // For a group without members.
  Future<Outcomes<TopicPartition, void>> alter_group_offsets(
      std::string group, std::vector<std::pair<TopicPartition, std::int64_t>> offsets,
      AdminOptions options = {});
  // The same with epochs and metadata.
  Future<Outcomes<TopicPartition, void>> commit_group_offsets(
      std::string group, std::vector<std::pair<TopicPartition, CommittedOffset>> offsets,
      AdminOptions options = {});
  Future<Outcomes<TopicPartition, void>> delete_group_offsets(
      std::string group, std::vector<TopicPartition> partitions, AdminOptions options = {});
  // The same of share groups; those that go, go with all partitions of a topic.
  Future<Result<Outcomes<TopicPartition, ShareOffset>>> list_share_offsets(
      std::string group, std::vector<TopicPartition> partitions = {}, AdminOptions options = {});
  Future<Outcomes<TopicPartition, void>> alter_share_offsets(
      std::string group, std::vector<std::pair<TopicPartition, std::int64_t>> starts,
      AdminOptions options = {});
  Future<Outcomes<std::string, void>> delete_share_offsets(std::string group,
                                                           std::vector<std::string> topics,
                                                           AdminOptions options = {});

  // --- Transactions. ---
  Future<Result<ListedTransactions>> list_transactions(TransactionsFilter filter = {},
                                                       AdminOptions options = {});
  Future<Outcomes<std::string, DescribedTransaction>> describe_transactions(
      std::vector<std::string> ids, AdminOptions options = {});
  Future<Outcomes<TopicPartition, std::vector<ActiveProducer>>> describe_producers(
      std::vector<TopicPartition> partitions, AdminOptions options = {});
  // Ends one that hangs in a partition because its coordinator does not know it any more.
  Future<Result<void>> abort_transaction(HangingTransaction transaction, AdminOptions options = {});
  // Producers with these transactional ids can do nothing more; what they had open is aborted.
  Future<Outcomes<std::string, FencedProducer>> fence_producers(std::vector<std::string> ids,
                                                                AdminOptions options = {});

  // --- Itself. ---
  [[nodiscard]] Result<Metrics> metrics() const;
  // By which brokers that collect metrics of clients (KIP-714) know this one: they give it, once.
  // This client sends them none.
  Future<Result<Uuid>> client_instance_id(AdminOptions options = {});

 private:
  class Implementation;
  explicit Admin(std::unique_ptr<Implementation> implementation) noexcept;

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::inline v1
