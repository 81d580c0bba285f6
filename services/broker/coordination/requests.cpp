module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

module millrace.broker.coordination;

import millrace.base;
import millrace.broker.connections;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.header;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {

Task<Response> GroupRequests::handle(Request request) {
  const RequestContext& context = request.context;
  GroupAsk ask;
  ask.api = context.api->key;
  ask.version = context.version;
  ask.session = context.session.get();
  ask.client_id = context.client_id;
  ask.client_host = "/" + context.peer.host();
  ask.body.assign(request.body.begin(), request.body.end());
  ask.connection = {here_.index().value(), context.connection};
  const std::string client_id = ask.client_id;
  // A join may wait for minutes: those who do must not hold what others are received into.
  request.release_bytes();
  const GroupAnswer answer =
      co_await here_.call(home_, [this, &ask](Shard&) { return gateway_.ask(std::move(ask)); });
  if (answer.close) co_return Response::close(answer.reason);
  const Clock& clock = here_.clock();
  const Duration throttle =
      quotas_.record(*context.session, client_id, security::QuotaKind::request,
                     static_cast<std::uint64_t>(answer.used.count()), clock.now());
  if (throttle > Duration{}) co_await sleep_until(here_.loop(), clock.now() + throttle);
  co_return respond_encoded(context, pool_, answer.body);
}

Task<void> GroupRequests::connection_closing(ConnectionId connection) {
  const AskingConnection asking{here_.index().value(), connection};
  co_await here_.call(home_, [this, asking](Shard&) { gateway_.connection_closing(asking); });
}

}  // namespace millrace::broker
