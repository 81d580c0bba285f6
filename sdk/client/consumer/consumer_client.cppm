// A consumer: what is below the public one.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.client.consumer:consumer_client;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;
import :consumer_meters;
import :fetcher;
import :group_coordinator;
import :group_driver;
import :offset_lookup;
import :positions;
import :records;
import :watchdog;

export namespace millrace::client {

// Told of rebalances, within poll() and close(), on the thread of the consumer, which goes on when
// the task ends. May call the consumer, but not poll() or close().
class RebalanceListener {
 public:
  virtual ~RebalanceListener() = default;

  // They are read from now on, from where the group is; seek() says otherwise.
  [[nodiscard]] virtual Task<void> assigned(Partitions partitions) = 0;
  // They go to others soon: what was done with their records can still be committed.
  [[nodiscard]] virtual Task<void> revoked(Partitions partitions) = 0;
  // They have gone: others may read them already.
  [[nodiscard]] virtual Task<void> lost(Partitions partitions) = 0;

 protected:
  RebalanceListener() = default;
  RebalanceListener(const RebalanceListener&) = delete;
  RebalanceListener& operator=(const RebalanceListener&) = delete;
};

// How many records were read, as far as it is known, behind the end.
struct PartitionLag {
  Offset position;
  Offset end;
  [[nodiscard]] std::int64_t records() const { return end.since(position); }
};

// Belongs to the thread of its executor; tasks may overlap, but for poll(): one at a time. It
// fetches, sends heartbeats and finds positions between polls; rebalances that take something away
// wait for the next one, so that the application has done what it got. What it is given outlives
// it; ends after close() has, and after the FetchedRecords that it gave.
//
// Failures are ClientErrors; after one of poll() it can be called again, unless the error is fatal.
class ConsumerClient {
 public:
  ConsumerClient(const ConsumerSettings& settings, Executor& executor, Network& network,
                 Resolver& resolver, Logger logger, Random random);
  ~ConsumerClient();
  ConsumerClient(const ConsumerClient&) = delete;
  ConsumerClient& operator=(const ConsumerClient&) = delete;

  // --- What is read. Topics by a group, or partitions by hand. ---
  [[nodiscard]] ClientResult<void> subscribe(std::vector<std::string> topics,
                                             RebalanceListener* listener = nullptr);
  // All topics whose whole name matches, those to come too (an ECMAScript expression).
  [[nodiscard]] ClientResult<void> subscribe_pattern(const std::string& pattern,
                                                     RebalanceListener* listener = nullptr);
  // The same, found by the broker, by its own kind of expression; with group.protocol=consumer
  // only.
  [[nodiscard]] ClientResult<void> subscribe_broker_pattern(const std::string& pattern,
                                                            RebalanceListener* listener = nullptr);
  [[nodiscard]] ClientResult<void> assign(const Partitions& partitions);
  // Commits as auto commit does, leaves the group, reads nothing.
  [[nodiscard]] Task<void> unsubscribe(MonotonicTime deadline);
  [[nodiscard]] Partitions assignment() const;
  [[nodiscard]] const std::vector<std::string>& subscription() const { return topics_; }

  // Up to max.poll.records records, as soon as there are any; none at the deadline. What the poll
  // before gave counts as done.
  [[nodiscard]] Task<ClientResult<FetchedRecords>> poll(MonotonicTime deadline);
  // The poll that waits, or else the next one, ends with Failure::wakened.
  void wake();
  // Tells whether a poll would not have to wait, now and with each change.
  using Readiness = std::function<void(bool is_ready)>;
  void on_readiness(Readiness told);
  // Told after each commit, by whomever it was asked for.
  using Committed = std::function<void(const CommittedOffsets& offsets)>;
  void on_commit(Committed told) { committed_ = std::move(told); }

  // --- Positions. Partitions that are not assigned are bad arguments. ---
  [[nodiscard]] ClientResult<void> pause(const Partitions& partitions);
  [[nodiscard]] ClientResult<void> resume(const Partitions& partitions);
  [[nodiscard]] Partitions paused() const;
  [[nodiscard]] ClientResult<void> seek(const TopicPartition& partition, Offset to);
  // earliest_timestamp, latest_timestamp, or a time; found before the next record.
  [[nodiscard]] ClientResult<void> seek_to_time(const TopicPartition& partition, Timestamp time);
  // Waits until it is known.
  [[nodiscard]] Task<ClientResult<Offset>> position(TopicPartition partition,
                                                    MonotonicTime deadline);
  // By what brokers told last; none: nothing yet.
  [[nodiscard]] std::optional<PartitionLag> lag(const TopicPartition& partition) const;

  // --- Offsets of the group. ---
  // Everything that polls gave.
  [[nodiscard]] Task<ClientResult<void>> commit(MonotonicTime deadline);
  [[nodiscard]] Task<ClientResult<void>> commit(CommittedOffsets offsets, MonotonicTime deadline);
  [[nodiscard]] Task<ClientResult<CommittedOffsets>> committed(std::vector<TopicPartition> of,
                                                               MonotonicTime deadline);
  // Of any partitions: of a time, the first, the end.
  [[nodiscard]] Task<ClientResult<FoundOffsets>> offsets(WantedOffsets wanted,
                                                         MonotonicTime deadline);
  // The partitions of a topic, as the cluster has them.
  [[nodiscard]] Task<ClientResult<std::shared_ptr<const TopicView>>> topic(std::string name,
                                                                           MonotonicTime deadline);

