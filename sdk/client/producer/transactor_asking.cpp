// What a transactional producer asks of its coordinators, and how transactions end.
module;
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.transactions;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {
namespace {

using protocol::AddOffsetsToTxnRequest;
using protocol::AddPartitionsToTxnRequest;
using protocol::EndTxnRequest;
using protocol::InitProducerIdRequest;
using protocol::TxnOffsetCommitRequest;

// Later ones are for brokers.
constexpr std::int16_t add_partitions_version_max = 3;
// The first one that can name the id of now, for a new epoch of it.
constexpr std::int16_t renewing_version_min = 3;
// The first one that says who the consumer is.
constexpr std::int16_t offsets_version_min = 3;
// From these on transactions are of the second protocol.
constexpr std::int16_t offsets_implicit_version = 5;
constexpr std::int16_t end_implicit_version = 5;
std::int32_t whole_milliseconds(Duration duration) {
  return static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

ClientError Transactor::settle(TransactionStep step, ClientError error) {
  if (error.failure == Failure::closed || error.failure == Failure::aborted) return error;
  // What is asked may still arrive: nothing after it may look like what it belongs to.
  const Consequence consequence =
      error.failure == Failure::timed_out ? Consequence::renew : consequence_of(step, error);
  const bool was_sending = state_.may_send();
  state_.failed(consequence, error);
  if (state_.phase() == TransactionPhase::broken) {
    error = *state_.error();
    tell_gate();
    sender_.fail_for_good(error);
  } else if (was_sending && state_.error()) {
    error = *state_.error();
  }
  tell_gate();
  changed_.wake_all();
  sender_.wake();
  return error;
}

Task<ClientResult<void>> Transactor::take_id(MonotonicTime deadline) {
  auto begun = state_.begin_taking_id();
  if (!begun) co_return begun;
  InitProducerIdRequest request;
  request.transactional_id = settings_.transactional_id;
  request.transaction_timeout_ms = whole_milliseconds(settings_.transaction_timeout);
  const auto reply =
      co_await ask(TransactionStep::take_id, settings_.transactional_id, request, {}, deadline);
  if (!reply) {
    ClientError error = reply.error();
    state_.took_none();
    changed_.wake_all();
    const Consequence consequence = consequence_of(TransactionStep::take_id, error);
    const bool is_for_good =
        consequence == Consequence::fatal || consequence == Consequence::fenced;
    const bool is_of_brokers =
        error.failure == Failure::broker_said || error.failure == Failure::unsupported_version;
    if (is_for_good && is_of_brokers) error = settle(TransactionStep::take_id, error);
    co_return failure(std::move(error));
  }
  const auto& message = reply->message;
  if (message.producer_id < 0 || message.producer_epoch < 0) {
    state_.took_none();
    changed_.wake_all();
    co_return failure(client_error(Failure::malformed_answer, "the answer has no producer id",
                                   Persistence::not_persisted, reply->broker));
  }
  state_.took_id(ProducerId(message.producer_id), ProducerEpoch(message.producer_epoch),
                 protocol());
  changed_.wake_all();
  co_return ClientResult<void>();
}

Task<bool> Transactor::renew() {
  InitProducerIdRequest request;
  request.transactional_id = settings_.transactional_id;
  request.transaction_timeout_ms = whole_milliseconds(settings_.transaction_timeout);
  request.producer_id = state_.id().value();
  request.producer_epoch = state_.epoch().value();
  CallOptions options;
  options.version_min = renewing_version_min;
  const auto reply = co_await ask(TransactionStep::take_id, settings_.transactional_id, request,
                                  options, no_deadline);
  if (reply && reply->message.producer_id >= 0 && reply->message.producer_epoch >= 0) {
    state_.renewed(ProducerId(reply->message.producer_id),
                   ProducerEpoch(reply->message.producer_epoch));
    co_return true;
  }
  ClientError error = reply
                          ? client_error(Failure::malformed_answer, "the answer has no producer id")
                          : reply.error();
  if (error.failure == Failure::closed) co_return false;
  // Without a new epoch the next transaction could not be told from this one.
  if (consequence_of(TransactionStep::take_id, error) != Consequence::fenced) {
    error.failure = Failure::unsupported_version;
    error.retriable = false;
  }
  static_cast<void>(settle(TransactionStep::take_id, std::move(error)));
  co_return false;
}

namespace {

// The request over the partitions that wait; stays in place while it is asked.
struct AddedPartitions {
  explicit AddedPartitions(const std::vector<Partition*>& partitions) {
    for (const Partition* partition : partitions) {
      topics[partition->topic.name()].push_back(partition->index.value());
    }
    for (const auto& [name, indexes] : topics) {
      auto& row = rows.emplace_back();
      row.name = name;
      row.partitions = std::span(indexes);
    }
    message.v3_and_below_topics = std::span(std::as_const(rows));
  }
  AddedPartitions(const AddedPartitions&) = delete;
  AddedPartitions& operator=(const AddedPartitions&) = delete;

  std::map<std::string_view, std::vector<std::int32_t>> topics;
  std::vector<AddPartitionsToTxnRequest::AddPartitionsToTxnTopic> rows;
  AddPartitionsToTxnRequest message;
};

}  // namespace

Task<void> Transactor::add_partitions() {
  while (!joining_.empty() && is_wanted(TransactionStep::add_partitions)) {
    const std::vector<Partition*> asked = std::exchange(joining_, {});
    AddedPartitions added(asked);
    added.message.v3_and_below_transactional_id = settings_.transactional_id;
    added.message.v3_and_below_producer_id = state_.id().value();
    added.message.v3_and_below_producer_epoch = state_.epoch().value();
    CallOptions options;
    options.version_max = add_partitions_version_max;
    state_.started();
    const auto reply =
        co_await ask(TransactionStep::add_partitions, settings_.transactional_id, added.message,
                     options, executor_.clock().now() + settings_.delivery_timeout);
    if (reply) {
      has_joined_ = true;
      for (Partition* partition : asked) partition->joined_transaction = state_.number();
    } else {
      static_cast<void>(settle(TransactionStep::add_partitions, reply.error()));
    }
    sender_.wake();
  }
  joining_.clear();
  is_adding_ = false;
  changed_.wake_all();
}

Task<ClientResult<void>> Transactor::send_offsets(GroupOffsets offsets, MonotonicTime deadline) {
  const Stopwatch stopwatch(executor_.clock(), times_.send_offsets);
  if (is_stopped_) co_return failure(client_error(Failure::closed, "the producer was closed"));
  if (state_.phase() != TransactionPhase::open) {
    const std::scoped_lock lock(mutex_);
    co_return failure(refusal_);
  }
  if (offsets.group.empty()) {
    co_return failure(client_error(Failure::bad_argument, "offsets are those of a group"));
  }
  if (offsets.items.empty()) co_return ClientResult<void>();
  ++offsets_asked_;
  state_.started();
  ClientResult<void> done;
  TransactionStep step = TransactionStep::add_offsets;
  if (state_.protocol() == TransactionProtocol::named) done = co_await add_group(offsets, deadline);
  if (done) {
    has_joined_ = true;
    step = TransactionStep::commit_offsets;
    done = co_await commit_offsets(offsets, deadline);
  }
  --offsets_asked_;
  changed_.wake_all();
  if (done) co_return done;
  co_return failure(settle(step, done.error()));
}

Task<ClientResult<void>> Transactor::add_group(const GroupOffsets& offsets,
                                               MonotonicTime deadline) {
  AddOffsetsToTxnRequest request;
  request.transactional_id = settings_.transactional_id;
  request.producer_id = state_.id().value();
  request.producer_epoch = state_.epoch().value();
  request.group_id = offsets.group;
  const auto reply =
      co_await ask(TransactionStep::add_offsets, settings_.transactional_id, request, {}, deadline);
  if (!reply) co_return failure(reply.error());
  co_return ClientResult<void>();
}

Task<ClientResult<void>> Transactor::commit_offsets(const GroupOffsets& offsets,
                                                    MonotonicTime deadline) {
  std::map<std::string_view, std::vector<TxnOffsetCommitRequest::TxnOffsetCommitRequestPartition>>
      topics;
  for (const GroupOffsets::Item& item : offsets.items) {
    auto& row = topics[item.partition.topic].emplace_back();
    row.partition_index = item.partition.partition.value();
    row.committed_offset = item.offset.value();
    row.committed_leader_epoch = item.leader_epoch.value();
    row.committed_metadata = protocol::empty_string;
  }
  std::vector<TxnOffsetCommitRequest::TxnOffsetCommitRequestTopic> rows;
  for (const auto& [name, partitions] : topics) {
    auto& row = rows.emplace_back();
    row.name = name;
    row.partitions = std::span(partitions);
  }
  TxnOffsetCommitRequest request;
  request.transactional_id = settings_.transactional_id;
  request.group_id = offsets.group;
  request.producer_id = state_.id().value();
  request.producer_epoch = state_.epoch().value();
  request.generation_id = offsets.generation;
  request.member_id = offsets.member;
  request.group_instance_id =
      offsets.instance ? protocol::String(*offsets.instance) : protocol::null_string;
  request.topics = std::span(std::as_const(rows));
  CallOptions options;
  const bool is_implicit = state_.protocol() == TransactionProtocol::implicit;
  options.version_min = is_implicit ? offsets_implicit_version : offsets_version_min;
  if (!is_implicit) options.version_max = offsets_implicit_version - 1;
  const auto reply =
      co_await ask(TransactionStep::commit_offsets, offsets.group, request, options, deadline);
  if (!reply) co_return failure(reply.error());
  co_return ClientResult<void>();
}

void Transactor::begin_finish() {
  tell_gate();
  sender_.wake();
  if (!std::exchange(is_finishing_, true)) tasks_.start(finish());
}

Task<void> Transactor::quiet() {
  while (!is_stopped_ && inside_.load(std::memory_order_seq_cst) != 0) {
    static_cast<void>(co_await changed_.wait());
  }
  if (!is_stopped_) static_cast<void>(co_await sender_.flush(no_deadline));
  while (!is_stopped_ && (is_adding_ || offsets_asked_ != 0 || sender_.requests_under_way() != 0)) {
    static_cast<void>(co_await changed_.wait());
  }
}

Task<void> Transactor::finish() {
  while (!is_stopped_ && state_.is_ending()) {
    const TransactionPhase phase = state_.phase();
    co_await quiet();
    take_refused();
    // What was to be committed may have to be aborted by now.
    if (is_stopped_ || state_.phase() != phase) continue;
    co_await end(phase == TransactionPhase::committing);
  }
  is_finishing_ = false;
  tell_gate();
  changed_.wake_all();
}

Task<void> Transactor::end(bool commits) {
  if (state_.is_started() && !co_await ask_to_end(commits)) co_return;
  if (state_.needs_renewal() && !co_await renew()) co_return;
  state_.ended();
}

// False: it has not ended, and the state says why.
Task<bool> Transactor::ask_to_end(bool commits) {
  const bool is_implicit = state_.protocol() == TransactionProtocol::implicit;
  EndTxnRequest request;
  request.transactional_id = settings_.transactional_id;
  request.producer_id = state_.id().value();
  request.producer_epoch = state_.epoch().value();
  request.committed = commits;
  CallOptions options;
  if (is_implicit)
    options.version_min = end_implicit_version;
  else
    options.version_max = end_implicit_version - 1;
  may_have_ended_ = false;
  const auto reply =
      co_await ask(TransactionStep::end, settings_.transactional_id, request, options, no_deadline);
  if (reply) {
    if (!is_implicit) co_return true;
    if (reply->message.producer_id >= 0 && reply->message.producer_epoch >= 0) {
      state_.renewed(ProducerId(reply->message.producer_id),
                     ProducerEpoch(reply->message.producer_epoch));
    } else {
      state_.must_renew();
    }
    co_return true;
  }
  ClientError error = reply.error();
  const Consequence consequence = consequence_of(TransactionStep::end, error);
  if (commits && (may_have_ended_ || consequence == Consequence::fatal)) {
    // It may have been committed: nobody may abort it and do it again.
    error.persistence = Persistence::unknown;
    if (error.failure == Failure::broker_said && consequence != Consequence::fenced) {
      state_.failed(Consequence::fatal, error);
    }
  }
  if (!commits) {
    // It had never begun for the coordinator: what was to begin it got no answer.
    if (!is_implicit && !has_joined_ && error.code == ErrorCode::invalid_txn_state) {
      co_return true;
    }
    if (error.failure == Failure::broker_said && consequence == Consequence::renew) {
      // It is gone already.
      state_.must_renew();
      co_return true;
    }
  }
  static_cast<void>(settle(TransactionStep::end, std::move(error)));
  co_return false;
}

}  // namespace millrace::client
