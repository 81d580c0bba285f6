// The records of __consumer_offsets, in Kafka's own format: docs/formats need not repeat it, the
// schemas of the records family say it.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

export module millrace.groups:records;

import millrace.base;
import :effects;
import :group;
import :offsets;
import :types;

export namespace millrace::groups {

// The versions of values that are written: those that every Kafka since 2.1 reads. Only an offset
// with an expiry needs the older one, and one with a topic id the newer.
inline constexpr std::int16_t group_value_version = 3;
inline constexpr std::int16_t offset_value_version = 3;
inline constexpr std::int16_t offset_value_version_with_expiry = 1;
inline constexpr std::int16_t offset_value_version_with_topic_id = 4;

// The group as it is now. Fails where a string is too long for the format.
[[nodiscard]] Result<Record> group_record(const Group& group);
[[nodiscard]] Record group_tombstone(std::string_view group);
[[nodiscard]] Result<Record> offset_record(std::string_view group, std::string_view topic,
                                           PartitionIndex partition, const CommittedOffset& offset);
[[nodiscard]] Record offset_tombstone(std::string_view group, std::string_view topic,
                                      PartitionIndex partition);

// What a record says; views into it are copied.
struct StoredGroup {
  std::string id;
  std::optional<Group> group;  // nothing: a tombstone
};
struct StoredOffset {
  std::string group;
  std::string topic;
  PartitionIndex partition;
  std::optional<CommittedOffset> offset;  // nothing: a tombstone
};
// Of a kind that belongs to something else than classic groups.
struct OtherRecord {
  std::int16_t type = 0;
};
using Stored = std::variant<StoredGroup, StoredOffset, OtherRecord>;

// Fails for bytes that are no such record, and for versions that are not known.
[[nodiscard]] Result<Stored> read_record(ByteView key, std::optional<ByteView> value);

}  // namespace millrace::groups
