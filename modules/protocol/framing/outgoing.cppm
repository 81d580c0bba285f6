// A message ready to be sent: length, header and body in one pooled buffer, records by reference.
module;
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

export module millrace.protocol.framing:outgoing;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.header;
import millrace.protocol.wire;

export namespace millrace::protocol {

// Sent as it is: pieces in order, none of them copied. It owns its buffer and points to the record
// chunks, which must outlive it. Must die before the pool, on the pool's thread.
class OutgoingFrame {
 public:
  // Everything, the four bytes of the length included.
  [[nodiscard]] std::size_t total_bytes() const { return inline_bytes_ + record_bytes_; }

  // Calls `visit(const RecordChunk&)` for every piece in the order in which it is sent.
  template <class Visit>
  void for_each_piece(Visit visit) const {
    const std::byte* memory = buffer_.bytes().data();
    std::size_t position = 0;
    for (const Splice& splice : splices()) {
      if (splice.position > position) {
        visit(RecordChunk{memory + position, -1, 0, splice.position - position});
      }
      position = splice.position;
      if (splice.records.is_chunked()) {
        for (const RecordChunk& chunk : splice.records.chunks()) visit(chunk);
      } else if (splice.records.size() > 0) {
        const Bytes bytes = splice.records.bytes();
        visit(RecordChunk{bytes.data(), -1, 0, bytes.size()});
      }
    }
    if (position < inline_bytes_) {
      visit(RecordChunk{memory + position, -1, 0, inline_bytes_ - position});
    }
  }

 private:
  template <class Header, class Message>
  friend Result<OutgoingFrame, EncodeError> encode_frame(BufferPool& pool, const Header& header,
                                                         std::int16_t header_version,
                                                         const Message& body, std::int16_t version);

  OutgoingFrame(BufferPool& pool, std::size_t inline_bytes, std::size_t record_bytes,
                std::size_t splice_count);

  // The splices stand in the same buffer behind the inline bytes, so that a frame takes one
  // allocation.
  [[nodiscard]] std::span<Splice> splices() const;
  [[nodiscard]] MutableBytes inline_part() { return buffer_.bytes().first(inline_bytes_); }

  mutable Buffer buffer_;
  std::size_t inline_bytes_;
  std::size_t record_bytes_;
  std::size_t splice_count_;
};

template <class Header, class Message>
[[nodiscard]] Result<OutgoingFrame, EncodeError> encode_frame(BufferPool& pool,
                                                              const Header& header,
                                                              std::int16_t header_version,
                                                              const Message& body,
                                                              std::int16_t version) {
  const MeasureResult header_size = measure(header, header_version);
  if (!header_size) return failure(header_size.error());
  const MeasureResult body_size = measure(body, version);
  if (!body_size) return failure(body_size.error());
  const std::size_t length = header_size->inline_bytes + body_size->total();
  if (length > message_bytes_max) {
    return failure(EncodeError{EncodeFault::message_too_large, "frame"});
  }
  const std::size_t before_body = frame_length_bytes + header_size->inline_bytes;
  OutgoingFrame frame(pool, before_body + body_size->inline_bytes, body_size->record_bytes,
                      body_size->splices);
  const MutableBytes bytes = frame.inline_part();
  store_big_endian(bytes.data(), static_cast<std::int32_t>(length));
  Writer header_writer(bytes.subspan(frame_length_bytes, header_size->inline_bytes), {});
  write(header, header_version, header_writer);
  Writer body_writer(bytes.subspan(before_body), frame.splices());
  write(body, version, body_writer);
  for (Splice& splice : frame.splices()) splice.position += before_body;
  return frame;
}

// The answer to a request with this correlation id, in the version of the request.
template <class Response>
[[nodiscard]] Result<OutgoingFrame, EncodeError> encode_response(BufferPool& pool,
                                                                 CorrelationId correlation_id,
                                                                 const Response& response,
                                                                 std::int16_t version) {
  ResponseHeader header;
  header.correlation_id = correlation_id.value();
  const std::int16_t header_version = response_header_version(api_info(Response::api_key), version);
  return encode_frame(pool, header, header_version, response, version);
}

// A request of ours.
template <class Request>
[[nodiscard]] Result<OutgoingFrame, EncodeError> encode_request(BufferPool& pool,
                                                                CorrelationId correlation_id,
                                                                String client_id,
                                                                const Request& request,
                                                                std::int16_t version) {
  RequestHeader header;
  header.request_api_key = static_cast<std::int16_t>(Request::api_key);
  header.request_api_version = version;
  header.correlation_id = correlation_id.value();
  header.client_id = client_id;
  const std::int16_t header_version = request_header_version(api_info(Request::api_key), version);
  return encode_frame(pool, header, header_version, request, version);
}

}  // namespace millrace::protocol
