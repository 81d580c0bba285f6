// Carries out what a member of a group decides: sends its requests, and shares out for its group.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

export module millrace.client.consumer:group_driver;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.protocol.groups;
import millrace.runtime;
import millrace.runtime.streams;
import :consumer_meters;
import :group_coordinator;

export namespace millrace::client {

// What is added to the longest time that a rebalance may take, for the answer to a join.
inline constexpr Duration join_answer_margin = std::chrono::seconds{5};

[[nodiscard]] MemberOptions member_options(const ConsumerSettings& settings);

// Drives one member. On the thread of its consumer, which owns it; what it is given outlives it.
// Ends after run() has: stop() lets it, once calls that are under way end.
class GroupDriver {
 public:
  GroupDriver(Executor& executor, Brokers& brokers, Metadata& metadata,
              GroupCoordinator& coordinator, const ConsumerSettings& settings,
              ConsumerMeters& meters, Random random, Logger logger);

  [[nodiscard]] GroupMember& member() { return member_; }
  [[nodiscard]] const GroupMember& member() const { return member_; }
  // After whatever was told to the member.
  void wake() { signal_.set(); }
  // Called when there may be something to tell the application.
  void on_event(std::function<void()> event) { on_event_ = std::move(event); }
  // Topics or their partitions may have changed.
  void cluster_changed();

  [[nodiscard]] Task<void> run();
  void stop();
  // Tells the coordinator that this member is gone; on the connection where least is in its way: a
  // join waits at the coordinator, and so may a fetch.
  [[nodiscard]] Task<void> send_leave(Leave leave, MonotonicTime deadline);

 private:
  [[nodiscard]] Task<void> find_coordinator();
  [[nodiscard]] Task<void> join(const Join& join);
  [[nodiscard]] Task<void> share_out(const ShareOut& task);
  [[nodiscard]] Task<void> sync(const Sync& sync);
  [[nodiscard]] Task<void> heartbeat(const Heartbeat& heartbeat);
  // A call that failed: the coordinator may be another one.
  void failed(const ClientError& error);
  [[nodiscard]] CallOptions options(std::int16_t version_min_static) const;
  [[nodiscard]] std::map<std::string, std::size_t> partitions_of_group() const;
  [[nodiscard]] MonotonicTime now() const { return executor_.clock().now(); }

  Executor& executor_;
  Brokers& brokers_;
  Metadata& metadata_;
  GroupCoordinator& coordinator_;
  const ConsumerSettings& settings_;
  ConsumerMeters& meters_;
  Logger logger_;
  GroupMember member_;
  std::optional<MonotonicTime> rebalancing_;  // since when
  AsyncSignal signal_;
  std::function<void()> on_event_;
  bool is_stopped_ = false;
  bool waits_at_coordinator_ = false;  // for other members
  // Of the leader: the topics of the group, and their partitions when it shared out.
  std::set<std::string> group_topics_;
  std::map<std::string, std::size_t> shared_out_;
};

}  // namespace millrace::client
