module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
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

constexpr std::chrono::milliseconds looking_interval{500};

Numbers numbers(const Replicas& replicas) {
  return Numbers(replicas.begin(), replicas.end());
}

Failure no_broker(std::int32_t broker) {
  return usage_failure(joined("there is no broker ", broker),
                       "`millrace cluster brokers` shows those that are");
}

// Where all partitions are, or are going.
std::optional<Placement> current_placement(ClientSession& session, Failures& failures) {
  v1::Admin* admin = session.admin(failures);
  if (admin == nullptr) return std::nullopt;
  // Asked before: of a move that ends meanwhile the topics tell the end.
  const auto ongoing = admin->list_reassignments({}, session.admin_options()).get();
  // A cluster that does not know the request moves nothing.
  if (!ongoing && ongoing.error().code() != v1::ErrorCode::unsupported_version) {
    failures.push_back(failure_of(ongoing.error()));
    return std::nullopt;
  }
  const auto topics = all_topics(session, failures);
  if (!topics) return std::nullopt;
  Placement placement;
  for (const v1::DescribedTopic& topic : *topics)
    for (const v1::DescribedPartition& partition : topic.partitions)
      placement[{topic.name, partition.partition}] = partition.replicas;
  return ongoing ? after_moves(std::move(placement), *ongoing) : placement;
}

std::optional<std::set<std::int32_t>> live_brokers(ClientSession& session, Failures& failures) {
  v1::Admin* admin = session.admin(failures);
  if (admin == nullptr) return std::nullopt;
  const auto cluster = admin->describe_cluster(session.admin_options()).get();
  if (!cluster) {
    failures.push_back(failure_of(cluster.error()));
    return std::nullopt;
  }
  std::set<std::int32_t> brokers;
  for (const v1::DescribedBroker& broker : cluster->brokers) brokers.insert(broker.id);
  return brokers;
}

// "orders" or "orders:0,3", of each operand.
std::optional<std::vector<v1::TopicPartition>> named(ClientSession& session,
                                                     const std::vector<std::string>& operands,
                                                     Failures& failures) {
  std::vector<v1::TopicPartition> partitions;
  for (const std::string& operand : operands) {
    const auto found = named_partitions(session, operand, failures);
    if (!found) return std::nullopt;
    partitions.insert(partitions.end(), found->begin(), found->end());
  }
  return partitions;
}

// Until nothing of it is under way any more, or Ctrl-C, which stops only the waiting.
void wait_for_moves(ClientSession& session, const std::vector<v1::TopicPartition>& partitions,
                    Failures& failures) {
  const Interrupt interrupt;
  Progress progress;
  while (!Interrupt::is_asked()) {
    const auto ongoing =
        session.admin(failures)->list_reassignments(partitions, session.admin_options()).get();
    if (!ongoing) {
      failures.push_back(failure_of(ongoing.error(), "waiting"));
      return;
    }
    if (ongoing->empty()) return;
    progress.show(joined(partitions.size() - std::min(ongoing->size(), partitions.size()), " of ",
                         partitions.size(), " partitions are moved"));
    std::this_thread::sleep_for(looking_interval);
  }
}

// Tells of the changes; with --execute they begin.
Answer carry_out(const Call& call, ClientSession& session, const Placement& now,
                 const Placement& changes) {
  Answer answer{.rows_name = "partitions", .columns = {{"topic"}, {"partition"}, {"from"}, {"to"}}};
  const bool is_dry = !call.arguments.has("execute");
  const auto add = [&](const v1::TopicPartition& partition) {
    answer.rows.push_back({partition.topic, std::int64_t{partition.partition},
                           numbers(now.at(partition)), numbers(changes.at(partition))});
  };
  answer.fields = {{"changed", !is_dry && !changes.empty()}};
  if (changes.empty()) {
    answer.sentences = {"nothing to move"};
    answer.is_table_needless = true;
    return answer;
  }
  if (is_dry) {
    for (const auto& [partition, replicas] : changes) add(partition);
    answer.sentences = {"nothing was changed; with --execute this will be:"};
    return answer;
  }
  std::vector<v1::Reassignment> reassignments;
  for (const auto& [partition, replicas] : changes) reassignments.push_back({partition, replicas});
  std::vector<v1::TopicPartition> begun;
  for (const auto& [partition, outcome] :
       session.admin(answer.failures)
           ->alter_reassignments(std::move(reassignments), session.admin_options())
           .get()) {
    if (!outcome) {
      answer.failures.push_back(partition_failure(outcome.error(), partition));
      continue;
    }
    add(partition);
    begun.push_back(partition);
  }
  if (call.arguments.has("wait") && !begun.empty()) wait_for_moves(session, begun, answer.failures);
  return answer;
}

Answer list_ongoing(ClientSession& session) {
  Answer answer{.rows_name = "partitions",
                .columns = {{"topic"}, {"partition"}, {"replicas"}, {"adding"}, {"removing"}}};
  v1::Admin* admin = session.admin(answer.failures);
  if (admin == nullptr) return answer;
  const auto ongoing = admin->list_reassignments({}, session.admin_options()).get();
  if (!ongoing) {
    answer.failures.push_back(failure_of(ongoing.error()));
    return answer;
  }
  for (const v1::OngoingReassignment& one : *ongoing)
    answer.rows.push_back({one.partition.topic, std::int64_t{one.partition.partition},
                           numbers(one.replicas), numbers(one.adding), numbers(one.removing)});
  if (answer.rows.empty()) {
    answer.sentences = {"nothing is being moved"};
    answer.is_table_needless = true;
  }
  return answer;
}

