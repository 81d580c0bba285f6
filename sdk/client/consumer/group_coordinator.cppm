// The broker that coordinates a group: finding it, and the offsets that it keeps.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.client.consumer:group_coordinator;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.protocol.groups;
import millrace.runtime;
import :consumer_meters;

export namespace millrace::client {

struct CommittedOffset {
  Offset offset;
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::string metadata;

  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};
using CommittedOffsets = std::map<TopicPartition, CommittedOffset>;

// As whom a commit is made; nobody, for consumers that assign their partitions themselves.
struct Membership {
  Generation generation = no_generation;
  std::string member_id;
  std::uint64_t times_ended = 0;  // of memberships before it
};

// One per consumer with a group, on its thread. What it is given outlives it.
class GroupCoordinator {
 public:
  GroupCoordinator(Executor& executor, Brokers& brokers, const ConsumerSettings& settings,
                   ConsumerMeters& meters)
      : executor_(executor),
        brokers_(brokers),
        settings_(settings),
        meters_(meters),
        stopping_(executor) {}

  // Asks once. The answer is remembered until it is told to be lost.
  [[nodiscard]] Task<ClientResult<BrokerId>> look_up(MonotonicTime deadline);
  // What is remembered, or asks until there is an answer.
  [[nodiscard]] Task<ClientResult<BrokerId>> find(MonotonicTime deadline);
  void lose() { known_.reset(); }
  [[nodiscard]] std::optional<BrokerId> known() const { return known_; }

  // Of a group whose broker assigns: as whom each attempt is made, as epochs go on meanwhile.
  void ask_as(std::function<Membership()> current) { current_ = std::move(current); }
  // Tries again after failures that may pass, until the deadline. What the answer says about the
  // membership is the code of the error. Partitions that a later commit has, or that are released
  // meanwhile, are left out of further attempts; it fails then.
  [[nodiscard]] Task<ClientResult<void>> commit(CommittedOffsets offsets, Membership membership,
                                                MonotonicTime deadline);
  // They are taken away, and others may commit them: commits that are under way do not any more.
  void release(const std::vector<TopicPartition>& partitions);
  // Those that have none are left out; it fails where one of them is refused.
  [[nodiscard]] Task<ClientResult<CommittedOffsets>> committed(std::vector<TopicPartition> of,
                                                               MonotonicTime deadline);
  // What was committed, and of partitions that are refused why.
  struct Found {
    CommittedOffsets offsets;
    std::map<TopicPartition, ClientError> refused;
  };
  [[nodiscard]] Task<ClientResult<Found>> committed_of_some(std::vector<TopicPartition> of,
                                                            MonotonicTime deadline);
  // Nothing is tried again: who waits for that fails with Failure::closed.
  void stop() {
    is_stopped_ = true;
    stopping_.wake_all();
  }

 private:
  // Before another try; an error when nothing is tried again.
  [[nodiscard]] Task<ClientResult<void>> pause_until(MonotonicTime time);
  [[nodiscard]] Task<ClientResult<void>> commit_numbered(std::uint64_t number,
                                                         CommittedOffsets offsets,
                                                         Membership membership,
                                                         MonotonicTime deadline);
  // As whom an attempt is made; an error where the membership in which it began has ended.
  [[nodiscard]] ClientResult<Membership> still(const Membership& begun) const;
  // The error of the first partition that has one; retriable ones last.
  [[nodiscard]] Task<ClientResult<void>> commit_once(BrokerId broker,
                                                     const CommittedOffsets& offsets,
                                                     const Membership& membership,
                                                     MonotonicTime deadline);
  [[nodiscard]] Task<ClientResult<Found>> fetch_once(BrokerId broker,
                                                     const std::vector<TopicPartition>& of,
                                                     MonotonicTime deadline);
  void note(const ClientError& error);

  Executor& executor_;
  Brokers& brokers_;
  const ConsumerSettings& settings_;
  ConsumerMeters& meters_;
  std::optional<BrokerId> known_;
  std::function<Membership()> current_;
  // Commits are numbered as they begin. Of each partition the last number, or that of its release,
  // as long as commits are under way.
  std::map<TopicPartition, std::uint64_t> last_commits_;
  std::uint64_t commits_ = 0;
  std::size_t commits_under_way_ = 0;
  bool is_stopped_ = false;
  WaitList stopping_;  // who waits before another try
};

}  // namespace millrace::client
