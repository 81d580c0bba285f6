// Transaction: records and offsets that are seen together, or never.
#pragma once
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "millrace/abi.hpp"
#include "millrace/consumer.hpp"
#include "millrace/future.hpp"
#include "millrace/producer.hpp"
#include "millrace/record.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

// What Producer::begin() gives. Ends before its producer does; a producer has one at a time. Where
// it did not begin, each function says why.
//
// A failure with needs_abort() leaves only the abort; the next transaction may succeed. One with
// is_fatal() is the end of the producer: another one with the same transactional.id took its place,
// or nobody knows how the transaction ended. Make another producer: it finds out.
//
// Functions may be called from any thread, but for moving and destroying. Those that wait must not
// be called on the producer's own thread (in a function given to then() or in a coroutine after
// co_await); the others may.
class MILLRACE_API Transaction {
 public:
  // How long calls wait for brokers that are given no time.
  static constexpr std::chrono::seconds waiting_time{60};

  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  // Aborts what was not committed. Does not wait for it: the next begin() does, and the end of the
  // producer.
  ~Transaction();

  // Whether it began.
  [[nodiscard]] const Result<void>& begun() const noexcept { return begun_; }

  // As the producer's: copies the record before it returns. A record that is not taken, or is lost
  // later, makes commit() fail.
  Future<Result<Delivery>> send(const Record& record, WhenFull when_full = WhenFull::wait);
  // Calls function(const Result<Delivery>&) on the producer's thread.
  template <class Function>
  void send(const Record& record, Function&& function, WhenFull when_full = WhenFull::wait)
    requires(std::is_invocable_v<Function&, const Result<Delivery>&>)
  {
    send(record, when_full).then(std::forward<Function>(function));
  }

  // For who waits for the commit only.
  void add(const Record& record, WhenFull when_full = WhenFull::wait) {
    static_cast<void>(send(record, when_full));
  }

  // The consumer's group is past this batch when the transaction is committed. The consumer, of
  // which enable.auto.commit is false, must still be the one to say so: a member that others have
  // taken over for is refused.
  Result<void> send_offsets(const Consumer& consumer, const Records& batch,
                            std::chrono::milliseconds time = waiting_time);
  // The same of what takes the place of a consumer.
  template <class C>
  Result<void> send_offsets(const C& consumer, const Records& batch,
                            std::chrono::milliseconds time = waiting_time)
    requires requires {
      { consumer.membership() } -> std::same_as<Result<GroupMembership>>;
    }
  {
    const auto group = consumer.membership();
    if (!group) return group.error();
    return send_offsets(*group, batch.next_offsets(), time);
  }
  Result<void> send_offsets(const GroupMembership& group, const Offsets& offsets,
                            std::chrono::milliseconds time = waiting_time);
  Future<Result<void>> send_offsets_async(const GroupMembership& group, const Offsets& offsets,
                                          std::chrono::milliseconds time = waiting_time);

  // Waits for the outcome of all records; one that was lost makes it fail. When the time passes, it
  // goes on, and another commit() tells of its end.
  Result<void> commit(std::chrono::milliseconds time = waiting_time);
  Future<Result<void>> commit_async(std::chrono::milliseconds time = waiting_time);
  // Drops what was not sent yet; those records fail.
  Result<void> abort(std::chrono::milliseconds time = waiting_time);
  Future<Result<void>> abort_async(std::chrono::milliseconds time = waiting_time);

 private:
  friend class Producer;
  friend class MockProducer;
  Transaction(detail::TransactionHost* host, std::uint64_t number, Result<void> begun) noexcept
      : host_(host), number_(number), begun_(std::move(begun)) {}

  detail::TransactionHost* host_;  // null where it did not begin, has ended, or was moved from
  std::uint64_t number_;           // of the producer's transactions
  std::atomic<bool> is_ending_ = false;
  Result<void> begun_;
};

}  // namespace millrace::inline v1
