// The partitions of one shard.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

export module millrace.broker.partitions:shard_partitions;

import millrace.base;
import millrace.config;
import millrace.metadata;
import millrace.protocol.api;
import millrace.runtime;
import millrace.storage.manager;
import :partition;
import :settings;

export namespace millrace::broker {

// Logs that are made, opened again or removed at a time.
inline constexpr std::size_t changes_at_a_time_max = 64;
// Failures of one image that are told of one by one.
inline constexpr std::size_t told_failures_max = 10;
// Topics that are looked at before others may run.
inline constexpr std::size_t topics_per_slice = 256;
// Partitions that could not be made are tried again so often.
inline constexpr std::chrono::seconds failed_partition_retry{10};

// Of a partition of an internal topic: who coordinates from it must know.
struct LeadershipChange {
  std::string topic;
  PartitionIndex partition;
  // Of this broker, or nothing: it does not lead any more.
  std::optional<LeaderEpoch> led;
};

// What following an image took.
struct Applied {
  std::size_t made = 0;
  std::size_t removed = 0;
  std::size_t failed = 0;
};

// Who leads a partition, for NOT_LEADER_OR_FOLLOWER.
struct LeaderHint {
  BrokerId leader = no_broker;
  LeaderEpoch epoch = no_leader_epoch;
};
[[nodiscard]] LeaderHint leader_hint(const metadata::Image& image, std::string_view topic,
                                     PartitionIndex partition);
[[nodiscard]] LeaderHint leader_hint(const metadata::Image& image, const Uuid& topic_id,
                                     PartitionIndex partition);

// Where that leader is reached by the listener that the client came by, once; for the answers that
// have node endpoints.
template <class NodeEndpoint>
void add_endpoint(std::vector<NodeEndpoint>& endpoints, const metadata::Image& image,
                  std::string_view listener, BrokerId leader) {
  for (const NodeEndpoint& known : endpoints) {
    if (known.node_id == leader.value()) return;
  }
  const metadata::Broker* const broker = image.broker(leader);
  const metadata::Endpoint* const endpoint =
      broker == nullptr ? nullptr : broker->endpoint(listener);
  if (endpoint == nullptr) return;
  NodeEndpoint& added = endpoints.emplace_back();
  added.node_id = leader.value();
  added.host = endpoint->host;
  added.port = endpoint->port;
  if (broker->rack) added.rack = *broker->rack;
}

// Belongs to one shard, on its thread; its manager outlives it, and stop() comes before the
// manager's. Finds partitions for requests, and follows the metadata: makes and removes logs,
// becomes leader, takes over settings. A log that cannot be made or opened is told of in the log
// and tried again every few seconds; requests for it get KAFKA_STORAGE_ERROR meanwhile.
class Partitions {
 public:
  Partitions(const PartitionContext& context, storage::LogManager& manager, BrokerId self,
             ShardIndex shard, std::uint32_t shard_count,
             std::shared_ptr<const config::ServerConfig> server, Logger log);
  Partitions(const Partitions&) = delete;
  Partitions& operator=(const Partitions&) = delete;
  ~Partitions();

  // --- For requests ---

  // The partition if this broker leads it, and the caller's leader epoch (-1: not known) is right;
  // else the code for the client: NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION,
  // UNKNOWN_TOPIC_ID, KAFKA_STORAGE_ERROR, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
  [[nodiscard]] Result<Partition*, ErrorCode> leader(const Uuid& topic_id, PartitionIndex partition,
                                                     LeaderEpoch current = no_leader_epoch) const;
  [[nodiscard]] Result<Partition*, ErrorCode> leader(std::string_view topic,
                                                     PartitionIndex partition,
                                                     LeaderEpoch current = no_leader_epoch) const;
  // Led or not; null if it is not here.
  [[nodiscard]] Partition* find(std::string_view topic, PartitionIndex partition) const;
  // Never null.
  [[nodiscard]] const std::shared_ptr<const metadata::Image>& image() const { return image_; }
  [[nodiscard]] ShardIndex shard() const { return shard_; }
  [[nodiscard]] std::uint32_t shard_count() const { return shard_count_; }
  [[nodiscard]] BrokerId self() const { return self_; }
  [[nodiscard]] storage::LogManager& manager() { return manager_; }
  [[nodiscard]] std::size_t count() const { return count_; }

