// A consumer of records that the test gives it.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/config.hpp"
#include "millrace/consumer.hpp"
#include "millrace/future.hpp"
#include "millrace/record.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

struct MockConsumerOptions {
  std::string group_id = "mock";
  std::size_t max_poll_records = 500;
  // Where partitions without a committed offset begin.
  OffsetReset offset_reset = OffsetReset::earliest;
  // Each poll commits what the polls before gave, and close() what all gave.
  bool auto_commit = false;
  // poll() waits for its time when there is nothing. Otherwise it never waits.
  bool waits = false;
};

// Has all that a Consumer has, without a broker, a thread or settings: code over a ConsumerLike
// takes either. Nobody is assigned anything by subscribing: the test says so by rebalance(). All
// functions may be called from any thread, but for moving and destroying; one poll() or next() at a
// time.
//
// A mistake of the test, such as a record at an offset that is taken, throws Failed.
class MILLRACE_API MockConsumer {
 public:
  static constexpr std::chrono::seconds closing_time_max = Consumer::closing_time_max;
  static constexpr std::chrono::seconds waiting_time = Consumer::waiting_time;

  explicit MockConsumer(MockConsumerOptions options = {});
  MockConsumer(MockConsumer&&) noexcept;
  MockConsumer& operator=(MockConsumer&&) noexcept;
  // close().
  ~MockConsumer();

  // --- As Consumer has it. ---
  Result<void> subscribe(std::vector<std::string> topics);
  Result<void> subscribe_pattern(std::string_view pattern);
  // Read as subscribe_pattern() reads it.
  Result<void> subscribe_broker_pattern(std::string_view pattern);
  Result<void> assign(const std::vector<TopicPartition>& partitions);
  Result<void> unsubscribe(std::chrono::milliseconds time = waiting_time);
  [[nodiscard]] Result<std::vector<TopicPartition>> assignment() const;

  // Called by the thread that is in poll(), unsubscribe() or close(); after next() by the thread
  // that tells of the rebalance.
  MockConsumer& on_assigned(RebalanceHandler handler);
  MockConsumer& on_revoked(RebalanceHandler handler);
  MockConsumer& on_lost(RebalanceHandler handler);

  Result<Records> poll(std::chrono::milliseconds time);
  Future<Result<Records>> next();
  Result<void> wake();

  Result<void> pause(const std::vector<TopicPartition>& partitions);
  Result<void> resume(const std::vector<TopicPartition>& partitions);
  [[nodiscard]] Result<std::vector<TopicPartition>> paused() const;
  Result<void> seek(const TopicPartition& partition, std::int64_t offset);
  // Back to where the batch began, of the partitions that are assigned still.
  Result<void> rewind(const Records& batch);
  Result<void> seek_to_beginning(const TopicPartition& partition);
  Result<void> seek_to_end(const TopicPartition& partition);
  Result<void> seek_to_time(const TopicPartition& partition, Timestamp time);
  [[nodiscard]] Result<std::int64_t> position(const TopicPartition& partition,
                                              std::chrono::milliseconds time = waiting_time) const;
  [[nodiscard]] Result<std::map<TopicPartition, Lag>> lag() const;
  // What set_stalled() said of the partitions that are assigned and not paused.
  [[nodiscard]] Result<std::vector<StalledPartition>> stalled() const;

  Result<void> commit(std::chrono::milliseconds time = waiting_time);
  Result<void> commit(const Offsets& offsets, std::chrono::milliseconds time = waiting_time);
  // Done before it returns; a failure without a function goes to the standard error output.
  void commit_async();
  void commit_async(std::function<void(const Result<void>&)> done);
  // Its place in the group: in another generation after each rebalance(), in none after lose().
  [[nodiscard]] Result<GroupMembership> membership() const;
  [[nodiscard]] Result<Offsets> committed(const std::vector<TopicPartition>& partitions,
                                          std::chrono::milliseconds time = waiting_time) const;

  [[nodiscard]] Result<Offsets> beginning_offsets(
      const std::vector<TopicPartition>& partitions,
      std::chrono::milliseconds time = waiting_time) const;
  [[nodiscard]] Result<Offsets> end_offsets(const std::vector<TopicPartition>& partitions,
                                            std::chrono::milliseconds time = waiting_time) const;
  [[nodiscard]] Result<std::map<TopicPartition, FoundOffset>> offsets_for_times(
      const std::map<TopicPartition, Timestamp>& times,
      std::chrono::milliseconds time = waiting_time) const;

  Result<void> close(std::chrono::milliseconds time = closing_time_max);

  // --- What the test gives. ---
  // At the end of its partition, which need not be assigned yet. Gives its offset.
  std::int64_t add_record(const Record& record);
  // At its own offset, which must not be before the end of its partition.
  void add_record_at(OwnedRecord record);
  // The records before the offset are gone, and the partition goes on from there at the least.
  void set_beginning(const TopicPartition& partition, std::int64_t offset);
  // From the next poll on the member has these partitions and no others; what is not its any more
  // is revoked.
  void rebalance(std::vector<TopicPartition> partitions);
  // The member was put out of its group: the next poll tells that all it had is lost.
  void lose();
  // These stand still, and no others, until it is called again.
  void set_stalled(std::vector<StalledPartition> stalled);
  // The poll after those that have failed already fails.
  void fail_next_poll(Error error);
  void fail_next_commit(Error error);
  // Called within the next poll that has none to call yet, before it looks for records.
  void at_next_poll(std::function<void()> function);

  // --- What was done with it. ---
  // Topics, or the pattern.
  [[nodiscard]] std::vector<std::string> subscription() const;
  [[nodiscard]] Offsets committed_offsets() const;
  // Each commit that succeeded, also those without offsets.
  [[nodiscard]] std::vector<Offsets> commits() const;
  [[nodiscard]] bool is_closed() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::inline v1
