module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/admin.hpp"

module millrace.cli.operations;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

// What counts for the health of a cluster.
struct Health {
  std::int64_t brokers = 0;
  std::int64_t partitions = 0;
  std::int64_t without_leader = 0;
  std::int64_t under_replicated = 0;
  std::optional<v1::Quorum> quorum = {};  // none: the brokers do not tell
  std::vector<std::vector<Cell>> troubled = {};

  bool is_healthy() const {
    const bool has_controller = !quorum || quorum->leader >= 0;
    return brokers > 0 && has_controller && without_leader == 0 && under_replicated == 0;
  }
};

std::optional<Health> health_of(ClientSession& session, Failures& failures) {
  v1::Admin* admin = session.admin(failures);
  if (admin == nullptr) return std::nullopt;
  const auto cluster = admin->describe_cluster(session.admin_options()).get();
  if (!cluster) {
    failures.push_back(failure_of(cluster.error()));
    return std::nullopt;
  }
  const auto topics = all_topics(session, failures);
  if (!topics) return std::nullopt;
  Health health{.brokers = static_cast<std::int64_t>(cluster->brokers.size())};
  auto quorum = admin->describe_quorum(session.admin_options()).get();
  if (quorum) {
    health.quorum = *std::move(quorum);
  } else if (quorum.error().code() != v1::ErrorCode::unsupported_version) {
    failures.push_back(failure_of(quorum.error(), "controllers"));
    return std::nullopt;
  }
  for (const v1::DescribedTopic& topic : *topics) {
    for (const v1::DescribedPartition& partition : topic.partitions) {
      ++health.partitions;
      const bool has_leader = partition.leader >= 0;
      const bool is_whole = partition.in_sync.size() >= partition.replicas.size();
      if (!has_leader) ++health.without_leader;
      if (!is_whole) ++health.under_replicated;
      if (!has_leader || !is_whole)
        health.troubled.push_back({topic.name, std::int64_t{partition.partition},
                                   has_leader ? Cell(std::int64_t{partition.leader}) : Cell(),
                                   Numbers(partition.replicas.begin(), partition.replicas.end()),
                                   Numbers(partition.in_sync.begin(), partition.in_sync.end())});
    }
  }
  return health;
}

// In TSV one row of what counts; who is in trouble is in the table and in JSON.
Answer answer_of(Health health, Format format) {
  const bool is_healthy = health.is_healthy();
  std::string line =
      joined(is_healthy ? "healthy: " : "not healthy: ", counted(health.brokers, "broker"), ", ");
  Cell controllers;
  Cell leader;
  if (health.quorum) {
    const auto voters = static_cast<std::int64_t>(health.quorum->voters.size());
    controllers = voters;
    if (health.quorum->leader >= 0) leader = std::int64_t{health.quorum->leader};
    line += joined(counted(voters, "controller"), " (",
                   health.quorum->leader >= 0 ? joined("leader ", health.quorum->leader)
                                              : std::string("no leader"),
                   "), ");
  }
  line += joined(counted(health.without_leader, "partition"), " without leader, ",
                 health.under_replicated, " under-replicated");
  Answer answer{.fields = {{"healthy", is_healthy},
                           {"brokers", health.brokers},
                           {"controllers", controllers},
                           {"controller_leader", leader},
                           {"partitions", health.partitions},
                           {"without_leader", health.without_leader},
                           {"under_replicated", health.under_replicated}},
                .sentences = {std::move(line)},
                .is_table_needless = is_healthy,
                .exit_code = is_healthy ? exit_success : exit_failure};
  if (format == Format::tsv) return answer;
  answer.rows_name = "troubled";
  answer.columns = {{"topic"}, {"partition"}, {"leader"}, {"replicas"}, {"in_sync"}};
  answer.rows = std::move(health.troubled);
  return answer;
}

// Until Ctrl-C; each look stands for itself, so that one that fails does not end it.
Answer watch_health(const Call& call, ClientSession& session) {
  const auto interval = std::chrono::seconds(call.arguments.number_or("interval", 2));
  const Interrupt interrupt;
  Output output;
  int exit_code = exit_failure;  // nothing is known yet
  bool has_heading = false;
  while (!Interrupt::is_asked() && !output.is_broken()) {
    Answer answer;
    {
      const EndsAtOnce not_when_it_was_answered(exit_code);
      auto health = health_of(session, answer.failures);
      if (health) answer = answer_of(*std::move(health), call.format);
    }
    if (call.format == Format::table) {
      if (answer.sentences.empty() && !answer.failures.empty())
        answer.sentences.push_back("not known: " + line_of(answer.failures.front()));
      if (!answer.sentences.empty())
        answer.sentences.front() = joined(iso_text(current_time()), " ", answer.sentences.front());
    }
    std::string text = text_of(answer, call.format);
    if (call.format == Format::tsv) {
      if (has_heading) text.erase(0, text.find('\n') + 1);
      has_heading = has_heading || !text.empty();
      std::fputs(complaints_of(answer, call.format).c_str(), stderr);
    }
    output.write(text);
    output.flush();
    exit_code = exit_code_of(answer);
    const auto next = std::chrono::steady_clock::now() + interval;
    while (std::chrono::steady_clock::now() < next && !Interrupt::is_asked())
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return {.is_printed = true, .exit_code = exit_code};
}

// What each broker has.
struct Share {
  std::int64_t leaders = 0;
  std::int64_t preferred = 0;
  std::int64_t replicas = 0;
};

std::map<std::int32_t, Share> shares_of(const std::vector<v1::DescribedTopic>& topics) {
  std::map<std::int32_t, Share> shares;
  for (const v1::DescribedTopic& topic : topics) {
    for (const v1::DescribedPartition& partition : topic.partitions) {
      if (partition.leader >= 0) ++shares[partition.leader].leaders;
      if (!partition.replicas.empty()) ++shares[partition.replicas.front()].preferred;
      for (const std::int32_t replica : partition.replicas) ++shares[replica].replicas;
    }
  }
  return shares;
}

}  // namespace

