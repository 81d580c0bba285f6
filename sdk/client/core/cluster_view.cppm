// A cluster as a client knows it: an immutable picture.
module;
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.core:cluster_view;

import millrace.base;
import millrace.protocol.api;
import :error;
import :settings;

export namespace millrace::client {

struct TopicPartition {
  std::string topic;
  PartitionIndex partition{0};

  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
  friend bool operator==(const TopicPartition&, const TopicPartition&) = default;
};

// "orders-3".
[[nodiscard]] std::string to_string(const TopicPartition& partition);

struct BrokerView {
  BrokerId id = no_broker;
  HostPort address;
  std::optional<std::string> rack;

  friend bool operator==(const BrokerView&, const BrokerView&) = default;
};

struct PartitionView {
  PartitionIndex index{0};
  ErrorCode error = ErrorCode::none;
  BrokerId leader = no_broker;
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> isr;
  std::vector<BrokerId> offline;

  friend bool operator==(const PartitionView&, const PartitionView&) = default;
};

struct TopicView {
  std::string name;
  Uuid id;  // zero where the broker gives none
  ErrorCode error = ErrorCode::none;
  bool is_internal = false;
  std::vector<PartitionView> partitions;  // in the order of their indexes, which may have gaps

  [[nodiscard]] const PartitionView* find(PartitionIndex index) const;
  friend bool operator==(const TopicView&, const TopicView&) = default;
};

// Immutable once it is shared; on any thread. Pictures that follow one another share the topics
// that did not change.
class ClusterView {
 public:
  using Topics = std::map<std::string, std::shared_ptr<const TopicView>, std::less<>>;

  [[nodiscard]] const TopicView* find(std::string_view topic) const;
  [[nodiscard]] const TopicView* find(const Uuid& topic_id) const;
  [[nodiscard]] const PartitionView* find(std::string_view topic, PartitionIndex partition) const;
  [[nodiscard]] const BrokerView* find(BrokerId broker) const;
  // By name.
  [[nodiscard]] const Topics& topics() const { return topics_; }
  [[nodiscard]] std::span<const BrokerView> brokers() const { return brokers_; }

  std::string cluster_id;  // empty while it is not known
  BrokerId controller = no_broker;
  std::uint64_t generation = 0;  // counts the pictures of one client
  MonotonicTime refreshed{};     // when the broker was asked last with success

  // For those that make a picture. Brokers are in the order of their ids.
  void set_brokers(std::vector<BrokerView> brokers);
  void set_topic(std::shared_ptr<const TopicView> topic);
  void remove_topic(std::string_view name);
  void clear_topics();

 private:
  std::vector<BrokerView> brokers_;
  Topics topics_;
  std::map<Uuid, std::shared_ptr<const TopicView>> topics_by_id_;
};

}  // namespace millrace::client

export template <>
struct std::hash<millrace::client::TopicPartition> {
  std::size_t operator()(const millrace::client::TopicPartition& partition) const noexcept {
    return std::hash<std::string>{}(partition.topic) * 31 +
           static_cast<std::size_t>(partition.partition.value());
  }
};