  // --- Following the metadata ---

  // Called on this shard; set before the first image.
  void on_leadership(std::function<void(LeadershipChange)> listener) {
    on_leadership_ = std::move(listener);
  }
  // Each image once, in order; one at a time. Costs in proportion to the delta.
  [[nodiscard]] Task<Applied> apply(std::shared_ptr<const metadata::Image> image,
                                    const metadata::Delta& delta);
  // The image is the cluster's as of now: what lies on disk and is in no topic is set aside, and
  // partitions that come from now on were never here. Once.
  [[nodiscard]] Task<Applied> caught_up();
  // Other settings of the server: all topics take them over. Not while the metadata are followed.
  [[nodiscard]] Task<void> set_server_config(std::shared_ptr<const config::ServerConfig> server);
  // For a log that is opened. Before the topic is known nothing of it is deleted or compacted:
  // its settings may forbid it.
  [[nodiscard]] storage::LogConfig config_of(const std::string& topic) const;

  // No request is served any more, and logs are given back. The manager may be stopped when those
  // who hold partitions are done.
  [[nodiscard]] Task<void> stop();

 private:
  // A topic with partitions on this shard.
  struct HostedTopic {
    std::string name;
    Uuid id;
    std::shared_ptr<const TopicSettings> settings;
    std::vector<std::shared_ptr<Partition>> partitions;  // by index; null: not here
  };
  struct NameHash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>{}(name);
    }
  };
  // Ids are random.
  struct IdHash {
    [[nodiscard]] std::size_t operator()(const Uuid& id) const;
  };
  using Topics =
      std::unordered_map<std::string, std::unique_ptr<HostedTopic>, NameHash, std::equal_to<>>;
  struct Work;

  [[nodiscard]] Result<Partition*, ErrorCode> led(const HostedTopic& topic,
                                                  PartitionIndex partition,
                                                  LeaderEpoch current) const;
  [[nodiscard]] HostedTopic& hosted(const metadata::Topic& topic);
  [[nodiscard]] std::shared_ptr<const TopicSettings> settings_for(const std::string& topic) const;
  void forget_topic(HostedTopic& topic, Work& work);
  void follow_topic(const metadata::Topic& topic, Work& work);
  void follow_partition(HostedTopic& topic, const metadata::Partition& partition, Work& work);
  void follow_settings(const std::string& topic);
  void forget_other_topics(Work& work);
  [[nodiscard]] Task<void> do_all(Work& work);
  [[nodiscard]] Task<void> remove_next(Work& work);
  [[nodiscard]] Task<void> make_next(Work& work);
  [[nodiscard]] Task<void> make(storage::TopicPartition partition, storage::Novelty novelty,
                                Work& work);
  [[nodiscard]] Task<void> try_failed_again();
  void tell(const Partition& partition, std::optional<LeaderEpoch> led);
  void remove_partition(std::shared_ptr<Partition>& place, Work& work);
  void note_failure(const storage::TopicPartition& partition, const storage::StorageError& error,
                    Work& work);

  PartitionContext context_;
  storage::LogManager& manager_;
  BrokerId self_;
  ShardIndex shard_;
  std::uint32_t shard_count_;
  std::shared_ptr<const config::ServerConfig> server_;
  Logger log_;
  std::function<void(LeadershipChange)> on_leadership_;
  std::shared_ptr<const metadata::Image> image_;
  // Of topics without settings of their own.
  std::shared_ptr<const TopicSettings> default_settings_;
  Topics topics_;
  std::unordered_map<Uuid, HostedTopic*, IdHash> topics_by_id_;
  // Partitions that should be here and are not.
  std::set<storage::TopicPartition> failed_;
  std::size_t count_ = 0;
  bool caught_up_ = false;
  bool stopped_ = false;
  AsyncMutex following_;
  storage::Ticker retries_;
  TaskGroup tasks_;
};

// The partitions of all shards, by shard; each is touched on its own shard only.
using PartitionsOfShards = std::vector<Partitions*>;

}  // namespace millrace::broker
