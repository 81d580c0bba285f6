module;
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/admin.hpp"
#include "millrace/consumer.hpp"

module millrace.cli.operations;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

template <class Integer>
Numbers numbers(const std::vector<Integer>& values) {
  return Numbers(values.begin(), values.end());
}

Cell leader_cell(std::int32_t leader) {
  if (leader < 0) return std::monostate();
  return std::int64_t{leader};
}

// The settings of a topic that are its own.
std::optional<Pairs> changed_settings(ClientSession& session, const std::string& topic,
                                      Failures& failures) {
  v1::Admin* admin = session.admin(failures);
  if (admin == nullptr) return std::nullopt;
  const auto described =
      admin->describe_configs({{v1::ResourceType::topic, topic}}, session.admin_options()).get();
  const auto& outcome = described.front().second;
  if (!outcome) {
    failures.push_back(topic_failure(outcome.error(), topic));
    return std::nullopt;
  }
  Pairs settings;
  for (const v1::ConfigEntry& entry : *outcome)
    if (entry.source == v1::ConfigSource::topic)
      settings.emplace_back(entry.name, entry.is_sensitive || is_secret_setting(entry.name)
                                            ? "(secret)"
                                            : entry.value.value_or(""));
  std::ranges::sort(settings);
  return settings;
}

}  // namespace

Answer create_topics(const Call& call) {
  Answer answer{.rows_name = "topics",
                .columns = {{"name"}, {"partitions"}, {"replication_factor"}, {"created"}},
                .is_table_needless = true};
  auto session = ClientSession::open(call, answer.failures);
  const auto configs = pairs_of("--config", call.arguments.all("config"), answer.failures);
  v1::Admin* admin = session && configs ? session->admin(answer.failures) : nullptr;
  if (admin == nullptr) return answer;
  std::vector<v1::NewTopic> topics;
  for (const std::string& name : call.arguments.operands()) {
    v1::NewTopic& topic = topics.emplace_back();
    topic.name = name;
    if (const auto count = call.arguments.number("partitions"))
      topic.partitions = static_cast<std::int32_t>(*count);
    if (const auto factor = call.arguments.number("replication-factor"))
      topic.replication_factor = static_cast<std::int16_t>(*factor);
    topic.configs = *configs;
  }
  const bool is_dry = call.arguments.has("dry-run");
  for (const auto& [name, outcome] :
       admin->create_topics(std::move(topics), session->admin_options(is_dry)).get()) {
    if (outcome) {
      const Cell partitions = std::int64_t{outcome->partitions};
      const Cell factor = std::int64_t{outcome->replication_factor};
      answer.rows.push_back({name, partitions, factor, !is_dry});
      answer.sentences.push_back(joined(is_dry ? "would create " : "created ", name, ": ",
                                        counted(outcome->partitions, "partition"),
                                        ", replication factor ", outcome->replication_factor));
    } else if (outcome.error().code() == v1::ErrorCode::topic_already_exists &&
               call.arguments.has("if-not-exists")) {
      answer.rows.push_back({name, std::monostate(), std::monostate(), false});
      answer.sentences.push_back(joined(name, " exists"));
    } else {
      answer.failures.push_back(topic_failure(outcome.error(), name));
    }
  }
  return answer;
}

Answer list_topics(const Call& call) {
  Answer answer{.rows_name = "topics",
                .columns = {{"name"}, {"partitions"}, {"internal", false}, {"id", false}}};
  auto session = ClientSession::open(call, answer.failures);
  v1::Admin* admin = session ? session->admin(answer.failures) : nullptr;
  if (admin == nullptr) return answer;
  auto listed = admin->list_topics(session->admin_options()).get();
  if (!listed) {
    answer.failures.push_back(failure_of(listed.error()));
    return answer;
  }
  std::ranges::sort(*listed, {}, &v1::ListedTopic::name);
  for (const v1::ListedTopic& topic : *listed) {
    if (topic.is_internal && !call.arguments.has("internal")) continue;
    answer.rows.push_back({topic.name, static_cast<std::int64_t>(topic.partitions),
                           topic.is_internal, to_string(topic.id)});
  }
  if (answer.rows.empty()) {
    answer.sentences = {"no topics"};
    answer.is_table_needless = true;
  }
  return answer;
}

