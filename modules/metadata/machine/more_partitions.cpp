module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {

void Machine::on(RequestId id, CreatePartitions& request) {
  std::map<std::string, int> times;
  for (const MorePartitions& topic : request.topics) ++times[topic.topic];
  partitions_asked_ = 0;
  CreatePartitionsReply reply;
  for (const MorePartitions& topic : request.topics) {
    Outcome outcome{ErrorCode::invalid_request, "the request names this topic twice"};
    if (times[topic.topic] == 1) outcome = extend(topic, request.validate_only);
    reply.topics.push_back({topic.topic, std::move(outcome)});
  }
  answer(id, std::move(reply));
}

Outcome Machine::extend(const MorePartitions& wanted, bool validate_only) {
  const auto topic = image_->topic(wanted.topic);
  if (!topic) {
    return {ErrorCode::unknown_topic_or_partition,
            formatted("there is no topic '{}'", config::printable(wanted.topic))};
  }
  const auto before = static_cast<std::int32_t>(topic->partitions.size());
  if (wanted.count <= before || wanted.count > partitions_of_topic_max) {
    return {ErrorCode::invalid_partitions,
            formatted("topic '{}' has {} partitions and can have up to {}; {} is not more",
                      topic->name, before, partitions_of_topic_max, wanted.count)};
  }
  const auto more = static_cast<std::size_t>(wanted.count - before);
  Outcome outcome = room_for(more);
  if (!outcome.ok()) return outcome;
  if (wanted.assignments && wanted.assignments->size() != more) {
    return {ErrorCode::invalid_replica_assignment,
            formatted("new partitions: {}; assigned: {}", more, wanted.assignments->size())};
  }
  const Placement placement(*image_, random_());
  const std::size_t factor = topic->partitions.front().replicas.size();
  if (!wanted.assignments && (!placement.has_active() || factor > placement.brokers())) {
    return {ErrorCode::invalid_replication_factor,
            formatted("the topic has a replication factor of {}; brokers that are registered: {}",
                      factor, placement.brokers())};
  }
  std::vector<Record> records;
  for (std::size_t i = 0; i < more; ++i) {
    const PartitionIndex index(before + static_cast<std::int32_t>(i));
    Replicas replicas;
    if (wanted.assignments) {
      replicas = (*wanted.assignments)[i];
      outcome = check_assignment(*image_, index, replicas, factor);
      if (!outcome.ok()) return outcome;
    } else {
      replicas = placement.replicas_of(index.value(), factor);
    }
    records.emplace_back(
        PartitionRecord{topic->id, new_partition(*image_, index, std::move(replicas))});
  }
  constexpr std::size_t record_bytes = 64;
  if (more * (record_bytes + 2 * sizeof(std::int32_t) * factor) > entry_bytes_max) {
    return {ErrorCode::invalid_partitions, "too many partitions for one step; add fewer at a time"};
  }
  if (!validate_only) propose(records);
  return {};
}

}  // namespace millrace::metadata
