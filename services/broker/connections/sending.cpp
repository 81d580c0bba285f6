// The direction to the client: answers in the order of the requests.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

module millrace.broker.connections;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::broker {
namespace {

// Answers of these wait for something to happen, as the client asks.
bool waits_by_design(protocol::ApiKey api) {
  using protocol::ApiKey;
  return api == ApiKey::fetch || api == ApiKey::join_group || api == ApiKey::sync_group;
}

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

Task<void> Connection::send_all() {
  while (true) {
    const Place* first = line_.first();
    if (first == nullptr || !first->response) {
      if (first == nullptr && is_draining_) close(CloseReason::stopped, "");
      if (first == nullptr && reading_ended_) co_return;
      static_cast<void>(co_await answered_.wait());  // without a deadline it is always set
      continue;
    }
    if (is_closed()) {
      finish_answers(1);
      continue;
    }
    const std::size_t count = gather_answers();
    Outbox::Step step;
    while (!is_closed() && outbox_.next(step)) {
      const MonotonicTime deadline = now() + around_.options.send_step_max;
      if (!step.is_file()) {
        const auto sent = co_await stream_->write(step.views, step.more, deadline);
        if (!sent) sending_failed(sent.error());
      } else if (stream_->takes_files()) {
        const auto sent = co_await stream_->send_file(step.range, deadline);
        if (!sent) sending_failed(sent.error());
      } else {
        const auto sent = co_await send_range(*stream_, step.range, deadline);
        if (!sent) sending_failed(sent.error());
      }
      if (!is_closed()) around_.metrics.sent_bytes.add(step.bytes);
    }
    outbox_.clear();
    finish_answers(count);
  }
}

std::size_t Connection::gather_answers() {
  std::size_t count = 0;
  for (const Place* place = line_.first(); place != nullptr; place = place->next) {
    if (!place->response || !outbox_.has_room()) break;
    if (place->response->kind() == Response::Kind::close) {
      if (count > 0) break;
      close_as(*place);
      return 1;
    }
    if (place->response->kind() == Response::Kind::frame) outbox_.add(place->response->frame());
    ++count;
  }
  return count;
}

void Connection::close_as(const Place& place) {
  if (place.api == nullptr) {
    close(CloseReason::bad_input, place.response->reason());
  } else {
    close(CloseReason::handler,
          formatted("{} version {}: {}", place.api->name, place.version, place.response->reason()));
  }
}

void Connection::sending_failed(const StreamError& error) {
  if (error.fault == StreamFault::timed_out) {
    close(CloseReason::send_timeout, "the client does not read what is sent to it");
  } else if (error.fault == StreamFault::file) {
    close(CloseReason::handler, "records could not be read from their file");
  } else {
    close(CloseReason::reset, name_of(error.fault));
  }
}

void Connection::finish_answers(std::size_t count) {
  const MonotonicTime sent = now();
  last_activity_ = sent;
  for (; count > 0; --count) {
    const Place& place = *line_.first();
    if (place.api != nullptr && !is_closed()) {
      around_.metrics.of(*place.api).record(Phase::send, sent - place.answered);
      note_slowness(place, sent);
    }
    line_.remove_first();
  }
  if (waits_for_room_) room_.set();
}

void Connection::note_slowness(const Place& place, MonotonicTime sent) {
  const Duration handling = place.answered - place.begun;
  const Duration whole = sent - place.received;
  const Duration counted = waits_by_design(place.api->key) ? whole - handling : whole;
  if (counted < slow_request_threshold) [[likely]] {
    return;
  }
  around_.metrics.slow_requests.add();
  around_.slow_log.warning(
      "slow request: {} version {} of {} (client \"{}\") took {} ms: queue {} ms, handle {} ms, "
      "send {} ms",
      place.api->name, place.version, stream_->peer(), shown(client_id_), milliseconds(whole),
      milliseconds(place.begun - place.received), milliseconds(handling),
      milliseconds(sent - place.answered));
}

}  // namespace millrace::broker
