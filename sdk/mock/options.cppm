// How a cluster that is not there looks.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

export module millrace.mock:options;

import millrace.base;

export namespace millrace::mock {

// Requests that the log of requests remembers; older ones are forgotten.
inline constexpr std::size_t logged_requests_max = 100'000;
// What the bodies of those may take together.
inline constexpr std::size_t logged_bytes_max = 64 * mebibyte;
// Records of all partitions together; what would pass it is refused with KAFKA_STORAGE_ERROR.
inline constexpr std::size_t stored_bytes_max_default = 512 * mebibyte;

struct Options {
  std::int32_t brokers = 1;  // their ids count from 1
  std::string host = "127.0.0.1";
  std::uint16_t first_port = 0;  // of broker 1, then one after the other; 0: the network chooses
  bool auto_create_topics = false;
  std::int32_t partitions_default = 1;  // of topics that do not say
  std::size_t frame_bytes_max = socket_request_bytes_max_default;
  std::size_t stored_bytes_max = stored_bytes_max_default;
  // group.initial.rebalance.delay.ms: none, so that tests need not wait.
  std::chrono::milliseconds initial_rebalance_delay{0};
  // transaction.version that the cluster has finalized; below 2 producers name partitions first.
  std::int16_t transaction_version = 2;
  // DescribeCluster tells of them as of controllers, to those who ask for these.
  bool are_controllers = false;
  // Fetch sessions of each broker, at most.
  std::size_t fetch_sessions = 1000;
  std::uint64_t seed = 1;  // of ids and of garbage
};

struct TopicOptions {
  std::int32_t partitions = 1;
  std::int16_t replication_factor = 0;  // 0: as many as there are brokers, at most three
  std::map<std::string, std::string> configs = {};
};

}  // namespace millrace::mock