Answer describe_topic(const Call& call) {
  Answer answer{.rows_name = "partitions",
                .columns = {{"partition"}, {"leader"}, {"replicas"}, {"in_sync"}}};
  auto session = ClientSession::open(call, answer.failures);
  auto topic = session ? session->topic(call.arguments.operand(0), answer.failures) : std::nullopt;
  if (!topic) return answer;
  const auto settings = changed_settings(*session, topic->name, answer.failures);
  std::optional<PartitionBounds> bounds;
  if (call.arguments.has("offsets")) {
    const auto reader = session->offsets_reader(answer.failures);
    if (reader)
      bounds = bounds_of(*reader, partitions_of(*topic), session->timeout(), answer.failures);
    if (bounds) answer.columns.insert(answer.columns.end(), {{"start"}, {"end"}});
  }
  const std::size_t factor = topic->partitions.empty() ? 0 : topic->partitions[0].replicas.size();
  answer.fields = {{"topic", topic->name},
                   {"id", to_string(topic->id)},
                   {"internal", topic->is_internal},
                   {"partition_count", static_cast<std::int64_t>(topic->partitions.size())},
                   {"replication_factor", static_cast<std::int64_t>(factor)}};
  answer.sentences = {
      joined("topic ", topic->name, ": ",
             counted(static_cast<std::int64_t>(topic->partitions.size()), "partition"),
             ", replication factor ", factor, ", id ", to_string(topic->id))};
  if (settings) {
    answer.fields.emplace_back("configs", *settings);
    for (const auto& [name, value] : *settings)
      answer.sentences.push_back(joined("  ", name, " = ", value));
  }
  for (const v1::DescribedPartition& partition : topic->partitions) {
    std::vector<Cell> row = {std::int64_t{partition.partition}, leader_cell(partition.leader),
                             numbers(partition.replicas), numbers(partition.in_sync)};
    if (bounds) {
      const Bounds& within = (*bounds)[{topic->name, partition.partition}];
      row.insert(row.end(), {within.start, within.end});
    }
    answer.rows.push_back(std::move(row));
  }
  return answer;
}

Answer alter_topic(const Call& call) {
  Answer answer;
  if (!call.arguments.has("config") && !call.arguments.has("unset"))
    return failed(usage_failure("nothing to change", "--config NAME=VALUE sets, --unset NAME"));
  auto session = ClientSession::open(call, answer.failures);
  const auto set = pairs_of("--config", call.arguments.all("config"), answer.failures);
  const auto topic =
      session && set ? session->topic(call.arguments.operand(0), answer.failures) : std::nullopt;
  if (!topic) return answer;
  v1::ConfigChanges changes{.resource = {v1::ResourceType::topic, topic->name}, .changes = {}};
  Texts told;
  for (const auto& [name, value] : *set) {
    changes.changes.push_back({.name = name, .value = value});
    told.push_back(joined(name, " = ", is_secret_setting(name) ? "(secret)" : value));
  }
  for (const std::string& name : call.arguments.all("unset")) {
    changes.changes.push_back({.name = name, .operation = v1::ConfigOperation::remove});
    told.push_back(joined(name, " as the brokers have it"));
  }
  const bool is_dry = call.arguments.has("dry-run");
  const auto altered = session->admin(answer.failures)
                           ->alter_configs({std::move(changes)}, session->admin_options(is_dry))
                           .get();
  if (const auto& outcome = altered.front().second; !outcome) {
    answer.failures.push_back(topic_failure(outcome.error(), topic->name));
    return answer;
  }
  answer.fields = {{"topic", topic->name}, {"changed", !is_dry}, {"changes", told}};
  for (const std::string& change : told)
    answer.sentences.push_back(joined(topic->name, is_dry ? " would have " : ": ", change));
  return answer;
}

