// Calls of a transactional producer to its coordinators, until they are answered.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

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

// The transaction before is ended within milliseconds, as a rule.
constexpr Duration concurrent_pause = std::chrono::milliseconds{20};

const char* words_of(TransactionStep step) {
  switch (step) {
    case TransactionStep::find_coordinator:
      return "its coordinator is not known";
    case TransactionStep::take_id:
      return "the producer cannot take it";
    case TransactionStep::add_partitions:
      return "partitions cannot join the transaction";
    case TransactionStep::add_offsets:
      return "the group cannot join the transaction";
    case TransactionStep::commit_offsets:
      return "offsets cannot join the transaction";
    case TransactionStep::produce:
      return "records cannot be written";
    case TransactionStep::end:
      return "the transaction cannot be ended";
  }
  check(false, "a step is one of its enumeration");
  return "";
}

// The heaviest of an answer.
class Heaviest {
 public:
  explicit Heaviest(TransactionStep step) : step_(step) {}
  void add(std::int16_t number) {
    const ErrorCode code = protocol::error_code_from(number);
    const Consequence consequence = consequence_of(step_, code);
    if (consequence <= consequence_) return;
    consequence_ = consequence;
    code_ = code;
  }
  [[nodiscard]] ErrorCode code() const { return code_; }

 private:
  TransactionStep step_;
  Consequence consequence_ = Consequence::none;
  ErrorCode code_ = ErrorCode::none;
};

template <class Response>
  requires requires(const Response& response) { response.producer_id; } ||
           std::is_same_v<Response, protocol::AddOffsetsToTxnResponse>
ErrorCode code_of(TransactionStep /*step*/, const Response& answer) {
  return protocol::error_code_from(answer.error_code);
}

ErrorCode code_of(TransactionStep step, const protocol::AddPartitionsToTxnResponse& answer) {
  Heaviest heaviest(step);
  for (const auto& topic : answer.results_by_topic_v3_and_below) {
    for (const auto& part : topic.results_by_partition) heaviest.add(part.partition_error_code);
  }
  return heaviest.code();
}

ErrorCode code_of(TransactionStep step, const protocol::TxnOffsetCommitResponse& answer) {
  Heaviest heaviest(step);
  for (const auto& topic : answer.topics) {
    for (const auto& part : topic.partitions) heaviest.add(part.error_code);
  }
  return heaviest.code();
}

// Whether it may be done nevertheless: the coordinator began it, and cannot tell how it went on.
bool leaves_open(ErrorCode code) {
  return code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator ||
         code == ErrorCode::request_timed_out;
}

// How many partitions an answer tells of.
template <class Response>
std::optional<std::size_t> told_by(const Response& answer) {
  std::size_t count = 0;
  if constexpr (requires { answer.results_by_topic_v3_and_below; }) {
    for (const auto& topic : answer.results_by_topic_v3_and_below) {
      count += topic.results_by_partition.size();
    }
    return count;
  } else if constexpr (requires { answer.topics; }) {
    for (const auto& topic : answer.topics) count += topic.partitions.size();
    return count;
  } else {
    return std::nullopt;
  }
}

template <class Request>
std::optional<std::size_t> asked_by(const Request& request) {
  std::size_t count = 0;
  if constexpr (requires { request.v3_and_below_topics; }) {
    for (const auto& topic : request.v3_and_below_topics) count += topic.partitions.size();
    return count;
  } else if constexpr (requires { request.topics; }) {
    for (const auto& topic : request.topics) count += topic.partitions.size();
    return count;
  } else {
    return std::nullopt;
  }
}

}  // namespace

bool Transactor::is_wanted(TransactionStep step) const {
  if (is_stopped_) return false;
  switch (step) {
    case TransactionStep::add_partitions:
    case TransactionStep::add_offsets:
    case TransactionStep::commit_offsets:
      return state_.may_send();
    default:
      return true;
  }
}

ClientError Transactor::refused(TransactionStep step, ErrorCode code, BrokerId broker) const {
  ClientError error = broker_error(
      code, broker,
      formatted("transactional id {}: {}", settings_.transactional_id, words_of(step)));
  error.persistence = Persistence::not_persisted;
  return error;
}

