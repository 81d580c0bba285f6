// Topics that are made because somebody asked for them by name.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.broker.requests:topic_creation;

import millrace.base;
import millrace.broker.requests.configs;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.runtime;
import :surroundings;

export namespace millrace::broker {

// Topics that one shard has asked the controllers for and has no answer about. Who asks for
// another meanwhile is told that there is none, as for all of them, and asks again.
inline constexpr std::size_t topics_in_creation_max = 1000;

// Of __consumer_offsets, where offsets.topic.segment.bytes is not set. The last segment of a
// partition is never cleaned, and each start of a coordinator reads the old commits in it.
inline constexpr std::size_t group_segment_bytes_default = 4 * mebibyte;
// What was cleaned away does not stay on the disk as long as in topics that others read.
inline constexpr std::chrono::milliseconds group_delete_delay{100};

struct NewTopic {
  std::string name;
  std::int32_t partitions = 1;
  std::int16_t replication_factor = 1;
  std::vector<std::pair<std::string, std::string>> settings;

  friend bool operator==(const NewTopic&, const NewTopic&) = default;
};

// By num.partitions and default.replication.factor.
[[nodiscard]] NewTopic ordinary_topic(std::string_view name, const ServerConfig& config);
// __consumer_offsets, with no more replicas than there are brokers: with fewer brokers than the
// configured factor no group would ever work.
[[nodiscard]] NewTopic group_topic(const ServerConfig& config, std::size_t broker_count);

// Asks the controllers for topics, each once at a time, and lets nobody wait for it. One a shard.
// What goes wrong is in the log. stop() before it ends.
class TopicCreation {
 public:
  TopicCreation(const HandlerSurroundings& around, Logger log)
      : around_(around), log_(std::move(log), around.executor.clock()) {}
  TopicCreation(const TopicCreation&) = delete;
  TopicCreation& operator=(const TopicCreation&) = delete;

  // On behalf of whoever sent the request with this context.
  void create(NewTopic topic, const RequestContext& asked);
  // Of internal and ordinary topics, what their settings say.
  void create_missing(std::string_view name, const RequestContext& asked);

  // Waits for the answers about all topics; no more is made afterwards.
  [[nodiscard]] Task<void> stop();

 private:
  [[nodiscard]] Task<void> ask_controllers(NewTopic topic, rpc::Forward request);
  void tell_outcome(const NewTopic& topic, const std::vector<std::byte>& body);
  void warn_of_few_replicas(const NewTopic& topic);

  const HandlerSurroundings& around_;
  LimitedLogger log_;
  std::set<std::string, std::less<>> names_;
  TaskGroup running_;
  bool stopped_ = false;
};

}  // namespace millrace::broker
