// The settings of producers, consumers and admin clients: Kafka's names, defaults and ranges.
module;
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.client.core:settings;

import millrace.base;
import millrace.protocol.compression;
import millrace.runtime.streams;
import :backoff;

export namespace millrace::client {

// Where a broker is reached, as it was written: a name or an address.
struct HostPort {
  std::string host;
  Port port{0};

  friend auto operator<=>(const HostPort&, const HostPort&) = default;
};

// "host:9092", "[::1]:9092".
[[nodiscard]] std::string to_string(const HostPort& address);
// Reads that; also with a protocol in front, as brokers write listeners: "PLAINTEXT://host:9092".
[[nodiscard]] Result<HostPort> host_port_from_string(std::string_view text);

// How the name of a bootstrap server or broker is looked up.
enum class DnsLookup : std::uint8_t { use_all_dns_ips, resolve_canonical_bootstrap_servers_only };
// What happens when no broker that is known can be reached any more.
enum class RecoveryStrategy : std::uint8_t { none, rebootstrap };

// What all clients have. Durations are not negative; those of a Backoff are in it.
struct CommonSettings {
  std::vector<HostPort> bootstrap;
  DnsLookup dns_lookup = DnsLookup::use_all_dns_ips;
  std::string client_id;
  std::string client_rack;
  Duration request_timeout = std::chrono::seconds{30};
  Duration retry_backoff = std::chrono::milliseconds{100};
  Duration retry_backoff_max = std::chrono::seconds{1};
  Duration reconnect_backoff = std::chrono::milliseconds{50};
  Duration reconnect_backoff_max = std::chrono::seconds{1};
  Duration metadata_max_age = std::chrono::minutes{5};
  RecoveryStrategy recovery = RecoveryStrategy::rebootstrap;
  // Without an answer about the cluster for so long, bootstrap servers are asked again.
  Duration rebootstrap_trigger = std::chrono::minutes{5};
  Duration connections_max_idle = std::chrono::minutes{9};  // Duration::max(): never
  Duration socket_connection_setup_timeout = std::chrono::seconds{10};
  Duration socket_connection_setup_timeout_max = std::chrono::seconds{30};
  // Unset: as the system decides (-1 of Kafka).
  // None: the system fits them to the connection. Java's 64 KiB for what is received make a fast
  // reader wait for the broker once for each 128 KiB.
  std::optional<std::int32_t> send_buffer_bytes;
  std::optional<std::int32_t> receive_buffer_bytes;
  // The largest answer that is taken from a broker (millrace.answer.max.bytes).
  std::size_t answer_bytes_max = 128 * mebibyte;

  [[nodiscard]] BackoffRange retry_range() const { return {retry_backoff, retry_backoff_max}; }
  [[nodiscard]] BackoffRange reconnect_range() const {
    return {reconnect_backoff, reconnect_backoff_max};
  }

  friend bool operator==(const CommonSettings&, const CommonSettings&) = default;
};

enum class Acks : std::int16_t { all = -1, none = 0, leader = 1 };

// Java's own, which is also used for an empty partitioner.class, and those of librdkafka by their
// names. "custom" is chosen by the program, not by a property.
enum class PartitionerKind : std::uint8_t {
  uniform_sticky,  // murmur2 for keys, sticky batches without one: Java's default
  round_robin,
  random,
  consistent,
  consistent_random,
  murmur2,
  murmur2_random,
  fnv1a,
  fnv1a_random,
  custom,
};

[[nodiscard]] std::string_view name_of(PartitionerKind kind);

struct ProducerSettings {
  CommonSettings common;
  Acks acks = Acks::all;
  std::size_t batch_size = 16'384;
  std::int32_t batch_growth = 16;  // what waits grows to this many times batch_size; 1: never
  Duration linger = std::chrono::milliseconds{5};
  std::size_t buffer_memory = 33'554'432;
  Duration max_block = std::chrono::minutes{1};
  protocol::CompressionOptions compression;
  std::size_t max_request_size = 1'048'576;
  Duration delivery_timeout = std::chrono::minutes{2};
  bool enable_idempotence = true;
  std::int32_t max_in_flight = 5;  // requests of one connection
  PartitionerKind partitioner = PartitionerKind::uniform_sticky;
  bool partitioner_ignore_keys = false;
  bool partitioner_adaptive = true;
  Duration partitioner_availability_timeout{};  // 0: no partition is left out for being slow
  std::int32_t retries = 2'147'483'647;
  Duration metadata_max_idle = std::chrono::minutes{5};
  std::string transactional_id;  // empty: none
  Duration transaction_timeout = std::chrono::minutes{1};

