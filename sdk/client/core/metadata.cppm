// What a client knows of its cluster, kept fresh.
module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

export module millrace.client.core:metadata;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;
import :brokers;
import :cluster_view;
import :error;
import :settings;

export namespace millrace::client {

// The longest name that a topic can have.
inline constexpr std::size_t topic_name_bytes_max = 249;
// Whether a topic may have it, as far as its size goes. What no request has room for would make
// requests about other topics fail.
[[nodiscard]] inline bool is_possible_topic(std::string_view name) {
  return !name.empty() && name.size() <= topic_name_bytes_max;
}

struct LeaderOf {
  BrokerId broker = no_broker;
  LeaderEpoch epoch = no_leader_epoch;
  Uuid topic_id;

  friend bool operator==(const LeaderOf&, const LeaderOf&) = default;
};

struct MetadataOptions {
  // Whether asking for a topic may make it, where brokers allow that.
  bool allow_auto_topic_creation = false;
  // Topics that nobody wanted for so long are forgotten (metadata.max.idle.ms); none: never.
  std::optional<Duration> topic_idle_max = {};
};

// Belongs to the thread of its executor, but for view(). Asks brokers when topics are wanted that
// it does not know, when what it knows is old, and when it was told to. Ends after close() has.
class Metadata {
 public:
  Metadata(Executor& executor, Brokers& brokers, const CommonSettings& settings,
           MetadataOptions options, Logger logger, Random random = Random(0));
  ~Metadata();
  Metadata(const Metadata&) = delete;
  Metadata& operator=(const Metadata&) = delete;

  // The newest picture. On any thread.
  [[nodiscard]] std::shared_ptr<const ClusterView> view() const;

  // The topic is asked for from now on; soon, if it is not known. Not if none can have that name.
  void want(std::string_view topic);
  // All topics of the cluster are, as a subscription by pattern needs.
  void want_all(bool all);
  // The topic is left out from the next picture on, unless all are wanted.
  void forget(std::string_view topic);

  // Asks now, and again after failures until the deadline. Callers at one time share a request.
  [[nodiscard]] Task<ClientResult<void>> refresh(MonotonicTime deadline);
  // What is known may be wrong: asks soon, but not more often than retry.backoff.ms allows.
  void invalidate();

  // Waits until the topic is known without an error. Fails at once where waiting cannot help: no
  // permission, no legal name.
  [[nodiscard]] Task<ClientResult<std::shared_ptr<const TopicView>>> topic(std::string name,
                                                                           MonotonicTime deadline);
  // Waits until the partition has a leader.
  [[nodiscard]] Task<ClientResult<LeaderOf>> leader(TopicPartition partition,
                                                    MonotonicTime deadline);
  // The leader as it is known now; none: nobody knows one.
  [[nodiscard]] std::optional<LeaderOf> known_leader(std::string_view topic,
                                                     PartitionIndex partition) const;

  // An answer of Produce or Fetch told who leads. What is older than what is known is left out;
  // `endpoint` is where that broker is, if it was told.
  void apply_leader_hint(std::string_view topic, PartitionIndex partition, BrokerId leader,
                         LeaderEpoch epoch, const std::optional<BrokerEndpoint>& endpoint);

  // Called with each new picture, on the thread of the executor. For as long as this lives.
  using Changed = std::function<void(const std::shared_ptr<const ClusterView>&)>;
  void on_change(Changed changed);

  // Asks nothing more; who waits fails with Failure::closed. Waits for the question that is under
  // way, which its Brokers end when they close: they are closed before this, or meanwhile.
  [[nodiscard]] Task<void> close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::client
