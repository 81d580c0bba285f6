// Consumer: receives records, alone or as a member of a group.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/config.hpp"
#include "millrace/future.hpp"
#include "millrace/interceptors.hpp"
#include "millrace/metrics.hpp"
#include "millrace/options.hpp"
#include "millrace/record.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"
#include "millrace/uuid.hpp"

namespace millrace::inline v1 {

// How far a partition was read.
struct Lag {
  std::int64_t position = 0;  // what is read next
  std::int64_t end = 0;

  [[nodiscard]] std::int64_t records() const noexcept { return end - position; }
};

// A partition that is read, has records and does not advance, or of which nobody tells whether it
// has.
struct StalledPartition {
  TopicPartition partition;
  std::int64_t position = -1;  // what is read next; -1: not known
  std::int64_t end = -1;       // as far as brokers have told; -1: not known
  std::chrono::milliseconds stalled_for{};
  std::string why = {};  // for people

  friend bool operator==(const StalledPartition&, const StalledPartition&) = default;
};

// Where the first record of a time or later is.
struct FoundOffset {
  std::int64_t offset = -1;  // -1: there is none
  std::optional<Timestamp> timestamp = {};
};

// Who a consumer is in its group: what a transaction says when it commits offsets for it.
struct GroupMembership {
  std::string group_id;
  std::int32_t generation = -1;  // -1: offsets are not those of a member
  std::string member_id = {};
  std::optional<std::string> instance_id = {};
};

using RebalanceHandler = std::function<void(const std::vector<TopicPartition>& partitions)>;

// Receives records from Millrace or Apache Kafka. Owns a thread, which fetches ahead and keeps the
// membership in a group alive while the application works. Functions may be called from any thread,
// but one poll() or next() at a time. Those that wait must not be called on the consumer's own
// thread (in a function given to then() or in a coroutine after co_await).
//
// It does not work in a child of a fork(): calls fail there.
class MILLRACE_API Consumer {
 public:
  // How long the destructor waits to commit and to leave the group.
  static constexpr std::chrono::seconds closing_time_max{10};
  // How long calls wait for brokers that are given no time.
  static constexpr std::chrono::seconds waiting_time{30};

  // Throws Failed when the settings cannot be: its message tells all that is wrong.
  explicit Consumer(const Config& config, const ClientOptions& options = {});
  // The same without an exception.
  [[nodiscard]] static Result<Consumer> open(const Config& config,
                                             const ClientOptions& options = {});
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  // close(closing_time_max), if that has not been called. Records that it gave stay valid. On the
  // consumer's own thread (as at the end of a coroutine) it does not wait: that goes on by itself,
  // and no rebalance handler is called.
  ~Consumer();

  // --- What is read: topics shared with a group, or partitions of one's own. ---
  Result<void> subscribe(std::vector<std::string> topics);
  // All topics whose whole name matches the ECMAScript expression, those to come too.
  Result<void> subscribe_pattern(std::string_view pattern);
  // The same, matched by the broker (RE2 in Apache Kafka): with group.protocol=consumer only. One
  // that the broker cannot read fails a poll with ErrorCode::invalid_regular_expression.
  Result<void> subscribe_broker_pattern(std::string_view pattern);
  Result<void> assign(const std::vector<TopicPartition>& partitions);
  Result<void> unsubscribe(std::chrono::milliseconds time = waiting_time);
  [[nodiscard]] Result<std::vector<TopicPartition>> assignment() const;

  // Rebalances; before subscribe(). The handlers must not throw, poll or close. Called by the
  // thread that is in poll(), unsubscribe() or close(), and may then commit or seek; after next()
  // by the consumer's thread, where waiting is refused.
  Consumer& on_assigned(RebalanceHandler handler);
  // What was done with records of these can still be committed.
  Consumer& on_revoked(RebalanceHandler handler);
  // These have gone: others may read them already.
  Consumer& on_lost(RebalanceHandler handler);