Answer cancel_moves(const Call& call, ClientSession& session) {
  Answer answer{
      .rows_name = "partitions", .columns = {{"topic"}, {"partition"}}, .is_table_needless = true};
  const auto partitions = named(session, call.arguments.operands(), answer.failures);
  if (!partitions) return answer;
  std::vector<v1::Reassignment> reassignments;
  for (const v1::TopicPartition& partition : *partitions) reassignments.push_back({partition, {}});
  for (const auto& [partition, outcome] :
       session.admin(answer.failures)
           ->alter_reassignments(std::move(reassignments), session.admin_options())
           .get()) {
    if (outcome) {
      answer.rows.push_back({partition.topic, std::int64_t{partition.partition}});
      answer.sentences.push_back(joined(name_of(partition), " stays where it was"));
    } else if (outcome.error().code() != v1::ErrorCode::no_reassignment_in_progress) {
      answer.failures.push_back(partition_failure(outcome.error(), partition));
    }
  }
  if (answer.sentences.empty()) answer.sentences = {"nothing was being moved"};
  return answer;
}

}  // namespace

Answer reassign(const Call& call) {
  Answer answer;
  auto session = ClientSession::open(call, answer.failures);
  if (!session) return answer;
  if (call.arguments.operands().empty()) return list_ongoing(*session);
  if (call.arguments.has("cancel")) return cancel_moves(call, *session);
  const auto brokers = live_brokers(*session, answer.failures);
  const auto now = brokers ? current_placement(*session, answer.failures) : std::nullopt;
  const auto which =
      now ? named(*session, call.arguments.operands(), answer.failures) : std::nullopt;
  if (!which) return answer;
  std::vector<std::int32_t> targets(brokers->begin(), brokers->end());
  if (const auto to = call.arguments.text("to")) {
    const auto given = numbers_of("--to", *to, answer.failures);
    if (!given) return answer;
    targets = *given;
  }
  for (const std::int32_t target : targets)
    if (!brokers->contains(target)) return failed(no_broker(target));
  std::optional<std::size_t> factor;
  if (const auto given = call.arguments.number("replication-factor"))
    factor = static_cast<std::size_t>(*given);
  const auto plan = plan_spread(*now, *which, targets, factor);
  if (const auto* wrong = std::get_if<Failure>(&plan)) return failed(*wrong);
  return carry_out(call, *session, *now, std::get<Placement>(plan));
}

Answer drain(const Call& call) {
  Answer answer;
  const auto leaving = whole_number(call.arguments.operand(0));
  if (!leaving || *leaving < 0 || *leaving > std::numeric_limits<std::int32_t>::max())
    return failed(
        usage_failure(joined("BROKER is one number, not '", call.arguments.operand(0), "'")));
  const auto broker = static_cast<std::int32_t>(*leaving);
  auto session = ClientSession::open(call, answer.failures);
  const auto brokers = session ? live_brokers(*session, answer.failures) : std::nullopt;
  const auto now = brokers ? current_placement(*session, answer.failures) : std::nullopt;
  if (!now) return answer;
  // One that is down may have replicas.
  const bool is_known =
      brokers->contains(broker) || std::ranges::any_of(*now, [&](const auto& one) {
        return std::ranges::find(one.second, broker) != one.second.end();
      });
  if (!is_known) return failed(no_broker(broker));
  const auto plan = plan_drain(*now, *brokers, broker);
  if (const auto* wrong = std::get_if<Failure>(&plan)) return failed(*wrong);
  return carry_out(call, *session, *now, std::get<Placement>(plan));
}

Answer elect(const Call& call) {
  Answer answer{
      .rows_name = "partitions", .columns = {{"topic"}, {"partition"}}, .is_table_needless = true};
  const bool is_unclean = call.arguments.has("unclean");
  if (is_unclean && call.arguments.operands().empty())
    return failed(usage_failure("--unclean loses records: it needs the names of partitions"));
  auto session = ClientSession::open(call, answer.failures);
  const auto which =
      session ? named(*session, call.arguments.operands(), answer.failures) : std::nullopt;
  v1::Admin* admin = which ? session->admin(answer.failures) : nullptr;
  if (admin == nullptr) return answer;
  const auto election = is_unclean ? v1::Election::unclean : v1::Election::preferred;
  const auto elected = admin->elect_leaders(election, *which, session->admin_options()).get();
  if (!elected) {
    answer.failures.push_back(failure_of(elected.error()));
    return answer;
  }
  for (const auto& [partition, outcome] : *elected) {
    if (outcome) {
      answer.rows.push_back({partition.topic, std::int64_t{partition.partition}});
      answer.sentences.push_back(joined(name_of(partition), " has a new leader"));
    } else if (outcome.error().code() != v1::ErrorCode::election_not_needed) {
      answer.failures.push_back(partition_failure(outcome.error(), partition));
    }
  }
  if (answer.sentences.empty() && answer.failures.empty())
    answer.sentences = {"all are led as they should be"};
  return answer;
}

}  // namespace millrace::cli
