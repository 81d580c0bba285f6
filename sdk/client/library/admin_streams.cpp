// Groups of Kafka Streams, as the public admin client tells them.
#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using client::outer;

StreamsTopic outer(const client::StreamsTopic& topic) {
  return {topic.name, topic.partitions, topic.replication_factor, topic.configs};
}

Subtopology outer(const client::Subtopology& part) {
  constexpr auto topic = [](const client::StreamsTopic& one) { return outer(one); };
  return {part.id, part.source_topics, part.repartition_sink_topics,
          client::outer_list(part.changelog_topics, topic),
          client::outer_list(part.repartition_source_topics, topic)};
}

StreamsTasks outer(const client::StreamsTasks& tasks) {
  StreamsTasks converted{.subtopology = tasks.subtopology};
  for (const PartitionIndex partition : tasks.partitions) {
    converted.partitions.push_back(partition.value());
  }
  return converted;
}

StreamsAssignment outer(const client::StreamsAssignment& assignment) {
  constexpr auto tasks = [](const client::StreamsTasks& one) { return outer(one); };
  return {client::outer_list(assignment.active, tasks),
          client::outer_list(assignment.standby, tasks),
          client::outer_list(assignment.warmup, tasks)};
}

std::vector<StreamsTaskOffset> outer(const std::vector<client::StreamsTaskOffset>& offsets) {
  return client::outer_list(offsets, [](const client::StreamsTaskOffset& one) {
    return StreamsTaskOffset{one.subtopology, one.partition.value(), one.offset.value()};
  });
}

StreamsMember outer(const client::StreamsMember& member) {
  return {.id = member.id,
          .epoch = member.epoch,
          .instance_id = member.instance_id,
          .rack = member.rack,
          .client_id = member.client_id,
          .host = member.host,
          .topology_epoch = member.topology_epoch,
          .process_id = member.process_id,
          .endpoint = member.endpoint ? to_string(*member.endpoint) : std::string(),
          .tags = member.tags,
          .assignment = outer(member.assignment),
          .target_assignment = outer(member.target_assignment),
          .task_offsets = outer(member.task_offsets),
          .task_end_offsets = outer(member.task_end_offsets),
          .is_classic = member.is_classic};
}

DescribedStreamsGroup outer(const client::DescribedStreamsGroup& group) {
  return {.id = group.id,
          .state = group.state,
          .epoch = group.epoch,
          .assignment_epoch = group.assignment_epoch,
          .topology_epoch = group.topology_epoch,
          .subtopologies = client::outer_list(
              group.subtopologies, [](const client::Subtopology& one) { return outer(one); }),
          .coordinator = group.coordinator.value(),
          .members = client::outer_list(
              group.members, [](const client::StreamsMember& one) { return outer(one); }),
          .authorized_operations = group.authorized_operations};
}

constexpr auto to_outer = [](const auto& value) { return outer(value); };

}  // namespace

Future<Outcomes<std::string, DescribedStreamsGroup>> Admin::describe_streams_groups(
    std::vector<std::string> groups, AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, DescribedStreamsGroup>>(
      groups,
      [groups, options](Client& client) {
        return client.describe_streams_groups(groups, client::inner(options));
      },
      to_outer);
}

}  // namespace millrace::inline v1
