// What is behind a MockConsumer: partitions, the group's decisions that a test plans, and polls.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/mock/mock_consumer.hpp"

namespace millrace::inline v1 {

// Owned by its MockConsumer. Any thread; handlers and promises are called without the lock.
class MockConsumer::Implementation {
 public:
  using Partitions = std::vector<TopicPartition>;

  explicit Implementation(const MockConsumerOptions& options) : options_(options) {}

  // --- What is read. ---
  Result<void> subscribe(std::vector<std::string> topics, bool is_pattern);
  Result<void> assign(const Partitions& partitions);
  Result<void> unsubscribe();
  Result<Partitions> assignment() const;
  void set_handler(RebalanceHandler Implementation::* which, RebalanceHandler handler);

  // --- Records. ---
  Result<Records> poll(std::chrono::milliseconds time);
  Future<Result<Records>> next();
  Result<void> wake();

  // --- Places. ---
  Result<void> set_paused(const Partitions& partitions, bool are_paused);
  Result<Partitions> paused() const;
  Result<void> seek(const TopicPartition& partition, std::int64_t offset);
  Result<void> rewind(const Offsets& to);
  // To what `place` gives for the partition's log.
  struct Log;
  Result<void> seek_to(const TopicPartition& partition,
                       const std::function<std::int64_t(const Log&)>& place);
  Result<std::int64_t> position(const TopicPartition& partition);
  Result<std::map<TopicPartition, Lag>> lag() const;
  Result<std::vector<StalledPartition>> stalled() const;

  // --- Offsets. ---
  Result<GroupMembership> membership() const;
  Result<void> commit(const Offsets* offsets);
  Result<Offsets> committed(const Partitions& partitions) const;
  Result<Offsets> offsets(const Partitions& partitions,
                          const std::function<std::int64_t(const Log&)>& place) const;
  Result<std::map<TopicPartition, FoundOffset>> offsets_for_times(
      const std::map<TopicPartition, Timestamp>& times) const;
  Result<void> close();

  // --- Of the test. ---
  std::int64_t add(OwnedRecord record, bool is_at_end);
  void set_beginning(const TopicPartition& partition, std::int64_t offset);
  void plan(std::optional<Partitions> assignment);
  void set_stalled(std::vector<StalledPartition> stalled);
  void fail_next_poll(Error error);
  void fail_next_commit(Error error);
  void at_next_poll(std::function<void()> function);
  std::vector<std::string> subscription() const;
  Offsets committed_offsets() const;
  std::vector<Offsets> commits() const;
  bool is_closed() const;

  struct Log {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::vector<OwnedRecord> records = {};  // by offset

    // The first record at or after the offset.
    [[nodiscard]] std::size_t index_of(std::int64_t offset) const;
    [[nodiscard]] FoundOffset find(Timestamp time) const;
  };

  RebalanceHandler on_assigned;
  RebalanceHandler on_revoked;
  RebalanceHandler on_lost;

 private:
  enum class Kind : std::uint8_t { nothing, topics, pattern, partitions };
  using Lock = std::unique_lock<std::mutex>;

  // With the lock held.
  [[nodiscard]] std::optional<Error> refusal() const;
  [[nodiscard]] std::optional<Error> not_assigned(const TopicPartition& partition) const;
  [[nodiscard]] bool is_in_group() const { return kind_ == Kind::topics || kind_ == Kind::pattern; }
  [[nodiscard]] const Log& log_of(const TopicPartition& partition) const;
  // Where a partition without a position begins, or why it does not.
  Result<std::int64_t> find_position(const TopicPartition& partition);
  std::optional<Error> find_positions();
  std::vector<OwnedRecord> take();
  Result<void> commit_now(const Offsets* offsets);
  void drop(const TopicPartition& partition);

  // With the lock held, which they let go while they call what is the application's.
  void tell(Lock& lock, const RebalanceHandler& handler, const Partitions& partitions);
  void tell_changes(Lock& lock);
  void revoke_all(Lock& lock);
  // One look: records, an error, or nothing yet.
  std::optional<Result<Records>> look(Lock& lock);

  // Without it: something has changed.
  void changed();

  const MockConsumerOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Kind kind_ = Kind::nothing;
  std::int32_t generation_ = 0;  // of the assignment that was told last
  bool is_out_ = false;          // of its group, since
  std::vector<std::string> names_;
  std::map<TopicPartition, std::optional<std::int64_t>> positions_;  // of the assigned ones
  std::set<TopicPartition> paused_;
  std::vector<StalledPartition> stalled_;
  std::map<TopicPartition, Log> logs_;
  Offsets committed_;
  std::vector<Offsets> commits_;
  std::deque<std::optional<Partitions>> planned_;  // none: everything is lost
  std::deque<Error> poll_errors_;
  std::deque<Error> commit_errors_;
  std::deque<std::function<void()>> at_polls_;
  std::optional<detail::Promise<Result<Records>>> waiting_;  // of next()
  bool is_polling_ = false;
  bool is_looking_ = false;  // on behalf of next()
  bool has_news_ = false;
  bool is_woken_ = false;
  bool is_closed_ = false;
};

}  // namespace millrace::inline v1
