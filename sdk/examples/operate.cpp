// The pieces of docs/sdk/admin.md, which a test finds here word for word, run against a cluster in
// the process. With an address as its argument: against that cluster.
#include <millrace/millrace.hpp>
#include <millrace/mock.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

namespace {

void settle(const auto& outcomes) {
  for (const auto& [key, outcome] : outcomes)
    if (!outcome) std::cerr << outcome.error() << '\n';
}

void rules(millrace::Admin& admin) {
  // snippet
  const millrace::AclBinding rule{.resource = millrace::AclResource::topic,
                                  .name = "orders",
                                  .pattern = millrace::AclPattern::prefixed,
                                  .principal = "User:alice",
                                  .host = "*",
                                  .operation = millrace::AclOperation::write,
                                  .permission = millrace::AclPermission::allow};
  settle(admin.create_acls({rule}).get());
  const auto found = admin.describe_acls({.principal = "User:alice"}).get();
  for (const auto& one : found.value())
    std::cout << to_string(one) << '\n';  // User:alice may WRITE TOPIC orders* from *
  for (const auto& [filter, gone] : admin.delete_acls({{.principal = "User:alice"}}).get())
    std::cout << gone.value().size() << " rules are gone\n";
  // end
}

void limits(millrace::Admin& admin) {
  // snippet
  const millrace::QuotaEntity alice{{.type = "user", .name = "alice"}};
  settle(admin.alter_quotas({{alice, {{"producer_byte_rate", 1048576.0}}}}).get());
  const auto quotas = admin.describe_quotas().get();
  for (const auto& quota : quotas.value())
    for (const auto& [key, limit] : quota.limits)
      std::cout << to_string(quota.entity) << ' ' << key << ' ' << limit << '\n';
  settle(admin.alter_quotas({{alice, {{"producer_byte_rate", {}}}}}).get());  // it goes
  // end
}

void passwords(millrace::Admin& admin) {
  // snippet
  settle(admin.alter_scram({{.user = "alice", .password = "secret"}}).get());
  const auto users = admin.describe_scram().get();
  for (const auto& [user, credentials] : users.value())
    for (const auto& credential : credentials.value())
      std::cout << user << ' ' << to_string(credential.mechanism) << '\n';
  settle(admin.alter_scram({{.user = "alice"}}).get());  // it goes
  // end
}

void places(millrace::Admin& admin) {
  // snippet
  settle(admin.alter_reassignments({{{"orders", 0}, std::vector{1}}}).get());
  const auto moves = admin.list_reassignments().get();
  for (const auto& move : moves.value())
    std::cout << move.partition.topic << '-' << move.partition.partition << " is moving\n";
  const auto elected = admin.elect_leaders(millrace::Election::preferred).get();
  for (const auto& [partition, outcome] : elected.value())
    std::cout << partition.topic << '-' << partition.partition << (outcome ? "" : " not") << '\n';
  // end
}

void controllers(millrace::Admin& admin) {
  // snippet
  const auto quorum = admin.describe_quorum().get().value();
  for (const auto& voter : quorum.voters)
    std::cout << voter.id << (voter.id == quorum.leader ? " leads, " : " follows, ")
              << quorum.high_watermark - voter.log_end << " behind\n";
  const auto features = admin.describe_features().get();
  for (const auto& feature : features.value().features)
    if (feature.finalized) std::cout << feature.name << ' ' << *feature.finalized << '\n';
  // end
}

void groups(millrace::Admin& admin) {
  // snippet
  const auto empty = admin.list_groups({}, {.states = {"Empty"}}).get();
  for (const auto& group : empty.value().groups) std::cout << group.id << ' ' << group.type << '\n';
  settle(admin.commit_group_offsets("billing", {{{"orders", 0}, {.offset = 0}}}).get());
  const auto committed = admin.describe_group_offsets("billing").get();
  for (const auto& [partition, offset] : committed.value())
    std::cout << partition.topic << '-' << partition.partition << '@' << offset.value().offset
              << '\n';
  // end
}

void transactions(millrace::Admin& admin) {
  // snippet
  using namespace std::chrono_literals;
  const auto old = admin.list_transactions({.states = {"Ongoing"}, .running_for = 1h}).get();
  std::vector<std::string> ids;
  for (const auto& transaction : old.value().transactions) ids.push_back(transaction.id);
  settle(admin.fence_producers(ids).get());  // aborts them; their producers can do nothing more
  for (const auto& [partition, producers] : admin.describe_producers({{"orders", 0}}).get())
    for (const auto& producer : producers.value())
      if (producer.transaction_start)
        std::cout << producer.id << " has one open since " << *producer.transaction_start << '\n';
  // end
}

void run(const millrace::Config& config) {
  millrace::Admin admin(config);
  settle(admin.create_topics({{.name = "orders", .partitions = 2, .replication_factor = 1}}).get());
  rules(admin);
  limits(admin);
  passwords(admin);
  places(admin);
  controllers(admin);
  groups(admin);
  transactions(admin);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count == 2) {
      run({{"bootstrap.servers", arguments[1]}});
      return 0;
    }
    millrace::mock::Cluster cluster;
    run({{"bootstrap.servers", cluster.bootstrap()}});
    return 0;
  } catch (const millrace::Failed& failed) {
    std::cerr << failed.error() << '\n';
    return 1;
  }
}
