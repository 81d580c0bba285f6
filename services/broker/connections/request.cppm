// A request on its way to whoever handles it, and the response on its way back.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

export module millrace.broker.connections:request;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.header;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.memory;
import millrace.runtime.streams;
import millrace.security;

export namespace millrace::broker {

// Counts the connections of a shard; none is used twice.
using ConnectionId = Strong<struct ConnectionIdTag, std::uint64_t>;

// What every request carries.
struct RequestContext {
  const protocol::ApiInfo* api = nullptr;
  std::int16_t version = 0;
  CorrelationId correlation_id;
  // A view into the frame, empty if the client gave none; lives as long as the Request.
  std::string_view client_id;
  // False only for ApiVersions: the answer is then in version 0 and names UNSUPPORTED_VERSION.
  bool version_supported = true;
  std::shared_ptr<const security::Session> session;
  SocketAddress peer;
  SocketAddress local;
  MonotonicTime received{};
  // When what others are asked for this request has to be here.
  MonotonicTime deadline{};
  ConnectionId connection;
};

// Moves, does not copy. What is read of it lives as long as it does; a handler that no longer needs
// the bytes lets go of frame and memory early. Ends on the connection's shard.
struct Request {
  RequestContext context;
  protocol::Frame frame;
  protocol::Bytes body;               // in the frame
  std::optional<MemoryClaim> memory;  // what of the budget the frame takes

  // The bytes are not needed any more: client_id and body are empty afterwards.
  void release_bytes() {
    context.client_id = {};
    body = {};
    frame = {};
    memory.reset();
  }
};

// What the bytes of a response rest on: slices of logs, buffers. Destroyed on the connection's
// shard after the bytes were sent or the connection broke.
class ResponseHold {
 public:
  ResponseHold() = default;
  ResponseHold(const ResponseHold&) = delete;
  ResponseHold& operator=(const ResponseHold&) = delete;
  virtual ~ResponseHold() = default;
};

// How a request ends. Moves, does not copy; lives on the connection's shard.
//
// Chunks of records in the frame, of which the hold also keeps the list, lie in memory, or in
// files: then `RecordChunk::file` is an open descriptor of the process, of whichever shard, that
// the hold keeps open. The file has these bytes until the hold ends, and they are in memory of the
// system, as sendfile would wait for the disk.
class Response {
 public:
  enum class Kind : std::uint8_t { frame, none, close };

  Response(protocol::OutgoingFrame frame, std::unique_ptr<ResponseHold> hold = nullptr)
      : hold_(std::move(hold)), frame_(std::move(frame)) {}

  // Nothing is sent, as for Produce with acks=0.
  [[nodiscard]] static Response none() { return Response(Kind::none, {}); }
  // The connection is closed after the answers before this one; the reason goes to the log, with
  // the peer.
  [[nodiscard]] static Response close(std::string reason) {
    return Response(Kind::close, std::move(reason));
  }

  [[nodiscard]] inline Kind kind() const { return kind_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  // Of kind frame.
  [[nodiscard]] inline const protocol::OutgoingFrame& frame() const { return *frame_; }

 private:
  Response(Kind kind, std::string reason) : kind_(kind), reason_(std::move(reason)) {}

  Kind kind_ = Kind::frame;
  std::unique_ptr<ResponseHold> hold_;
  std::optional<protocol::OutgoingFrame> frame_;
  std::string reason_;
};

// Who answers requests; one for each shard, which outlives its connections.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  RequestHandler(const RequestHandler&) = delete;
  RequestHandler& operator=(const RequestHandler&) = delete;

  // Called in the order of arrival of a connection's requests. It runs at once until its first
  // suspension; up to requests_in_flight_max requests of a connection overlap. Responses are sent
  // in the order of arrival, whatever order they end in. Every request ends, also when its
  // connection is gone.
  [[nodiscard]] virtual Task<Response> handle(Request request) = 0;

  // The connection is gone, or about to be closed: what its requests wait for is of no use any
  // more, and they may end at once with any response.
  virtual void connection_closing(ConnectionId /*connection*/) {}

 protected:
  RequestHandler() = default;
};

// The answer to a request, encoded in its version; a message that cannot be written in it closes
// the connection.
template <class Message>
[[nodiscard]] Response respond(const RequestContext& context, BufferPool& pool,
                               const Message& message,
                               std::unique_ptr<ResponseHold> hold = nullptr) {
  const std::int16_t version = context.version_supported ? context.version : std::int16_t{0};
  auto frame = protocol::encode_response(pool, context.correlation_id, message, version);
  if (!frame) {
    return Response::close("the answer cannot be encoded: " + protocol::to_string(frame.error()));
  }
  return Response(std::move(*frame), std::move(hold));
}

// A body that was encoded elsewhere, in place of a message.
struct EncodedBody {
  ByteView bytes;
};

[[nodiscard]] inline protocol::MeasureResult measure(const EncodedBody& in, std::int16_t) {
  return protocol::MessageSize{in.bytes.size(), 0, 0};
}
inline void write(const EncodedBody& in, std::int16_t, protocol::Writer& writer) {
  writer.finish(std::copy(in.bytes.begin(), in.bytes.end(), writer.begin()));
}

// The answer to a request whose body, in the version of the request, was encoded elsewhere.
[[nodiscard]] inline Response respond_encoded(const RequestContext& context, BufferPool& pool,
                                              ByteView body) {
  protocol::ResponseHeader header;
  header.correlation_id = context.correlation_id.value();
  auto frame = protocol::encode_frame(
      pool, header, protocol::response_header_version(*context.api, context.version),
      EncodedBody{body}, context.version);
  if (!frame) {
    return Response::close("the answer cannot be encoded: " + protocol::to_string(frame.error()));
  }
  return Response(std::move(*frame));
}

}  // namespace millrace::broker
