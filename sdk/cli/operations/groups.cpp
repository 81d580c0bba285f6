module;
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
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
import :group_readers;

namespace millrace::cli {
namespace {

// Those that a group may be in, of any kind and protocol.
constexpr std::array<std::string_view, 8> group_states = {
    "preparingrebalance", "completingrebalance", "stable",  "dead", "empty",
    "assigning",          "reconciling",         "notready"};

std::optional<Failure> wrong_state(const std::string& state) {
  if (std::ranges::find(group_states, lower(state)) != group_states.end()) return std::nullopt;
  std::string known;
  for (const std::string_view one : group_states) known += joined(known.empty() ? "" : ", ", one);
  return usage_failure(joined("--state '", state, "' is no state of a group"),
                       joined("there are ", known));
}

// Which partitions are reset: those of --topic, else those that have been committed.
std::optional<std::vector<v1::TopicPartition>> partitions_to_reset(ClientSession& session,
                                                                   const Arguments& arguments,
                                                                   const v1::Offsets& committed,
                                                                   Failures& failures) {
  std::set<v1::TopicPartition> chosen;
  for (const std::string& text : arguments.all("topic")) {
    const auto partitions = named_partitions(session, text, failures);
    if (!partitions) return std::nullopt;
    chosen.insert(partitions->begin(), partitions->end());
  }
  if (!arguments.has("topic"))
    for (const auto& [partition, offset] : committed) chosen.insert(partition);
  if (chosen.empty()) {
    failures.push_back({.code = "NOTHING_COMMITTED",
                        .message = joined("group ", arguments.operand(0), " has committed nothing"),
                        .hint = "--topic names what is to be read",
                        .is_usage = false});
    return std::nullopt;
  }
  return std::vector<v1::TopicPartition>(chosen.begin(), chosen.end());
}

// Where they read on then.
std::optional<v1::Offsets> new_offsets(ClientSession& session, const Arguments& arguments,
                                       const std::vector<v1::TopicPartition>& partitions,
                                       const v1::Offsets& before, Failures& failures) {
  std::optional<Place> place;
  if (const auto to = arguments.text("to")) {
    place = place_of("--to", *to, failures);
    if (!place) return std::nullopt;
  }
  const auto reader = session.offsets_reader(failures);
  const auto bounds =
      reader ? bounds_of(*reader, partitions, session.timeout(), failures) : std::nullopt;
  if (!bounds) return std::nullopt;
  if (place) return offsets_at(*reader, *bounds, *place, session.timeout(), failures);
  v1::Offsets offsets;
  for (const auto& [partition, within] : *bounds) {
    const auto found = before.find(partition);
    const std::int64_t from = found == before.end() ? within.start : found->second;
    const std::int64_t end = std::max(within.start, within.end);
    // No further than to both ends: then nothing overflows.
    const std::int64_t shift =
        std::clamp(arguments.number_or("shift", 0), within.start - from, end - from);
    offsets[partition] = from + shift;
  }
  return offsets;
}

// Records that the group has before it in a partition, where it may have no place yet.
std::int64_t lag_of(const GroupPlace* place, const Bounds& within) {
  if (place != nullptr && place->lag && *place->lag >= 0) return *place->lag;
  return std::max<std::int64_t>(0, within.end - (place != nullptr ? place->offset : within.start));
}

}  // namespace

std::optional<std::vector<v1::TopicPartition>> named_partitions(ClientSession& session,
                                                                const std::string& text,
                                                                Failures& failures) {
  const std::size_t colon = text.find(':');
  const auto topic = session.topic(text.substr(0, colon), failures);
  if (!topic) return std::nullopt;
  Arguments chosen;
  if (colon != std::string::npos) chosen.add("partitions", text.substr(colon + 1));
  return chosen_partitions(*topic, chosen, failures);
}

Answer list_groups(const Call& call) {
  Answer answer{.rows_name = "groups", .columns = {{"group"}, {"state"}, {"type"}}};
  const auto states = call.arguments.all("state");
  for (const std::string& state : states)
    if (auto wrong = wrong_state(state)) return failed(*std::move(wrong));
  auto session = ClientSession::open(call, answer.failures);
  v1::Admin* admin = session ? session->admin(answer.failures) : nullptr;
  if (admin == nullptr) return answer;
  auto listed = admin->list_groups(session->admin_options()).get();
  if (!listed) {
    answer.failures.push_back(failure_of(listed.error()));
    return answer;
  }
  for (const v1::Error& error : listed->errors)
    answer.failures.push_back(failure_of(error, "groups of a broker are missing"));
  std::ranges::sort(listed->groups, {}, &v1::ListedGroup::id);
  for (const v1::ListedGroup& group : listed->groups) {
    const bool is_wanted = states.empty() || std::ranges::any_of(states, [&](const auto& state) {
                             return lower(state) == lower(group.state);
                           });
    if (is_wanted) answer.rows.push_back({group.id, lower(group.state), group.protocol_type});
  }
  if (answer.rows.empty()) {
    answer.sentences = {"no groups"};
    answer.is_table_needless = true;
  }
  return answer;
}

Answer describe_group(const Call& call) {
  Answer answer{.rows_name = "partitions",
                .columns = {{"group"},
                            {"state"},
                            {"topic"},
                            {"partition"},
                            {"committed"},
                            {"end"},
                            {"lag"},
                            {"member"}}};
  const std::string name = call.arguments.operand(0);
  auto session = ClientSession::open(call, answer.failures);
  const auto group = session ? readers_of(*session, name, answer.failures) : std::nullopt;
  if (!group) return answer;
  std::map<v1::TopicPartition, std::string> readers;
  std::set<v1::TopicPartition> all;
  for (const auto& [partition, place] : group->places) all.insert(partition);
  for (const GroupReader& reader : group->readers) {
    for (const v1::TopicPartition& partition : reader.partitions) {
      std::string& names = readers[partition];
      names = names.empty() ? reader.name : joined(names, ", ", reader.name);
      all.insert(partition);
    }
  }

  const std::vector<v1::TopicPartition> partitions(all.begin(), all.end());
  const auto reader = session->offsets_reader(answer.failures);
  const auto bounds =
      reader ? bounds_of(*reader, partitions, session->timeout(), answer.failures) : std::nullopt;
  std::int64_t sum = 0;
  for (const v1::TopicPartition& partition : partitions) {
    Cell committed_cell;
    Cell end_cell;
    Cell lag_cell;
    const auto found = group->places.find(partition);
    const GroupPlace* place = found != group->places.end() ? &found->second : nullptr;
    if (place != nullptr) committed_cell = place->offset;
    if (bounds && bounds->contains(partition)) {
      const Bounds& within = bounds->at(partition);
      const std::int64_t lag = lag_of(place, within);
      end_cell = within.end;
      lag_cell = lag;
      sum += lag;
    }
    const auto member = readers.find(partition);
    const Cell member_cell = member != readers.end() ? Cell(member->second) : Cell();
    answer.rows.push_back({name, group->state, partition.topic, std::int64_t{partition.partition},
                           committed_cell, end_cell, lag_cell, member_cell});
  }
  // As Kafka's tool shows members that have no partition.
  for (const GroupReader& idle : group->readers)
    if (idle.partitions.empty())
      answer.rows.push_back(
          {name, group->state, Cell(), Cell(), Cell(), Cell(), Cell(), idle.name});
  answer.fields = {{"group", name},
                   {"state", group->state},
                   {"assignor", group->assignor},
                   {"coordinator", std::int64_t{group->coordinator}},
                   {"members", static_cast<std::int64_t>(group->readers.size())},
                   {"lag", bounds ? Cell(sum) : Cell()}};
  if (partitions.empty()) {
    answer.is_table_needless = answer.rows.empty();
    answer.sentences = {joined("group ", name, " is ", group->state, " with ",
                               counted(static_cast<std::int64_t>(group->readers.size()), "member"),
                               ", and has committed nothing")};
  }
  return answer;
}

Answer reset_offsets(const Call& call) {
  Answer answer{.rows_name = "partitions", .columns = {{"topic"}, {"partition"}, {"from"}, {"to"}}};
  const bool has_to = call.arguments.has("to");
  if (has_to == call.arguments.has("shift"))
    return failed(usage_failure("one of --to and --shift says where the group reads on"));
  const bool is_dry = !call.arguments.has("execute");
  if (!is_dry && call.arguments.has("dry-run"))
    return failed(usage_failure("--dry-run and --execute exclude each other"));
  const std::string group = call.arguments.operand(0);
  auto session = ClientSession::open(call, answer.failures);
  const auto before = session && session->admin(answer.failures) != nullptr
                          ? committed_of(*session, group, answer.failures)
                          : std::nullopt;
  // Brokers do not say of other kinds that they are: they have committed nothing.
  if (before && before->empty())
    if (auto other = other_kind(*session, group)) return failed(*std::move(other));
  const auto partitions =
      before ? partitions_to_reset(*session, call.arguments, *before, answer.failures)
             : std::nullopt;
  const auto after =
      partitions ? new_offsets(*session, call.arguments, *partitions, *before, answer.failures)
                 : std::nullopt;
  if (!after || !answer.failures.empty()) return answer;
  answer.fields = {{"group", group}, {"changed", !is_dry}};
  const auto add = [&](const v1::TopicPartition& partition) {
    const auto from = before->find(partition);
    answer.rows.push_back({partition.topic, std::int64_t{partition.partition},
                           from != before->end() ? Cell(from->second) : Cell(),
                           after->at(partition)});
  };
  if (is_dry) {
    for (const auto& [partition, offset] : *after) add(partition);
    answer.sentences = {"nothing was changed; with --execute this will be:"};
    return answer;
  }
  const std::vector<std::pair<v1::TopicPartition, std::int64_t>> changes(after->begin(),
                                                                         after->end());
  for (const auto& [partition, outcome] :
       session->admin(answer.failures)
           ->alter_group_offsets(group, changes, session->admin_options())
           .get()) {
    if (outcome)
      add(partition);
    else if (outcome.error().code() == v1::ErrorCode::unknown_member_id)
      answer.failures.push_back(
          {.code = std::string(name_of(outcome.error().code())),
           .message = joined("group ", group, " has members"),
           .hint = joined("`millrace group describe ", group, "` shows them; stop them first")});
    else
      answer.failures.push_back(group_failure(outcome.error(), group));
  }
  return answer;
}

Answer delete_groups(const Call& call) {
  Answer answer{
      .rows_name = "groups", .columns = {{"group"}, {"deleted"}}, .is_table_needless = true};
  auto session = ClientSession::open(call, answer.failures);
  v1::Admin* admin = session ? session->admin(answer.failures) : nullptr;
  if (admin == nullptr) return answer;
  for (const auto& [group, outcome] :
       admin->delete_groups(call.arguments.operands(), session->admin_options()).get()) {
    if (outcome) {
      answer.rows.push_back({group, true});
      answer.sentences.push_back(joined("deleted ", group));
    } else if (outcome.error().code() == v1::ErrorCode::group_id_not_found) {
      answer.failures.push_back(unknown_group(*session, group));
    } else {
      answer.failures.push_back(group_failure(outcome.error(), group));
    }
  }
  return answer;
}

}  // namespace millrace::cli
