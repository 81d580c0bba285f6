module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.groups;

import millrace.base;
import millrace.protocol.records;

namespace millrace::groups {
namespace {

using protocol::GroupMetadataKey;
using protocol::GroupMetadataValue;
using protocol::OffsetCommitKey;
using protocol::OffsetCommitValue;

// Room for the members of one record while it is read.
constexpr std::size_t arena_bytes_max = 64 * mebibyte;
// What a key begins with: the type of the record.
constexpr std::size_t prefix_bytes = 2;

// A key begins with the type of the record, a value with its version.
template <class Message>
Result<OwnedBytes> encoded(const Message& message, std::int16_t prefix, std::int16_t version) {
  const auto size = protocol::measure(message, version);
  if (!size) {
    return failure(ErrorKind::limit_exceeded, protocol::to_string(size.error()));
  }
  OwnedBytes bytes(prefix_bytes + size->inline_bytes);
  store_big_endian(bytes.data(), prefix);
  protocol::Writer writer(MutableBytes(bytes).subspan(prefix_bytes), {});
  protocol::write(message, version, writer);
  return bytes;
}

OwnedBytes key_of_group(std::string_view group) {
  GroupMetadataKey key;
  key.group = group;
  auto bytes = encoded(key, GroupMetadataKey::record_type, 0);
  check(bytes.has_value(), "the id of a group is too long to be stored");
  return *std::move(bytes);
}

Result<OwnedBytes> key_of_offset(std::string_view group, std::string_view topic,
                                 PartitionIndex partition) {
  OffsetCommitKey key;
  key.group = group;
  key.topic = topic;
  key.partition = partition.value();
  return encoded(key, OffsetCommitKey::record_type, 0);
}

template <class Message>
Result<void> decoded(Message& message, ByteReader reader, std::int16_t version,
                     protocol::Arena& arena) {
  if (reader.failed()) {
    return failure(ErrorKind::corrupt, "a record of groups is shorter than its version");
  }
  const auto result = protocol::decode(message, reader.rest(), version, arena);
  if (result) return {};
  const bool unsupported = result.error().fault == protocol::DecodeFault::unsupported_version;
  return failure(unsupported ? ErrorKind::unsupported : ErrorKind::corrupt,
                 formatted("{}: {}", Message::message_name, protocol::to_string(result.error())));
}

std::optional<std::string> text_or_nothing(std::string_view text) {
  if (text.data() == nullptr) return std::nullopt;
  return std::string(text);
}

Member member_from(const GroupMetadataValue::MemberMetadata& stored,
                   std::string_view protocol_name) {
  Member member;
  member.id = stored.member_id;
  member.instance_id = text_or_nothing(stored.group_instance_id);
  member.client_id = stored.client_id;
  member.client_host = stored.client_host;
  member.session_timeout = Milliseconds(stored.session_timeout);
  member.rebalance_timeout = Milliseconds(stored.rebalance_timeout < 0 ? stored.session_timeout
                                                                       : stored.rebalance_timeout);
  member.protocols.push_back(
      {std::string(protocol_name), {stored.subscription.begin(), stored.subscription.end()}});
  member.assignment = {stored.assignment.begin(), stored.assignment.end()};
  return member;
}

Result<Stored> read_group(ByteReader key_reader, std::optional<ByteView> value_bytes) {
  protocol::Arena arena(arena_bytes_max);
  GroupMetadataKey key;
  if (auto read = decoded(key, key_reader, 0, arena); !read) return failure(read.error());
  StoredGroup stored{std::string(key.group), std::nullopt};
  if (!value_bytes) return stored;
  GroupMetadataValue value;
  ByteReader reader(*value_bytes);
  const auto version = reader.integer<std::int16_t>();
  if (auto read = decoded(value, reader, version, arena); !read) return failure(read.error());
  std::vector<Member> members;
  members.reserve(value.members.size());
  std::set<std::string_view> seen;
  std::set<std::string_view> instances;
  for (const auto& member : value.members) {
    const bool fresh =
        seen.insert(member.member_id).second && (member.group_instance_id.data() == nullptr ||
                                                 instances.insert(member.group_instance_id).second);
    if (!fresh) {
      return failure(ErrorKind::corrupt, "a stored group has a member twice: " + stored.id);
    }
    members.push_back(member_from(member, value.protocol));
  }
  std::optional<std::string> leader = text_or_nothing(value.leader);
  // A leader that is no member cannot assign.
  if (leader && !seen.contains(*leader)) leader.reset();
  std::optional<Timestamp> since;
  if (value.current_state_timestamp >= 0) since = Timestamp(value.current_state_timestamp);
  std::optional<std::string> type;
  if (!value.protocol_type.empty()) type = std::string(value.protocol_type);
  stored.group.emplace(stored.id);
  stored.group->restore(Generation(value.generation), std::move(type),
                        text_or_nothing(value.protocol), std::move(leader), since,
                        std::move(members));
  return stored;
}

Result<Stored> read_offset(ByteReader key_reader, std::optional<ByteView> value_bytes) {
  protocol::Arena arena(arena_bytes_max);
  OffsetCommitKey key;
  if (auto read = decoded(key, key_reader, 0, arena); !read) return failure(read.error());
  StoredOffset stored{std::string(key.group), std::string(key.topic), PartitionIndex(key.partition),
                      std::nullopt};
  if (!value_bytes) return stored;
  OffsetCommitValue value;
  ByteReader reader(*value_bytes);
  const auto version = reader.integer<std::int16_t>();
  if (auto read = decoded(value, reader, version, arena); !read) return failure(read.error());
  CommittedOffset& offset = stored.offset.emplace();
  offset.offset = Offset(value.offset);
  offset.leader_epoch = LeaderEpoch(value.leader_epoch);
  offset.metadata = value.metadata;
  offset.committed = Timestamp(value.commit_timestamp);
  if (value.expire_timestamp >= 0) offset.expires = Timestamp(value.expire_timestamp);
  offset.topic_id = value.topic_id;
  return stored;
}

}  // namespace

Result<Record> group_record(const Group& group) {
  GroupMetadataValue value;
  value.protocol_type = group.protocol_type() ? *group.protocol_type() : protocol::empty_string;
  value.generation = group.generation().value();
  value.protocol = group.protocol_name() ? *group.protocol_name() : protocol::null_string;
  value.leader = group.leader() ? *group.leader() : protocol::null_string;
  value.current_state_timestamp = group.state_since().value_or(no_timestamp).value();
  std::vector<GroupMetadataValue::MemberMetadata> members;
  members.reserve(group.members().size());
  for (const auto& [id, member] : group.members()) {
    auto& stored = members.emplace_back();
    stored.member_id = id;
    if (member.instance_id) stored.group_instance_id = *member.instance_id;
    stored.client_id = member.client_id;
    stored.client_host = member.client_host;
    stored.rebalance_timeout = static_cast<std::int32_t>(member.rebalance_timeout.count());
    stored.session_timeout = static_cast<std::int32_t>(member.session_timeout.count());
    if (const OwnedBytes* const metadata = member.metadata_of(group.protocol_name().value_or(""));
        metadata != nullptr) {
      stored.subscription = *metadata;
    }
    stored.assignment = member.assignment;
  }
  value.members = std::span<const GroupMetadataValue::MemberMetadata>(members);
  auto bytes = encoded(value, group_value_version, group_value_version);
  if (!bytes) return failure(bytes.error());
  return Record{key_of_group(group.id()), *std::move(bytes)};
}

Record group_tombstone(std::string_view group) {
  return {key_of_group(group), std::nullopt};
}

Result<Record> offset_record(std::string_view group, std::string_view topic,
                             PartitionIndex partition, const CommittedOffset& offset) {
  auto key = key_of_offset(group, topic, partition);
  if (!key) return failure(key.error());
  OffsetCommitValue value;
  value.offset = offset.offset.value();
  value.metadata = offset.metadata;
  value.commit_timestamp = offset.committed.value();
  auto version = offset_value_version;
  if (offset.expires) {
    version = offset_value_version_with_expiry;
    value.expire_timestamp = offset.expires->value();
  } else {
    value.leader_epoch = offset.leader_epoch.value();
    if (!offset.topic_id.is_zero()) {
      version = offset_value_version_with_topic_id;
      value.topic_id = offset.topic_id;
    }
  }
  auto bytes = encoded(value, version, version);
  if (!bytes) return failure(bytes.error());
  return Record{*std::move(key), *std::move(bytes)};
}

Record offset_tombstone(std::string_view group, std::string_view topic, PartitionIndex partition) {
  auto key = key_of_offset(group, topic, partition);
  check(key.has_value(), "an offset that is stored has a name too long to be stored");
  return {*std::move(key), std::nullopt};
}

Result<Stored> read_record(ByteView key, std::optional<ByteView> value) {
  ByteReader reader(key);
  const auto type = reader.integer<std::int16_t>();
  if (reader.failed()) return failure(ErrorKind::corrupt, "a record of groups has no type");
  // The key of the oldest offsets has another number and the same form.
  if (type == OffsetCommitKey::record_type ||
      type == protocol::LegacyOffsetCommitKey::record_type) {
    return read_offset(reader, value);
  }
  if (type == GroupMetadataKey::record_type) return read_group(reader, value);
  return OtherRecord{type};
}

}  // namespace millrace::groups
