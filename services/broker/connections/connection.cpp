// The life of a connection as a whole; reading.cpp and sending.cpp are its two directions.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.broker.connections;

import millrace.base;
import millrace.protocol.framing;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {
namespace {

// Nobody has done anything wrong.
bool is_usual(CloseReason reason) {
  return reason == CloseReason::peer || reason == CloseReason::reset ||
         reason == CloseReason::idle || reason == CloseReason::stopped;
}

}  // namespace

Connection::Connection(ConnectionSurroundings surroundings, ConnectionId id,
                       std::unique_ptr<ByteStream> stream, std::string listener,
                       security::SecurityProtocol protocol)
    : around_(surroundings),
      id_(id),
      stream_(std::move(stream)),
      authentication_(std::move(listener), protocol, stream_->peer()),
      splitter_(around_.pool, authentication_.frame_bytes_max(around_.options.frame_bytes_max)),
      outbox_(around_.files),
      answered_(around_.executor),
      room_(around_.executor) {
  around_.metrics.opened();
}

Connection::~Connection() {
  around_.metrics.closed(close_reason_);
}

Task<void> Connection::run() {
  last_activity_ = now();
  if (around_.options.idle_max) arm_idle_timer(last_activity_ + *around_.options.idle_max);
  sender_.start(send_all());
  co_await read_all();
  reading_ended_ = true;
  answered_.set();
  co_await sender_.wait();
  if (!is_closed()) close(CloseReason::peer, "");
}

void Connection::drain() {
  if (is_closed() || is_draining_) return;
  is_draining_ = true;
  around_.handler.connection_closing(id_);
  answered_.set();
}

void Connection::close(CloseReason reason, std::string_view why) {
  if (std::exchange(is_closed_, true)) return;
  close_reason_ = reason;
  around_.peer_log.log(is_usual(reason) ? LogLevel::debug : LogLevel::warning,
                       "connection of {} (client \"{}\") on {} closed: {}{}{}", stream_->peer(),
                       shown(client_id_), session().listener, name_of(reason),
                       why.empty() ? "" : ": ", why);
  stream_->close();
  if (claim_) claim_->cancel();
  if (idle_timer_.armed()) around_.executor.cancel(idle_timer_);
  answered_.set();
  room_.set();
  if (!is_draining_) around_.handler.connection_closing(id_);  // else it knows
}

void Connection::arm_idle_timer(MonotonicTime when) {
  around_.executor.arm(idle_timer_, when);
}

// The timer is not moved at each request: when its time comes, it looks whether there was one.
void Connection::look_at_idleness() {
  const MonotonicTime time = now();
  const Duration idle_max = *around_.options.idle_max;
  const bool is_busy = line_.size() > 0 || splitter_.frame_started();
  const MonotonicTime end = (is_busy ? time : last_activity_) + idle_max;
  if (end > time) {
    arm_idle_timer(end);
  } else {
    close(CloseReason::idle, "no request for connections.max.idle.ms");
  }
}

}  // namespace millrace::broker
