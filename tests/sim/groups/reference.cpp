#include "reference.hpp"

#include <charconv>
#include <variant>

namespace millrace::groups::sim {
namespace {

std::string member_key(const std::string& member, const std::optional<std::string>& instance) {
  return instance ? "instance " + *instance : member;
}

}  // namespace

OwnedBytes written(const Assignment& assignment) {
  std::string text = std::to_string(assignment.token);
  for (const std::int32_t partition : assignment.partitions) {
    text += ' ' + std::to_string(partition);
  }
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

std::optional<Assignment> read_assignment(const OwnedBytes& bytes) {
  if (bytes.empty()) return std::nullopt;
  const std::string text(as_text(bytes));
  Assignment assignment;
  const char* const end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, assignment.token);
  while (error == std::errc() && at != end) {
    std::int32_t partition = 0;
    std::tie(at, error) = std::pair(std::from_chars(at + 1, end, partition).ptr, std::errc());
    assignment.partitions.push_back(partition);
  }
  return assignment;
}

Delivery Reference::delivered(std::uint64_t coordinator, bool is_fenced, const Coordinator& state,
                              const Request& request) const {
  Delivery delivery;
  delivery.coordinator = coordinator;
  delivery.is_fenced = is_fenced;
  delivery.request = request;
  const auto look = [&](const std::string& name, std::string_view member) {
    const auto place = state.groups().find(name);
    if (place != state.groups().end()) {
      delivery.has_group = true;
      delivery.state = place->second.state();
      delivery.generation = place->second.generation();
      delivery.is_member = place->second.members().contains(member);
      delivery.leads = place->second.is_leader(member);
    }
  };
  std::visit(
      [&](const auto& one) {
        if constexpr (requires { one.member_id; }) look(one.group, one.member_id);
      },
      request);
  const auto* const fetch = std::get_if<FetchRequest>(&request);
  if (fetch == nullptr) return delivery;
  for (const auto& [key, floor] : floors_) {
    if (key.first != fetch->group) continue;
    const auto deletions = deletions_.find(key);
    delivery.floors[key.second] = {floor, deletions == deletions_.end() ? 0 : deletions->second};
  }
  return delivery;
}

void Reference::committed(const Record& record) {
  std::optional<ByteView> value;
  if (record.value) value = *record.value;
  digest_ = digest_ * 31 + crc32c(record.key) + (value ? crc32c(*value) : 0u);
  const auto stored = read_record(record.key, value);
  if (!stored) return fail("a record cannot be read");
  if (const auto* const offset = std::get_if<StoredOffset>(&*stored)) {
    const Key key(offset->group, offset->partition);
    if (offset->offset) {
      offsets_[key] = *offset->offset;
      values_.insert(offset->offset->offset.value());
    } else {
      offsets_.erase(key);
      floors_.erase(key);
      ++deletions_[key];
    }
  } else if (const auto* const group = std::get_if<StoredGroup>(&*stored)) {
    if (!group->group) {
      written_.erase(group->id);
      return;
    }
    std::map<Generation, Written>& generations = written_[group->id];
    const Generation generation = group->group->generation();
    expect(generations.empty() || generations.rbegin()->first <= generation,
           "a generation is written after a later one");
    if (!generations.contains(generation)) ++coverage_.generations;
    Written& entry = generations[generation];
    for (const auto& [id, member] : group->group->members()) {
      entry.assignments.emplace(id, member.assignment);
    }
  }
}

void Reference::answered(const Delivery& delivery, const Reply& reply) {
  digest_ = digest_ * 31 + reply.index();
  std::visit(
      [&](const auto& one) {
        digest_ = digest_ * 31 + static_cast<std::uint64_t>(one.error);
        std::visit(
            [&](const auto& asked) {
              if constexpr (requires { this->on(delivery, asked, one); }) {
                this->on(delivery, asked, one);
              }
            },
            delivery.request);
      },
      reply);
  expect(delivery.request.index() == reply.index(), "an answer of another kind than its request");
}

void Reference::on(const Delivery& delivery, const JoinRequest& request, const JoinReply& reply) {
  if (reply.error == ErrorCode::member_id_required) {
    ++coverage_.id_rounds;
    expect(!reply.member_id.empty() && !request.instance_id, "a member was told no id");
  }
  coverage_.full += reply.error == ErrorCode::group_max_size_reached ? 1u : 0u;
  coverage_.fenced_members += reply.error == ErrorCode::fenced_instance_id ? 1u : 0u;
  if (reply.error != ErrorCode::none) return;
  ++coverage_.joined;
  expect(request.member_id.empty() || request.member_id == reply.member_id,
         "a member has another id than it had");
  Told& told = told_[{delivery.coordinator, {request.group, reply.generation}}];
  expect(!told.protocol || told.protocol == reply.protocol_name,
         "members of one generation have two protocols");
  told.protocol = reply.protocol_name;
  told.members.insert(member_key(reply.member_id, request.instance_id));
  const bool is_to_assign = reply.leader == reply.member_id && !reply.skip_assignment;
  if (!is_to_assign) return;
  expect(told.leader.empty() || told.leader == reply.member_id, "two members are to assign");
  told.leader = reply.member_id;
  expect(!reply.members.empty(), "a leader does not know its members");
}

void Reference::on(const Delivery&, const SyncRequest& request, const SyncReply& reply) {
  coverage_.rebalances_told += reply.error == ErrorCode::rebalance_in_progress ? 1u : 0u;
  if (reply.error != ErrorCode::none) return;
  ++coverage_.assigned;
  auto& generations = written_[request.group];
  const auto found = generations.find(request.generation);
  if (found == generations.end()) return fail("an assignment of a generation that is not written");
  Written& generation = found->second;
  expect(generation.assignments.contains({request.member_id, reply.assignment}),
         "a member has an assignment that is not written");
  const auto assignment = read_assignment(reply.assignment);
  if (!assignment) return fail("a member of a stable group has no assignment");
  expect(generation.token == 0 || generation.token == assignment->token,
         "members of one generation have assignments of two leaders");
  generation.token = assignment->token;
  const std::string key = member_key(request.member_id, request.instance_id);
  for (const std::int32_t partition : assignment->partitions) {
    const auto [owner, is_first] = generation.owners.try_emplace(partition, key);
    expect(is_first || owner->second == key, "two members have one partition");
  }
}

void Reference::on(const Delivery& delivery, const HeartbeatRequest& request,
                   const HeartbeatReply& reply) {
  coverage_.rebalances_told += reply.error == ErrorCode::rebalance_in_progress ? 1u : 0u;
  coverage_.sessions_lost += reply.error == ErrorCode::unknown_member_id ? 1u : 0u;
  coverage_.fenced_members += reply.error == ErrorCode::fenced_instance_id ? 1u : 0u;
  if (reply.error != ErrorCode::none || !delivery.has_group) return;
  expect(delivery.is_member && delivery.generation == request.generation,
         "a heartbeat of an old generation is well");
}

void Reference::on(const Delivery& delivery, const CommitRequest& request,
                   const CommitReply& reply) {
  if (reply.error != ErrorCode::none) return;
  if (request.generation != no_generation) {
    expect(delivery.is_member && delivery.generation == request.generation,
           "who is not in the generation of now has committed");
  }
  for (std::size_t i = 0; i < reply.topics.size(); ++i) {
    for (std::size_t j = 0; j < reply.topics[i].partitions.size(); ++j) {
      if (reply.topics[i].partitions[j].error != ErrorCode::none) continue;
      ++coverage_.committed;
      const CommittedPartition& partition = request.topics.at(i).partitions.at(j);
      expect(values_.contains(partition.offset.value()),
             "an offset was answered before it was written");
      raise_floor({request.group, partition.partition}, partition.offset);
    }
  }
}

void Reference::on(const Delivery& delivery, const FetchRequest& request, const FetchReply& reply) {
  if (reply.error != ErrorCode::none || delivery.is_fenced) return;
  std::map<PartitionIndex, Offset> read;
  for (const FetchedTopic& topic : reply.topics) {
    for (const FetchedPartition& partition : topic.partitions) {
      read[partition.partition] = partition.offset;
      expect(partition.offset == no_offset || values_.contains(partition.offset.value()),
             "an offset was read that is not written");
    }
  }
  for (const auto& [partition, known] : delivery.floors) {
    const Key key(request.group, partition);
    const auto deletions = deletions_.find(key);
    if ((deletions == deletions_.end() ? 0 : deletions->second) != known.second) continue;
    ++coverage_.fetched;
    expect(read.contains(partition) && read[partition] >= known.first,
           "a committed offset is not read back");
    raise_floor(key, read[partition]);
  }
}

// Not where it has been deleted in the log since.
void Reference::raise_floor(const Key& key, Offset offset) {
  if (!offsets_.contains(key)) return;
  Offset& floor = floors_[key];
  floor = std::max(floor, std::min(offset, offsets_.at(key).offset));
}

void Reference::on(const Delivery&, const DeleteRequest&, const DeleteReply& reply) {
  for (const DeletedGroup& group : reply.groups) {
    coverage_.groups_deleted += group.error == ErrorCode::none ? 1u : 0u;
  }
}

void Reference::appended(const Coordinator& state, const Record& record, const std::string& deleted,
                         Timestamp now, Milliseconds retention) {
  if (record.value) return;
  const auto stored = read_record(record.key, std::nullopt);
  if (!stored) return fail("a tombstone cannot be read");
  const auto* const offset = std::get_if<StoredOffset>(&*stored);
  if (offset == nullptr || offset->group == deleted) return;
  ++coverage_.offsets_expired;
  const auto group = state.groups().find(offset->group);
  expect(group == state.groups().end() || group->second.members().empty(),
         "offsets expire that are read");
  const auto known = offsets_.find({offset->group, offset->partition});
  expect(known != offsets_.end() && now >= later(known->second.committed, retention),
         "offsets expire too early");
}

}  // namespace millrace::groups::sim
