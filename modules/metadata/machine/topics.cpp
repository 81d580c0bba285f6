module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "../planted.hpp"

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {
namespace {

// What the records of a topic take at most.
std::size_t bytes_of(const NewTopic& topic, const std::vector<Partition>& partitions) {
  constexpr std::size_t record_bytes = 64;
  std::size_t bytes = 2 * record_bytes + topic.name.size();
  for (const Partition& partition : partitions) {
    bytes += record_bytes + 2 * sizeof(std::int32_t) * partition.replicas.size();
  }
  for (const auto& [name, value] : topic.settings) {
    bytes += record_bytes + topic.name.size() + name.size() + value.value_or("").size();
  }
  return bytes;
}

Outcome check_name(const Image& image, const SimilarNames& similar_names, const std::string& name) {
  if (auto problem = problem_of_name(name)) {
    return {ErrorCode::invalid_topic_exception, *std::move(problem)};
  }
  if (image.topic(name)) {
    return {ErrorCode::topic_already_exists, formatted("topic '{}' is there already", name)};
  }
  if (const auto similar = similar_names.similar(name)) {
    return {ErrorCode::invalid_topic_exception,
            formatted("'{}' differs from topic '{}' only by '.' and '_', and metrics could not "
                      "tell them apart",
                      name, *similar)};
  }
  return {};
}

Outcome settings_of(const NewTopic& topic, ConfigMap& settings) {
  for (const auto& [name, value] : topic.settings) {
    if (!value) {
      return {ErrorCode::invalid_config, formatted("'{}' is set to null", config::printable(name))};
    }
    settings[name] = *value;
  }
  return {};
}

}  // namespace

void Machine::on(RequestId id, CreateTopics& request) {
  std::map<std::string, int> times;
  for (const NewTopic& topic : request.topics) ++times[topic.name];
  partitions_asked_ = 0;
  CreateTopicsReply reply;
  for (NewTopic& topic : request.topics) {
    CreatedTopic& created = reply.topics.emplace_back();
    created.name = topic.name;
    if (times[topic.name] > 1) {
      created.outcome = {ErrorCode::invalid_request, "the request names this topic twice"};
      continue;
    }
    created.outcome = create(topic, request.validate_only, created);
  }
  answer(id, std::move(reply));
}

Outcome Machine::create(const NewTopic& wanted, bool validate_only, CreatedTopic& created) {
  Outcome outcome = check_name(*image_, similar_names_, wanted.name);
  if (!outcome.ok()) return outcome;
  ConfigMap settings;
  outcome = settings_of(wanted, settings);
  if (outcome.ok()) {
    outcome = settings_.check_settings(*image_, ConfigKind::topic, wanted.name, {}, settings);
  }
  if (!outcome.ok()) return outcome;
  std::vector<Partition> partitions;
  outcome = place(wanted, partitions);
  if (!outcome.ok()) return outcome;
  if (bytes_of(wanted, partitions) > entry_bytes_max) {
    return {ErrorCode::invalid_partitions,
            "the topic has too many partitions to be made in one step; make it with fewer, then "
            "add the others"};
  }
  created.partitions = static_cast<std::int32_t>(partitions.size());
  created.replication_factor = static_cast<std::int16_t>(partitions.front().replicas.size());
  created.settings = settings;
  if (validate_only && !planted(Planted::validation_makes_topic)) return {};
  created.id = new_id();
  if (planted(Planted::topic_id_by_name)) {
    created.id = {};
    store_big_endian(created.id.bytes.data(), std::hash<std::string>()(wanted.name));
  }
  std::vector<Record> records;
  records.reserve(1 + settings.size() + partitions.size());
  records.emplace_back(TopicRecord{wanted.name, created.id, is_internal_name(wanted.name)});
  for (auto& [name, value] : settings) {
    records.emplace_back(ConfigRecord{ConfigKind::topic, wanted.name, name, value});
  }
  for (Partition& partition : partitions) {
    records.emplace_back(PartitionRecord{created.id, std::move(partition)});
  }
  propose(records);
  similar_names_.add(wanted.name);
  return {};
}

Outcome Machine::place(const NewTopic& wanted, std::vector<Partition>& partitions) {
  return wanted.assignments.empty() ? place_by_number(wanted, partitions)
                                    : place_by_hand(wanted, partitions);
}

Outcome Machine::place_by_number(const NewTopic& wanted, std::vector<Partition>& partitions) {
  const std::int32_t count =
      wanted.partitions == -1 ? options_.partitions_default : wanted.partitions;
  if (count <= 0 || count > partitions_of_topic_max) {
    return {ErrorCode::invalid_partitions,
            formatted("a topic has 1 to {} partitions, or -1 for the default; {} were asked for",
                      partitions_of_topic_max, wanted.partitions)};
  }
  std::int16_t factor = wanted.replication_factor == -1 ? options_.replication_factor_default
                                                        : wanted.replication_factor;
  if (factor <= 0) {
    return {ErrorCode::invalid_replication_factor,
            formatted("the replication factor is at least 1, or -1 for the default; {} was given",
                      factor)};
  }
  const Placement placement(*image_, random_());
  if (!placement.has_active()) {
    return {
        ErrorCode::invalid_replication_factor,
        formatted("no broker is ready to take partitions; registered: {}", placement.brokers())};
  }
  const auto brokers = static_cast<std::int16_t>(placement.brokers());
  // Without them no group works, also on one machine.
  if (is_internal_name(wanted.name)) factor = std::min(factor, brokers);
  if (factor > brokers || static_cast<std::size_t>(factor) > replicas_max) {
    return {ErrorCode::invalid_replication_factor,
            formatted("a replication factor of {} needs as many brokers; registered: {}", factor,
                      brokers)};
  }
  const Outcome outcome = room_for(static_cast<std::size_t>(count));
  if (!outcome.ok()) return outcome;
  partitions.reserve(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count; ++i) {
    partitions.push_back(new_partition(*image_, PartitionIndex(i),
                                       placement.replicas_of(i, static_cast<std::size_t>(factor))));
  }
  return {};
}

Outcome Machine::place_by_hand(const NewTopic& wanted, std::vector<Partition>& partitions) {
  if (wanted.partitions != -1) {
    return {ErrorCode::invalid_request,
            "with an assignment of replicas the number of partitions must be -1"};
  }
  if (wanted.replication_factor != -1) {
    return {ErrorCode::invalid_request,
            "with an assignment of replicas the replication factor must be -1"};
  }
  Outcome outcome = room_for(wanted.assignments.size());
  if (!outcome.ok()) return outcome;
  std::map<PartitionIndex, Replicas> assignments;
  for (const auto& [index, replicas] : wanted.assignments) {
    if (!assignments.emplace(index, replicas).second) {
      return {ErrorCode::invalid_replica_assignment,
              formatted("partition {} is assigned twice", index.value())};
    }
  }
  const std::size_t factor = wanted.assignments.front().second.size();
  for (auto& [index, replicas] : assignments) {
    if (index.value() != static_cast<std::int32_t>(partitions.size())) {
      return {ErrorCode::invalid_replica_assignment,
              "partitions must be assigned from 0 on without a gap"};
    }
    outcome = check_assignment(*image_, index, replicas, factor);
    if (!outcome.ok()) return outcome;
    partitions.push_back(new_partition(*image_, index, std::move(replicas)));
  }
  return {};
}

Outcome Machine::room_for(std::size_t more) {
  if (more > static_cast<std::size_t>(partitions_of_topic_max)) {
    return {ErrorCode::invalid_partitions,
            formatted("a topic has at most {} partitions", partitions_of_topic_max)};
  }
  // Also of what is not made in the end: brokers must be heard meanwhile.
  partitions_asked_ += more;
  if (partitions_asked_ > partitions_of_request_max) {
    return {
        ErrorCode::policy_violation,
        formatted("the request asks for more than {} partitions in all; ask for fewer at a time",
                  partitions_of_request_max)};
  }
  if (image_->partition_count() + more <= partitions_of_cluster_max) return {};
  return {ErrorCode::policy_violation,
          formatted("the cluster would have more than {} partitions", partitions_of_cluster_max)};
}

void Machine::on(RequestId id, DeleteTopics& request) {
  std::set<std::string> names;
  std::set<Uuid> ids;
  DeleteTopicsReply reply;
  for (TopicToDelete& topic : request.topics) {
    DeletedTopic& deleted = reply.topics.emplace_back();
    deleted.name = std::move(topic.name);
    deleted.id = topic.id;
    deleted.outcome = remove(deleted);
    // What was removed is not found again: it was named twice.
    const bool is_again = (deleted.name && names.contains(*deleted.name)) ||
                          (!deleted.id.is_zero() && ids.contains(deleted.id));
    if (is_again && !deleted.outcome.ok()) {
      deleted.outcome = {ErrorCode::invalid_request, "the request names this topic twice"};
    }
    if (deleted.name) names.insert(*deleted.name);
    if (!deleted.id.is_zero()) ids.insert(deleted.id);
  }
  answer(id, std::move(reply));
}

Outcome Machine::remove(DeletedTopic& topic) {
  if (topic.name && !topic.id.is_zero()) {
    return {ErrorCode::invalid_request, "a topic is named by its name or by its id, not by both"};
  }
  if (!topic.name && topic.id.is_zero()) {
    return {ErrorCode::invalid_request, "a topic has neither a name nor an id"};
  }
  const auto found = topic.name ? image_->topic(*topic.name) : image_->topic(topic.id);
  if (!found) {
    if (topic.name) {
      return {ErrorCode::unknown_topic_or_partition,
              formatted("there is no topic '{}'", config::printable(*topic.name))};
    }
    return {ErrorCode::unknown_topic_id,
            formatted("there is no topic with the id {}", to_string(topic.id))};
  }
  topic.name = found->name;
  topic.id = found->id;
  propose({RemoveTopicRecord{found->id}});
  similar_names_.remove(found->name);
  return {};
}

}  // namespace millrace::metadata
