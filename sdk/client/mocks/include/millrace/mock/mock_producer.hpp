// A producer that sends nothing: it keeps what it was given, and says what the test says.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/consumer.hpp"
#include "millrace/future.hpp"
#include "millrace/producer.hpp"
#include "millrace/record.hpp"
#include "millrace/result.hpp"
#include "millrace/transaction.hpp"

namespace millrace::inline v1 {

struct MockProducerOptions {
  // Records are delivered at once. Otherwise they wait for complete_next(), fail_next() or flush().
  bool auto_complete = true;
  // How many partitions topics have; those that are not named have one.
  std::map<std::string, std::int32_t> partitions = {};
  // As with transactional.id: records are sent within transactions only.
  bool is_transactional = false;
};

// What a transaction asks for.
enum class TransactionCall : std::uint8_t { init, begin, send_offsets, commit, abort };

// What a transaction commits for a group, and who said so.
struct SentOffsets {
  GroupMembership group;
  Offsets offsets;
};

// Has all that a Producer has, without a broker, a thread or settings: code over a ProducerLike
// takes either. A record with a key goes to the partition that the Producer's default chooses, one
// without to each in turn. Outcomes are told on the thread that brings them about. All functions
// may be called from any thread, but for moving and destroying.
class MILLRACE_API MockProducer {
 public:
  explicit MockProducer(MockProducerOptions options = {});
  MockProducer(MockProducer&&) noexcept;
  MockProducer& operator=(MockProducer&&) noexcept;
  // close().
  ~MockProducer();

  // --- As Producer has it. ---
  Future<Result<Delivery>> send(const Record& record, WhenFull when_full = WhenFull::wait);
  template <class Function>
  void send(const Record& record, Function&& function, WhenFull when_full = WhenFull::wait)
    requires(std::is_invocable_v<Function&, const Result<Delivery>&>)
  {
    send(record, when_full).then(std::forward<Function>(function));
  }
  Result<void> post(const Record& record, std::uint64_t tag = 0,
                    WhenFull when_full = WhenFull::wait);
  // Waits while the test says that the buffer is full.
  Future<Result<void>> when_room(const Record& record);
  void on_delivery(DeliveryHandler handler);
  // The transaction is the Producer's; it ends before this does, also before this is assigned to.
  // commit() delivers what waits, abort() fails it. A record that is refused or fails makes
  // commit() fail.
  Result<void> init_transactions(std::chrono::milliseconds time = std::chrono::minutes{1});
  [[nodiscard]] Transaction begin(std::chrono::milliseconds time = std::chrono::minutes{1});
  // All that waits is delivered; with no time at all it fails where something waits.
  Result<void> flush(std::chrono::milliseconds time);
  // The same, and takes no more; with no time at all what waits fails. An open transaction is
  // aborted.
  Result<void> close(std::chrono::milliseconds time = Producer::closing_time_max);
  Result<std::int32_t> partition_count(std::string_view topic, std::chrono::milliseconds time);

  // --- What was sent. ---
  // Every record that was taken and has not failed, in the order of taking, with the offset that
  // it has or will have. Of transactions: those that are committed.
  [[nodiscard]] std::vector<OwnedRecord> history() const;
  [[nodiscard]] std::vector<SentOffsets> committed_offsets() const;
  // Of the transaction that is open.
  [[nodiscard]] std::vector<OwnedRecord> uncommitted() const;
  [[nodiscard]] std::vector<SentOffsets> uncommitted_offsets() const;
  [[nodiscard]] bool is_in_transaction() const;
  // Transactions that ended.
  [[nodiscard]] std::size_t commit_count() const;
  [[nodiscard]] std::size_t abort_count() const;
  // The history begins anew, that of offsets as well; offsets of records go on.
  void clear_history();
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t flush_count() const;
  [[nodiscard]] bool is_closed() const;

  // --- What happens. ---
  // The oldest record that waits is delivered; false when none waits.
  bool complete_next();
  // The oldest record that waits fails; false when none waits.
  bool fail_next(Error error);
  // The next records are not taken.
  void refuse_next(Error error, std::size_t times = 1);
  // From now on no record is taken, with WhenFull::wait neither, as while buffer.memory is full; or
  // they are again, and who waits for room is told.
  void set_full(bool is_full);
  // The next such call that could be done fails; so does the one after it with the error after
  // that. Where the error is_fatal() the producer can do nothing more; where it needs_abort() the
  // transaction can only be aborted.
  void fail_next_call(TransactionCall call, Error error);
  // Another producer has taken over: all that waits fails, and so does every call from now on.
  void fence();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::inline v1