  // --- What is known. ---
  [[nodiscard]] const FetcherCounters& counters() const { return fetcher_.counters(); }
  // As Java's consumer tells them: measuring.cpp.
  void list_metrics(MetricList& to) const;
  // By which brokers that collect metrics of clients know this one; they give it once.
  [[nodiscard]] Task<ClientResult<Uuid>> client_instance_id(MonotonicTime deadline) {
    return instance_id_.get(deadline);
  }
  [[nodiscard]] std::size_t buffered_bytes() const { return fetcher_.buffered_bytes(); }
  [[nodiscard]] Membership membership() const;
  [[nodiscard]] MemberPhase phase() const;
  // Partitions that have data and do not advance; the log says so too.
  [[nodiscard]] std::vector<StalledPartition> stalled() const { return watchdog_.stalled(); }

  // Commits as auto commit does, tells what is revoked, leaves the group, ends all connections.
  // Waits for brokers no longer than the deadline. Nothing is called after it, and no poll waits.
  [[nodiscard]] Task<void> close(MonotonicTime deadline);

 private:
  enum class Subscription : std::uint8_t { none, topics, pattern, broker_pattern, partitions };

  [[nodiscard]] MonotonicTime now() const { return executor_.clock().now(); }
  [[nodiscard]] std::unique_ptr<GroupDriver> make_driver();
  [[nodiscard]] ClientResult<void> begin_subscription(Subscription kind,
                                                      RebalanceListener* listener);
  [[nodiscard]] std::vector<std::string> matching_topics() const;
  // What brokers say of the topic where waiting does not help; none: nothing of that kind.
  [[nodiscard]] std::optional<ClientError> refusal_of(const std::string& topic) const;
  // A topic that is subscribed to and refused is in no assignment: only this tells of it.
  void note_refused_topics();
  void cluster_changed();
  // What is read goes on being asked for.
  void want_topics();
  [[nodiscard]] PositionNeed first_need() const;
  void add_position(const TopicPartition& partition);

  // --- Polling. ---
  [[nodiscard]] Task<void> tell_changes();
  [[nodiscard]] Task<void> tell(const MembershipChange& change);
  [[nodiscard]] std::optional<ClientError> problem();
  // A poll begins, or ends.
  void measure_begin();
  void measure_end();
  [[nodiscard]] MonotonicTime next_look(MonotonicTime deadline) const;
  void commit_if_due();
  // Readiness: readiness.cpp.
  [[nodiscard]] bool is_ready() const;
  [[nodiscard]] bool is_commit_due() const;
  [[nodiscard]] MonotonicTime next_sign_of_life() const;
  [[nodiscard]] Task<void> tell_readiness();
  void note_readiness();
  [[nodiscard]] Task<void> commit_in_background(CommittedOffsets offsets, MonotonicTime deadline);
  [[nodiscard]] CommittedOffsets consumed() const;
  [[nodiscard]] Task<void> commit_before_revoking(const Partitions& partitions);

  // --- Finding positions. ---
  // Each kind of need by itself: one that cannot be met now keeps none of the others waiting.
  using Find = Task<ClientResult<void>> (ConsumerClient::*)();
  [[nodiscard]] Task<void> find_positions(PositionNeed need, AsyncSignal& noted, Find find);
  void note_needs();
  [[nodiscard]] Task<ClientResult<void>> find_committed();
  // Leaders are asked each by itself: where one is slow, the others are asked again meanwhile.
  struct Asking {
    std::set<BrokerId> leaders;          // that have not answered yet
    std::optional<ClientError> refused;  // what asking again does not mend
    bool has_failed = false;             // something must be asked for again, not at once
  };
  [[nodiscard]] static ClientResult<void> outcome(Asking& asking, bool has_leaderless);
  struct Unplaced;
  [[nodiscard]] Task<ClientResult<void>> find_resets();
  [[nodiscard]] Task<void> ask_for_resets(BrokerId leader, std::vector<Unplaced> unplaced);
  // What a new leader says about positions: truncation.cpp.
  struct Unproven;
  [[nodiscard]] Task<ClientResult<void>> find_proofs();
  [[nodiscard]] Task<void> ask_for_proofs(BrokerId leader, std::vector<Unproven> unproven);
  void truncated(PartitionProgress& partition, const Unproven& asked, Offset end,
                 LeaderEpoch epoch);
  [[nodiscard]] Task<void> watch();

  [[nodiscard]] ClientResult<PartitionProgress*> assigned(const TopicPartition& partition);

  const ConsumerSettings settings_;
  Executor& executor_;
  Logger logger_;
  Random random_;
  Brokers brokers_;
  InstanceId instance_id_;
  Metadata metadata_;
  Positions positions_;
  ConsumerMeters meters_;
  Fetcher fetcher_;
  OffsetLookup lookup_;
  std::optional<GroupCoordinator> coordinator_;
  std::unique_ptr<GroupDriver> driver_;  // none without a group
  Watchdog watchdog_;
  AsyncSignal committed_needed_;
  AsyncSignal reset_needed_;
  AsyncSignal proof_needed_;
  Asking resets_;
  Asking proofs_;
  WaitList needs_again_;  // wakes what has failed when the cluster is known better
  WaitList ended_;        // wakes what waits for time when the consumer ends

  Subscription subscription_ = Subscription::none;
  RebalanceListener* listener_ = nullptr;
  std::vector<std::string> topics_;
  std::regex pattern_;
  bool is_woken_ = false;
  bool is_closed_ = false;
  bool is_committing_ = false;
  bool has_given_ = false;  // records since the last commit of its own
  MonotonicTime polled_{};
  std::optional<MonotonicTime> poll_began_;
  std::optional<MonotonicTime> poll_ended_;
  Readiness readiness_;
  Committed committed_;
  std::size_t taken_last_ = 0;  // by a poll that gave something
  MonotonicTime commit_due_{};
  std::optional<ClientError> position_problem_;
  std::optional<ClientError> topic_problem_;
  WaitList positions_found_;
  TaskGroup tasks_;
};

}  // namespace millrace::client
