// Connections: requests in, faults, answers out.
module;
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :asked;
import :cluster;
import :faults;
import :handlers;
import :insides;
import :options;
import :state;
import :waiting;

namespace millrace::mock {
namespace {

// Length and correlation id: what an answer of garbage keeps, so that its reader comes to the rest.
constexpr std::size_t kept_of_garbage = frame_length_bytes + sizeof(std::int32_t);

void damage(std::vector<std::byte>& frame, FaultKind fault, Random& random) {
  if (fault == FaultKind::cut_short) frame.resize(frame.size() / 2);
  if (fault == FaultKind::garbage) {
    for (std::size_t i = kept_of_garbage; i < frame.size(); ++i) {
      frame[i] = static_cast<std::byte>(random.below(256));
    }
  }
  if (fault == FaultKind::wrong_id) {
    std::byte* const id = frame.data() + frame_length_bytes;
    store_big_endian(id, load_big_endian<std::int32_t>(id) ^ 0x5a5a'5a5a);
  }
}

}  // namespace

Task<void> Cluster::Insides::accept(std::unique_ptr<Listener> listener, BrokerId broker) {
  listeners[broker] = listener.get();
  for (;;) {
    auto accepted = co_await listener->accept();
    if (!accepted) break;
    auto stream = network.adopt(*std::move(accepted));
    if (stream) tasks.start(serve(*std::move(stream), broker));
  }
}

Task<void> Cluster::Insides::serve(std::unique_ptr<ByteStream> stream, BrokerId broker) {
  Connection connection(executor, std::move(stream), broker, ++connections_made);
  // Accepted in the moment in which the broker ended.
  if (!state.broker(broker)->alive) co_return;
  connections.insert(&connection);
  protocol::FrameSplitter splitter(pool, state.options().frame_bytes_max);
  for (;;) {
    auto frame = splitter.next();
    if (!frame) break;
    if (*frame) {
      if (!co_await handle(connection, (*frame)->bytes())) break;
      continue;
    }
    const auto count = co_await connection.stream->read(splitter.receive_space());
    if (!count || *count == 0) break;
    splitter.received(*count);
  }
  connection.stream->close();
  connections.erase(&connection);
}

Task<bool> Cluster::Insides::handle(Connection& connection, protocol::Bytes frame) {
  auto request = protocol::read_request_header(frame);
  if (!request) co_return false;
  note(connection, *request);
  if (!offers(*request)) {
    if (request->api->key != ApiKey::api_versions) co_return false;
    request->version_supported = false;
  }
  const Faults::Chosen chosen = faults.take(request->api->key, connection.broker);
  if (chosen.delay > Duration{} && !co_await hold(connection, chosen.delay)) co_return false;
  const auto fault = chosen.fault ? chosen.fault->kind : FaultKind::delay;
  if (fault == FaultKind::drop_before) co_return false;
  if (fault == FaultKind::silence) co_return true;
  connection.arena.reset();
  Asked asked{.state = state,
              .groups = groups,
              .transactions = transactions,
              .waiting = connection.waiting,
              .broker = connection.broker,
              .request = *request,
              .client_host = "/" + connection.stream->peer().host(),
              .planted = fault == FaultKind::error ? chosen.fault->error : ErrorCode::none,
              .arena = connection.arena,
              .pool = pool};
  Answer made = co_await dispatch(asked);
  if (asked.changed) wake();
  if (connection.waiting.ending() || fault == FaultKind::drop_after) co_return false;
  if (made.kind != AnswerKind::send) co_return made.kind == AnswerKind::none;
  co_return co_await send(connection, std::move(made.frame), fault);
}

Task<bool> Cluster::Insides::hold(Connection& connection, Duration by) {
  const MonotonicTime until = executor.clock().now() + by;
  while (!connection.waiting.ending() && executor.clock().now() < until) {
    static_cast<void>(co_await connection.waiting.wait(until));
  }
  co_return !connection.waiting.ending();
}

Task<bool> Cluster::Insides::send(Connection& connection, std::vector<std::byte> frame,
                                  FaultKind fault) {
  damage(frame, fault, state.random());
  const std::array<ByteView, 1> pieces = {ByteView(frame)};
  const auto written = co_await connection.stream->write(pieces);
  if (!written) co_return false;
  if (fault != FaultKind::cut_short) co_return true;
  connection.stream->shutdown_writes();
  co_return false;
}

bool Cluster::Insides::offers(const protocol::ReceivedRequest& request) const {
  const auto found = std::ranges::find(offered, request.api->key, &Spoken::api);
  return found != offered.end() && request.version_supported &&
         request.version >= found->version_min && request.version <= found->version_max;
}

void Cluster::Insides::note(const Connection& connection,
                            const protocol::ReceivedRequest& request) {
  requests.push_back({.broker = connection.broker,
                      .api = request.api->key,
                      .version = request.version,
                      .client_id = std::string(request.client_id),
                      .connection = connection.number,
                      .time = executor.clock().now(),
                      .body = {request.body.begin(), request.body.end()}});
  logged_bytes += request.body.size();
  while (requests.size() > logged_requests_max ||
         (logged_bytes > logged_bytes_max && requests.size() > 1)) {
    logged_bytes -= requests.front().body.size();
    requests.pop_front();
  }
}

}  // namespace millrace::mock
