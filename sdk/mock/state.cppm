// What the brokers of the mock know together. Inside this module only.
module;
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module millrace.mock:state;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.storage.producers;
import :administration;
import :faults;
import :fetch_sessions;
import :managed_groups;
import :options;
import :partition_log;
import :topic_settings;

namespace millrace::mock {

inline constexpr std::int32_t partitions_max = 10'000;
inline constexpr std::string_view cluster_id = "millrace-mock-cluster0";

struct Partition {
  explicit Partition(storage::ProducerBudget& budget) : producers(budget) {}

  PartitionIndex index;
  BrokerId leader = no_broker;
  LeaderEpoch epoch{0};
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> in_sync;
  PartitionLog log;
  storage::ProducerStates producers;
  // Transactions that were aborted, by their ends.
  std::vector<storage::CompletedTransaction> aborted;

  // The end of what is decided.
  [[nodiscard]] Offset last_stable_offset() const {
    return producers.first_undecided_offset().value_or(log.end());
  }
};

using Configs = std::map<std::string, std::string>;

struct Topic {
  std::string name;
  Uuid id;
  Configs configs;
  std::vector<std::unique_ptr<Partition>> partitions;

  [[nodiscard]] Partition* find(std::int32_t index) const;
  // The number that a setting has, or `otherwise`.
  [[nodiscard]] std::int64_t number(std::string_view name, std::int64_t otherwise) const;
  [[nodiscard]] bool setting_has(std::string_view name, std::string_view word) const;
};

struct Broker {
  BrokerId id;
  SocketAddress address;
  std::string host;
  bool alive = false;
  Configs configs;
  FetchSessions fetch_sessions = {};
};

// Plain data and the rules that keep it whole: one leader for each partition that has a live
// replica, an epoch for each leader. Belongs to the cluster, on its executor.
class State {
 public:
  State(Executor& executor, const Options& options);

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const Clock& clock() const { return executor_.clock(); }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] const TopicSettings& topic_settings() const { return topic_settings_; }
  [[nodiscard]] Uuid new_id();
  [[nodiscard]] ProducerId new_producer_id() { return ProducerId(next_producer_id_++); }

  // --- Brokers ---
  [[nodiscard]] std::vector<Broker>& brokers() { return brokers_; }
  [[nodiscard]] Broker* broker(BrokerId id);
  [[nodiscard]] std::vector<BrokerId> live() const;
  // The live one with the lowest id.
  [[nodiscard]] BrokerId controller() const;
  [[nodiscard]] BrokerId coordinator_of(std::string_view key) const;
  void set_coordinator(std::string_view key, BrokerId broker);
  void died(BrokerId id);
  void came_back(BrokerId id);

  // --- Topics ---
  using Topics = std::map<std::string, std::unique_ptr<Topic>, std::less<>>;
  [[nodiscard]] Topics& topics() { return topics_; }
  [[nodiscard]] Topic* find(std::string_view name) const;
  [[nodiscard]] Topic* find(const Uuid& id) const;
  [[nodiscard]] ErrorCode refusal_of(std::string_view name, const TopicOptions& options) const;
  // Not for what refusal_of() refuses.
  Topic& create(std::string_view name, const TopicOptions& options);
  void erase(std::string_view name);
  void add_partition(Topic& topic, std::size_t replicas);
  [[nodiscard]] std::size_t replicas_of(const TopicOptions& options) const;
  // At most to the end of the log.
  void delete_before(Partition& partition, Offset offset);
  void lose_from(Partition& partition, Offset offset);
  void move_leader(Partition& partition, BrokerId to);
  // Its replicas are these from now on, and those that live have everything.
  void place(Partition& partition, std::vector<BrokerId> replicas);

  std::size_t stored_bytes = 0;
  Administration administration;
  ManagedGroups managed_groups;

 private:
  void elect(Partition& partition);

  Executor& executor_;
  Options options_;
  Random random_;
  TopicSettings topic_settings_;
  storage::ProducerBudget producers_;
  std::vector<Broker> brokers_;
  Topics topics_;
  std::map<std::string, BrokerId, std::less<>> coordinators_;
  std::int64_t next_producer_id_ = 1000;
};

}  // namespace millrace::mock
