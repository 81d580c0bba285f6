// What each API does. Inside this module only: dispatcher.cpp calls these.
module;
#include <coroutine>
#include <cstdint>
#include <span>
#include <vector>

module millrace.mock:handlers;

import millrace.protocol.api;
import millrace.protocol.transactions;
import millrace.runtime;
import :asked;
import :faults;

namespace millrace::mock {

// The versions of an API that the mock speaks.
struct Spoken {
  ApiKey api = ApiKey::api_versions;
  std::int16_t version_min = 0;
  std::int16_t version_max = 0;
};
// All of them, as a cluster begins.
[[nodiscard]] std::vector<Spoken> spoken();

// A request that waits for nothing is answered by a function, one that waits by a task. Both close
// the connection for a body that cannot be read.

// --- describing.cpp ---
[[nodiscard]] Answer api_versions(Asked& asked, std::span<const Spoken> offered);
[[nodiscard]] Answer metadata(Asked& asked);
[[nodiscard]] Answer find_coordinator(Asked& asked);

// --- overseeing.cpp ---
[[nodiscard]] Answer describe_cluster(Asked& asked);
[[nodiscard]] Answer describe_log_dirs(Asked& asked);
// No metrics are wanted.
[[nodiscard]] Answer get_telemetry_subscriptions(Asked& asked);
[[nodiscard]] Answer describe_producers(Asked& asked);

// --- changing_topics.cpp ---
[[nodiscard]] Answer create_topics(Asked& asked);
[[nodiscard]] Answer delete_topics(Asked& asked);
[[nodiscard]] Answer create_partitions(Asked& asked);
[[nodiscard]] Answer delete_records(Asked& asked);

// --- administering.cpp: what operators ask for beside topics and settings. ---
[[nodiscard]] std::span<const ApiKey> operators_apis();
// Closes the connection for any other API.
[[nodiscard]] Answer administer(Asked& asked);

// --- authorizing.cpp ---
[[nodiscard]] Answer describe_acls(Asked& asked);
[[nodiscard]] Answer create_acls(Asked& asked);
[[nodiscard]] Answer delete_acls(Asked& asked);

// --- limiting.cpp ---
[[nodiscard]] Answer describe_client_quotas(Asked& asked);
[[nodiscard]] Answer alter_client_quotas(Asked& asked);

// --- credentials.cpp ---
[[nodiscard]] Answer describe_user_scram_credentials(Asked& asked);
[[nodiscard]] Answer alter_user_scram_credentials(Asked& asked);
[[nodiscard]] Answer create_delegation_token(Asked& asked);
[[nodiscard]] Answer renew_delegation_token(Asked& asked);
[[nodiscard]] Answer expire_delegation_token(Asked& asked);
[[nodiscard]] Answer describe_delegation_token(Asked& asked);

// --- governing.cpp ---
[[nodiscard]] Answer update_features(Asked& asked);
[[nodiscard]] Answer unregister_broker(Asked& asked);
[[nodiscard]] Answer add_raft_voter(Asked& asked);
[[nodiscard]] Answer remove_raft_voter(Asked& asked);
[[nodiscard]] Answer describe_quorum(Asked& asked);
[[nodiscard]] Answer list_config_resources(Asked& asked);
[[nodiscard]] Answer alter_replica_log_dirs(Asked& asked);

// --- planted_groups.cpp ---
[[nodiscard]] Answer consumer_group_describe(Asked& asked);
[[nodiscard]] Answer share_group_describe(Asked& asked);
[[nodiscard]] Answer streams_group_describe(Asked& asked);
[[nodiscard]] Answer describe_share_group_offsets(Asked& asked);
[[nodiscard]] Answer alter_share_group_offsets(Asked& asked);
[[nodiscard]] Answer delete_share_group_offsets(Asked& asked);

// --- overseeing_transactions.cpp ---
[[nodiscard]] Answer list_transactions(Asked& asked);
[[nodiscard]] Answer describe_transactions(Asked& asked);
[[nodiscard]] Answer write_txn_markers(Asked& asked);

// --- placing.cpp ---
[[nodiscard]] Answer elect_leaders(Asked& asked);
[[nodiscard]] Answer alter_partition_reassignments(Asked& asked);
[[nodiscard]] Answer list_partition_reassignments(Asked& asked);

// --- configuring.cpp ---
[[nodiscard]] Answer describe_configs(Asked& asked);
[[nodiscard]] Answer incremental_alter_configs(Asked& asked);

// --- producing.cpp ---
[[nodiscard]] Answer produce(Asked& asked);
[[nodiscard]] Answer init_producer_id(Asked& asked);

// --- transacting.cpp ---
[[nodiscard]] Answer init_transactional(const protocol::InitProducerIdRequest& message,
                                        Asked& asked);
[[nodiscard]] Answer add_partitions_to_txn(Asked& asked);
[[nodiscard]] Answer add_offsets_to_txn(Asked& asked);
[[nodiscard]] Task<Answer> txn_offset_commit(Asked& asked);
[[nodiscard]] Task<Answer> end_txn(Asked& asked);

// --- fetching.cpp ---
[[nodiscard]] Task<Answer> fetch(Asked& asked);
[[nodiscard]] Answer list_offsets(Asked& asked);
[[nodiscard]] Answer offset_for_leader_epoch(Asked& asked);

// --- membership.cpp ---
[[nodiscard]] Task<Answer> join_group(Asked& asked);
[[nodiscard]] Task<Answer> sync_group(Asked& asked);
[[nodiscard]] Task<Answer> heartbeat(Asked& asked);
[[nodiscard]] Task<Answer> leave_group(Asked& asked);
[[nodiscard]] Task<Answer> describe_groups(Asked& asked);
[[nodiscard]] Task<Answer> list_groups(Asked& asked);
[[nodiscard]] Task<Answer> delete_groups(Asked& asked);

// --- managing.cpp ---
[[nodiscard]] Answer consumer_group_heartbeat(Asked& asked);

// --- committing.cpp ---
[[nodiscard]] Task<Answer> offset_commit(Asked& asked);
[[nodiscard]] Task<Answer> offset_fetch(Asked& asked);
[[nodiscard]] Task<Answer> offset_delete(Asked& asked);

}  // namespace millrace::mock