template <class Request>
Task<ClientResult<Reply<AnswerOf<Request>>>> Transactor::ask(TransactionStep step, std::string key,
                                                             const Request& request,
                                                             CallOptions options,
                                                             MonotonicTime deadline) {
  const auto kind = step == TransactionStep::commit_offsets ? CoordinatorKind::group
                                                            : CoordinatorKind::transaction;
  Backoff backoff(settings_.common.retry_range(), Random(random_.next()));
  options.lane = Lane::coordination;
  for (;;) {
    options.deadline =
        std::min(deadline, executor_.clock().now() + settings_.common.request_timeout);
    ClientError error;
    Consequence consequence = Consequence::retry;
    const auto broker = co_await coordinators_.find(kind, key, options.deadline);
    if (!broker) {
      error = broker.error();
      consequence = consequence_of(TransactionStep::find_coordinator, error);
    } else {
      auto reply = co_await brokers_.call(*broker, request, options);
      if (reply) {
        const ErrorCode code = code_of(step, reply->message);
        consequence = consequence_of(step, code);
        if (step == TransactionStep::end && leaves_open(code)) may_have_ended_ = true;
        if (consequence == Consequence::abort && state_.phase() == TransactionPhase::aborting) {
          consequence = Consequence::retry;  // that is what is asked for
        }
        const bool is_whole = told_by(reply->message) == asked_by(request);
        if (consequence == Consequence::none && is_whole) co_return reply;
        error = refused(step, code, *broker);
        if (consequence == Consequence::none) {
          consequence = Consequence::retry;
          error = client_error(Failure::malformed_answer, "the answer leaves partitions out",
                               Persistence::not_persisted, *broker);
        }
      } else {
        error = reply.error();
        consequence = consequence_of(step, error);
        coordinators_.lose(kind);
        if (step == TransactionStep::end && error.persistence != Persistence::not_persisted) {
          may_have_ended_ = true;
        }
      }
      if (consequence == Consequence::find_coordinator) coordinators_.lose(kind);
    }
    if (is_stopped_) co_return failure(client_error(Failure::closed, "the producer was closed"));
    if (!is_passing(consequence)) co_return failure(std::move(error));
    if (!is_wanted(step)) {
      co_return failure(client_error(Failure::aborted, "the transaction goes no further"));
    }
    const Duration pause = consequence == Consequence::wait ? concurrent_pause : backoff.next();
    const MonotonicTime next = executor_.clock().now() + pause;
    if (next >= deadline) {
      co_return failure(
          client_error(Failure::timed_out,
                       formatted("transactional id {}: {}: {}", settings_.transactional_id,
                                 words_of(step), to_string(error)),
                       Persistence::unknown));
    }
    static_cast<void>(co_await pauses_.wait(next));
  }
}

template Task<ClientResult<Reply<AnswerOf<AddOffsetsToTxnRequest>>>> Transactor::ask(
    TransactionStep, std::string, const AddOffsetsToTxnRequest&, CallOptions, MonotonicTime);
template Task<ClientResult<Reply<AnswerOf<AddPartitionsToTxnRequest>>>> Transactor::ask(
    TransactionStep, std::string, const AddPartitionsToTxnRequest&, CallOptions, MonotonicTime);
template Task<ClientResult<Reply<AnswerOf<EndTxnRequest>>>> Transactor::ask(
    TransactionStep, std::string, const EndTxnRequest&, CallOptions, MonotonicTime);
template Task<ClientResult<Reply<AnswerOf<InitProducerIdRequest>>>> Transactor::ask(
    TransactionStep, std::string, const InitProducerIdRequest&, CallOptions, MonotonicTime);
template Task<ClientResult<Reply<AnswerOf<TxnOffsetCommitRequest>>>> Transactor::ask(
    TransactionStep, std::string, const TxnOffsetCommitRequest&, CallOptions, MonotonicTime);

}  // namespace millrace::client
