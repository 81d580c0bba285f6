// The direction from the client: bytes, frames, requests.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

module millrace.broker.connections;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.runtime;
import millrace.runtime.memory;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {

Task<void> Connection::read_all() {
  while (!is_closed() && !is_draining_) {
    const MutableBytes space = splitter_.receive_space();
    // Of a frame that comes in parts, memory is asked for before it is filled.
    if (splitter_.frame_started()) {
      if (const std::size_t missing = missing_memory(); missing > 0) {
        const MonotonicTime began = now();
        if (!memory_came(co_await claim_->grow(missing), began)) co_return;
      }
    }
    const auto count = co_await stream_->read(space, read_deadline());
    if (!count || *count == 0) {
      reading_ended_by(count);
      co_return;
    }
    received_ = last_activity_ = now();
    around_.metrics.received_bytes.add(*count);
    splitter_.received(*count);
    if (const std::size_t missing = missing_memory(); missing > 0) {
      if (!memory_came(co_await claim_->grow(missing), received_)) co_return;
    }
    protocol::Frame frame;
    while (const auto request = next_request(frame)) {
      while (must_wait(*request) && !is_closed()) {
        waits_for_room_ = true;
        static_cast<void>(co_await room_.wait());  // without a deadline it is always set
        waits_for_room_ = false;
      }
      if (is_closed() || is_draining_) co_return;
      begin(*request, std::move(frame));
    }
    if (input_refused_) co_return;
  }
}

std::size_t Connection::missing_memory() {
  if (!claim_) {
    const auto frame_class = frame_class_of(splitter_.started());
    // Of a few bytes it cannot be told what they belong to, and they are few.
    if (!frame_class) return 0;
    claim_.emplace(around_.memory.of(*frame_class));
  }
  const std::size_t held = splitter_.held_bytes();
  return held > claim_->bytes() ? held - claim_->bytes() : 0;
}

bool Connection::memory_came(Grown grown, MonotonicTime began) {
  if (is_closed()) return false;
  if (grown == Grown::too_large) {
    // The budgets are planned for the largest frame; this is said where they are not.
    close(CloseReason::bad_input, "a frame is larger than the memory for requests allows");
  }
  // It was not the client that kept the frame from coming.
  if (frame_deadline_) *frame_deadline_ += now() - began;
  return grown == Grown::granted;
}

MonotonicTime Connection::read_deadline() {
  if (!splitter_.frame_started()) {
    frame_deadline_.reset();
    return no_deadline;
  }
  if (!frame_deadline_) frame_deadline_ = now() + around_.options.started_frame_max;
  return *frame_deadline_;
}

void Connection::reading_ended_by(const StreamResult<std::size_t>& count) {
  if (count) {
    close(CloseReason::peer, "");
  } else if (count.error().fault == StreamFault::timed_out) {
    close(CloseReason::frame_timeout,
          formatted("a frame began to come and did not end; {} bytes of it are here",
                    splitter_.started().size()));
  } else {
    close(CloseReason::reset, name_of(count.error().fault));
  }
}

std::optional<protocol::ReceivedRequest> Connection::next_request(protocol::Frame& frame) {
  auto next = splitter_.next();
  if (!next) {
    refuse_input(to_string(next.error()));
    return std::nullopt;
  }
  if (!next->has_value()) return std::nullopt;
  frame_deadline_.reset();
  frame = std::move(**next);
  const auto request = protocol::read_request_header(frame.bytes());
  if (!request) {
    refuse_input(to_string(request.error()));
    return std::nullopt;
  }
  if (!authentication_.admits(request->api->key)) {
    refuse_input(formatted("{} before authentication", request->api->name));
    return std::nullopt;
  }
  return *request;
}

bool Connection::must_wait(const protocol::ReceivedRequest& request) const {
  if (line_.size() == 0) return false;
  if (runs_alone_ || authentication_.runs_alone(request.api->key)) return true;
  return line_.size() >= authentication_.requests_max(around_.options.in_flight_max) ||
         line_.frame_bytes() >= request_bytes_in_flight_max ||
         line_.answer_bytes() >= answer_bytes_in_flight_max;
}

void Connection::begin(const protocol::ReceivedRequest& received, protocol::Frame frame) {
  const auto client_id = received.client_id;
  if (client_id != client_id_) client_id_ = client_id;
  runs_alone_ = authentication_.runs_alone(received.api->key);

  Place& place = line_.add(frame.bytes().size());
  place.api = received.api;
  place.version = received.version;
  place.received = received_;
  place.begun = now();
  ConnectionMetrics::OfApi& metrics = around_.metrics.of(*received.api);
  metrics.requests.add();
  metrics.record(Phase::queue, place.begun - place.received);

  Request request{.context = {.api = received.api,
                              .version = received.version,
                              .correlation_id = received.correlation_id,
                              .client_id = client_id,
                              .version_supported = received.version_supported,
                              .session = authentication_.session(),
                              .peer = stream_->peer(),
                              .local = stream_->local(),
                              .received = place.received,
                              .deadline = place.received + around_.options.request_max,
                              .connection = id_},
                  .frame = std::move(frame),
                  .body = received.body,
                  .memory = std::nullopt};
  // The claim is for the whole buffer, which the frames in it share: the first one takes it. What
  // follows in the buffer is paid for again when it is moved, or read on.
  if (claim_) {
    request.memory.emplace(std::move(*claim_));
    claim_.reset();
  }
  answer(place, around_.handler.handle(std::move(request)));
}

void Connection::refuse_input(std::string reason) {
  input_refused_ = true;
  Place& place = line_.add(0);
  place.response.emplace(Response::close(std::move(reason)));
  if (&place == line_.first()) answered_.set();
}

task_detail::Detached Connection::answer(Place& place, Task<Response> response) {
  place.response.emplace(co_await std::move(response));
  line_.answered(place);
  place.answered = now();
  around_.metrics.of(*place.api).record(Phase::handle, place.answered - place.begun);
  if (&place == line_.first()) answered_.set();
}

}  // namespace millrace::broker
