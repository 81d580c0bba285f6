module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

module millrace.broker.requests;

import millrace.protocol.api;
import millrace.security;

namespace millrace::broker {
namespace {

using protocol::ApiKey;
using security::Operation;
using security::QuotaKind;
using security::ResourceType;

constexpr const protocol::ApiInfo& info_of(ApiKey key) {
  return *std::find_if(std::begin(protocol::api_table), std::end(protocol::api_table),
                       [&](const protocol::ApiInfo& info) { return info.key == key; });
}

constexpr ApiRule rule(ApiKey key, Route route, std::array<Question, questions_max> questions,
                       QuotaKind quota = QuotaKind::request) {
  const protocol::ApiInfo& info = info_of(key);
  return {
      .key = key,
      .version_min =
          key == ApiKey::produce ? protocol::produce_advertised_version_min : info.version_min,
      .version_max = static_cast<std::int16_t>(info.version_max - (info.latest_unstable ? 1 : 0)),
      .route = route,
      .questions = questions,
      .quota = quota};
}

constexpr Question read_topic{Operation::read, ResourceType::topic};
constexpr Question write_topic{Operation::write, ResourceType::topic};
constexpr Question create_topic{Operation::create, ResourceType::topic};
constexpr Question remove_topic{Operation::remove, ResourceType::topic};
constexpr Question alter_topic{Operation::alter, ResourceType::topic};
constexpr Question describe_topic{Operation::describe, ResourceType::topic};
constexpr Question read_group{Operation::read, ResourceType::group};
constexpr Question remove_group{Operation::remove, ResourceType::group};
constexpr Question describe_group{Operation::describe, ResourceType::group};
constexpr Question create_in_cluster{Operation::create, ResourceType::cluster};
constexpr Question describe_cluster{Operation::describe, ResourceType::cluster};
constexpr Question write_idempotently{Operation::idempotent_write, ResourceType::cluster};
constexpr Question describe_transaction{Operation::describe, ResourceType::transactional_id};
constexpr Question write_transaction{Operation::write, ResourceType::transactional_id};
constexpr Question describe_topic_configs{Operation::describe_configs, ResourceType::topic};
constexpr Question describe_cluster_configs{Operation::describe_configs, ResourceType::cluster};
constexpr Question alter_topic_configs{Operation::alter_configs, ResourceType::topic};
constexpr Question alter_cluster_configs{Operation::alter_configs, ResourceType::cluster};

constexpr auto rules = std::to_array<ApiRule>({
    rule(ApiKey::produce, Route::data, {write_topic, write_transaction}, QuotaKind::produce),
    rule(ApiKey::fetch, Route::fetch, {read_topic}, QuotaKind::fetch),
    rule(ApiKey::list_offsets, Route::data, {describe_topic}),
    rule(ApiKey::metadata, Route::here, {describe_topic, create_topic}),
    rule(ApiKey::offset_commit, Route::group, {read_group, read_topic}),
    rule(ApiKey::offset_fetch, Route::group, {describe_group, describe_topic}),
    rule(ApiKey::find_coordinator, Route::here, {describe_group, describe_transaction}),
    rule(ApiKey::join_group, Route::group, {read_group}),
    rule(ApiKey::heartbeat, Route::group, {read_group}),
    rule(ApiKey::leave_group, Route::group, {read_group}),
    rule(ApiKey::sync_group, Route::group, {read_group}),
    rule(ApiKey::describe_groups, Route::group, {describe_group}),
    rule(ApiKey::list_groups, Route::group, {describe_cluster, describe_group}),
    // Whoever can connect may ask, even before it is authenticated.
    rule(ApiKey::api_versions, Route::here, {}),
    rule(ApiKey::create_topics, Route::controller, {create_in_cluster, create_topic},
         QuotaKind::controller_mutation),
    rule(ApiKey::delete_topics, Route::controller, {remove_topic}, QuotaKind::controller_mutation),
    rule(ApiKey::delete_records, Route::data, {remove_topic}),
    rule(ApiKey::init_producer_id, Route::here, {write_idempotently, write_transaction}),
    rule(ApiKey::offset_for_leader_epoch, Route::data, {describe_topic}),
    rule(ApiKey::describe_configs, Route::here, {describe_topic_configs, describe_cluster_configs}),
    rule(ApiKey::alter_configs, Route::controller, {alter_topic_configs, alter_cluster_configs}),
    rule(ApiKey::describe_log_dirs, Route::data, {describe_cluster}),
    rule(ApiKey::create_partitions, Route::controller, {alter_topic},
         QuotaKind::controller_mutation),
    rule(ApiKey::delete_groups, Route::group, {remove_group}),
    rule(ApiKey::incremental_alter_configs, Route::controller,
         {alter_topic_configs, alter_cluster_configs}),
    rule(ApiKey::offset_delete, Route::group, {remove_group, read_topic}),
    rule(ApiKey::describe_quorum, Route::here, {describe_cluster}),
    rule(ApiKey::describe_cluster, Route::here, {describe_cluster}),
    rule(ApiKey::describe_producers, Route::data, {read_topic}),
    rule(ApiKey::list_config_resources, Route::here, {describe_cluster_configs}),
    rule(ApiKey::describe_topic_partitions, Route::here, {describe_topic}),
});

static_assert(std::is_sorted(rules.begin(), rules.end(),
                             [](const ApiRule& a, const ApiRule& b) { return a.key < b.key; }));

}  // namespace

std::span<const ApiRule> api_rules() {
  return rules;
}

const ApiRule* find_rule(ApiKey key) {
  const auto found = std::lower_bound(rules.begin(), rules.end(), key,
                                      [](const ApiRule& a, ApiKey b) { return a.key < b; });
  return found != rules.end() && found->key == key ? found : nullptr;
}

bool serves(const ApiRule& rule, std::int16_t version) {
  return version >= info_of(rule.key).version_min && version <= rule.version_max;
}

}  // namespace millrace::broker
