// Which function answers which request.
module;
#include <array>
#include <coroutine>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime;
import :asked;
import :cluster;
import :faults;
import :handlers;
import :insides;

namespace millrace::mock {
namespace {

// Version 18 of Fetch is for replicas.
constexpr std::int16_t fetch_version_max = 17;

constexpr std::array apis = {
    ApiKey::produce,
    ApiKey::fetch,
    ApiKey::list_offsets,
    ApiKey::metadata,
    ApiKey::offset_commit,
    ApiKey::offset_fetch,
    ApiKey::find_coordinator,
    ApiKey::join_group,
    ApiKey::heartbeat,
    ApiKey::leave_group,
    ApiKey::sync_group,
    ApiKey::describe_groups,
    ApiKey::list_groups,
    ApiKey::api_versions,
    ApiKey::init_producer_id,
    ApiKey::offset_for_leader_epoch,
    ApiKey::add_partitions_to_txn,
    ApiKey::add_offsets_to_txn,
    ApiKey::end_txn,
    ApiKey::txn_offset_commit,
    ApiKey::delete_groups,
    ApiKey::offset_delete,
    ApiKey::create_topics,
    ApiKey::delete_topics,
    ApiKey::delete_records,
    ApiKey::create_partitions,
    ApiKey::describe_configs,
    ApiKey::incremental_alter_configs,
    ApiKey::elect_leaders,
    ApiKey::alter_partition_reassignments,
    ApiKey::list_partition_reassignments,
    ApiKey::consumer_group_heartbeat,
};

}  // namespace

std::vector<Spoken> spoken() {
  std::vector<ApiKey> all(apis.begin(), apis.end());
  const auto more = operators_apis();
  all.insert(all.end(), more.begin(), more.end());
  std::vector<Spoken> table;
  for (const ApiKey key : all) {
    const protocol::ApiInfo& info = protocol::api_info(key);
    table.push_back({.api = key,
                     .version_min = info.version_min,
                     .version_max = key == ApiKey::fetch ? fetch_version_max
                                                         : protocol::advertised_version_max(info)});
  }
  return table;
}

Task<Answer> Cluster::Insides::dispatch(Asked& asked) {
  switch (asked.request.api->key) {
    case ApiKey::api_versions:
      co_return api_versions(asked, offered);
    case ApiKey::metadata:
      co_return metadata(asked);
    case ApiKey::find_coordinator:
      co_return find_coordinator(asked);
    case ApiKey::produce:
      co_return produce(asked);
    case ApiKey::init_producer_id:
      co_return init_producer_id(asked);
    case ApiKey::add_partitions_to_txn:
      co_return add_partitions_to_txn(asked);
    case ApiKey::add_offsets_to_txn:
      co_return add_offsets_to_txn(asked);
    case ApiKey::txn_offset_commit:
      co_return co_await txn_offset_commit(asked);
    case ApiKey::end_txn:
      co_return co_await end_txn(asked);
    case ApiKey::fetch:
      co_return co_await fetch(asked);
    case ApiKey::list_offsets:
      co_return list_offsets(asked);
    case ApiKey::offset_for_leader_epoch:
      co_return offset_for_leader_epoch(asked);
    case ApiKey::join_group:
      co_return co_await join_group(asked);
    case ApiKey::sync_group:
      co_return co_await sync_group(asked);
    case ApiKey::heartbeat:
      co_return co_await heartbeat(asked);
    case ApiKey::leave_group:
      co_return co_await leave_group(asked);
    case ApiKey::describe_groups:
      co_return co_await describe_groups(asked);
    case ApiKey::list_groups:
      co_return co_await list_groups(asked);
    case ApiKey::delete_groups:
      co_return co_await delete_groups(asked);
    case ApiKey::offset_commit:
      co_return co_await offset_commit(asked);
    case ApiKey::offset_fetch:
      co_return co_await offset_fetch(asked);
    case ApiKey::offset_delete:
      co_return co_await offset_delete(asked);
    case ApiKey::create_topics:
      co_return create_topics(asked);
    case ApiKey::delete_topics:
      co_return delete_topics(asked);
    case ApiKey::create_partitions:
      co_return create_partitions(asked);
    case ApiKey::delete_records:
      co_return delete_records(asked);
    case ApiKey::describe_configs:
      co_return describe_configs(asked);
    case ApiKey::incremental_alter_configs:
      co_return incremental_alter_configs(asked);
    case ApiKey::elect_leaders:
      co_return elect_leaders(asked);
    case ApiKey::alter_partition_reassignments:
      co_return alter_partition_reassignments(asked);
    case ApiKey::list_partition_reassignments:
      co_return list_partition_reassignments(asked);
    case ApiKey::consumer_group_heartbeat:
      co_return consumer_group_heartbeat(asked);
    default:
      co_return administer(asked);
  }
}

}  // namespace millrace::mock