  // What a batch may grow to while requests under way hold it up.
  [[nodiscard]] std::size_t batch_bytes_most() const;
  friend bool operator==(const ProducerSettings&, const ProducerSettings&) = default;
};

enum class OffsetReset : std::uint8_t { earliest, latest, none, by_duration };
enum class IsolationLevel : std::int8_t { read_uncommitted = 0, read_committed = 1 };
enum class GroupProtocol : std::uint8_t { classic, consumer };
enum class AssignorKind : std::uint8_t { range, round_robin, sticky, cooperative_sticky };

// As the group protocol writes it: "range", "roundrobin", "sticky", "cooperative-sticky".
[[nodiscard]] std::string_view name_of(AssignorKind kind);
// "read_committed".
[[nodiscard]] std::string_view name_of(IsolationLevel level);

struct ConsumerSettings {
  CommonSettings common;
  std::string group_id;           // empty: none
  std::string group_instance_id;  // empty: a dynamic member
  OffsetReset auto_offset_reset = OffsetReset::latest;
  Duration auto_offset_reset_duration{};  // of by_duration: how far back
  bool enable_auto_commit = true;
  Duration auto_commit_interval = std::chrono::seconds{5};
  std::int32_t fetch_min_bytes = 1;
  std::int32_t fetch_max_bytes = 52'428'800;
  Duration fetch_max_wait = std::chrono::milliseconds{500};
  std::int32_t max_partition_fetch_bytes = 1'048'576;
  std::int32_t max_poll_records = 500;
  Duration max_poll_interval = std::chrono::minutes{5};
  Duration session_timeout = std::chrono::seconds{45};
  Duration heartbeat_interval = std::chrono::seconds{3};
  Duration default_api_timeout = std::chrono::minutes{1};
  IsolationLevel isolation_level = IsolationLevel::read_uncommitted;
  std::vector<AssignorKind> partition_assignment_strategy = {AssignorKind::range,
                                                             AssignorKind::cooperative_sticky};
  bool check_crcs = true;
  bool allow_auto_create_topics = true;
  bool exclude_internal_topics = true;
  GroupProtocol group_protocol = GroupProtocol::classic;
  std::string group_remote_assignor;  // empty: the broker's choice
  // What fetched records that the application has not asked for yet may take, over all partitions
  // (millrace.prefetch.memory).
  std::size_t prefetch_memory = 64 * mebibyte;

  friend bool operator==(const ConsumerSettings&, const ConsumerSettings&) = default;
};

struct AdminSettings {
  CommonSettings common;
  bool asks_controllers = false;  // common.bootstrap names these (bootstrap.controllers)
  Duration default_api_timeout = std::chrono::minutes{1};
  std::int32_t retries = 2'147'483'647;

  friend bool operator==(const AdminSettings&, const AdminSettings&) = default;
};

// Names and values as they are written in a file; of equal names the last counts.
using Properties = std::vector<std::pair<std::string, std::string>>;

// Every problem at once, a sentence each: names that Kafka does not have (with the nearest that it
// has), those that it has and this client does not support, values out of range, settings that
// exclude one another.
using SettingsProblems = std::vector<std::string>;

[[nodiscard]] Result<ProducerSettings, SettingsProblems> producer_settings(const Properties& given);
[[nodiscard]] Result<ConsumerSettings, SettingsProblems> consumer_settings(const Properties& given);
[[nodiscard]] Result<AdminSettings, SettingsProblems> admin_settings(const Properties& given);

}  // namespace millrace::client
