// What is behind a MockProducer: records and their outcomes, and transactions.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../library/transaction_host.hpp"
#include "millrace/mock/mock_producer.hpp"

namespace millrace::inline v1 {

// Owned by its MockProducer. Any thread; those who are told of outcomes are called without the
// lock.
class MockProducer::Implementation final : public detail::TransactionHost {
 public:
  using Outcome = Result<Delivery>;
  using Done = Future<Result<void>>;

  explicit Implementation(MockProducerOptions options) : options_(std::move(options)) {}

  Result<void> take(const Record& record, std::function<void(const Outcome&)> tell);
  Result<void> post(const Record& record, std::uint64_t tag);
  Future<Result<void>> when_room();
  void on_delivery(DeliveryHandler handler);
  Result<void> flush(std::chrono::milliseconds time);
  Result<void> close(std::chrono::milliseconds time);
  Result<std::int32_t> partition_count(std::string_view topic) const;

  // --- As transactions ask it. ---
  [[nodiscard]] std::optional<Error> cannot_wait() const override { return std::nullopt; }
  [[nodiscard]] Future<Outcome> send(const Record& record, WhenFull when_full) override;
  [[nodiscard]] Done init(std::chrono::milliseconds time) override;
  [[nodiscard]] Future<Result<std::uint64_t>> begin(std::chrono::milliseconds time) override;
  [[nodiscard]] Done send_offsets(std::uint64_t transaction, const GroupMembership& group,
                                  const Offsets& offsets, std::chrono::milliseconds time) override;
  [[nodiscard]] Done commit(std::uint64_t transaction, std::chrono::milliseconds time) override;
  [[nodiscard]] Done abort(std::uint64_t transaction, std::chrono::milliseconds time) override;

  // --- Of the test. ---
  [[nodiscard]] std::vector<OwnedRecord> history() const;
  [[nodiscard]] std::vector<OwnedRecord> uncommitted() const;
  [[nodiscard]] std::vector<SentOffsets> committed_offsets() const;
  [[nodiscard]] std::vector<SentOffsets> uncommitted_offsets() const;
  [[nodiscard]] std::size_t commit_count() const;
  [[nodiscard]] std::size_t abort_count() const;
  [[nodiscard]] bool is_in_transaction() const;
  void clear_history();
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t flush_count() const;
  [[nodiscard]] bool is_closed() const;
  bool complete_next();
  bool fail_next(const Error& error);
  void refuse_next(Error error, std::size_t times);
  void set_full(bool is_full);
  void fail_next_call(TransactionCall call, Error error);
  void fence();

 private:
  struct Refusal {
    Error error;
    std::size_t times = 0;
  };
  // A record and whom to tell of it. Told outside of every lock: who is told may send.
  struct Sent {
    OwnedRecord record;
    std::function<void(const Outcome&)> tell;

    void deliver() const {
      tell(Delivery{
          .partition = record.partition, .offset = record.offset, .timestamp = record.timestamp});
    }
  };
  // ending: from commit() on, also where it failed, until it is committed or aborted.
  enum class Phase : std::uint8_t { without_id, ready, open, ending };

  // With the lock held.
  [[nodiscard]] std::optional<Error> end() const;
  [[nodiscard]] static Error ending_error();
  std::optional<Error> refusal();
  [[nodiscard]] std::int32_t count_of(std::string_view topic) const;
  Result<std::int32_t> partition_for(const Record& record);
  std::optional<Sent> next();
  // The records of the history, or of the transaction.
  [[nodiscard]] std::vector<OwnedRecord>& taken();
  // What a call fails with, by the state or as the test planned it; none: it may go on.
  std::optional<Error> refusal_of(TransactionCall call);
  // Whether there is a transaction, be it that it takes nothing more.
  [[nodiscard]] bool has_transaction() const {
    return phase_ == Phase::open || phase_ == Phase::ending;
  }
  [[nodiscard]] std::optional<Error> not_open(std::uint64_t transaction) const;
  std::optional<Error> try_init();
  void lost(const Error& why);
  void drop_transaction();

  // Without.
  void complete_all();
  void fail_all(const Error& error);
  void tell_room(const Result<void>& outcome);
  Result<void> try_commit(std::uint64_t transaction);
  Result<void> try_abort(std::uint64_t transaction);

  const MockProducerOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const DeliveryHandler> handler_;
  std::map<TopicPartition, std::int64_t> ends_;
  std::map<std::string, std::uint32_t, std::less<>> turns_;
  std::vector<OwnedRecord> history_;
  std::deque<Sent> waiting_;
  std::deque<Refusal> refusals_;
  bool is_full_ = false;
  std::vector<detail::Promise<Result<void>>> rooms_;  // of when_room()
  std::size_t flush_count_ = 0;
  bool is_closed_ = false;
  std::optional<Error> broken_;  // for good

  // Of transactions.
  Phase phase_ = Phase::without_id;
  std::uint64_t number_ = 0;
  std::optional<Error> must_abort_;  // why the open one
  std::vector<OwnedRecord> uncommitted_;
  std::vector<SentOffsets> uncommitted_offsets_;
  std::vector<SentOffsets> committed_offsets_;
  std::size_t commit_count_ = 0;
  std::size_t abort_count_ = 0;
  std::map<TransactionCall, std::deque<Error>> planned_;
};

}  // namespace millrace::inline v1
