// The cluster: brokers, their log directories, controllers, features.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/admin_options.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"
#include "millrace/uuid.hpp"

namespace millrace::inline v1 {

struct DescribedBroker {
  std::int32_t id = -1;
  std::string host;
  std::uint16_t port = 0;
  std::optional<std::string> rack = {};
  bool is_fenced = false;  // it is there and may not serve
};

struct DescribedCluster {
  std::string id;
  std::int32_t controller = -1;
  std::vector<DescribedBroker> brokers = {};
  AuthorizedOperations authorized_operations = {};
};

enum class FencedBrokers : std::uint8_t { left_out, included };

// --- Log directories. ---

struct LogDirReplica {
  TopicPartition partition;
  std::int64_t bytes = 0;
  std::int64_t offset_lag = 0;
  bool is_future = false;  // is being moved here
};

struct LogDir {
  std::string path;
  std::optional<Error> error = {};  // it failed
  std::optional<std::int64_t> total_bytes = {};
  std::optional<std::int64_t> usable_bytes = {};
  std::vector<LogDirReplica> replicas = {};
  bool is_cordoned = false;  // takes no new replicas
};

// Of one partition on one broker.
struct ReplicaPlace {
  TopicPartition partition;
  std::int32_t broker = -1;

  [[nodiscard]] friend auto operator<=>(const ReplicaPlace&, const ReplicaPlace&) = default;
};

struct ReplicaLogDirs {
  std::string current;  // empty: the broker has no such replica
  std::int64_t offset_lag = -1;
  std::string future = {};  // where it is being moved to; empty: it is not
  std::int64_t future_offset_lag = -1;
};

// --- Controllers. ---

struct QuorumReplica {
  std::int32_t id = -1;
  std::int64_t log_end = -1;
  std::optional<Timestamp> last_fetch = {};
  std::optional<Timestamp> last_caught_up = {};
  Uuid directory = {};  // zero where it is not told
};

struct QuorumListener {
  std::string name;
  std::string host;
  std::uint16_t port = 0;
};

struct QuorumNode {
  std::int32_t id = -1;
  std::vector<QuorumListener> listeners = {};
};

struct Quorum {
  std::int32_t leader = -1;
  std::int32_t epoch = -1;
  std::int64_t high_watermark = -1;
  std::vector<QuorumReplica> voters = {};
  std::vector<QuorumReplica> observers = {};
  std::vector<QuorumNode> nodes = {};  // none where they are not told
};

struct NewVoter {
  std::int32_t id = -1;
  Uuid directory = {};
  std::vector<QuorumListener> listeners = {};  // where it is reached
  std::optional<std::string> cluster_id = {};  // checked when given
};

// --- Features. ---

struct Feature {
  std::string name;
  std::int16_t level_min = 0;  // what the broker that was asked knows
  std::int16_t level_max = 0;
  std::optional<std::int16_t> finalized = {};  // none: the cluster has not turned it on
};

struct Features {
  std::int64_t epoch = -1;
  std::vector<Feature> features = {};
};

enum class FeatureChange : std::int8_t {
  upgrade = 1,
  safe_downgrade = 2,    // only where nothing is lost
  unsafe_downgrade = 3,  // metadata may be lost
};
[[nodiscard]] MILLRACE_API std::string_view to_string(FeatureChange change);

struct FeatureUpdate {
  std::string name;
  std::int16_t level = 0;  // 0: it is turned off
  FeatureChange change = FeatureChange::upgrade;
};

}  // namespace millrace::inline v1
