// Producer: sends records.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "millrace/abi.hpp"
#include "millrace/config.hpp"
#include "millrace/future.hpp"
#include "millrace/interceptors.hpp"
#include "millrace/metrics.hpp"
#include "millrace/options.hpp"
#include "millrace/partitioner.hpp"
#include "millrace/record.hpp"
#include "millrace/result.hpp"
#include "millrace/uuid.hpp"

namespace millrace::inline v1 {

class Transaction;
namespace detail {
class TransactionHost;
}

// Where a record is now.
struct Delivery {
  std::int32_t partition = -1;
  std::int64_t offset = -1;  // -1 where nobody told: with acks=0
  std::optional<Timestamp> timestamp = {};
};

// What sending does while the memory of buffer.memory is full, or the topic not known yet.
enum class WhenFull : std::uint8_t {
  wait,  // for max.block.ms at the most
  fail,  // at once; when_room() tells when to try again
};

// Called on the producer's thread, once for each record that post() took. Must not throw or block;
// may send, which then fails instead of waiting.
using DeliveryHandler = std::function<void(std::uint64_t tag, const Result<Delivery>& outcome)>;

// Sends records to Millrace or Apache Kafka. Owns a thread, its connections and at most
// buffer.memory bytes of records. All functions may be called from any thread at any time, but for
// moving and destroying. Every record that was taken has its outcome told exactly once; records of
// one partition in the order in which they were taken.
//
// It does not work in a child of a fork(): calls fail there.
class MILLRACE_API Producer {
 public:
  // So many may wait for when_room().
  static constexpr std::size_t room_waiting_max = 10'000;
  // How long the destructor waits for what was not sent yet.
  static constexpr std::chrono::seconds closing_time_max{10};

  // Starts; connects when the first record comes. Throws Failed when the settings cannot be: its
  // message tells all that is wrong.
  explicit Producer(const Config& config, const ClientOptions& options = {});
  // The same without an exception.
  [[nodiscard]] static Result<Producer> open(const Config& config,
                                             const ClientOptions& options = {});
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  // close(closing_time_max), if that has not been called. On the producer's own thread (where the
  // last owner is a function given to then(), say) it does not wait: that goes on by itself.
  ~Producer();

  // Copies the record before it returns.
  Future<Result<Delivery>> send(const Record& record, WhenFull when_full = WhenFull::wait);
  // Calls function(const Result<Delivery>&) on the producer's thread; on this one when the record
  // was not taken.
  template <class Function>
  void send(const Record& record, Function&& function, WhenFull when_full = WhenFull::wait)
    requires(std::is_invocable_v<Function&, const Result<Delivery>&>)
  {
    send(record, when_full).then(std::forward<Function>(function));
  }

  // The fastest way: takes no memory for the outcome, which goes to the handler with the tag. A
  // record that is not taken is told of here only.
  Result<void> post(const Record& record, std::uint64_t tag = 0,
                    WhenFull when_full = WhenFull::wait);
  // Ends when there is room for the record in buffer.memory, at once if there is: for who does not
  // wait. A record that WhenFull::fail refused for want of it (an error of Origin::client that
  // is_retriable()) is sent again then. Nothing is kept free meanwhile: where others were faster it
  // is refused once more. A batch that waits for linger.ms is sent while somebody waits here.
  //
  // Fails when the producer is closed, also later; for a record that never has room; when
  // room_waiting_max wait already; and while outcomes wait for EventQueue::dispatch() in such
  // numbers that no record is taken.
  Future<Result<void>> when_room(const Record& record);
  // Before the first post(). Without a handler, failures of posted records are logged.
  void on_delivery(DeliveryHandler handler);

  // Before the first record. Asked for records that name no partition.
  void set_partitioner(Partitioner partitioner);
  // Before the first record. The one that was added first is called first.
  void add_interceptor(std::shared_ptr<ProducerInterceptor> interceptor);

  // --- Transactions, with transactional.id: <millrace/transaction.hpp>. ---
  // Takes the id, shuts out who had it and ends its transaction. begin() does it where this was not
  // called.
  Result<void> init_transactions(std::chrono::milliseconds time = std::chrono::minutes{1});
  // All records are part of it until it is committed or aborted; none are taken without one.
  [[nodiscard]] Transaction begin(std::chrono::milliseconds time = std::chrono::minutes{1});

  // Waits until all that was taken before has its outcome; whether that came in time, not whether
  // it was good.
  Result<void> flush(std::chrono::milliseconds time);
  // Takes no more, flushes, ends. What could not be sent in time gets its outcome as failure.
  // Later calls fail.
  Result<void> close(std::chrono::milliseconds time = closing_time_max);

  // What it measures of itself.
  [[nodiscard]] Result<Metrics> metrics() const;
  // By which brokers that collect metrics of clients know this one (KIP-714); they give it once.
  Result<Uuid> client_instance_id(std::chrono::milliseconds time = std::chrono::minutes{1});
  // How many partitions the topic has.
  Result<std::int32_t> partition_count(std::string_view topic, std::chrono::milliseconds time);

 private:
  class Implementation;
  explicit Producer(std::unique_ptr<Implementation> implementation) noexcept;
  [[nodiscard]] detail::TransactionHost& transactions() noexcept;

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::inline v1
