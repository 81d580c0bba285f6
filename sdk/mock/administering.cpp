// Which function answers which request of operators.
module;
#include <array>
#include <span>
#include <string>
#include <utility>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import :administration;
import :asked;
import :cluster;
import :handlers;
import :insides;
import :planted_group;

namespace millrace::mock {
namespace {

struct Handled {
  ApiKey api;
  Answer (*handler)(Asked&);
};

constexpr std::array handled = {
    Handled{ApiKey::describe_cluster, describe_cluster},
    Handled{ApiKey::describe_log_dirs, describe_log_dirs},
    Handled{ApiKey::get_telemetry_subscriptions, get_telemetry_subscriptions},
    Handled{ApiKey::describe_producers, describe_producers},
    Handled{ApiKey::describe_acls, describe_acls},
    Handled{ApiKey::create_acls, create_acls},
    Handled{ApiKey::delete_acls, delete_acls},
    Handled{ApiKey::describe_client_quotas, describe_client_quotas},
    Handled{ApiKey::alter_client_quotas, alter_client_quotas},
    Handled{ApiKey::describe_user_scram_credentials, describe_user_scram_credentials},
    Handled{ApiKey::alter_user_scram_credentials, alter_user_scram_credentials},
    Handled{ApiKey::create_delegation_token, create_delegation_token},
    Handled{ApiKey::renew_delegation_token, renew_delegation_token},
    Handled{ApiKey::expire_delegation_token, expire_delegation_token},
    Handled{ApiKey::describe_delegation_token, describe_delegation_token},
    Handled{ApiKey::update_features, update_features},
    Handled{ApiKey::unregister_broker, unregister_broker},
    Handled{ApiKey::add_raft_voter, add_raft_voter},
    Handled{ApiKey::remove_raft_voter, remove_raft_voter},
    Handled{ApiKey::describe_quorum, describe_quorum},
    Handled{ApiKey::list_config_resources, list_config_resources},
    Handled{ApiKey::alter_replica_log_dirs, alter_replica_log_dirs},
    Handled{ApiKey::consumer_group_describe, consumer_group_describe},
    Handled{ApiKey::share_group_describe, share_group_describe},
    Handled{ApiKey::streams_group_describe, streams_group_describe},
    Handled{ApiKey::describe_share_group_offsets, describe_share_group_offsets},
    Handled{ApiKey::alter_share_group_offsets, alter_share_group_offsets},
    Handled{ApiKey::delete_share_group_offsets, delete_share_group_offsets},
    Handled{ApiKey::list_transactions, list_transactions},
    Handled{ApiKey::describe_transactions, describe_transactions},
    Handled{ApiKey::write_txn_markers, write_txn_markers},
};

constexpr auto keys = [] {
  std::array<ApiKey, handled.size()> out{};
  for (std::size_t i = 0; i < handled.size(); ++i) out[i] = handled[i].api;
  return out;
}();

}  // namespace

std::span<const ApiKey> operators_apis() {
  return keys;
}

Answer administer(Asked& asked) {
  for (const Handled& one : handled) {
    if (one.api == asked.request.api->key) return one.handler(asked);
  }
  return {};
}

void Cluster::plant_group(PlantedGroup group) {
  std::string id = group.id;
  insides_->state.administration.groups.insert_or_assign(std::move(id), std::move(group));
}

}  // namespace millrace::mock
