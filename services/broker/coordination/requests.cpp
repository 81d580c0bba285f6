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

// A body that is written already: what encode_frame() asks of a message.
struct WrittenBody {
  ByteView bytes;
};

protocol::MeasureResult measure(const WrittenBody& in, std::int16_t /*version*/) {
  return protocol::MessageSize{in.bytes.size(), 0, 0};
}

void write(const WrittenBody& in, std::int16_t /*version*/, protocol::Writer& writer) {
  if (!in.bytes.empty()) std::memcpy(writer.begin(), in.bytes.data(), in.bytes.size());
  writer.finish(writer.begin() + in.bytes.size());
}

Task<Response> GroupRequests::handle(Request request) {
  const RequestContext& context = request.context;
  GroupAsk ask;
  ask.api = context.api->key;
  ask.version = context.version;
  const std::string principal = to_string(context.session->principal);
  ask.principal = principal;
  ask.client_id = context.client_id;
  ask.client_host = "/" + context.peer.host();
  ask.body = request.body;
  ask.connection = {here_.index().value(), context.connection};
  const GroupAnswer answer =
      co_await here_.call(home_, [this, &ask](Shard&) { return gateway_.ask(std::move(ask)); });
  if (answer.close) co_return Response::close(answer.reason);
  protocol::ResponseHeader header;
  header.correlation_id = context.correlation_id.value();
  auto frame = protocol::encode_frame(
      pool_, header, protocol::response_header_version(*context.api, context.version),
      WrittenBody{answer.body}, context.version);
  if (!frame) {
    co_return Response::close("the answer cannot be encoded: " +
                              protocol::to_string(frame.error()));
  }
  co_return Response(std::move(*frame));
}

Task<void> GroupRequests::connection_closing(ConnectionId connection) {
  const AskingConnection asking{here_.index().value(), connection};
  co_await here_.call(home_, [this, asking](Shard&) { gateway_.connection_closing(asking); });
}

}  // namespace millrace::broker