std::optional<std::vector<v1::DescribedTopic>> all_topics(ClientSession& session,
                                                          Failures& failures) {
  Failures missing;
  const auto names = session.topic_names(missing);
  auto topics =
      missing.empty() ? session.topics(names, missing) : std::vector<v1::DescribedTopic>();
  // One that was deleted meanwhile is missed by nobody.
  std::erase_if(missing, [](const Failure& failure) {
    return failure.code == name_of(v1::ErrorCode::unknown_topic_or_partition);
  });
  if (missing.empty()) return topics;
  failures.insert(failures.end(), missing.begin(), missing.end());
  return std::nullopt;
}

Answer cluster_health(const Call& call) {
  Answer answer;
  auto session = ClientSession::open(call, answer.failures);
  if (!session) return answer;
  if (call.arguments.has("watch")) return watch_health(call, *session);
  auto health = health_of(*session, answer.failures);
  return health ? answer_of(*std::move(health), call.format) : std::move(answer);
}

Answer list_brokers(const Call& call) {
  Answer answer{.rows_name = "brokers",
                .columns = {{"broker"}, {"host"}, {"port"}, {"rack"}, {"leaders"}, {"replicas"}}};
  auto session = ClientSession::open(call, answer.failures);
  v1::Admin* admin = session ? session->admin(answer.failures) : nullptr;
  if (admin == nullptr) return answer;
  auto cluster = admin->describe_cluster(session->admin_options()).get();
  if (!cluster) {
    answer.failures.push_back(failure_of(cluster.error()));
    return answer;
  }
  const auto topics = all_topics(*session, answer.failures);
  if (!topics) return answer;
  auto shares = shares_of(*topics);
  answer.fields = {{"cluster", cluster->id}};
  std::ranges::sort(cluster->brokers, {}, &v1::DescribedBroker::id);
  for (const v1::DescribedBroker& broker : cluster->brokers) {
    const Share& share = shares[broker.id];
    answer.rows.push_back({std::int64_t{broker.id}, broker.host, std::int64_t{broker.port},
                           broker.rack ? Cell(*broker.rack) : Cell(), share.leaders,
                           share.replicas});
  }
  return answer;
}

Answer list_leaders(const Call& call) {
  Answer answer{.rows_name = "brokers",
                .columns = {{"broker"}, {"leaders"}, {"preferred"}, {"replicas"}}};
  auto session = ClientSession::open(call, answer.failures);
  const auto topics = session ? all_topics(*session, answer.failures) : std::nullopt;
  if (!topics) return answer;
  std::int64_t partitions = 0;
  std::int64_t elsewhere = 0;
  for (const v1::DescribedTopic& topic : *topics) {
    for (const v1::DescribedPartition& partition : topic.partitions) {
      ++partitions;
      const bool is_preferred =
          !partition.replicas.empty() && partition.leader == partition.replicas.front();
      if (!is_preferred) ++elsewhere;
    }
  }
  answer.fields = {{"partitions", partitions}, {"not_preferred", elsewhere}};
  for (const auto& [broker, share] : shares_of(*topics))
    answer.rows.push_back({std::int64_t{broker}, share.leaders, share.preferred, share.replicas});
  if (elsewhere > 0)
    answer.sentences = {joined("not led by the preferred broker: ", elsewhere, " of ",
                               counted(partitions, "partition"),
                               "; `millrace cluster elect` changes that")};
  return answer;
}

Answer describe_quorum(const Call& call) {
  Answer answer{.rows_name = "replicas",
                .columns = {{"node"}, {"role"}, {"log_end"}, {"lag"}, {"last_caught_up"}}};
  auto session = ClientSession::open(call, answer.failures);
  v1::Admin* admin = session ? session->admin(answer.failures) : nullptr;
  if (admin == nullptr) return answer;
  const auto quorum = admin->describe_quorum(session->admin_options()).get();
  if (!quorum) {
    answer.failures.push_back(failure_of(quorum.error()));
    return answer;
  }
  std::int64_t end = 0;
  for (const v1::QuorumReplica& voter : quorum->voters)
    if (voter.id == quorum->leader) end = voter.log_end;
  const auto add = [&](const v1::QuorumReplica& replica, const char* role) {
    const bool is_leader = replica.id == quorum->leader;
    answer.rows.push_back(
        {std::int64_t{replica.id}, is_leader ? "leader" : role, replica.log_end,
         std::max<std::int64_t>(0, end - replica.log_end),
         replica.last_caught_up ? Cell(iso_text(*replica.last_caught_up)) : Cell()});
  };
  for (const v1::QuorumReplica& voter : quorum->voters) add(voter, "voter");
  for (const v1::QuorumReplica& observer : quorum->observers) add(observer, "observer");
  answer.fields = {{"leader", std::int64_t{quorum->leader}},
                   {"epoch", std::int64_t{quorum->epoch}},
                   {"high_watermark", quorum->high_watermark}};
  answer.sentences = {joined("leader ", quorum->leader, " in epoch ", quorum->epoch,
                             ", high watermark ", quorum->high_watermark)};
  return answer;
}

}  // namespace millrace::cli
