module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :connection;

namespace millrace::client {

MonotonicTime ConnectionGround::after(MonotonicTime from, Duration duration) {
  if (duration >= no_deadline - from) return no_deadline;
  return from + duration;
}

void CallList::add(CallOperation& operation) {
  operation.before = last_;
  operation.after = nullptr;
  (last_ == nullptr ? first_ : last_->after) = &operation;
  last_ = &operation;
  ++size_;
}

void CallList::remove(CallOperation& operation) {
  (operation.before == nullptr ? first_ : operation.before->after) = operation.after;
  (operation.after == nullptr ? last_ : operation.after->before) = operation.before;
  operation.before = nullptr;
  operation.after = nullptr;
  --size_;
}

Connection::Connection(ConnectionGround& ground, BrokerId broker, HostPort address, Lane lane)
    : ground_(ground),
      broker_(broker),
      address_(std::move(address)),
      lane_(lane),
      reconnect_(ground.settings.reconnect_range(), Random(ground.random.next())),
      to_write_(ground.executor),
      pause_ended_(ground.executor),
      idle_timer_(*this,
                  [](Timer& self) { static_cast<OwnTimer&>(self).connection.close_if_idle(); }),
      pause_timer_(*this, [](Timer& self) { static_cast<OwnTimer&>(self).connection.pump(); }) {}

Connection::~Connection() {
  check(phase_ == Phase::down && waiting_.empty(), "a connection ends before its object");
}

ClientError Connection::error(Failure failure, std::string_view what,
                              Persistence persistence) const {
  const std::string name = broker_ >= BrokerId(0)
                               ? formatted("broker {} at {}", broker_, to_string(address_))
                               : formatted("bootstrap server {}", to_string(address_));
  return client_error(failure, formatted("{}: {}", name, what), persistence,
                      std::max(broker_, no_broker));
}

CorrelationId Connection::take_number() {
  const std::int32_t number = next_number_;
  next_number_ = number == std::numeric_limits<std::int32_t>::max() ? 0 : number + 1;
  return CorrelationId(number);
}

void Connection::begin(CallOperation& operation) {
  operation.owner = this;
  operation.on_late = [](CallOperation& late, void* owner) {
    static_cast<Connection*>(owner)->late(late);
  };
  operation.stage = CallOperation::Stage::waiting;
  const MonotonicTime now = ground_.now();
  if (operation.options.deadline <= now) {
    end_call(operation, failure(error(Failure::timed_out, "no time was left for the request")));
    return;
  }
  if (waiting_.size() >= requests_waiting_max) {
    end_call(operation,
             failure(error(Failure::timed_out,
                           formatted("{} requests wait for it already", waiting_.size()))));
    return;
  }
  if (!operation.options.may_wait_for_connection && phase_ != Phase::ready) {
    end_call(operation, failure(error(Failure::disconnected, "there is no connection yet")));
    wake_up();
    return;
  }
  waiting_.add(operation);
  arm_late(operation);
  if (phase_ == Phase::ready) {
    pump();
  } else {
    wake_up();
  }
}

void Connection::arm_late(CallOperation& operation) {
  const MonotonicTime when = std::min(operation.options.deadline, operation.answer_until);
  if (when != no_deadline) ground_.executor.arm(operation.late, when);
}

// Starts what may start: in the order of asking, as many as the limits allow.
void Connection::pump() {
  while (phase_ == Phase::ready && !broken_ && !waiting_.empty()) {
    if (unanswered_.size() >= requests_in_flight_max || writing_.size() >= requests_in_flight_max) {
      return;
    }
    if (paused_until_ > ground_.now()) {
      ground_.executor.arm(pause_timer_, paused_until_);
      return;
    }
    if (!start_next()) continue;
    to_write_.set();
  }
}

// False if the first call ended with an error of its own.
bool Connection::start_next() {
  CallOperation& operation = *waiting_.first();
  waiting_.remove(operation);
  const auto version = versions_->highest(operation.api, operation.options.version_min,
                                          operation.options.version_max);
  if (!version) {
    end_call(operation,
             failure(error(Failure::unsupported_version,
                           formatted("it speaks no version of {} that this client asks for",
                                     protocol::name_of(operation.api)))));
    return false;
  }
  const CorrelationId number = take_number();
  auto frame = operation.encode(ground_.pool, number, ground_.settings.client_id, *version);
  if (!frame) {
    const auto fault = frame.error().fault;
    const Failure failed =
        fault == protocol::EncodeFault::message_too_large      ? Failure::record_too_large
        : fault == protocol::EncodeFault::field_not_in_version ? Failure::unsupported_version
                                                               : Failure::bad_argument;
    end_call(operation, failure(error(failed, formatted("{} version {} cannot be written: {}",
                                                        protocol::name_of(operation.api), *version,
                                                        to_string(frame.error())))));
    return false;
  }
  const Duration timeout = operation.options.timeout.value_or(ground_.settings.request_timeout);
  operation.stage = CallOperation::Stage::being_written;
  operation.answer_until = ConnectionGround::after(ground_.now(), timeout);
  arm_late(operation);
  if (operation.is_answered) {
    unanswered_.push_back(
        Slot{number, operation.api, *version, ground_.now(), operation.answer_until, &operation});
  }
  writing_.push_back(Outgoing{std::move(*frame), &operation});
  ++ground_.counters.requests;
  return true;
}

void Connection::late(CallOperation& operation) {
  using Stage = CallOperation::Stage;
  if (operation.stage == Stage::waiting) {
    waiting_.remove(operation);
    end_call(operation,
             failure(error(Failure::timed_out, phase_ == Phase::ready
                                                   ? "the request waited too long for its turn"
                                                   : "no connection came about in time")));
    return;
  }
  const bool is_answer_late = ground_.now() >= operation.answer_until;
  if (operation.stage == Stage::written && !is_answer_late) {
    // The caller's own deadline: others on this connection are not to suffer.
    for (Slot& slot : unanswered_) {
      if (slot.operation == &operation) slot.operation = nullptr;
    }
    end_call(operation, failure(error(Failure::timed_out,
                                      formatted("no answer to {} before the deadline",
                                                protocol::name_of(operation.api)),
                                      Persistence::unknown)));
    watch_abandoned();
    return;
  }
  ++ground_.counters.timeouts;
  operation.is_late = true;
  break_off(
      error(Failure::disconnected,
            formatted("closed because {} got no answer in time", protocol::name_of(operation.api)),
            Persistence::unknown));
}

void Connection::end_call(CallOperation& operation, ClientResult<AnsweredCall> result) {
  operation.end(ground_.executor, std::move(result));
}

// Those that were never sent.
void Connection::fail_waiting(const ClientError& why) {
  // What fails may ask again at once, and then waits behind: it is for the next attempt.
  for (std::size_t left = waiting_.size(); left > 0 && !waiting_.empty(); --left) {
    CallOperation& operation = *waiting_.first();
    waiting_.remove(operation);
    ClientError not_sent = why;
    not_sent.persistence = Persistence::not_persisted;
    if (operation.on_unconnected != nullptr && !ground_.is_closing) {
      if (operation.late.armed()) ground_.executor.cancel(operation.late);
      operation.on_unconnected(operation, operation.any_owner, std::move(not_sent));
    } else {
      end_call(operation, failure(std::move(not_sent)));
    }
  }
}

// Those that were, in whole or in part. Nothing is being written any more.
void Connection::fail_under_way() {
  const ClientError why =
      broken_.value_or(error(Failure::disconnected, "the connection was closed"));
  const auto fail = [&](CallOperation& operation) {
    ClientError told = why;
    told.persistence = Persistence::unknown;
    if (operation.is_late) {
      told = error(Failure::timed_out,
                   formatted("no answer to {} in time", protocol::name_of(operation.api)),
                   Persistence::unknown);
    }
    end_call(operation, failure(std::move(told)));
  };
  for (const Slot& slot : std::exchange(unanswered_, {})) {
    if (slot.operation != nullptr) fail(*slot.operation);
  }
  for (const Outgoing& outgoing : std::exchange(writing_, {})) {
    CallOperation& operation = *outgoing.operation;
    if (operation.early_answer) {
      end_call(operation, std::move(*operation.early_answer));
    } else if (!operation.is_answered) {
      fail(operation);
    }
  }
}

// False: it is no answer to what was asked first.
bool Connection::take_answer(protocol::Frame frame) {
  const auto received = protocol::read_correlation_id(frame.bytes());
  if (!received || unanswered_.empty() || *received != unanswered_.front().correlation_id) {
    break_off(error(Failure::malformed_answer,
                    unanswered_.empty() ? "it answered what nobody asked"
                    : !received         ? "it sent an answer without a header"
                                        : "it answered out of order",
                    Persistence::unknown));
    return false;
  }
  const Slot slot = unanswered_.front();
  const auto header =
      protocol::read_response_header(frame.bytes(), protocol::api_info(slot.api), slot.version);
  if (!header) {
    break_off(error(Failure::malformed_answer,
                    formatted("the header of its answer to {} cannot be read: {}",
                              protocol::name_of(slot.api), to_string(header.error())),
                    Persistence::unknown));
    return false;
  }
  ++ground_.counters.answers;
  const MonotonicTime now = ground_.now();
  ground_.meters.received(broker_, frame.bytes().size(), now - slot.begun, now);
  CallOperation* operation = slot.operation;
  AnsweredCall answered{.frame = std::move(frame),
                        .body = header->body,
                        .version = slot.version,
                        .broker = broker_,
                        .connection = connection_};
  if (operation != nullptr && operation->stage == CallOperation::Stage::being_written) {
    // What the request views must stay until the stream has taken all of it: write_all() ends it.
    operation->early_answer = std::move(answered);
  } else if (operation != nullptr) {
    end_call(*operation, std::move(answered));
  }
  unanswered_.pop_front();
  watch_abandoned();
  note_activity();
  pump();
  return true;
}

// Whoever asked has gone, and with him the timer that would tell that the peer is not there.
void Connection::watch_abandoned() {
  if (unanswered_.empty() || unanswered_.front().operation != nullptr) return;
  const MonotonicTime late = ConnectionGround::after(unanswered_.front().answer_until, Duration{1});
  if (late != no_deadline) ground_.executor.arm(idle_timer_, late);
}

// The first reason counts. live() does the rest.
void Connection::break_off(ClientError why) {
  if (phase_ != Phase::ready || broken_) return;
  broken_ = std::move(why);
  stream_->close();
  to_write_.set();
}

void Connection::end_all(const ClientError& why) {
  fail_waiting(why);
  break_off(why);
  if (attempt_ != nullptr && !attempt_->is_abandoned) {
    attempt_->is_abandoned = true;
    attempt_->ended.set();
  }
  pause_ended_.set();
  if (stream_ != nullptr) stream_->close();
}

void Connection::end_if(std::uint64_t connection, const ClientError& why) {
  if (connection == connection_) break_off(why);
}

void Connection::pause_until(std::uint64_t connection, MonotonicTime until) {
  if (connection == connection_) paused_until_ = std::max(paused_until_, until);
}

void Connection::set_address(const HostPort& address) {
  if (address == address_) return;
  address_ = address;
  not_before_ = {};
  reconnect_.reset();
  pause_ended_.set();
  if (load() == 0) break_off(error(Failure::disconnected, "it has moved"));
}

void Connection::note_activity() {
  active_ = ground_.now();
  const MonotonicTime idle =
      ConnectionGround::after(active_, ground_.settings.connections_max_idle);
  if (idle != no_deadline && !idle_timer_.armed()) ground_.executor.arm(idle_timer_, idle);
}

void Connection::close_if_idle() {
  if (phase_ != Phase::ready) return;
  const MonotonicTime idle =
      ConnectionGround::after(active_, ground_.settings.connections_max_idle);
  const MonotonicTime now = ground_.now();
  // An answer that nobody waits for any more, and that never came: the peer is not there.
  if (!unanswered_.empty() && unanswered_.front().operation == nullptr &&
      unanswered_.front().answer_until < now) {
    break_off(error(Failure::disconnected, "closed because it answers nothing"));
    return;
  }
  if (load() > 0 || idle > now) {
    // With something under way the time begins when that has ended.
    const MonotonicTime again =
        load() > 0 ? ConnectionGround::after(now, ground_.settings.connections_max_idle) : idle;
    if (again != no_deadline) ground_.executor.arm(idle_timer_, again);
    return;
  }
  is_closed_idle_ = true;
  break_off(error(Failure::disconnected, "closed because nothing was to be done"));
}

}  // namespace millrace::client