  // --- Records. ---
  // Up to max.poll.records, as soon as there are any; none when the time passed. What the poll
  // before gave counts as done.
  Result<Records> poll(std::chrono::milliseconds time);
  // The same without an end: `while (auto batch = co_await consumer.next())`.
  Future<Result<Records>> next();
  // The poll that waits, or else the next one, fails at once with a retriable error.
  Result<void> wake();
  // Readable while poll() has something to give or to do: records, a rebalance, an error, a commit
  // or a sign of life that is due. For poll(2), epoll, Asio; call poll() with no time then. Belongs
  // to the consumer: do not read or close it.
  [[nodiscard]] Result<int> event_fd();

  // Before the first poll. The one that was added first is called first.
  void add_interceptor(std::shared_ptr<ConsumerInterceptor> interceptor);

  // --- Places. ---
  Result<void> pause(const std::vector<TopicPartition>& partitions);
  Result<void> resume(const std::vector<TopicPartition>& partitions);
  [[nodiscard]] Result<std::vector<TopicPartition>> paused() const;
  Result<void> seek(const TopicPartition& partition, std::int64_t offset);
  // Back to where these records begin, to read them again, in partitions that it still reads.
  Result<void> rewind(const Records& batch);
  Result<void> seek_to_beginning(const TopicPartition& partition);
  Result<void> seek_to_end(const TopicPartition& partition);
  Result<void> seek_to_time(const TopicPartition& partition, Timestamp time);
  [[nodiscard]] Result<std::int64_t> position(const TopicPartition& partition,
                                              std::chrono::milliseconds time = waiting_time) const;
  // Of the assigned partitions of which it is known.
  [[nodiscard]] Result<std::map<TopicPartition, Lag>> lag() const;
  // Partitions of which the application got nothing for half a minute or longer, though there is
  // something, paused ones left out; each is also logged once. None: all goes well.
  [[nodiscard]] Result<std::vector<StalledPartition>> stalled() const;

  // --- Offsets of the group. ---
  // Everything that polls gave.
  Result<void> commit(std::chrono::milliseconds time = waiting_time);
  Result<void> commit(const Offsets& offsets, std::chrono::milliseconds time = waiting_time);
  // Does not wait; a failure is logged, or given to the function.
  void commit_async();
  void commit_async(std::function<void(const Result<void>&)> done);
  // Fails for a subscriber that is no member now.
  [[nodiscard]] Result<GroupMembership> membership() const;
  // Partitions without a committed offset are left out.
  [[nodiscard]] Result<Offsets> committed(const std::vector<TopicPartition>& partitions,
                                          std::chrono::milliseconds time = waiting_time) const;

  // --- Offsets of any partitions. ---
  [[nodiscard]] Result<Offsets> beginning_offsets(
      const std::vector<TopicPartition>& partitions,
      std::chrono::milliseconds time = waiting_time) const;
  [[nodiscard]] Result<Offsets> end_offsets(const std::vector<TopicPartition>& partitions,
                                            std::chrono::milliseconds time = waiting_time) const;
  [[nodiscard]] Result<std::map<TopicPartition, FoundOffset>> offsets_for_times(
      const std::map<TopicPartition, Timestamp>& times,
      std::chrono::milliseconds time = waiting_time) const;

  // --- What it measures of itself. ---
  [[nodiscard]] Result<Metrics> metrics() const;
  // By which brokers that collect metrics of clients know this one (KIP-714); they give it once.
  [[nodiscard]] Result<Uuid> client_instance_id(
      std::chrono::milliseconds time = waiting_time) const;

  // Commits as enable.auto.commit says, leaves the group, ends. Later calls fail.
  Result<void> close(std::chrono::milliseconds time = closing_time_max);

 private:
  class Implementation;
  explicit Consumer(std::unique_ptr<Implementation> implementation) noexcept;

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::inline v1
