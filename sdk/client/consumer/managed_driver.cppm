// Carries out what a member of a group decides whose broker assigns (group.protocol=consumer).
module;
#include <coroutine>
#include <cstdint>
#include <optional>

export module millrace.client.consumer:managed_driver;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;
import :consumer_meters;
import :group_coordinator;
import :group_driver;

export namespace millrace::client {

[[nodiscard]] ManagedOptions managed_options(const ConsumerSettings& settings);

class ManagedDriver final : public GroupDriver {
 public:
  ManagedDriver(Executor& executor, Brokers& brokers, Metadata& metadata,
                GroupCoordinator& coordinator, const ConsumerSettings& settings,
                ConsumerMeters& meters, Random random, Logger logger);

  [[nodiscard]] ManagedMember& member() override { return member_; }
  void cluster_changed() override;
  [[nodiscard]] Task<void> run() override;
  [[nodiscard]] Task<void> send_leave(Leave leave, MonotonicTime deadline) override;

 private:
  [[nodiscard]] Task<void> find_coordinator();
  [[nodiscard]] Task<void> heartbeat(const GroupHeartbeat& beat);
  // A call that failed: the coordinator may be another one.
  void failed(const ClientError& error);
  [[nodiscard]] TopicNames names() const;
  void measure(MonotonicTime begun);

  Brokers& brokers_;
  Metadata& metadata_;
  GroupCoordinator& coordinator_;
  const ConsumerSettings& settings_;
  ConsumerMeters& meters_;
  Logger logger_;
  ManagedMember member_;
  std::optional<MonotonicTime> rebalancing_;  // since when
};

}  // namespace millrace::client
