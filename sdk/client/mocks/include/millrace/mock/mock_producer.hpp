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
#include "millrace/future.hpp"
#include "millrace/producer.hpp"
#include "millrace/record.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

struct MockProducerOptions {
  // Records are delivered at once. Otherwise they wait for complete_next(), fail_next() or flush().
  bool auto_complete = true;
  // How many partitions topics have; those that are not named have one.
  std::map<std::string, std::int32_t> partitions = {};
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
  void on_delivery(DeliveryHandler handler);
  // All that waits is delivered; with no time at all it fails where something waits.
  Result<void> flush(std::chrono::milliseconds time);
  // The same, and takes no more; with no time at all what waits fails.
  Result<void> close(std::chrono::milliseconds time = Producer::closing_time_max);
  Result<std::int32_t> partition_count(std::string_view topic, std::chrono::milliseconds time);

  // --- What was sent. ---
  // Every record that was taken and has not failed, in the order of taking, with the offset that
  // it has or will have.
  [[nodiscard]] std::vector<OwnedRecord> history() const;
  // The history begins anew; offsets go on.
  void clear_history();
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t flush_count() const;
  [[nodiscard]] bool is_closed() const;

  // --- What happens. ---
  // The oldest record that waits is delivered; false when none waits.
  bool complete_next();
  // The oldest record that waits fails; false when none waits.
  bool fail_next(Error error);
  // The next records are not taken, as while the buffer is full.
  void refuse_next(Error error, std::size_t times = 1);
  // Another producer has taken over: all that waits fails, and so does every call from now on.
  void fence();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::inline v1
