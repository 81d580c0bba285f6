// Topics, partitions, where replicas are, offsets of partitions.
#pragma once
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/admin_options.hpp"
#include "millrace/records.hpp"
#include "millrace/uuid.hpp"

namespace millrace::inline v1 {

struct NewTopic {
  std::string name;
  std::optional<std::int32_t> partitions = {};  // the brokers' default when not given
  std::optional<std::int16_t> replication_factor = {};
  // For each partition its replicas, the preferred leader first; instead of the two above.
  std::vector<std::vector<std::int32_t>> assignment = {};
  std::vector<std::pair<std::string, std::string>> configs = {};
};

struct CreatedTopic {
  Uuid id = {};
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
};

struct ListedTopic {
  std::string name;
  Uuid id = {};
  bool is_internal = false;
  std::size_t partitions = 0;
};

struct DescribedPartition {
  std::int32_t partition = 0;
  std::int32_t leader = -1;  // -1: none
  std::vector<std::int32_t> replicas = {};
  std::vector<std::int32_t> in_sync = {};
  std::vector<std::int32_t> offline = {};
  std::int32_t leader_epoch = -1;
};

struct DescribedTopic {
  std::string name;
  Uuid id = {};
  bool is_internal = false;
  std::vector<DescribedPartition> partitions = {};
  AuthorizedOperations authorized_operations = {};
};

struct NewPartitions {
  std::string topic;
  std::int32_t count = 0;  // in all, with those that are there
  // Of each new partition its replicas.
  std::vector<std::vector<std::int32_t>> assignment = {};
};

// --- Where replicas are. ---

enum class Election : std::int8_t {
  preferred = 0,  // the first replica leads again
  unclean = 1,    // any replica leads, records may be lost
};
[[nodiscard]] MILLRACE_API std::string_view to_string(Election election);

struct Reassignment {
  TopicPartition partition;
  // None: one that is under way is cancelled.
  std::optional<std::vector<std::int32_t>> replicas = {};
};

struct OngoingReassignment {
  TopicPartition partition;
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> adding;
  std::vector<std::int32_t> removing;
};

// --- Offsets and producers of partitions. ---

// A place in a partition: a time, or one of these.
struct OffsetSpec {
  std::int64_t value = 0;

  [[nodiscard]] static constexpr OffsetSpec latest() { return {-1}; }
  [[nodiscard]] static constexpr OffsetSpec earliest() { return {-2}; }
  // The record with the largest timestamp.
  [[nodiscard]] static constexpr OffsetSpec newest() { return {-3}; }
  // Of tiered storage: the first on the broker's own disk, the last that is remote, the first that
  // is to become remote.
  [[nodiscard]] static constexpr OffsetSpec earliest_local() { return {-4}; }
  [[nodiscard]] static constexpr OffsetSpec latest_tiered() { return {-5}; }
  [[nodiscard]] static constexpr OffsetSpec earliest_pending_upload() { return {-6}; }
  // The first record that is not older.
  [[nodiscard]] static OffsetSpec at(Timestamp timestamp) {
    return {timestamp.time_since_epoch().count()};
  }
};

struct PartitionOffset {
  std::int64_t offset = -1;                 // -1: nothing is there
  std::optional<Timestamp> timestamp = {};  // of the record, where one was looked for
  std::optional<std::int32_t> leader_epoch = {};
};

struct ActiveProducer {
  std::int64_t id = -1;
  std::int32_t epoch = -1;
  std::int32_t last_sequence = -1;
  std::optional<Timestamp> last_timestamp = {};
  std::optional<std::int64_t> transaction_start = {};  // none: it has no transaction open here
  std::int32_t coordinator_epoch = -1;
};

}  // namespace millrace::inline v1
