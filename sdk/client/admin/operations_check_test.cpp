// The part of client_admin_check that does what operators do: access control, quotas, credentials,
// features, transactions, groups of all kinds.
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster_check.hpp"

import millrace.base;
import millrace.client.admin;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {
namespace {

class Operations : public Expectations {
 public:
  Operations(AdminClient& admin, Executor& executor, std::string topic)
      : admin_(admin),
        executor_(executor),
        topic_(std::move(topic)),
        first_{topic_, PartitionIndex(0)} {}

  Task<int> run() {
    co_await access();
    co_await quotas();
    co_await credentials();
    co_await cluster();
    co_await topics();
    co_await groups();
    co_await transactions();
    co_return failures();
  }

 private:
  // Until `holds(answer)`.
  template <class Ask, class Holds>
  Task<void> until(Ask ask, Holds holds, std::string_view what) {
    std::string last;
    const auto is_so = [&]() -> Task<bool> {
      const auto answer = co_await ask();
      last = answer ? std::string("another answer") : to_string(answer.error());
      co_return answer&& holds(*answer);
    };
    co_await wait_until(executor_, is_so, what, last);
  }

  Task<void> access() {
    const AclBinding rule{.resource = AclResource::topic,
                          .name = topic_,
                          .pattern = AclPattern::literal,
                          .principal = "User:alice",
                          .host = "*",
                          .operation = AclOperation::read,
                          .permission = AclPermission::allow};
    AclBinding wrong = rule;
    wrong.principal = "alice";
    expect(co_await admin_.create_acls({rule, wrong}), "create_acls",
           {ErrorCode::none, ErrorCode::invalid_request});
    const AclFilter filter{.name = topic_, .principal = "User:alice"};
    co_await until([&] { return admin_.describe_acls(filter); },
                   [&](const auto& rules) { return rules == std::vector{rule}; }, "describe_acls");
    const auto gone = co_await admin_.delete_acls({filter});
    expect(gone, "delete_acls", {ErrorCode::none});
    expect(gone[0].second && gone[0].second->size() == 1 && (*gone[0].second)[0].first == rule,
           "delete_acls tells what went");
    co_await until([&] { return admin_.describe_acls(filter); },
                   [](const auto& rules) { return rules.empty(); }, "describe_acls of none");
  }

  Task<void> quotas() {
    const QuotaEntity alice = {{.type = "user", .name = "alice"}};
    const QuotaEntity everyone = {{.type = "user", .name = std::nullopt}};
    const QuotaFilter filter{
        .parts = {{.type = "user", .match = QuotaFilterPart::Match::exact, .name = "alice"}},
        .strict = true};
    expect(co_await admin_.alter_quotas({{alice, {{"producer_byte_rate", 4096.0}}},
                                         {everyone, {{"request_percentage", 80.0}}},
                                         {{{.type = "user", .name = "bob"}}, {{"speed", 1.0}}}}),
           "alter_quotas", {ErrorCode::none, ErrorCode::none, ErrorCode::invalid_request});
    co_await until([&] { return admin_.describe_quotas(filter); },
                   [&](const auto& told) {
                     return told.size() == 1 && told[0].entity == alice &&
                            told[0].limits.size() == 1 && told[0].limits[0].second == 4096.0;
                   },
                   "describe_quotas");
    expect(co_await admin_.alter_quotas({{alice, {{"producer_byte_rate", std::nullopt}}},
                                         {everyone, {{"request_percentage", std::nullopt}}}}),
           "alter_quotas away", {ErrorCode::none, ErrorCode::none});
    co_await until([&] { return admin_.describe_quotas(); },
                   [](const auto& told) { return told.empty(); }, "describe_quotas of none");
  }

  Task<void> credentials() {
    expect(co_await admin_.alter_scram(
               {{.user = "alice", .password = "secret"},
                {.user = "alice", .mechanism = ScramMechanism::sha_512, .password = "secret"},
                {.user = "nobody", .password = std::nullopt}}),
           "alter_scram", {ErrorCode::none, ErrorCode::none, ErrorCode::resource_not_found});
    const auto holds = [](std::size_t count) {
      return [count](const auto& told) {
        return told.size() == 1 && (count == 0 ? !told[0].second.has_value()
                                               : told[0].second && told[0].second->size() == count);
      };
    };
    co_await until([&] { return admin_.describe_scram({"alice"}); }, holds(2), "describe_scram");
    expect(co_await admin_.alter_scram(
               {{.user = "alice"}, {.user = "alice", .mechanism = ScramMechanism::sha_512}}),
           "alter_scram away", {ErrorCode::none, ErrorCode::none});
    co_await until([&] { return admin_.describe_scram({"alice"}); }, holds(0),
                   "describe_scram of none");
    // Tokens need a connection with a name: what they are refused with shows that they came.
    expect(co_await admin_.create_token(), "create_token",
           ErrorCode::delegation_token_request_not_allowed);
    expect(co_await admin_.describe_tokens(), "describe_tokens",
           ErrorCode::delegation_token_request_not_allowed);
    expect(co_await admin_.renew_token({std::byte{1}}), "renew_token",
           ErrorCode::delegation_token_request_not_allowed);
    expect(co_await admin_.expire_token({std::byte{1}}), "expire_token",
           ErrorCode::delegation_token_request_not_allowed);
  }

  Task<void> cluster() {
    const AdminOptions with_operations{.authorized_operations = true};
    const auto cluster = co_await admin_.describe_cluster(with_operations, true);
    expect(cluster, "describe_cluster");
    expect(cluster && cluster->authorized_operations && !cluster->authorized_operations->empty(),
           "the cluster tells what may be done");
    expect(co_await admin_.update_features({{.name = "no.such.feature", .level = 1}}),
           "update_features", {ErrorCode::invalid_update_version});
    const auto features = co_await admin_.describe_features();
    if (features) {
      const auto group = std::ranges::find(features->features, "group.version", &Feature::name);
      const bool known = group != features->features.end() && group->finalized.has_value();
      expect(known, "group.version is a feature");
      if (known) {
        expect(
            co_await admin_.update_features({{.name = "group.version", .level = *group->finalized}},
                                            {.validate_only = true}),
            "update_features to what is", {ErrorCode::none});
      }
    }
    expect(co_await admin_.unregister_broker(BrokerId(99)), "unregister_broker",
           ErrorCode::broker_id_not_registered);
    const auto quorum = co_await admin_.describe_quorum();
    expect(quorum && !quorum->nodes.empty(), "the quorum tells where its nodes are");
    const auto added =
        co_await admin_.add_raft_voter({.id = BrokerId(99),
                                        .directory = Uuid{{std::byte{9}}},
                                        .listeners = {{"CONTROLLER", {"localhost", Port(1)}}},
                                        .cluster_id = "another"});
    expect(!added && added.error().failure == Failure::broker_said, "a voter of another cluster");
    const auto removed = co_await admin_.remove_raft_voter(BrokerId(99), Uuid{{std::byte{9}}});
    expect(!removed && removed.error().failure == Failure::broker_said, "a voter that is not");
    if (!cluster || cluster->brokers.empty()) co_return;
    co_await log_dirs(cluster->brokers.front().id);
  }

  Task<void> log_dirs(BrokerId broker) {
    const ReplicaPlace replica{first_, broker};
    // A broker makes the log of a new partition when it hears of it.
    std::string directory;
    const auto ask = [&]() -> Task<ClientResult<ReplicaLogDirs>> {
      auto told = co_await admin_.describe_replica_log_dirs({replica});
      co_return std::move(told.at(0).second);
    };
    co_await until(
        ask,
        [&](const ReplicaLogDirs& told) {
          directory = told.current;
          return !directory.empty();
        },
        "describe_replica_log_dirs");
    if (directory.empty()) co_return;
    expect(co_await admin_.alter_replica_log_dirs(
               {{replica, directory}, {{first_, BrokerId(99)}, "/nowhere"}}),
           "alter_replica_log_dirs", {ErrorCode::none, ErrorCode::broker_not_available});
    expect(co_await admin_.alter_replica_log_dirs({{replica, "/nowhere"}}),
           "alter_replica_log_dirs to nowhere", {ErrorCode::log_dir_not_found});
  }

  Task<void> topics() {
    const AdminOptions with_operations{.authorized_operations = true};
    const auto named = co_await admin_.describe_topics({topic_}, with_operations);
    expect(named, "describe_topics", {ErrorCode::none});
    if (!named[0].second) co_return;
    expect(named[0].second->authorized_operations.has_value(), "a topic tells what may be done");
    const Uuid id = named[0].second->id;
    const Uuid none{{std::byte{9}}};
    expect(co_await admin_.describe_topics_by_id({id, none}), "describe_topics_by_id",
           {ErrorCode::none, ErrorCode::unknown_topic_id});
    const ConfigResource metrics{ResourceType::client_metrics, "check-metrics"};
    expect(
        co_await admin_.alter_configs({{metrics, {{"interval.ms", ConfigOperation::set, "5000"}}}}),
        "alter_configs of client metrics", {ErrorCode::none});
    const auto has = [&](const auto& listed) { return std::ranges::count(listed, metrics) == 1; };
    co_await until([&] { return admin_.list_config_resources({ResourceType::client_metrics}); },
                   has, "list_config_resources of client metrics");
    co_await until([&] { return admin_.list_config_resources(); }, has, "list_config_resources");
    expect(co_await admin_.list_offsets({{first_, OffsetSpec::latest},
                                         {first_, OffsetSpec::earliest_local},
                                         {first_, OffsetSpec::latest_tiered}},
                                        {}, IsolationLevel::read_committed),
           "list_offsets", {ErrorCode::none, ErrorCode::none, ErrorCode::none});
    // The last word: the topic goes.
    ids_ = {id, none};
  }

  Task<void> groups() {
    expect(co_await admin_.alter_group_offsets("check-old", {{first_, {.offset = Offset(0)}}}),
           "alter_group_offsets", {ErrorCode::none});
    const auto told = co_await admin_.describe_groups({"check-old", "check-none"},
                                                      {.authorized_operations = true});
    expect(told, "describe_groups", {ErrorCode::none, ErrorCode::group_id_not_found});
    expect(told[0].second && told[0].second->authorized_operations.has_value(),
           "a group tells what may be done");
    expect(co_await admin_.describe_share_groups({"check-none"}), "describe_share_groups",
           {ErrorCode::group_id_not_found});
    expect(co_await admin_.describe_streams_groups({"check-none"}), "describe_streams_groups",
           {ErrorCode::group_id_not_found});
    ListGroupsOptions shares;
    shares.types = {"share"};
    expect(co_await admin_.list_groups(shares), "list_groups of a type");
    expect(co_await admin_.delete_share_offsets("check-none", {topic_}), "delete_share_offsets",
           {ErrorCode::group_id_not_found});
    expect(co_await admin_.delete_groups({"check-old"}), "delete_groups", {ErrorCode::none});
  }

  Task<void> transactions() {
    const auto fenced = co_await admin_.fence_producers({"check-copy"});
    expect(fenced, "fence_producers", {ErrorCode::none});
    const auto again = co_await admin_.fence_producers({"check-copy"});
    expect(again, "fence_producers again", {ErrorCode::none});
    if (!fenced[0].second || !again[0].second) co_return;
    expect(again[0].second->epoch > fenced[0].second->epoch, "a fence is a new epoch");
    const auto told = co_await admin_.describe_transactions({"check-copy", "check-none"});
    expect(told, "describe_transactions", {ErrorCode::none, ErrorCode::transactional_id_not_found});
    expect(told[0].second && told[0].second->producer == again[0].second->producer,
           "a transaction tells its producer");
    const auto listed =
        co_await admin_.list_transactions({.producers = {again[0].second->producer}});
    expect(listed, "list_transactions");
    expect(listed && listed->transactions.size() == 1 &&
               listed->transactions[0].id == "check-copy" && listed->errors.empty(),
           "the transaction is listed");
    const auto wrong = co_await admin_.list_transactions({.states = {"Sleeping"}});
    expect(wrong && !wrong->errors.empty(), "a state that does not exist is named");
    expect(co_await admin_.abort_transaction({.partition = first_,
                                              .producer = again[0].second->producer,
                                              .epoch = again[0].second->epoch,
                                              .coordinator_epoch = 0}),
           "abort_transaction", ErrorCode::none);
    expect(co_await admin_.delete_topics_by_id(ids_), "delete_topics_by_id",
           {ErrorCode::none, ErrorCode::unknown_topic_id});
  }

  AdminClient& admin_;
  Executor& executor_;
  const std::string topic_;
  const TopicPartition first_;
  std::vector<Uuid> ids_;
};

// Each says "the broker does not support ...", where it does not.
class Refusals : public Expectations {
 public:
  template <class T>
  void refused(const ClientResult<T>& result, std::string_view what) {
    if (result || result.error().failure != Failure::unsupported_version) return;
    ++refused_;
    expect(result.error().message.find("the broker does not support") != std::string::npos,
           formatted("{}: {}", what, result.error().message));
  }
  [[nodiscard]] int refused() const { return refused_; }

 private:
  int refused_ = 0;
};

}  // namespace

Task<int> check_operations(AdminClient& admin, Executor& executor, const std::string& topic) {
  Operations operations(admin, executor, topic);
  co_return co_await operations.run();
}

Task<int> check_refusals(AdminClient& admin) {
  Refusals refusals;
  refusals.refused(co_await admin.describe_acls(), "describe_acls");
  refusals.refused(co_await admin.describe_quotas(), "describe_quotas");
  refusals.refused(co_await admin.describe_scram(), "describe_scram");
  refusals.refused(co_await admin.describe_tokens(), "describe_tokens");
  refusals.refused((co_await admin.describe_share_groups({"check-none"}))[0].second,
                   "describe_share_groups");
  refusals.refused((co_await admin.describe_streams_groups({"check-none"}))[0].second,
                   "describe_streams_groups");
  refusals.refused((co_await admin.describe_transactions({"check-none"}))[0].second,
                   "describe_transactions");
  refusals.refused((co_await admin.update_features({{.name = "no.such", .level = 1}}))[0].second,
                   "update_features");
  refusals.refused(co_await admin.client_instance_id(), "client_instance_id");
  std::printf("%d calls are not supported\n", refusals.refused());
  co_return refusals.failures();
}

}  // namespace millrace::client
