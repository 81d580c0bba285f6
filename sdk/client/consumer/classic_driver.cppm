// Carries out what a member of a classic group decides: sends its requests, and shares out for its
// group.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

export module millrace.client.consumer:classic_driver;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.protocol.groups;
import millrace.runtime;
import millrace.runtime.streams;
import :consumer_meters;
import :group_coordinator;
import :group_driver;

export namespace millrace::client {

// What is added to the longest time that a rebalance may take, for the answer to a join.
inline constexpr Duration join_answer_margin = std::chrono::seconds{5};

[[nodiscard]] MemberOptions member_options(const ConsumerSettings& settings);

class ClassicDriver final : public GroupDriver {
 public:
  ClassicDriver(Executor& executor, Brokers& brokers, Metadata& metadata,
                GroupCoordinator& coordinator, const ConsumerSettings& settings,
                ConsumerMeters& meters, Random random, Logger logger);

  [[nodiscard]] ClassicMember& member() override { return member_; }
  void cluster_changed() override;
  void want_topics() override;
  [[nodiscard]] Task<void> run() override;
  // On the connection where least is in its way: a join waits at the coordinator, and so may a
  // fetch.
  [[nodiscard]] Task<void> send_leave(Leave leave, MonotonicTime deadline) override;

 private:
  [[nodiscard]] Task<void> find_coordinator();
  [[nodiscard]] Task<void> join(const Join& join);
  [[nodiscard]] Task<void> share_out(const ShareOut& task);
  [[nodiscard]] Task<void> sync(const Sync& sync);
  [[nodiscard]] Task<void> heartbeat(const Heartbeat& heartbeat);
  // A call that failed: the coordinator may be another one.
  void failed(const ClientError& error);
  [[nodiscard]] CallOptions options(std::int16_t version_min_static) const;
  // How long the answer may take once the request is under way.
  void answer_within(CallOptions& options, Duration timeout) const;
  [[nodiscard]] std::map<std::string, std::size_t> partitions_of_group() const;

  Brokers& brokers_;
  Metadata& metadata_;
  GroupCoordinator& coordinator_;
  const ConsumerSettings& settings_;
  ConsumerMeters& meters_;
  Logger logger_;
  ClassicMember member_;
  std::optional<MonotonicTime> rebalancing_;  // since when
  bool waits_at_coordinator_ = false;         // for other members
  // Of the leader: the topics of the group, and their partitions when it shared out.
  std::set<std::string> group_topics_;
  std::map<std::string, std::size_t> shared_out_;
};

}  // namespace millrace::client
