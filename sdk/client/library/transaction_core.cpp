module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/consumer.hpp"
#include "millrace/future.hpp"
#include "millrace/producer.hpp"
#include "millrace/record.hpp"
#include "millrace/result.hpp"
#include "transaction_host.hpp"

module millrace.client.bridge.transactions;

import millrace.base;
import millrace.client.bridge;
import millrace.client.core;
import millrace.client.producer;
import millrace.runtime;

namespace millrace::client {

std::optional<v1::Error> TransactionCore::cannot_wait() const {
  if (auto refused = host_.cannot_wait()) return public_error(*refused);
  return std::nullopt;
}

v1::Future<v1::Result<v1::Delivery>> TransactionCore::send(const v1::Record& record,
                                                           v1::WhenFull when_full) {
  return send_(record, when_full);
}

template <class T, class Wish>
v1::Future<v1::Result<T>> TransactionCore::ask(std::optional<std::uint64_t> transaction,
                                               std::chrono::milliseconds time, Wish wish) {
  const MonotonicTime deadline = deadline_after(host_.thread().clock(), time);
  return host_.begin<T>([client = client_, transaction, deadline,
                         wish = std::move(wish)]() mutable -> Task<ClientResult<T>> {
    Transactor* const transactor = client->transactor();
    if (transactor == nullptr) {
      co_return failure(client_error(Failure::bad_argument,
                                     "transactions need a producer with transactional.id"));
    }
    if (transaction && *transaction != transactor->number()) {
      co_return failure(client_error(Failure::bad_argument, "this transaction has ended"));
    }
    co_return co_await wish(*transactor, deadline);
  });
}

TransactionCore::Done TransactionCore::init(std::chrono::milliseconds time) {
  return ask<void>(std::nullopt, time, [](Transactor& transactor, MonotonicTime deadline) {
    return transactor.init(deadline);
  });
}

namespace {

Task<ClientResult<std::uint64_t>> begin_numbered(Transactor& transactor, MonotonicTime deadline) {
  auto begun = co_await transactor.begin(deadline);
  if (!begun) co_return failure(std::move(begun.error()));
  co_return transactor.number();
}

}  // namespace

v1::Future<v1::Result<std::uint64_t>> TransactionCore::begin(std::chrono::milliseconds time) {
  return ask<std::uint64_t>(std::nullopt, time, begin_numbered);
}

TransactionCore::Done TransactionCore::send_offsets(std::uint64_t transaction,
                                                    const v1::GroupMembership& group,
                                                    const v1::Offsets& offsets,
                                                    std::chrono::milliseconds time) {
  GroupOffsets sent{.group = group.group_id,
                    .generation = group.generation,
                    .member = group.member_id,
                    .instance = group.instance_id,
                    .items = {}};
  for (const auto& [partition, offset] : offsets) {
    sent.items.push_back({{partition.topic, PartitionIndex(partition.partition)}, Offset(offset)});
  }
  return ask<void>(
      transaction, time,
      [sent = std::move(sent)](Transactor& transactor, MonotonicTime deadline) mutable {
        return transactor.send_offsets(std::move(sent), deadline);
      });
}

TransactionCore::Done TransactionCore::commit(std::uint64_t transaction,
                                              std::chrono::milliseconds time) {
  return ask<void>(transaction, time, [](Transactor& transactor, MonotonicTime deadline) {
    return transactor.commit(deadline);
  });
}

TransactionCore::Done TransactionCore::abort(std::uint64_t transaction,
                                             std::chrono::milliseconds time) {
  return ask<void>(transaction, time, [](Transactor& transactor, MonotonicTime deadline) {
    return transactor.abort(deadline);
  });
}

}  // namespace millrace::client
