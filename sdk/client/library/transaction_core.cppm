// millrace.client.bridge.transactions: the transactions of a public producer.
module;
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "millrace/consumer.hpp"
#include "millrace/future.hpp"
#include "millrace/producer.hpp"
#include "millrace/record.hpp"
#include "millrace/result.hpp"
#include "transaction_host.hpp"

export module millrace.client.bridge.transactions;

import millrace.base;
import millrace.client.bridge;
import millrace.client.core;
import millrace.client.producer;
import millrace.runtime;

export namespace millrace::client {

// Owned by the producer; what it is given outlives it. Functions may be called on any thread.
class TransactionCore final : public v1::detail::TransactionHost {
 public:
  using Done = v1::Future<v1::Result<void>>;
  using Send = std::function<v1::Future<v1::Result<v1::Delivery>>(const v1::Record&, v1::WhenFull)>;

  TransactionCore(ClientHost& host, Send send) : host_(host), send_(std::move(send)) {}
  // Before the first call.
  void set_client(ProducerClient& client) { client_ = &client; }

  [[nodiscard]] std::optional<v1::Error> cannot_wait() const override;
  [[nodiscard]] v1::Future<v1::Result<v1::Delivery>> send(const v1::Record& record,
                                                          v1::WhenFull when_full) override;
  [[nodiscard]] Done init(std::chrono::milliseconds time) override;
  [[nodiscard]] v1::Future<v1::Result<std::uint64_t>> begin(
      std::chrono::milliseconds time) override;
  [[nodiscard]] Done send_offsets(std::uint64_t transaction, const v1::GroupMembership& group,
                                  const v1::Offsets& offsets,
                                  std::chrono::milliseconds time) override;
  [[nodiscard]] Done commit(std::uint64_t transaction, std::chrono::milliseconds time) override;
  [[nodiscard]] Done abort(std::uint64_t transaction, std::chrono::milliseconds time) override;

 private:
  // `wish(transactor, deadline)` on the client's thread, of the transaction with that number.
  template <class T, class Wish>
  v1::Future<v1::Result<T>> ask(std::optional<std::uint64_t> transaction,
                                std::chrono::milliseconds time, Wish wish);

  ClientHost& host_;
  Send send_;
  ProducerClient* client_ = nullptr;
};

}  // namespace millrace::client
