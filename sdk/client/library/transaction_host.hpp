// What a public transaction asks of its producer. It names no type of a module. The library of
// mocks has one too: functions are added at the end only.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

#include "millrace/consumer.hpp"
#include "millrace/future.hpp"
#include "millrace/producer.hpp"
#include "millrace/record.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1::detail {

// Owned by the producer. Functions may be called from any thread; none but send() waits.
class TransactionHost {
 public:
  // Why nobody may wait on this thread.
  [[nodiscard]] virtual std::optional<Error> cannot_wait() const = 0;
  [[nodiscard]] virtual Future<Result<Delivery>> send(const Record& record, WhenFull when_full) = 0;
  [[nodiscard]] virtual Future<Result<void>> init(std::chrono::milliseconds time) = 0;
  // Gives its number, which the others are told: one that has ended is refused.
  [[nodiscard]] virtual Future<Result<std::uint64_t>> begin(std::chrono::milliseconds time) = 0;
  [[nodiscard]] virtual Future<Result<void>> send_offsets(std::uint64_t transaction,
                                                          const GroupMembership& group,
                                                          const Offsets& offsets,
                                                          std::chrono::milliseconds time) = 0;
  [[nodiscard]] virtual Future<Result<void>> commit(std::uint64_t transaction,
                                                    std::chrono::milliseconds time) = 0;
  [[nodiscard]] virtual Future<Result<void>> abort(std::uint64_t transaction,
                                                   std::chrono::milliseconds time) = 0;

 protected:
  TransactionHost() = default;
  TransactionHost(const TransactionHost&) = delete;
  TransactionHost& operator=(const TransactionHost&) = delete;
  ~TransactionHost() = default;
};

}  // namespace millrace::inline v1::detail
