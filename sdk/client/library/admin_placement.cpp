// Where replicas are, as the public admin client tells and changes it.
#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using client::inner;
using client::outer;

client::Reassignment inner(const Reassignment& reassignment) {
  client::Reassignment converted{.partition = inner(reassignment.partition), .replicas = {}};
  if (reassignment.replicas) converted.replicas = client::broker_ids_of(*reassignment.replicas);
  return converted;
}

OngoingReassignment outer(const client::OngoingReassignment& ongoing) {
  return {outer(ongoing.partition), outer(ongoing.replicas), outer(ongoing.adding),
          outer(ongoing.removing)};
}

constexpr auto to_outer = [](const auto& value) { return outer(value); };

}  // namespace

Future<Result<Outcomes<TopicPartition, void>>> Admin::elect_leaders(
    Election election, std::vector<TopicPartition> partitions, AdminOptions options) {
  using Elected = Outcomes<TopicPartition, void>;
  return implementation_->ask<Elected>(
      [election, partitions = std::move(partitions), options](Client& client) {
        return client.elect_leaders(static_cast<client::Election>(election), inner(partitions),
                                    inner(options));
      },
      [](const auto& elected) { return client::outer_outcomes<Elected>(elected, to_outer); });
}

Future<Outcomes<TopicPartition, void>> Admin::alter_reassignments(
    std::vector<Reassignment> reassignments, AdminOptions options) {
  auto partitions =
      client::keys_of(reassignments, [](const Reassignment& item) { return item.partition; });
  return implementation_->ask_each<Outcomes<TopicPartition, void>>(
      std::move(partitions),
      [reassignments = std::move(reassignments), options](Client& client) {
        return client.alter_reassignments(
            client::outer_list(reassignments, [](const Reassignment& item) { return inner(item); }),
            inner(options));
      },
      to_outer);
}

Future<Result<std::vector<OngoingReassignment>>> Admin::list_reassignments(
    std::vector<TopicPartition> partitions, AdminOptions options) {
  return implementation_->ask<std::vector<OngoingReassignment>>(
      [partitions = std::move(partitions), options](Client& client) {
        return client.list_reassignments(inner(partitions), inner(options));
      },
      [](const auto& ongoing) { return client::outer_list(ongoing, to_outer); });
}

}  // namespace millrace::inline v1