Answer add_partitions(const Call& call) {
  Answer answer;
  auto session = ClientSession::open(call, answer.failures);
  const auto topic =
      session ? session->topic(call.arguments.operand(0), answer.failures) : std::nullopt;
  if (!topic) return answer;
  const auto count = static_cast<std::int32_t>(call.arguments.number_or("to", 1));
  const bool is_dry = call.arguments.has("dry-run");
  const auto created =
      session->admin(answer.failures)
          ->create_partitions({{topic->name, count}}, session->admin_options(is_dry))
          .get();
  if (const auto& outcome = created.front().second; !outcome) {
    answer.failures.push_back(topic_failure(outcome.error(), topic->name));
    return answer;
  }
  answer.fields = {{"topic", topic->name},
                   {"partitions", std::int64_t{count}},
                   {"added", count - static_cast<std::int64_t>(topic->partitions.size())},
                   {"changed", !is_dry}};
  answer.sentences = {joined(topic->name, is_dry ? " would have " : " has ",
                             counted(count, "partition"), ", ", topic->partitions.size(),
                             " before")};
  return answer;
}

Answer delete_topics(const Call& call) {
  Answer answer{
      .rows_name = "topics", .columns = {{"name"}, {"deleted"}}, .is_table_needless = true};
  auto session = ClientSession::open(call, answer.failures);
  if (!session) return answer;
  Failures missing;
  const auto topics = session->topics(call.arguments.operands(), missing);
  for (Failure& failure : missing) {
    const bool is_missing = failure.code == name_of(v1::ErrorCode::unknown_topic_or_partition);
    if (!is_missing || !call.arguments.has("if-exists"))
      answer.failures.push_back(std::move(failure));
    else
      answer.sentences.push_back(failure.message);
  }
  std::vector<std::string> names;
  for (const v1::DescribedTopic& topic : topics) names.push_back(topic.name);
  if (names.empty()) return answer;
  for (const auto& [name, outcome] :
       session->admin(answer.failures)->delete_topics(names, session->admin_options()).get()) {
    if (!outcome) {
      answer.failures.push_back(topic_failure(outcome.error(), name));
      continue;
    }
    answer.rows.push_back({name, true});
    answer.sentences.push_back(joined("deleted ", name));
  }
  return answer;
}

Answer trim_topic(const Call& call) {
  Answer answer{.rows_name = "partitions", .columns = {{"partition"}, {"start"}, {"deleted"}}};
  const auto place = place_of("--before", call.arguments.text_or("before", ""), answer.failures);
  auto session = place ? ClientSession::open(call, answer.failures) : std::nullopt;
  const auto topic =
      session ? session->topic(call.arguments.operand(0), answer.failures) : std::nullopt;
  const auto chosen =
      topic ? chosen_partitions(*topic, call.arguments, answer.failures) : std::nullopt;
  const auto reader = chosen ? session->offsets_reader(answer.failures) : std::nullopt;
  const auto bounds =
      reader ? bounds_of(*reader, *chosen, session->timeout(), answer.failures) : std::nullopt;
  const auto offsets =
      bounds ? offsets_at(*reader, *bounds, *place, session->timeout(), answer.failures)
             : std::nullopt;
  if (!offsets) return answer;
  const bool is_dry = call.arguments.has("dry-run");
  answer.fields = {{"topic", topic->name}, {"changed", !is_dry}};
  const auto add = [&](const v1::TopicPartition& partition, std::int64_t start) {
    const std::int64_t gone = std::max<std::int64_t>(0, start - bounds->at(partition).start);
    answer.rows.push_back({std::int64_t{partition.partition}, start, gone});
  };
  if (is_dry) {
    for (const auto& [partition, offset] : *offsets) add(partition, offset);
    answer.sentences = {"nothing was deleted; without --dry-run this would be:"};
    return answer;
  }
  const std::vector<std::pair<v1::TopicPartition, std::int64_t>> before(offsets->begin(),
                                                                        offsets->end());
  for (const auto& [partition, outcome] :
       session->admin(answer.failures)->delete_records(before, session->admin_options()).get()) {
    if (outcome)
      add(partition, *outcome);
    else
      answer.failures.push_back(partition_failure(outcome.error(), partition));
  }
  return answer;
}

}  // namespace millrace::cli
